"""`kantos export`: every record of an object, once, in a file."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

from cyclopts import Parameter

from ..api.models import ObjectDefinition, Record
from .connection import connect
from .convert import Converter
from .exits import UsageError
from .formats import Kind, kind_of
from .formats.sinks import Column, open_sink
from .formats.targets import whole_file
from .names import find_object
from .output import STANDARD, Output
from .quota import Pace
from .records import Where, choose_fields
from .where import read_conditions

__all__ = ["export"]


async def export(
    object: str,  # noqa: A002
    /,
    *,
    to: Annotated[str, Parameter(allow_leading_hyphen=True)],
    where: Where = (),
    fields: str | None = None,
    format: Annotated[Kind | None, Parameter(name="--format")] = None,  # noqa: A002
    out: Output = STANDARD,
) -> None:
    """Write all records to a file: CSV, JSONL, JSON or Parquet.

    It walks by key, so that each record comes once, however the data moves meanwhile. The file
    appears under its name when it is complete; `kantos import` reads it again. Costs one request
    for each 100 records.

    Endpoint: `GET /crm/records/query`.

    Example: `kantos export contacts --to contacts.parquet --where status=new`

    Example: `kantos export deals --to - --fields name,value | wc -l`

    Args:
        object: The object's slug, name or id.
        to: The file, with .csv, .jsonl, .json or .parquet at its end; - is standard output.
        where: A condition, as for `kantos query`; may be given again.
        fields: Slugs of the fields to write, separated by commas; all without it.
        format: What to write, whatever the file's ending; - is csv without it.
        out: What every command shares.
    """
    kind = kind_of(to, format)
    async with connect(read_only=True) as k:
        definition = await find_object(k, object)
        convert = Converter(definition)
        slugs = choose_fields(convert, fields)
        filters = read_conditions(where, convert)
        columns = _columns(definition, slugs)
        try:
            pages = k.records.scan(definition.id, filters).pages()
        except ValueError as error:
            raise UsageError(f"--where: {error}") from error
        known, others = {column.name for column in columns}, set[str]()
        with (
            out.progress() as display,
            whole_file(to) as file,
            open_sink(kind, file, columns) as sink,
        ):
            page: list[Record] = await anext(pages, [])
            pace = Pace(k, pages.total or 0)
            with display.step("Exporting", pages.total) as step:
                step.note(pace.text)
                while page:
                    rows = [_row(record) for record in page]
                    sink.write(rows)
                    pace.done += len(rows)
                    if fields is None:
                        others.update(*(row.keys() - known for row in rows))
                    step.advance(len(rows))
                    page = await anext(pages, [])
    if others:
        out.remark(f"left out, since the object does not list them: {', '.join(sorted(others))}")
    if to != "-":
        out.facts("export", {"file": to, "records": pace.done, "requests": k.stats.requests})


def _columns(definition: ObjectDefinition, slugs: list[str]) -> list[Column]:
    types = {field.slug: str(field.type.value) for field in definition.fields or ()}
    return [
        Column("id", "text"),
        *(Column(slug, types.get(slug, "text")) for slug in slugs),
        Column("created_at", "datetime"),
        Column("updated_at", "datetime"),
        Column("created_by", "text"),
    ]


def _row(record: Record) -> Mapping[str, Any]:
    return {
        **record.field_values,
        "id": record.id,
        "created_at": record.created_at,
        "updated_at": record.updated_at,
        "created_by": record.created_by,
    }

"""`kantos query`, `get`, `create`, `update` and `delete`: records, one or a few at a time."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Annotated, Any, Literal

import msgspec
from cyclopts import Parameter
from cyclopts.types import PositiveInt

from ..api.models import Record
from ..errors import KantosError
from .connection import connect
from .convert import Converter
from .exits import ExitCode, UsageError, line_for
from .names import find_field, find_object, near
from .output import STANDARD, Output
from .where import read_conditions

__all__ = ["create", "delete", "get", "query", "update"]

Where = Annotated[tuple[str, ...], Parameter(negative="", consume_multiple=False)]
#: So many columns fit on a screen.
_COLUMNS = 6


async def query(
    object: str,  # noqa: A002
    /,
    *,
    where: Where = (),
    sort: str | None = None,
    order: Literal["asc", "desc"] | None = None,
    limit: PositiveInt = 25,
    fields: str | None = None,
    out: Output = STANDARD,
) -> None:
    """Show records.

    Conditions are joined by AND. They read `FIELD=VALUE`, `!=`, `<`, `<=`, `>`, `>=`, `~`
    (contains), `in A,B`, `not in A,B`; `FIELD=` asks for empty ones. Times such as `created_at`
    are UTC unless they say otherwise.

    Endpoint: `GET /crm/records/query`.

    Example: `kantos query contacts --where 'status in new,contacted' --sort created_at`

    Args:
        object: The object's slug, name or id.
        where: A condition; may be given again.
        sort: A field's slug, or `created_at`.
        order: The direction of the sort.
        limit: The most records to show.
        fields: Slugs of the fields to show, separated by commas; the first six without it.
        out: What every command shares.
    """
    async with connect(read_only=True) as k:
        definition = await find_object(k, object)
        convert = Converter(definition)
        columns = choose_fields(convert, fields)
        filters = read_conditions(where, convert)
        records: list[Record] = []
        total = 0
        async for page in k.records.query(
            definition.id, filters, sort=sort, order=order, limit=limit
        ).pages():
            records += page.data
            total = page.pagination.total
    if out.json:
        out.document([_document(record, columns if fields else None) for record in records])
        return
    shown = columns if fields else columns[:_COLUMNS]
    rows = [{"id": r.id, **{slug: r.field_values.get(slug) for slug in shown}} for r in records]
    out.table(definition.name, rows)
    if total > len(records):
        out.remark(f"{len(records):,} of {total:,} records; --limit shows more, export gets all")


async def get(record_id: str, /, *, out: Output = STANDARD) -> None:
    """Show one record.

    Endpoint: `GET /crm/record/{record_id}`.

    Example: `kantos get rec_abc123 --json`

    Args:
        record_id: The record's id.
        out: What every command shares.
    """
    _check_ids(record_id)
    async with connect(read_only=True) as k:
        _show(await k.records.get(record_id), out)


async def create(
    object: str,  # noqa: A002
    /,
    *values: str,
    out: Output = STANDARD,
) -> None:
    """Create a record.

    Endpoint: `POST /crm/record`.

    Example: `kantos create contacts 'name=John Doe' email=john@example.com`

    Args:
        object: The object's slug, name or id.
        values: FIELD=VALUE, once for each field; converted by the field's type.
        out: What every command shares.
    """
    async with connect() as k:
        definition = await find_object(k, object)
        given = read_values(values, Converter(definition))
        given = {slug: value for slug, value in given.items() if value is not None}
        if not given:
            raise UsageError("no values: write FIELD=VALUE, such as name='John Doe'")
        _show(await k.records.create(object_id=definition.id, field_values=given), out)


async def update(record_id: str, /, *values: str, out: Output = STANDARD) -> None:
    """Change the named fields of a record.

    Endpoint: `PATCH /crm/record/{record_id}`.

    Example: `kantos update rec_abc123 status=qualified phone=`

    Args:
        record_id: The record's id.
        values: FIELD=VALUE, once for each field; `FIELD=` clears it.
        out: What every command shares.
    """
    _check_ids(record_id)
    if not values:
        raise UsageError("no values: write FIELD=VALUE, such as status=qualified")
    async with connect() as k:
        record = await k.records.get(record_id)
        convert = Converter(await k.objects.get(record.object_id))
        _show(await k.records.update(record_id, read_values(values, convert)), out)


async def delete(
    *record_ids: str,
    yes: Annotated[bool, Parameter(negative="", show_default=False)] = False,
    out: Output = STANDARD,
) -> ExitCode:
    """Delete records; nothing brings them back.

    Endpoint: `DELETE /crm/record/{record_id}`.

    Example: `kantos delete rec_abc123 rec_def456 --yes`

    Args:
        record_ids: The records' ids.
        yes: Do not ask.
        out: What every command shares.
    """
    if not record_ids:
        raise UsageError("no records: name their ids")
    _check_ids(*record_ids)
    if not yes:
        _confirm(f"Delete {len(record_ids):,} record{'s' * (len(record_ids) > 1)}?")
    rows: list[dict[str, Any]] = []
    async with connect() as k:
        for record_id in record_ids:
            try:
                await k.records.delete(record_id)
            except KantosError as error:
                if len(record_ids) == 1:
                    raise
                rows.append({"id": record_id, "deleted": False, "error": line_for(error)})
            else:
                rows.append({"id": record_id, "deleted": True, "error": None})
    out.table("deletions", rows)
    return ExitCode.OK if all(row["deleted"] for row in rows) else ExitCode.ROWS_FAILED


# ---- shared --------------------------------------------------------------------------------


def read_values(assignments: Sequence[str], convert: Converter) -> dict[str, Any]:
    """Values by slug from `FIELD=VALUE`; None where the value is empty.

    Raises:
        UsageError: one of them cannot be read; it is named.
    """
    values: dict[str, Any] = {}
    for assignment in assignments:
        name, equals, text = assignment.partition("=")
        if not equals:
            raise UsageError(f"{assignment!r}: write FIELD=VALUE")
        slug = _slug(convert, name)
        if slug in values:
            raise UsageError(f"{assignment!r}: the field {slug!r} is given twice")
        try:
            values[slug] = convert(slug, text)
        except ValueError as error:
            raise UsageError(f"{assignment!r}: {text!r} {error}") from None
    return values


def choose_fields(convert: Converter, fields: str | None) -> list[str]:
    """The slugs that `--fields` names, or all.

    Raises:
        UsageError: one of them is none of the object's.
    """
    if fields is None:
        return [field.slug for field in convert.fields]
    return list(dict.fromkeys(_slug(convert, name.strip()) for name in fields.split(",")))


def _slug(convert: Converter, name: str) -> str:
    field = find_field(convert.fields, name)
    if field is None and convert.fields:
        names = near(name, [field.slug for field in convert.fields])
        raise UsageError(f"there is no field {name!r}{names}")
    return name if field is None else field.slug


def _check_ids(*record_ids: str) -> None:
    """A variable of a shell that is not set must not name all records, or none."""
    if not all(record_ids):
        raise UsageError("a record's id is empty")


def _show(record: Record, out: Output) -> None:
    if out.json:
        out.document(_document(record, None))
        return
    stamps = {name: getattr(record, name) for name in ("created_at", "updated_at", "created_by")}
    out.facts(record.id, {"object": record.object_id, **record.field_values, **stamps})


def _document(record: Record, fields: Sequence[str] | None) -> dict[str, Any]:
    """A record the way the API writes it, with these fields or all."""
    document: dict[str, Any] = msgspec.to_builtins(record)
    if fields is not None:
        values = record.field_values
        document["field_values"] = {slug: values[slug] for slug in fields if slug in values}
    return document


def _confirm(question: str) -> None:
    if sys.stdin is None or not sys.stdin.isatty():
        raise UsageError("nobody can be asked here: say --yes")
    print(f"{question} [y/N] ", end="", file=sys.stderr, flush=True)
    if sys.stdin.readline().strip().casefold() not in {"y", "yes"}:
        raise UsageError("nothing was deleted")

"""`kantos import`: the command and its options."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from cyclopts import Parameter
from cyclopts.types import PositiveInt

from ..api.models import ObjectDefinition
from ..bulk.policy import Mode, Options
from ..bulk.schema import Schema
from .columns import Columns
from .complaints import Complaints
from .connection import connect
from .convert import Converter, Rules
from .exits import ExitCode, UsageError
from .formats import Kind, kind_of
from .formats.reading import open_source
from .importing import Job
from .intake import Intake
from .names import find_field, find_object, near
from .output import STANDARD, Flag, Output

__all__ = ["import_"]

Names = Annotated[tuple[str, ...], Parameter(negative="", consume_multiple=False)]


@Parameter(name="*", group="Input")
@dataclass(frozen=True, kw_only=True)
class Layout:
    """How the file is laid out."""

    format: Annotated[Kind | None, Parameter(name="--format")] = None
    """What the file is, whatever its ending; - is csv without it."""

    delimiter: str = ","
    """What stands between the cells of CSV; `tab` is a word for it."""

    sheet: str | None = None
    """The sheet of XLSX, where there are several."""

    map: Names = ()
    """COLUMN=FIELD for a column that is called otherwise; may be given again."""

    ignore: Names = ()
    """A column to leave out; may be given again."""


@Parameter(name="*", group="Changes")
@dataclass(frozen=True, kw_only=True)
class Changes:
    """What a run may change."""

    mode: Literal["upsert", "update-only", "create-only"] = "upsert"
    """Create and update, or only one of the two."""

    empty: Literal["skip", "clear"] = "skip"
    """Whether an empty cell leaves the field alone, or clears it."""

    conflict: Literal["ours", "theirs", "fail"] = "ours"
    """Who wins where somebody else changed a field since the last run of --state."""

    delete_missing: Flag = False
    """Delete the records whose key no row has."""

    max_deletes: str = "10%"
    """The most that may be deleted so: a number, or a share of the object."""

    force: Flag = False
    """Take a key that the server does not keep unique."""

    max_requests: PositiveInt | None = None
    """Stop after so many requests; the same command goes on."""


async def import_(
    object: str,  # noqa: A002
    file: Annotated[str, Parameter(allow_leading_hyphen=True)],
    /,
    *,
    key: str,
    state: Path | None = None,
    explain: Flag = False,
    dry_run: Flag = False,
    results: Path | None = None,
    reject: Path | None = None,
    layout: Layout = Layout(),
    rules: Rules = Rules(),  # noqa: B008
    changes: Changes = Changes(),
    out: Output = STANDARD,
) -> ExitCode:
    """Make records equal to the rows of a file: create what is missing, update what differs.

    Columns fill the fields of that slug or name. All rows are read, and their values checked,
    before the first write; a row with a bad value is rejected, and the others go on. Only what
    differs is written. Stop it at any moment: the same command goes on, and with `--state` it
    asks for little more than what is left.

    Example: `kantos import contacts leads.csv --key email --map 'E-mail=email' --dry-run`

    Example: `kantos import deals deals.xlsx --key name --force --decimal , --date-format %d.%m.%Y`

    Example: `kantos import contacts leads.csv --key email --state contacts.state --results r.csv`

    Exit codes: 0 all well, 1 some rows failed, 2 wrong use, an input that cannot be read, or a
    `--max-requests` within which nothing is written, 3 the API refused, 4 a dry run would change
    something, 5 stopped at `--max-requests`.

    Args:
        object: The object's slug, name or id.
        file: CSV, JSONL, JSON, XLSX or Parquet; - is standard input.
        key: The field that tells records apart, such as email.
        state: A file that makes runs resumable, cheap and undoable; one for each input.
        explain: Show the plan: how differences are found, what that costs, and why.
        dry_run: Show what would change, old and new, and what it costs; write nothing.
        results: Write every row here, with its record's id, its outcome and its error.
        reject: Write the bad values here: row, column, value, reason.
        layout: How the file is laid out.
        rules: How numbers and dates are written.
        changes: What a run may change.
        out: What every command shares.
    """
    kind = kind_of(file, layout.format)
    _keep_apart(file, results, reject, state)
    _check_budget(object, changes.max_requests)
    with open_source(file, kind, delimiter=layout.delimiter, sheet=layout.sheet) as source:
        async with connect(read_only=explain or dry_run) as k:
            definition = await find_object(k, object)
            options = _options(definition, key, state, changes, k.stats.requests)
            columns = Columns(
                definition,
                source.columns,
                maps=layout.map,
                ignore=layout.ignore,
                key=options.key or "",
            )
            intake = Intake(source, columns, Converter(definition, rules))
            with Complaints(source.unit, reject) as complaints:
                job = Job(k, definition.name, intake, options, complaints, out)
                if explain:
                    return await job.explain()
                if dry_run:
                    return await job.rehearse()
                return await job.carry_out(results)


# ---- what the options mean -----------------------------------------------------------------

_MODES: dict[str, Mode] = {
    "upsert": "upsert",
    "update-only": "update_only",
    "create-only": "create_only",
}


def _options(
    definition: ObjectDefinition, key: str, state: Path | None, changes: Changes, spent: int
) -> Options:
    most = changes.max_requests
    slug = _key_field(definition, key)
    if changes.delete_missing and changes.mode != "upsert":
        raise UsageError("--delete-missing goes with --mode upsert only")
    if slug == "id" and changes.mode != "update-only":
        raise UsageError("--key id cannot create: the server chooses ids; say --mode update-only")
    if not Schema.of(definition).is_unique(slug):
        if changes.delete_missing:
            raise UsageError(f"--delete-missing needs a unique key, and {slug!r} is not")
        if not changes.force and changes.mode != "update-only":
            raise UsageError(
                f"the server does not keep {slug!r} unique, so that runs at the same time, or a "
                "lost answer, could double a record; say --force to go on"
            )
    try:
        return Options(
            object_id=definition.id,
            key=slug,
            mode=_MODES[changes.mode],
            state=None if state is None else os.fspath(state),
            empty=changes.empty,
            conflict=changes.conflict,
            delete_missing=changes.delete_missing,
            max_deletes=_share(changes.max_deletes),
            # Repeats may have spent more than was foreseen.
            max_requests=None if most is None else max(most - spent, 1),
        )
    except ValueError as error:
        raise UsageError(str(error)) from None


def _check_budget(name: str, most: int | None) -> None:
    # Finding the object takes one request by its id, and two by its name.
    least = (1 if name.startswith("obj_") else 2) + 1
    if most is not None and most < least:
        raise UsageError(f"--max-requests {most}: at least {least} are needed")


def _key_field(definition: ObjectDefinition, key: str) -> str:
    fields = definition.fields or ()
    field = find_field(fields, key)
    if field is None and key != "id" and fields:
        slugs = [field.slug for field in fields]
        raise UsageError(f"--key: {definition.name} has no field {key!r}{near(key, slugs)}")
    return key if field is None else field.slug


def _share(text: str) -> float:
    """A number of records, or a share of them as a float."""
    number, percent, rest = text.partition("%")
    try:
        most = float(number) / 100 if percent and not rest else int(text)
        if most >= 0:
            return most
    except ValueError:
        pass
    raise UsageError(f"--max-deletes {text!r}: must be like 50, or 10%")


def _keep_apart(file: str, *others: Path | None) -> None:
    """What is written must not fall on what is read."""
    taken = [os.path.realpath(file)]
    for other in others:
        if other is not None:
            if (path := os.path.realpath(other)) in taken:
                raise UsageError(f"{other}: is given twice, to be read or written")
            taken.append(path)

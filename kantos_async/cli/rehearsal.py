"""A bulk run that decides everything, and writes nothing: what `--dry-run` shows."""

from __future__ import annotations

from typing import Any, Literal

import attrs
from rich.text import Text

from ..api.records import get_record
from ..bulk.decide import Decision
from ..bulk.policy import Options
from ..bulk.reads import Reads
from ..bulk.report import Outcome, Plan
from ..bulk.rows import Input, Source
from ..bulk.state import State
from ..bulk.sync import BulkRun
from ..bulk.writer import Writer
from ..errors import NotFoundError
from ..transport.session import Session
from .output import Output, printable

__all__ = ["Change", "Rehearsal", "show_changes"]


@attrs.frozen(kw_only=True)
class Change:
    """What would become of a record: its old and its new values by slug."""

    kind: Literal["created", "updated", "deleted"]
    key: str | None
    record_id: str | None = None
    before: dict[str, Any] = attrs.Factory(dict)
    after: dict[str, Any] = attrs.Factory(dict)


class _Options(Options):
    @property
    def keeps_old_values(self) -> bool:
        """Old values are what is shown."""
        return True


class Rehearsal(BulkRun):
    """Reads and decides like the run itself. Its outcomes are what would happen.

    With a state file, what is read is kept there, so that the run itself need not read it again.

    Attributes:
        changes: what would become of records, since this was last emptied.
    """

    def __init__(self, session: Session, rows: Source, options: Options) -> None:
        super().__init__(session, rows, _Options(**attrs.asdict(options, recurse=False)))
        self._planned = options
        self.changes: list[Change] = []

    async def _prepare(self, state: State) -> None:
        await super()._prepare(state)
        self._writer = _Noting(self._parts, Reads(self._parts), self._journal)
        self._writer.changes = self.changes

    async def _plan(self) -> Plan:
        # What the run itself costs, which need not read all old values.
        options, self._options = self._options, self._planned
        try:
            return await super()._plan()
        finally:
            self._options = options

    def _conclude(self) -> None:
        """Nothing was done, and what was done before stays undoable."""


class _Noting(Writer):
    """Notes what it would write."""

    changes: list[Change]

    async def write(self, row: Input, decision: Decision) -> Outcome:
        """Note what would become of a row."""
        target = decision.target
        if target is None:
            values = {slug: value for slug, value in row.values().items() if value is not None}
            self.changes.append(Change(kind="created", key=row.key, after=values))
            return self._outcome(row, "created", None)
        before = self._spool.held(target.id) or {}
        given = row.values()
        slugs = [self._fields[place] for place in decision.fields]
        if slugs:
            change = Change(
                kind="updated",
                key=row.key,
                record_id=target.id,
                before={slug: before.get(slug) for slug in slugs},
                after={slug: given[slug] for slug in slugs},
            )
            self.changes.append(change)
        return self._outcome(row, "kept" if decision.kept else "updated", target)

    async def delete_missing(self, record_id: str) -> Outcome:
        """Note a record whose key no row has, after asking it once more."""
        try:
            record = await get_record(self._session, record_id=record_id)
        except NotFoundError:
            return Outcome(row=0, key=None, status="unchanged", record_id=record_id)
        key = self._mirror.told(record).key
        if self._mirror.is_given(record_id):
            return Outcome(row=0, key=key, status="unchanged", record_id=record_id)
        self.changes.append(
            Change(kind="deleted", key=key, record_id=record_id, before=record.field_values)
        )
        return Outcome(row=0, key=key, status="deleted", record_id=record_id)


# ---- showing it ----------------------------------------------------------------------------

_SIGNS = {"created": ("+", "green"), "updated": ("~", "yellow"), "deleted": ("-", "red")}


async def show_changes(run: Rehearsal, out: Output, plan: dict[str, Any]) -> bool:
    """Print each change, and then the plan; whether there is any change."""
    shown: list[dict[str, Any]] = []
    changed = False
    async for _ in run:
        for change in run.changes:
            changed = True
            if out.json:
                shown.append(attrs.asdict(change))
            else:
                out.show(_text(change))
        run.changes.clear()
    if out.json:
        facts = {name.replace(" ", "_"): value for name, value in plan.items()}
        out.document({"changes": shown, "plan": facts})
    else:
        out.counts("plan", plan)
    return changed


def _text(change: Change) -> Text:
    sign, style = _SIGNS[change.kind]
    name = change.key or change.record_id or ""
    text = Text(f"{sign} {printable(name)}", style=f"bold {style}")
    if change.record_id and change.key:
        text.append(f"  {change.record_id}", style="dim")
    for slug in {**change.before, **change.after}:
        text.append(f"\n    {slug}: ", style="not bold default")
        if change.kind != "created":
            text.append(_value(change.before.get(slug)), style="not bold red")
        if change.kind == "updated":
            text.append(" → ", style="not bold default")
        if change.kind != "deleted":
            text.append(_value(change.after.get(slug)), style="not bold green")
    return text


def _value(value: Any) -> str:
    return "(empty)" if value is None or value == "" else printable(str(value))

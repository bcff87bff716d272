"""The undo log: what the last run replaced, in the state file."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

import msgspec

from ..api.models import Record
from .mirror import Known
from .rows import Spool
from .schema import Schema
from .state import State
from .values import fingerprint

__all__ = ["Change", "Journal"]


class Change(msgspec.Struct, frozen=True):
    """What a run did to one record.

    `before` holds the replaced values (of a deleted record all), None where they were not known;
    `wrote` a fingerprint for each written field, as the server answered it.
    """

    id: str
    key: str | None
    kind: Literal["created", "updated", "deleted"]
    before: dict[str, Any] | None
    wrote: dict[str, bytes]


class Journal:
    """Notes each write in the transaction that keeps its answer."""

    def __init__(self, state: State, spool: Spool, schema: Schema, wanted: bool) -> None:
        self._state = state
        self._spool = spool
        self._schema = schema
        self._wanted = wanted

    def created(self, known: Known, record: Record) -> None:
        """A record was created; whatever it holds now, others have not changed."""
        wrote = {
            slug: fingerprint(self._schema.type_of(slug), value)
            for slug, value in record.field_values.items()
        }
        self._note(Change(known.id, known.key, "created", {}, wrote))

    def updated(self, known: Known, target: Known, wrote: Mapping[str, bytes]) -> None:
        """A record was changed."""
        held = self._spool.held(target.id)
        before = None if held is None else {slug: held.get(slug) for slug in wrote}
        self._note(Change(known.id, known.key, "updated", before, dict(wrote)))

    def deleted(self, target: Known) -> None:
        """A record was deleted."""
        self._note(Change(target.id, target.key, "deleted", self._spool.held(target.id), {}))

    def _note(self, change: Change) -> None:
        if self._state.path is None:
            return
        self._begin()
        if not self._wanted:
            return
        old = self.get(change.id)
        if old is not None and old.kind == "created" and change.kind == "deleted":
            self.forget(change.id)  # by the same run: nothing to undo
            return
        if old is not None:
            change = _joined(old, change)
        self._state.db.execute(
            "INSERT OR REPLACE INTO change VALUES (?, ?, ?, ?, ?)",
            (
                change.id,
                change.key,
                change.kind,
                None if change.before is None else msgspec.json.encode(change.before),
                msgspec.json.encode(change.wrote),
            ),
        )

    def _begin(self) -> None:
        """The first write of a run ends what could be undone of the one before."""
        if not self._state.meta.running:
            self._state.db.execute("DELETE FROM change")
            self._state.set(running=True)

    def end(self) -> None:
        """The run has come to its end: the next one begins a new log."""
        if self._state.meta.running:
            self._state.set(running=False)

    # ---- reading ---------------------------------------------------------------------------

    def get(self, record_id: str) -> Change | None:
        """What was done to a record."""
        row = self._state.db.execute("SELECT * FROM change WHERE id = ?", (record_id,)).fetchone()
        return None if row is None else _change(row)

    def after(self, record_id: str, count: int) -> list[Change]:
        """The next changes, in the order of ids."""
        rows = self._state.db.execute(
            "SELECT * FROM change WHERE id > ? ORDER BY id LIMIT ?", (record_id, count)
        )
        return [_change(row) for row in rows.fetchall()]

    def count(self) -> int:
        """How many records were changed."""
        return int(self._state.db.execute("SELECT count(*) FROM change").fetchone()[0])

    def forget(self, record_id: str) -> None:
        """It is undone."""
        self._state.db.execute("DELETE FROM change WHERE id = ?", (record_id,))


def _joined(old: Change, new: Change) -> Change:
    """One change out of two by the same run, which was interrupted and went on."""
    if old.kind == "created":
        return Change(old.id, new.key, "created", {}, old.wrote | new.wrote)
    before = None
    if old.before is not None and new.before is not None:
        before = new.before | old.before
    return Change(old.id, new.key, new.kind, before, old.wrote | new.wrote)


def _change(row: tuple[Any, ...]) -> Change:
    before = None if row[3] is None else msgspec.json.decode(row[3])
    wrote = msgspec.json.decode(row[4], type=dict[str, bytes])
    return Change(row[0], row[1], row[2], before, wrote)

"""The undo log: what the last run replaced, in the state file."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Mapping
from typing import Any, Literal

import msgspec

from ..api.models import Record
from .errors import StateError
from .mirror import Known
from .rows import Spool
from .schema import Schema
from .state import State
from .values import WIDTH, fingerprint

__all__ = ["Change", "Intent", "Journal", "mark_at"]


class Change(msgspec.Struct, frozen=True):
    """What a run did to one record.

    `before` holds the replaced values (of a deleted record all), None where they were not known;
    `wrote` a fingerprint for each written field, as the server answered it. `at`: when undo began
    to create a deleted record again, by the server's clock; None: it has not.
    """

    id: str
    key: str | None
    kind: Literal["created", "updated", "deleted"]
    before: dict[str, Any] | None
    wrote: dict[str, bytes]
    at: float | None = None


class Intent(msgspec.Struct, frozen=True):
    """A create that may have arrived.

    `at` is the server's time when it was sent, at the latest; `sent` are the row's fingerprints.
    """

    key: str
    at: float
    sent: bytes


class Journal:
    """Notes each write before it is sent, and again in the transaction that keeps its answer."""

    def __init__(self, state: State, spool: Spool, schema: Schema, wanted: bool) -> None:
        self._state = state
        self._spool = spool
        self._schema = schema
        self._wanted = wanted

    # ---- before a write --------------------------------------------------------------------

    def intends(self, key: str | None, at: float, sent: bytes) -> None:
        """A record will be created at the server's time `at`, or before."""
        if key is None or self._state.path is None:
            return
        log = self._log if self._wanted else None
        with self._state.whole() as db:
            db.execute("INSERT OR REPLACE INTO intent VALUES (?, ?, ?, ?)", (key, at, sent, log))

    def updates(self, target: Known, at: float, wrote: Mapping[str, bytes]) -> None:
        """A record will be changed, as `at` in `intends`; `wrote` are the marks of what is sent."""
        self._await(self._updated(target, target, wrote), at)

    def deletes(self, target: Known, at: float) -> None:
        """A record will be deleted, as `at` in `intends`."""
        self._await(self._deleted(target), at)

    def _await(self, change: Change, at: float) -> None:
        if self._state.path is None:
            return
        log = self._log if self._wanted else None
        with self._state.whole() as db:
            db.execute(
                "INSERT OR REPLACE INTO pending VALUES (?, ?, ?, ?, ?, ?, ?)",
                (*_columns(change), log, at),
            )

    @property
    def _log(self) -> int:
        """The number of the log that this run writes, or will write."""
        meta = self._state.meta
        return meta.log if meta.running else meta.log + 1

    def failed(self, *, key: str | None = None, record_id: str | None = None) -> None:
        """Nothing came of it. Where that cannot be noted, the next run finds it out."""
        with contextlib.suppress(StateError), self._state.whole():
            self._arrived(key, record_id)

    def _arrived(self, key: str | None, record_id: str | None) -> None:
        self._state.db.execute("DELETE FROM intent WHERE key = ?", (key,))
        self._state.db.execute("DELETE FROM pending WHERE id = ?", (record_id,))

    # ---- after a write ---------------------------------------------------------------------

    def created(self, key: str | None, known: Known, record: Record) -> None:
        """A record was created, by a row with this key."""
        self._arrived(key, None)
        self._note(self.creation(known, record))

    def creation(self, known: Known, record: Record) -> Change:
        """That a record was created; whatever it holds now, others have not changed."""
        wrote = {
            slug: fingerprint(self._schema.type_of(slug), value)
            for slug, value in record.field_values.items()
        }
        return Change(known.id, known.key, "created", {}, wrote)

    def updated(self, known: Known, target: Known, wrote: Mapping[str, bytes]) -> None:
        """A record was changed."""
        self._note(self._updated(known, target, wrote))

    def _updated(self, known: Known, target: Known, wrote: Mapping[str, bytes]) -> Change:
        held = self._spool.held(target.id)
        before = None if held is None else {slug: held.get(slug) for slug in wrote}
        return Change(known.id, known.key, "updated", before, dict(wrote))

    def deleted(self, target: Known) -> None:
        """A record was deleted."""
        self._note(self._deleted(target))

    def _deleted(self, target: Known) -> Change:
        return Change(target.id, target.key, "deleted", self._spool.held(target.id), {})

    def _note(self, change: Change) -> None:
        if self._state.path is None:
            return
        self._arrived(None, change.id)
        self.begin()
        if self._wanted:
            self._add(change)

    def _add(self, change: Change) -> None:
        old = self.get(change.id)
        if old is not None and old.kind == "created" and change.kind == "deleted":
            self.forget(change.id)  # by the same run: nothing to undo
            return
        if old is not None:
            change = _joined(old, change)
        self._state.db.execute(
            "INSERT OR REPLACE INTO change VALUES (?, ?, ?, ?, ?, NULL)", _columns(change)
        )

    def begin(self) -> None:
        """The first write of a run ends what could be undone of the one before."""
        meta = self._state.meta
        if self._state.path is not None and not meta.running:
            self._state.db.execute("DELETE FROM change")
            self._state.set(running=True, log=meta.log + 1)

    def end(self) -> None:
        """The run has come to its end: the next one begins a new log."""
        if self._state.meta.running:
            self._state.set(running=False)

    # ---- what a run before this one left open ----------------------------------------------

    def latest_doubt(self) -> float | None:
        """When the last write that may have arrived was sent, by the server's time."""
        both = "SELECT at FROM intent UNION ALL SELECT at FROM pending"
        found: float | None = self._state.db.execute(f"SELECT max(at) FROM ({both})").fetchone()[0]
        return found

    def intents(self) -> dict[str, tuple[Intent, int]]:
        """Creates that may have arrived, and the logs that they belong in."""
        rows = self._state.db.execute("SELECT * FROM intent WHERE log IS NOT NULL")
        return {key: (Intent(key, at, sent), log) for key, at, sent, log in rows.fetchall()}

    def pending(self) -> list[tuple[Change, int]]:
        """Updates and deletes that may have arrived, and the logs that they belong in."""
        rows = self._state.db.execute("SELECT * FROM pending WHERE log IS NOT NULL")
        return [(_change(row), row[5]) for row in rows.fetchall()]

    def settle(self, changes: Iterable[tuple[Change, int]]) -> None:
        """Add what did arrive, or may have, to its log; forget the rest."""
        with self._state.whole() as db:
            for change, log in changes:
                if log > self._state.meta.log:
                    self.begin()
                if log == self._state.meta.log:
                    self._add(change)
            db.execute("DELETE FROM intent")
            db.execute("DELETE FROM pending")

    # ---- reading ---------------------------------------------------------------------------

    def get(self, record_id: str) -> Change | None:
        """What was done to a record."""
        row = self._state.db.execute("SELECT * FROM change WHERE id = ?", (record_id,)).fetchone()
        return None if row is None else _change(row, row[5])

    def after(self, record_id: str, count: int) -> list[Change]:
        """The next changes, in the order of ids."""
        rows = self._state.db.execute(
            "SELECT * FROM change WHERE id > ? ORDER BY id LIMIT ?", (record_id, count)
        )
        return [_change(row, row[5]) for row in rows.fetchall()]

    def count(self) -> int:
        """How many records were changed."""
        return int(self._state.db.execute("SELECT count(*) FROM change").fetchone()[0])

    def first_recreated(self) -> float | None:
        """When the first create that undo sent, and has not heard of, was sent."""
        found: float | None = self._state.db.execute("SELECT min(at) FROM change").fetchone()[0]
        return found

    def recreates(self, record_id: str, at: float | None) -> None:
        """Undo creates a deleted record again; None: nothing came of it."""
        self._state.db.execute("UPDATE change SET at = ? WHERE id = ?", (at, record_id))

    def forget(self, record_id: str) -> None:
        """It is undone."""
        self._state.db.execute("DELETE FROM change WHERE id = ?", (record_id,))


def _columns(change: Change) -> tuple[Any, ...]:
    return (
        change.id,
        change.key,
        change.kind,
        None if change.before is None else msgspec.json.encode(change.before),
        msgspec.json.encode(change.wrote),
    )


def _joined(old: Change, new: Change) -> Change:
    """One change out of two by the same run, which was interrupted and went on."""
    if old.kind == "created":
        return Change(old.id, new.key, "created", {}, old.wrote | new.wrote)
    before = None
    if old.before is not None and new.before is not None:
        before = new.before | old.before
    return Change(old.id, new.key, new.kind, before, old.wrote | new.wrote)


def _change(row: tuple[Any, ...], at: float | None = None) -> Change:
    before = None if row[3] is None else msgspec.json.decode(row[3])
    wrote = msgspec.json.decode(row[4], type=dict[str, bytes])
    return Change(row[0], row[1], row[2], before, wrote, at)


def mark_at(marks: bytes, place: int) -> bytes:
    """The fingerprint at a place among many."""
    return marks[place * WIDTH : (place + 1) * WIDTH]

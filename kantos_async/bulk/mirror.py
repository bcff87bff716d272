"""What is known of the object's records: fingerprints by id and by key, in the state's tables."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import AbstractContextManager
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

import msgspec

from ..api.models import Record
from . import rules
from .policy import Options
from .rows import Spool
from .schema import Schema
from .state import State
from .values import ABSENT, WIDTH, fingerprint, folded, key_text

__all__ = ["Base", "Known", "Mirror", "Stamps", "micros", "moment"]

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_STEP = timedelta(microseconds=1)


def micros(stamp: datetime) -> int:
    """A stamp as microseconds since 1970."""
    return (stamp - _EPOCH) // _STEP


def moment(stamp: int) -> datetime:
    """Microseconds since 1970 as a stamp."""
    return _EPOCH + stamp * _STEP


# A record without a key is nobody's to delete; nor is one whose key a row has in another case: the
# server may well hold the two for one.
_IS_GIVEN = """(key IS NULL
    OR EXISTS (SELECT 1 FROM temp.row WHERE row.key = record.key)
    OR EXISTS (SELECT 1 FROM temp.row WHERE row.key = record.folded)
    OR EXISTS (SELECT 1 FROM temp.row WHERE row.folded = coalesce(record.folded, record.key))
    OR EXISTS (SELECT 1 FROM input JOIN temp.row ON row.key = input.key
        WHERE input.answered = record.key))"""

_COLUMNS = "id, key, created, updated, seen, own"


class Known(NamedTuple):
    """A record as last seen."""

    id: str
    key: str | None
    created: int
    updated: int
    seen: bytes
    #: The stamp of a write of ours that no search has shown yet.
    own: int | None


class Stamps(NamedTuple):
    """A record as the rules see it."""

    id: str
    created: int
    updated: int


class Base(NamedTuple):
    """What we sent last for a key, and what the server made of it."""

    answered: str | None
    sent: bytes
    echo: bytes


class Mirror:
    """Takes in records, and answers what is known."""

    def __init__(self, state: State, spool: Spool, schema: Schema, options: Options) -> None:
        self._state = state
        self._spool = spool
        self._key = options.key
        self._hold = options.keeps_old_values
        self._deletes = options.mode == "delete"
        self._kinds = [(slug, schema.type_of(slug)) for slug in spool.fields]
        self._key_kind = "id" if options.key == "id" else schema.type_of(options.key or "")

    # ---- taking in -------------------------------------------------------------------------

    def apply(self, records: Iterable[Record]) -> list[str]:
        """Take in what a search showed; the ids of records that must be asked themselves."""
        doubtful: list[str] = []
        with self._state.whole():
            for record in records:
                known = self.row_of(record)
                before = self.get(record.id)
                verdict = _verdict(known, before)
                if verdict is rules.Verdict.ASK:
                    doubtful.append(record.id)
                elif verdict is rules.Verdict.TAKE:
                    self._put(known, record)
                    if before is not None and before.own == known.updated:
                        self._note_lag(known.updated)
        return doubtful

    def is_doubtful(self, record: Record) -> bool:
        """Whether a search shows a record older than it is known to be."""
        return _verdict(self.row_of(record), self.get(record.id)) is not rules.Verdict.TAKE

    def _note_lag(self, own: int) -> None:
        """A write of ours is shown: how old was it when it was not, as far as we looked?"""
        meta = self._state.meta
        lag = (meta.read_at or 0) - own / 1e6 - 1  # stamps are cut to the second
        if lag > meta.lag:
            self._state.set(lag=lag)

    def wrote(self, record: Record) -> Known:
        """Take in the answer to a write of ours."""
        known = self.row_of(record)
        known = known._replace(own=known.updated)
        with self._state.whole():
            # What it shows is ours: undo needs what was there before, which is kept already.
            self._put(known, record, hold=False)
        return known

    def told(self, record: Record) -> Known:
        """Take in the answer to a GET."""
        known, before = self.row_of(record), self.get(record.id)
        if before is not None and before.own == known.updated:
            known = known._replace(own=before.own)
        with self._state.whole():
            self._put(known, record)
        return known

    def forget(self, record_id: str) -> None:
        """The record is gone."""
        with self._state.whole() as db:
            db.execute("DELETE FROM record WHERE id = ?", (record_id,))

    def _put(self, known: Known, record: Record, hold: bool = True) -> None:
        self._state.db.execute(
            f"INSERT OR REPLACE INTO record ({_COLUMNS}, folded) VALUES (?, ?, ?, ?, ?, ?, ?)",
            (*known, None if known.key is None else folded(self._key_kind, known.key)),
        )
        if hold and self._hold and known.key is not None:
            wanted = self._spool.hashes_of(known.key)
            if wanted is not None and (self._deletes or not _covers(known.seen, wanted)):
                self._spool.hold(known.id, msgspec.json.encode(record.field_values))

    def row_of(self, record: Record) -> Known:
        """A record as the mirror would hold it."""
        values = record.field_values
        seen = b"".join(fingerprint(kind, values.get(slug)) for slug, kind in self._kinds)
        return Known(
            record.id,
            self.key_of(record),
            micros(record.created_at),
            micros(record.updated_at),
            seen,
            None,
        )

    @staticmethod
    def stamps(record: Record) -> Stamps:
        """A record's id and stamps."""
        return Stamps(record.id, micros(record.created_at), micros(record.updated_at))

    def key_of(self, record: Record) -> str | None:
        """The key of a record, as text."""
        if self._key is None:
            return None
        if self._key == "id":
            return record.id
        return key_text(self._key_kind, record.field_values.get(self._key))

    # ---- asking ----------------------------------------------------------------------------

    def get(self, record_id: str) -> Known | None:
        """What is known of a record."""
        row = self._state.db.execute(
            f"SELECT {_COLUMNS} FROM record WHERE id = ?", (record_id,)
        ).fetchone()
        return None if row is None else Known._make(row)

    def find(self, key: str) -> list[Known]:
        """The records with a key, the oldest first."""
        rows = self._state.db.execute(
            f"SELECT {_COLUMNS} FROM record WHERE key = ? ORDER BY created, id", (key,)
        )
        return [Known._make(row) for row in rows.fetchall()]

    def candidates(self, key: str, base: Base | None) -> list[Known]:
        """The records that a row with this key means, the oldest first."""
        answered = None if base is None else base.answered
        return (self.find(answered) if answered is not None else []) or self.find(key)

    def is_like(self, n: int, key: str) -> bool:
        """Whether a row's key is known in another case only, and the server must tell which it is.

        False once it was asked.
        """
        given = {"n": n, "key": key, "folded": folded(self._key_kind, key)}
        row = self._state.db.execute(
            "SELECT 1 WHERE (EXISTS (SELECT 1 FROM record WHERE key = :folded)"
            "  OR EXISTS (SELECT 1 FROM record WHERE folded = coalesce(:folded, :key)))"
            " AND NOT EXISTS (SELECT 1 FROM record WHERE key = :key)"
            " AND NOT EXISTS (SELECT 1 FROM input JOIN record ON record.key = input.answered"
            "  WHERE input.key = :key)"
            " AND NOT (SELECT asked FROM temp.row WHERE n = :n)",
            given,
        ).fetchone()
        return row is not None

    def settled(self, first: int, last: int) -> dict[int, str]:
        """Rows that are surely on the server as they are: their numbers and records' ids.

        One question for many rows, which most of them answer; the others are decided one by one.
        """
        rows = self._state.db.execute(
            "SELECT row.n, record.id FROM temp.row JOIN record ON record.key = row.key"
            " JOIN input ON input.key = row.key WHERE row.n BETWEEN ? AND ?"
            " AND row.problem IS NULL AND row.winner IS NULL AND record.seen = row.hashes"
            " AND input.sent = row.hashes AND input.echo = row.hashes AND input.answered IS NULL"
            " AND (SELECT count(*) FROM record AS twin WHERE twin.key = row.key) = 1",
            (first, last),
        )
        return dict(rows.fetchall())

    def base(self, key: str) -> Base | None:
        """What we sent last for a key."""
        row = self._state.db.execute(
            "SELECT answered, sent, echo FROM input WHERE key = ?", (key,)
        ).fetchone()
        return None if row is None else Base._make(row)

    def agree(self, key: str, base: Base) -> None:
        """Keep what we sent for a key, and what the server made of it."""
        self._state.db.execute("INSERT OR REPLACE INTO input VALUES (?, ?, ?, ?)", (key, *base))

    def count(self, before: int | None = None) -> int:
        """How many records are known, or were created before a stamp."""
        row = (
            self._one("SELECT count(*) FROM record")
            if before is None
            else self._one("SELECT count(*) FROM record WHERE created < ?", before)
        )
        return int(row[0])

    def created_between(self, start: int, end: int) -> dict[str, int]:
        """Ids and stamps of the records created from `start` on and before `end`."""
        rows = self._state.db.execute(
            "SELECT id, created FROM record WHERE created >= ? AND created < ?", (start, end)
        )
        return dict(rows.fetchall())

    def created_at(self, index: int) -> int:
        """When the record at `index` was created; 0 is the oldest."""
        row = self._one("SELECT created FROM record ORDER BY created, id LIMIT 1 OFFSET ?", index)
        return int(row[0])

    def not_shown(self, before: int) -> dict[str, int]:
        """Ids and stamps of the records created before a stamp that a walk has not shown."""
        rows = self._state.db.execute(
            "SELECT id, created FROM record WHERE created < ?"
            " AND id NOT IN (SELECT id FROM temp.shown)",
            (before,),
        )
        return dict(rows.fetchall())

    # ---- what the input lacks --------------------------------------------------------------

    def mark_missing(self) -> int:
        """Note the records whose key no row has; how many they are."""
        with self._state.whole() as db:
            db.execute("CREATE TEMP TABLE missing (id TEXT PRIMARY KEY) WITHOUT ROWID")
            return db.execute(
                f"INSERT INTO temp.missing SELECT id FROM record WHERE NOT {_IS_GIVEN}"
            ).rowcount

    def next_missing(self, most: int) -> list[str]:
        """The next of them that no row has turned out to be."""
        with self._state.whole() as db:
            found = [
                row[0]
                for row in db.execute("SELECT id FROM temp.missing ORDER BY id LIMIT ?", (most,))
            ]
            db.executemany("DELETE FROM temp.missing WHERE id = ?", [(name,) for name in found])
        return found

    def is_given(self, record_id: str) -> bool:
        """Whether a row has the key of a record."""
        row = self._one(f"SELECT count(*) FROM record WHERE id = ? AND {_IS_GIVEN}", record_id)
        return bool(row[0])

    def whole(self) -> AbstractContextManager[Any]:
        """All that is taken in within the block is kept, or none of it."""
        return self._state.whole()

    def _one(self, sql: str, *values: Any) -> Sequence[Any]:
        row: Sequence[Any] = self._state.db.execute(sql, values).fetchone()
        return row


def _verdict(shown: Known, before: Known | None) -> rules.Verdict:
    if before is None:
        return rules.Verdict.TAKE
    return rules.judge(shown.updated, shown.seen, (before.updated, before.seen, before.own))


def _covers(seen: bytes, wanted: bytes) -> bool:
    """Whether a record has every value that a row gives."""
    return seen.startswith(wanted) or all(
        wanted[at : at + WIDTH] in (ABSENT, seen[at : at + WIDTH])
        for at in range(0, len(wanted), WIDTH)
    )

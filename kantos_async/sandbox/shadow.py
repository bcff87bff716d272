"""What a search sees while it lags behind the store."""

from __future__ import annotations

import heapq
import sqlite3
from collections.abc import Callable, Iterable

from .rows import COLUMNS, Row
from .search import column

__all__ = ["Shadow"]


class Shadow:
    """A copy of the records that each write reaches only after a delay of its own.

    Versions of one record arrive in the order of their writing; those of different records do
    not, which is what makes lagging searches treacherous.
    """

    #: Where queries look while the shadow exists.
    table = "temp.shadow"

    def __init__(
        self, db: sqlite3.Connection, delay: Callable[[], float], indexed: Iterable[str]
    ) -> None:
        self._db = db
        self._delay = delay
        self._pending: list[tuple[float, int, str, Row | None]] = []
        self._last_due: dict[str, float] = {}
        self._count = 0
        db.execute("CREATE TEMP TABLE shadow AS SELECT * FROM main.records")
        db.execute("CREATE UNIQUE INDEX temp.shadow_id ON shadow (id)")
        db.execute("CREATE INDEX temp.shadow_created ON shadow (object_id, created, id)")
        db.execute("CREATE INDEX temp.shadow_updated ON shadow (object_id, updated, id)")
        for slug in indexed:
            self.index(slug)

    def index(self, slug: str) -> None:
        """Index a field, as the store does with its own."""
        name = slug.replace('"', '""')
        self._db.execute(f'CREATE INDEX temp."shadow_{name}" ON shadow (object_id, {column(slug)})')

    def note(self, record_id: str, row: Row | None, now: float) -> None:
        """A record was written at `now` (Unix seconds); None: it was deleted."""
        due = max(now + self._delay(), self._last_due.get(record_id, 0.0))
        self._last_due[record_id] = due
        self._count += 1
        heapq.heappush(self._pending, (due, self._count, record_id, row))

    def catch_up(self, now: float) -> bool:
        """Let every write be seen whose delay is over; whether there was any."""
        before = len(self._pending)
        while self._pending and self._pending[0][0] <= now:
            due, _, record_id, row = heapq.heappop(self._pending)
            if self._last_due.get(record_id) == due:
                del self._last_due[record_id]
            if row is None:
                self._db.execute("DELETE FROM temp.shadow WHERE id = ?", (record_id,))
            else:
                self._db.execute(
                    f"INSERT OR REPLACE INTO temp.shadow ({COLUMNS}) VALUES (?,?,?,?,?,?)", row
                )
        return len(self._pending) < before

    def drop(self) -> None:
        """End the lag: searches see everything at once again."""
        self._db.execute("DROP TABLE temp.shadow")

"""Where a receiver remembers which deliveries it has handled, so that none is handled twice.

A delivery is claimed, its handlers run, and it is marked done; or it is released, to be tried
again. A claim that is no longer renewed was left by a process that died.
"""

from __future__ import annotations

import math
import os
import sqlite3
import time
import uuid
from collections.abc import Callable
from typing import Any, Literal, Protocol, TypeAlias, TypeVar

import anyio
import anyio.to_thread

__all__ = ["Claim", "DeliveryStore", "MemoryStore", "SQLiteStore"]

T = TypeVar("T")

#: What a claim finds: it is ours now, somebody is at it, or it has been handled.
Claim: TypeAlias = Literal["claimed", "running", "done"]


class DeliveryStore(Protocol):
    """What a receiver needs of a store; keys are the fingerprints of events."""

    #: Seconds after which a claim that was not renewed may be taken over.
    lease: float

    async def claim(self, key: str) -> Claim:
        """Take a delivery, atomically: of all who ask at once, one is told `"claimed"`."""
        ...

    async def renew(self, key: str) -> None:
        """Say that a claimed delivery is still being handled."""
        ...

    async def done(self, key: str) -> None:
        """Mark a delivery as handled; on return this must be safely stored."""
        ...

    async def release(self, key: str) -> None:
        """Give a claim back, so that the next delivery is handled."""
        ...


class MemoryStore:
    """Deliveries in memory: for one process, and forgotten with it.

    Args:
        keep: for how long a handled delivery is remembered, in seconds. The last redelivery comes
            about 38 minutes after the first delivery.
        clock: the time in seconds.
    """

    lease = 3600.0  # a claim dies with the process, so there is nothing to take over

    def __init__(
        self, *, keep: float = 7_200.0, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._keep = keep
        self._clock = clock
        self._running: set[str] = set()
        self._done: dict[str, float] = {}  # in the order of their time

    async def claim(self, key: str) -> Claim:
        """See `DeliveryStore.claim`."""
        self._forget(self._clock() - self._keep)
        if key in self._done:
            return "done"
        if key in self._running:
            return "running"
        self._running.add(key)
        return "claimed"

    async def renew(self, key: str) -> None:
        """Nothing to do: the claim lives as long as its process."""

    async def done(self, key: str) -> None:
        """See `DeliveryStore.done`."""
        self._running.discard(key)
        self._done[key] = self._clock()

    async def release(self, key: str) -> None:
        """See `DeliveryStore.release`."""
        self._running.discard(key)

    def _forget(self, before: float) -> None:
        while self._done and next(iter(self._done.values())) < before:
            del self._done[next(iter(self._done))]


_SCHEMA = """
CREATE TABLE IF NOT EXISTS deliveries (
    key TEXT PRIMARY KEY, done INTEGER NOT NULL, owner TEXT NOT NULL, at REAL NOT NULL
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS deliveries_at ON deliveries (at);
"""

_CLAIM = """
INSERT INTO deliveries VALUES (:key, 0, :owner, :now)
ON CONFLICT (key) DO UPDATE SET owner = :owner, at = :now WHERE NOT done AND at < :now - :lease
"""


class SQLiteStore:
    """Deliveries in an SQLite file: they survive a restart, and several workers may share it.

    Only fingerprints are stored, no data of any event.

    Args:
        path: the file; it is created at first use.
        keep: for how long a handled delivery is remembered, in seconds.
        lease: after how long a dead worker's claim is taken over, in seconds; the default is below
            the minute after which the first redelivery comes.
        clock: the wall clock in seconds, which the workers must share.

    Raises:
        ValueError: a lease that is not finite and above 0.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        *,
        keep: float = 86_400.0,
        lease: float = 45.0,
        clock: Callable[[], float] = time.time,
    ) -> None:
        if not 0 < lease < math.inf:
            raise ValueError(f"lease must be a finite number of seconds above 0, not {lease}")
        self.lease = lease
        self._path = path
        self._keep = keep
        self._clock = clock
        self._owner = uuid.uuid4().hex
        self._db: sqlite3.Connection | None = None
        # One thread at a time keeps the connection safe, and tokens of its own keep the store
        # going while slow handlers hold all threads that the program shares.
        self._turn: anyio.CapacityLimiter | None = None

    async def claim(self, key: str) -> Claim:
        """See `DeliveryStore.claim`."""
        return await self._in_thread(self._claim, key)

    async def renew(self, key: str) -> None:
        """See `DeliveryStore.renew`."""
        await self._execute(
            "UPDATE deliveries SET at = :now WHERE key = :key AND owner = :owner AND NOT done", key
        )

    async def done(self, key: str) -> None:
        """See `DeliveryStore.done`."""
        await self._execute("REPLACE INTO deliveries VALUES (:key, 1, :owner, :now)", key)

    async def release(self, key: str) -> None:
        """See `DeliveryStore.release`."""
        await self._execute(
            "DELETE FROM deliveries WHERE key = :key AND owner = :owner AND NOT done", key
        )

    def close(self) -> None:
        """Close the file; the next use opens it again."""
        if self._db is not None:
            self._db.close()
            self._db = None

    async def _in_thread(self, work: Callable[[str], T], key: str) -> T:
        self._turn = self._turn or anyio.CapacityLimiter(1)
        return await anyio.to_thread.run_sync(work, key, limiter=self._turn)

    async def _execute(self, statement: str, key: str) -> None:
        def work(key: str) -> None:
            with self._open() as db:
                db.execute(statement, self._values(key))

        await self._in_thread(work, key)

    def _claim(self, key: str) -> Claim:
        with self._open() as db:
            db.execute("BEGIN IMMEDIATE")
            db.execute("DELETE FROM deliveries WHERE at < ?", (self._clock() - self._keep,))
            if db.execute(_CLAIM, self._values(key)).rowcount:
                return "claimed"
            found = db.execute("SELECT done FROM deliveries WHERE key = ?", (key,)).fetchone()
            return "done" if found[0] else "running"

    def _values(self, key: str) -> dict[str, Any]:
        return {"key": key, "owner": self._owner, "now": self._clock(), "lease": self.lease}

    def _open(self) -> sqlite3.Connection:
        if self._db is None:
            db = sqlite3.connect(self._path, check_same_thread=False)
            try:
                db.execute("PRAGMA journal_mode = WAL")
                db.executescript(_SCHEMA)
            except BaseException:
                db.close()
                raise
            self._db = db
        return self._db

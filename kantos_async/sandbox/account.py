"""A Kantos account: its data, its time, and what people do to it from outside."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Mapping
from typing import Any, TypedDict, Unpack

import msgspec

from .faults import FaultPlan, Faults
from .keys import Keys
from .outbox import Outbox, Parcel
from .records import Records
from .rows import Row
from .runs import Runs
from .stamps import Stamps
from .store import Store

__all__ = ["Account", "Settings"]


class Settings(TypedDict, total=False):
    """What an account may be given; all of it is optional."""

    #: A file; in memory without one.
    database: str
    faults: Faults | None
    #: The only source of time, in Unix seconds.
    clock: Callable[[], float]
    #: Seconds that the server's clock is ahead of `clock`.
    clock_offset: float
    #: Decimals of a second in stamps: 0 (the default), 3 or 6.
    stamp_digits: int
    #: What the `signature` of a webhook is made with.
    webhook_secret: str
    #: Makes ids repeatable.
    seed: int | None


class Account:
    """The data of an account, and looks and writes that pass by every quota and fault.

    Its only source of time is `clock` (Unix seconds). There are no timers: what fell due is done
    first at each look. Safe to use from several threads.
    """

    def __init__(self, **settings: Unpack[Settings]) -> None:
        self.clock = settings.get("clock", time.time)
        #: Seconds that the server's clock is ahead of `clock`; may be changed at any time.
        self.clock_offset = settings.get("clock_offset", 0.0)
        self.faults = FaultPlan(settings.get("faults"), settings.get("seed"))
        self.store = Store(settings.get("database", ":memory:"), settings.get("seed"))
        self.keys = Keys(self.store)
        self.outbox = Outbox()
        stamps = Stamps(settings.get("stamp_digits", 0))
        self.records = Records(self.store, stamps, self.faults)
        secret = settings.get("webhook_secret", "whsec_sandbox")
        self.runs = Runs(self.store, self.records, stamps, self.outbox, secret)
        self.records.watch = self.runs.changed
        self._lock = threading.RLock()
        self._lag = 0.0

    def now(self) -> float:
        """The server's time, Unix seconds."""
        return self.clock() + self.clock_offset

    def reset(self) -> None:
        """Back to a fresh account: no records, custom objects or faults; keys stay."""
        with self._lock:
            self.faults.clear()
            self.runs.clear()
            self.outbox.clear()
            self.store.reset()
            self._lag = 0.0

    def close(self) -> None:
        """Close the database."""
        with self._lock:
            self.store.close()

    def _settle(self) -> float:
        """Do what fell due since the last look; the present time."""
        now = self.now()
        self.runs.resume(now)
        if self._lag != self.faults.plan.search_lag:
            self._lag = self.faults.plan.search_lag
            self.store.lag(self.faults.staleness if self._lag else None)
        return now

    def look(self, object_id: str) -> list[dict[str, Any]]:
        """Every record of an object as it is now, the oldest first."""
        with self._lock:
            self._settle()
            return [self._shown(row) for row in self.store.all(self.records.kind(object_id).id)]

    def latest(self, object_id: str, limit: int) -> tuple[list[dict[str, Any]], int]:
        """The records of an object that changed last, and how many it has.

        Raises:
            Problem: 404 for an unknown object.
        """
        with self._lock:
            self._settle()
            rows, total = self.store.latest(self.records.kind(object_id).id, limit)
            return [self._shown(row) for row in rows], total

    def find(self, record_id: str) -> dict[str, Any] | None:
        """One record as it is now; None when there is none."""
        with self._lock:
            self._settle()
            row = self.store.get(record_id)
            return None if row is None else self._shown(row)

    def insert(
        self, object_id: str, rows: Iterable[Mapping[str, Any]], moment: float | None = None
    ) -> list[str]:
        """Create records, all or none, as of `moment` (Unix seconds; default now); their ids.

        Raises:
            Problem: for a row that breaks a rule.
        """
        user = self.keys.first.user_id
        with self._lock:
            now = self._settle()
            return [row.id for row in self.records.add_all(object_id, rows, user, now, moment)]

    def update(self, record_id: str, values: Mapping[str, Any]) -> None:
        """Set some fields of a record.

        Raises:
            Problem: as the endpoint answers.
        """
        with self._lock:
            self.records.change(record_id, values, self._settle())

    def delete(self, record_id: str) -> None:
        """Delete a record.

        Raises:
            Problem: when there is none.
        """
        with self._lock:
            self.records.remove(record_id, self._settle())

    def due_parcels(self, limit: int | None = None) -> list[Parcel]:
        """At most `limit` of the webhooks whose moment has come; the others wait.

        Each is to be carried and then settled.
        """
        with self._lock:
            return self.outbox.due(self._settle(), limit)

    def settle_parcel(self, parcel: Parcel, status: int, error: str = "") -> None:
        """Note how carrying a webhook ended; `status` is 0 without an answer, `error` says why."""
        with self._lock:
            self.outbox.settle(parcel, status, self.now(), error)

    def _shown(self, row: Row) -> dict[str, Any]:
        shown: dict[str, Any] = msgspec.json.decode(self.records.text(row))
        return shown

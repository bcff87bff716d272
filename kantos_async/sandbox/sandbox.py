"""The sandbox as users start it."""

from __future__ import annotations

import contextlib
import logging
import os
import signal
import threading
import time
from collections.abc import Callable, Generator, Iterable, Mapping
from datetime import datetime
from types import TracebackType
from typing import Any, Literal, Self

import anyio.to_thread

from .console import LOOPBACK
from .core import Core, Entry
from .faults import FaultPlan, Faults
from .outbox import Parcel
from .quota import PLANS, Quota
from .seeds import contacts
from .server import Server

__all__ = ["Sandbox"]

log = logging.getLogger("kantos_async.sandbox")


class Sandbox:
    """A Kantos server of one's own, on loopback, with SQLite behind it.

    `async with Sandbox() as sb` (asyncio or trio) and `with Sandbox() as sb` both serve from a
    thread until the block ends; `sb.url` and `sb.api_key` are what a client needs.

    Args:
        plan: `free`, `starter` or `professional`: the documented quota of that plan.
        limit: requests in a window, instead of a plan's. Without both there is no quota.
        window: length of a window in seconds.
        windows: `aligned` opens windows on whole multiples of `window`, `first` at the first
            request after the last one closed.
        daily: requests in a UTC day.
        database: a file that keeps the data; in memory by default.
        seed_records: how many contacts to start with; a file that has some gets no more.
        faults: what goes wrong, see `Faults`; changed later through `sb.faults`.
        clock: the only source of time, in Unix seconds.
        clock_offset: seconds that the server's clock is ahead of `clock`.
        stamp_digits: decimals of a second in `created_at` and `updated_at`: 0, 3 or 6.
        webhook_secret: what the signatures of webhooks are made with.
        seed: makes ids, and the records that `seed_records` asks for, repeatable.
        host: where to bind; anything but loopback lets others in, and a warning is logged.
        port: 0 for any free one.

    Raises:
        ValueError: for a setting out of range.
        OSError: on entering, when the address cannot be bound.
    """

    def __init__(
        self,
        *,
        plan: Literal["free", "starter", "professional"] | None = None,
        limit: int | None = None,
        window: float = 60.0,
        windows: Literal["aligned", "first"] = "aligned",
        daily: int | None = None,
        database: str | os.PathLike[str] = ":memory:",
        seed_records: int = 0,
        faults: Faults | None = None,
        clock: Callable[[], float] = time.time,
        clock_offset: float = 0.0,
        stamp_digits: int = 0,
        webhook_secret: str = "whsec_sandbox",
        seed: int | None = None,
        host: str = "127.0.0.1",
        port: int = 0,
    ) -> None:
        if plan is not None:
            if plan not in PLANS:
                raise ValueError(f"plan must be one of {', '.join(PLANS)}, not {plan!r}")
            limit, daily = limit or PLANS[plan][0], daily or PLANS[plan][1]
        if seed_records < 0:
            raise ValueError("seed_records must not be negative")
        if not 0 <= port < 65_536:
            raise ValueError(f"port must be from 0 to 65535, not {port}")
        self.core = Core(
            database=os.fspath(database),
            quota=Quota(limit, window, windows, daily),
            faults=faults,
            clock=clock,
            clock_offset=clock_offset,
            stamp_digits=stamp_digits,
            webhook_secret=webhook_secret,
            most_custom_objects=3 if plan == "free" else None,
            seed=seed,
        )
        self._host = host
        self._stage: Literal["new", "serving", "stopped"] = "new"
        self._server = Server(self.core, host, port)
        try:
            if seed_records:
                self._seed(contacts(seed_records, seed or 0))
        except BaseException:
            self.core.close()
            raise

    def _seed(self, rows: Iterable[Mapping[str, Any]]) -> None:
        if "obj_contacts" not in self.core.store.objects:
            raise ValueError("seed_records makes contacts, and this account has no obj_contacts")
        if not self.records("obj_contacts"):
            self.insert("obj_contacts", rows)

    # Lifetime

    def start(self) -> None:
        """Begin to serve; returns once requests are accepted.

        Raises:
            RuntimeError: it serves already, or was stopped: then its data is closed.
            OSError: the address cannot be bound.
        """
        if self._stage == "serving":
            raise RuntimeError("this sandbox serves already")
        if self._stage == "stopped":
            raise RuntimeError("this sandbox was stopped and its data is closed: make a new one")
        try:
            self._server.start()
        except OSError:
            self._stage = "stopped"
            self.core.close()
            raise
        self._stage = "serving"
        if self._host not in LOOPBACK:
            log.warning("this sandbox listens on %s: others can reach it", self._host)

    def stop(self) -> None:
        """Stop serving and close the database."""
        self._stage = "stopped"
        self._server.stop()
        self.core.close()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        self.stop()

    async def __aenter__(self) -> Self:
        await anyio.to_thread.run_sync(self.start)
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        with anyio.CancelScope(shield=True):
            await anyio.to_thread.run_sync(self.stop)

    @classmethod
    def run(cls, on_ready: Callable[[Sandbox], None], /, **settings: Any) -> None:
        """Serve until Ctrl-C or SIGTERM, then stop cleanly and return.

        `on_ready` is called once, when requests are accepted. Call it from the main thread.
        """
        over = threading.Event()
        before = {
            number: signal.signal(number, lambda *_: over.set())
            for number in (signal.SIGINT, signal.SIGTERM)
        }
        try:
            with cls(**settings) as sandbox:
                on_ready(sandbox)
                # With a timeout, so that Ctrl-C is seen on Windows as well.
                while not over.wait(0.5):
                    pass
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    # What a client needs

    @property
    def url(self) -> str:
        """The base URL."""
        host = f"[{self._host}]" if ":" in self._host else self._host
        return f"http://{host}:{self._server.port}/api"

    @property
    def api_key(self) -> str:
        """An admin's server key."""
        return self.core.keys.first.key

    # What a test needs: no HTTP, no quota, no faults

    @property
    def faults(self) -> FaultPlan:
        """What goes wrong: `set(...)`, `next(...)`, `clear()`."""
        return self.core.faults

    @property
    def log(self) -> list[Entry]:
        """The last 200,000 requests, the oldest first."""
        return self.core.log

    @property
    def webhooks(self) -> list[Parcel]:
        """The webhooks that automations sent, each with its attempts."""
        return list(self.core.outbox.parcels)

    def records(self, object_id: str) -> list[dict[str, Any]]:
        """Every record of an object as it is now, the oldest first."""
        return self.core.look(object_id)

    def record(self, record_id: str) -> dict[str, Any] | None:
        """One record as it is now; None when there is none."""
        return self.core.find(record_id)

    def insert(
        self,
        object_id: str,
        rows: Iterable[Mapping[str, Any]],
        *,
        created_at: datetime | None = None,
    ) -> list[str]:
        """Create records as somebody else would; their ids.

        Raises:
            Problem: for a row that breaks a rule; then none is inserted.
        """
        moment = None if created_at is None else created_at.timestamp()
        return self.core.insert(object_id, rows, moment)

    def update(self, record_id: str, values: Mapping[str, Any]) -> None:
        """Set some fields of a record as somebody else would."""
        self.core.update(record_id, values)

    def delete(self, record_id: str) -> None:
        """Delete a record as somebody else would."""
        self.core.delete(record_id)

    def create_key(
        self, *, admin: bool = False, kind: Literal["server", "intake"] = "server"
    ) -> str:
        """A new key. Only an admin's may change the schema; an intake key may only send intake."""
        return self.core.keys.create(admin=admin, kind=kind)

    def reset(self) -> None:
        """Back to a fresh account: no records, faults, usage or log; keys stay."""
        self.core.reset()

    @contextlib.contextmanager
    def down(self) -> Generator[None]:
        """Within the block connections are refused, and idle ones are closed.

        Raises:
            RuntimeError: it does not serve.
        """
        if self._stage != "serving":
            raise RuntimeError("this sandbox does not serve")
        self._server.close_door()
        try:
            yield
        finally:
            self._server.open_door()

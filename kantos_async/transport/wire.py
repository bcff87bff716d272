"""What a client and its copies share: one engine, one gate, one key, one lifetime."""

from __future__ import annotations

import inspect
import os
import warnings
from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime
from typing import Any, TypeAlias

import anyio
import msgspec

from ..errors import ClientClosedError, WrongContextError
from .engines import Engine, Reply, Request
from .events import Listener, QuotaWaited, Stats, guarded
from .gate import Gate, Line, Quota
from .jobs import Jobs
from .retry import RetryBudget
from .runtime import Runtime, current_runtime

__all__ = ["ELSEWHERE", "KeySource", "Wire"]

KeySource: TypeAlias = str | Callable[[], str | Awaitable[str]]

#: How many requests to another host may be in flight, besides those to the API.
ELSEWHERE = 4

#: Seconds that closing the connections may take, however the caller is cancelled meanwhile.
_FAREWELL = 5.0


class _Key(str):
    """The API key, unseen where error trackers print the local variables of a traceback."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "'***'"


class _Lent:
    """An engine that stays its owner's to close."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    async def send(self, request: Request, timeout: float) -> Reply:
        return await self._engine.send(request, timeout)

    async def aclose(self) -> None:
        pass


class Wire:
    """Opens at the first call, belongs to the loop, thread and process of that call.

    Args:
        base_url: without a slash at its end.
        key: the API key, or what returns it; then it is asked again once after a 401. None: no
            key is sent.
        quota: shared by every wire that is given the same object.
        slots: how many requests may be in flight.
        make_engine: makes the engine, in the running loop.
        listener: told of every event.
        user_agent: how we name ourselves.
    """

    def __init__(
        self,
        *,
        base_url: str,
        key: KeySource | None,
        quota: Quota,
        slots: int,
        make_engine: Callable[[], Engine],
        listener: Listener | None,
        user_agent: str,
    ) -> None:
        self.base_url = base_url
        self.listener = None if listener is None else guarded(listener)
        self.retry_budget = RetryBudget()
        #: What upper floors remember of the account, with our time of reading it.
        self.kept: dict[str, tuple[float, Any]] = {}
        self.counts = Stats()
        self.jobs: Jobs
        self.engine: Engine
        self.gate: Gate
        self.runtime: Runtime | None = None
        #: Headers of a request without and with a body, key included; None until it is read.
        self.headers: tuple[dict[str, str], dict[str, str]] | None = None
        self._key = key
        self._quota = quota
        self.slots = slots
        self._make_engine = make_engine
        self._user_agent = user_agent
        self._line: Line
        self._elsewhere: dict[str, Wire] = {}
        self._asleep: set[anyio.CancelScope] = set()
        self._key_lock: anyio.Lock
        self._pid = 0
        self._closed = False

    def check(self) -> None:
        """Open at first use; refuse use after close or from elsewhere.

        Raises:
            ClientClosedError, WrongContextError.
        """
        if self._closed:
            raise ClientClosedError("this client is closed; make a new one")
        if self.runtime is None:
            self._open()
        elif not self.runtime.is_current():
            raise self._misplaced()

    def _open(self) -> None:
        runtime = current_runtime()
        self.engine = self._make_engine()  # may fail, and has taken nothing then
        self._line = Line.of(self._quota, runtime)
        self.gate = Gate(self._line, self.slots, self._held)
        self._key_lock = anyio.Lock()
        self.jobs = Jobs(runtime)
        self._pid = os.getpid()
        self.runtime = runtime

    def elsewhere(self, base_url: str) -> Wire:
        """The wire to another host, which gets no key and has nothing to do with its quota.

        It shares engine, counts and lifetime with this one.
        """
        self.check()
        other = self._elsewhere.get(base_url)
        if other is None:
            lent = _Lent(self.engine)
            other = self._elsewhere[base_url] = Wire(
                base_url=base_url,
                key=None,
                quota=Quota(max_wait=self.max_wait),
                slots=ELSEWHERE,
                make_engine=lambda: lent,
                listener=self.listener,
                user_agent=self._user_agent,
            )
            other.counts = self.counts
        return other

    def _misplaced(self) -> WrongContextError:
        if os.getpid() != self._pid:
            return WrongContextError(
                "this client was opened before a fork; make one in each worker process"
            )
        return WrongContextError(
            "this client belongs to the event loop (and thread) that first used it; "
            "make one for each loop"
        )

    def now(self) -> float:
        """Seconds of the loop's clock."""
        assert self.runtime is not None
        return self.runtime.now()

    async def sleep(self, seconds: float) -> None:
        """Sleep on the loop's clock, until the client closes at most."""
        assert self.runtime is not None
        with anyio.CancelScope() as scope:
            self._asleep.add(scope)
            try:
                await self.runtime.sleep(seconds)
            finally:
                self._asleep.discard(scope)

    @property
    def max_wait(self) -> float:
        """The longest wait that a server may ask for, in seconds."""
        return self._quota.max_wait

    async def read_key(
        self, refused: Mapping[str, str] | None = None
    ) -> tuple[dict[str, str], dict[str, str]]:
        """Ask for the key, and build the headers that carry it; one caller asks for all.

        Args:
            refused: headers of an attempt that was answered 401; they are not given again
                without asking.
        """
        if not callable(self._key):
            self.headers = self._carrying(self._key)
            return self.headers
        async with self._key_lock:
            known = self.headers
            if known is None or (refused and known[0]["X-Api-Key"] == refused["X-Api-Key"]):
                found = self._key()
                key = await found if inspect.isawaitable(found) else found
                known = self.headers = self._carrying(key)
            return known

    def _carrying(self, key: str | None) -> tuple[dict[str, str], dict[str, str]]:
        plain = {"Accept": "application/json", "User-Agent": self._user_agent}
        if key is not None:
            if not (isinstance(key, str) and key and key.isascii() and key.isprintable()):
                raise ValueError("the API key must be a non-empty string of printable ASCII")
            plain["X-Api-Key"] = _Key(key)
        return plain, {**plain, "Content-Type": "application/json"}

    @property
    def rotates_keys(self) -> bool:
        """Whether asking for the key again can give another one."""
        return callable(self._key)

    def _held(self, seconds: float) -> None:
        self.counts.quota_waits += 1
        self.counts.seconds_waited += seconds
        if self.listener is not None:
            self.listener(QuotaWaited(seconds=seconds))

    def server_time(self, when: float) -> float | None:
        """The earliest that the server's clock (Unix time) may have shown at our `when`."""
        return self._line.budget.clock.earliest(when)

    def stats(self) -> Stats:
        """The counts, with the quota as last seen."""
        if self.runtime is None:
            return msgspec.structs.replace(self.counts)
        budget = self._line.budget
        reset = None if budget.reset is None else datetime.fromtimestamp(budget.reset, UTC)
        return msgspec.structs.replace(
            self.counts,
            limit=budget.limit,
            remaining=budget.remaining,
            reset=reset,
            others=budget.others,
        )

    async def aclose(self) -> None:
        """Stop what still runs, close the pool. Closing twice does nothing.

        Calls that wait are told; a call whose request is on the wire ends as if it were cut off.
        """
        if self._closed:
            return
        if self.runtime is None:
            self._closed = True
            return
        if not self.runtime.is_current():
            raise self._misplaced()
        self._closed = True
        self.gate.close()
        for scope in self._asleep:
            scope.cancel()
        try:
            await self.jobs.aclose()
        finally:
            with anyio.move_on_after(_FAREWELL, shield=True):
                for other in self._elsewhere.values():
                    await other.aclose()
                await self.engine.aclose()

    def abandon(self) -> None:
        """Count as closed, without the loop, which may have ended; nothing may be open any more."""
        self._closed = True
        for other in self._elsewhere.values():
            other.abandon()

    def __del__(self) -> None:
        if not self._closed and self.runtime is not None:
            self.runtime.from_anywhere(self.gate.close)
            warnings.warn(
                "a KantosAsync was not closed; use `async with` or `await k.aclose()`",
                ResourceWarning,
                source=self,
                stacklevel=2,
            )

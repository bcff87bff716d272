"""Writes up to so many at once, and hands out what became of them in the order of the input."""

from __future__ import annotations

from collections import deque
from collections.abc import Awaitable, Callable, Iterator

import anyio

from ..errors import (
    AuthenticationError,
    ClientClosedError,
    PermissionDeniedError,
    RateLimitError,
    ReadOnlyError,
    WrongContextError,
)
from ..transport.jobs import Job
from .errors import NotKeptError, StateError
from .report import Outcome
from .wires import CountedSession, HaltedError

__all__ = ["ENDING", "Pipeline"]

#: Errors that every further write would meet as well: they end a run.
ENDING = (
    AuthenticationError,
    PermissionDeniedError,
    RateLimitError,
    ReadOnlyError,
    ClientClosedError,
    WrongContextError,
    StateError,
)

#: Writes that may wait or run while the oldest outcome is not known yet.
_WRITES = 400
#: Outcomes that may wait for an older one.
_ITEMS = 4_000

Work = Callable[[], Awaitable[Outcome]]


class _Item:
    __slots__ = ("outcome", "started", "work")

    def __init__(self, work: Work | None, outcome: Outcome | None) -> None:
        self.work = work
        self.outcome = outcome
        self.started = False


class Pipeline:
    """Knows nothing of rows; its jobs hold no reference to the run, so that this can be dropped.

    Attributes:
        halted: why nothing more is started; None while all is well.
        error: what ends the run with an exception.
    """

    def __init__(self, session: CountedSession, on_outcome: Callable[[Outcome], None]) -> None:
        self._session = session
        self._on_outcome = on_outcome
        self._items: deque[_Item] = deque()
        self._queue: deque[_Item] = deque()
        self._jobs: set[Job] = set()
        self._change = anyio.Event()
        self._open_writes = 0
        self._when_idle: Callable[[], None] | None = None
        self.halted: str | None = None
        self.error: Exception | None = None

    # ---- feeding ---------------------------------------------------------------------------

    @property
    def has_room(self) -> bool:
        """Whether more may be submitted."""
        return self.halted is None and self._open_writes < _WRITES and len(self._items) < _ITEMS

    def submit(self, work: Work) -> None:
        """Do this as soon as a writer is free."""
        item = _Item(work, None)
        self._items.append(item)
        self._queue.append(item)
        self._open_writes += 1
        if len(self._jobs) < self._session.wire.slots:
            self._start()

    def pass_on(self, outcome: Outcome) -> None:
        """An outcome that needs no work."""
        self._items.append(_Item(None, outcome))
        self._on_outcome(outcome)

    def halt(self, why: str) -> None:
        """Start nothing more; what has been started is finished."""
        if self.halted is None:
            self.halted = why
        self._queue.clear()
        self._items = deque(item for item in self._items if item.started or item.outcome)
        self._change.set()

    # ---- taking out ------------------------------------------------------------------------

    def take(self) -> Outcome | None:
        """The next outcome in order, if it is known."""
        if not self._items or self._items[0].outcome is None:
            return None
        item = self._items.popleft()
        self._open_writes -= item.work is not None
        return item.outcome

    def drain(self) -> Iterator[Outcome]:
        """All outcomes that are known, in order; what has none is passed over."""
        while self._items:
            if (outcome := self._items.popleft().outcome) is not None:
                yield outcome

    @property
    def is_empty(self) -> bool:
        """Whether nothing is left to be taken out."""
        return not self._items

    async def changed(self) -> None:
        """Wait until some write has ended."""
        self._change = anyio.Event()
        await self._change.wait()

    async def drained(self) -> None:
        """Wait until all that was submitted has ended."""
        while self._jobs:
            await self.changed()

    async def settle(self, seconds: float) -> None:
        """Send nothing more; let what is on the wire end, for so many seconds, and stop it then."""
        self._session.tally.leave()
        with anyio.move_on_after(seconds, shield=True):
            while self._jobs:
                await next(iter(self._jobs)).wait()
        with anyio.CancelScope(shield=True):
            for job in list(self._jobs):
                job.cancel()
                await job.wait()

    def abandon(self, when_idle: Callable[[], None]) -> None:
        """Nobody will take anything out: start nothing more, and tell when all has ended."""
        self.halt("abandoned")
        self._session.tally.leave()
        self._when_idle = when_idle
        if not self._jobs:
            when_idle()

    # ---- working ---------------------------------------------------------------------------

    def _start(self) -> None:
        job: Job | None = None

        async def run() -> None:
            try:
                await self._work()
            finally:
                if job is not None:
                    self._jobs.discard(job)
                self._change.set()
                if self._when_idle is not None and not self._jobs:
                    self._when_idle()

        job = self._session.wire.jobs.start(run)
        if not job.ended:
            self._jobs.add(job)

    async def _work(self) -> None:
        while self._queue:
            item = self._queue.popleft()
            item.started = True
            assert item.work is not None
            try:
                item.outcome = await item.work()
            except NotKeptError as error:
                item.outcome = error.outcome
                self._on_outcome(item.outcome)
                self.error = self.error or error.error
                self.halt(str(error))
            except HaltedError as error:
                self._drop(item)
                self.halt(str(error))
            except Exception as error:
                self._drop(item)
                self.error = self.error or error
                self.halt(str(error))
            except BaseException:
                self._drop(item)
                self.error = self.error or ClientClosedError("the client was closed meanwhile")
                self.halt("the client was closed")
                raise
            else:
                self._on_outcome(item.outcome)
            self._change.set()

    def _drop(self, item: _Item) -> None:
        """A row whose write ended the run has no outcome."""
        if item in self._items:
            self._items.remove(item)

"""How a run reaches the server: its own count of requests, its budget, a few reads at a time."""

from __future__ import annotations

from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from typing import TypeVar

import anyio
import attrs

from ..errors import KantosError
from ..transport.budget import Permit
from ..transport.call import Call
from ..transport.retry import is_read
from ..transport.session import Session

__all__ = ["CountedSession", "HaltedError", "Tally", "all_of", "server_now"]

T = TypeVar("T")


class HaltedError(KantosError):
    """The run sends nothing more: `max_requests` is reached, or it was left."""


@attrs.define
class Tally:
    """What a run has sent, and whether it may send more."""

    limit: int | None = None
    reads: int = 0
    writes: int = 0
    requests: int = 0
    left: bool = False
    waiting: set[anyio.CancelScope] = attrs.field(factory=set, repr=False)

    def admit(self, method: str, settles: bool = False) -> None:
        """Count a call that is about to be sent.

        Args:
            settles: it tells what became of a write, and is sent in any case.

        Raises:
            HaltedError: it would be one too many.
        """
        if self.left and not settles:
            raise HaltedError("the run was left")
        if self.spent and not settles:
            raise HaltedError(f"max_requests={self.limit} is reached")
        if is_read(method):
            self.reads += 1
        else:
            self.writes += 1

    @property
    def spent(self) -> bool:
        """Whether no further call may be sent. Repeats of calls that were are not held back."""
        return self.limit is not None and max(self.reads + self.writes, self.requests) >= self.limit

    def leave(self) -> None:
        """Send nothing more; what waits to be sent is given up, what is on the wire goes on."""
        self.left = True
        for scope in self.waiting:
            scope.cancel()


@attrs.define
class CountedSession(Session):
    """A session that counts what passes through it."""

    tally: Tally = attrs.field(kw_only=True)
    settles: bool = attrs.field(default=False, kw_only=True)

    @property
    def settling(self) -> CountedSession:
        """The same, for a read that tells what became of a write: no budget holds that back."""
        return attrs.evolve(self, settles=True)

    async def send(self, call: Call[T]) -> T:
        """Carry out one call, within the run's budget."""
        self.tally.admit(call.method, self.settles)
        return await super().send(call)

    async def _pause(self, seconds: float) -> None:
        with anyio.CancelScope() as scope:
            self.tally.waiting.add(scope)
            try:
                await super()._pause(seconds)
            finally:
                self.tally.waiting.discard(scope)

    async def _admit(self, deadline: float | None) -> Permit:
        tally, permit = self.tally, None
        if self.settles:
            permit = await super()._admit(deadline)
            tally.requests += 1
            return permit
        if not tally.left:
            with anyio.CancelScope() as scope:
                tally.waiting.add(scope)
                try:
                    permit = await super()._admit(deadline)
                finally:
                    tally.waiting.discard(scope)
        if permit is not None and tally.left:  # both came in one turn of the loop
            self.wire.gate.unused(permit)
            permit = None
        if permit is None:
            raise HaltedError("the run was left")
        tally.requests += 1
        return permit


def server_now(session: Session) -> float | None:
    """The earliest that the server's clock may show now; None before its first answer."""
    return session.wire.server_time(session.wire.now())


async def all_of(session: Session, works: Sequence[Callable[[], Awaitable[None]]]) -> None:
    """Do all, as many at once as the client has slots; the first error ends it."""
    left = deque(works)
    errors: list[Exception] = []

    async def worker() -> None:
        while left and not errors:
            try:
                await left.popleft()()
            except Exception as error:
                errors.append(error)

    if len(left) == 1:
        await left.popleft()()
        return
    slots = session.wire.slots
    jobs = [session.wire.jobs.start(worker) for _ in range(min(slots, len(left)))]
    try:
        for job in jobs:
            await job.wait()
    except BaseException:
        left.clear()
        for job in jobs:
            job.cancel()
        raise
    if errors:
        raise errors[0]

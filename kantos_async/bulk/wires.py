"""How a run reaches the server: its own count of requests, its budget, a few reads at a time."""

from __future__ import annotations

from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, TypeVar

import attrs

from ..errors import KantosError
from ..transport.call import Call
from ..transport.retry import Failure, is_read
from ..transport.session import Session

__all__ = ["BudgetSpentError", "CountedSession", "Tally", "all_of", "server_now"]

T = TypeVar("T")


class BudgetSpentError(KantosError):
    """`max_requests` is reached."""


@attrs.define
class Tally:
    """What a run has sent."""

    limit: int | None = None
    reads: int = 0
    writes: int = 0
    requests: int = 0

    def admit(self, method: str) -> None:
        """Count a call that is about to be sent.

        Raises:
            BudgetSpentError: it would be one too many.
        """
        if self.spent:
            raise BudgetSpentError(f"max_requests={self.limit} is reached")
        if is_read(method):
            self.reads += 1
        else:
            self.writes += 1

    @property
    def spent(self) -> bool:
        """Whether no further call may be sent. Repeats of calls that were are not held back."""
        return self.limit is not None and max(self.reads + self.writes, self.requests) >= self.limit


@attrs.define
class CountedSession(Session):
    """A session that counts what passes through it."""

    tally: Tally = attrs.field(kw_only=True)

    async def send(self, call: Call[T]) -> T:
        """Carry out one call, within the run's budget."""
        self.tally.admit(call.method)
        return await super().send(call)

    async def _attempt(self, call: Call[T], request: Any, effort: Any) -> T | Failure:
        before = effort.attempts
        try:
            return await super()._attempt(call, request, effort)
        finally:
            self.tally.requests += effort.attempts - before


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
    slots = session.wire._slots
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

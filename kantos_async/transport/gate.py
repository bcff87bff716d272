"""The gate: slots and quota in one queue, first come, first served.

A call leaves when a slot is free and the quota admits it. Cancelling a caller at any moment
loses neither its place in line nor its permit, and whoever blocks the line has always arranged
to be woken: by an answer in flight, by a slot that comes free, or by the one timer.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable
from datetime import UTC, datetime

import anyio

from ..errors import (
    APIConnectionError,
    ClientClosedError,
    KantosError,
    RateLimitError,
    WrongContextError,
)
from .budget import Budget, Permit
from .runtime import Handle, Runtime
from .words import Words

__all__ = ["Gate", "Line", "Quota"]


class Quota:
    """How much of a key's quota to use. Give one object to several clients and they share it.

    Args:
        share: the part of each window's limit that we may use, above 0 and up to 1. `0.8` leaves
            other programs on the key a fifth.
        max_wait: the longest wait for one reset of the quota, in seconds. A reset that is
            further off is a `RateLimitError` at once. It does not bound the queue before it.

    Raises:
        ValueError: a setting is out of range.
    """

    def __init__(self, share: float = 1.0, max_wait: float = 120.0) -> None:
        if not 0 < share <= 1:
            raise ValueError(f"Quota(share={share!r}): must be above 0 and at most 1")
        if not max_wait >= 0:
            raise ValueError(f"Quota(max_wait={max_wait!r}): must be 0 seconds or more")
        self.share = share
        self.max_wait = max_wait
        self._line: Line | None = None

    def __repr__(self) -> str:
        return f"Quota(share={self.share!r}, max_wait={self.max_wait!r})"


class _Ticket:
    """One caller in the line: waiting, granted, refused, or gone."""

    __slots__ = ("error", "event", "gate", "gone", "held", "permit", "since")

    def __init__(self, gate: Gate, since: float) -> None:
        self.gate = gate
        self.event = anyio.Event()
        self.since = since  # by the line's count of held seconds
        self.held = 0.0
        self.permit: Permit | None = None
        self.error: KantosError | None = None
        self.gone = False


class Line:
    """The queue before one key's quota, shared by every gate on the same `Quota`."""

    def __init__(self, quota: Quota, runtime: Runtime) -> None:
        self._quota = quota
        self.runtime = runtime
        self.budget = Budget(quota.share)
        self.waiting = 0
        self.gates = 0
        self._queue: deque[_Ticket] = deque()
        self._free = 0  # gates with a free slot
        self._timer: Handle | None = None
        self._timer_at = math.inf
        self._held = 0.0  # seconds for which the quota, not a slot, blocked the line
        self._held_since: float | None = None

    @staticmethod
    def of(quota: Quota, runtime: Runtime) -> Line:
        """The line of a `Quota`, made at its first use on this loop."""
        line = quota._line
        if line is None or line.gates == 0 or line.runtime.is_over():
            line = quota._line = Line(quota, runtime)
        elif not line.runtime.is_current():
            raise WrongContextError("this Quota is in use on another event loop, thread or process")
        return line

    def held(self) -> float:
        """Seconds until now for which the quota blocked the line."""
        since = self._held_since
        return self._held if since is None else self._held + self.runtime.now() - since

    def join(self, ticket: _Ticket) -> None:
        """Take the last place in line."""
        self._queue.append(ticket)
        self.waiting += 1
        self.pump()

    def abandon(self, ticket: _Ticket) -> None:
        """The caller was cancelled: queued still, or granted in the same moment."""
        if ticket.permit is not None:
            self.budget.unused(ticket.permit)
            ticket.gate.release()
        elif ticket.error is None:
            ticket.gone = True
            self.waiting -= 1
        self.pump()

    def slot_change(self, by: int) -> None:
        """A gate got its first free slot, or lost its last."""
        self._free += by

    def pump(self) -> None:
        """Let go whoever may go, and arrange the next look at whoever may not."""
        budget, queue = self.budget, self._queue
        while self._free and (ticket := self._next()) is not None:
            now = self.runtime.now()
            when = budget.admit(now, self.waiting)
            if when:
                if self._held_since is None:
                    self._held_since = now
                if (error := self._hopeless(now)) is not None:
                    self._refuse_all(error)
                elif when < math.inf:
                    self._wake_at(when)
                return
            if queue[0] is ticket:
                queue.popleft()
            else:
                queue.remove(ticket)
            self.waiting -= 1
            self._settle_held()
            ticket.held = self._held - ticket.since
            ticket.permit = budget.take(now)
            ticket.gate.occupy()
            ticket.event.set()
        if not self.waiting:
            self._settle_held()
            self._stop_timer()

    def _settle_held(self) -> None:
        self._held, self._held_since = self.held(), None

    def admit_now(self, gate: Gate) -> Permit | None:
        """The way of a call that need not wait."""
        now = self.runtime.now()
        if self.waiting or self.budget.admit(now, 1):
            return None
        gate.occupy()
        return self.budget.take(now)

    def _next(self) -> _Ticket | None:
        """The first in line whose own gate has a slot."""
        queue = self._queue
        while queue and queue[0].gone:
            queue.popleft()
        for ticket in queue:
            if ticket.gate.free and not ticket.gone:
                return ticket
        return None

    def _refuse_all(self, error: Callable[[], KantosError]) -> None:
        """Tell everyone who waits, rather than let them wait for hours."""
        for ticket in self._queue:
            self._refuse(ticket, error)
        self._queue.clear()
        self._settle_held()
        self._stop_timer()

    def _refuse(self, ticket: _Ticket, error: Callable[[], KantosError]) -> None:
        if not ticket.gone:
            ticket.error = error()
            ticket.event.set()
            self.waiting -= 1

    def leave(self, gate: Gate) -> None:
        """A client closes: its calls are told, the others go on."""
        for ticket in self._queue:
            if ticket.gate is gate:
                self._refuse(ticket, lambda: ClientClosedError("the client was closed meanwhile"))
        self._queue = deque(ticket for ticket in self._queue if ticket.gate is not gate)
        self.gates -= 1
        self.pump()

    def _hopeless(self, now: float) -> Callable[[], KantosError] | None:
        """What to tell those who would wait in vain; None where waiting makes sense."""
        budget, most = self.budget, self._quota.max_wait
        until = budget.spent_until(now)
        if budget.unreachable:
            return lambda: APIConnectionError("the server cannot be reached", sent=False)
        if budget.spent:
            why = "the key's quota is spent and refusals outlast its resets (a daily quota?)"
        elif until - now > most:
            why = f"the quota is back in {until - now:.0f} s, beyond max_wait={most:g} s"
        else:
            return None
        stamp = budget.clock.latest(until)

        def refusal() -> RateLimitError:
            error = RateLimitError(f"{why}; nothing was sent", status=429)
            error.retry_at = None if stamp is None else datetime.fromtimestamp(stamp, UTC)
            return error

        return refusal

    def _wake_at(self, when: float) -> None:
        if self._timer is not None:
            if self._timer_at == when:
                return
            self._timer.cancel()
        self._timer_at = when
        self._timer = self.runtime.call_at(when, self._on_timer)

    def _on_timer(self) -> None:
        self._timer = None
        self.pump()

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None


class Gate:
    """One client's way to the wire.

    Args:
        line: the queue, shared where the quota is.
        slots: how many requests of this client may be in flight.
        on_held: called with the seconds that a call waited for quota.
    """

    def __init__(self, line: Line, slots: int, on_held: Callable[[float], None]) -> None:
        self._line = line
        self.free = slots
        self._closed = False
        self._on_held = on_held
        line.gates += 1
        line.slot_change(+1)

    def close(self) -> None:
        """Leave the line; who waits here is told. Closing twice does nothing."""
        if self._closed:
            return
        self._closed = True
        if self.free:
            self._line.slot_change(-1)
        self._line.leave(self)

    async def enter(self) -> Permit:
        """Wait for a slot and for quota.

        Raises:
            RateLimitError: the quota stays spent for longer than `Quota.max_wait`.
            APIConnectionError: connections have failed for some seconds on end.
            ClientClosedError: the client is closed, or was while this waited.
        """
        line = self._line
        if self._closed:
            raise ClientClosedError("the client was closed meanwhile")
        if self.free and (permit := line.admit_now(self)) is not None:
            return permit
        ticket = _Ticket(self, line.held())
        line.join(ticket)
        try:
            await ticket.event.wait()
        except BaseException:
            line.abandon(ticket)
            raise
        if ticket.error is not None:
            raise ticket.error
        assert ticket.permit is not None
        if ticket.held:
            self._on_held(ticket.held)
        ticket.permit.sent = line.runtime.now()
        return ticket.permit

    def answered(self, permit: Permit, words: Words, status: int) -> None:
        """An answer came; it is not held back, whatever it says."""
        self._line.budget.answered(permit, words, status, self._line.runtime.now())
        self._leave()

    def lost(self, permit: Permit) -> None:
        """It may have been sent, and no answer came."""
        self._line.budget.lost(permit)
        self._leave()

    def unused(self, permit: Permit) -> None:
        """It is not sent after all."""
        self._line.budget.unused(permit)
        self._leave()

    def unreached(self, permit: Permit) -> None:
        """There was no connection, so it never left."""
        self._line.budget.unreached(permit, self._line.runtime.now())
        self._leave()

    def _leave(self) -> None:
        self.release()
        if self._line.waiting:
            self._line.pump()

    def occupy(self) -> None:
        """Take a slot."""
        self.free -= 1
        if not self.free:
            self._line.slot_change(-1)

    def release(self) -> None:
        """Give a slot back."""
        self.free += 1
        if self.free == 1 and not self._closed:
            self._line.slot_change(+1)

"""Learning of the server's clock from requests that would have been sent anyway.

Two things are learned, once, from the last requests of a window for which callers queue:

- Where the server's second turns. `Date` is cut to the second, so a burst leaves most of one in
  doubt; requests that are spread over the doubted time cut it to pieces.
- Whether a window ends at the second that its header names. The very last request is kept for that
  moment: its answer tells, and it is the next window's probe as well.
"""

from __future__ import annotations

import math
from collections import deque

from .serverclock import ServerClock

__all__ = ["EPSILON", "Aim"]

# Aim while the turn of the second is doubted by more than this many seconds.
_DOUBT = 0.030
# With more doubt than this nothing is known of the clock yet.
_KNOWN = 1.5
# So many requests are aimed at one turn.
_AIMED = 6
# Aiming ends so many seconds before the window does.
_SPARE = 0.5
#: Added to a moment computed from clocks, against rounding.
EPSILON = 0.002


class Aim:
    """What the last requests of a window are held back for."""

    def __init__(self, clock: ServerClock) -> None:
        self._clock = clock
        self._late: int | None = None
        self._moments: deque[float] = deque()
        self._relaxed = False  # the window has enough for all who wait
        self._keeper = 0  # the request that was sent as the header's second began

    def late(self, shared: bool) -> int:
        """Seconds by which a window is taken to outlast its header.

        One until it is proven to be none. Where others use the key nothing is held back to prove
        it; there the next probe is sent in time, and finds out at the price of one refusal.
        """
        if self._late is None:
            return 0 if shared else 1
        return self._late

    def new_window(self) -> None:
        """Forget what was planned for the window before."""
        self._moments.clear()
        self._relaxed = False
        self._keeper = 0

    def hold(
        self, now: float, *, room: float, waiting: int, in_flight: int, named: float, turn: float
    ) -> float:
        """When the next request may leave, of `room` that are left: 0 for now.

        `named` is when, by our clock, the server's surely shows the second that the header names;
        `turn` is when the window is taken to be over.
        """
        learned = self._late is not None and self._clock.doubt <= _DOUBT
        if learned or self._relaxed or room > 2 * _AIMED:
            return 0.0
        if self._clock.doubt <= _DOUBT:
            self._moments.clear()
        if self._moments:
            return 0.0 if now >= self._moments[0] else self._moments[0]
        if in_flight and waiting + in_flight > room:
            return turn  # first see what these leave; their answers wake the line
        if waiting <= room:
            self._relaxed = True  # there is enough for everybody: nothing is held back
            return 0.0
        if room == 1 and self._late is None:
            return 0.0 if now >= named else named
        return self._plan(now, room, turn)

    def _plan(self, now: float, room: float, turn: float) -> float:
        """Spread requests over the time in which the server's second may turn."""
        doubt = self._clock.doubt
        count = min(int(room) - (self._late is None), _AIMED)
        start = self._clock.maybe_past(math.ceil(self._clock.latest(now) or 0))
        if doubt <= _DOUBT or doubt > _KNOWN or start + doubt > turn - _SPARE:
            return 0.0
        self._moments.extend(start + doubt * (i + 1) / (count + 1) for i in range(count))
        return self._moments[0]

    def sent(self, number: int, now: float, named: float) -> None:
        """A request leaves."""
        if self._late is None and named <= now < named + 1:
            self._keeper = number
        elif self._moments and now >= self._moments[0]:
            self._moments.popleft()

    def window_over(self, number: int) -> None:
        """The answer to this request was the first of a new window."""
        if number == self._keeper:
            self._late = 0

    def window_still_open(self, number: int, expected_over: bool) -> None:
        """The answer to this request told of the same window as before."""
        if expected_over or number == self._keeper:
            self._late = 1

"""Learning where the server's second turns, from requests that would have been sent anyway.

`Date` is cut to the second, so a burst leaves most of one in doubt. Once, the last requests of a
window for which callers queue are spread over the doubted time, and cut it to pieces.
"""

from __future__ import annotations

import math
from collections import deque

from .serverclock import ServerClock

__all__ = ["Aim"]

# Aim while the turn of the second is doubted by more than this many seconds.
_DOUBT = 0.030
# With more doubt than this nothing is known of the clock yet.
_KNOWN = 1.5
# So many requests are aimed at one turn, and two turns are enough.
_AIMED = 6
_LAST = 2 * _AIMED
# Aiming ends so many seconds before the window does.
_SPARE = 0.5


class Aim:
    """What the last requests of a window are held back for."""

    def __init__(self, clock: ServerClock) -> None:
        self._clock = clock
        self._moments: deque[float] = deque()
        self._relaxed = False  # the window has enough for all who wait

    def new_window(self) -> None:
        """Forget what was planned for the window before."""
        self._moments.clear()
        self._relaxed = False

    def hold(self, now: float, *, room: int, waiting: int, in_flight: int, turn: float) -> float:
        """When the next request may leave, of `room` that are left until `turn`: 0 for now.

        Infinite where an answer in flight wakes the line.
        """
        if room > _LAST or self._relaxed or self._clock.doubt <= _DOUBT:
            return 0.0
        if self._moments:
            return 0.0 if now >= self._moments[0] else self._moments[0]
        if in_flight and waiting + in_flight > room:
            return math.inf  # first see what these leave
        if waiting <= room:
            self._relaxed = True  # there is enough for everybody: nothing is held back
            return 0.0
        return self._plan(now, room, turn)

    def _plan(self, now: float, room: int, turn: float) -> float:
        """Spread requests over the time in which the server's second may turn."""
        doubt = self._clock.doubt
        start = self._clock.maybe_past(math.ceil(self._clock.latest(now) or 0))
        if doubt > _KNOWN or start + doubt > turn - _SPARE:
            return 0.0
        count = min(room, _AIMED)
        self._moments.extend(start + doubt * (i + 1) / (count + 1) for i in range(count))
        return self._moments[0]

    def sent(self, now: float) -> None:
        """A request leaves."""
        if self._moments and now >= self._moments[0]:
            self._moments.popleft()

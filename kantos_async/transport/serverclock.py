"""Where the server's clock stands against ours, bounded from both sides."""

from __future__ import annotations

import math

__all__ = ["ServerClock"]

# Two clocks of ordinary hardware drift apart by some tens of microseconds a second.
_DRIFT = 5e-5


class ServerClock:
    """Bounds on `server time - our time`.

    An answer's `Date` is the server's time cut to the second, at some moment between our sending
    and our receiving. Each answer so bounds the offset from both sides, and the bounds of many
    answers intersect.
    """

    def __init__(self) -> None:
        self._low = -math.inf
        self._high = math.inf
        self._at = 0.0
        #: How often the bounds contradicted each other (several hosts, a stepped clock).
        self.restarts = 0

    @property
    def doubt(self) -> float:
        """Seconds between the bounds; infinite before the first answer."""
        return self._high - self._low

    def learn(self, date: float, sent: float, received: float) -> bool:
        """Take in one answer; False when it contradicts what was known, which is then dropped."""
        low, high = date - received, date + 1 - sent
        slack = _DRIFT * (received - self._at)
        self._at = received
        self._low, self._high = max(self._low - slack, low), min(self._high + slack, high)
        if self._low <= self._high:
            return True
        self._low, self._high = low, high
        self.restarts += 1
        return False

    def surely_past(self, server_time: float) -> float:
        """Our time from which on the server's clock surely shows `server_time` or later."""
        return server_time - self._low

    def maybe_past(self, server_time: float) -> float:
        """Our time before which the server's clock surely shows less than `server_time`."""
        return server_time - self._high

    def latest(self, when: float) -> float | None:
        """The latest that the server's clock may show at our `when`; None if nothing is known."""
        return when + self._high if self._high < math.inf else None

    def earliest(self, when: float) -> float | None:
        """The earliest that the server's clock may show at our `when`; None if nothing is known."""
        return when + self._low if self._low > -math.inf else None

"""What is left of the quota, and how long work will take within it, in a few words."""

from __future__ import annotations

import math
import time
from collections.abc import Callable

from .. import KantosAsync
from ..transport.events import Stats

__all__ = ["Pace", "quota_left", "short_time", "time_to_go"]

#: The documented window, in seconds.
_WINDOW = 60.0


class Pace:
    """Tells, beside a count, what is left of the quota and of the time.

    Args:
        k: the client that does the work.
        total: how many pieces of work there are.
        now: a clock, in seconds.

    Attributes:
        done: how many of them are done.
    """

    def __init__(
        self, k: KantosAsync, total: int, *, now: Callable[[], float] = time.monotonic
    ) -> None:
        self.done = 0
        self._k = k
        self._total = total
        self._now = now
        self._marked = now()
        self._before = self._sent = k.stats.requests
        self._rate = 0.0

    def text(self) -> str:
        """Such as `quota 412/1,000, 3:05 min left`."""
        stats = self._k.stats
        self._watch(stats.requests)
        left = quota_left(stats)
        sent = stats.requests - self._before
        if not self.done or not sent or not self._rate:
            return left
        requests = (self._total - self.done) * sent / self.done
        seconds = time_to_go(requests, self._rate, stats, self._until_reset(stats))
        to_go = f"{short_time(seconds)} left"
        return f"{left}, {to_go}" if left else to_go

    def _watch(self, requests: int) -> None:
        """The rate of the best second so far is the rate that nothing but the wire holds back."""
        now = self._now()
        if now - self._marked >= 1.0:
            self._rate = max(self._rate, (requests - self._sent) / (now - self._marked))
            self._marked, self._sent = now, requests

    def _until_reset(self, stats: Stats) -> float | None:
        if stats.reset is None:
            return None
        wire = self._k._session.wire
        server = wire.server_time(wire.now())
        return max(0.0, stats.reset.timestamp() - (time.time() if server is None else server))


def quota_left(stats: Stats) -> str:
    """What is left, such as `quota 412/1,000`; nothing where the server does not tell."""
    if stats.limit is None or stats.remaining is None:
        return ""
    return f"quota {stats.remaining:,}/{stats.limit:,}"


def time_to_go(requests: float, rate: float, stats: Stats, until_reset: float | None) -> float:
    """Seconds until so many more requests are done.

    Args:
        requests: how many there are to be sent.
        rate: how many a second are sent while no quota holds them back.
        stats: the quota as last seen.
        until_reset: seconds until the quota's window ends; None where nobody knows.
    """
    if stats.limit is None or stats.remaining is None or until_reset is None:
        return requests / rate
    left = requests - min(stats.remaining, rate * until_reset)
    if left <= 0:
        return requests / rate
    ours = max(stats.limit - stats.others * _WINDOW, 1.0)
    in_window = min(ours, rate * _WINDOW)
    # All windows but the last are waited out.
    windows = math.ceil(left / in_window) - 1
    return until_reset + windows * _WINDOW + (left - windows * in_window) / rate


def short_time(seconds: float) -> str:
    """Such as `12 s`, `3:05 min` or `2:10 h`."""
    if seconds < 59.5:
        return f"{seconds:.0f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes}:{rest:02} min"
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02} h"

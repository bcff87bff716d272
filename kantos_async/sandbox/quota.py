"""Rate limits: how many requests a key has in the present window."""

from __future__ import annotations

import math
from typing import Literal

__all__ = ["PLANS", "Quota", "Usage"]

#: Requests a minute and a day of each plan.
PLANS = {"free": (100, 10_000), "starter": (500, 50_000), "professional": (1_000, 100_000)}
_DAY = 86_400


class Usage:
    """What one key has used."""

    __slots__ = ("day", "opened", "today", "used")

    def __init__(self) -> None:
        self.opened = -math.inf
        self.used = 0
        self.day = -1
        self.today = 0


class Quota:
    """`limit` requests in each `window` seconds and `daily` in each UTC day, for every key.

    `windows`: `aligned` opens them on whole multiples of the window, `first` at the first
    request after the last one closed. Both limits may be changed while the sandbox runs, as an
    upgrade of the plan would.
    """

    def __init__(
        self,
        limit: int | None = None,
        window: float = 60.0,
        windows: Literal["aligned", "first"] = "aligned",
        daily: int | None = None,
    ) -> None:
        for name, value in (("limit", limit), ("window", window), ("daily", daily)):
            if value is not None and not 0 < value < math.inf:
                raise ValueError(f"{name} must be positive and finite, not {value}")
        if windows not in {"aligned", "first"}:
            raise ValueError(f"windows must be 'aligned' or 'first', not {windows!r}")
        self.limit = limit
        self.window = window
        self.windows = windows
        self.daily = daily

    def take(self, usage: Usage, now: float) -> bool:
        """Count one request at `now` (Unix seconds); False, and nothing counted, past a limit."""
        if not usage.opened <= now < usage.opened + self.window:
            usage.used = 0
            usage.opened = now - now % self.window if self.windows == "aligned" else now
        if (day := int(now // _DAY)) != usage.day:
            usage.day, usage.today = day, 0
        if self.limit is not None and usage.used >= self.limit:
            return False
        if self.daily is not None and usage.today >= self.daily:
            return False
        usage.used += 1
        usage.today += 1
        return True

    def left(self, usage: Usage) -> int | None:
        """Requests left in the present window; None without a limit."""
        return None if self.limit is None else max(0, self.limit - usage.used)

    def headers(self, usage: Usage) -> tuple[tuple[str, str], ...]:
        """The three documented headers; the reset is rounded up to a whole second."""
        if self.limit is None:
            return ()
        return (
            ("X-RateLimit-Limit", str(self.limit)),
            ("X-RateLimit-Remaining", str(self.left(usage))),
            ("X-RateLimit-Reset", str(math.ceil(usage.opened + self.window))),
        )

"""Event loops whose time jumps: whoever sleeps wakes at once, and the clock says it took as long.

Nothing in the package reads another clock than its loop's, so this is all that tests of hours need.
"""

from __future__ import annotations

import asyncio
import selectors
from typing import Any

import trio.testing


class _JumpingSelector(selectors.DefaultSelector):  # type: ignore[misc,valid-type]
    """Instead of waiting for a timer, moves the loop's clock to it."""

    loop: VirtualLoop

    def select(self, timeout: float | None = None) -> list[Any]:
        events = super().select(0)
        if events or timeout == 0:
            return events
        if timeout is None:  # only a thread could wake us
            events = super().select(10)
            if not events:
                raise RuntimeError("every task waits, and nothing will ever wake one")
            return events
        self.loop.moment += timeout
        return []


class VirtualLoop(asyncio.SelectorEventLoop):
    """asyncio on a clock that jumps."""

    def __init__(self) -> None:
        self.moment = 1000.0
        selector = _JumpingSelector()
        selector.loop = self
        super().__init__(selector)
        self._clock_resolution = 1e-9

    def time(self) -> float:
        return self.moment


def virtual_backend(name: str) -> tuple[str, dict[str, Any]]:
    """The value for an `anyio_backend` fixture: "asyncio" or "trio", on virtual time."""
    if name == "asyncio":
        return "asyncio", {"loop_factory": VirtualLoop}
    return "trio", {"clock": trio.testing.MockClock(autojump_threshold=0)}

"""The one seam to the event loop: its clock, its timers, and tasks that outlive a call.

A client belongs to the loop that first used it, so that loop's clock is the only clock there is.
Tests put a loop under it whose time they move, and need nothing else.
"""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Callable, Coroutine
from typing import TYPE_CHECKING, Any, Protocol

from ..errors import WrongContextError

if TYPE_CHECKING:
    import trio

__all__ = ["Handle", "Runtime", "current_runtime"]


class Handle(Protocol):
    """A timer or a task that can be stopped."""

    def cancel(self) -> Any:
        """Stop it; nothing happens when it has ended already."""
        ...


class Runtime(Protocol):
    """An event loop, as the rest of the package sees it."""

    #: Seconds of the loop's own monotonic clock.
    now: Callable[[], float]

    def is_current(self) -> bool:
        """Whether the caller runs on this loop, in its thread and process."""
        ...

    def is_over(self) -> bool:
        """Whether the loop has ended for good."""
        ...

    async def sleep(self, seconds: float) -> None:
        """Sleep, cancellably."""
        ...

    def call_at(self, when: float, callback: Callable[[], object]) -> Handle:
        """Run `callback` once the clock shows `when`."""
        ...

    def spawn(self, job: Callable[[], Coroutine[Any, Any, None]]) -> Handle:
        """Run `job` as a task of its own, which must handle its own errors.

        Keep the handle as long as it runs: a loop holds its tasks only weakly.
        """
        ...

    def from_anywhere(self, callback: Callable[[], object]) -> None:
        """Run `callback` soon; safe from any thread and from finalisers, also once all is over."""
        ...


class AsyncioRuntime:
    """asyncio, or uvloop."""

    def __init__(self) -> None:
        import asyncio  # noqa: PLC0415 - those who run on it have it, and it takes its time

        self._get_running_loop = asyncio.get_running_loop
        self._loop = asyncio.get_running_loop()
        self.now = self._loop.time
        self._sleep = asyncio.sleep

    def is_current(self) -> bool:
        try:
            return self._get_running_loop() is self._loop
        except RuntimeError:
            return False

    def is_over(self) -> bool:
        return self._loop.is_closed()

    async def sleep(self, seconds: float) -> None:
        await self._sleep(seconds)

    def call_at(self, when: float, callback: Callable[[], object]) -> Handle:
        return self._loop.call_at(when, callback)

    def spawn(self, job: Callable[[], Coroutine[Any, Any, None]]) -> Handle:
        return self._loop.create_task(job())

    def from_anywhere(self, callback: Callable[[], object]) -> None:
        with contextlib.suppress(RuntimeError):  # the loop is closed
            self._loop.call_soon_threadsafe(callback)


class TrioRuntime:
    """trio: tasks are system tasks, since no nursery may stay open between enter and exit."""

    def __init__(self) -> None:
        import trio  # noqa: PLC0415 - only those who run on it have it

        self._trio = trio
        self._token = trio.lowlevel.current_trio_token()
        self._pid = os.getpid()
        self.now = trio.current_time
        self.sleep = trio.sleep

    def is_current(self) -> bool:
        try:
            token = self._trio.lowlevel.current_trio_token()
        except RuntimeError:
            return False
        # A fork inside a run copies the token; asyncio sees to this by itself.
        return token is self._token and os.getpid() == self._pid

    def is_over(self) -> bool:
        try:
            self._token.run_sync_soon(lambda: None)
        except self._trio.RunFinishedError:
            return True
        return False

    def call_at(self, when: float, callback: Callable[[], object]) -> Handle:
        async def wait() -> None:
            await self._trio.sleep_until(when)
            callback()

        return self.spawn(wait)

    def spawn(self, job: Callable[[], Coroutine[Any, Any, None]]) -> Handle:
        scope: trio.CancelScope = self._trio.CancelScope()

        async def run() -> None:
            with scope:
                await job()

        self._trio.lowlevel.spawn_system_task(run)
        return scope

    def from_anywhere(self, callback: Callable[[], object]) -> None:
        with contextlib.suppress(self._trio.RunFinishedError):
            self._token.run_sync_soon(callback)


def current_runtime() -> Runtime:
    """The running loop.

    Raises:
        WrongContextError: no asyncio or trio loop runs in this thread.
    """
    if "trio" in sys.modules:
        with contextlib.suppress(RuntimeError):  # imported, but not running here
            return TrioRuntime()
    try:
        return AsyncioRuntime()
    except RuntimeError:
        raise WrongContextError(
            "KantosAsync needs a running asyncio or trio event loop; "
            "in blocking code use the `Kantos` client."
        ) from None

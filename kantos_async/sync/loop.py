"""One daemon thread with one event loop, which all blocking clients of a process share.

Sharing it lets clients share a `Quota`. It starts at the first call and ends with the process;
a forked process starts its own.
"""

from __future__ import annotations

import asyncio
import os
import threading
from concurrent.futures import Future

__all__ = ["shared"]


class LoopThread:
    """The thread and its loop."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._loop: asyncio.AbstractEventLoop | None = None

    def loop(self) -> asyncio.AbstractEventLoop:
        """The loop, started if need be."""
        with self._lock:
            if self._loop is None:
                started: Future[asyncio.AbstractEventLoop] = Future()
                threading.Thread(target=_serve, args=(started,), name="kantos", daemon=True).start()
                self._loop = started.result()
            return self._loop

    def is_current(self) -> bool:
        """Whether the caller runs in the loop."""
        try:
            return asyncio.get_running_loop() is self._loop
        except RuntimeError:
            return False


def _serve(started: Future[asyncio.AbstractEventLoop]) -> None:
    async def forever() -> None:
        started.set_result(asyncio.get_running_loop())
        await asyncio.Event().wait()

    asyncio.run(forever())


shared = LoopThread()

if hasattr(os, "register_at_fork"):
    # The child has no such thread, and the lock may be held by one that was not copied.
    os.register_at_fork(after_in_child=shared.__init__)  # type: ignore[misc]

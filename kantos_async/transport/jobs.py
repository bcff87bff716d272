"""Tasks that a client owns: a stream's prefetching, a bulk run's writers."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any

import anyio

from .runtime import Handle, Runtime

__all__ = ["Flag", "Job", "Jobs"]


class Flag:
    """An event that costs nothing until somebody waits for it."""

    __slots__ = ("_event", "_set")

    def __init__(self) -> None:
        self._set = False
        self._event: anyio.Event | None = None

    def set(self) -> None:
        """Raise it, and wake whoever waits."""
        self._set = True
        if self._event is not None:
            self._event.set()

    def __bool__(self) -> bool:
        return self._set

    async def wait(self) -> None:
        """Wait until it is raised."""
        if not self._set:
            self._event = self._event or anyio.Event()
            await self._event.wait()


class Job:
    """One task: it can be stopped, and waited for."""

    def __init__(self, runtime: Runtime) -> None:
        self._ended = Flag()
        self._runtime = runtime
        self._handle: Handle | None = None
        self._begun = False
        #: Whether it was told to stop, perhaps before it began.
        self.stopped = False

    def cancel(self) -> None:
        """Stop it; nothing happens when it has ended already."""
        self.stopped = True
        # A task that asyncio cancels before its first step never runs, not even to say it ended:
        # such a one is let begin, and is cancelled then.
        if self._begun and self._handle is not None and not self._ended:
            self._handle.cancel()

    @property
    def ended(self) -> bool:
        """Whether it has ended. An eager task may have, as soon as it is started."""
        return bool(self._ended)

    async def wait(self) -> None:
        """Wait until it has ended."""
        await self._ended.wait()

    def cancel_from_anywhere(self) -> None:
        """Stop it soon: for finalisers, which run in any thread and at any moment."""
        self._runtime.from_anywhere(self.cancel)


class Jobs:
    """The running tasks of one client. No task group stays open between its enter and exit."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime
        self._running: set[Job] = set()

    def start(self, work: Callable[[], Coroutine[Any, Any, None]]) -> Job:
        """Run `work` as a task. It must handle its own errors."""
        job = Job(self._runtime)

        async def run() -> None:
            job._begun = True
            try:
                if job.stopped:
                    job.cancel()
                await work()
            finally:
                job._ended.set()
                self._running.discard(job)

        self._running.add(job)
        job._handle = self._runtime.spawn(run)
        return job

    async def aclose(self) -> None:
        """Stop all, and wait until they have ended."""
        running = list(self._running)
        for job in running:
            job.cancel()
        for job in running:
            await job.wait()

"""The way from blocking code into the event loop, and back for rows that the loop asks for."""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import itertools
import os
import queue
import sys
import threading
import warnings
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Iterable
from concurrent.futures import Future
from typing import Any, Final, Generic, ParamSpec, TypeVar

from ..errors import WrongContextError
from .loop import shared

__all__ = ["Portal"]

T = TypeVar("T")
P = ParamSpec("P")

#: Seconds between two looks for Ctrl-C: on Windows it does not end a wait by itself.
_LOOK = 0.5
#: Rows that the loop asks for at a time.
_ROWS = 500

_END: Final[Any] = object()


class _Here(threading.local):
    """A thread's own mail: what the loop wants done in it; None where one of its calls has ended.

    An entry may outlive the wait that it was for, so it must not keep a call's objects alive.
    """

    def __init__(self) -> None:
        self.mail: queue.SimpleQueue[_Errand | None] = queue.SimpleQueue()


_here = _Here()
#: Within the loop: the mail of the thread that waits for what is being done.
_caller: contextvars.ContextVar[queue.SimpleQueue[_Errand | None]] = contextvars.ContextVar(
    "caller"
)


class _Call(Generic[T]):
    """One call: made by a thread, carried out by the loop."""

    def __init__(self, work: Callable[[], Awaitable[T]]) -> None:
        self.ended: Future[T] = Future()
        self._work = work
        self._mail = _here.mail
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        if not self.ended.done():
            self._task = asyncio.create_task(self._run())
            self._task.add_done_callback(self._end)

    def cancel(self) -> None:
        if self._task is not None:
            self._task.cancel()
        elif self.ended.cancel():  # Ctrl-C was so quick that it never started
            self._mail.put(None)

    async def _run(self) -> None:
        _caller.set(self._mail)
        try:
            self.ended.set_result(await self._work())
        except asyncio.CancelledError:
            raise
        except BaseException as error:  # SystemExit, too, is for the caller and not for the loop
            self.ended.set_exception(error)

    def _end(self, task: asyncio.Task[None]) -> None:
        if task.cancelled():
            self.ended.cancel()
        self._mail.put(None)


class _Errand:
    """Something that the loop wants done in the thread that calls it."""

    def __init__(self, work: Callable[[], Any]) -> None:
        self.done: Future[Any] = Future()
        self._work = work

    def run(self) -> None:
        if not self.done.set_running_or_notify_cancel():
            return
        try:
            self.done.set_result(self._work())
        except Exception as error:
            self.done.set_exception(error)


class _Rows(AsyncIterator[T]):
    """The rows of a plain iterable, taken from it in the thread that waits for the call."""

    def __init__(self, rows: Iterable[T]) -> None:
        self._rows = iter(rows)
        self._taken: list[T] = []

    async def __anext__(self) -> T:
        if not self._taken:
            errand = _Errand(lambda: list(itertools.islice(self._rows, _ROWS)))
            _caller.get().put(errand)
            self._taken = await asyncio.wrap_future(errand.done)
            self._taken.reverse()
        if not self._taken:
            raise StopAsyncIteration
        return self._taken.pop()


class Portal:
    """What a blocking client and all that it hands out share.

    Args:
        aclose: closes the async client.
    """

    def __init__(self, aclose: Callable[[], Awaitable[None]]) -> None:
        self._aclose = aclose
        self._pid: int | None = None  # of the process that used it first
        self._closed = False

    def run(self, work: Callable[P, Awaitable[T]], /, *args: P.args, **kwargs: P.kwargs) -> T:
        """Carry out an async function in the loop, and wait for it.

        Ctrl-C cancels it there, and waits until that is done; a second Ctrl-C does not wait.

        Raises:
            WrongContextError: called from the loop itself, or after a fork.
        """
        self._check()
        call = _Call(lambda: work(*args, **kwargs))
        loop = shared.loop()
        try:
            loop.call_soon_threadsafe(call.start, context=_context())
            _wait(call)
        except BaseException:
            loop.call_soon_threadsafe(call.cancel)
            _wait(call)
            raise
        try:
            return call.ended.result()
        finally:
            del call  # its error refers to this frame

    def next(self, items: AsyncIterator[T]) -> T:
        """The next item of an async iterator.

        Raises:
            StopIteration: there is none.
        """
        item = self.run(_next, items)
        if item is _END:
            raise StopIteration
        return item

    def rows(self, rows: Any) -> Any:
        """Rows for the loop: what may block, or knows its thread, is not iterated there."""
        if isinstance(rows, Collection) or not isinstance(rows, Iterable):
            return rows
        return _Rows(rows)

    def close(self) -> None:
        """Close the client. Closing twice does nothing."""
        self.run(self._aclose)
        self._closed = True

    def _check(self) -> None:
        if self._pid is None:
            self._pid = os.getpid()
        elif self._pid != os.getpid():
            raise WrongContextError(
                "this client was used before a fork; make one in each worker process"
            )
        if shared.is_current():
            raise WrongContextError(
                "a blocking client cannot be used from its own callbacks (api_key=, on_event=, "
                "map=): they run in the event loop that would do the work"
            )

    def __del__(self) -> None:
        if self._closed or self._pid != os.getpid():
            return
        warnings.warn(
            "a Kantos was not closed; use `with` or `close()`",
            ResourceWarning,
            source=self,
            stacklevel=2,
        )
        with contextlib.suppress(RuntimeError):
            shared.loop().call_soon_threadsafe(_Call(self._aclose).start)


async def _next(items: AsyncIterator[T]) -> T:
    return await anext(items, _END)


def _context() -> contextvars.Context:
    """The caller's context variables, without a note that trio is what runs here."""
    context = contextvars.copy_context()
    if (sniffio := sys.modules.get("sniffio")) is not None:
        context.run(sniffio.current_async_library_cvar.set, None)
    return context


def _wait(call: _Call[Any]) -> None:
    """Wait for the end of a call; meanwhile do what the loop wants done in this thread."""
    mail = _here.mail
    while not call.ended.done():
        with contextlib.suppress(queue.Empty):
            errand = mail.get(timeout=_LOOK)
            if errand is not None:
                errand.run()

"""Where rows come from: any iterable, plain or asynchronous."""

from __future__ import annotations

import contextlib
from collections.abc import (
    AsyncGenerator,
    AsyncIterable,
    AsyncIterator,
    Callable,
    Iterable,
    Mapping,
)
from typing import Any, TypeAlias

import anyio

__all__ = ["Rows", "Source", "each"]

Rows: TypeAlias = Iterable[Mapping[str, Any]] | AsyncIterable[Mapping[str, Any]]
Source: TypeAlias = Iterable[Any] | AsyncIterable[Any]

#: Seconds that a source may take to close.
_CLOSING = 5.0


@contextlib.asynccontextmanager
async def each(source: Source) -> AsyncGenerator[AsyncIterator[Any]]:
    """The rows of a source, which is closed where reading it ends early.

    Raises:
        TypeError: it is no iterable of rows.
    """
    items = _items(source)
    try:
        yield items
    finally:
        # A generator left in the middle would keep what it reads from (a cursor, a connection)
        # until the collector comes by, and then there may be no loop to close it on.
        close = getattr(items, "aclose", None)
        if close is not None:
            with anyio.move_on_after(_CLOSING, shield=True), contextlib.suppress(Exception):
                await close()


def _items(source: Any) -> AsyncIterator[Any]:
    if isinstance(source, AsyncIterable):
        return source.__aiter__()
    if isinstance(source, (str, bytes, Mapping)) or not isinstance(source, Iterable):
        raise TypeError(f"rows must be an iterable of mappings, not {type(source).__name__}")
    return _Plain(iter(source))


class _Plain(AsyncIterator[Any]):
    """A plain iterator in the clothes of an asynchronous one."""

    def __init__(self, items: Any) -> None:
        self._next: Callable[[], Any] = items.__next__

    async def __anext__(self) -> Any:
        with contextlib.suppress(StopIteration):
            return self._next()
        raise StopAsyncIteration

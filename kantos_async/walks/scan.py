"""`scan`: every record of an object, however the data moves meanwhile."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Mapping
from typing import Any

from ..api.models import Record
from ..transport.session import Session
from .bounds import fold
from .keyset import KeysetPages

__all__ = ["Scan", "WalkIterator"]


class WalkIterator(AsyncIterator[Record]):
    """The records of a walk, one by one."""

    def __init__(self, pages: KeysetPages) -> None:
        self._pages = pages
        self._records: Iterator[Record] = iter(())

    def __aiter__(self) -> WalkIterator:
        return self

    async def __anext__(self) -> Record:
        while True:
            for record in self._records:
                return record
            self._records = iter(await self._pages.__anext__())


class Scan:
    """A walk by key: `async for` it, as often as you like. It asks for nothing until then."""

    def __init__(
        self, session: Session, object_id: str, filters: Mapping[str, Any] | None, *, by: str
    ) -> None:
        if by == "updated_at":
            raise ValueError("by='updated_at': it changes, use `changes`; scan by `created_at`")
        self._session = session
        self._object_id = object_id
        self._bounds = fold(filters, by)
        self._by = by

    def __aiter__(self) -> WalkIterator:
        return WalkIterator(self.pages())

    def pages(self) -> KeysetPages:
        """Iterate over lists of records, a request's worth each."""
        return KeysetPages(
            self._session,
            self._object_id,
            by=self._by,
            filters=self._bounds.filters,
            start=self._bounds.start,
            stop=self._bounds.stop,
        )

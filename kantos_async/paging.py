"""Pages of records: await a stream for its first page, iterate it for every record."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import AsyncIterator, Generator, Iterator, Mapping
from typing import Any, Generic, Literal, TypeVar

import msgspec
from anyio.lowlevel import cancel_shielded_checkpoint

from .api import records as api
from .api.models import Pagination, Record
from .errors import ClientClosedError, KantosError
from .transport.jobs import Flag, Job
from .transport.session import Session

__all__ = ["Page", "PageIterator", "Query", "RecordIterator", "RecordStream"]

T = TypeVar("T")

#: The most records that the API puts on a page.
PER_PAGE = 100

#: The same page in a row so often is a server that ignores `page`, not data that moves.
_REPEATS = 3


class Page(msgspec.Struct, Generic[T], frozen=True):
    """One page of an answer. Iterates over its records and has their number as length.

    Attributes:
        data: the records.
        pagination: `total`, `page`, `per_page` and `total_pages` as the server gave them.
    """

    data: list[T]
    pagination: Pagination

    def __iter__(self) -> Iterator[T]:
        return iter(self.data)

    def __len__(self) -> int:
        return len(self.data)

    def __getitem__(self, index: int) -> T:
        return self.data[index]

    def __repr__(self) -> str:
        at = self.pagination
        return f"<Page {at.page} of {at.total_pages}: {len(self.data)} of {at.total} records>"


class Query(msgspec.Struct, frozen=True, kw_only=True):
    """What is asked for, page by page."""

    object_id: str
    filters: Mapping[str, Any] | None = None
    sort: str = "created_at"
    order: Literal["asc", "desc"] | None = None

    async def fetch(self, session: Session, page: int, per_page: int) -> Page[Record]:
        """One page: `GET /crm/records/query`."""
        answer = await api.query_records(
            session,
            object_id=self.object_id,
            filters=self.filters,
            sort=self.sort,
            order=self.order,
            page=page,
            per_page=per_page,
        )
        return Page(answer.data, answer.pagination)


class RecordStream:
    """The records of a query: `await` it for one page, `async for` it for all.

    It asks for nothing until then, and may be used several times. Records that are created or
    deleted meanwhile shift the pages, so that one may be missed or come twice; `records.scan`
    walks without that fault.
    """

    def __init__(
        self, session: Session, query: Query, *, per_page: int, prefetch: int, limit: int | None
    ) -> None:
        _check("per_page", per_page, 1, PER_PAGE)
        _check("prefetch", prefetch, 0, 1000)
        if limit is not None:
            _check("limit", limit, 0, None)
        self._session = session
        self._query = query
        self._limit = limit
        self._per_page = min(per_page, limit) if limit else per_page
        self._prefetch = prefetch

    def __await__(self) -> Generator[Any, None, Page[Record]]:
        return self._page().__await__()

    async def _page(self) -> Page[Record]:
        page = await self._query.fetch(self._session, 1, self._per_page)
        return page if self._limit is None else _cut(page, self._limit)

    def __aiter__(self) -> RecordIterator:
        return RecordIterator(self.pages())

    def pages(self) -> PageIterator:
        """Iterate over pages instead of records."""
        return PageIterator(self._session, self._query, self._per_page, self._prefetch, self._limit)

    async def all(self) -> list[Record]:
        """Every record, in a list."""
        records: list[Record] = []
        async for page in self.pages():
            records += page.data
        return records

    async def first(self) -> Record | None:
        """The first record, or None. One request."""
        if self._limit == 0:
            return None
        page = await self._query.fetch(self._session, 1, 1)
        return page.data[0] if page.data else None

    async def count(self) -> int:
        """How many records there are, by the server's `total`, up to `limit`. One request."""
        page = await self._query.fetch(self._session, 1, 1)
        total = page.pagination.total
        return total if self._limit is None else min(total, self._limit)


class _Slot:
    """A page that is being fetched ahead."""

    __slots__ = ("error", "job", "page", "ready")

    def __init__(self) -> None:
        self.ready = Flag()
        self.page: Page[Record] | None = None
        self.error: Exception | None = None
        self.job: Job | None = None


async def _fill(slot: _Slot, session: Session, query: Query, number: int, per_page: int) -> None:
    """Fetch a page into its slot. Knows nothing of the iterator, so that this can be dropped."""
    try:
        if slot.job is not None and slot.job.stopped:
            return  # before it began: then not even a connection is begun
        slot.page = await query.fetch(session, number, per_page)
    except Exception as error:
        slot.error = error
    finally:
        slot.ready.set()


class PageIterator(AsyncIterator[Page[Record]]):
    """Fetches a bounded number of pages ahead, and hands them out in order.

    Its tasks end with it: when it is exhausted, closed with `aclose()`, or dropped. A step that
    was cancelled can be repeated.
    """

    def __init__(
        self,
        session: Session,
        query: Query,
        per_page: int,
        prefetch: int,
        limit: int | None,
    ) -> None:
        self._session = session
        self._query = query
        self._per_page = per_page
        self._prefetch = prefetch
        self._left = limit
        self._ahead: deque[_Slot] = deque()
        self._next = 1  # the next page to ask for
        self._seen = 0  # pages handed out
        self._given = 0  # the records on them
        self._last = 1  # the last page there is, as far as known
        self._ids: tuple[str, str] | None = None
        self._repeats = 0
        self._done = limit == 0

    def __aiter__(self) -> PageIterator:
        return self

    async def __anext__(self) -> Page[Record]:
        if self._done:
            raise StopAsyncIteration
        try:
            page = await self._fetch()
            self._check_progress(page)
            given = self._given + len(page)
            if self._left is not None:
                page = _cut(page, self._left)
            self._last = self._last_after(page)
            if self._look_ahead() and self._ahead[0].ready:
                # The next step will not wait, so else these tasks would start when all are taken.
                await cancel_shielded_checkpoint()
        except Exception:
            self._finish()
            raise
        except BaseException:
            self._drop_ahead()
            raise
        self._seen += 1
        self._given = given
        if self._left is not None:
            self._left -= len(page)
        if self._seen >= self._last:
            self._finish()
        if not page.data:
            raise StopAsyncIteration
        return page

    async def aclose(self) -> None:
        """Stop fetching ahead, and wait until that has stopped."""
        jobs = [slot.job for slot in self._ahead if slot.job is not None]
        self._finish()
        for job in jobs:
            await job.wait()

    async def _fetch(self) -> Page[Record]:
        if not self._ahead:
            number, self._next = self._next, self._next + 1
            return await self._query.fetch(self._session, number, self._per_page)
        slot = self._ahead[0]
        await slot.ready.wait()
        self._ahead.popleft()
        if slot.error is not None:
            raise slot.error
        if slot.page is None:
            raise ClientClosedError("the client was closed while this page was on its way")
        return slot.page

    def _last_after(self, page: Page[Record]) -> int:
        """The number of the last page there is, as far as `page` shows."""
        seen, at = self._seen + 1, page.pagination
        if not page.data:
            return seen
        size = min(self._per_page, at.per_page if at.per_page > 0 else self._per_page)
        # Where pages are full, `total` says what `total_pages` says; else the higher one counts,
        # and what is too high ends with an empty page.
        left = at.total - self._given - len(page)
        last = max(at.total_pages, seen + max(0, -(-left // size)))
        # A full page beyond the last one shows that `total_pages` is wrong: one more look.
        if len(page) >= size and at.total_pages < seen:
            last = max(last, seen + 1)
        if self._left is not None:
            last = min(last, seen + math.ceil((self._left - len(page)) / self._per_page))
        return last

    def _look_ahead(self) -> bool:
        """Start what may be fetched now; whether there was any."""
        first = self._next
        while len(self._ahead) < self._prefetch and self._next <= self._last:
            self._start(self._next)
            self._next += 1
        return self._next > first

    def _start(self, number: int) -> None:
        slot, session, query, per_page = _Slot(), self._session, self._query, self._per_page
        slot.job = session.wire.jobs.start(lambda: _fill(slot, session, query, number, per_page))
        self._ahead.append(slot)

    def _check_progress(self, page: Page[Record]) -> None:
        ids = (page.data[0].id, page.data[-1].id) if page.data else None
        self._repeats = self._repeats + 1 if ids is not None and ids == self._ids else 0
        self._ids = ids
        if self._repeats >= _REPEATS:
            raise KantosError(
                f"the server gave the same page {self._repeats + 1} times in a row "
                f"(asked for page {self._seen + 1} of {self._query.object_id!r}); stopped"
            )

    def _finish(self) -> None:
        self._done = True
        self._drop_ahead()

    def _drop_ahead(self) -> None:
        for slot in self._ahead:
            if slot.job is not None:
                slot.job.cancel()
        self._ahead.clear()
        self._next = self._seen + 1

    def __del__(self) -> None:
        for slot in getattr(self, "_ahead", ()):
            if slot.job is not None:
                slot.job.cancel_from_anywhere()


class RecordIterator(AsyncIterator[Record]):
    """The records of a page iterator, one by one."""

    def __init__(self, pages: PageIterator) -> None:
        self._pages = pages
        self._records: Iterator[Record] = iter(())

    def __aiter__(self) -> RecordIterator:
        return self

    async def __anext__(self) -> Record:
        while True:
            for record in self._records:
                return record
            self._records = iter((await self._pages.__anext__()).data)

    async def aclose(self) -> None:
        """Stop here, and wait until fetching ahead has stopped."""
        self._records = iter(())
        await self._pages.aclose()


def _cut(page: Page[T], most: int) -> Page[T]:
    return page if len(page) <= most else Page(page.data[:most], page.pagination)


def _check(name: str, value: int, least: int, most: int | None) -> None:
    if isinstance(value, bool) or not isinstance(value, int):
        raise ValueError(f"{name}={value!r}: must be a whole number")
    if value < least or (most is not None and value > most):
        bounds = f"from {least}" if most is None else f"from {least} to {most}"
        raise ValueError(f"{name}={value!r}: must be {bounds}")

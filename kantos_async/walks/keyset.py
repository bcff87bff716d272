"""All pages of an object in the order of a key, by key and not by page number."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from datetime import UTC, datetime
from typing import Any

import attrs

from ..api.models import Record
from ..errors import KantosError, QueryIgnoredError
from ..filters import to_wire
from ..paging import PER_PAGE, Page, Query
from ..transport.session import Session

__all__ = ["SYSTEM_FIELDS", "KeysetPages", "count", "key_of"]

#: Fields that stand on a record itself, not among its values.
SYSTEM_FIELDS = frozenset({"id", "created_at", "updated_at", "created_by"})

_TIMES = frozenset({"created_at", "updated_at"})

#: Seconds after a stamp until nothing more appears under it: its second ends, searches catch up.
_SETTLES = 3.0

#: How often what `total` counts and no page shows is asked for again, spread over `_SETTLES`.
_REPEATS = 3


def key_of(record: Record, by: str) -> Any:
    """A record's value in the field that a walk goes by; None when it has none."""
    return getattr(record, by) if by in SYSTEM_FIELDS else record.field_values.get(by)


async def count(session: Session, object_id: str, filters: Mapping[str, Any] | None) -> int:
    """How many records match, by the server's `total`. One request."""
    page = await Query(object_id=object_id, filters=filters).fetch(session, 1, 1)
    return page.pagination.total


@attrs.define
class _Tie:
    """Records that share one key, more than fit on a page, while they are being read."""

    key: Any
    size: int  # how many records the server puts on a page
    page: int = 0  # the next to read, downwards; 0 while the tie's end is not found
    guess: int = 0  # the page that may reach beyond the tie's end; 0 before there is a guess
    #: What follows the tie on the lowest page that reaches beyond it.
    after: list[Record] = attrs.Factory(list)
    full: bool = False  # whether more may follow `after`


class KeysetPages(AsyncIterator[list[Record]]):
    """Pages of records in ascending order of a key; each record once, no page empty.

    Each request asks for the records from the last key on, and those seen before are dropped.
    A tie longer than a page is read by page number, from its last page to its first: the past
    only loses records, so that in this order none can slip to a page already read.
    By a time, the walk ends with the server's second at its first answer.
    A page that is not full ends it only where `total` agrees: a server may give less than it says.

    Every step changes its state after its answer is in, so that a cancelled one can be repeated.
    Nothing runs between two steps.

    Args:
        by: the key: `created_at`, `updated_at`, or a field's slug.
        filters: further conditions, in the API's language; none on the key itself.
        start: the least key, inclusive. None: from the beginning.
        stop: the key to stop at, exclusive. None: no bound of its own.

    Attributes:
        total: how many records match from `start` on, by the first answer; None before it.
        requests: how many pages and counts were asked for so far.

    Raises:
        QueryIgnoredError: the server ignores the sort, or the filter on the key; or it counts
            records that no page shows.
    """

    def __init__(
        self,
        session: Session,
        object_id: str,
        *,
        by: str = "created_at",
        filters: Mapping[str, Any] | None = None,
        start: Any = None,
        stop: Any = None,
    ) -> None:
        self.total: int | None = None
        self.requests = 0
        self._session = session
        self._object_id = object_id
        self._by = by
        self._filters = dict(filters or {})
        self._stop: Any = stop
        self._key: Any = start  # the last key seen: from here on it is asked for
        self._seen: set[str] = set()  # ids with that key
        self._read = 0  # how many records were handed out, or cut off by `stop`
        self._tie: _Tie | None = None
        self._full = False  # whether more may follow the last page
        self._waits = 0  # for records that `total` counts, since one came last
        self._at_end = False
        self._ended = False

    def __aiter__(self) -> KeysetPages:
        return self

    async def __anext__(self) -> list[Record]:
        while not self._ended:
            if self._at_end:
                self._ended = await self._may_end()
            elif records := await self._step():
                return records
        raise StopAsyncIteration

    async def _may_end(self) -> bool:
        """Whether the walk has seen all it should; else it goes on."""
        if self._by not in SYSTEM_FIELDS:
            await self._expect_no_blanks()
        return True

    async def _expect_no_blanks(self) -> None:
        # No page shows records without a key once a key is asked for; what is lost is told.
        self.requests += 1
        blank = {**self._filters, self._by: {"$empty": True}}
        if number := await count(self._session, self._object_id, blank):
            raise KantosError(
                f"{number} records of {self._object_id!r} have no {self._by!r}, so that this walk "
                "did not find them; walk by `created_at`"
            )

    async def _step(self) -> list[Record]:
        if self._tie is not None:
            return await self._tie_step(self._tie)
        page = await self._fetch(self._key, 1)
        if self.total is None:
            self.total = page.pagination.total
            self._stop_now()
        if not await self._follows(page):
            return []
        rows, size = page.data, _size(page)
        self._full = len(rows) >= size or _left(page, 1, size) > 0
        if self._full and rows:
            first, last = self._value(rows[0]), self._value(rows[-1])
            if len(rows) < size and not self._new(rows):
                self._tie = _Tie(last, len(rows))  # by the key alone, it would not go on
            elif len(rows) >= size and first == last:
                self._tie = _Tie(last, size)
            elif first != last == self._key:
                raise self._ignored("its pages do not advance")
        elif self._full:
            await self._wait_for_more()
        self._at_end = not self._full
        return self._take(rows)

    async def _wait_for_more(self) -> None:
        """Wait for records that `total` counts and no page shows; a search may lag behind it."""
        if self._waits >= _REPEATS:
            what = f"it counts records from {self._key} on that no page shows"
            raise self._ignored(what, "show all of")
        await self._session.wire.sleep(_SETTLES / _REPEATS)
        self._waits += 1

    def _stop_now(self) -> None:
        """End with the present second: somebody who writes faster than one reads never ends."""
        wire = self._session.wire
        now = wire.server_time(wire.now())
        if now is not None and self._by in _TIMES:
            second = datetime.fromtimestamp(int(now) + 1, UTC)
            self._stop = second if self._stop is None else min(second, self._stop)

    async def _follows(self, page: Page[Record]) -> bool:
        """Whether a page continues what was read before; else that is read again."""
        return True

    def _take(self, rows: list[Record]) -> list[Record]:
        """What is new among `rows`, which follow each other; the walk goes on from their end."""
        if not rows:
            return []
        fresh = self._new(rows)
        last = self._value(rows[-1])
        ids = {row.id for row in rows if self._value(row) == last}
        self._seen = self._seen | ids if last == self._key else ids
        self._key = last
        self._has_read(fresh)
        return self._within(fresh)

    def _new(self, rows: list[Record]) -> list[Record]:
        seen = self._seen
        return [row for row in rows if row.id not in seen or self._value(row) != self._key]

    def _has_read(self, fresh: list[Record]) -> None:
        self._read += len(fresh)
        if fresh:
            self._waits = 0

    def _within(self, rows: list[Record]) -> list[Record]:
        if self._stop is None or not rows or self._value(rows[-1]) < self._stop:
            return rows
        self._at_end = True
        return [row for row in rows if self._value(row) < self._stop]

    # ---- a tie longer than a page ----------------------------------------------------------

    async def _tie_step(self, tie: _Tie) -> list[Record]:
        if tie.page == 0:
            page = await self._find_end(tie)
        else:
            page = await self._fetch(tie.key, tie.page, tie.size)
            if len(page.data) < tie.size and _left(page, tie.page, tie.size) > 0:
                await self._wait_for_more()
                return []
        more = len(page.data) >= tie.size or _left(page, tie.page, tie.size) > 0
        tie.page -= 1
        same = [row for row in page.data if self._value(row) == tie.key]
        if len(same) < len(page.data):
            tie.after, tie.full = page.data[len(same) :], more
        fresh = [row for row in same if row.id not in self._seen]
        self._seen |= {row.id for row in fresh}
        self._has_read(fresh)
        if tie.page == 0:
            self._tie, self._full, self._at_end = None, tie.full, not tie.full
            if tie.after:
                fresh += self._take(tie.after)
        return fresh

    async def _find_end(self, tie: _Tie) -> Page[Record]:
        """Find a page that reaches beyond the tie.

        The count by equality is only a hint: where stamps are kept finer than they are shown,
        it counts too few.
        """
        if tie.guess == 0:
            await self._settle(tie.key)
            equal = {**self._filters, self._by: _wire(tie.key)}
            self.requests += 1
            tie.guess = 1 + await count(self._session, self._object_id, equal) // tie.size
        while True:
            page = await self._fetch(tie.key, tie.guess, tie.size)
            rows = page.data
            at_end = _left(page, tie.guess, tie.size) <= 0
            if at_end or (rows and self._value(rows[-1]) != tie.key):
                tie.page = tie.guess
                return page
            if len(rows) < tie.size:
                await self._wait_for_more()
            else:
                tie.guess *= 2

    async def _settle(self, key: Any) -> None:
        """Wait while a stamp is so young that records may still appear under it."""
        if not isinstance(key, datetime):
            return
        wire = self._session.wire
        now = wire.server_time(wire.now())
        wait = _SETTLES if now is None else key.timestamp() + _SETTLES - now
        if wait > 0:
            await wire.sleep(min(wait, _SETTLES))

    # ---- asking ----------------------------------------------------------------------------

    async def _fetch(self, start: Any, number: int, size: int = PER_PAGE) -> Page[Record]:
        filters = self._filters
        if start is not None:
            filters = {**filters, self._by: {"$gte": _wire(start)}}
        query = Query(object_id=self._object_id, filters=filters or None, sort=self._by)
        self.requests += 1
        page = await query.fetch(self._session, number, size)
        self._check(page.data, start)
        return page

    def _check(self, rows: list[Record], start: Any) -> None:
        """Refuse an order, or a beginning, that the query does not explain."""
        if isinstance(start, str):
            start = None  # how a server orders text is not known here
        for row in rows:
            key = self._value(row)
            if isinstance(key, str):
                return
            if start is not None and key < start:
                raise self._ignored(f"it gave {key} after {start}")
            start = key

    def _value(self, row: Record) -> Any:
        value = key_of(row, self._by)
        if value is None or isinstance(value, (list, dict)):
            raise KantosError(
                f"record {row.id!r} has {value!r} in {self._by!r}, by which one cannot walk; "
                "walk by `created_at`"
            )
        return value

    def _ignored(self, what: str, does_not: str = "filter and sort") -> QueryIgnoredError:
        return QueryIgnoredError(
            f"the server does not {does_not} {self._object_id!r} by {self._by!r}: {what}",
            object_id=self._object_id,
            field=self._by,
        )


def _size(page: Page[Record]) -> int:
    """How many records a full page has, should the server allow fewer than were asked for."""
    return min(PER_PAGE, page.pagination.per_page if page.pagination.per_page > 0 else PER_PAGE)


def _left(page: Page[Record], number: int, size: int) -> int:
    """How many records follow page `number`, by the server's `total`."""
    return page.pagination.total - (number - 1) * size - len(page.data)


def _wire(key: Any) -> Any:
    return to_wire(key) if isinstance(key, datetime) else key

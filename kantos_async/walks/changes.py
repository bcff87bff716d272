"""`changes`: what was created or updated since a moment, for incremental sync."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from datetime import datetime, timedelta
from typing import Any

import attrs

from ..api.models import Record
from ..filters import to_wire
from ..paging import Page
from ..transport.session import Session
from .bounds import moment
from .keyset import KeysetPages, count

__all__ = ["ChangedPages", "Changes"]

#: How often a leg is read again because late records came into it, before the sort is to blame.
_REREADS = 3


@attrs.frozen
class _Leg:
    """The way from one request by key to the next."""

    start: datetime
    total: int  # records that match from `start` on
    passed: int  # records read before `start`
    rereads: int


class ChangedPages(KeysetPages):
    """Pages of records in the order of `updated_at`, with a proof that none is missing.

    That the API filters and sorts by `updated_at` is not documented, so it is proved on the way:
    from one request to the next, `total` must not fall by more than the records read. Where it
    falls by more, something was deleted or changed meanwhile, or records came in late, or the
    server does not sort; counts, which need no sort, tell which.

    Raises:
        QueryIgnoredError: the server ignores the filter or the sort.
    """

    def __init__(
        self, session: Session, object_id: str, *, since: datetime, until: datetime | None = None
    ) -> None:
        super().__init__(session, object_id, by="updated_at", start=since, stop=until)
        self._leg: _Leg | None = None

    async def _follows(self, page: Page[Record]) -> bool:
        if self._leg and not await self._proven(self._leg, page.pagination.total):
            return False
        rereads = self._leg.rereads if self._leg and self._leg.start == self._key else 0
        self._leg = _Leg(self._key, page.pagination.total, self._passed(), rereads)
        return True

    async def _may_end(self) -> bool:
        # The last page was full and reached beyond the stop: prove this leg as well.
        return not self._full or await self._follows(await self._fetch(self._key, 1))

    def _passed(self) -> int:
        """How many records were read that have a lesser key than the last."""
        return self._read - len(self._seen)

    async def _proven(self, leg: _Leg, total: int) -> bool:
        read = self._passed() - leg.passed
        if leg.total - total <= read:
            return True
        # The past only loses records: counted in this order, none that left makes it look more.
        before = await self._count_before(leg.start)
        if await self._count_before(self._key) - before <= read:
            return True
        if leg.rereads >= _REREADS:
            raise self._ignored(f"between {leg.start} and {self._key} it left out records")
        self._leg = attrs.evolve(leg, passed=self._read, rereads=leg.rereads + 1)
        self._key, self._seen, self._at_end = leg.start, set(), False
        return False

    async def _count_before(self, key: Any) -> int:
        self.requests += 1
        filters = {**self._filters, self._by: {"$lt": to_wire(key)}}
        return await count(self._session, self._object_id, filters)


class Changes(AsyncIterator[Record]):
    """The records updated since a moment, oldest change first; `watermark` is what to store.

    It is one pass: what was read is not given again. Leaving early and storing `watermark` is
    safe as well.
    """

    def __init__(
        self,
        session: Session,
        object_id: str,
        *,
        since: datetime,
        until: datetime | None,
        overlap: timedelta,
    ) -> None:
        if overlap < timedelta(0):
            raise ValueError(f"overlap={overlap!r}: must not be negative")
        self._since = moment("since", since)
        until = None if until is None else moment("until", until)
        if until is not None and until < self._since:
            raise ValueError(f"until={until!r} is before since={since!r}")
        self._overlap = overlap
        self._newest: datetime | None = None
        self._pages = ChangedPages(session, object_id, since=self._since, until=until)
        self._records: Iterator[Record] = iter(())

    def __aiter__(self) -> Changes:
        return self

    async def __anext__(self) -> Record:
        while True:
            for record in self._records:
                self._newest = record.updated_at
                return record
            self._records = iter(await self._pages.__anext__())

    @property
    def watermark(self) -> datetime:
        """Where the next run is to start: the newest stamp read less `overlap`.

        It is by the server's clock, and never before `since`.
        """
        if self._newest is None:
            return self._since
        return max(self._since, self._newest - self._overlap)

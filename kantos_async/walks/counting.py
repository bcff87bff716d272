"""Which known records are gone, found by counting.

The server counts the records created before a moment; who knows which records there were counts
the same, and the difference is how many of them are gone. Halving finds them in a few requests
among any number. Each request asks for the page of records just before its moment, so that it
also settles these by their ids.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Protocol

import attrs

from ..api.models import Record
from ..errors import QueryIgnoredError
from ..filters import to_wire
from ..paging import PER_PAGE, Page, Query
from ..transport.session import Session
from .bounds import TICK
from .keyset import KeysetPages

__all__ = ["Ledger", "find_gone", "walk_cost"]

_BEGINNING = datetime.min.replace(tzinfo=UTC)


class Ledger(Protocol):
    """The records that are believed to be there, in the order of their creation."""

    def before(self, moment: datetime) -> int:
        """How many were created before `moment`."""
        ...

    def at(self, index: int) -> datetime:
        """When the one at `index` was created; 0 is the oldest."""
        ...

    def between(self, start: datetime, stop: datetime) -> Mapping[str, datetime]:
        """Those created from `start` to before `stop`: id to `created_at`."""
        ...


def walk_cost(records: int) -> float:
    """How many requests a walk over so many records is expected to take."""
    return 1.02 * records / PER_PAGE + 1


async def find_gone(
    session: Session, object_id: str, ledger: Ledger, stop: datetime
) -> dict[str, datetime] | None:
    """The known records created before `stop` that the server no longer counts nor shows.

    An equal count proves equal sets in one request. Records that `ledger` lacks must not have
    been created before `stop`, the last hundred aside.

    Returns:
        id to `created_at`; None where a walk is cheaper, or the counts say that `ledger` lacks
        records: then only a walk can tell.

    Raises:
        QueryIgnoredError: the server ignores the filter or the sort on `created_at`.
    """
    return await _Search(session, object_id, ledger, stop).run()


@attrs.frozen
class _Mark:
    """A moment, how many known records were created before it, and how many of them are gone."""

    moment: datetime
    index: int
    gone: int


_START = _Mark(_BEGINNING, 0, 0)


class _GaveUp(Exception):
    """Counting does not lead on, or no longer pays."""


class _Search:
    def __init__(self, session: Session, object_id: str, ledger: Ledger, stop: datetime) -> None:
        self._session = session
        self._object_id = object_id
        self._ledger = ledger
        self._stop = stop
        self._most = walk_cost(ledger.before(stop))
        self._spent = 0
        self._found: dict[str, datetime] = {}
        self._explained: list[datetime] = []  # the stamps of those found before this round

    async def run(self) -> dict[str, datetime] | None:
        try:
            while True:
                found = len(self._found)
                edge, _ = await self._probe(self._stop)
                if edge.gone < 0 and not found:
                    return None
                if edge.gone <= 0:
                    return self._found
                if self._cost(edge.gone) > self._most:
                    return None
                await self._halve(edge)
                if len(self._found) == found:
                    return None
                # Deletions during the search can have hidden older ones from it: count again.
                self._explained = sorted(self._found.values())
        except _GaveUp:
            return None

    def _cost(self, gone: int) -> float:
        return gone * (math.log2(max(self._most / gone, 1)) + 1) + 2

    async def _halve(self, high: _Mark) -> None:
        spans = [(_START, high)]
        while spans:
            low, high = spans.pop()
            if high.index <= low.index or high.gone <= low.gone:
                continue
            if self._spent > self._most:
                raise _GaveUp
            moment = self._middle(low, high)
            if moment is None:
                await self._read(low, high)
                continue
            edge, mark = await self._probe(moment)
            spans += [(low, edge), (mark, high)]

    def _middle(self, low: _Mark, high: _Mark) -> datetime | None:
        """The moment to ask for next; None when all between share one stamp, and fill a page.

        Whole pages are counted off, so that every answer settles a full page.
        """
        known = high.index - low.index
        if known <= PER_PAGE:
            return high.moment
        pages = math.ceil(known / PER_PAGE)
        moment = self._ledger.at(low.index + math.ceil(pages / 2) * PER_PAGE)
        if self._ledger.before(moment) > low.index:
            return moment
        following = self._ledger.before(moment + TICK)
        return self._ledger.at(following) if following < high.index else None

    async def _probe(self, moment: datetime) -> tuple[_Mark, _Mark]:
        """Ask for the page before `moment`: a mark at its lower edge, and one at `moment`."""
        query = Query(
            object_id=self._object_id,
            filters={"created_at": {"$lt": to_wire(moment)}},
            order="desc",
        )
        page = await query.fetch(self._session, 1, PER_PAGE)
        self._spent += 1
        self._check(page, moment)
        total, rows = page.pagination.total, page.data
        base = self._base(rows, moment) if total > len(rows) else _BEGINNING
        present = {row.id for row in rows if row.created_at >= base}
        for record_id, created in self._ledger.between(base, moment).items():
            if record_id not in present:
                self._found[record_id] = created
        return self._mark(base, total - len(present)), self._mark(moment, total)

    def _base(self, rows: list[Record], moment: datetime) -> datetime:
        """From where on a page is complete: after its last stamp, which the page may cut."""
        if not rows:
            return moment
        following = self._ledger.before(rows[-1].created_at + TICK)
        if following < self._ledger.before(moment):
            return self._ledger.at(following)
        return moment

    def _mark(self, moment: datetime, count: int) -> _Mark:
        known = self._ledger.before(moment)
        return _Mark(moment, known, known - bisect_left(self._explained, moment) - count)

    async def _read(self, low: _Mark, high: _Mark) -> None:
        """Read all that shares one stamp."""
        start = self._ledger.at(low.index)
        known = self._ledger.between(start, high.moment)
        present: set[str] = set()
        pages = KeysetPages(self._session, self._object_id, start=start, stop=high.moment)
        async for rows in pages:
            present.update(row.id for row in rows)
        self._spent += pages.requests
        self._found.update((each, known[each]) for each in known.keys() - present)

    def _check(self, page: Page[Record], moment: datetime) -> None:
        stamp = moment
        for index, row in enumerate(page.data):
            if row.created_at > stamp or (index == 0 and row.created_at == moment):
                raise QueryIgnoredError(
                    f"the server does not filter and sort {self._object_id!r} by 'created_at': "
                    f"it gave {row.created_at} before {stamp}",
                    object_id=self._object_id,
                    field="created_at",
                )
            stamp = row.created_at

"""The reads of a sync: each takes what it shows into the mirror."""

from __future__ import annotations

import time
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime
from functools import partial
from typing import Any

from ..api.models import Record
from ..api.records import get_record
from ..errors import (
    BadRequestError,
    NotFoundError,
    QueryIgnoredError,
    UnprocessableEntityError,
)
from ..paging import PER_PAGE, Page, Query
from ..walks.counting import find_gone
from ..walks.keyset import KeysetPages
from . import rules
from .errors import SyncStoppedError
from .mirror import Base, Mirror, micros, moment
from .parts import Parts
from .rows import Input
from .values import asked_as
from .wires import all_of

__all__ = ["Reads"]

_SHOWN = """
DROP TABLE IF EXISTS temp.shown;
CREATE TEMP TABLE shown (id TEXT PRIMARY KEY) WITHOUT ROWID;
"""


class Reads:
    """Probe, delta, walk, look-up, and the count that finds what is gone."""

    def __init__(self, parts: Parts) -> None:
        self._session = parts.session
        self._options = parts.options
        self._policy = parts.options.policy
        self._state = parts.state
        self._mirror = parts.mirror
        self._report = parts.report
        self._spool = parts.spool
        self._kind = parts.schema.type_of(parts.options.key or "")
        self._spells = True  # keys are asked for in each way that a record may write them

    def server_time(self, when: float) -> float:
        """The earliest that the server's clock may have shown at our `when`."""
        at = self._session.wire.server_time(when)
        return time.time() if at is None else at

    # ---- the newest hundred changes --------------------------------------------------------

    async def probe(self) -> tuple[Page[Record], float]:
        """The page that sorting by `updated_at`, newest first, gives, and the server's time."""
        sent = self._session.wire.now()
        query = Query(object_id=self._options.object_id, sort="updated_at", order="desc")
        page = await query.fetch(self._session, 1, PER_PAGE)
        return page, self.server_time(sent)

    def is_proven(self, page: Page[Record]) -> bool:
        """Whether the server was seen to sort by `updated_at`, here or before."""
        stamps = [self._mirror.stamps(record) for record in page]
        if self._state.meta.sorts:
            proven = rules.is_sorted(stamps)
        else:
            last, known = stamps[-1].created, self._mirror.count()
            gone = max(0, known - page.pagination.total)
            older = self._mirror.count(last) - gone
            newer = known - self._mirror.count(last + 1) - gone
            proven = rules.proves_sort(stamps, older, newer)
        if proven != self._state.meta.sorts:
            self._state.set(sorts=proven)
        return proven

    async def take(self, records: Sequence[Record]) -> None:
        """Take in what a search showed, and ask the records themselves where it may be old."""
        doubtful = self._mirror.apply(records)
        await all_of(self._session, [partial(self._ask, record_id) for record_id in doubtful])

    async def _ask(self, record_id: str) -> None:
        if not await self.is_alive(record_id):
            self._mirror.forget(record_id)

    async def is_alive(self, record_id: str) -> bool:
        """Ask a record itself; what it tells is taken in."""
        try:
            record = await get_record(self._session, record_id=record_id)
        except NotFoundError:
            return False
        self._mirror.told(record)
        return True

    def advance(self, records: Iterable[Record]) -> None:
        """All changes up to the newest of these are known now."""
        newest = max((micros(record.updated_at) for record in records), default=None)
        old = self._state.meta.watermark
        if newest is not None and (old is None or newest > old):
            self._state.set(watermark=newest)

    # ---- what changed ----------------------------------------------------------------------

    async def delta(self, start: int, most: float, probe: Page[Record]) -> int | None:
        """Read what changed from the stamp `start` on; how many records that were.

        None where they are more than `most`, or where the server does not tell.

        What the `probe` shows is not read again.
        """
        pages = KeysetPages(
            self._session, self._options.object_id, by="updated_at", start=moment(start)
        )
        whole, reach = probe.pagination.total, probe.data[-1].updated_at
        try:
            rows: list[Record] = await anext(pages, [])
            total = pages.total or 0
            if not rules.proves_filter(list(map(self._mirror.stamps, rows)), start, total, whole):
                return None
            if total > most:
                return None
            last = rows
            while rows:
                await self.take(rows)
                last = rows
                if rows[-1].updated_at > reach:
                    last = probe.data
                    await self.take(last)
                    break
                rows = await anext(pages, [])
        except QueryIgnoredError:
            self._state.set(sorts=False)
            return None
        self.advance(last)
        return total

    def all_is_read(self, now: float) -> None:
        """All changes up to the server's time `now` were read, as far as searches show them."""
        self._state.set(read_at=now)
        lag, margin = self._state.meta.lag, self._policy.margin
        if lag > margin / 2:
            self._report.warn(
                f"searches lagged {lag:.1f} s behind our writes; "
                f"SyncPolicy(margin={margin:g}) should be at least twice that"
            )

    # ---- everything ------------------------------------------------------------------------

    def walk(self) -> KeysetPages:
        """All records, by `created_at`."""
        return KeysetPages(self._session, self._options.object_id)

    async def take_walk(
        self, pages: KeysetPages | None, first: Sequence[Record], now: float
    ) -> None:
        """Take in a whole walk; records of the mirror that it lacks are confirmed to be gone.

        Args:
            pages: what follows `first`, its first page.
            now: the server's time at the beginning.
        """
        with self._state.whole() as db:
            for statement in _SHOWN.split(";"):
                db.execute(statement)
        rows: Sequence[Record] = first
        while rows:
            with self._state.whole() as db:
                db.executemany(
                    "INSERT OR IGNORE INTO temp.shown VALUES (?)", [(row.id,) for row in rows]
                )
            await self.take(rows)
            rows = [] if pages is None else await anext(pages, [])
        before = rules.settled_before(now, self._policy.margin)
        await self.confirm_gone(self._mirror.not_shown(before), now)
        self._state.set(walked_at=now)

    # ---- some keys -------------------------------------------------------------------------

    async def look_up_each(self, rows: Sequence[Input]) -> None:
        """Look up the keys of some rows, at most a hundred; fail those that the server refuses.

        Raises:
            BadRequestError, UnprocessableEntityError: it refuses each of several.
        """
        try:
            return await self.look_up(rows)
        except (BadRequestError, UnprocessableEntityError) as error:
            named = [row for row in rows if row.width]
            if self._spells and any(len(self._asked(row)) > 1 for row in named):
                self._spells = False  # it may be our ways of writing a date
                return await self.look_up_each(rows)
            if not await self._look_up_parts(named) and len(named) > 1:
                raise  # then it is not the keys
            if len(named) == 1:
                self._spool.refuse(named[0], error)

    async def _look_up_parts(self, rows: Sequence[Input]) -> int:
        """Look up what can be looked up of rows that cannot all be; how many these are."""
        half, good = len(rows) // 2, 0
        for part in (rows[:half], rows[half:]) if half else ():
            try:
                await self.look_up(part)
                good += len(part)
            except (BadRequestError, UnprocessableEntityError) as error:
                good += await self._look_up_parts(part)
                if len(part) == 1:
                    self._spool.refuse(part[0], error)
        return good

    def _asked(self, row: Input) -> list[Any]:
        key = self._options.key
        assert key is not None
        ways = asked_as(self._kind, row.values()[key])
        return ways if self._spells else ways[:1]

    async def look_up(self, rows: Sequence[Input]) -> None:
        """Look up the keys of some rows, at most a hundred."""
        key = self._options.key
        assert key is not None
        asked = {row.key: self._asked(row) for row in rows if row.width and row.key is not None}
        if not asked:
            return
        if key == "id":  # a filter on ids is only inferred
            await all_of(self._session, [partial(self._ask, text) for text in asked])
            return
        found = await self._query_keys(key, [way for ways in asked.values() for way in ways])
        self._match_folded(asked, found)
        ids = {record.id for record in found}
        stale = [
            known.id
            for text in asked
            for known in self._mirror.candidates(text, self._mirror.base(text))
            if known.id not in ids
        ]
        # A search may not show what is there; only the record itself can tell that it is gone.
        await all_of(self._session, [partial(self._ask, record_id) for record_id in stale])

    async def _query_keys(self, key: str, values: Sequence[Any]) -> list[Record]:
        filters = {key: {"$in": list(values)}}
        object_id = self._options.object_id
        query = Query(object_id=object_id, filters=filters)
        page = await query.fetch(self._session, 1, PER_PAGE)
        await self.take(page.data)
        found = list(page.data)
        if page.data and rules.is_cut_off(len(page), page.pagination.total):
            start = page.data[-1].created_at
            async for rows in KeysetPages(self._session, object_id, filters=filters, start=start):
                await self.take(rows)
                found += rows
        return found

    def _match_folded(self, asked: Mapping[str, Any], found: Iterable[Record]) -> None:
        """Keys that the server finds in another case are the same keys to it."""
        answered = {self._mirror.key_of(record) for record in found}
        folded = {text.casefold(): text for text in asked if text not in answered}
        with self._state.whole():
            for text in answered:
                if text is None or text in asked or text.casefold() not in folded:
                    continue
                ours = folded[text.casefold()]
                base = self._mirror.base(ours) or Base(None, b"", b"")
                self._mirror.agree(ours, base._replace(answered=text))

    # ---- what is gone ----------------------------------------------------------------------

    async def count(self, page: Page[Record], now: float) -> bool:
        """Find what is gone by counting; False where only a walk can tell.

        Args:
            page: the probe. If it shows all that is too young to count, its total tells.
            now: the server's time when it was asked for.
        """
        before = rules.settled_before(now, self._policy.margin)
        if rules.is_settled(micros(page.data[-1].updated_at), before):
            young = sum(not rules.is_settled(micros(record.created_at), before) for record in page)
            if page.pagination.total - young == self._mirror.count(before):
                return True
        gone = await find_gone(
            self._session, self._options.object_id, _Ledger(self._mirror), moment(before)
        )
        if gone is None:
            return False
        await self.confirm_gone({name: micros(stamp) for name, stamp in gone.items()}, now)
        return True

    async def confirm_gone(self, gone: Mapping[str, int], now: float) -> None:
        """Drop what is gone from the mirror, after asking enough of the records themselves.

        Raises:
            SyncStoppedError: it is too much.
        """
        known = self._mirror.count()
        if len(gone) > self._policy.max_vanished * known:
            raise SyncStoppedError(
                f"{len(gone)} of {known} records known from the last run seem to be gone, more "
                f"than max_vanished={self._policy.max_vanished:g} allows; wrong rights look the "
                "same. If it is true, delete the state file, or raise SyncPolicy(max_vanished=)"
            )
        young = [name for name, created in gone.items() if rules.must_ask(created, now)]
        old = sorted(gone.keys() - set(young))
        step = max(1, len(old) // self._policy.sample)
        asked = {*young, *old[::step][: self._policy.sample]}
        rest = gone.keys() - asked
        if await self._find_alive(asked):
            await self._find_alive(rest)  # the index is ill
        else:
            for record_id in rest:
                self._drop(record_id)

    async def _find_alive(self, ids: Collection[str]) -> bool:
        alive = False

        async def ask(record_id: str) -> None:
            nonlocal alive
            if await self.is_alive(record_id):
                alive = True
            else:
                self._drop(record_id)

        await all_of(self._session, [partial(ask, record_id) for record_id in sorted(ids)])
        return alive

    def _drop(self, record_id: str) -> None:
        self._mirror.forget(record_id)
        self._report.vanished += 1


class _Ledger:
    """The mirror as `find_gone` wants to see it."""

    def __init__(self, mirror: Mirror) -> None:
        self._mirror = mirror

    def before(self, moment: datetime) -> int:
        return self._mirror.count(micros(moment))

    def at(self, index: int) -> datetime:
        return moment(self._mirror.created_at(index))

    def between(self, start: datetime, stop: datetime) -> dict[str, datetime]:
        found = self._mirror.created_between(micros(start), micros(stop))
        return {name: moment(stamp) for name, stamp in found.items()}

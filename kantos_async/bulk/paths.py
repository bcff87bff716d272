"""Chooses the cheapest path to know what differs, and keeps what it showed fresh."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from math import inf

from ..api.models import Record
from ..paging import Page
from . import rules
from .doubts import Doubts
from .mirror import micros
from .parts import Parts
from .plan import LARGE, follow, mirror_pays, walk_pays, walk_reads
from .reads import Reads
from .report import Path
from .rows import Input, in_lookups
from .wires import all_of

__all__ = ["Paths"]

#: What was read is believed for so many seconds.
FRESH = 300.0


class Paths:
    """Knows how the run learns what differs.

    Attributes:
        path, why: the way, and the reason for it in words; known after `prepare`.
        whole: whether the mirror holds the whole object.
        records: how many records the object has, as last seen.
    """

    def __init__(self, parts: Parts, reads: Reads, doubts: Doubts) -> None:
        self._session = parts.session
        self._options = options = parts.options
        self._margin = options.policy.margin
        self._state = parts.state
        self._reads = reads
        self._doubts = doubts
        self._report = parts.report
        self._spool = parts.spool
        self._has_rows = parts.spool.lookups > 0
        # Ids cannot be looked up; and what the input lacks, only the whole object shows.
        whole_needed = options.key == "id" or options.delete_missing
        self._lookups = LARGE if whole_needed else parts.spool.lookups
        self.path: Path = "nothing"
        self.why = "no row can be written"
        self.whole = False
        self.records = 0
        self._read_at = 0.0
        self._looked_up: dict[int, float] = {}  # last row of a batch -> when

    # ---- before the first write ------------------------------------------------------------

    async def prepare(self) -> None:
        """Choose the path, and read what must be known before the first write.

        Raises:
            SyncStoppedError: so many records are gone that something else must be wrong.
        """
        if self._options.key is None:
            self._choose("direct", "every row is a new record")
        elif self._has_rows and self._state.path is not None:
            await self._with_state()
        elif self._has_rows:
            await self._without_state()
        self._read_at = self._session.wire.now()
        self._report.path = self.path

    def _choose(self, path: Path, why: str, whole: bool = False) -> None:
        self.path, self.why, self.whole = path, why, whole

    def costs(self) -> str:
        """What learning what differs takes, in words."""
        walk = f"a walk of {walk_reads(self.records)} requests"
        return walk if self._lookups >= LARGE else f"{self._lookups} look-ups, or {walk}"

    async def _without_state(self) -> None:
        if self._options.key == "id":
            self._choose("direct", "rows name their records, and no state knows the values")
            return
        await self._let_writes_appear()
        if self._lookups == 1:
            self._choose("lookup", "one look-up is all there is to ask")
            return
        now, pages = self._session.wire.now(), self._reads.walk()
        first: list[Record] = await anext(pages, [])
        self.records = pages.total or 0
        if not self.records:
            self._choose("empty", "the object has no records", whole=True)
        elif len(first) >= self.records or walk_pays(self._lookups, self.records):
            self._choose("walk", self.costs(), whole=True)
            await self._reads.take_walk(pages, first, self._reads.server_time(now))
        else:
            self._choose("lookup", self.costs())

    async def _with_state(self) -> None:
        mirrored = self._state.meta.walked_at is not None
        page, now = await self._reads.probe()
        if await self._doubts.let_appear() or (not mirrored and await self._let_writes_appear()):
            page, now = await self._reads.probe()
        self.records = page.pagination.total
        if mirrored and not self._reconcile_is_due(now):
            await self._follow(page, now)
        elif mirrored or self._mirror_pays(page):
            why = "the mirror is read anew (`reconcile`)" if mirrored else "a new state"
            await self._walk(page, now, f"{why}: {self.costs()}")
        else:
            self._choose("lookup", f"a mirror would not pay: {self.costs()}")
        if self.whole:
            self._reads.advance(page)
            self._reads.all_is_read(now)
            if not self.records:
                self._choose("empty", "the object has no records", whole=True)
        elif mirrored:
            await self._let_writes_appear()
        await self._doubts.settle()

    def _mirror_pays(self, page: Page[Record]) -> bool:
        return len(page) >= self.records or mirror_pays(
            self._lookups, self.records, self._options.policy.payback
        )

    async def _walk(self, page: Page[Record], now: float, why: str) -> None:
        self._choose("walk", why, whole=True)
        rows, pages = page.data, None
        if len(page) < self.records:
            pages = self._reads.walk()
            rows = await anext(pages, [])
        await self._reads.take_walk(pages, rows, now)

    async def _follow(self, page: Page[Record], now: float) -> None:
        """Read what changed since the last run; where that cannot be known, look up or walk."""
        if len(page) >= self.records:
            await self._walk(page, now, "")
            self._choose("delta", "one page shows all records", whole=True)
            return
        tells = self._reads.is_proven(page)
        if tells and await self._read_changes(page, now):
            return
        if follow(self._lookups, self.records, tells) == "lookup":
            self._choose("lookup", self.costs())
        else:
            await self._walk(page, now, self.costs())

    async def _read_changes(self, page: Page[Record], now: float) -> bool:
        """Read what changed since the watermark; False without one, or where that is too much."""
        watermark = self._state.meta.watermark
        if watermark is None:
            return False
        start = rules.delta_start(watermark, self._margin)
        if micros(page.data[-1].updated_at) < start:
            await self._reads.take(page.data)
            why = "the newest hundred changes reach back to the last run"
        else:
            most = 100 * min(self._lookups, walk_reads(self.records))
            changed = await self._reads.delta(start, most, page)
            if changed is None:
                return False
            why = f"{changed} records changed since the last run"
        self._choose("delta", why, whole=True)
        if not await self._reads.count(page, now):
            await self._walk(page, now, f"only a walk shows what is gone: {self.costs()}")
        return True

    def _reconcile_is_due(self, now: float) -> bool:
        every, walked_at = self._options.policy.reconcile, self._state.meta.walked_at
        if every is None or walked_at is None or now - walked_at < every.total_seconds():
            return False
        self._state.set(schema=None)  # read again by the next run
        return True

    # ---- waiting for searches --------------------------------------------------------------

    async def _let_writes_appear(self) -> bool:
        """What we wrote a moment ago a search may not show yet; whether we waited."""
        wire, waited = self._session.wire, False
        last = wire.kept.get(f"bulk:{self._options.object_id}")
        if last is not None and (pause := rules.wait_after(last[0], wire.now(), self._margin)):
            await wire.sleep(pause)
            waited = True
        wrote_at = self._state.meta.wrote_at
        return (wrote_at is not None and await self._wait(wrote_at)) or waited

    async def _wait(self, moment: float) -> bool:
        wire = self._session.wire
        pause = rules.wait_after(moment, self._reads.server_time(wire.now()), self._margin)
        if pause:
            await wire.sleep(pause)
        return pause > 0

    # ---- while the run writes --------------------------------------------------------------

    async def look_up(self, batches: Sequence[Sequence[Input]]) -> None:
        """On the look-up path: ask for the keys of rows that are decided next."""
        if self.path != "lookup":
            return
        now = self._session.wire.now()
        due = [batch for batch in batches if now - self._looked_up.get(batch[-1].n, -inf) >= FRESH]
        await all_of(self._session, [partial(self._reads.look_up_each, batch) for batch in due])
        self._looked_up.update((batch[-1].n, now) for batch in due)

    @property
    def reads_all(self) -> bool:
        """Whether what is known was read before the first row: neither row by row, nor never."""
        return self.path not in {"lookup", "direct"}

    @property
    def is_old(self) -> bool:
        """Whether what is known must be looked at again before something is written by it."""
        return self.reads_all and self._session.wire.now() - self._read_at >= FRESH

    async def look_again(self, rows: Sequence[Input]) -> None:
        """Look up rows that are about to be written."""
        chunks = in_lookups(rows)
        await all_of(self._session, [partial(self._reads.look_up_each, chunk) for chunk in chunks])
        self._spool.note_asked(rows)

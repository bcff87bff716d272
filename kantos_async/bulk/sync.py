"""`upsert_many` and its relatives."""

from __future__ import annotations

from collections import Counter
from functools import partial
from math import ceil, inf

import anyio.lowlevel

from ..transport.session import Session
from .account import check_key, claim, read_schema
from .decide import Decision
from .doubts import Doubts
from .errors import RowError, SyncStoppedError
from .journal import Journal
from .mirror import Mirror
from .parts import Parts
from .paths import FRESH, Paths
from .pipeline import Pipeline
from .policy import Options
from .reads import Reads
from .report import Outcome, Plan, Status
from .rows import PER_LOOKUP, Input, Source, Spool
from .run import Run
from .schema import Schema
from .state import State
from .writer import Writer, direct

__all__ = ["BulkRun"]

#: Batches that are looked up at once while little is written.
_AHEAD = 16


class BulkRun(Run):
    """Creates, updates or deletes records by the rows of an input. See `Run` for its use."""

    _parts: Parts
    _paths: Paths
    _writer: Writer
    _journal: Journal

    def __init__(self, session: Session, rows: Source, options: Options) -> None:
        super().__init__(session, options.state, options.max_requests, options.stop_after_failures)
        self._source = rows
        self._options = options
        self._loaded = 0  # rows up to here are in the pipeline
        self._checked = 0  # rows up to here may be written by what is known
        self._checked_at = -inf
        self._ahead = 1
        self._missing = 0  # records that the input lacks, and that will be deleted

    # ---- before the first write ------------------------------------------------------------

    async def _prepare(self, state: State) -> None:
        options, session = self._options, self._session
        source, self._source = self._source, ()  # what it holds is let go, come what may
        if options.state is not None and options.key is not None:
            await claim(session, state, options.object_id, options.key)
        schema, is_old = state.meta.schema, True

        async def reread() -> Schema:
            nonlocal schema, is_old
            if schema is None or is_old:
                schema, is_old = await read_schema(session, state, options.object_id), False
            return schema

        if schema is None or schema.lacks(options.key or "id"):
            schema = await reread()
        check_key(schema, options, self._report)
        spool = Spool(state, schema, options)
        await spool.fill(source, reread)
        state.manage(spool.fields)
        self._report.rows = spool.count
        self._report.dropped = tuple(sorted(spool.dropped))
        self._parts = parts = Parts(
            session=session,
            options=options,
            schema=schema,
            state=state,
            spool=spool,
            mirror=Mirror(state, spool, schema, options),
            report=self._report,
        )
        reads = Reads(parts)
        self._journal = Journal(state, spool, schema, options.undo)
        self._paths = Paths(parts, reads, Doubts(parts, self._journal))
        self._writer = Writer(parts, reads, self._journal)
        await self._paths.prepare()
        if options.delete_missing:
            self._count_missing()

    def _conclude(self) -> None:
        self._journal.end()

    def _needs(self) -> str:
        needs = super()._needs()
        paths = getattr(self, "_paths", None)
        if paths is None or not paths.records:
            return needs
        return f"{needs} (to know what differs takes {paths.costs()})"

    # ---- rows ------------------------------------------------------------------------------

    async def _load(self, pipeline: Pipeline) -> bool:
        await anyio.lowlevel.checkpoint()  # most rows need no request, and others want their turn
        batches = self._next_batches()
        if not batches:
            return await self._load_missing(pipeline)
        refused = self._parts.spool.refused
        await self._paths.look_up(batches)
        written = 0
        for rows in batches:
            await self._check(rows)
            batch = rows if self._parts.spool.refused == refused else self._parts.spool.again(rows)
            settled = self._settled(batch)
            with self._parts.mirror.whole():
                for row in batch:
                    if row.n in settled:
                        pipeline.pass_on(_unchanged(row, settled[row.n]))
                    else:
                        written += self._put(pipeline, row)
                    if pipeline.halted is not None:
                        return True
            self._loaded = batch[-1].n
        # Where little is written, many look-ups at once make up for the time that each takes.
        self._ahead = 1 if written > 10 * len(batches) else min(2 * self._ahead, _AHEAD)
        return True

    def _next_batches(self) -> list[list[Input]]:
        batches: list[list[Input]] = []
        after = self._loaded
        while len(batches) < self._ahead and (batch := self._parts.spool.take(after)):
            batches.append(batch)
            after = batch[-1].n
        return batches

    def _settled(self, batch: list[Input]) -> dict[int, str]:
        if self._options.mode == "delete" or self._paths.path == "direct":
            return {}
        return self._parts.mirror.settled(batch[0].n, batch[-1].n)

    def _put(self, pipeline: Pipeline, row: Input) -> bool:
        """Hand one row to the pipeline; whether it needs a write."""
        decision = self._decide(row)
        if decision is None:
            pipeline.pass_on(self._refused(row))
            return False
        self._report.twins += decision.twins
        self._report.drifted += decision.drifted
        if decision.action in {"nothing", "fail"}:
            pipeline.pass_on(self._writer.conclude(row, decision))
            return False
        pipeline.submit(partial(self._writer.write, row, decision))
        return True

    def _decide(self, row: Input) -> Decision | None:
        """What to do about a row; None for one that is not to be written."""
        if row.problem is not None or row.winner is not None:
            return None
        if self._paths.path == "direct":
            return direct(row, self._options.mode)
        return self._writer.decide(row)

    def _refused(self, row: Input) -> Outcome:
        if row.problem is not None:
            why = row.problem
        elif self._options.on_duplicate == "last":
            note = f"row {row.winner} has the same key, and wins"
            records = [] if row.key is None else self._parts.mirror.find(row.key)
            found = records[0].id if records else None
            return Outcome(row=row.n, key=row.key, status="unchanged", record_id=found, note=note)
        else:
            why = f"row {row.winner} has the same key"
        error = RowError(f"row {row.n}: {why}")
        return Outcome(row=row.n, key=row.key, status="failed", error=error)

    # ---- looking again before writing ------------------------------------------------------

    async def _check(self, batch: list[Input]) -> None:
        """See to it that what is written by these rows is known well enough."""
        if not self._paths.reads_all:
            return
        is_old, now = self._paths.is_old, self._session.wire.now()
        if is_old and now - self._checked_at >= FRESH:
            self._checked, self._checked_at = self._loaded, now
        while self._checked < batch[-1].n:
            rows = await self._take_unsure(is_old)
            await self._paths.look_again(rows)

    async def _take_unsure(self, is_old: bool) -> list[Input]:
        """The next rows whose records must be looked at again; marks all up to there as checked."""
        rows: list[Input] = []
        block = self._options.policy.reread
        while len(rows) < block and (batch := self._parts.spool.take(self._checked)):
            await anyio.lowlevel.checkpoint()
            settled = self._settled(batch)
            for row in batch:
                self._checked = row.n
                if row.n not in settled and self._is_unsure(row, is_old):
                    rows.append(row)
                    if len(rows) == block:
                        break
        return rows

    def _is_unsure(self, row: Input, is_old: bool) -> bool:
        """Whether a row's record must be looked at before the row is written.

        Because what is known of it is old; or because undo needs the values that it has; or
        because a record has its key in another case, and only the server knows whether it is one.
        """
        if self._is_like(row):
            return True
        if not is_old and not self._options.keeps_old_values:
            return False
        decision = self._decide(row)
        if decision is None or decision.action in {"nothing", "fail"}:
            return False
        if decision.target is None:
            return is_old and not self._writer.is_guarded
        return is_old or self._parts.spool.held(decision.target.id) is None

    def _is_like(self, row: Input) -> bool:
        if row.key is None or row.width == 0 or self._options.key == "id":
            return False
        return self._paths.reads_all and self._parts.mirror.is_like(row.n, row.key)

    # ---- what the input lacks --------------------------------------------------------------

    def _count_missing(self) -> None:
        """Find the records that the input lacks.

        Raises:
            SyncStoppedError: they are too many.
        """
        if not self._parts.spool.lookups or self._parts.spool.nameless:
            what = "the input is empty" if not self._parts.spool.count else "some rows have no key"
            self._report.warn(f"nothing is deleted: {what}")
            return
        self._missing = self._parts.mirror.mark_missing()
        most = self._options.max_deletes
        if isinstance(most, float):
            most *= self._paths.records
        if self._missing > most:
            raise SyncStoppedError(
                f"delete_missing would delete {self._missing} of {self._paths.records} records, "
                f"more than max_deletes={self._options.max_deletes} allows; nothing was written"
            )

    async def _load_missing(self, pipeline: Pipeline) -> bool:
        missing = self._parts.mirror.next_missing(PER_LOOKUP) if self._missing else []
        if missing:
            await pipeline.drained()  # a row may yet turn out to be one of these records
        for record_id in missing:
            pipeline.submit(partial(self._writer.delete_missing, record_id))
        return bool(missing)

    # ---- the plan --------------------------------------------------------------------------

    async def _plan(self) -> Plan:
        counts: Counter[str] = Counter()
        after = 0
        while batch := self._parts.spool.take(after):
            after = batch[-1].n
            await anyio.lowlevel.checkpoint()
            refused = self._parts.spool.refused
            await self._paths.look_up([batch])
            if like := [row for row in batch if self._is_like(row)]:
                await self._paths.look_again(like)
            if self._parts.spool.refused > refused:
                batch = self._parts.spool.again(batch)
            settled = self._settled(batch)
            counts["unchanged"] += len(settled)
            for row in batch:
                if row.n in settled:
                    continue
                decision = self._decide(row)
                counts[_expected(decision) if decision else self._refused(row).status] += 1
                counts["writes"] += decision is not None and decision.writes
                counts["unsure"] += self._is_unsure(row, False)
        tally, missing = self._session.tally, self._missing
        reads = missing + self._reads_before(counts["unsure"])
        writes = missing + counts["writes"]
        return Plan(
            path=self._paths.path,
            why=self._paths.why,
            reads=tally.reads + reads,
            writes=writes,
            rows=self._parts.spool.count,
            created=counts["created"],
            updated=counts["updated"],
            unchanged=counts["unchanged"],
            kept=counts["kept"],
            deleted=counts["deleted"] + missing,
            failed=counts["failed"],
            seconds=self._seconds(reads + writes),
        )

    def _reads_before(self, unsure: int) -> int:
        """How many look-ups so many rows take before they are written."""
        if not self._paths.reads_all:
            return 0
        if self._options.key == "id":
            return unsure
        block = self._options.policy.reread
        blocks, rest = divmod(unsure, block)
        return blocks * ceil(block / PER_LOOKUP) + ceil(rest / PER_LOOKUP)

    def _seconds(self, requests: int) -> float | None:
        """How long so many requests take at the quota last seen, which is a minute's."""
        limit = self._session.wire.stats().limit
        return None if limit is None else 60.0 * requests / limit


def _unchanged(row: Input, record_id: str) -> Outcome:
    return Outcome(row=row.n, key=row.key, status="unchanged", record_id=record_id)


def _expected(decision: Decision) -> Status:
    if decision.kept:
        return "kept"
    return _EXPECTED[decision.action]


_EXPECTED: dict[str, Status] = {
    "create": "created",
    "update": "updated",
    "delete": "deleted",
    "nothing": "unchanged",
    "fail": "failed",
}

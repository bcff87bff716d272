"""Takes back what the last run with a state file did, as far as nobody else has touched it."""

from __future__ import annotations

from collections import Counter
from functools import partial

from ..transport.session import Session
from .account import claim, read_schema
from .doubts import Doubts
from .errors import StateError
from .journal import Journal
from .mirror import Mirror
from .parts import Parts
from .pipeline import Pipeline
from .policy import Options
from .report import Plan
from .rows import PER_LOOKUP, Spool
from .run import Run
from .state import State
from .undoer import Undoer

__all__ = ["UndoRun"]


class UndoRun(Run):
    """Deletes what the last run created, puts back what it changed, creates what it deleted.

    A field that somebody changed since is left to them, and so is a record that was created, if
    any of its fields was: their outcomes are `kept`. A deleted record comes back under a new id.
    What the run did not do after all, or an earlier undo took back, is `unchanged`.
    See `Run` for its use.
    """

    _makes_state = False
    _undoer: Undoer
    _journal: Journal

    def __init__(self, session: Session, state: str, max_requests: int | None = None) -> None:
        super().__init__(session, state, max_requests)
        self._last = ""  # changes up to this id are in the pipeline
        self._count = 0

    async def _prepare(self, state: State) -> None:
        session, meta = self._session, state.meta
        if not meta.object_id:
            raise StateError(f"{self._state_path}: no run has used this file yet")
        await claim(session, state, meta.object_id, meta.key)
        schema = meta.schema or await read_schema(session, state, meta.object_id)
        options = Options(
            object_id=meta.object_id,
            key=meta.key,
            mode="update_only",
            state=self._state_path,
            undo=False,
        )
        spool = Spool(state, schema, options)
        parts = Parts(
            session=session,
            options=options,
            schema=schema,
            state=state,
            spool=spool,
            mirror=Mirror(state, spool, schema, options),
            report=self._report,
        )
        self._journal = Journal(state, spool, schema, True)
        await Doubts(parts, self._journal).settle()
        self._undoer = Undoer(parts, self._journal)
        self._report.rows = self._journal.count()
        self._report.path = "lookup"

    async def _load(self, pipeline: Pipeline) -> bool:
        changes = self._journal.after(self._last, PER_LOOKUP)
        if not changes:
            return False
        await self._undoer.look_up(changes)
        for change in changes:
            self._count += 1
            pipeline.submit(partial(self._undoer.undo, self._count, change))
        self._last = changes[-1].id
        return True

    def _conclude(self) -> None:
        self._journal.end()

    async def _plan(self) -> Plan:
        counts: Counter[str] = Counter()
        last, reads = "", 0
        while changes := self._journal.after(last, PER_LOOKUP):
            counts.update(change.kind for change in changes)
            reads += self._undoer.reads(changes)
            last = changes[-1].id
        writes = counts.total()
        limit = self._session.wire.stats().limit
        return Plan(
            path="lookup",
            why="what was changed is looked up, to see whether somebody changed it since",
            reads=self._session.tally.reads + reads,
            writes=writes,
            rows=writes,
            created=counts["deleted"],
            updated=counts["updated"],
            unchanged=0,
            kept=0,
            deleted=counts["created"],
            failed=0,
            seconds=None if limit is None else 60.0 * (reads + writes) / limit,
        )

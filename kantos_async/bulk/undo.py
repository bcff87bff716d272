"""Takes back what the last run with a state file did, as far as nobody else has touched it."""

from __future__ import annotations

import time
from collections import Counter
from functools import partial
from math import ceil

from ..api.models import Record
from ..api.records import delete_record, get_record, query_records
from ..errors import KantosError, NotFoundError, UnknownOutcomeError
from ..settling import create_record
from ..transport.session import Session
from . import rules
from .account import claim, read_schema
from .errors import StateError
from .journal import Change, Journal
from .mirror import Mirror
from .parts import Parts
from .patch import patch
from .pipeline import ENDING, Pipeline
from .policy import Options
from .report import Outcome, Plan, Status
from .rows import PER_LOOKUP, Spool
from .run import Run
from .state import State
from .values import NOTHING, fingerprint, key_value
from .wires import HaltedError, all_of

__all__ = ["UndoRun"]


class UndoRun(Run):
    """Deletes what the last run created, puts back what it changed, creates what it deleted.

    A field that somebody changed since is left to them, and so is a record that was created, if
    any of its fields was: their outcomes are `kept`. A deleted record comes back under a new id.
    See `Run` for its use.
    """

    _makes_state = False
    _undoer: _Undoer
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
        self._journal = Journal(state, spool, schema, False)
        self._undoer = _Undoer(parts, self._journal)
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
        last = ""
        while changes := self._journal.after(last, PER_LOOKUP):
            counts.update(change.kind for change in changes)
            last = changes[-1].id
        writes = counts.total()
        reads = ceil((counts["created"] + counts["updated"]) / PER_LOOKUP)
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


class _Undoer:
    """Undoes one change after the other. Knows nothing of the run."""

    def __init__(self, parts: Parts, journal: Journal) -> None:
        self._session = parts.session
        self._options = parts.options
        self._schema = parts.schema
        self._state = parts.state
        self._mirror = parts.mirror
        self._journal = journal
        self._found: dict[str, Record] = {}
        self._keys: set[str] = set()  # keys that records have

    async def look_up(self, changes: list[Change]) -> None:
        """Read the records of some changes, by their keys."""
        await self._let_writes_appear()
        there = {change.id for change in changes if change.kind != "deleted"}
        for record in await self._by_key([change.key for change in changes if change.key]):
            key = self._mirror.key_of(record)
            if key is not None:
                self._keys.add(key)
            if record.id in there and not self._mirror.is_doubtful(record):
                self._found[record.id] = record
        unknown = sorted(there - self._found.keys())
        await all_of(self._session, [partial(self._get, record_id) for record_id in unknown])

    async def _by_key(self, keys: list[str]) -> list[Record]:
        slug = self._options.key
        if slug is None or slug == "id" or not keys:
            return []
        kind = self._schema.type_of(slug)
        page = await query_records(
            self._session,
            object_id=self._options.object_id,
            filters={slug: {"$in": [key_value(kind, key) for key in keys]}},
            per_page=PER_LOOKUP,
        )
        return page.data

    async def _let_writes_appear(self) -> None:
        """A search may not show yet what was written a moment ago."""
        wire, wrote_at = self._session.wire, self._state.meta.wrote_at
        if wrote_at is not None:
            margin = self._options.policy.margin
            await wire.sleep(rules.wait_after(wrote_at, self._now(), margin))

    def _now(self) -> float:
        wire = self._session.wire
        return wire.server_time(wire.now()) or time.time()

    async def _get(self, record_id: str) -> None:
        try:
            self._found[record_id] = await get_record(self._session, record_id=record_id)
        except NotFoundError:
            return

    async def undo(self, number: int, change: Change) -> Outcome:
        """Take back one change; what fails is an outcome, not an error."""
        record = self._found.pop(change.id, None)
        note: str | None = None
        error: Exception | None = None
        record_id: str | None = change.id
        status: Status
        try:
            if change.kind == "created":
                status, note = await self._delete(change, record)
            elif change.kind == "updated":
                status, note = await self._put_back(change, record)
            else:
                status, note, record_id = await self._create_again(change)
        except (*ENDING, HaltedError):
            raise
        except UnknownOutcomeError as unknown:
            status, error = "unknown", unknown
        except KantosError as failure:
            status, error = "failed", failure
        else:
            self._forget(change)
        return Outcome(
            row=number,
            key=change.key,
            status=status,
            record_id=record_id,
            error=error,
            note=note,
        )

    def _forget(self, change: Change) -> None:
        with self._state.whole() as db:
            self._journal.forget(change.id)
            # What was agreed about this key is no longer so.
            db.execute("DELETE FROM input WHERE key = ? OR answered = ?", (change.key, change.key))

    async def _delete(self, change: Change, record: Record | None) -> tuple[Status, str | None]:
        if record is None:
            self._mirror.forget(change.id)
            return "unchanged", "it was gone already"
        slugs = change.wrote.keys() | record.field_values.keys()
        if not all(self._is_ours(change, record, slug) for slug in slugs):
            return "kept", "somebody changed it since"
        try:
            await delete_record(self._session, record_id=change.id)
        finally:
            self._mirror.forget(change.id)
        return "deleted", None

    async def _put_back(self, change: Change, record: Record | None) -> tuple[Status, str | None]:
        if record is None:
            self._mirror.forget(change.id)
            return "kept", "it is gone"
        if change.before is None:
            return "kept", "its former values are not known"
        ours = [slug for slug in change.before if self._is_ours(change, record, slug)]
        values = {slug: change.before[slug] for slug in ours}
        if values:
            self._mirror.wrote(await patch(self._session, self._schema, change.id, values))
        theirs = sorted(change.before.keys() - set(ours))
        if theirs:
            return "kept", f"somebody changed {', '.join(theirs)} since"
        return "updated", None

    async def _create_again(self, change: Change) -> tuple[Status, str | None, str | None]:
        if change.before is None:
            return "kept", "its former values are not known", None
        if change.key in self._keys:
            return "kept", "another record has its key now", None
        self._state.set(wrote_at=self._now() + 1)
        key = self._options.key
        values = {
            slug: value
            for slug, value in change.before.items()
            if value is not None and not self._schema.is_set_by_server(slug)
        }
        unique = key is not None and key in values and self._schema.is_unique(key)
        record = await create_record(
            self._session,
            object_id=self._options.object_id,
            field_values=values,
            unique_by=key if unique else None,
        )
        self._mirror.wrote(record)
        return "created", f"under a new id; it was {change.id}", record.id

    def _is_ours(self, change: Change, record: Record, slug: str) -> bool:
        """Whether a field still holds what the run wrote."""
        mark = fingerprint(self._schema.type_of(slug), record.field_values.get(slug))
        return mark == change.wrote.get(slug, NOTHING)

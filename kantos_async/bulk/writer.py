"""Writes one row, whatever comes in between, and keeps what the server made of it."""

from __future__ import annotations

from typing import Any

import attrs
import msgspec

from ..api.models import Record
from ..api.records import delete_record, get_record
from ..errors import (
    ConflictError,
    KantosError,
    NotFoundError,
    ResponseDecodeError,
    UnknownOutcomeError,
)
from ..settling import create_record
from .decide import Decision, decide, merge
from .errors import NotKeptError, RowError
from .journal import Journal, mark_at
from .keeping import Keeper
from .mirror import Known
from .parts import Parts
from .patch import patch
from .pipeline import ENDING
from .reads import Reads
from .report import Outcome, Status
from .rows import Input
from .values import ABSENT, NOTHING, WIDTH
from .wires import HaltedError

__all__ = ["Writer"]

#: The wait before a second look for the record that stands in a create's way; then it doubles.
_PAUSE = 0.5

#: So many records of one row may turn out to be gone, one after the other.
_GONE = 5


class Writer:
    """Creates, updates and deletes, by decisions."""

    def __init__(self, parts: Parts, reads: Reads, journal: Journal) -> None:
        self._session = parts.session
        self._options = options = parts.options
        self._schema = parts.schema
        self._state = parts.state
        self._mirror = parts.mirror
        self._spool = parts.spool
        self._fields = parts.spool.fields
        self._reads = reads
        self._journal = journal
        self._keeper = Keeper(parts, reads)
        unique = options.key is not None and parts.schema.is_unique(options.key)
        self._unique = options.key if unique else None

    @property
    def is_guarded(self) -> bool:
        """Whether the server itself refuses a second record with the same key."""
        return self._unique is not None

    # ---- rows ------------------------------------------------------------------------------

    async def write(self, row: Input, decision: Decision) -> Outcome:
        """Carry out a decision; a row that fails is an outcome, not an error."""
        try:
            return await self._write(row, decision)
        except (*ENDING, HaltedError):
            raise
        except UnknownOutcomeError as error:
            return self._outcome(row, "unknown", decision.target, error=error)
        except KantosError as error:
            return self._outcome(row, "failed", decision.target, error=error)

    async def _write(self, row: Input, decision: Decision) -> Outcome:
        gone: set[str] = set()
        refused = False
        while True:
            try:
                return await self._carry_out(row, decision)
            except NotFoundError:
                # The record was deleted meanwhile. Another one may have its key.
                target = decision.target
                if target is None or self._options.key == "id" or len(gone) >= _GONE:
                    raise
                gone.add(target.id)
                decision = await self._decide_again(row, gone)
            except ConflictError as error:
                if refused or decision.action != "create" or not self._is_about_key(error):
                    raise
                refused = True
                decision = await self._find_taken(row, gone, error)

    async def _carry_out(self, row: Input, decision: Decision) -> Outcome:
        if decision.action == "create":
            return await self._create(row)
        if decision.action == "update":
            return await self._update(row, decision)
        if decision.action == "delete":
            return await self._delete(row, decision)
        return self.conclude(row, decision)

    async def _decide_again(self, row: Input, gone: set[str]) -> Decision:
        decision = self._decide_without(row, gone)
        if decision.target is None:
            await self._reads.look_up([row])
            decision = self._decide_without(row, gone)
        return decision

    async def _find_taken(self, row: Input, gone: set[str], error: ConflictError) -> Decision:
        """A create met a record that has its key: go on with that, or try again if it is gone."""
        if isinstance(error.existing, Record):
            self._mirror.told(error.existing)
        decision = await self._decide_again(row, gone)
        pause, left = _PAUSE, self._options.policy.margin  # searches lag
        while decision.target is None and left > 0:
            await self._session.wire.sleep(min(pause, left))
            pause, left = 2 * pause, left - pause
            decision = await self._decide_again(row, gone)
        return decision

    def _decide_without(self, row: Input, gone: set[str]) -> Decision:
        """Decide as if some records were gone: searches lag, and may show them still."""
        for record_id in gone:
            self._mirror.forget(record_id)
        return self.decide(row)

    def decide(self, row: Input) -> Decision:
        """What to do about a row, by what is known now."""
        assert row.key is not None
        base = self._mirror.base(row.key)
        candidates = self._mirror.candidates(row.key, base)
        return decide(self._options.mode, self._options.conflict, row.hashes, candidates, base)

    def conclude(self, row: Input, decision: Decision) -> Outcome:
        """The outcome of a decision that writes nothing."""
        target = decision.target
        if decision.action == "fail":
            return self._outcome(row, "failed", target, error=RowError(decision.reason))
        if target is not None and row.key is not None and self._state.path is not None:
            base = self._mirror.base(row.key)
            agreed = merge(base, row.hashes, target.seen, target.seen, ())
            if agreed != base:
                with self._state.whole():
                    self._mirror.agree(row.key, agreed)
        return self._outcome(row, "kept" if decision.kept else "unchanged", target)

    # ---- create ----------------------------------------------------------------------------

    async def _create(self, row: Input) -> Outcome:
        values = {slug: value for slug, value in row.values().items() if value is not None}
        self._journal.intends(row.key, self._keeper.latest(), row.hashes)
        try:
            record = await create_record(
                self._session,
                object_id=self._options.object_id,
                field_values=values,
                unique_by=self._unique,
            )
        except UnknownOutcomeError:
            raise
        except ResponseDecodeError as error:
            if not error.done:
                raise
            # The intent stays: by that the next run, or the undo, finds the record.
            note = "it was created, but the answer to that could not be read"
            outcome = self._outcome(row, "created", None, note=note)
            with self._keeper.keeping(outcome):
                self._journal.begin()
            return outcome
        except Exception:
            self._journal.failed(key=row.key)
            raise
        outcome = Outcome(row=row.n, key=row.key, status="created", record_id=record.id)
        with self._keeper.keeping(outcome):
            known = self._mirror.wrote(record)
            self._keeper.agree(row, known, b"", {self._fields.index(slug) for slug in values})
            self._journal.created(row.key, known, record)
        return await self._clear(row, known, outcome)

    async def _clear(self, row: Input, known: Known, outcome: Outcome) -> Outcome:
        """Clear what the row clears and the server filled in by itself, such as a default."""
        fields = tuple(
            at
            for at in range(len(row.hashes) // WIDTH)
            if mark_at(row.hashes, at) == NOTHING != mark_at(known.seen, at)
        )
        if not fields:
            return outcome
        try:
            await self._update(row, Decision("update", known, fields))
        except NotKeptError as error:
            raise NotKeptError(outcome, error.error) from error
        except KantosError as error:  # the record is there in any case, and must be told
            slugs = ", ".join(self._fields[at] for at in fields)
            return attrs.evolve(outcome, note=f"{slugs} could not be cleared: {error}")
        return outcome

    def _is_about_key(self, error: ConflictError) -> bool:
        return self._unique is not None and error.details.get("field", self._unique) == self._unique

    # ---- update ----------------------------------------------------------------------------

    async def _update(self, row: Input, decision: Decision) -> Outcome:
        target = decision.target
        assert target is not None
        given = row.values()
        changed = {self._fields[place]: given[self._fields[place]] for place in decision.fields}
        sent = self._marks(row.hashes, decision)
        self._journal.updates(target, self._keeper.latest(), sent)
        try:
            record = await patch(self._session, self._schema, target.id, changed)
        except UnknownOutcomeError:
            raise
        except Exception:
            self._journal.failed(record_id=target.id)
            raise
        note = "it was updated, but what came of that could not be read"
        outcome = self._outcome(
            row,
            "kept" if decision.kept else "updated",
            target,
            note=note if record is None else None,
        )
        with self._keeper.keeping(outcome):
            if record is None:
                self._journal.updated(target, target, sent)
            else:
                known = self._mirror.wrote(record)
                self._keeper.agree(row, known, target.seen, set(decision.fields))
                self._journal.updated(known, target, self._marks(known.seen, decision))
        return outcome

    def _marks(self, marks: bytes, decision: Decision) -> dict[str, bytes]:
        """The fingerprints of the fields to write."""
        return {self._fields[place]: mark_at(marks, place) for place in decision.fields}

    # ---- delete ----------------------------------------------------------------------------

    async def _delete(self, row: Input, decision: Decision) -> Outcome:
        assert decision.target is not None
        outcome = self._outcome(row, "deleted", decision.target)
        try:
            await self._remove(decision.target, outcome)
        except NotFoundError:
            self._mirror.forget(decision.target.id)
            note = "it was gone already"
            return self._outcome(row, "unchanged", decision.target, note=note)
        return outcome

    async def delete_missing(self, record_id: str) -> Outcome:
        """Delete a record whose key no row has, after asking it once more."""
        key: str | None = None
        try:
            record = await get_record(self._session, record_id=record_id)
            known = self._mirror.told(record)
            key = known.key
            if self._mirror.is_given(record_id):
                return Outcome(row=0, key=key, status="unchanged", record_id=record_id)
            with self._state.whole():
                self._spool.hold(record_id, msgspec.json.encode(record.field_values))
            outcome = Outcome(row=0, key=key, status="deleted", record_id=record_id)
            await self._remove(known, outcome)
        except NotFoundError:
            self._mirror.forget(record_id)
            return Outcome(row=0, key=key, status="unchanged", record_id=record_id)
        except (*ENDING, HaltedError):
            raise
        except KantosError as error:
            status: Status = "unknown" if isinstance(error, UnknownOutcomeError) else "failed"
            return Outcome(row=0, key=key, status=status, record_id=record_id, error=error)
        return outcome

    async def _remove(self, target: Known, outcome: Outcome) -> None:
        """Delete a record.

        Raises:
            NotFoundError: it was gone already.
        """
        self._journal.deletes(target, self._keeper.latest())
        try:
            await delete_record(self._session, record_id=target.id)
        except UnknownOutcomeError:
            raise
        except Exception:
            self._journal.failed(record_id=target.id)
            raise
        with self._keeper.keeping(outcome):
            self._mirror.forget(target.id)
            self._journal.deleted(target)

    def _outcome(self, row: Input, status: Status, target: Known | None, **more: Any) -> Outcome:
        record_id = None if target is None else target.id
        return Outcome(row=row.n, key=row.key, status=status, record_id=record_id, **more)


def direct(row: Input, mode: str) -> Decision:
    """The decision about a row when nothing is read: write all that it gives."""
    if row.key is None:
        return Decision("create")
    target = Known(row.key, row.key, 0, 0, b"", None)
    if mode == "delete":
        return Decision("delete", target)
    places = range(len(row.hashes) // WIDTH)
    fields = tuple(at for at in places if mark_at(row.hashes, at) != ABSENT)
    return Decision("update" if fields else "nothing", target, fields)

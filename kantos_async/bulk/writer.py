"""Writes one row, whatever comes in between, and keeps what the server made of it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

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
from .errors import RowError
from .journal import Journal
from .mirror import Known
from .parts import Parts
from .patch import patch
from .pipeline import ENDING
from .reads import Reads
from .report import Outcome, Status
from .rows import Input
from .values import ABSENT, WIDTH
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
        self._intend(row.key)
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
            note = "it was created, but the answer to that could not be read"
            return Outcome(row=row.n, key=row.key, status="created", note=note)
        except Exception:
            self._forget_intent(row.key)
            raise
        with self._state.whole():
            known = self._mirror.wrote(record)
            self._wrote()
            self._agree(row, known, b"", {self._fields.index(slug) for slug in values})
            self._forget_intent(row.key)
            self._journal.created(known, record)
        return self._outcome(row, "created", known)

    def _is_about_key(self, error: ConflictError) -> bool:
        return self._unique is not None and error.details.get("field", self._unique) == self._unique

    def _intend(self, key: str | None) -> None:
        if key is not None:
            with self._state.whole() as db:
                # The clock's lower bound may be a second behind.
                at = self._now() + 1
                db.execute("INSERT OR REPLACE INTO intent VALUES (?, ?)", (key, at))

    def _forget_intent(self, key: str | None) -> None:
        with self._state.whole() as db:
            db.execute("DELETE FROM intent WHERE key = ?", (key,))

    # ---- update ----------------------------------------------------------------------------

    async def _update(self, row: Input, decision: Decision) -> Outcome:
        target = decision.target
        assert target is not None
        given = row.values()
        changed = {self._fields[place]: given[self._fields[place]] for place in decision.fields}
        record = await patch(self._session, self._schema, target.id, changed)
        with self._state.whole():
            known = self._mirror.wrote(record)
            self._wrote()
            self._agree(row, known, target.seen, set(decision.fields))
            self._journal.updated(known, target, self._by_slug(known, changed))
        return self._outcome(row, "kept" if decision.kept else "updated", known)

    # ---- delete ----------------------------------------------------------------------------

    async def _delete(self, row: Input, decision: Decision) -> Outcome:
        assert decision.target is not None
        try:
            await self._remove(decision.target)
        except NotFoundError:
            self._mirror.forget(decision.target.id)
            note = "it was gone already"
            return self._outcome(row, "unchanged", decision.target, note=note)
        return self._outcome(row, "deleted", decision.target)

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
            await self._remove(known)
        except NotFoundError:
            self._mirror.forget(record_id)
            return Outcome(row=0, key=key, status="unchanged", record_id=record_id)
        except (*ENDING, HaltedError):
            raise
        except KantosError as error:
            status: Status = "unknown" if isinstance(error, UnknownOutcomeError) else "failed"
            return Outcome(row=0, key=key, status=status, record_id=record_id, error=error)
        return Outcome(row=0, key=key, status="deleted", record_id=record_id)

    async def _remove(self, target: Known) -> None:
        """Delete a record.

        Raises:
            NotFoundError: it was gone already.
        """
        await delete_record(self._session, record_id=target.id)
        with self._state.whole():
            self._mirror.forget(target.id)
            self._journal.deleted(target)
            self._wrote()

    # ---- keeping ---------------------------------------------------------------------------

    def _agree(self, row: Input, known: Known, before: bytes, fields: set[int]) -> None:
        if row.key is None:
            return
        base = merge(self._mirror.base(row.key), row.hashes, before, known.seen, fields)
        if not before:
            # What a create's key came back as is the server's way of writing it. That an update
            # comes back with another key is somebody's renaming.
            base = base._replace(answered=known.key if known.key != row.key else None)
        self._mirror.agree(row.key, base)

    def _by_slug(self, known: Known, values: Mapping[str, Any]) -> dict[str, bytes]:
        """What the server made of the written values."""
        places = {slug: place * WIDTH for place, slug in enumerate(self._fields)}
        return {slug: known.seen[places[slug] : places[slug] + WIDTH] for slug in values}

    def _wrote(self) -> None:
        wire = self._session.wire
        wire.kept[f"bulk:{self._options.object_id}"] = (wire.now(), None)
        if self._state.path is not None:
            self._state.set(wrote_at=self._now() + 1)

    def _now(self) -> float:
        return self._reads.server_time(self._session.wire.now())

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
    fields = tuple(at for at in places if row.hashes[at * WIDTH : (at + 1) * WIDTH] != ABSENT)
    return Decision("update" if fields else "nothing", target, fields)

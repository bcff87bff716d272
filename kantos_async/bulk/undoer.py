"""Undoes one change after the other, as far as nobody else has touched the record."""

from __future__ import annotations

import contextlib
import math
import time
from functools import partial

from ..api.models import Record
from ..api.records import delete_record, get_record
from ..errors import KantosError, NotFoundError, ResponseDecodeError, UnknownOutcomeError
from ..settling import create_record
from . import rules
from .errors import NotKeptError, StateError
from .journal import Change, Journal
from .lookups import find_by_keys, groups_of
from .parts import Parts
from .patch import patch
from .pipeline import ENDING
from .recreated import Recreated
from .report import Outcome, Status
from .values import NOTHING, fingerprint
from .wires import HaltedError, all_of, server_now

__all__ = ["Undoer"]


class Undoer:
    """Knows nothing of the run."""

    def __init__(self, parts: Parts, journal: Journal) -> None:
        self._session = parts.session
        self._options = parts.options
        self._schema = parts.schema
        self._state = parts.state
        self._mirror = parts.mirror
        self._journal = journal
        key = parts.options.key
        self._slug = None if key == "id" else key  # ids cannot be looked up
        self._found: dict[str, Record] = {}
        self._keys: set[str] = set()  # keys that records have
        self._recreated = Recreated(parts, journal)
        # What undo itself writes need not be seen: each record is looked up before that.
        self._wrote_at = parts.state.meta.wrote_at

    # ---- looking up ------------------------------------------------------------------------

    def reads(self, changes: list[Change]) -> int:
        """How many requests it takes to look up some changes."""
        if self._slug is None:
            return sum(change.kind != "deleted" for change in changes)
        keys = [change.key for change in changes if change.key is not None]
        alone = sum(change.key is None and change.kind != "deleted" for change in changes)
        return len(groups_of(self._schema.type_of(self._slug), keys)) + alone

    async def look_up(self, changes: list[Change]) -> None:
        """Read the records of some changes, by their keys."""
        await self._let_writes_appear()
        there = {change.id for change in changes if change.kind != "deleted"}
        keys = [change.key for change in changes if change.key is not None]
        for record in await self._by_key(keys):
            key = self._mirror.key_of(record)
            if key is not None:
                self._keys.add(key)
            if record.id in there and not self._mirror.is_doubtful(record):
                self._found[record.id] = record
        unknown = sorted(there - self._found.keys())
        await all_of(self._session, [partial(self._get, record_id) for record_id in unknown])
        await self._recreated.look()

    async def _by_key(self, keys: list[str]) -> list[Record]:
        if self._slug is None:
            return []
        kind = self._schema.type_of(self._slug)
        return await find_by_keys(self._session, self._options.object_id, self._slug, kind, keys)

    async def _let_writes_appear(self) -> None:
        """A search may not show yet what was written a moment ago."""
        if self._wrote_at is not None:
            pause = rules.wait_after(self._wrote_at, self._now(), self._options.policy.margin)
            self._wrote_at = None
            await self._session.wire.sleep(pause)

    def _now(self) -> float:
        return server_now(self._session) or time.time()

    async def _get(self, record_id: str) -> None:
        try:
            self._found[record_id] = await get_record(self._session, record_id=record_id)
        except NotFoundError:
            return

    # ---- undoing ---------------------------------------------------------------------------

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
        outcome = Outcome(
            row=number,
            key=change.key,
            status=status,
            record_id=record_id,
            error=error,
            note=note,
        )
        if error is None:
            self._forget(change, outcome)
        return outcome

    def _forget(self, change: Change, outcome: Outcome) -> None:
        try:
            self._drop(change)
        except StateError as error:
            raise NotKeptError(outcome, error) from error

    def _drop(self, change: Change) -> None:
        with self._state.whole() as db:
            self._journal.forget(change.id)
            # What was agreed about this key is no longer so.
            db.execute("DELETE FROM input WHERE key = ? OR answered = ?", (change.key, change.key))

    async def _delete(self, change: Change, record: Record | None) -> tuple[Status, str | None]:
        status: Status = "deleted"
        if record is None:
            status = "unchanged"
        else:
            slugs = change.wrote.keys() | record.field_values.keys()
            written = [slug for slug in slugs if not self._schema.is_set_by_server(slug)]
            if not all(self._is_ours(change, record, slug) for slug in written):
                return "kept", "somebody changed it since"
            try:
                await delete_record(self._session, record_id=change.id)
            except NotFoundError:
                status = "unchanged"
        self._mirror.forget(change.id)
        return status, "it was gone already" if status == "unchanged" else None

    async def _put_back(self, change: Change, record: Record | None) -> tuple[Status, str | None]:
        if record is None:
            self._mirror.forget(change.id)
            return "kept", "it is gone"
        if change.before is None:
            return "kept", "its former values are not known"
        # What holds its former value already was put back before, or was never written.
        differs = [
            slug for slug, value in change.before.items() if not self._holds(record, slug, value)
        ]
        ours = [slug for slug in differs if self._is_ours(change, record, slug)]
        theirs = sorted(set(differs) - set(ours))
        if ours:
            values = {slug: change.before[slug] for slug in ours}
            try:
                answer = await patch(self._session, self._schema, change.id, values)
            except NotFoundError:
                self._mirror.forget(change.id)
                return "kept", "it is gone"
            if answer is not None:
                self._mirror.wrote(answer)
        if theirs:
            return "kept", f"somebody changed {', '.join(theirs)} since"
        return ("updated", None) if ours else ("unchanged", "it is as it was")

    def _holds(self, record: Record, slug: str, value: object) -> bool:
        kind = self._schema.type_of(slug)
        return fingerprint(kind, record.field_values.get(slug)) == fingerprint(kind, value)

    async def _create_again(self, change: Change) -> tuple[Status, str | None, str | None]:
        if change.before is None:
            return "kept", "its former values are not known", None
        note = f"under a new id; it was {change.id}"
        values = {
            slug: value
            for slug, value in change.before.items()
            if value is not None and not self._schema.is_set_by_server(slug)
        }
        if (record_id := self._recreated.find(change, values)) is not None:
            return "created", note, record_id
        if change.key in self._keys:
            return "kept", "another record has its key now", None
        key = self._slug
        unique = key is not None and key in values and self._schema.is_unique(key)
        if not unique:
            self._recreated.check(change)
        self._send_at(change, self._now())
        try:
            record = await create_record(
                self._session,
                object_id=self._options.object_id,
                field_values=values,
                unique_by=key if unique else None,
            )
        except UnknownOutcomeError:
            raise
        except ResponseDecodeError as error:
            if not error.done:
                raise
            return "created", f"{note}; the answer could not be read", None
        except Exception:
            with contextlib.suppress(StateError):
                self._send_at(change, None)
            raise
        self._mirror.wrote(record)
        return "created", note, record.id

    def _send_at(self, change: Change, at: float | None) -> None:
        """Note when a create is sent, so that none is sent twice; None: nothing came of it."""
        with self._state.whole():
            self._journal.recreates(change.id, at)
            if at is not None:
                self._state.set(wrote_at=math.ceil(at) + 1)

    def _is_ours(self, change: Change, record: Record, slug: str) -> bool:
        """Whether a field still holds what the run wrote."""
        mark = fingerprint(self._schema.type_of(slug), record.field_values.get(slug))
        return mark == change.wrote.get(slug, NOTHING)

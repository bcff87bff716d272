"""What a killed run, or one that was left in doubt, had under way: did it arrive?

Its answers were not kept, so that the undo log lacks it. The server is asked before the log goes
on: nothing of this costs a request where every answer was kept.
"""

from __future__ import annotations

import math
import time
from collections.abc import Mapping
from functools import partial

from ..api.models import Record
from ..api.records import get_record
from ..errors import NotFoundError
from . import rules
from .journal import Change, Intent, Journal, mark_at
from .lookups import find_by_keys
from .mirror import Known
from .parts import Parts
from .values import ABSENT, WIDTH
from .wires import all_of, server_now

__all__ = ["Doubts"]

#: Seconds by which the clock may be behind, and a stamp cut off.
_CUT = 2


class Doubts:
    """Settles the doubts of an earlier run."""

    def __init__(self, parts: Parts, journal: Journal) -> None:
        self._session = parts.session
        self._options = parts.options
        self._schema = parts.schema
        self._fields = parts.spool.fields
        self._mirror = parts.mirror
        self._journal = journal

    async def settle(self) -> None:
        """Add to the undo log what arrived, or may have; forget the rest."""
        await self.let_appear()
        pending = self._journal.pending()
        changes = [(change, log) for change, log in pending if change.kind != "deleted"]
        if intents := self._journal.intents():
            found = await self._find_created({key: intent for key, (intent, _) in intents.items()})
            changes += [(change, intents[key][1]) for key, change in found.items()]

        async def ask(change: Change, log: int) -> None:
            try:
                await get_record(self._session, record_id=change.id)
            except NotFoundError:
                changes.append((change, log))

        deletes = [partial(ask, change, log) for change, log in pending if change.kind == "deleted"]
        await all_of(self._session, deletes)
        self._journal.settle(changes)

    async def let_appear(self) -> bool:
        """Wait until searches show what may have arrived; whether that took any time."""
        latest = self._journal.latest_doubt()
        if latest is None:
            return False
        now = server_now(self._session) or time.time()
        pause = rules.wait_after(latest, now, self._options.policy.margin)
        await self._session.wire.sleep(pause)
        return pause > 0

    async def _find_created(self, intents: Mapping[str, Intent]) -> dict[str, Change]:
        """The records that were created, by their keys."""
        slug = self._options.key
        assert slug is not None
        kind = self._schema.type_of(slug)
        found: dict[str, Change] = {}
        records = await find_by_keys(
            self._session, self._options.object_id, slug, kind, list(intents)
        )
        for record in sorted(records, key=lambda record: record.created_at):
            known = self._mirror.row_of(record)
            intent = intents.get(known.key or "")
            if intent is not None and intent.key not in found and _is_ours(known, intent):
                found[intent.key] = self._created(known, record, intent)
        return found

    def _created(self, known: Known, record: Record, intent: Intent) -> Change:
        change = self._journal.creation(known, record)
        if (record.updated_at - record.created_at).total_seconds() < 1:
            return change
        # Somebody changed it since. What we did not send may be theirs, and undo must see that.
        sent = {slug for at, slug in enumerate(self._fields) if mark_at(intent.sent, at) != ABSENT}
        wrote = {slug: mark for slug, mark in change.wrote.items() if slug in sent}
        return Change(change.id, change.key, "created", {}, wrote)


def _is_ours(known: Known, intent: Intent) -> bool:
    """Whether a record was created since, and holds what was sent; else it may be another's."""
    return known.created >= math.floor(intent.at - _CUT) * 1_000_000 and all(
        mark_at(intent.sent, at) in (ABSENT, mark_at(known.seen, at))
        for at in range(len(intent.sent) // WIDTH)
    )

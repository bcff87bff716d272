"""What became of records that an earlier undo began to create again, and has not heard of."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from ..api.models import Record
from ..errors import QueryIgnoredError, UnknownOutcomeError
from ..walks.keyset import KeysetPages
from .journal import Change, Journal
from .parts import Parts
from .values import fingerprint

__all__ = ["Recreated"]

#: Seconds by which the clock may be ahead, and a stamp cut off.
_CUT = 2


class Recreated:
    """Finds them among the records created since; costs nothing where there are none in doubt."""

    def __init__(self, parts: Parts, journal: Journal) -> None:
        self._session = parts.session
        self._object_id = parts.options.object_id
        self._schema = parts.schema
        self._since = journal.first_recreated()
        self._is_read = False
        self._records: dict[str, Record] = {}  # those that are not told apart yet
        self._index: dict[str, dict[bytes, list[Record]]] = {}  # slug -> value -> records
        self._is_blind = False  # the server does not tell what was created since

    async def look(self) -> None:
        """Read, once, what was created since the oldest of the creates in doubt."""
        if self._is_read or self._since is None:
            return
        start = datetime.fromtimestamp(int(self._since) - _CUT, UTC)
        try:
            async for rows in KeysetPages(self._session, self._object_id, start=start):
                self._records.update((record.id, record) for record in rows)
        except QueryIgnoredError:
            self._is_blind = True
        self._is_read = True

    def find(self, change: Change, values: Mapping[str, Any]) -> str | None:
        """The record with these values that was created since; each is found once."""
        if change.at is None or not values:
            return None
        for record in self._with_same(next(iter(values)), values):
            if (
                record.id in self._records
                and record.created_at.timestamp() >= int(change.at) - _CUT
                and all(self._mark(slug, record) == self._of(slug, values) for slug in values)
            ):
                del self._records[record.id]
                return record.id
        return None

    def check(self, change: Change) -> None:
        """See to it that a create in doubt, whose record was not found, may be sent again.

        Raises:
            UnknownOutcomeError: it may be a record that somebody has changed since.
        """
        if change.at is None:
            return
        if self._is_blind or any(self._is_changed(record) for record in self._records.values()):
            raise UnknownOutcomeError(
                "an undo before this one may have created it",
                method="POST",
                path="/crm/record",
                sent=change.before,
                attempts=0,
                hint="Look for a record with these values among those created since.",
            )

    @staticmethod
    def _is_changed(record: Record) -> bool:
        return record.updated_at > record.created_at

    def _with_same(self, slug: str, values: Mapping[str, Any]) -> list[Record]:
        if slug not in self._index:
            index = self._index[slug] = {}
            for record in self._records.values():
                index.setdefault(self._mark(slug, record), []).append(record)
        return self._index[slug].get(self._of(slug, values), [])

    def _mark(self, slug: str, record: Record) -> bytes:
        return fingerprint(self._schema.type_of(slug), record.field_values.get(slug))

    def _of(self, slug: str, values: Mapping[str, Any]) -> bytes:
        return fingerprint(self._schema.type_of(slug), values[slug])

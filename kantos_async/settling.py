"""Creates whose doubts are settled by a field that the server itself keeps unique (`unique_by`).

A create that may have arrived must not be sent again: the server may commit it after we gave up,
and a search may lag behind it, so that looking first proves nothing. A unique field settles it:
the create is sent again, and is either carried out or refused with a 409; then the row in the way
is looked up, and is ours only if nothing speaks against it.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import attrs
import msgspec

from .api.models import Record
from .api.records import create_record as send_create
from .api.records import query_records
from .errors import ConflictError, KantosError, ResponseDecodeError, UnknownOutcomeError
from .transport.codec import encode
from .transport.session import Doubt, Session

if TYPE_CHECKING:
    from .api.models import Field

__all__ = ["create_record"]

#: A copy of an object's schema is believed for so many seconds.
_SCHEMA_AGE = 300.0

#: Seconds before each look-up: a search may lag behind a write.
_LOOKS = (0.0, 0.5, 1.0, 2.0)


async def create_record(
    session: Session,
    *,
    object_id: str,
    field_values: Mapping[str, Any],
    unique_by: str | None = None,
) -> Record:
    """Create a record; see `Records.create`."""
    values = dict(field_values)
    if unique_by is None:
        return await send_create(session, object_id=object_id, field_values=values)
    if values.get(unique_by) is None:
        raise ValueError(f"unique_by={unique_by!r}: field_values has no value for it")
    settler = _UniqueField(session, object_id, values, unique_by)
    try:
        return await send_create(
            attrs.evolve(session, settler=settler), object_id=object_id, field_values=values
        )
    except ResponseDecodeError as error:
        if error.done and await settler.may_repeat():
            with suppress(KantosError):
                for record in await settler.look_up():
                    return record
        raise


class _UniqueField:
    """What tells whether a create in doubt has happened. Costs nothing until there is a doubt."""

    def __init__(self, session: Session, object_id: str, values: dict[str, Any], slug: str) -> None:
        self._session = session
        self._object_id = object_id
        self._values = values
        self._slug = slug

    async def may_repeat(self, until: float | None = None) -> bool:
        """Whether the server keeps the field unique, by the object's schema."""
        try:
            fields = await self._fields(until)
        except KantosError:
            return False
        return any(field.slug == self._slug and field.unique for field in fields)

    async def resolve(self, doubt: Doubt, conflict: Exception) -> Record:
        """A repeat was refused as a duplicate: of our own first sending, or of another's row?"""
        try:
            found = await self.look_up(doubt.until)
            fields = {field.slug: field for field in await self._fields(doubt.until)}
        except KantosError as failure:
            raise self._unknown(doubt, "looking for it failed.") from failure
        if not found:
            raise self._unknown(doubt, "no such record is found.") from conflict
        if doubt.first_sent is None:
            raise self._unknown(doubt, "nothing tells when that was created.") from conflict
        for record in found:
            if self._is_ours(record, fields, doubt.first_sent):
                return record
        error = ConflictError(
            f"another record has this {self._slug}: {found[0].id}",
            status=409,
            method=doubt.call.method,
            path=doubt.call.path,
            attempts=doubt.attempts,
        )
        error.existing = found[0]
        raise error from conflict

    def _unknown(self, doubt: Doubt, why: str) -> UnknownOutcomeError:
        return UnknownOutcomeError(
            f"a repeat was refused as a duplicate, but {why}",
            method=doubt.call.method,
            path=doubt.call.path,
            sent=doubt.call.body,
            attempts=doubt.attempts,
            hint=f"Query for {self._slug} = {self._values[self._slug]!r}.",
        )

    async def look_up(self, until: float | None = None) -> list[Record]:
        """The records with our value, looked for during a few seconds; ideally one."""
        session, wire = attrs.evolve(self._session, until=until), self._session.wire
        filters = {self._slug: self._sent()[self._slug]}
        for pause in _LOOKS:
            if until is not None and wire.now() + pause >= until:
                break
            if pause:
                await wire.sleep(pause)
            page = await query_records(
                session, object_id=self._object_id, filters=filters, per_page=10
            )
            if page.data:
                return page.data
        return []

    def _is_ours(self, record: Record, fields: dict[str, Field], first_sent: float) -> bool:
        """Whether every value is the one sent, and it was not there before our first sending.

        Stamps may be cut to the second, so both times are.
        """
        if math.floor(record.created_at.timestamp()) < math.floor(first_sent):
            return False
        sent = self._sent()
        return all(
            _same(value, record.field_values.get(slug), fields.get(slug))
            for slug, value in sent.items()
        )

    def _sent(self) -> dict[str, Any]:
        """The values as they went over the wire."""
        sent: dict[str, Any] = msgspec.json.decode(encode(self._values))
        return sent

    async def _fields(self, until: float | None) -> list[Field]:
        session, wire = attrs.evolve(self._session, until=until), self._session.wire
        kept = wire.kept.get(self._object_id)
        if kept is None or wire.now() - kept[0] > _SCHEMA_AGE:
            from .api.objects import get_object  # noqa: PLC0415 - a doubt is rare

            answer = await get_object(session, object_id=self._object_id)
            kept = wire.kept[self._object_id] = (wire.now(), answer.fields or [])
        fields: list[Field] = kept[1]
        return fields


def _same(sent: Any, stored: Any, field: Field | None) -> bool:
    if field is not None and field.type == "status" and isinstance(stored, str):
        # Whether a stage is stored by name or in lower case is not documented.
        return isinstance(sent, str) and sent.casefold() == stored.casefold()
    return bool(sent == stored)

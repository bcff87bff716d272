"""An update whose doubts a look at the record settles."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..api.models import Record
from ..api.records import get_record, update_record
from ..errors import KantosError, ResponseDecodeError, UnknownOutcomeError
from .schema import Schema
from .values import fingerprint
from .wires import CountedSession

__all__ = ["patch"]


async def patch(
    session: CountedSession, schema: Schema, record_id: str, values: Mapping[str, Any]
) -> Record | None:
    """Set some fields of a record: `PATCH /crm/record/{record_id}`.

    None: it was carried out, but neither its answer nor the record could be read.

    Raises:
        UnknownOutcomeError: it may have been carried out, and the record does not show it (yet).
        KantosError: see `update_record`.
    """
    try:
        return await update_record(session, record_id=record_id, field_values=values)
    except ResponseDecodeError as error:
        if not error.done:
            raise
        try:
            return await get_record(session.settling, record_id=record_id)
        except Exception:
            return None  # whatever that look met: the update is done
    except UnknownOutcomeError as unknown:
        try:
            record = await get_record(session.settling, record_id=record_id)
        except KantosError:
            raise unknown from unknown.__cause__
        if not _holds(schema, record, values):
            raise
        return record


def _holds(schema: Schema, record: Record, values: Mapping[str, Any]) -> bool:
    return all(
        fingerprint(schema.type_of(slug), record.field_values.get(slug))
        == fingerprint(schema.type_of(slug), value)
        for slug, value in values.items()
    )

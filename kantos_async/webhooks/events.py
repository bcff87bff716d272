"""What a webhook says, typed by its `event`.

Only the members that Kantos documents are promised; whatever else came is in `data` and `payload`.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import attrs

__all__ = [
    "AutomationExecuted",
    "IntakeReceived",
    "RecordCreated",
    "RecordDeleted",
    "RecordEvent",
    "RecordUpdated",
    "UnknownEvent",
    "WebhookEvent",
    "read_event",
]


@attrs.frozen(kw_only=True)
class WebhookEvent:
    """An event whose signature has been verified.

    Attributes:
        event: its name, such as `"record.created"`; empty where a custom body has none.
        timestamp: when it happened, with its time zone; None where it is missing or no ISO 8601.
        data: the event's `data`; empty where it is missing or no object.
        payload: the whole body that the signature covered, without `signature`.
        fingerprint: SHA-256 of the covered bytes, in hex: the same for every delivery of this
            event, and a fit key for a table of events already handled.
    """

    event: str
    timestamp: datetime | None
    data: dict[str, Any]
    payload: dict[str, Any] = attrs.field(repr=False)
    fingerprint: str = attrs.field(repr=False)


@attrs.frozen(kw_only=True)
class RecordEvent(WebhookEvent):
    """Something happened to a record."""

    @property
    def record_id(self) -> str | None:
        """The record's id; None where the body has none."""
        return _text(self.data, "id")

    @property
    def object_id(self) -> str | None:
        """The id of the object that the record belongs to; None where the body has none."""
        return _text(self.data, "object_id")

    @property
    def field_values(self) -> dict[str, Any]:
        """The record's values by field slug; empty where the body has none (as a deletion may)."""
        return _object(self.data, "field_values")


@attrs.frozen(kw_only=True)
class RecordCreated(RecordEvent):
    """`record.created`."""


@attrs.frozen(kw_only=True)
class RecordUpdated(RecordEvent):
    """`record.updated`."""


@attrs.frozen(kw_only=True)
class RecordDeleted(RecordEvent):
    """`record.deleted`; the shape of its `data` is undocumented."""


@attrs.frozen(kw_only=True)
class IntakeReceived(WebhookEvent):
    """`intake.received`: a form was submitted; the shape of its `data` is undocumented."""


@attrs.frozen(kw_only=True)
class AutomationExecuted(WebhookEvent):
    """`automation.executed`: the default body of an automation's own webhook action."""

    @property
    def automation_id(self) -> str | None:
        """The automation that ran."""
        return _text(self.payload, "automation_id")

    @property
    def automation_name(self) -> str | None:
        """The name of the automation that ran."""
        return _text(self.payload, "automation_name")

    @property
    def record_id(self) -> str | None:
        """The id of the record it ran for."""
        return _text(_object(self.payload, "record"), "id")

    @property
    def object_id(self) -> str | None:
        """The object that the record belongs to."""
        return _text(_object(self.payload, "record"), "object_id")

    @property
    def field_values(self) -> dict[str, Any]:
        """The record's values by field slug (`record.data` in this body)."""
        return _object(_object(self.payload, "record"), "data")


@attrs.frozen(kw_only=True)
class UnknownEvent(WebhookEvent):
    """An event that this version has no name for, or a custom body."""


_TYPES: dict[str, type[WebhookEvent]] = {
    "record.created": RecordCreated,
    "record.updated": RecordUpdated,
    "record.deleted": RecordDeleted,
    "intake.received": IntakeReceived,
    "automation.executed": AutomationExecuted,
}


def read_event(covered: bytes) -> WebhookEvent:
    """The event in bytes that `verify` has returned."""
    payload: dict[str, Any] = json.loads(covered.decode())
    payload.pop("signature", None)
    name = _text(payload, "event") or ""
    return _TYPES.get(name, UnknownEvent)(
        event=name,
        timestamp=_moment(payload.get("timestamp")),
        data=_object(payload, "data"),
        payload=payload,
        fingerprint=hashlib.sha256(covered).hexdigest(),
    )


def _text(members: Mapping[str, Any], key: str) -> str | None:
    value = members.get(key)
    return value if isinstance(value, str) else None


def _object(members: Mapping[str, Any], key: str) -> dict[str, Any]:
    value = members.get(key)
    return value if isinstance(value, dict) else {}


def _moment(value: Any) -> datetime | None:
    try:
        moment = datetime.fromisoformat(value)
    except (TypeError, ValueError):
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)

"""Webhooks: `verify` and `unwrap` for any framework, and a receiver that is an ASGI app."""

from ..errors import WebhookSignatureError
from .events import (
    AutomationExecuted,
    IntakeReceived,
    RecordCreated,
    RecordDeleted,
    RecordEvent,
    RecordUpdated,
    UnknownEvent,
    WebhookEvent,
)
from .receiver import WebhookReceiver
from .signature import unwrap, verify
from .store import Claim, DeliveryStore, MemoryStore, SQLiteStore

__all__ = [
    "AutomationExecuted",
    "Claim",
    "DeliveryStore",
    "IntakeReceived",
    "MemoryStore",
    "RecordCreated",
    "RecordDeleted",
    "RecordEvent",
    "RecordUpdated",
    "SQLiteStore",
    "UnknownEvent",
    "WebhookEvent",
    "WebhookReceiver",
    "WebhookSignatureError",
    "unwrap",
    "verify",
]

"""The automation endpoints: inferred, not documented."""

from __future__ import annotations

from typing import Any, Literal

import msgspec
from msgspec import UNSET, Struct, UnsetType

from .messages import Reply, Request, decode_json
from .problems import Problem
from .store import Store

__all__ = ["Automations"]

Event = Literal[
    "record.created", "record.updated", "record.deleted", "field.changed", "schedule", "webhook"
]
Comparison = Literal[
    "equals",
    "not_equals",
    "contains",
    "not_contains",
    "starts_with",
    "ends_with",
    "is_empty",
    "is_not_empty",
    "greater_than",
    "less_than",
    "in",
    "not_in",
]


class Trigger(Struct, omit_defaults=True):
    """What starts an automation."""

    type: Event
    object: str | UnsetType = UNSET
    field: str | UnsetType = UNSET
    cron: str | UnsetType = UNSET
    timezone: str | UnsetType = UNSET


class Rule(Struct, omit_defaults=True):
    """One comparison, or a nested group."""

    field: str | UnsetType = UNSET
    operator: Comparison | UnsetType = UNSET
    value: Any = UNSET
    match: Literal["all", "any"] | UnsetType = UNSET
    rules: list[Rule] | UnsetType = UNSET


class Conditions(Struct):
    """What must hold for an automation to act."""

    match: Literal["all", "any"]
    rules: list[Rule]


class _EmailConfig(Struct, omit_defaults=True):
    template_id: str | UnsetType = UNSET
    to: str | UnsetType = UNSET
    variables: dict[str, Any] | UnsetType = UNSET


class _UpdateConfig(Struct, omit_defaults=True):
    fields: dict[str, Any] = {}


class _CreateConfig(Struct, omit_defaults=True):
    object_definition_id: str | UnsetType = UNSET
    data: dict[str, Any] = {}


class _WebhookConfig(Struct, omit_defaults=True):
    url: str | UnsetType = UNSET
    method: Literal["POST", "PUT", "PATCH", "DELETE"] = "POST"
    headers: dict[str, str] = {}
    body: Any = UNSET


class _WaitConfig(Struct, omit_defaults=True):
    duration: int | float = 0
    unit: str = "seconds"


class _BranchConfig(Struct, omit_defaults=True):
    conditions: list[dict[str, Any]] = []


class SendEmail(Struct, tag="send_email"):
    """Logged, and not sent."""

    config: _EmailConfig


class UpdateRecord(Struct, tag="update_record"):
    """Set fields of the record that started the run."""

    config: _UpdateConfig


class CreateRecord(Struct, tag="create_record"):
    """Create another record."""

    config: _CreateConfig


class Webhook(Struct, tag="webhook"):
    """Call another system."""

    config: _WebhookConfig


class Wait(Struct, tag="wait"):
    """Wait before the next action."""

    config: _WaitConfig


class Branch(Struct, tag="branch"):
    """Choose between other actions."""

    config: _BranchConfig


Action = SendEmail | UpdateRecord | CreateRecord | Webhook | Wait | Branch


class _New(Struct, omit_defaults=True):
    name: str
    trigger: Trigger
    actions: list[Action]
    conditions: Conditions | UnsetType = UNSET
    active: bool | UnsetType = UNSET


class _Change(Struct, omit_defaults=True):
    name: str | UnsetType = UNSET
    trigger: Trigger | UnsetType = UNSET
    actions: list[Action] | UnsetType = UNSET
    conditions: Conditions | UnsetType = UNSET
    active: bool | UnsetType = UNSET


class Automations:
    """Keeps automations, and shows their runs."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def list(self, request: Request) -> Reply:
        """`GET /crm/automations`."""
        return Reply(200, msgspec.json.encode({"data": self._store.documents("automations")}))

    def get(self, request: Request, automation_id: str) -> Reply:
        """`GET /crm/automations/{automation_id}`."""
        return Reply(200, msgspec.json.encode(self._one(automation_id)))

    def create(self, request: Request) -> Reply:
        """`POST /crm/automations`."""
        new: _New = decode_json(request.body, _New)
        key = self._store.new_id("auto")
        doc = {"id": key, "active": True, **msgspec.to_builtins(new)}
        self._store.keep("automations", key, doc)
        return Reply(201, msgspec.json.encode(doc))

    def update(self, request: Request, automation_id: str) -> Reply:
        """`PATCH /crm/automations/{automation_id}`."""
        doc = self._one(automation_id)
        change: _Change = decode_json(request.body, _Change)
        doc |= msgspec.to_builtins(change)
        self._store.keep("automations", automation_id, doc)
        return Reply(200, msgspec.json.encode(doc))

    def delete(self, request: Request, automation_id: str) -> Reply:
        """`DELETE /crm/automations/{automation_id}`."""
        if not self._store.drop("automations", automation_id):
            raise _unknown(automation_id)
        return Reply(204)

    def runs(self, request: Request, automation_id: str) -> Reply:
        """`GET /crm/automations/{automation_id}/runs`."""
        self._one(automation_id)
        runs = [r for r in self._store.documents("runs") if r["automation_id"] == automation_id]
        return Reply(200, msgspec.json.encode({"data": runs}))

    def _one(self, automation_id: str) -> dict[str, Any]:
        doc = self._store.document("automations", automation_id)
        if doc is None:
            raise _unknown(automation_id)
        return doc


def _unknown(automation_id: str) -> Problem:
    return Problem(404, "Automation not found", {"automation_id": automation_id})

"""What an automation is made of: trigger, conditions and actions, as JSON shapes."""

from __future__ import annotations

from typing import Any, Literal

from msgspec import UNSET, Struct, UnsetType

__all__ = [
    "Action",
    "Automation",
    "Branch",
    "Change",
    "Conditions",
    "CreateRecord",
    "New",
    "Rule",
    "SendEmail",
    "UpdateRecord",
    "Wait",
    "Webhook",
]

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


#: Seconds in the units of a wait; what is none of them counts in seconds.
_UNITS = {"second": 1, "minute": 60, "hour": 3600, "day": 86_400, "week": 604_800}
#: Days of the longest wait.
_LONGEST = 3_650


class _WaitConfig(Struct, omit_defaults=True):
    duration: int | float = 0
    unit: str = "seconds"

    def __post_init__(self) -> None:
        # In this order, since a number of 400 digits can be compared but not multiplied by all.
        longest = _LONGEST * 86_400
        if not 0 <= self.duration <= longest or self.seconds > longest:
            raise ValueError(f"duration must be from 0 to {_LONGEST} days")

    @property
    def seconds(self) -> float:
        return self.duration * _UNITS.get(self.unit.rstrip("s"), 1)


class OneBranch(Struct, omit_defaults=True, rename={"if_": "if", "else_": "else"}):
    """`if` with `then`, or `else`."""

    if_: Rule | None = None
    then: list[Action] = []
    else_: list[Action] = []


class _BranchConfig(Struct, omit_defaults=True):
    conditions: list[OneBranch] = []


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


class New(Struct, omit_defaults=True):
    """The body of a creation."""

    name: str
    trigger: Trigger
    actions: list[Action]
    conditions: Conditions | UnsetType = UNSET
    active: bool = True


class Automation(New):
    """An automation as it is kept."""

    id: str = ""


class Change(Struct, omit_defaults=True):
    """The body of an update: what is absent stays."""

    name: str | UnsetType = UNSET
    trigger: Trigger | UnsetType = UNSET
    actions: list[Action] | UnsetType = UNSET
    conditions: Conditions | UnsetType = UNSET
    active: bool | UnsetType = UNSET

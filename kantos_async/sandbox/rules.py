"""Conditions of automations, and the templates in their actions."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

import msgspec
from msgspec import UNSET

from .problems import Problem
from .recipes import Conditions, Rule

__all__ = ["as_text", "holds", "render", "verdicts"]

_TEMPLATE = re.compile(r"\{\{([^{}]*)\}\}")
_PATH = re.compile(r"[\w.]+")


def _folded(value: Any) -> str:
    return str(value).casefold()


def _greater(have: Any, want: Any) -> bool:
    """Numbers as numbers, dates as ISO text; unlike things are in no order."""
    if isinstance(have, str) and isinstance(want, str):
        return have > want
    return isinstance(have, int | float) and isinstance(want, int | float) and have > want


def _empty(have: Any, _want: Any) -> bool:
    return have is None or have in ("", [])


_POSITIVE: dict[str, Callable[[Any, Any], bool]] = {
    "equals": lambda have, want: have == want,
    "contains": lambda have, want: have is not None and _folded(want) in _folded(have),
    "starts_with": lambda have, want: have is not None and _folded(have).startswith(_folded(want)),
    "ends_with": lambda have, want: have is not None and _folded(have).endswith(_folded(want)),
    "is_empty": _empty,
    "greater_than": _greater,
    "less_than": lambda have, want: _greater(want, have),
    "in": lambda have, want: isinstance(want, list) and have in want,
}
_NEGATIVE = {
    "not_equals": "equals",
    "not_contains": "contains",
    "is_not_empty": "is_empty",
    "not_in": "in",
}


def holds(rule: Rule | Conditions, values: Mapping[str, Any]) -> bool:
    """Whether a rule, or a group of rules, holds for a record's values."""
    if isinstance(rule, Conditions) or rule.rules is not UNSET:
        found = [holds(inner, values) for inner in rule.rules or []]
        return any(found) if rule.match == "any" else all(found)
    have = values.get(rule.field or "")
    want = None if rule.value is UNSET else rule.value
    operator = rule.operator or "is_not_empty"
    if operator in _NEGATIVE:
        return not _POSITIVE[_NEGATIVE[operator]](have, want)
    return _POSITIVE[operator](have, want)


def verdicts(conditions: Conditions, values: Mapping[str, Any]) -> list[dict[str, Any]]:
    """What each of the rules came to, for the log."""
    return [
        {
            "field": rule.field or None,
            "operator": rule.operator or None,
            "result": holds(rule, values),
        }
        for rule in conditions.rules
    ]


def render(template: Any, context: Mapping[str, Any]) -> Any:
    """Fill `{{record.email}}` and the like, at any depth; what a record lacks becomes empty.

    A string that is one template becomes the value itself, so that numbers stay numbers.

    Raises:
        Problem: 422 for an expression that is no path into `context`; it is named.
    """
    if isinstance(template, dict):
        return {key: render(value, context) for key, value in template.items()}
    if isinstance(template, list):
        return [render(value, context) for value in template]
    if not isinstance(template, str):
        return template
    if whole := _TEMPLATE.fullmatch(template):
        return _resolve(whole[1], context)
    return _TEMPLATE.sub(lambda match: as_text(_resolve(match[1], context)), template)


def _resolve(expression: str, context: Mapping[str, Any]) -> Any:
    path = expression.strip()
    parts = path.split(".")
    if not _PATH.fullmatch(path) or parts[0] not in context:
        # Emptiness instead would clear a field, or send a letter with a hole in it.
        raise Problem(422, f"The sandbox cannot fill in {{{{{expression}}}}}")
    value: Any = context
    for part in parts:
        value = value.get(part) if isinstance(value, Mapping) else None
    return value


def as_text(value: Any) -> str:
    """A value within a text: nothing for null, and JSON for what is no text itself."""
    if value is None or isinstance(value, str):
        return value or ""
    return msgspec.json.encode(value).decode()

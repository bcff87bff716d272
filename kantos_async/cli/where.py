"""`--where 'deal_value>=10000'`: conditions as people type them."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any

from ..filters import F, Field, Filter
from .convert import Converter
from .exits import UsageError
from .names import find_field, near

__all__ = ["read_conditions"]

_CONDITION = re.compile(
    r"\s*(?P<field>.+?)\s*(?P<operator>!=|>=|<=|=|>|<|~|\s(?:not\s+)?in\s)\s*(?P<value>.*?)\s*",
    re.DOTALL,
)
_LISTS: dict[str, Callable[[Field, list[Any]], Filter]] = {
    "in": Field.is_in,
    "not in": Field.not_in,
}
_COMPARE: dict[str, Callable[[Field, Any], Filter]] = {
    "=": Field.__eq__,
    "!=": Field.__ne__,
    "<": Field.__lt__,
    "<=": Field.__le__,
    ">": Field.__gt__,
    ">=": Field.__ge__,
}
_TIMES = frozenset({"created_at", "updated_at"})
_TEXTS = frozenset({"id", "created_by"})


def read_conditions(conditions: Sequence[str], convert: Converter) -> Filter | None:
    """All conditions, joined by AND; None where there are none.

    Raises:
        UsageError: one of them cannot be read; it is named.
    """
    joined: Filter | None = None
    for condition in conditions:
        try:
            one = _read(condition, convert)
            joined = one if joined is None else joined & one
        except (ValueError, TypeError) as error:
            raise UsageError(f"--where {condition!r}: {error}") from None
    return joined


def _read(condition: str, convert: Converter) -> Filter:
    found = _CONDITION.fullmatch(condition)
    if found is None:
        raise ValueError("write FIELD=VALUE, or !=, <, <=, >, >=, ~ (contains), ' in A,B'")
    slug = _slug(found["field"], convert)
    field, operator, text = F[slug], " ".join(found["operator"].split()), found["value"]
    if not text:
        if operator not in {"=", "!="}:
            raise ValueError(f"{operator} needs a value")
        return field.empty(operator == "=")
    if operator == "~":
        return field.contains(text)
    if operator in _LISTS:
        return _LISTS[operator](field, [_value(slug, part, convert) for part in text.split(",")])
    return _COMPARE[operator](field, _value(slug, text, convert))


def _slug(name: str, convert: Converter) -> str:
    if name in _TIMES | _TEXTS:
        return name
    field = find_field(convert.fields, name)
    if field is not None:
        return field.slug
    if convert.fields:
        slugs = [field.slug for field in convert.fields]
        raise ValueError(f"there is no field {name!r}{near(name, [*slugs, *_TIMES, *_TEXTS])}")
    return name


def _value(slug: str, text: str, convert: Converter) -> Any:
    text = text.strip()
    if slug in _TIMES:
        try:
            moment = datetime.fromisoformat(text)
        except ValueError:
            raise ValueError(
                f"{text!r} is no time like 2024-01-31 or 2024-01-31T12:00:00Z"
            ) from None
        if moment.tzinfo is None:
            return moment.replace(tzinfo=UTC)
        try:
            return moment.astimezone(UTC)
        except OverflowError:
            raise ValueError(f"{text!r} is beyond the years 1 to 9999 in UTC") from None
    if slug in _TEXTS:
        return text
    try:
        return convert(slug, text)
    except ValueError as error:
        raise ValueError(f"{text!r} {error}") from None

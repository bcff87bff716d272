"""`F`: filters written as Python.

    (F.deal_value >= 10_000) & F.name.contains("Acme") & ~F.phone.empty()

compiles to the API's filter language (`GET /crm/records/query`, parameter `filters`). What that
language cannot say is a `TypeError` that tells what to do instead.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any, NoReturn, TypeAlias

__all__ = ["F", "Field", "Filter", "FilterValue", "compile_filters", "to_wire"]

#: What has an order.
Ordered: TypeAlias = str | int | float | Decimal | datetime | date
FilterValue: TypeAlias = Ordered | bool | None

_OPPOSITE = {"$eq": "$ne", "$in": "$nin", "$ne": "$eq", "$nin": "$in"}
_FLIPPED = {"$gte": "$lt", "$lt": "$gte", "$gt": "$lte", "$lte": "$gt"}


class Filter:
    """One or more conditions, all of which must hold. Built by `F`; combined with `&`."""

    __slots__ = ("_conditions",)

    def __init__(self, conditions: tuple[tuple[str, str, Any], ...]) -> None:
        self._conditions = conditions

    def __and__(self, other: Filter) -> Filter:
        """Both must hold."""
        if not isinstance(other, Filter):
            raise TypeError(f"& joins filters; {other!r} is none. Put each comparison in brackets.")
        joined = self._conditions + other._conditions
        _merge(joined)  # complain where it is written, not where it is sent
        return Filter(joined)

    def __invert__(self) -> Filter:
        """The opposite, of a single condition that has one."""
        if len(self._conditions) != 1:
            raise TypeError("~ needs OR here, which the API lacks; negate each condition alone")
        field, operator, value = self._conditions[0]
        if operator == "$empty":
            return Filter(((field, operator, not value),))
        opposite = _OPPOSITE.get(operator) or _FLIPPED.get(operator)
        if opposite is None:
            raise TypeError(f"the API has no opposite of {operator}; filter the records in Python")
        return Filter(((field, opposite, value),))

    def __or__(self, other: object) -> NoReturn:
        """Not in the API's language."""
        raise TypeError(
            "the API has no OR: run one query for each alternative, "
            "or use F.field.is_in([...]) for alternatives of one field"
        )

    __ror__ = __or__

    def __bool__(self) -> NoReturn:
        raise TypeError(
            "a filter has no truth value: join filters with & (not `and`), negate with ~ "
            "(not `not`), and write a range as (F.n >= 1) & (F.n < 9), not 1 <= F.n < 9"
        )

    def to_dict(self) -> dict[str, Any]:
        """The filter in the API's language."""
        return _merge(self._conditions)

    def __repr__(self) -> str:
        return f"Filter({self.to_dict()!r})"


class Field:
    """A field to compare: `F.email`, or `F["weird name"]`."""

    __slots__ = ("_name",)

    def __init__(self, name: str) -> None:
        self._name = name

    def _compare(self, operator: str, value: Any) -> Filter:
        return Filter(((self._name, operator, to_wire(value)),))

    def _order(self, operator: str, value: Any) -> Filter:
        if value is None or isinstance(value, (bool, list, tuple)):
            raise TypeError(f"F.{self._name}: {value!r} is neither more nor less than anything")
        return self._compare(operator, value)

    def __eq__(self, value: FilterValue) -> Filter:  # type: ignore[override]
        return self._compare("$eq", value)

    def __ne__(self, value: FilterValue) -> Filter:  # type: ignore[override]
        return self._compare("$ne", value)

    def __ge__(self, value: Ordered) -> Filter:
        return self._order("$gte", value)

    def __gt__(self, value: Ordered) -> Filter:
        return self._order("$gt", value)

    def __le__(self, value: Ordered) -> Filter:
        return self._order("$lte", value)

    def __lt__(self, value: Ordered) -> Filter:
        return self._order("$lt", value)

    __hash__ = None  # type: ignore[assignment]  # it compares to a filter, not to a bool

    def contains(self, text: str) -> Filter:
        """Text search; that it ignores case is assumed of the API."""
        if not isinstance(text, str):
            raise TypeError(f"F.{self._name}.contains() takes text, not {text!r}")
        return self._compare("$contains", text)

    def is_in(self, values: Iterable[FilterValue]) -> Filter:
        """Equal to one of `values`."""
        return self._compare("$in", _listed(self._name, "is_in", values))

    def not_in(self, values: Iterable[FilterValue]) -> Filter:
        """Equal to none of `values`."""
        return self._compare("$nin", _listed(self._name, "not_in", values))

    def empty(self, is_empty: bool = True) -> Filter:
        """Has no value; `~F.phone.empty()` for has one."""
        return self._compare("$empty", bool(is_empty))

    def __bool__(self) -> NoReturn:
        raise TypeError(f"F.{self._name} is no condition: compare it, or use .empty()")

    def __contains__(self, value: object) -> NoReturn:
        raise TypeError(f"`in` does not work here: write F.{self._name}.contains({value!r})")

    if not TYPE_CHECKING:  # a type checker is to refuse these, and does where they are missing

        def _unjoined(self, other: object) -> NoReturn:
            raise TypeError(
                f"& and | bind more tightly than comparisons, and so take F.{self._name} alone: "
                "put each comparison in brackets, as in (F.a == 1) & (F.b == 2); the API has no "
                "OR: use F.field.is_in([...]), or run one query for each alternative"
            )

        __and__ = __rand__ = __or__ = __ror__ = _unjoined

        def __invert__(self) -> NoReturn:
            raise TypeError(
                f"~ negates conditions, and F.{self._name} is none: write ~F.{self._name}.empty() "
                f"for has a value, F.{self._name} == False for is not ticked"
            )

    def __repr__(self) -> str:
        return f"F[{self._name!r}]"


class _Fields:
    """Makes fields: as attributes, or as items where a name is no identifier or is taken."""

    def __getattr__(self, name: str) -> Field:
        if name.startswith("__"):
            raise AttributeError(name)
        return Field(name)

    def __getitem__(self, name: str) -> Field:
        if not isinstance(name, str) or not name:
            raise TypeError(f"F[...] takes a field's slug, not {name!r}")
        return Field(name)

    def __repr__(self) -> str:
        return "F"


F = _Fields()


def _listed(field: str, method: str, values: Iterable[FilterValue]) -> list[FilterValue]:
    if isinstance(values, (str, bytes, Mapping)):
        raise TypeError(f"F.{field}.{method}() takes several values, not {values!r}")
    return list(values)


def to_wire(value: Any) -> Any:
    """A value the way the API writes it: times in UTC with `Z`, dates as `YYYY-MM-DD`.

    Raises:
        TypeError: the API has no such value; or a datetime without a time zone.
        ValueError: a datetime that UTC puts outside the years 1 to 9999.
    """
    if isinstance(value, (float, Decimal)) and not math.isfinite(value):
        raise TypeError(f"JSON has no {value!r}, so a filter cannot compare with it")
    if value is None or isinstance(value, (str, bool, int, float)):
        return value
    if isinstance(value, datetime):
        if value.tzinfo is None:
            raise TypeError(f"{value!r} has no time zone; add one, e.g. .replace(tzinfo=UTC)")
        try:
            return value.astimezone(UTC).isoformat().replace("+00:00", "Z")
        except OverflowError:
            raise ValueError(f"{value!r} is, in UTC, outside the years 1 to 9999") from None
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, Decimal):
        return int(value) if value == value.to_integral_value() else float(value)
    if isinstance(value, (list, tuple)):
        return [to_wire(item) for item in value]
    if isinstance(value, Field):
        raise TypeError(f"the API compares with values, not with {value!r}; compare in Python")
    raise TypeError(f"a filter cannot compare with {value!r} ({type(value).__name__})")


def _merge(conditions: tuple[tuple[str, str, Any], ...]) -> dict[str, Any]:
    """Conditions as the API's object: a plain value is equal, operators on one field merge."""
    seen: dict[str, dict[str, Any]] = {}
    for field, operator, value in conditions:
        operators = seen.setdefault(field, {})
        if operator in operators:
            name = "equality" if operator == "$eq" else operator
            raise TypeError(
                f"{name} stands twice on {field!r}; the API takes each operator once a field"
            )
        operators[operator] = value
        if "$eq" in operators and len(operators) > 1:
            raise TypeError(f"{field!r} cannot be equal to a value and meet other conditions too")
    return {field: operators.get("$eq", operators) for field, operators in seen.items()}


def compile_filters(filters: Filter | Mapping[str, Any] | None) -> Mapping[str, Any] | None:
    """What `filters=` accepts, as the API's object. A plain mapping's words pass unchecked.

    Raises:
        TypeError: neither a filter nor a mapping.
        ValueError: NaN or an infinity in a plain mapping, which JSON would make null.
    """
    if filters is None:
        return None
    if isinstance(filters, Filter):
        return filters.to_dict()
    if isinstance(filters, Mapping):
        return {name: _plain(name, item) for name, item in filters.items()}
    raise TypeError(f"filters= takes F conditions or a mapping, not {filters!r}")


def _plain(field: str, value: Any) -> Any:
    # Operators and names pass unchecked; only values that JSON lacks are written the API's way.
    if isinstance(value, Mapping):
        return {name: _plain(field, item) for name, item in value.items()}
    if isinstance(value, (float, Decimal)) and not math.isfinite(value):
        raise ValueError(f"{field!r}: JSON has no {value!r}, so a filter cannot compare with it")
    if isinstance(value, (datetime, date, Decimal)):
        return to_wire(value)
    if isinstance(value, (list, tuple)):
        return [_plain(field, item) for item in value]
    return value

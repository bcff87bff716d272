"""A filter on the field that a walk goes by becomes the walk's start and stop."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import attrs

__all__ = ["TICK", "Bounds", "fold", "moment"]

#: The least step of time that Python knows.
TICK = timedelta(microseconds=1)


@attrs.frozen
class Bounds:
    """What is left of a filter, and the range of the walk: from `start` to before `stop`."""

    filters: dict[str, Any]
    start: datetime | None = None
    stop: datetime | None = None


def moment(name: str, value: Any) -> datetime:
    """A moment, given as an aware datetime or the way the API writes one.

    Raises:
        ValueError: it is neither.
    """
    if isinstance(value, str):
        try:
            parsed = datetime.fromisoformat(value)
        except ValueError:
            raise ValueError(f"{name}: {value!r} is not a time") from None
        return parsed if parsed.tzinfo is not None else parsed.replace(tzinfo=UTC)
    if not isinstance(value, datetime):
        raise ValueError(f"{name}: {value!r} is not a time")
    if value.tzinfo is None:
        raise ValueError(f"{name}: {value!r} has no time zone; add one, e.g. .replace(tzinfo=UTC)")
    return value


def fold(filters: Mapping[str, Any] | None, by: str) -> Bounds:
    """Take the conditions on the time field `by` out of a compiled filter.

    Raises:
        ValueError: a condition on it that is no range of time.
    """
    rest = dict(filters or {})
    if by not in rest:
        return Bounds(rest)
    condition = rest.pop(by)
    if by != "created_at":
        raise ValueError(f"a walk by {by!r} cannot filter by it as well; compare in Python")
    operators = condition if isinstance(condition, Mapping) else {"$eq": condition}
    starts: list[datetime] = []
    stops: list[datetime] = []
    for operator, value in operators.items():
        if operator not in _RANGES:
            raise ValueError(
                f"a walk by {by!r} takes ranges of it, not {operator}; compare in Python"
            )
        at, (from_, until) = moment(by, value), _RANGES[operator]
        if from_ is not None:
            start = _after(at, from_)
            starts.append(at if start is None else start)
            if start is None:
                stops.append(at)  # nothing comes after the last moment there is
        if until is not None and (stop := _after(at, until)) is not None:
            stops.append(stop)
    return Bounds(rest, max(starts, default=None), min(stops, default=None))


def _after(at: datetime, step: timedelta) -> datetime | None:
    """None beyond the last moment that Python knows, which people write for "no bound"."""
    try:
        return at + step
    except OverflowError:
        return None


_NONE = timedelta(0)
#: How far behind the operator's moment the range starts and stops; None: it does not.
_RANGES: dict[str, tuple[timedelta | None, timedelta | None]] = {
    "$eq": (_NONE, TICK),
    "$gte": (_NONE, None),
    "$gt": (TICK, None),
    "$lt": (None, _NONE),
    "$lte": (None, TICK),
}

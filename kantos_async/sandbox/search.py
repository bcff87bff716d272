"""Filters and sort of a query, turned into SQL."""

from __future__ import annotations

from collections.abc import Callable, Container
from typing import Any, NamedTuple

from .problems import Problem
from .schema import ObjectType
from .stamps import micros_of, parse_date
from .values import fold_stage

__all__ = ["Search", "column", "plan"]

_INT64 = 2**63
_LONGEST_LIST = 1_000
_COMPARE = {"$gt": ">", "$gte": ">=", "$lt": "<", "$lte": "<="}


class Search(NamedTuple):
    """The parts of a SELECT over the records of one object."""

    where: str
    values: list[Any]
    order: str
    #: Fields asked for by equality or `$in`: an index on them is worth more than one on times.
    exact: frozenset[str]


class _Column(NamedTuple):
    expression: str
    convert: Callable[[Any], Any]
    indexable: bool = False
    #: How its values are put in order, where that is not as they stand.
    ordered: str = "{}"


def column(slug: str) -> str:
    """The SQL expression of a field; an index on it must use the very same text."""
    quoted = slug.replace("'", "''")
    return f"json_extract(doc, '$.\"{quoted}\"')"


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise ValueError("takes a string")
    return value


def _number(value: Any) -> int | float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError("takes a number")
    # SQLite's own integers end there; a double compares well enough beyond.
    try:
        return value if -_INT64 <= value < _INT64 else float(value)
    except OverflowError:
        raise ValueError("takes a number that a double can hold") from None


def _boolean(value: Any) -> int:
    if not isinstance(value, bool):
        raise ValueError("takes true or false")
    return int(value)


def _date(value: Any) -> str:
    return parse_date(_text(value))


def _moment(value: Any) -> int:
    return micros_of(_text(value))


def _stage(value: Any) -> str:
    return fold_stage(_text(value))


_CONVERT: dict[str, Callable[[Any], Any]] = {
    "number": _number,
    "currency": _number,
    "boolean": _boolean,
}
#: With its Z, a whole second would come after its own fractions.
_BY_TIME = "rtrim({}, 'Z')"
_SYSTEM = {
    "id": _Column("id", _text),
    "created_by": _Column("created_by", _text),
    "created_at": _Column("created", _moment),
    "updated_at": _Column("updated", _moment),
}


def _column(kind: ObjectType, slug: str) -> _Column | None:
    if slug in _SYSTEM:
        return _SYSTEM[slug]
    field = kind.fields.get(slug)
    if field is None:
        return None
    expression = column(slug)
    if field.type == "status":
        return _Column(f"fold_stage({expression})", _stage)
    if field.type == "date":
        return _Column(expression, _date, indexable=True, ordered=_BY_TIME)
    return _Column(expression, _CONVERT.get(field.type, _text), indexable=True)


def _equal(target: _Column, value: Any) -> tuple[str, list[Any]]:
    if value is None:
        return f"{target.expression} IS NULL", []
    return f"{target.expression} = ?", [target.convert(value)]


def _listed(target: _Column, value: Any) -> tuple[str, list[Any]]:
    if not isinstance(value, list):
        raise ValueError("takes a list")
    if len(value) > _LONGEST_LIST:
        raise ValueError(f"takes at most {_LONGEST_LIST} values")
    marks = ",".join("?" * len(value))
    return f"{target.expression} IN ({marks})", [target.convert(item) for item in value]


def _condition(target: _Column, operator: str, value: Any) -> tuple[str, list[Any]]:
    """One operator applied to one column.

    Raises:
        ValueError: in words that follow the operator's name.
    """
    expression, convert, ordered = target.expression, target.convert, target.ordered.format
    if operator in _COMPARE:
        return f"{ordered(expression)} {_COMPARE[operator]} {ordered('?')}", [convert(value)]
    if operator == "$in":
        return _listed(target, value)
    if operator == "$contains":
        return f"has_text({expression}, ?)", [_text(value)]
    if operator == "$empty":
        blank = f"({expression} IS NULL OR {expression} = '')"
        return (blank if _boolean(value) else f"NOT {blank}"), []
    if operator in {"$ne", "$nin"}:
        positive, values = (_equal if operator == "$ne" else _listed)(target, value)
        # A record without a value differs from every value.
        return f"({positive}) IS NOT 1", values
    raise ValueError("is not an operator")


def plan(
    kind: ObjectType,
    filters: dict[str, Any],
    sort: str | None,
    order: str,
    *,
    deaf_sorts: Container[str] = (),
    deaf_filters: Container[str] = (),
) -> Search:
    """The SQL of one query; filters and sorts in `deaf_*` are checked and then ignored.

    Ties, and everything when there is no sort, fall in the order of ids, which are random: it is
    stable, and it is nobody's insertion order.

    Raises:
        Problem: 400 naming the field or the operator.
    """
    clauses, values = ["object_id = ?"], [kind.id]
    exact: set[str] = set()
    for slug, wanted in filters.items():
        target = _column(kind, slug)
        if target is None:
            raise Problem(400, f"Cannot filter by {slug!r}", {"filters": slug})
        tests = wanted if isinstance(wanted, dict) else {"": wanted}
        for operator, value in tests.items():
            try:
                if operator:
                    clause, bound = _condition(target, operator, value)
                else:
                    clause, bound = _equal(target, value)
            except ValueError as error:
                raise Problem(
                    400,
                    f"Filter on {slug!r}: {operator or 'equality'} {error}",
                    {"filters": slug, "operator": operator or None},
                ) from None
            if slug in deaf_filters:
                continue
            clauses.append(clause)
            values.extend(bound)
            if operator in {"", "$in"} and target.indexable:
                exact.add(slug)
    by = _column(kind, sort) if sort else _SYSTEM["created_at"]
    if by is None:
        raise Problem(400, f"Cannot sort by {sort!r}", {"sort": sort})
    if sort and sort in deaf_sorts:
        by = _SYSTEM["created_at"]
    return Search(
        " AND ".join(clauses),
        values,
        _order(by.ordered.format(by.expression), order, exact),
        frozenset(exact),
    )


def _order(expression: str, order: str, exact: Container[str]) -> str:
    direction = "DESC" if order == "desc" else "ASC"
    # The plus sign keeps SQLite from choosing an index for the sake of the order.
    first = f"+{expression}" if exact else expression
    return f"{first} {direction}" if expression == "id" else f"{first} {direction}, id {direction}"

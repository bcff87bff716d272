"""`F` compiles to the API's language, or says what to do instead."""

from __future__ import annotations

import math
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from enum import StrEnum
from typing import Any

import msgspec
import pytest

from kantos_async import F
from kantos_async.filters import compile_filters

NOON = datetime(2024, 1, 15, 12, 0, tzinfo=UTC)


class Stage(StrEnum):
    WON = "won"


@pytest.mark.parametrize(
    ("condition", "written"),
    [
        (F.name == "Acme", {"name": "Acme"}),
        (F.name == None, {"name": None}),  # noqa: E711
        (F.done == True, {"done": True}),  # noqa: E712
        (F.name != "Acme", {"name": {"$ne": "Acme"}}),
        (F.value >= 10_000, {"value": {"$gte": 10_000}}),
        (F.value > 0.5, {"value": {"$gt": 0.5}}),
        (F.value <= 3, {"value": {"$lte": 3}}),
        (F.value < 3, {"value": {"$lt": 3}}),
        (10 <= F.value, {"value": {"$gte": 10}}),  # noqa: SIM300
        (F.name.contains("cm"), {"name": {"$contains": "cm"}}),
        (F.stage.is_in(["new", "won"]), {"stage": {"$in": ["new", "won"]}}),
        (F.stage.is_in(s for s in "ab"), {"stage": {"$in": ["a", "b"]}}),
        (F.stage.not_in(("lost",)), {"stage": {"$nin": ["lost"]}}),
        (F.phone.empty(), {"phone": {"$empty": True}}),
        (F.phone.empty(False), {"phone": {"$empty": False}}),
        (F["weird name"] == 1, {"weird name": 1}),
        (F["empty"] == 1, {"empty": 1}),
        (F.empty == 1, {"empty": 1}),
        (F["__class__"] == 1, {"__class__": 1}),
        (F.stage == Stage.WON, {"stage": "won"}),
    ],
    ids=str,
)
def test_one_condition(condition: Any, written: dict[str, Any]) -> None:
    assert condition.to_dict() == written
    assert msgspec.json.decode(msgspec.json.encode(written)) == written


@pytest.mark.parametrize(
    ("value", "written"),
    [
        (NOON, "2024-01-15T12:00:00Z"),
        (NOON.astimezone(timezone(timedelta(hours=5, minutes=30))), "2024-01-15T12:00:00Z"),
        (NOON + timedelta(microseconds=1500), "2024-01-15T12:00:00.001500Z"),
        (date(2024, 1, 15), "2024-01-15"),
        (Decimal("10000"), 10_000),
        (Decimal("0.25"), 0.25),
    ],
)
def test_values_are_written_the_apis_way(value: Any, written: Any) -> None:
    assert (F.x >= value).to_dict() == {"x": {"$gte": written}}
    assert F.x.is_in([value]).to_dict() == {"x": {"$in": [written]}}
    assert compile_filters({"x": {"$gte": value}, "y": [value]}) == {
        "x": {"$gte": written},
        "y": [written],
    }


def test_conditions_join_and_different_operators_on_one_field_merge() -> None:
    joined = (F.n >= 10) & (F.n < 20) & F.name.contains("Acme") & ~F.phone.empty()
    assert joined.to_dict() == {
        "n": {"$gte": 10, "$lt": 20},
        "name": {"$contains": "Acme"},
        "phone": {"$empty": False},
    }
    assert repr(joined) == f"Filter({joined.to_dict()!r})"


def test_joining_leaves_its_parts_as_they_were() -> None:
    base = F.a == 1
    _ = base & (F.b == 2)
    assert base.to_dict() == {"a": 1}


@pytest.mark.parametrize(
    ("condition", "opposite"),
    [
        (F.x == 1, {"x": {"$ne": 1}}),
        (F.x != 1, {"x": 1}),
        (F.x >= 1, {"x": {"$lt": 1}}),
        (F.x < 1, {"x": {"$gte": 1}}),
        (F.x > 1, {"x": {"$lte": 1}}),
        (F.x <= 1, {"x": {"$gt": 1}}),
        (F.x.is_in([1]), {"x": {"$nin": [1]}}),
        (F.x.not_in([1]), {"x": {"$in": [1]}}),
        (F.x.empty(), {"x": {"$empty": False}}),
    ],
    ids=str,
)
def test_a_single_condition_can_be_negated_and_back(condition: Any, opposite: Any) -> None:
    assert (~condition).to_dict() == opposite
    assert (~~condition).to_dict() == condition.to_dict()


@pytest.mark.parametrize(
    ("write", "advice"),
    [
        (lambda: (F.a == 1) | (F.b == 2), "is_in"),
        (lambda: {"a": 1} | (F.b == 2), "is_in"),
        (lambda: (F.a == 1) and (F.b == 2), "&"),
        (lambda: not (F.a == 1), "~"),  # noqa: SIM201
        (lambda: 1 <= F.n < 9, r"\(F.n >= 1\) & \(F.n < 9\)"),
        (lambda: 1 if F.a == 1 else 2, "&"),
        (lambda: bool(F.a), "compare it"),
        (lambda: "x" in F.name, r"contains\('x'\)"),
        (lambda: F.a in ["x", "y"], "truth value"),
        (lambda: ~((F.a == 1) & (F.b == 2)), "each condition alone"),
        (lambda: ~F.a.contains("x"), "in Python"),
        (lambda: (F.a == 1) & {"b": 2}, "joins filters"),
        (lambda: (F.n >= 1) & (F.n >= 2), r"\$gte stands twice on 'n'"),
        (lambda: (F.n == 1) & (F.n == 2), "equality stands twice"),
        (lambda: (F.n == 1) & (F.n < 2), "cannot be equal"),
        (lambda: F.a.contains(5), "takes text"),
        (lambda: F.a.is_in("abc"), "several values"),
        (lambda: F.a.is_in({"a": 1}), "several values"),
        (lambda: F.a == object(), "cannot compare"),
        (lambda: F.a == b"x", "cannot compare"),
        (lambda: F.a == F.b, "compare in Python"),
        (lambda: F.a >= None, "neither more nor less"),
        (lambda: F.a < True, "neither more nor less"),
        (lambda: F.a > [1], "neither more nor less"),
        (lambda: F.a >= math.nan, "JSON has no"),  # noqa: PLW0177
        (lambda: F.a == Decimal("Infinity"), "JSON has no"),
        (lambda: F.a >= datetime(2024, 1, 1), "time zone"),
        (lambda: F.a == 1 & F.b == 2, r"brackets, as in \(F.a == 1\) & \(F.b == 2\)"),
        (lambda: F.a == "x" | F.a == "y", "is_in"),
        (lambda: F.a & F.b, "brackets"),
        (lambda: F.a | F.b, "OR"),
        (lambda: F.a & (F.b == 1), "brackets"),
        (lambda: (F.a == 1) & F.b, "brackets"),
        (lambda: ~F.done, r"~F.done.empty\(\)"),
        (lambda: F[""], "slug"),
        (lambda: F[1], "slug"),
        (lambda: compile_filters("status=new"), "F conditions or a mapping"),
        (lambda: compile_filters(F.a), "F conditions or a mapping"),
        (lambda: {F.a}, "unhashable"),
    ],
)
def test_what_cannot_be_said_is_a_type_error_that_helps(write: Any, advice: str) -> None:
    with pytest.raises(TypeError, match=advice):
        write()


def test_a_plain_mapping_passes_unchecked() -> None:
    assert compile_filters(None) is None
    assert compile_filters({}) == {}
    assert compile_filters({"a": {"$new": [1, None]}}) == {"a": {"$new": [1, None]}}


@pytest.mark.parametrize("value", [math.nan, -math.inf, Decimal("NaN"), Decimal("Infinity")])
@pytest.mark.parametrize("wrap", [lambda x: x, lambda x: {"$gte": x}, lambda x: {"$in": [1, x]}])
def test_a_plain_mapping_with_no_number_is_refused_and_its_field_named(
    value: Any, wrap: Any
) -> None:
    with pytest.raises(ValueError, match=r"'price': JSON has no"):
        compile_filters({"name": "x", "price": wrap(value)})


@pytest.mark.parametrize(
    "value",
    [
        datetime.max.replace(tzinfo=timezone(timedelta(hours=-5))),
        datetime.min.replace(tzinfo=timezone(timedelta(hours=5))),
    ],
    ids=str,
)
def test_a_time_that_utc_cannot_write_is_a_clear_error(value: datetime) -> None:
    with pytest.raises(ValueError, match="years 1 to 9999"):
        _ = F.created_at <= value
    with pytest.raises(ValueError, match="years 1 to 9999"):
        compile_filters({"created_at": {"$lte": value}})


def test_fields_can_be_looked_at() -> None:
    assert repr(F) == "F"
    assert repr(F.name) == "F['name']"
    assert not hasattr(F, "__wrapped__")

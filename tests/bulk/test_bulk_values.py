"""Values compared the API's way."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kantos_async.bulk.policy import CLEAR
from kantos_async.bulk.values import (
    fingerprint,
    is_empty,
    key_text,
    key_value,
    wire_value,
)


@pytest.mark.parametrize(
    ("kind", "one", "two"),
    [
        ("number", 1, 1.0),
        ("number", "12.50", 12.5),
        ("currency", 0.1 + 0.2, 0.30000000000000004),
        ("text", "", None),
        ("date", "2024-01-15", "2024-01-15T00:00:00Z"),
        ("date", "2024-01-15T01:00:00+01:00", "2024-01-15"),
        ("datetime", "2024-01-15T10:30:00Z", "2024-01-15T12:30:00+02:00"),
        ("status", "Closed Won", "closed_won"),
        ("status", "QUALIFIED", "qualified"),
        ("multi_select", ["a", "b"], ["a", "b"]),
        ("json", {"a": 1, "b": 2}, {"b": 2, "a": 1}),
    ],
)
def test_equal_values_have_equal_fingerprints(kind: str, one: Any, two: Any) -> None:
    assert fingerprint(kind, one) == fingerprint(kind, two)


@pytest.mark.parametrize(
    ("kind", "one", "two"),
    [
        ("text", "a", "A"),
        ("text", "1", "1.0"),
        ("text", "null", None),
        ("number", 1, True),
        ("number", 2**53, 2**53 + 1),
        ("boolean", False, None),
        ("boolean", False, 0),
        ("date", "2024-01-15", "2024-01-15T00:00:01Z"),
        ("date", "soon", "later"),
        ("multi_select", ["a", "b"], ["b", "a"]),
        ("email", "a@x.org", "A@x.org"),
    ],
)
def test_other_values_have_other_fingerprints(kind: str, one: Any, two: Any) -> None:
    assert fingerprint(kind, one) != fingerprint(kind, two)


json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63)
    | st.text()
    | st.floats(allow_nan=False, allow_infinity=False),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=5,
)


@given(json_values, st.sampled_from(["text", "number", "date", "status", "boolean", "new"]))
def test_what_comes_back_as_json_is_equal(value: Any, kind: str) -> None:
    try:
        sent = wire_value(value)
        back = msgspec.json.decode(msgspec.json.encode(sent))
    except (TypeError, ValueError, UnicodeEncodeError):
        return
    assert len(fingerprint(kind, sent)) == 8
    assert fingerprint(kind, sent) == fingerprint(kind, back)


@pytest.mark.parametrize(
    ("value", "wire"),
    [
        (date(2024, 1, 15), "2024-01-15"),
        (
            datetime(2024, 1, 15, 10, 30, tzinfo=timezone(timedelta(hours=2))),
            "2024-01-15T08:30:00Z",
        ),
        (Decimal("12.50"), 12.5),
        (Decimal(12), 12),
        (CLEAR, None),
        (("a", date(2024, 1, 15)), ["a", "2024-01-15"]),
        ({"day": date(2024, 1, 15)}, {"day": "2024-01-15"}),
    ],
)
def test_values_are_written_the_apis_way(value: Any, wire: Any) -> None:
    assert wire_value(value) == wire


@pytest.mark.parametrize(
    "value", [object(), datetime(2024, 1, 15), float("inf"), {1, 2}, b"bytes", [object()]]
)
def test_values_that_json_lacks_are_refused(value: Any) -> None:
    with pytest.raises((TypeError, ValueError)):
        wire_value(value)


class Scalar:
    """As numpy's look."""

    def __init__(self, value: Any) -> None:
        self.value = value

    def item(self) -> Any:
        return self.value

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Scalar) and self.value == other.value

    __hash__ = None  # type: ignore[assignment]


class Missing:
    """As pandas' NA looks: no comparison has a truth value."""

    def __ne__(self, other: object) -> Any:
        return self

    def __bool__(self) -> bool:
        raise TypeError("boolean value of NA is ambiguous")


def test_scalars_and_gaps_of_numpy_and_pandas() -> None:
    assert wire_value(Scalar(5)) == 5
    assert [is_empty(Scalar(5)), is_empty(Scalar(float("nan"))), is_empty(Missing())] == [
        False,
        True,
        True,
    ]
    assert [is_empty(value) for value in (None, "", float("nan"), Decimal("nan"))] == [True] * 4
    assert [is_empty(value) for value in (0, False, " ", [], {}, CLEAR, datetime.now(UTC))] == (
        [False] * 7
    )


@pytest.mark.parametrize(
    ("kind", "value", "text"),
    [
        ("text", "A b", "A b"),
        ("text", 7, "7"),
        ("number", 7.0, "7"),
        ("number", "7", "7"),
        ("number", 7.5, "7.5"),
        ("date", "2024-01-15T00:00:00Z", "2024-01-15"),
        ("email", "", None),
        ("email", None, None),
        ("boolean", True, "True"),
    ],
)
def test_keys_as_text(kind: str, value: Any, text: str | None) -> None:
    assert key_text(kind, value) == text
    if text is not None and kind in {"text", "number"}:
        assert key_text(kind, key_value(kind, text)) == text

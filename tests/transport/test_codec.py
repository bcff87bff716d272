"""Bodies: what JSON lacks is refused, and no digit is lost."""

from __future__ import annotations

import math
from decimal import Decimal
from types import MappingProxyType
from typing import Any

import attrs
import pytest
from support.scripts import ScriptEngine, record

from kantos_async.transport.codec import encode


@attrs.frozen
class Priced:
    price: float


@pytest.mark.parametrize(
    ("text", "written"),
    [("10.50", "10.50"), ("1E+5", "1E+5"), ("-0.1234567890123456789012", None), ("7", None)],
)
def test_a_decimal_is_a_number_with_all_its_digits(text: str, written: str | None) -> None:
    assert encode({"price": Decimal(text)}) == f'{{"price":{written or text}}}'.encode()
    assert encode({"price": Decimal(text), "x": None}).startswith(b'{"price":' + text.encode())


@pytest.mark.parametrize(
    "number",
    [
        math.nan,
        math.inf,
        -math.inf,
        Decimal("NaN"),
        Decimal("sNaN"),
        Decimal("Infinity"),
        Decimal("-Infinity"),
    ],
    ids=str,
)
@pytest.mark.parametrize(
    ("wrap", "place"),
    [
        (lambda x: {"field_values": {"name": "x", "price": x}}, r"field_values\.price"),
        (lambda x: {"a": [1, {"b": (None, x)}]}, r"a\[1\]\.b\[1\]"),
        (lambda x: MappingProxyType({"a": MappingProxyType({"b": x})}), r"a\.b"),
        (lambda x: [Priced(x)], r"\[0\]\.price"),
        (lambda x: x, "the body"),
    ],
)
def test_what_is_no_number_is_refused_and_its_place_named(
    number: Any, wrap: Any, place: str
) -> None:
    with pytest.raises(ValueError, match=f"^{place}: JSON has no "):
        encode(wrap(number))


@pytest.mark.parametrize(
    "body",
    [
        {"name": None, "value": 1.5, "note": "null"},
        {"note": "NaN, Infinity and null", "value": Decimal("1E+400")},
        [],
        "null",
        None,
    ],
    ids=str,
)
def test_what_only_looks_like_it_passes(body: Any) -> None:
    assert encode(body)


async def test_an_update_with_nan_sends_nothing_and_one_with_a_decimal_a_number() -> None:
    engine = ScriptEngine(record())
    async with engine.client() as k:
        with pytest.raises(ValueError, match=r"field_values\.value"):
            await k.records.update("rec_1", {"value": math.nan})
        with pytest.raises(ValueError, match=r"field_values\.value"):
            await k.records.create(object_id="obj", field_values={"value": math.inf})
        assert engine.requests == []
        await k.records.update("rec_1", {"value": Decimal("10.50")})
    assert engine.requests[0].body == b'{"field_values":{"value":10.50}}'

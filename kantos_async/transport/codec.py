"""Bytes to models and back, with one decoder a type made once."""

from __future__ import annotations

import math
from collections.abc import Iterator
from decimal import Decimal
from typing import Any, TypeVar

import msgspec

from .unions import dec_hook, enc_hook

__all__ = ["decode", "encode"]

T = TypeVar("T")

_encode = msgspec.json.Encoder(enc_hook=enc_hook, decimal_format="number").encode

_decoders: dict[Any, msgspec.json.Decoder[Any]] = {}


def encode(body: Any) -> bytes:
    """Encode a JSON body; a `Decimal` becomes a number, with all its digits.

    Raises:
        ValueError: it holds NaN or an infinity; the message names the place.
        TypeError, NotImplementedError: it holds what is no JSON value.
    """
    data = _encode(body)
    # A float that JSON lacks was made null, which would clear a field without a word; such a
    # Decimal stands as it is, which no parser takes. Both are told from the bytes, in under a us,
    # so that only a body with a null in it is walked through.
    try:
        _parse(data)
        if b"null" not in data:
            return data
    except msgspec.DecodeError:
        pass
    for place, value in _numbers("", msgspec.to_builtins(body, enc_hook=enc_hook, **_DECIMALS)):
        if not (value.is_finite() if isinstance(value, Decimal) else math.isfinite(value)):
            raise ValueError(f"{place or 'the body'}: JSON has no {value!r}")
    return data


_parse = msgspec.json.Decoder(msgspec.Raw).decode
_DECIMALS: dict[str, Any] = {"builtin_types": (Decimal,)}


def _numbers(place: str, value: Any) -> Iterator[tuple[str, float | Decimal]]:
    """The numbers that may be infinite, and where each stands: `field_values.price`."""
    if isinstance(value, (float, Decimal)):
        yield place, value
    elif isinstance(value, dict):
        for name, item in value.items():
            yield from _numbers(f"{place}.{name}" if place else str(name), item)
    elif isinstance(value, (list, tuple)):
        for index, item in enumerate(value):
            yield from _numbers(f"{place}[{index}]", item)


def decode(kind: type[T], body: bytes) -> T:
    """Decode a JSON body into `kind`.

    Raises:
        msgspec.ValidationError: it is JSON of another shape.
        msgspec.DecodeError: it is no JSON.
        UnicodeDecodeError: a string in it is not UTF-8.
    """
    decoder = _decoders.get(kind)
    if decoder is None:
        decoder = _decoders[kind] = msgspec.json.Decoder(kind, dec_hook=dec_hook)
    return decoder.decode(body)  # type: ignore[no-any-return]

"""JSON written as JavaScript's `JSON.stringify` writes it.

Three things differ from any Python writer: how numbers look, that keys which are array indices
come first in numeric order, and that nothing but quotes, backslashes and control characters is
escaped.
"""

from __future__ import annotations

import json
import re
from typing import Any

from .document import Number

__all__ = ["stringify"]

_INDEX = re.compile(r"0|[1-9][0-9]{0,9}")
_MAX_INDEX = 2**32 - 1
# Most numbers are of this form, which JavaScript writes the same way.
_SAFE_INTEGER = re.compile(r"0|-?[1-9][0-9]{0,14}")


def stringify(value: Any) -> str:
    """What `JSON.stringify(JSON.parse(text))` gives, for a tree that `document.parse` has read.

    Raises:
        ValueError: a number would not survive the way through a JavaScript number.
    """
    match value:
        case dict():
            # Sorting is stable: keys that are no index keep their order, behind those that are.
            keys = sorted(value, key=_index)
            return "{" + ",".join(f"{_string(k)}:{stringify(value[k])}" for k in keys) + "}"
        case list():
            return "[" + ",".join(map(stringify, value)) + "]"
        case Number():
            return _number(value)
        case _:
            return _string(value)


def _string(value: str | bool | None) -> str:
    return json.dumps(value, ensure_ascii=False)


def _index(key: str) -> int:
    return min(int(key), _MAX_INDEX) if _INDEX.fullmatch(key) else _MAX_INDEX


def _number(written: str) -> str:
    """Number::toString of ECMAScript, section 6.1.6.1.20."""
    if _SAFE_INTEGER.fullmatch(written):
        return written
    shortest = _scientific(repr(float(written)))
    if shortest != _scientific(written) or shortest == ("-", "", 0):
        raise ValueError(f"{written[:40]} is another number in JavaScript")
    sign, digits, point = shortest
    count = len(digits)
    if count <= point <= 21:
        text = digits + "0" * (point - count) or "0"
    elif 0 < point <= 21:
        text = f"{digits[:point]}.{digits[point:]}"
    elif -6 < point <= 0:
        text = f"0.{'0' * -point}{digits}"
    else:
        fraction = f".{digits[1:]}" if count > 1 else ""
        text = f"{digits[0]}{fraction}e{point - 1:+d}"
    return sign + text


def _scientific(written: str) -> tuple[str, str, int]:
    """A number as sign, significant digits d and exponent e: ±0.d x 10^e; zero has no digits."""
    sign = "-" if written.startswith("-") else ""
    mantissa, _, exponent = written.lower().removeprefix("-").partition("e")
    whole, _, fraction = mantissa.partition(".")
    digits = (whole + fraction).lstrip("0")
    leading = len(whole) + len(fraction) - len(digits)
    point = len(whole) - leading + int(exponent or "0") if digits else 0
    return sign, digits.rstrip("0"), point

"""Values compared the API's way: equal values have equal fingerprints, whoever wrote them.

What is compared is what a value means in its field: 1 and 1.0, a date with or without midnight,
a stage in another case. A mirror of 500,000 records keeps these 8 bytes a field, and no value.
"""

from __future__ import annotations

import math
from datetime import UTC, date, datetime
from hashlib import blake2b
from typing import Any

import msgspec

from ..filters import to_wire
from .policy import CLEAR

__all__ = [
    "ABSENT",
    "NOTHING",
    "WIDTH",
    "asked_as",
    "fingerprint",
    "folded",
    "is_empty",
    "key_text",
    "key_value",
    "wire_value",
]

#: Bytes of a fingerprint.
WIDTH = 8

#: The place of a field that a row does not give.
ABSENT = b"\0" * WIDTH

_NUMBERS = frozenset({"number", "currency"})
_DATES = frozenset({"date", "datetime"})
_STAGES = frozenset({"status", "dropdown"})
#: Types whose texts mean more than their letters.
_READ_TEXT = _NUMBERS | _DATES | _STAGES
_TEXT = b"text:"
#: Whole numbers up to here are the same as a double.
_EXACT = 2**53


def fingerprint(kind: str, value: Any) -> bytes:
    """8 bytes for a value of a field of type `kind`. None and the empty string are one."""
    if type(value) is str and value and kind not in _READ_TEXT:  # by far the most, and the fastest
        return blake2b(_TEXT + value.encode("utf-8", "surrogatepass"), digest_size=WIDTH).digest()
    return blake2b(_canonical(kind, value), digest_size=WIDTH).digest()


def _canonical(kind: str, value: Any) -> bytes:
    if value is None or value == "":
        return b"-"
    if isinstance(value, str):
        return _text(kind, value)
    if isinstance(value, bool):
        return b"true" if value else b"false"
    if isinstance(value, (int, float)):
        return _number(value)
    return b"json:" + msgspec.json.encode(value, order="sorted")


def _text(kind: str, value: str) -> bytes:
    if kind in _STAGES:
        value = value.casefold().replace(" ", "_")
    elif kind in _DATES:
        value = _date(value)
    elif kind in _NUMBERS:
        try:
            return _number(float(value))
        except ValueError:
            pass
    return _TEXT + value.encode("utf-8", "surrogatepass")


def _number(value: float) -> bytes:
    if isinstance(value, float) and value.is_integer() and abs(value) <= _EXACT:
        value = int(value)
    return b"number:%a" % value


def _date(text: str) -> str:
    """A day as `2024-01-15`, also when it comes as its midnight; other times in UTC."""
    if len(text) == 10:
        return text
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return text
    if moment.tzinfo is not None:
        moment = moment.astimezone(UTC).replace(tzinfo=None)
    day = moment.date()
    midnight = moment == datetime(day.year, day.month, day.day)
    return day.isoformat() if midnight else moment.isoformat()


#: The fingerprint of a field without a value.
NOTHING = fingerprint("text", None)


def key_text(kind: str, value: Any) -> str | None:
    """A key as text, so that equal keys are equal texts; None where there is none."""
    if value is None or value == "":
        return None
    if isinstance(value, str) and kind not in _READ_TEXT:
        return value
    return _canonical(kind, value).decode("utf-8", "surrogatepass").partition(":")[2] or str(value)


def key_value(kind: str, text: str) -> Any:
    """A key's text as a value that can be looked up."""
    return msgspec.json.decode(text) if kind in _NUMBERS else text


def folded(kind: str, key: str) -> str | None:
    """A key without its case, where that differs; None where it does not, or means something."""
    if kind == "id" or kind in _NUMBERS or kind in _DATES:
        return None
    text = key.casefold()
    return None if text == key else text


def asked_as(kind: str, value: Any) -> list[Any]:
    """The values to look a key up by: what is compared, in each way that a record may write it.

    Raises:
        ValueError: no record can have this key.
    """
    key = key_text(kind, value)
    if kind in _NUMBERS:
        number = key_value(kind, key or "")
        if isinstance(value, bool) or not isinstance(number, (int, float)):
            raise ValueError(f"{value!r} is no number")
        return [number]
    if kind not in _DATES:
        return [value]
    datetime.fromisoformat(value if isinstance(value, str) else repr(value))
    assert key is not None
    midnight = f"{key}T00:00:00Z" if len(key) == len("2024-01-15") else f"{key}Z"
    return list(dict.fromkeys((value, key, midnight) if "T" not in key else (value, midnight)))


def is_empty(value: Any) -> bool:
    """Whether a cell holds nothing: None, "", NaN or NaT."""
    if value is None or (isinstance(value, str) and not value):
        return True
    if isinstance(value, (str, int, list, tuple, dict)):
        return False
    try:
        # What NaN and NaT have in common, and nothing else.
        return bool(value != value)  # noqa: PLR0124
    except TypeError:
        return True  # pandas' NA
    except ValueError:
        return False  # an array


def wire_value(value: Any) -> Any:
    """A value as JSON has it.

    Raises:
        TypeError, ValueError: JSON, or the API, has no such value.
    """
    if value is CLEAR:
        return None
    if isinstance(value, dict):
        return {str(name): wire_value(item) for name, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [wire_value(item) for item in value]
    if not isinstance(value, (str, int, float, date)) and hasattr(value, "item"):
        value = value.item()  # a scalar of numpy's
    if isinstance(value, float) and not math.isfinite(value):
        raise ValueError(f"{value!r} is not a number that JSON has")
    try:
        return to_wire(value)
    except TypeError as error:
        if isinstance(value, datetime):
            raise
        raise TypeError(f"{type(value).__name__} is no value that JSON has") from error

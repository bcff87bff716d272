"""Times as the API writes them, and as the store keeps them: whole microseconds since 1970."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache

__all__ = ["MICROS", "Stamps", "micros_of", "parse_date"]

MICROS = 1_000_000
_EPOCH = datetime(1970, 1, 1)
_STEP = timedelta(microseconds=1)
_ISO = re.compile(r"\d{4}-\d\d-\d\d(T\d\d:\d\d(:\d\d(\.\d{1,6})?)?(Z|[+-]\d\d:\d\d)?)?", re.ASCII)


class Stamps:
    """Cuts the clock to the server's resolution and writes the result.

    `digits` is the number of decimal places of a second: 0 as in the documentation's samples,
    3 or 6 for a finer server.
    """

    def __init__(self, digits: int = 0) -> None:
        if digits not in {0, 3, 6}:
            raise ValueError(f"stamp_digits must be 0, 3 or 6, not {digits}")
        self.digits = digits
        self._grain: int = 10 ** (6 - digits)

    def cut(self, seconds: float) -> int:
        """The last tick of the server's clock at or before a time in Unix seconds."""
        micros = round(seconds * MICROS)
        return micros - micros % self._grain

    def text(self, micros: int) -> str:
        """`2024-01-15T10:30:00Z`, with as many decimals as the server shows."""
        seconds, rest = divmod(micros, MICROS)
        if not self.digits:
            return f"{_whole(seconds)}Z"
        return f"{_whole(seconds)}.{rest // self._grain:0{self.digits}}Z"


@lru_cache(4096)
def _whole(seconds: int) -> str:
    return (_EPOCH + timedelta(seconds=seconds)).isoformat(timespec="seconds")


def _parse(text: str) -> datetime:
    if not _ISO.fullmatch(text):
        raise ValueError("is not an ISO 8601 date or time")
    try:
        moment = datetime.fromisoformat(text)
        if moment.tzinfo is not None:
            moment = moment.astimezone(UTC).replace(tzinfo=None)
    except (ValueError, OverflowError):
        raise ValueError("is not a date of the calendar") from None
    return moment


def micros_of(text: str) -> int:
    """Microseconds since 1970 of an ISO 8601 date or time; without an offset it is UTC."""
    return (_parse(text) - _EPOCH) // _STEP


def parse_date(text: str) -> str:
    """A date field's value: a plain date as it is, a time in UTC.

    Both forms sort as text once the Z is off, which is how the store compares them.
    """
    moment = _parse(text)
    if "T" not in text:
        return date.isoformat(moment)[:10]
    return moment.isoformat() + "Z"

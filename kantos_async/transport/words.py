"""What an answer's headers say of the quota and of time."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC
from email.utils import parsedate_to_datetime

import msgspec

__all__ = ["Words", "read_words", "retry_after_seconds"]


class Words(msgspec.Struct, frozen=True, gc=False):
    """What one answer said of the quota. None for what was missing, doubled or absurd."""

    limit: int | None = None
    remaining: int | None = None
    #: Unix time of the server's clock, whole seconds.
    reset: int | None = None
    #: The server's clock at the answer, cut to the second.
    date: float | None = None
    retry_after: str | None = None


_NAMES = {
    b"x-ratelimit-limit": 0,
    b"x-ratelimit-remaining": 1,
    b"x-ratelimit-reset": 2,
    b"date": 3,
    b"retry-after": 4,
}

#: The same by the spellings met, among them those of headers that do not matter.
_PLACES: dict[bytes, int | None] = {}


def _place(name: bytes) -> int | None:
    place = _NAMES.get(name.lower())
    if len(_PLACES) < 256:  # a server must not be able to make it grow
        _PLACES[name] = place
    return place


# A year is longer than any window; more requests than this a minute is no limit at all.
_FAR = 366 * 86_400
# The year 9000, after which a few windows more would leave what `datetime` can express.
_LATEST = 221_845_392_000
_MANY = 10**9


def read_words(headers: Sequence[tuple[bytes, bytes]]) -> Words:
    """Read the quota headers of one answer, in one pass."""
    found: list[bytes | None] = [None] * 5
    doubled = False
    for name, value in headers:
        place = _PLACES.get(name, -1)
        if place == -1:
            place = _place(name)
        if place is not None:
            doubled = doubled or (found[place] is not None and place < 3)
            found[place] = value
    date = _date(found[3]) if found[3] is not None else None
    retry_after = found[4].decode("latin-1") if found[4] is not None else None
    if not doubled and (sound := _sound(found[0], found[1], found[2], date)):
        return Words(*sound, date, retry_after)
    return Words(None, None, None, date, retry_after)


def _sound(
    limit: bytes | None, remaining: bytes | None, reset: bytes | None, date: float | None
) -> tuple[int, int, int] | None:
    """The three numbers, if they make sense together."""
    if limit is None or remaining is None or reset is None:
        return None
    try:
        most, left, end = int(limit), int(remaining), int(reset)
    except ValueError:
        return None
    if not (0 < most < _MANY and 0 <= left <= most and end > 0):
        return None
    if date is not None and not date - 2 <= end <= date + _FAR:
        return None
    return most, left, end


_last_date: tuple[bytes, float | None] = (b"", None)


def _date(value: bytes) -> float | None:
    # Within a second all answers carry the same text, and parsing it costs more than all the rest.
    global _last_date  # noqa: PLW0603
    text, parsed = _last_date
    if text != value:
        parsed = _http_date(value.decode("latin-1"))
        _last_date = (value, parsed)
    return parsed


def _http_date(text: str) -> float | None:
    """Unix time; None for what is no date, or none that a window could begin or end at."""
    try:
        moment = parsedate_to_datetime(text)
        stamp = (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError):
        return None
    return stamp if 0 <= stamp < _LATEST else None


def retry_after_seconds(words: Words) -> float | None:
    """`Retry-After` as seconds from the answer on: a number, or a date by the server's clock."""
    if words.retry_after is None:
        return None
    try:
        seconds = float(words.retry_after)
    except ValueError:
        at = _http_date(words.retry_after)
        if at is None or words.date is None:
            return None
        # The answer's own date is cut to the second: this errs by less than one, to the safe side.
        seconds = at - words.date
    return max(0.0, seconds) if seconds < _FAR else None

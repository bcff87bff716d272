"""What a sync must not believe, one rule a function.

Searches lag, stamps are cut to the second, and nobody has seen the server sort or filter by
`updated_at`. Each rule answers a fault that was met in simulation; `tests/faults` switches each
one off, and sees the fault again. Stamps are microseconds since 1970, moments Unix seconds.
"""

from __future__ import annotations

import enum
import math
from collections.abc import Sequence
from itertools import pairwise
from typing import Any, Protocol

__all__ = [
    "Verdict",
    "delta_start",
    "is_cut_off",
    "is_settled",
    "is_sorted",
    "judge",
    "must_ask",
    "proves_filter",
    "proves_sort",
    "settled_before",
    "wait_after",
]

_SECOND = 1_000_000
_HOUR = 3600


class _Stamped(Protocol):
    @property
    def id(self) -> str: ...
    @property
    def created(self) -> int: ...
    @property
    def updated(self) -> int: ...


class Verdict(enum.Enum):
    """What to do with a record as a search shows it."""

    TAKE = "take"
    SKIP = "skip"
    ASK = "ask"


def delta_start(watermark: int, margin: float) -> int:
    """From which stamp on changes are read again: searches lag, and seconds fill up late."""
    return watermark - math.ceil(margin) * _SECOND


def settled_before(server_now: float, margin: float) -> int:
    """Records created before this are visible to every search; younger ones may not be yet."""
    return math.floor(server_now - margin) * _SECOND


def is_settled(stamp: int, before: int) -> bool:
    """Whether a record counts when the totals are compared."""
    return stamp < before


def wait_after(moment: float, now: float, margin: float) -> float:
    """Seconds until a search shows what was written at `moment`."""
    return max(0.0, moment + margin - now)


def judge(updated: int, seen: bytes, known: tuple[int, bytes, int | None]) -> Verdict:
    """A search's word on a record of which `(updated, seen, own)` is known.

    An index may show an older version than a write's answer did. Within one second only the
    record itself can tell whether somebody changed it after us.
    """
    known_updated, known_seen, own = known
    if updated < known_updated:
        return Verdict.SKIP
    if updated == known_updated and own is not None and seen != known_seen:
        return Verdict.ASK
    return Verdict.TAKE


def proves_sort(page: Sequence[_Stamped], older: int, newer: int) -> bool:
    """Whether only sorting by `updated_at`, newest first, explains the order of this page.

    Args:
        page: the first page of more.
        older, newer: how many records there are that were surely created before, and after, the
            last one on the page. A page of the oldest, or of the newest, would hold them.
    """
    if not is_sorted(page) or page[0].updated == page[-1].updated:
        return False
    created, ids = [record.created for record in page], [record.id for record in page]
    oldest_first = _rises(created) and older <= len(page)
    newest_first = _rises(created[::-1]) and newer <= len(page)
    return not (oldest_first or newest_first or _rises(ids) or _rises(ids[::-1]))


def is_sorted(page: Sequence[_Stamped]) -> bool:
    """Whether a page is sorted by `updated_at`, newest first."""
    return bool(page) and all(one.updated >= two.updated for one, two in pairwise(page))


def _rises(values: Sequence[Any]) -> bool:
    return all(one <= two for one, two in pairwise(values))


def proves_filter(page: Sequence[_Stamped], start: int, total: int, whole: int) -> bool:
    """Whether a page of `updated_at $gte start`, oldest first, is what that filter gives.

    Without the filter the oldest record of all would come first, and every record would count.
    """
    return total < whole and all(record.updated >= start for record in page)


def is_cut_off(length: int, total: int) -> bool:
    """Whether a look-up found more than its page holds: several records may have one key."""
    return length < total


def must_ask(created: int, server_now: float) -> bool:
    """Whether a record that seems gone is so young that the index may just not show it."""
    return created > (server_now - _HOUR) * _SECOND

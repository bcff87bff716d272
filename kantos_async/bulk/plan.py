"""The decision rule: which way of learning what differs costs the fewest requests.

way        reads
look-ups   one for a hundred keys
walk       1.02 M/100 + 1 of M records
delta      1.08 T/100 of T records changed since the last run (needs a state)
"""

from __future__ import annotations

import math
from typing import Literal

from ..walks.counting import walk_cost

__all__ = ["LARGE", "follow", "mirror_pays", "walk_pays", "walk_reads"]

#: What look-ups cost where there are none.
LARGE = 10**9


def walk_reads(records: int) -> int:
    """Requests that a walk over so many records takes."""
    return math.ceil(walk_cost(records))


def walk_pays(lookups: int, records: int) -> bool:
    """Without a state: walk rather than look up? The walk's first page is read already."""
    return walk_reads(records) - 1 < lookups


def mirror_pays(lookups: int, records: int, payback: float) -> bool:
    """With a new state: walk, and keep what it shows? Dearer once, and cheap from then on."""
    return walk_reads(records) <= payback * (lookups - 1)


def follow(lookups: int, records: int, tells: bool) -> Literal["lookup", "walk"]:
    """With a mirror that what changed cannot bring up to date.

    Where the server tells what changed, a walk makes the next run cheap, and may cost double.
    """
    return "walk" if walk_reads(records) <= (2 if tells else 1) * lookups else "lookup"

"""Which rows of the long tests run: a few in `nox -s tests`, all in `nox -s faults`."""

from __future__ import annotations

import os

#: Whether the long tests run in full.
ALL = os.environ.get("KANTOS_FAULTS") == "all"


def many(few: int, full: int) -> int:
    """A count that is `full` in the long run only."""
    return full if ALL else few

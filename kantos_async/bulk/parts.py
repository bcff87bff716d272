"""What the parts of a run share."""

from __future__ import annotations

import attrs

from .mirror import Mirror
from .policy import Options
from .report import Report
from .rows import Spool
from .schema import Schema
from .state import State
from .wires import CountedSession

__all__ = ["Parts"]


@attrs.frozen(kw_only=True)
class Parts:
    """One run's session, settings and tables."""

    session: CountedSession
    options: Options
    schema: Schema
    state: State
    spool: Spool
    mirror: Mirror
    report: Report

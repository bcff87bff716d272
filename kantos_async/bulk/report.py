"""What a run says: its plan, the outcome of each row, and the sums."""

from __future__ import annotations

from typing import Literal, TypeAlias

import attrs

__all__ = ["Outcome", "Path", "Plan", "Report", "Status"]

Status: TypeAlias = Literal[
    "created", "updated", "unchanged", "kept", "deleted", "failed", "unknown"
]
Path: TypeAlias = Literal["nothing", "empty", "walk", "lookup", "delta", "direct"]


@attrs.frozen(kw_only=True)
class Outcome:
    """What became of one row.

    Attributes:
        row: its number in the input, from 1; 0 for a record that `delete_missing` deleted.
        key: its key, as text; None where it has none.
        status: `kept`: somebody changed a field since our last run, and `conflict="theirs"` left
            that to them; whatever else differed was written. `unknown`: the write may or may not
            have happened; `error` says how to find out, and a run with the same state file will.
        record_id: the record's id, where known.
        error: why it failed, or is not known.
        note: a remark in words, such as which later row has the same key.
    """

    row: int
    key: str | None
    status: Status
    record_id: str | None = None
    error: Exception | None = None
    note: str | None = None


@attrs.frozen(kw_only=True)
class Plan:
    """What a run will do. `reads` and `writes` are requests, those already sent included.

    Attributes:
        path: how the run learns what differs. `nothing`: there is nothing to ask. `empty`: the
            object has no records. `walk`: it is read whole. `lookup`: the keys are looked up, a
            hundred at a time. `delta`: only what changed since the last run is read. `direct`:
            nothing is read, every row is written.
        why: the reason for the path, in words.
        rows: rows of the input.
        created, updated, unchanged, kept, deleted, failed: what would become of them.
        seconds: how long the requests take at the quota last seen; None where none was seen.
    """

    path: Path
    why: str
    reads: int
    writes: int
    rows: int
    created: int
    updated: int
    unchanged: int
    kept: int
    deleted: int
    failed: int
    seconds: float | None

    @property
    def requests(self) -> int:
        """Requests in all."""
        return self.reads + self.writes


@attrs.define(kw_only=True)
class Report:
    """The sums of a run, right at any moment.

    Attributes:
        rows: rows of the input.
        created, updated, unchanged, kept, deleted, failed, unknown: rows by outcome.
        requests: on the wire, repeats included; `reads` and `writes` are calls.
        seconds: since the run began. `waited`: seconds that its requests waited, summed up.
        path: see `Plan`.
        drifted: rows of which somebody else changed a field since our last run.
        vanished: records known from the last run that were gone.
        twins: keys that several records have; the oldest of them is the one that is kept equal.
        lag: the longest that a write of ours was seen to be invisible to searches, in seconds.
        dropped: columns that the server sets by itself, and that were not written.
        warnings: what is odd, in words.
        stopped: why the run ended early; None when it came to its end.
        done: rows that have an outcome; a record that `delete_missing` deleted is no row.
    """

    rows: int = 0
    created: int = 0
    updated: int = 0
    unchanged: int = 0
    kept: int = 0
    deleted: int = 0
    failed: int = 0
    unknown: int = 0
    requests: int = 0
    reads: int = 0
    writes: int = 0
    seconds: float = 0.0
    waited: float = 0.0
    path: Path = "nothing"
    drifted: int = 0
    vanished: int = 0
    twins: int = 0
    lag: float = 0.0
    dropped: tuple[str, ...] = ()
    warnings: list[str] = attrs.field(factory=list)
    stopped: str | None = None
    done: int = 0

    def count(self, outcome: Outcome) -> None:
        """Add one outcome; a record that was to be deleted, and stays, is no row."""
        if outcome.row or outcome.status != "unchanged":
            setattr(self, outcome.status, getattr(self, outcome.status) + 1)
        self.done += outcome.row > 0

    def warn(self, text: str) -> None:
        """Say once what is odd."""
        if text not in self.warnings:
            self.warnings.append(text)

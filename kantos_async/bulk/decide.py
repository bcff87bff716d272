"""What to do about one row: a pure decision from the row, the record and our last write."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Literal, NamedTuple

from .mirror import Base, Known
from .policy import Conflict, Mode
from .values import ABSENT, WIDTH

__all__ = ["Decision", "decide", "merge"]


class Decision(NamedTuple):
    """What to do. `fields` are the places of the fields to write."""

    action: Literal["create", "update", "delete", "nothing", "fail"]
    target: Known | None = None
    fields: tuple[int, ...] = ()
    #: Some field was left to whoever changed it since our last run.
    kept: bool = False
    #: Somebody changed a field since our last run.
    drifted: bool = False
    #: Several records have the row's key.
    twins: bool = False
    reason: str = ""

    @property
    def writes(self) -> bool:
        """Whether it takes a request."""
        return self.action in {"create", "update", "delete"}


def decide(
    mode: Mode, conflict: Conflict, wanted: bytes, candidates: Sequence[Known], base: Base | None
) -> Decision:
    """Decide about a row with the fingerprints `wanted`.

    Args:
        mode, conflict: see `Options`.
        wanted: a fingerprint for each field, `ABSENT` where the row says nothing.
        candidates: the records with the row's key, the oldest first.
        base: what we sent last for this key, and what the server made of it.
    """
    if not candidates:
        return _without_record(mode)
    target, twins = candidates[0], len(candidates) > 1
    if mode == "delete":
        if twins:
            reason = f"{len(candidates)} records have this key"
            return Decision("fail", target, twins=True, reason=reason)
        return Decision("delete", target)
    if mode == "create_only":
        return Decision("nothing", target, twins=twins)
    fields: list[int] = []
    theirs = 0
    for place in range(len(wanted) // WIDTH):
        at = slice(place * WIDTH, (place + 1) * WIDTH)
        ours, seen = wanted[at], target.seen[at]
        if ours in (ABSENT, seen):
            continue
        sent, echo = (ABSENT, ABSENT) if base is None else (base.sent[at], base.echo[at])
        if ours == sent and seen == echo:
            continue  # the server writes what we sent in its own way
        if echo not in (ABSENT, b"", seen):
            theirs += 1
            if conflict == "theirs":
                continue
        fields.append(place)
    if theirs and conflict == "fail":
        reason = f"somebody changed {theirs} of its fields since our last run"
        return Decision("fail", target, drifted=True, twins=twins, reason=reason)
    kept = bool(theirs) and conflict == "theirs"
    action: Literal["update", "nothing"] = "update" if fields else "nothing"
    return Decision(action, target, tuple(fields), kept, bool(theirs), twins)


def _without_record(mode: Mode) -> Decision:
    if mode == "update_only":
        return Decision("fail", reason="no record has this key")
    return Decision("nothing" if mode == "delete" else "create")


def merge(
    base: Base | None, wanted: bytes, before: bytes, after: bytes, fields: Collection[int]
) -> Base:
    """What is agreed now: of the written `fields` the server's answer, of the equal ones the rest.

    Args:
        base: what was agreed before; it stays for fields that were kept, or not given.
        wanted: the row's fingerprints.
        before: those of the record when it was decided.
        after: those of the record as the write's answer shows it.
        fields: the places that were written.
    """
    width = max(len(wanted), len(base.sent) if base else 0)
    sent, echo = bytearray(width), bytearray(width)
    if base is not None:
        sent[: len(base.sent)], echo[: len(base.echo)] = base.sent, base.echo
    for place in range(len(wanted) // WIDTH):
        at = slice(place * WIDTH, (place + 1) * WIDTH)
        if place in fields:
            sent[at], echo[at] = wanted[at], after[at]
        elif wanted[at] == before[at] != ABSENT:
            sent[at], echo[at] = wanted[at], before[at]
    return Base(None if base is None else base.answered, bytes(sent), bytes(echo))

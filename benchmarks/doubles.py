"""Creates whose answers get lost: who makes duplicates, and who says what became of them."""

from __future__ import annotations

import time

from .account import Account, Settings
from .figures import Figure
from .rivals import Run

_DROPPED = 0.05  # of all requests, after the server has carried them out


def _lost(name: str, creates: int, object_id: str) -> tuple[int, int, int]:
    """Records made twice or more, records missing, and calls that ended in an error."""
    account = Account(Settings(drop_after=_DROPPED, object_id=object_id))
    try:
        run = Run(name, account, creates, time.time(), object_id)
        outcome = run.outcome(until=time.time() + 90)
    except BaseException:
        account.kill()
        raise
    names = account.finish().names
    there = len(set(names))
    return len(names) - there, creates - there, sum(outcome.failed.values())


def measure(quick: bool) -> list[Figure]:
    creates = 500 if quick else 5_000
    doubled = {
        name: _lost(name, creates, "obj_companies") for name in ("ours", "bare loop", "openai")
    }
    settled = {
        name: _lost(name, creates, "obj_contacts")
        for name in ("ours, unique_by", "bare loop", "openai")
    }
    scene = f"{creates:,} creates, {_DROPPED:.0%} dropped after commit"
    return [
        Figure(
            name=f"{scene}: doubled",
            value=doubled["ours"][0],
            unit="records",
            target=0,
            sides={
                name: f"{twice} doubled, {missing} missing, {errors} errors"
                for name, (twice, missing, errors) in doubled.items()
            },
        ),
        Figure(
            name=f"{scene}, on a unique field: calls that did not return their record",
            value=settled["ours, unique_by"][2],
            unit="calls",
            target=0,
            sides={
                name: f"{errors} errors, {missing} missing"
                for name, (_, missing, errors) in settled.items()
            },
        ),
    ]

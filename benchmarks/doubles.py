"""Creates whose answers get lost: who makes duplicates, and who says what became of them."""

from __future__ import annotations

import time

import msgspec

from .account import Account, Settings
from .figures import Figure
from .rivals import Run

_DROPPED = 0.05  # of all requests, after the server has carried them out
_GIVE_UP = 90.0  # seconds


class _Trial(msgspec.Struct):
    doubled: int
    missing: int
    #: Calls that ended in an error, by its class.
    errors: dict[str, int]

    def describe(self) -> str:
        counts = {"doubled": self.doubled, "missing": self.missing, **self.errors}
        return " ".join(f"{count} {name}" for name, count in counts.items() if count) or "0"


def _trials(names: tuple[str, ...], creates: int, object_id: str) -> dict[str, _Trial]:
    """The clients at the same time, each with an account of its own."""
    accounts: dict[str, Account] = {}
    try:
        for name in names:
            accounts[name] = Account(Settings(drop_after=_DROPPED, object_id=object_id))
        now = time.time()
        runs = {name: Run(name, accounts[name], creates, now, object_id) for name in names}
        outcomes = {name: run.outcome(until=now + _GIVE_UP) for name, run in runs.items()}
        made = {name: accounts.pop(name).finish().names for name in names}
    finally:
        for account in accounts.values():
            account.kill()
    return {
        name: _Trial(
            doubled=len(made[name]) - len(set(made[name])),
            missing=creates - len(set(made[name])),
            errors=outcomes[name].failed,
        )
        for name in names
    }


def measure(quick: bool) -> list[Figure]:
    creates = 500 if quick else 5_000
    rivals = ("bare loop", "openai")
    plain = _trials(("ours", *rivals), creates, "obj_companies")
    unique = _trials(("ours, unique_by", *rivals), creates, "obj_contacts")
    scene = f"{creates:,} creates, {_DROPPED:.0%} dropped after commit"
    return [
        Figure(
            name=f"{scene}: doubled",
            value=plain["ours"].doubled,
            unit="records",
            target=0,
            sides={name: trial.describe() for name, trial in plain.items()},
        ),
        Figure(
            name=f"{scene}, on a unique field: calls that did not return their record",
            value=sum(unique["ours, unique_by"].errors.values()),
            unit="calls",
            target=0,
            sides={name: trial.describe() for name, trial in unique.items()},
        ),
    ]

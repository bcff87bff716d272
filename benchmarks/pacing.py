"""A quota of 500 requests per 5 s, 2,500 calls, 16 at a time: who is refused, who wastes time.

Four scenes, with windows that open on whole multiples of 5 s and with windows that open at the
first request. In each, all clients run at the same time, each with an account of its own.
"""

from __future__ import annotations

import asyncio
import math
import time
from itertools import pairwise
from statistics import median

import msgspec

from kantos_async import KantosAsync

from .account import OTHERS, Account, Seen, Settings
from .figures import Figure
from .rivals import IN_FLIGHT, LIMIT, WINDOW, Outcome, Run
from .server import PER_PAGE

_CLIENTS = ("ours", "bare loop", "openai", "aiolimiter", "hikari")
_OTHERS = LIMIT / WINDOW / 5  # requests a second of another program: a fifth of the quota
_SCENES: dict[str, dict[str, float]] = {
    "clocks agree": {},
    "server an hour ahead": {"clock_offset": 3600.0},
    "window nearly spent": {"spent": round(LIMIT * 0.92)},
    "another program on the key": {"others": _OTHERS},
}
_KINDS = {"aligned": "windows on whole seconds", "first": "windows from the first request"}
_PHASE = 2.0  # seconds into a window of the aligned kind at which all begin
_PREPARE = 3.0  # seconds for processes to start
_GIVE_UP = 1.25  # times what a client needs that wastes nothing; then it is stopped


class Trial(msgspec.Struct, frozen=True):
    """How one client fared in one scene."""

    refused: int
    failed: int
    finished: bool
    #: Seconds from the start to the end.
    took: float
    #: The least that could have taken: see `_floor`.
    floor: float
    #: The part of the calls that was let through within `floor`.
    share: float
    #: Seconds from each reset, as it was told, to the first request of the next window.
    idle: list[float]

    def describe(self) -> str:
        if not self.finished:
            return f"{self.refused} refused, unfinished"
        return f"{self.refused} refused" + (f", {self.failed} failed" if self.failed else "")


class _Window:
    def __init__(self, opened: float, length: float) -> None:
        self.opened = opened
        self.closes = opened + length
        self.reset = math.ceil(self.closes)  # as the headers tell it
        self.ours: list[float] = []  # when our requests came that were let through


def _windows(seen: Seen, settings: Settings, since: float) -> list[_Window]:
    """The windows as the server opened them, from the client's first request on."""
    found: list[_Window] = []
    length = settings.window
    for at, path, refused in seen.requests:
        if not found or at >= found[-1].closes:
            opened = at - at % length if settings.windows == "aligned" else at
            found.append(_Window(opened, length))
        if path != OTHERS and not refused and at >= since:
            found[-1].ours.append(at)
    return [window for window in found if window.ours]


def _floor(windows: list[_Window], calls: int, settings: Settings, start: float) -> float:
    """Seconds that a client takes that wastes nothing: it waits for resets, and then it pours.

    It knows only the resets that it is told, and needs as many windows as the quota left to it
    fills; the pace at which it pours is its own, the median of its full windows.
    """
    a_window = settings.limit - round(settings.others * settings.window)
    left = calls - min(calls, a_window - settings.spent)
    resets = math.ceil(left / a_window)
    rest = left - (resets - 1) * a_window if resets else calls
    full = [window.ours for window in windows if len(window.ours) > a_window / 2]
    pace = median((ours[-1] - ours[0]) / len(ours) for ours in full) if full else 0.0
    if len(windows) < resets:
        return math.inf
    return (windows[resets - 1].reset - start if resets else 0.0) + rest * pace


def _judge(outcome: Outcome, seen: Seen, settings: Settings, calls: int, start: float) -> Trial:
    start += settings.clock_offset
    windows = _windows(seen, settings, start)
    floor = _floor(windows, calls, settings, start)
    through = [at for window in windows for at in window.ours]
    return Trial(
        refused=sum(refused for _, path, refused in seen.requests if path != OTHERS),
        failed=sum(outcome.failed.values()),
        finished=outcome.finished,
        took=outcome.ended + settings.clock_offset - start,
        floor=floor,
        share=sum(at <= start + floor for at in through) / calls,
        idle=[after.ours[0] - before.reset for before, after in pairwise(windows)],
    )


def _scene(kind: str, scene: str, calls: int) -> dict[str, Trial]:
    now = time.time() + _PREPARE
    start = now - now % WINDOW + _PHASE
    if start < now:
        start += WINDOW
    settings = Settings(limit=LIMIT, window=WINDOW, windows=kind, spend_at=start - 0.2)
    settings = msgspec.structs.replace(settings, **_SCENES[scene])
    # Where windows open at the first request, a reset rounded up makes them a second longer.
    until = start + _GIVE_UP * calls / LIMIT * (WINDOW + (kind == "first"))
    accounts: dict[str, Account] = {}
    try:
        for name in _CLIENTS:
            accounts[name] = Account(settings)
        runs = {name: Run(name, account, calls, start) for name, account in accounts.items()}
        outcomes = {name: run.outcome(until) for name, run in runs.items()}
        seen = {name: accounts.pop(name).finish() for name in _CLIENTS}
    finally:
        for account in accounts.values():
            account.kill()
    return {name: _judge(outcomes[name], seen[name], settings, calls, start) for name in _CLIENTS}


def _figures(title: str, scene: str, trials: dict[str, Trial]) -> list[Figure]:
    mine = trials["ours"]
    alone = scene != "another program on the key"
    # The first reset comes before there is anything to learn from.
    idle = {name: trial.idle[1:] or trial.idle or [math.nan] for name, trial in trials.items()}
    return [
        Figure(
            name=f"{title}: refused",
            value=mine.refused,
            unit="requests",
            target=0 if alone else 5,
            sides={name: trial.describe() for name, trial in trials.items()},
        ),
        Figure(
            name=f"{title}: calls failed",
            value=mine.failed + (not mine.finished),
            unit="calls",
            target=0,
            sides={name: str(trial.failed) for name, trial in trials.items()},
        ),
        Figure(
            name=f"{title}: idle after a reset, median",
            value=median(idle["ours"]) * 1000,
            unit="ms",
            target=50 if alone else None,
            sides={name: f"{median(found) * 1000:.0f} ms" for name, found in idle.items()},
        ),
        Figure(
            name=f"{title}: wall time / the least possible",
            value=mine.took / mine.floor,
            target=1.02,
            sides={
                name: f"{trial.took:.2f} of {trial.floor:.2f} s" for name, trial in trials.items()
            },
        ),
        Figure(
            name=f"{title}: calls through in the least possible time",
            value=mine.share * 100,
            unit="%",
            bound="at least",
            target=98,
            sides={name: f"{trial.share:.1%}" for name, trial in trials.items()},
        ),
    ]


async def _stream(account: Account, pages: int) -> Outcome:
    seen = 0
    async with KantosAsync(account.key, base_url=account.url, engine="fast") as k:
        async for _ in k.records.query("obj_contacts", limit=pages * PER_PAGE).pages():
            seen += 1
    assert seen == pages
    return Outcome({}, time.time())


def _plan_speed(quick: bool) -> list[Figure]:
    """A stream of pages on a small quota."""
    pages = 95 if quick else 195
    settings = Settings(limit=50, window=WINDOW, records=pages * PER_PAGE)
    account = Account(settings)
    try:
        start = time.time()
        outcome = asyncio.run(_stream(account, pages))
    except BaseException:
        account.kill()
        raise
    trial = _judge(outcome, account.finish(), settings, pages, start)
    title = f"streaming {pages} pages at 50 per {WINDOW:g} s"
    return [
        Figure(name=f"{title}: refused", value=trial.refused, unit="requests", target=0),
        Figure(
            name=f"{title}: wall time / the least possible",
            value=trial.took / trial.floor,
            target=1.02,
            sides={"ours": f"{trial.took:.2f} of {trial.floor:.2f} s"},
        ),
    ]


def measure(quick: bool) -> list[Figure]:
    calls = 1_500 if quick else 2_500
    figures: list[Figure] = []
    for kind, words in _KINDS.items():
        for scene in list(_SCENES)[:1] if quick else _SCENES:
            title = f"{words}, {scene}, {IN_FLIGHT} in flight"
            figures += _figures(title, scene, _scene(kind, scene, calls))
    return figures + _plan_speed(quick)

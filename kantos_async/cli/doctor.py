"""`kantos doctor`: is all well between here and the API?"""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from statistics import median
from typing import Annotated, Any

import anyio
import attrs
from cyclopts import Parameter, validators

from .. import KantosAsync
from .._version import __version__
from ..errors import APIError, KantosError
from ..transport.serverclock import ServerClock
from ..transport.words import Words, read_words
from .connection import connect
from .output import STANDARD, Output
from .quota import short_time

__all__ = ["doctor"]

#: So many requests tell of latency, of the clock, and of others on the key.
_REQUESTS = 8

#: The documented plans by their requests a minute: name, and requests a day.
_PLANS = {100: ("Free", 10_000), 500: ("Starter", 50_000), 1_000: ("Professional", 100_000)}


async def doctor(
    *,
    seconds: Annotated[float, Parameter(validator=validators.Number(gte=0, lte=60))] = 2.0,
    out: Output = STANDARD,
) -> None:
    """Check key, reachability, latency, clock, quota, and who else uses it.

    Costs 8 requests, `GET /crm/objects`.

    Example: `kantos doctor`

    Args:
        seconds: How long to watch for others who use the same key.
        out: What every command shares.
    """
    async with connect(read_only=True) as k:
        about = {
            "version": __version__,
            "server": k._session.wire.base_url,
            "key": f"{len(os.environ['KANTOS_API_KEY'])} characters, from KANTOS_API_KEY",
        }
        try:
            found = await _examine(k, seconds)
        except KantosError as error:
            out.facts("doctor", {**about, "reachable": isinstance(error, APIError)})
            raise
    if out.json:
        out.facts("doctor", {**about, "reachable": True, **attrs.asdict(found)})
    else:
        out.facts("doctor", {**about, "reachable": True, **found.in_words()})


@attrs.frozen(kw_only=True)
class Findings:
    """What the requests told; None where the server did not tell.

    Attributes:
        latency, slowest: seconds of a request, the median and the most.
        clock_offset: seconds that the server's clock is ahead of ours, give or take `clock_doubt`.
        limit, remaining: requests of the quota's window.
        reset_in: seconds until the window ends.
        others: requests a minute of other programs on the key.
        plan, daily: what the limit lets guess.
    """

    latency: float
    slowest: float
    clock_offset: float | None
    clock_doubt: float | None
    limit: int | None
    remaining: int | None
    reset_in: float | None
    others: float | None
    plan: str | None
    daily: int | None

    def in_words(self) -> Mapping[str, Any]:
        """For people."""
        return {
            "latency": f"{self.latency * 1000:.0f} ms, at most {self.slowest * 1000:.0f} ms",
            "server's clock": self._clock(),
            "quota": self._quota(),
            "others on the key": self._others(),
            "plan": self._plan(),
        }

    def _clock(self) -> str:
        if self.clock_offset is None or self.clock_doubt is None:
            return "the server does not tell"
        side = "ahead of" if self.clock_offset > 0 else "behind"
        doubt = f"give or take {self.clock_doubt:.1f} s"
        return f"{abs(self.clock_offset):.1f} s {side} ours, {doubt}"

    def _quota(self) -> str:
        if self.limit is None or self.remaining is None:
            return "the server does not tell"
        left = f"{self.remaining:,} of {self.limit:,} a minute left"
        return left if self.reset_in is None else f"{left}, back in {short_time(self.reset_in)}"

    def _others(self) -> str:
        if self.others is None:
            return "the server does not tell"
        return f"about {self.others:,.0f} requests a minute" if self.others else "none seen"

    def _plan(self) -> str:
        if self.plan is None:
            return "none of the documented ones"
        return f"{self.plan}, by its limit: {self.daily:,} requests a day"


async def _examine(k: KantosAsync, seconds: float) -> Findings:
    clock = ServerClock()
    took: list[float] = []
    words: list[tuple[float, Words]] = []
    for number in range(_REQUESTS):
        if number:
            await anyio.sleep(seconds / (_REQUESTS - 1))
        sent = time.time()
        began = time.perf_counter()
        reply = await k.request("GET", "/crm/objects", raw=True)
        took.append(time.perf_counter() - began)
        said = read_words(reply.headers)
        words.append((sent + took[-1], said))
        if said.date is not None:
            clock.learn(said.date, sent, sent + took[-1])
    at, last = words[-1]
    known = clock.earliest(at), clock.latest(at)
    early, late = known if None not in known else (None, None)
    server = None if early is None or late is None else (early + late) / 2
    plan, daily = _PLANS.get(last.limit or 0, (None, None))
    return Findings(
        latency=median(took),
        slowest=max(took),
        clock_offset=None if server is None else server - at,
        clock_doubt=None if early is None or late is None else (late - early) / 2,
        limit=last.limit,
        remaining=last.remaining,
        reset_in=None if server is None or last.reset is None else max(0.0, last.reset - server),
        others=_others(words),
        plan=plan,
        daily=daily,
    )


def _others(words: list[tuple[float, Words]]) -> float | None:
    """Requests a minute that others spent, by what `remaining` lost beyond our own requests."""
    at, last = words[-1]
    window = [(when, said) for when, said in words if said.reset == last.reset]
    began, first = window[0]
    if first.remaining is None or last.remaining is None:
        return None
    theirs = first.remaining - last.remaining - (len(window) - 1)
    return 60 * max(0, theirs) / max(at - began, 1.0)

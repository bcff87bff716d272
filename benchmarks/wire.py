"""What one `records.get` costs beside the library under it, and beside another SDK's `get`."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager
from functools import partial
from statistics import median
from typing import Any, Literal

import aiohttp
import httpx
import openai

from kantos_async import KantosAsync

from .figures import Call, Figure, cpu, in_turns, median_ratio, wall
from .server import running

KEY = "kantos_benchmark"
_HEADERS = {"X-Api-Key": KEY}
_RECORD = "rec_abc123"
_MOST = 50  # requests in flight
_MOST_OVER = {"httpx": 1.10, "aiohttp": 1.3}

Side = Callable[[str], AbstractAsyncContextManager[Call]]


@contextlib.asynccontextmanager
async def ours(base: str, *, engine: Literal["fast"] | None = None) -> AsyncIterator[Call]:
    async with KantosAsync(KEY, base_url=base, engine=engine, max_concurrency=_MOST) as k:
        yield lambda: k.records.get(_RECORD)


@contextlib.asynccontextmanager
async def bare_httpx(base: str) -> AsyncIterator[Call]:
    limits = httpx.Limits(max_connections=_MOST, max_keepalive_connections=_MOST)
    async with httpx.AsyncClient(limits=limits, headers=_HEADERS) as client:
        yield lambda: client.get(f"{base}/crm/record/{_RECORD}")


@contextlib.asynccontextmanager
async def bare_aiohttp(base: str) -> AsyncIterator[Call]:
    async with aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(limit=_MOST), cookie_jar=aiohttp.DummyCookieJar()
    ) as session:

        async def get() -> bytes:
            url = f"{base}/crm/record/{_RECORD}"
            async with session.get(url, headers=_HEADERS) as answer:
                return await answer.read()

        yield get


class _Record(openai.BaseModel):
    id: str
    object_id: str
    field_values: dict[str, Any]
    created_at: str
    updated_at: str
    created_by: str


@contextlib.asynccontextmanager
async def openai_get(base: str, *, fast: bool = False) -> AsyncIterator[Call]:
    http = openai.DefaultAioHttpClient() if fast else None
    async with openai.AsyncOpenAI(
        api_key=KEY, base_url=base, http_client=http, default_headers=_HEADERS
    ) as client:
        yield lambda: client.get(f"/crm/record/{_RECORD}", cast_to=_Record)


async def _beside(
    base: str, sides: dict[str, Side], by: Callable[[Call], Any], rounds: int
) -> dict[str, list[float]]:
    async with contextlib.AsyncExitStack() as stack:
        calls = {name: await stack.enter_async_context(side(base)) for name, side in sides.items()}
        turns = {name: partial(by, call) for name, call in calls.items()}
        return await in_turns(turns, rounds)


async def _cost(
    base: str, sides: dict[str, Side], in_flight: int, calls: int, rounds: int
) -> Figure:
    by = partial(cpu, calls=calls, in_flight=in_flight)
    measured = await _beside(base, sides, by, rounds)
    over, under = measured.values()
    library = list(sides)[1]
    return Figure(
        name=f"CPU of records.get, {in_flight} in flight: ours / bare {library}",
        value=median_ratio(over, under),
        target=_MOST_OVER[library],
        sides={name: f"{median(times):.0f} us" for name, times in measured.items()},
    )


async def _rates(base: str, calls: int, rounds: int) -> list[Figure]:
    sides: dict[str, Side] = {
        "ours (fast)": partial(ours, engine="fast"),
        "openai": openai_get,
        "openai on aiohttp": partial(openai_get, fast=True),
    }
    by = partial(wall, calls=calls, in_flight=_MOST)
    measured = await _beside(base, sides, by, rounds)
    fast, *others = measured.values()
    return [
        Figure(
            name=f"requests a second, {_MOST} in flight: ours (fast) / {name}",
            value=median_ratio(fast, other),
            bound="at least",
            target=target,
            sides={"ours (fast)": f"{median(fast):.0f}/s", name: f"{median(other):.0f}/s"},
        )
        for name, other, target in zip(list(sides)[1:], others, (7, 3.5), strict=True)
    ]


async def _measure(rounds: int, calls: int) -> list[Figure]:
    figures = []
    default: dict[str, Side] = {"ours": ours, "httpx": bare_httpx}
    fast: dict[str, Side] = {"ours (fast)": partial(ours, engine="fast"), "aiohttp": bare_aiohttp}
    with running() as base:
        for in_flight in (1, 16):
            figures.append(await _cost(base, default, in_flight, calls, rounds))
        for in_flight in (16, 50):
            figures.append(await _cost(base, fast, in_flight, calls * 5, rounds))
        figures += await _rates(base, calls * 2, rounds)
    return figures


def measure(quick: bool) -> list[Figure]:
    return asyncio.run(_measure(3 if quick else 9, 150 if quick else 250))

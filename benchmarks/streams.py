"""`async for` over a query: how fast, how soon, and in how much memory."""

from __future__ import annotations

import asyncio
import contextlib
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from statistics import median

import aiohttp
import orjson

from kantos_async import KantosAsync

from .figures import Figure, in_turns, median_ratio, own_peak
from .server import PER_PAGE, running

KEY = "kantos_benchmark"
_AHEAD = 4  # pages in flight on both sides: the default of `query`
_OBJECT = "obj_contacts"
_REST = 0.02


async def _ours(k: KantosAsync, records: int) -> float:
    """Records a second."""
    start = time.perf_counter()
    seen = 0
    async for _ in k.records.query(_OBJECT, prefetch=_AHEAD, limit=records):
        seen += 1
    assert seen == records
    return records / (time.perf_counter() - start)


@contextlib.asynccontextmanager
async def _session() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession(
        cookie_jar=aiohttp.DummyCookieJar(), headers={"X-Api-Key": KEY}
    ) as session:
        yield session


async def _page(session: aiohttp.ClientSession, base: str, page: int) -> bytes:
    query = f"object_id={_OBJECT}&sort=created_at&page={page}&per_page={PER_PAGE}"
    async with session.get(f"{base}/crm/records/query?{query}") as answer:
        return await answer.read()


async def _bare(session: aiohttp.ClientSession, base: str, records: int) -> float:
    """The same pages, as many at a time, in no order, as dicts."""
    start = time.perf_counter()
    seen = 0
    pages = iter(range(1, records // PER_PAGE + 1))

    async def worker() -> None:
        nonlocal seen
        for page in pages:
            for _ in orjson.loads(await _page(session, base, page))["data"]:
                seen += 1

    await asyncio.gather(*(worker() for _ in range(_AHEAD)))
    assert seen == records
    return records / (time.perf_counter() - start)


async def _speed(base: str, records: int, rounds: int) -> list[Figure]:
    async with KantosAsync(KEY, base_url=base, engine="fast") as k, _session() as session:
        # Both start from rest, in which what was fetched ahead dies down, on a live connection.
        async def first_record() -> float:
            await asyncio.sleep(_REST)
            await k.records.query(_OBJECT)
            start = time.perf_counter()
            async for _ in k.records.query(_OBJECT, prefetch=_AHEAD):
                took = time.perf_counter() - start
                break
            return took

        async def bare_request() -> float:
            await asyncio.sleep(_REST)
            await _page(session, base, 1)
            start = time.perf_counter()
            await _page(session, base, 1)
            return time.perf_counter() - start

        rates = await in_turns(
            {
                "ours (fast)": lambda: _ours(k, records),
                "aiohttp + orjson": lambda: _bare(session, base, records),
            },
            rounds,
        )
        firsts = await in_turns({"ours": first_record, "aiohttp": bare_request}, rounds * 10)
    return [
        Figure(
            name="records a second through async for: ours (fast) / aiohttp + orjson",
            value=median_ratio(*rates.values()),
            bound="at least",
            target=0.75,
            sides={name: f"{median(found):,.0f}/s" for name, found in rates.items()},
        ),
        Figure(
            name="first record of 10,000 pages: ours / one bare request",
            value=median(firsts["ours"]) / median(firsts["aiohttp"]),
            target=1.5,
            sides={name: f"{median(found) * 1000:.2f} ms" for name, found in firsts.items()},
        ),
    ]


async def _peak(base: str, records: int) -> float:
    """MiB at most while a process of its own streams so many records."""
    command = [sys.executable, "-m", "benchmarks.streams", base, str(records)]
    done = await asyncio.to_thread(subprocess.run, command, capture_output=True, check=True)
    return float(done.stdout)


async def _memory(base: str, most: int) -> list[Figure]:
    if own_peak() is None:
        return []
    sides = {f"{records:,} records": await _peak(base, records) for records in (most // 100, most)}
    few, many = sides.values()
    return [
        Figure(
            name=f"peak memory of async for over {most:,} records less that over {most // 100:,}",
            value=many - few,
            unit="MiB",
            target=10,
            sides={name: f"{peak:.1f} MiB" for name, peak in sides.items()},
        )
    ]


async def _stream_alone(base: str, records: int) -> float | None:
    async with KantosAsync(KEY, base_url=base, engine="fast") as k:
        await _ours(k, records)
    return own_peak()


async def _measure(quick: bool) -> list[Figure]:
    with running() as base:
        figures = await _speed(base, 10_000 if quick else 20_000, 5 if quick else 15)
        return figures + await _memory(base, 100_000 if quick else 1_000_000)


def measure(quick: bool) -> list[Figure]:
    return asyncio.run(_measure(quick))


if __name__ == "__main__":
    print(asyncio.run(_stream_alone(sys.argv[1], int(sys.argv[2]))))

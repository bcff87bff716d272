"""`scan` while others write: every record there from start to end comes exactly once."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterable

import anyio
import pytest
from outsiders import KIND, Outsider, coarse_world
from support.worlds import World

from kantos_async import KantosAsync
from kantos_async.api.models import Record
from kantos_async.sandbox import Faults

SEEDS = range(3)


async def read(records: AsyncIterable[Record], pace: float = 0.0) -> Counter[str]:
    seen: Counter[str] = Counter()
    async for record in records:
        seen[record.id] += 1
        if pace and len(seen) % 100 == 0:
            await anyio.sleep(pace)
    return seen


async def compare(
    world: World, outsider: Outsider, k: KantosAsync, kind: str
) -> tuple[set[str], Counter[str]]:
    """Who must have come, and who came how often, while the outsider writes."""
    async with anyio.create_task_group() as group:
        group.start_soon(outsider.write)
        await anyio.sleep(outsider.random.uniform(0, 3))
        start = world.core.now()
        walk = k.records.scan(KIND) if kind == "scan" else k.records.query(KIND)
        seen = await read(walk, pace=outsider.random.choice([0.01, 0.2]))
        end = world.core.now()
        group.cancel_scope.cancel()
    return outsider.there(start, end), seen


def make(seed: int, *, lag: float) -> tuple[World, Outsider]:
    world = World(
        seed=seed, stamp_digits=(0, 3, 6)[seed % 3], faults=Faults(search_lag=lag, seed=seed)
    )
    outsider = Outsider(world, seed=seed, rate=(2, 8, 20)[seed // 3 % 3], lag=lag)
    outsider.past(400 + 300 * (seed % 4), a_second=(0.1, 2, 40)[seed % 3], ties=seed % 3)
    if seed % 4 == 0:
        outsider.insert(300)  # this very second
    return world, outsider


@pytest.mark.parametrize("lag", [0.0, 1.0])
@pytest.mark.parametrize("seed", SEEDS)
async def test_every_record_there_throughout_comes_exactly_once(seed: int, lag: float) -> None:
    world, outsider = make(seed, lag=lag)
    async with world.client() as k:
        expected, seen = await compare(world, outsider, k, "scan")
    assert expected
    assert not expected - seen.keys()
    assert not [each for each, times in seen.items() if times > 1]


async def test_pages_by_number_lose_records_in_the_same_world_that_a_scan_reads_whole() -> None:
    lost = {}
    for kind in ("scan", "query"):
        world = World(seed=1)
        outsider = Outsider(world, seed=1, rate=20)
        outsider.past(2_000, a_second=1)
        async with world.client() as k:
            expected, seen = await compare(world, outsider, k, kind)
        lost[kind] = len(expected - seen.keys())
    assert lost["scan"] == 0
    assert lost["query"] > 0


@pytest.mark.parametrize("lag", [0.0, 1.0])
async def test_a_second_that_is_still_filling_is_read_once_it_is_full(lag: float) -> None:
    world = World(latency=(0.04, 0.08), faults=Faults(search_lag=lag, seed=1))
    outsider = Outsider(world, seed=1, lag=lag)
    outsider.insert(600)
    await anyio.sleep(lag)

    async def fill() -> None:
        while True:
            await anyio.sleep(0.02)
            outsider.insert(5)

    async with world.client() as k, anyio.create_task_group() as group:
        group.start_soon(fill)
        start = world.core.now()
        seen = await read(k.records.scan(KIND))
        group.cancel_scope.cancel()
    assert outsider.there(start, world.core.now()) <= seen.keys()
    assert set(seen.values()) == {1}


async def test_ties_are_read_whole_where_stamps_are_kept_finer_than_they_are_shown() -> None:
    # Equality then finds next to nothing of a tie, so that its count misleads.
    world = coarse_world()
    outsider = Outsider(world, seed=1, rate=5)
    outsider.past(200, a_second=1)
    second = int(world.core.now()) - 100
    for _ in range(700):
        outsider.insert(1, ago=world.core.now() - second - outsider.random.random())
    async with world.client() as k:
        expected, seen = await compare(world, outsider, k, "scan")
    assert len(expected) > 800
    assert expected <= seen.keys()
    assert set(seen.values()) == {1}

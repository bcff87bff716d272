"""`changes` run after run, while others write and searches lag: nothing is missed."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import anyio
import pytest
from outsiders import KIND, Outsider
from support.worlds import World

from kantos_async import KantosAsync, QueryIgnoredError
from kantos_async.sandbox import Faults

SEEDS = range(4)


def moment(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)


class Mirror:
    """What somebody knows who only reads the feed."""

    def __init__(self, k: KantosAsync, since: datetime) -> None:
        self.k = k
        self.since = since
        self.stamps: dict[str, datetime] = {}
        self.runs: list[int] = []

    async def run(self, overlap: timedelta = timedelta(seconds=60)) -> None:
        feed = self.k.records.changes(KIND, since=self.since, overlap=overlap)
        number = 0
        async for record in feed:
            self.stamps[record.id] = record.updated_at
            number += 1
        self.runs.append(number)
        assert feed.watermark >= self.since
        self.since = feed.watermark

    def missed(self, outsider: Outsider, began: float, since: datetime) -> list[str]:
        """Records whose last change could be found when a run began, and is not known after it."""
        return [
            each
            for each, times in outsider.written.items()
            if each not in outsider.died
            and since.timestamp() <= times[-1]
            and times[-1] + outsider.lag <= began
            and self.stamps.get(each, since) < moment(int(times[-1]))
        ]


def make(seed: int, **faults: object) -> tuple[World, Outsider]:
    lag = (0.0, 1.0)[seed % 2]
    world = World(
        seed=seed,
        stamp_digits=(0, 3, 6)[seed % 3],
        faults=Faults(search_lag=lag, seed=seed, **faults),  # type: ignore[arg-type]
    )
    outsider = Outsider(world, seed=seed, rate=(0.5, 3, 10)[seed // 2 % 3], lag=lag)
    outsider.past(100 + 250 * (seed % 5), a_second=(0.1, 5)[seed // 3 % 2], ties=seed % 2)
    return world, outsider


async def follow(world: World, outsider: Outsider, runs: int = 4) -> tuple[Mirror, int]:
    """Some runs while the outsider writes; how many changes they missed."""
    missed = 0
    first = moment(world.core.now() - outsider.random.choice([5, 500, 50_000]))
    async with world.client() as k, anyio.create_task_group() as group:
        mirror = Mirror(k, first)
        if outsider.random.random() < 0.5:
            outsider.update(outsider.random.choice([1, 300]))  # many changes in one second
        group.start_soon(outsider.write)
        for _ in range(runs):
            await anyio.sleep(outsider.random.choice([0, 0.5, 20, 100]))
            began = world.core.now()
            await mirror.run()
            missed += len(mirror.missed(outsider, began, first))
        group.cancel_scope.cancel()
    return mirror, missed


@pytest.mark.parametrize("seed", SEEDS)
async def test_runs_one_after_the_other_miss_nothing(seed: int) -> None:
    mirror, missed = await follow(*make(seed))
    assert sum(mirror.runs) > 0
    assert missed == 0


@pytest.mark.parametrize("deaf", [("sort",), ("filter",), ("sort", "filter")])
async def test_a_server_that_ignores_updated_at_is_found_out_before_anything_is_missed(
    deaf: tuple[str, ...],
) -> None:
    found_out = 0
    for seed in SEEDS:
        world, outsider = make(seed, **{f"ignore_{what}": {"updated_at"} for what in deaf})
        try:
            _, missed = await follow(world, outsider)
        except* QueryIgnoredError as group:
            (error,) = group.exceptions
            assert isinstance(error, QueryIgnoredError)
            assert error.field == "updated_at"
            found_out += 1
        else:
            assert missed == 0
    assert found_out


def spread(world: World, outsider: Outsider, number: int) -> list[str]:
    """Records created one after the other, minutes ago."""
    return [outsider.insert(1, ago=3_000 - 2 * index)[0] for index in range(number)]


@pytest.mark.parametrize("until_ago", [None, 60])
async def test_an_order_that_only_looks_right_is_found_out_by_counting(
    until_ago: int | None,
) -> None:
    # By creation, and the last of the first page changed just now: each page is in order, and
    # going on from its end would skip all that follow it.
    world = World(faults=Faults(ignore_sort=frozenset({"updated_at"})))
    outsider = Outsider(world, seed=1)
    ids = spread(world, outsider, 300)
    world.core.update(ids[99], {"name": "changed"})
    since = moment(world.core.now() - 10_000)
    until = None if until_ago is None else moment(world.core.now() - until_ago)
    async with world.client() as k:
        with pytest.raises(QueryIgnoredError, match="left out records"):
            async for _ in k.records.changes(KIND, since=since, until=until):
                pass


async def test_deletions_meanwhile_are_no_reason_to_blame_the_server() -> None:
    world = World()
    outsider = Outsider(world, seed=1)
    spread(world, outsider, 1_000)
    seen = 0
    async with world.client() as k:
        async for _ in k.records.changes(KIND, since=moment(world.core.now() - 10_000)):
            seen += 1
            if seen % 90 == 0:
                outsider.delete()
    assert seen > 980
    assert k.stats.requests <= 11 + 2 * 11  # two counts where a total fell

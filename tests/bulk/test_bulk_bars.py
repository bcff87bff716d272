"""What a sync costs, counted at the server."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import anyio
import pytest
from support.rows import many
from support.virtual import VirtualLoop
from support.worlds import EPOCH, World

from kantos_async import KantosAsync, Report
from kantos_async.sandbox import Faults

OBJECT = "obj_contacts"
Rows = list[dict[str, Any]]


def people(count: int) -> Rows:
    return [{"name": f"Person {n}", "email": f"p{n}@example.com"} for n in range(count)]


class Account:
    """An object that grew over months, and the syncs with it."""

    def __init__(self, world: World, k: KantosAsync, state: Path, rows: Rows) -> None:
        self.world, self.k, self.state, self.rows = world, k, state, rows
        start = EPOCH - 7 * len(rows) - 10_000
        self.ids = [
            world.core.insert(OBJECT, [row], start + 7 * n)[0] for n, row in enumerate(rows)
        ]

    async def sync(self, rows: Rows | None = None, **options: Any) -> Report:
        """A run, an hour after the one before."""
        await anyio.sleep(3_600)
        before = self.world.core.arrived
        report = await self.k.records.upsert_many(
            rows or self.rows, object_id=OBJECT, key="email", state=self.state, **options
        )
        assert report.requests == self.world.core.arrived - before
        return report

    async def settle(self) -> None:
        """The first run, and one that sees the server sort by `updated_at`."""
        await self.sync()
        self.world.core.update(self.ids[0], {"phone": "+1 555 0100"})
        assert (await self.sync()).path == "delta"


def account(
    count: int, state: Path, work: Callable[[Account], Awaitable[None]], **world: Any
) -> None:
    async def main() -> None:
        place = World(latency=(0.01, 0.05), **world)
        async with place.client() as k:
            await work(Account(place, k, state, people(count)))

    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        runner.run(main())


def test_a_hundred_thousand_rows_unchanged_cost_one_request(tmp_path: Path) -> None:
    async def work(it: Account) -> None:
        await it.settle()
        report = await it.sync()
        assert (report.requests, report.unchanged) == (1, len(it.rows))
        # A deletion is found by counting.
        it.world.core.delete(it.ids[len(it.ids) * 2 // 3])
        report = await it.sync()
        assert (report.created, report.vanished) == (1, 1)
        assert report.reads <= 14

    account(many(10_000, 100_000), tmp_path / "s", work)


def test_what_changed_costs_what_it_is(tmp_path: Path) -> None:
    async def work(it: Account) -> None:
        await it.settle()
        changed = [*it.rows]
        changed[500:600] = [{**row, "name": row["name"] + "!"} for row in changed[500:600]]
        report = await it.sync(changed, undo=False)
        assert (report.requests, report.updated) == (101, 100)
        report = await it.sync(changed)
        assert report.writes == 0
        assert report.reads <= 6  # our own writes come back once, all of one second
        # Undo costs one read for a hundred updates.
        report = await it.sync()
        assert (report.writes, report.updated) == (100, 100)
        # 1 % here, 1 % there, and one deletion.
        await it.sync()
        for record_id in it.ids[2_000:2_100]:
            it.world.core.update(record_id, {"phone": "+1 555 0199"})
            await anyio.sleep(1)
        it.world.core.delete(it.ids[7_000])
        report = await it.sync(changed)
        assert (report.updated, report.created) == (100, 1)
        assert report.reads <= 15

    account(10_000, tmp_path / "s", work)


def test_own_writes_come_back_at_one_and_a_half_per_cent(tmp_path: Path) -> None:
    count = many(3_000, 10_000)

    async def work(it: Account) -> None:
        await it.settle()
        changed = [{**row, "name": row["name"] + "!"} for row in it.rows]
        report = await it.sync(changed, undo=False)
        assert report.updated == count
        assert report.seconds > 300  # what is known grows old meanwhile
        assert report.reads <= 0.015 * count
        following = await it.sync(changed)
        assert following.unchanged == count
        assert following.reads <= 0.015 * count
        assert (await it.sync(changed)).requests == 1

    account(count, tmp_path / "s", work, limit=500)


@pytest.mark.parametrize("ignored", ["sort", "filter", "both"])
def test_a_server_that_ignores_updated_at_costs_a_walk_at_most(
    tmp_path: Path, ignored: str
) -> None:
    stamp = frozenset({"updated_at"})
    faults = Faults(
        ignore_sort=stamp if ignored != "filter" else frozenset(),
        ignore_filter=stamp if ignored != "sort" else frozenset(),
    )

    async def work(it: Account) -> None:
        await it.sync()
        for turn in range(3):
            for record_id in it.ids[1_000 * turn : 1_000 * turn + 150]:
                it.world.core.update(record_id, {"name": f"changed {turn}"})
            report = await it.sync()
            assert report.updated == 150
            # Walk, probe, first page, undo's look-ups, and GETs for what seems gone.
            assert report.reads <= 31 + 2 + 2 + 20

    account(3_000, tmp_path / "s", work, faults=faults)


def test_a_first_load_costs_its_creates(tmp_path: Path) -> None:
    async def work(it: Account) -> None:
        rows = people(2_000)
        report = await it.sync(rows)
        assert (report.created, report.reads, report.path) == (2_000, 2, "empty")
        again = await it.sync(rows)
        assert again.unchanged == 2_000
        assert again.reads <= 1 + 21  # before the sort is proven, a look at everything
        record = it.world.core.look(OBJECT)[0]
        it.world.core.update(record["id"], {"phone": "+1 555 0100"})
        assert (await it.sync(rows)).unchanged == 2_000
        assert (await it.sync(rows)).requests == 1

    account(0, tmp_path / "s", work)

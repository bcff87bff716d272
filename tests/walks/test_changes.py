"""What one run of `changes` gives, what it costs, and what it leaves to the next."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import anyio
import pytest
from outsiders import KIND, Outsider
from support.worlds import World

from kantos_async.walks.changes import Changes


def moment(seconds: float) -> datetime:
    return datetime.fromtimestamp(int(seconds), UTC)


async def ids(feed: Changes) -> list[str]:
    return [record.id async for record in feed]


async def test_a_run_gives_what_was_written_since_in_order_and_the_next_repeats_the_overlap() -> (
    None
):
    world = World()
    outsider = Outsider(world, seed=1)
    made = [outsider.insert(1, ago=1_000 - index)[0] for index in range(500)]
    world.core.update(made[0], {"name": "changed"})
    async with world.client() as k:
        feed = k.records.changes(KIND, since=moment(outsider.born[made[250]]))
        assert await ids(feed) == [*made[250:], made[0]]
        assert world.engine.sent <= 4
        assert feed.watermark == moment(world.core.now()) - timedelta(seconds=60)
        await anyio.sleep(300)
        again = k.records.changes(KIND, since=feed.watermark)
        assert await ids(again) == [made[0]]
        assert again.watermark == feed.watermark


async def test_nothing_new_costs_one_request_and_moves_nothing() -> None:
    world = World()
    Outsider(world, seed=1).insert(10, ago=500)
    since = moment(world.core.now() - 100)
    async with world.client() as k:
        feed = k.records.changes(KIND, since=since)
        assert await ids(feed) == []
        assert feed.watermark == since
        assert await ids(feed) == []
    assert world.engine.sent == 1


async def test_the_watermark_follows_what_was_handed_out_not_what_was_fetched() -> None:
    world = World()
    outsider = Outsider(world, seed=1)
    made = [outsider.insert(1, ago=1_000 - index)[0] for index in range(50)]
    since = moment(world.core.now() - 5_000)
    async with world.client() as k:
        feed = k.records.changes(KIND, since=since, overlap=timedelta(seconds=2))
        assert feed.watermark == since
        for _ in range(10):
            await anext(feed)
        assert feed.watermark == moment(outsider.born[made[9]]) - timedelta(seconds=2)
        rest = k.records.changes(KIND, since=feed.watermark)
        assert await ids(rest) == made[7:]


async def test_until_ends_it_and_is_not_included() -> None:
    world = World()
    outsider = Outsider(world, seed=1)
    made = [outsider.insert(1, ago=1_000 - index)[0] for index in range(300)]
    async with world.client() as k:
        feed = k.records.changes(
            KIND, since=moment(outsider.born[made[10]]), until=moment(outsider.born[made[20]])
        )
        assert await ids(feed) == made[10:20]


async def test_a_busy_writer_does_not_keep_a_run_from_ending() -> None:
    world = World(latency=(0.2, 0.4))
    outsider = Outsider(world, seed=1)
    since = moment(world.core.now() - 1)

    async def flood() -> None:
        while True:
            outsider.insert(60)
            await anyio.sleep(0.1)

    async with world.client() as k, anyio.create_task_group() as group:
        group.start_soon(flood)
        with anyio.fail_after(60):
            assert await ids(k.records.changes(KIND, since=since))
        group.cancel_scope.cancel()


@pytest.mark.parametrize(
    "options",
    [
        {"since": datetime(2024, 1, 1)},
        {"since": datetime(2024, 1, 1, tzinfo=UTC), "until": datetime(2025, 1, 1)},
        {
            "since": datetime(2024, 1, 2, tzinfo=UTC),
            "until": datetime(2024, 1, 1, tzinfo=UTC),
        },
        {"since": datetime(2024, 1, 1, tzinfo=UTC), "overlap": timedelta(seconds=-1)},
    ],
    ids=str,
)
async def test_times_that_make_no_sense_are_refused(options: dict[str, datetime]) -> None:
    world = World()
    async with world.client() as k:
        with pytest.raises(ValueError, match=r"since|until|overlap"):
            k.records.changes(KIND, **options)  # type: ignore[arg-type]
    assert world.engine.sent == 0

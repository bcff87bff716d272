"""A page that is not full ends a walk only where the server's `total` agrees."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest
from outsiders import KIND, Outsider
from support.worlds import World

from kantos_async import QueryIgnoredError, Reply, Request


def shorten(world: World, *, cap: int = 100, hide: bool = False, more: int = 0) -> None:
    """Have the server give less than it says.

    Args:
        cap: the most records on a page; `per_page` is echoed as it was asked for.
        hide: full pages lack their last record.
        more: by how much each `total` is too high, from the second answer on.
    """
    send = world.engine.send

    async def short(request: Request, timeout: float) -> Reply:
        asked = re.search(r"per_page=(\d+)", request.url)
        assert asked
        size = min(int(asked[1]), cap)
        url = request.url.replace(asked[0], f"per_page={size}")
        reply = await send(Request(request.method, url, request.headers, request.body), timeout)
        answer: dict[str, Any] = msgspec.json.decode(reply.body)
        if hide and size > 1 and len(answer["data"]) == size:
            del answer["data"][-1]
        answer["pagination"]["per_page"] = int(asked[1])
        if world.engine.sent > 1:
            answer["pagination"]["total"] += more
        return Reply(reply.status, reply.headers, msgspec.json.encode(answer))

    world.engine.send = short  # type: ignore[method-assign]


def spread(number: int, tie: int = 0) -> tuple[World, list[str]]:
    world = World()
    outsider = Outsider(world, seed=1)
    made = [outsider.insert(1, ago=10_000 - index)[0] for index in range(number // 2)]
    made += outsider.insert(tie, ago=5_000)
    made += [outsider.insert(1, ago=4_000 - index)[0] for index in range(number - number // 2)]
    return world, made


async def scanned(world: World) -> list[str]:
    async with world.client() as k:
        return [record.id async for record in k.records.scan(KIND)]


async def changed(world: World) -> list[str]:
    async with world.client() as k:
        since = datetime.fromtimestamp(world.core.now() - 20_000, UTC)
        return [record.id async for record in k.records.changes(KIND, since=since)]


@pytest.mark.parametrize("read", [scanned, changed])
@pytest.mark.parametrize("tie", [0, 49, 50, 51, 330])
@pytest.mark.parametrize("cap", [50, 37])
async def test_a_server_that_gives_less_than_it_says_is_read_whole(
    read: Any, tie: int, cap: int
) -> None:
    world, made = spread(500, tie)
    shorten(world, cap=cap)
    found = await read(world)
    assert len(found) == len(made)
    assert set(found) == set(made)


@pytest.mark.parametrize("read", [scanned, changed])
@pytest.mark.parametrize("number", [100, 199, 500])
async def test_records_that_a_page_lacks_come_with_the_next(read: Any, number: int) -> None:
    world, made = spread(number)
    shorten(world, hide=True)
    assert await read(world) == made


async def test_what_pages_within_one_stamp_lack_is_an_error_and_no_gap() -> None:
    world, _ = spread(100, tie=330)
    shorten(world, hide=True)
    with pytest.raises(QueryIgnoredError, match="no page shows"):
        await scanned(world)


@pytest.mark.parametrize("number", [0, 1, 2, 50, 250])
@pytest.mark.parametrize("tie", [0, 2, 150])
async def test_records_that_are_counted_and_never_shown_are_an_error(number: int, tie: int) -> None:
    world, _ = spread(number, tie)
    world.engine.sent = 1
    shorten(world, more=1)
    with pytest.raises(QueryIgnoredError, match="no page shows"):
        await scanned(world)
    assert world.engine.sent <= 20


@pytest.mark.parametrize("number", [0, 1, 50, 250])
async def test_a_search_that_lags_behind_its_count_is_waited_for(number: int) -> None:
    world, made = spread(number)
    outsider = Outsider(world, seed=2)
    until = world.core.now() + 2.0
    late = outsider.insert(1, ago=10)
    send = world.engine.send

    async def lagging(request: Request, timeout: float) -> Reply:
        reply = await send(request, timeout)
        answer = msgspec.json.decode(reply.body)
        if world.core.now() < until:
            answer["data"] = [row for row in answer["data"] if row["id"] not in late]
        return Reply(reply.status, reply.headers, msgspec.json.encode(answer))

    world.engine.send = lagging  # type: ignore[method-assign]
    assert await scanned(world) == made + late


@pytest.mark.parametrize("number", [0, 1, 99, 100, 101, 250])
async def test_where_total_agrees_no_request_is_added(number: int) -> None:
    world, made = spread(number)
    assert await scanned(world) == made
    # From the last key on, so that each page after the first repeats one record.
    assert world.engine.sent == 1 + max(0, number - 1) // 99

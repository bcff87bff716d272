"""`missing_ids`: what is gone, found by counting, and what that costs."""

from __future__ import annotations

import math
from collections.abc import Callable
from datetime import UTC, datetime
from random import Random
from typing import Any

import anyio
import msgspec
import pytest
from outsiders import EPOCH, KIND, Outsider, coarse_world
from support.worlds import World

from kantos_async import InternalServerError, QueryIgnoredError, Reply, Request
from kantos_async.sandbox import Faults

SEEDS = range(6)


def known_by(outsider: Outsider) -> dict[str, datetime]:
    """Everything that is there, as somebody has read it."""
    return {
        row["id"]: datetime.fromisoformat(row["created_at"]) for row in outsider.core.look(KIND)
    }


def large(number: int, a_second: float = 1.0) -> tuple[World, dict[str, datetime]]:
    """A world with many records, the youngest some hours old."""
    world = World()
    first = EPOCH - number / a_second - 10_000
    stamps = [math.floor(first + index / a_second) for index in range(number)]
    world.core.store.db.executemany(
        "INSERT INTO records (id, object_id, created, updated, created_by, doc)"
        f" VALUES (?, '{KIND}', ?, ?, 'user_1', '{{\"name\":\"x\"}}')",
        ((f"rec_{index}", at * 10**6, at * 10**6) for index, at in enumerate(stamps)),
    )
    known = {f"rec_{i}": datetime.fromtimestamp(at, UTC) for i, at in enumerate(stamps)}
    return world, known


async def missing(world: World, known: object) -> tuple[set[str], int]:
    before = world.engine.sent
    async with world.client() as k:
        found = [each async for each in k.records.missing_ids(KIND, known)]  # type: ignore[arg-type]
    assert len(found) == len(set(found))
    return set(found), world.engine.sent - before


def walk(number: int) -> float:
    return 1.02 * number / 100 + 1


async def test_one_gone_among_100_000_takes_few_requests() -> None:
    world, known = large(100_000)
    assert await missing(world, known) == (set(), 1)
    for created, gone in enumerate(("rec_31", "rec_44444", "rec_98765")):
        world.core.delete(gone)
        world.core.insert(KIND, [{"name": "new"}] * created)
        found, requests = await missing(world, known)
        assert found == {gone}
        assert requests <= 14
        del known[gone]


@pytest.mark.parametrize("gone", [2, 10, 60, 300, 2_999, 3_000])
async def test_many_gone_never_take_much_more_than_a_walk(gone: int) -> None:
    world, known = large(3_000, a_second=0.7)
    lost = set(Random(gone).sample(sorted(known), gone))
    for each in lost:
        world.core.delete(each)
    found, requests = await missing(world, known)
    assert found == lost
    assert requests <= 2 * walk(3_000) + min(gone, 20)


async def test_nothing_known_asks_nothing() -> None:
    world, _ = large(10)
    assert await missing(world, {}) == (set(), 0)
    assert await missing(world, set()) == (set(), 0)


async def test_ids_alone_take_a_walk_and_a_get_for_each() -> None:
    world, known = large(1_000)
    for each in ("rec_3", "rec_500"):
        world.core.delete(each)
    assert await missing(world, set(known)) == ({"rec_3", "rec_500"}, 11 + 2)


async def test_records_that_known_lacks_send_it_on_a_walk() -> None:
    world, known = large(1_000)
    world.core.delete("rec_3")
    for each in ("rec_10", "rec_11", "rec_600"):
        del known[each]
    assert await missing(world, known) == ({"rec_3"}, 1 + 11 + 1)


async def test_an_index_that_hides_the_living_is_not_believed() -> None:
    world, known = large(500)
    world.core.delete("rec_7")
    # The living half of the index is gone, the records are there.
    world.core.faults.set(search_lag=1.0)
    world.core.look(KIND)
    world.core.store.db.execute("DELETE FROM temp.shadow WHERE id LIKE 'rec_2%'")
    found, requests = await missing(world, known)
    assert found == {"rec_7"}
    assert requests >= 111


async def test_stamps_shown_coarser_than_they_are_kept_are_counted_right() -> None:
    world = coarse_world()
    outsider = Outsider(world, seed=1)
    outsider.past(500, a_second=1)
    known = known_by(outsider)
    assert await missing(world, known) == (set(), 1)
    outsider.delete(3)
    assert (await missing(world, known))[0] == set(outsider.died)


def misreport(world: World, change: Callable[[dict[str, Any]], None]) -> None:
    """Let the server change what it answers to counts by creation."""
    send = world.engine.send

    async def altered(request: Request, timeout: float) -> Reply:
        reply = await send(request, timeout)
        if "%24lt" not in request.url:
            return reply
        page = msgspec.json.decode(reply.body)
        change(page)
        return Reply(reply.status, reply.headers, msgspec.json.encode(page))

    world.engine.send = altered  # type: ignore[method-assign]


@pytest.mark.parametrize("shown", [100, 0])
async def test_counts_that_are_wrong_end_in_a_walk(shown: int) -> None:
    world, known = large(2_000)

    def fewer(page: dict[str, Any]) -> None:
        page["pagination"]["total"] -= 1
        del page["data"][shown:]

    misreport(world, fewer)
    found, requests = await missing(world, known)
    assert found == set()
    assert requests <= 2 * walk(2_000) + 20


async def test_a_server_that_ignores_the_moment_is_found_out() -> None:
    world, known = large(500)
    world.core.delete("rec_300")
    world.core.insert(KIND, [{"name": "new"}] * 200)
    world.core.faults.set(Faults(ignore_filter=frozenset({"created_at"})))
    with pytest.raises(QueryIgnoredError):
        await missing(world, known)


async def test_a_get_that_fails_is_raised_as_it_is() -> None:
    world, known = large(50)
    for each in known:
        world.core.delete(each)
    world.core.faults.next(*["ok"] * 3, *["html"] * 200, path="/crm/record/")
    with pytest.raises(InternalServerError):
        await missing(world, known)


@pytest.mark.parametrize("seed", SEEDS)
async def test_while_others_write_all_that_was_gone_is_found_and_nothing_alive(seed: int) -> None:
    lag = (0.0, 1.0)[seed % 2]
    world = World(
        seed=seed, stamp_digits=(0, 3, 6)[seed % 3], faults=Faults(search_lag=lag, seed=seed)
    )
    outsider = Outsider(world, seed=seed, rate=5, lag=lag)
    outsider.past(300 + 700 * (seed % 4), a_second=(0.2, 8)[seed // 2 % 2], ties=seed % 2)
    known = known_by(outsider)
    outsider.delete(seed % 5)
    await anyio.sleep(lag)
    gone = set(outsider.died)
    async with anyio.create_task_group() as group:
        group.start_soon(outsider.write)
        found, _ = await missing(world, known)
        group.cancel_scope.cancel()
    assert gone <= found
    assert found <= outsider.died.keys()


@pytest.mark.parametrize(
    ("known", "error"),
    [("rec_1", TypeError), ({"rec_1": datetime(2024, 1, 1)}, ValueError)],
)
async def test_what_is_no_mapping_of_moments_is_refused(
    known: object, error: type[Exception]
) -> None:
    world, _ = large(1)
    with pytest.raises(error):
        await missing(world, known)
    assert world.engine.sent == 0

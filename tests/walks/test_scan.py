"""What `scan` asks for, what it costs, and what it refuses."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qs

import anyio
import msgspec
import pytest
from outsiders import KIND, Outsider
from support.worlds import World

from kantos_async import BadRequestError, F, KantosError, QueryIgnoredError
from kantos_async.sandbox import Faults


async def ids(world: World, *args: object, kind: str = KIND, **options: object) -> list[str]:
    async with world.client() as k:
        walk = k.records.scan(kind, *args, **options)  # type: ignore[arg-type]
        return [record.id async for record in walk]


def asked(world: World) -> list[dict[str, object]]:
    """The filters of each query so far."""
    queries = [parse_qs(entry.query) for entry in world.core.log if "query" in entry.path]
    return [msgspec.json.decode(query.get("filters", ["{}"])[0]) for query in queries]


def spread(number: int) -> tuple[World, Outsider, list[str]]:
    world = World()
    outsider = Outsider(world, seed=1)
    made = [outsider.insert(1, ago=10_000 - index)[0] for index in range(number)]
    return world, outsider, made


async def test_a_walk_costs_about_a_request_for_a_hundred_records_and_comes_in_order() -> None:
    world, _, made = spread(3_000)
    assert await ids(world) == made
    assert world.engine.sent <= 1.02 * 30 + 1


async def test_a_tie_longer_than_a_page_costs_two_requests_more() -> None:
    world, outsider, _ = spread(250)
    outsider.insert(1_250, ago=5_000.5)
    found = await ids(world)
    assert len(found) == len(set(found)) == 1_500
    assert world.engine.sent <= 1.02 * 15 + 1 + 2


@pytest.mark.parametrize("number", [0, 1, 99, 100, 101, 199, 200, 201])
@pytest.mark.parametrize("more", [0, 1])
async def test_no_length_of_a_tie_is_a_special_case(number: int, more: int) -> None:
    world = World()
    outsider = Outsider(world, seed=1)
    outsider.insert(number, ago=50)
    outsider.insert(more, ago=20)
    found = await ids(world)
    assert len(found) == len(set(found)) == number + more


async def test_only_documented_operators_are_asked_for() -> None:
    world, outsider, _ = spread(150)
    outsider.insert(250, ago=500)
    await ids(world, F.created_at < datetime.now(UTC))
    assert len(asked(world)) > 5
    for filters in asked(world):
        condition = filters.get("created_at", "")
        assert isinstance(condition, str) or condition.keys() == {"$gte"}  # type: ignore[attr-defined]


async def test_a_range_of_time_becomes_the_start_and_the_stop() -> None:
    world, outsider, made = spread(1_000)
    first = datetime.fromtimestamp(outsider.born[made[0]] // 1, UTC)
    second = timedelta(seconds=1)
    ranges = {
        (100, 150): (F.created_at >= first + 100 * second) & (F.created_at < first + 150 * second),
        (101, 151): (F.created_at > first + 100 * second) & (F.created_at <= first + 150 * second),
        (7, 8): F.created_at == first + 7 * second,
    }
    for (start, stop), condition in ranges.items():
        before = world.engine.sent
        assert await ids(world, condition) == made[start:stop]
        assert world.engine.sent == before + 1


async def test_the_last_moment_there_is_is_a_bound_like_others() -> None:
    world, _, made = spread(150)
    last = datetime.max.replace(tzinfo=UTC)
    assert await ids(world, F.created_at <= last) == made
    assert await ids(world, {"created_at": {"$lt": last.isoformat()}}) == made
    for none in (F.created_at > last, F.created_at == last, F.created_at >= last):
        assert await ids(world, none) == []


async def test_other_filters_go_along_and_a_plain_mapping_may_hold_text() -> None:
    world, outsider, made = spread(300)
    world.core.update(made[123], {"industry": "Glass"})
    world.core.update(made[5], {"industry": "Glass"})
    since = datetime.fromtimestamp(outsider.born[made[100]], UTC).date().isoformat()
    found = await ids(world, {"industry": "Glass", "created_at": {"$gte": since}})
    assert found == [made[5], made[123]]


@pytest.mark.parametrize(
    ("condition", "by"),
    [
        (F.created_at.is_in([datetime(2024, 1, 1, tzinfo=UTC)]), "created_at"),
        ({"created_at": {"$gte": "yesterday"}}, "created_at"),
        (F.created_at >= 5, "created_at"),
        (F.name >= "a", "name"),
        (None, "updated_at"),
    ],
)
async def test_what_a_walk_cannot_do_is_refused_before_anything_is_sent(
    condition: object, by: str
) -> None:
    world = World()
    with pytest.raises(ValueError, match=by):
        await ids(world, condition, by=by)
    assert world.engine.sent == 0


async def test_another_field_may_lead_if_every_record_has_it() -> None:
    world, outsider, made = spread(250)
    for index, each in enumerate(reversed(made)):
        world.core.update(each, {"name": f"n{index:04}"})
    assert await ids(world, by="name") == made[::-1]
    outsider.core.insert(KIND, [{"name": "x"}])
    with pytest.raises(KantosError, match="industry"):
        await ids(world, by="industry")
    for each in made[:40]:
        world.core.update(each, {"industry": "Glass"})
    with pytest.raises(KantosError, match="industry"):
        await ids(world, F.name < "n0300", by="industry")


async def test_another_field_may_have_ties_longer_than_a_page() -> None:
    world = World()
    rows = [{"name": "x", "industry": "Glass" if index % 3 else "Iron"} for index in range(700)]
    made = world.core.insert(KIND, rows)
    found = await ids(world, by="industry")
    assert len(found) == 700
    assert set(found) == set(made)


async def test_records_without_the_field_are_noticed_where_no_page_shows_them() -> None:
    # As if this server sorted them behind all others.
    world, _, made = spread(400)
    for index, each in enumerate(made[:300]):
        world.core.update(each, {"website": f"https://{index:04}.example"})
    send = world.engine.send

    async def without_blanks(request, timeout):  # type: ignore[no-untyped-def]
        if "filters" not in request.url:
            request = type(request)(
                request.method,
                request.url + "&filters=%7B%22website%22%3A%7B%22%24empty%22%3Afalse%7D%7D",
                request.headers,
                request.body,
            )
        return await send(request, timeout)

    world.engine.send = without_blanks  # type: ignore[method-assign]
    with pytest.raises(KantosError, match=r"100 records .* have no 'website'"):
        await ids(world, by="website")


async def test_a_field_that_the_object_lacks_is_the_apis_answer() -> None:
    world, _, _ = spread(1)
    with pytest.raises(BadRequestError):
        await ids(world, by="no_such_field")


@pytest.mark.parametrize("deaf", ["ignore_filter", "ignore_sort"])
async def test_a_server_that_ignores_the_key_is_found_out(deaf: str) -> None:
    world = World(faults=Faults(**{deaf: frozenset({"value"})}))  # type: ignore[arg-type]
    rows = [{"name": "x", "value": index * 7 % 300} for index in range(300)]
    world.core.insert("obj_deals", rows)
    with pytest.raises(QueryIgnoredError) as caught:
        await ids(world, kind="obj_deals", by="value")
    assert (caught.value.object_id, caught.value.field) == ("obj_deals", "value")


async def test_a_walk_by_text_that_does_not_advance_ends_in_an_error() -> None:
    world = World(faults=Faults(ignore_filter=frozenset({"name"})))
    world.core.insert(KIND, [{"name": f"n{index:04}"} for index in range(300)])
    with pytest.raises(QueryIgnoredError, match="advance"):
        await ids(world, by="name")


async def test_it_can_be_used_again_and_a_cancelled_step_repeated() -> None:
    world, outsider, _ = spread(150)
    outsider.insert(400, ago=500)
    world.engine.latency = lambda: 0.05
    async with world.client() as k:
        walk = k.records.scan(KIND)
        whole = [record.id async for record in walk]
        again: list[str] = []
        steps = aiter(walk)
        while True:
            with anyio.move_on_after(world.random.uniform(0, 0.4)):
                try:
                    again.append((await anext(steps)).id)
                except StopAsyncIteration:
                    break
    assert again == whole
    assert len(whole) == 550

"""A stream is complete, in order, bounded in what it fetches, and leaves nothing behind."""

from __future__ import annotations

import gc
from typing import Any

import anyio
import pytest
from shelves import Shelf, settle, tasks

from kantos_async import APIConnectionError, ClientClosedError, KantosError, RetryPolicy

ONCE = RetryPolicy(attempts=1)


def ids(records: Any) -> list[str]:
    return [record.id for record in records]


def numbers(first: int, last: int) -> list[str]:
    return [f"rec_{number}" for number in range(first, last)]


# ---- what it gives ---------------------------------------------------------------------------


async def test_awaited_it_is_one_page() -> None:
    shelf = Shelf(250)
    async with shelf.client() as k:
        page = await k.records.query("obj")
    assert shelf.asked == [1]
    assert len(page) == 100
    assert ids(page) == numbers(0, 100)
    assert page[99].id == "rec_99"
    assert page.pagination.total == 250
    assert repr(page) == "<Page 1 of 3: 100 of 250 records>"


@pytest.mark.parametrize("prefetch", [0, 1, 4, 50])
async def test_iterated_it_is_every_record_in_order_and_each_page_once(prefetch: int) -> None:
    shelf = Shelf(1_234)
    async with shelf.client() as k:
        stream = k.records.query("obj", prefetch=prefetch)
        assert [record.id async for record in stream] == numbers(0, 1_234)
        assert sorted(shelf.asked) == list(range(1, 14))


async def test_it_can_be_used_again_and_in_several_ways() -> None:
    shelf = Shelf(250)
    async with shelf.client() as k:
        stream = k.records.query("obj")
        assert shelf.asked == []
        for _ in range(2):
            assert [record.id async for record in stream] == numbers(0, 250)
        assert ids(await stream) == numbers(0, 100)
        assert ids(await stream.all()) == numbers(0, 250)
        assert [len(page) async for page in stream.pages()] == [100, 100, 50]
        assert await stream.count() == 250
        first = await stream.first()
        assert first is not None
        assert first.id == "rec_0"


async def test_two_iterations_at_once_do_not_disturb_each_other() -> None:
    shelf = Shelf(350)
    async with shelf.client() as k:
        stream = k.records.query("obj")
        pairs = [
            (outer.id, inner.id)
            async for outer in k.records.query("obj", limit=2)
            async for inner in stream
        ]
    assert len(pairs) == 700


async def test_it_always_sends_a_sort_and_asks_for_the_largest_page() -> None:
    shelf = Shelf(1)
    async with shelf.client() as k:
        await k.records.query("obj")
        await k.records.query("obj", sort="name", order="desc", per_page=7)
    assert shelf.queries[0] == {
        "object_id": "obj",
        "sort": "created_at",
        "page": "1",
        "per_page": "100",
    }
    assert shelf.queries[1]["sort"] == "name"
    assert shelf.queries[1]["order"] == "desc"
    assert shelf.queries[1]["per_page"] == "7"


async def test_nothing_there_is_no_error() -> None:
    shelf = Shelf(0)
    async with shelf.client() as k:
        stream = k.records.query("obj")
        assert await stream.all() == []
        assert await stream.first() is None
        assert await stream.count() == 0
        assert len(await stream) == 0


# ---- limit -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("limit", "requests"), [(0, 0), (1, 1), (99, 1), (100, 1), (101, 2), (150, 2), (5_000, 4)]
)
async def test_a_limit_stops_requesting_in_time(limit: int, requests: int) -> None:
    shelf = Shelf(400)
    async with shelf.client() as k:
        stream = k.records.query("obj", limit=limit)
        assert ids(await stream.all()) == numbers(0, min(limit, 400))
        assert len(shelf.asked) == requests
        assert len(await stream) == min(limit, 100)
        assert await stream.count() == min(limit, 400)
        assert (await stream.first() is None) is (limit == 0)


async def test_pages_that_are_shorter_than_asked_for_do_not_end_a_limit_early() -> None:
    class Capped(Shelf):
        def answer(self, page: int, size: int) -> dict[str, Any]:
            return super().answer(page, min(size, 40))

    shelf = Capped(400)
    async with shelf.client() as k:
        assert ids(await k.records.query("obj", limit=150).all()) == numbers(0, 150)
    assert len(shelf.asked) == 4


# ---- fetching ahead --------------------------------------------------------------------------


async def test_pages_come_ahead_while_the_first_is_used_and_no_more_than_told() -> None:
    shelf = Shelf(2_000, latency=0.0)
    async with shelf.client() as k:
        stream = aiter(k.records.query("obj", prefetch=3).pages())
        await anext(stream)
        await anyio.sleep(0.02)
        assert sorted(shelf.asked) == [1, 2, 3, 4]
        await anext(stream)
        await anyio.sleep(0.02)
        assert sorted(shelf.asked) == [1, 2, 3, 4, 5]
        await stream.aclose()


async def test_an_error_comes_once_and_behind_the_records_before_it() -> None:
    shelf = Shelf(10_000, fail=(37,))
    seen: list[str] = []

    async def read(records: Any) -> None:
        async for record in records:
            seen.append(record.id)

    async with shelf.client(retry=ONCE) as k:
        stream = aiter(k.records.query("obj", prefetch=10))
        with pytest.raises(APIConnectionError):
            await read(stream)
        assert seen == numbers(0, 3_600)
        with pytest.raises(StopAsyncIteration):
            await anext(stream)
        await settle()
        assert shelf.open == 0
        assert max(shelf.asked) <= 47


# ---- leaving early ---------------------------------------------------------------------------


async def leave_by_break(stream: Any) -> None:
    async for _ in stream:
        break


async def leave_by_exception(stream: Any) -> None:
    try:
        async for _ in stream:
            raise ZeroDivisionError
    except ZeroDivisionError:
        pass


async def leave_by_cancellation(stream: Any) -> None:
    with anyio.move_on_after(0.03) as scope:
        async for page in stream.pages():
            assert page
    assert scope.cancelled_caught


async def leave_by_dropping(stream: Any) -> None:
    iterator = aiter(stream)
    await anext(iterator)
    del iterator
    gc.collect()


async def leave_by_closing(stream: Any) -> None:
    iterator = aiter(stream)
    await anext(iterator)
    await iterator.aclose()
    with pytest.raises(StopAsyncIteration):
        await anext(iterator)


LEAVING = [
    leave_by_break,
    leave_by_exception,
    leave_by_cancellation,
    leave_by_dropping,
    leave_by_closing,
]


@pytest.mark.parametrize("leave", LEAVING, ids=lambda leave: leave.__name__)
async def test_left_early_no_task_stays_and_nothing_more_is_asked_for(leave: Any) -> None:
    shelf = Shelf(1_000_000)
    async with shelf.client() as k:
        await k.records.query("obj")  # open, so that only the stream's own tasks count
        before = tasks()
        await leave(k.records.query("obj", prefetch=8))
        await settle()
        asked = len(shelf.asked)
        assert tasks() == before
        assert shelf.open == 0
        await anyio.sleep(0.05)
        assert len(shelf.asked) == asked <= 50


@pytest.mark.parametrize("leave", LEAVING, ids=lambda leave: leave.__name__)
async def test_left_early_the_client_can_close_at_once(leave: Any) -> None:
    shelf = Shelf(1_000_000)
    before = tasks()
    with anyio.fail_after(5):
        async with shelf.client() as k:
            await leave(k.records.query("obj", prefetch=8))
    await settle()
    assert tasks() == before
    assert shelf.open == 0


async def test_closing_the_client_ends_what_is_being_iterated() -> None:
    shelf = Shelf(1_000)
    before = tasks()
    k = shelf.client()
    stream = aiter(k.records.query("obj"))
    await anext(stream)
    await k.aclose()
    await settle()
    assert tasks() == before
    with pytest.raises(ClientClosedError):
        async for _ in stream:
            pass


async def test_a_step_that_was_cancelled_loses_no_record() -> None:
    shelf = Shelf(1_000, latency=0.01)
    seen = []
    async with shelf.client() as k:
        stream = aiter(k.records.query("obj", prefetch=2))
        for attempt in range(10_000):
            with anyio.move_on_after(0.004 if attempt % 3 else 0.1):
                try:
                    seen.append((await anext(stream)).id)
                except StopAsyncIteration:
                    break
    assert seen == numbers(0, 1_000)


# ---- pages that lie --------------------------------------------------------------------------


async def test_total_pages_of_0_with_data_is_not_believed() -> None:
    shelf = Shelf(250, lie=lambda pagination: {**pagination, "total_pages": 0})
    async with shelf.client() as k:
        assert ids(await k.records.query("obj").all()) == numbers(0, 250)
    assert sorted(shelf.asked) == [1, 2, 3]


@pytest.mark.parametrize("prefetch", [0, 4])
@pytest.mark.parametrize("said", [-1, 0, 1, 2])
async def test_total_pages_that_is_too_low_is_not_believed_where_total_says_more(
    said: int, prefetch: int
) -> None:
    shelf = Shelf(500, lie=lambda pagination: {**pagination, "total_pages": said})
    async with shelf.client() as k:
        assert ids(await k.records.query("obj", prefetch=prefetch).all()) == numbers(0, 500)
    # A full last page is followed by one more look: it lies beyond what was said.
    assert sorted(shelf.asked) == [1, 2, 3, 4, 5, 6]


async def test_pages_shorter_than_the_server_says_do_not_end_a_stream_early() -> None:
    class Capped(Shelf):
        def answer(self, page: int, size: int) -> dict[str, Any]:
            answer = super().answer(page, min(size, 40))
            return {**answer, "pagination": {**answer["pagination"], "per_page": size}}

    shelf = Capped(390, lie=lambda pagination: {**pagination, "total_pages": 4})
    async with shelf.client() as k:
        assert ids(await k.records.query("obj").all()) == numbers(0, 390)
    assert sorted(shelf.asked) == list(range(1, 11))


async def test_a_total_that_is_far_too_high_ends_with_the_data() -> None:
    shelf = Shelf(250, lie=lambda pagination: {**pagination, "total": 10**18, "total_pages": 3})
    async with shelf.client() as k:
        assert ids(await k.records.query("obj", prefetch=4).all()) == numbers(0, 250)
        await settle()
    assert len(shelf.asked) <= 8


async def test_total_pages_that_is_far_too_high_ends_with_the_data() -> None:
    shelf = Shelf(250, lie=lambda pagination: {**pagination, "total_pages": 10**9})
    async with shelf.client() as k:
        assert ids(await k.records.query("obj", prefetch=4).all()) == numbers(0, 250)
        await settle()
    assert len(shelf.asked) <= 8


async def test_the_same_page_for_ever_is_an_error() -> None:
    shelf = Shelf(
        250,
        turn=lambda page: 1,
        lie=lambda pagination: {**pagination, "total_pages": 10**9},
    )
    async with shelf.client() as k:
        with pytest.raises(KantosError, match="same page"):
            await k.records.query("obj").all()
    assert len(shelf.asked) <= 10


async def test_data_that_grows_and_shrinks_in_mid_stream_is_followed_to_its_end() -> None:
    shelf = Shelf(300, latency=0.0)
    async with shelf.client() as k:
        seen = []
        async for page in k.records.query("obj", prefetch=0).pages():
            seen += ids(page)
            if page.pagination.page == 2:
                shelf.number = 520
        assert seen == numbers(0, 520)
        seen.clear()
        async for page in k.records.query("obj", prefetch=0).pages():
            seen += ids(page)
            shelf.number = 150
        assert seen == numbers(0, 150)


# ---- bad input -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "options",
    [
        {"per_page": 0},
        {"per_page": 101},
        {"per_page": True},
        {"per_page": 2.0},
        {"limit": -1},
        {"limit": "5"},
        {"prefetch": -1},
    ],
    ids=str,
)
async def test_numbers_out_of_bounds_are_refused_and_named(options: dict[str, Any]) -> None:
    shelf = Shelf(1)
    (name,) = options
    async with shelf.client() as k:
        with pytest.raises(ValueError, match=name):
            k.records.query("obj", **options)
    assert shelf.asked == []

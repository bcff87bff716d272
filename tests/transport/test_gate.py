"""The gate's line: order, cancellation at every moment, and nobody left to wait for ever."""

from __future__ import annotations

import contextlib
import random
from typing import Any

import anyio
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.virtual import virtual_backend
from support.worlds import World

from kantos_async import (
    APIConnectionError,
    KantosAsync,
    NotFoundError,
    Quota,
    RateLimitError,
    Reply,
    RetryPolicy,
)


@pytest.fixture(params=["asyncio", "trio"])
def anyio_backend(request: pytest.FixtureRequest) -> tuple[str, dict[str, Any]]:
    return virtual_backend(request.param)


async def get(k: KantosAsync, path: str = "/crm/objects") -> None:
    await k.request("GET", path)


async def burst(k: KantosAsync, count: int) -> None:
    async with anyio.create_task_group() as group:
        for _ in range(count):
            group.start_soon(get, k)


def idle_after_resets(world: World, window: float) -> list[float]:
    """Seconds from each opening of an aligned window to the first request in it."""
    firsts: dict[int, float] = {}
    for entry in world.core.log:
        firsts.setdefault(int(entry.time // window), entry.time % window)
    return list(firsts.values())


@pytest.mark.parametrize("offset", [0.0, 3600.0, -7200.3])
@pytest.mark.parametrize("windows", ["aligned", "first"])
async def test_a_burst_over_many_windows_wastes_nothing_and_is_never_refused(
    windows: str, offset: float
) -> None:
    world = World(limit=100, window=5, windows=windows, clock_offset=offset)
    async with world.client() as k:
        await burst(k, 700)
        assert world.refused == 0
        assert k.stats.requests == 700
    if windows == "aligned":
        idle = idle_after_resets(world, 5)
        assert len(idle) <= 8, "each window but the first and the last is used up"
        assert max(idle[2:]) < 0.05
        assert world.core.log[-1].time - world.core.log[0].time < 31


async def test_a_spent_window_at_the_start_costs_no_refusal() -> None:
    world = World(limit=100, window=5)
    async with world.client() as earlier:
        await burst(earlier, 92)
    async with world.client() as k:
        await burst(k, 300)
    assert world.refused == 0


async def test_another_program_on_the_key() -> None:
    world = World(limit=100, window=5)
    async with world.client() as k, anyio.create_task_group() as group:

        async def others() -> None:
            key = {"X-Api-Key": world.core.keys.first.key}
            while True:
                await anyio.sleep(world.random.expovariate(4))
                world.core.exchange("GET", "/api/crm/objects/obj_deals", key)

        group.start_soon(others)
        await burst(k, 1000)
        group.cancel_scope.cancel()
        assert 2 < k.stats.others < 6
    ours = [entry for entry in world.core.log if not entry.path.endswith("obj_deals")]
    assert sum(entry.status == 429 for entry in ours) <= 5
    firsts: dict[int, float] = {}
    for entry in ours:
        firsts.setdefault(int(entry.time // 5), entry.time % 5)
    assert max(list(firsts.values())[1:]) < 0.9


async def test_share_leaves_the_rest_to_others() -> None:
    world = World(limit=100, window=5)
    async with world.client(quota=Quota(share=0.8)) as k:
        await burst(k, 400)
    per_window: dict[int, int] = {}
    for entry in world.core.log:
        per_window[int(entry.time // 5)] = per_window.get(int(entry.time // 5), 0) + 1
    assert max(per_window.values()) == 80


async def test_clients_on_one_quota_share_it_and_keep_their_own_slots() -> None:
    world = World(limit=100, window=5)
    quota = Quota()
    async with (
        world.client(quota=quota, max_concurrency=2) as one,
        world.client(quota=quota) as two,
        anyio.create_task_group() as group,
    ):
        group.start_soon(burst, one, 150)
        group.start_soon(burst, two, 150)
    assert world.refused == 0
    assert len(world.core.log) == 300


async def test_a_thousand_calls_leave_in_the_order_in_which_they_came() -> None:
    world = World(limit=300, window=5, latency=(0.01, 0.01))
    async with world.client(max_concurrency=1) as k, anyio.create_task_group() as group:

        async def call(n: int) -> None:
            with contextlib.suppress(NotFoundError):
                await get(k, f"/crm/objects/{n:04}")

        for n in range(1000):
            group.start_soon(call, n)
            await anyio.lowlevel.checkpoint()
    paths = [entry.path for entry in world.core.log]
    assert paths == sorted(paths)


async def test_a_cancelled_probe_hands_over_at_once() -> None:
    world = World(limit=100, window=5, latency=(0.4, 0.4))
    async with world.client() as k, anyio.create_task_group() as group:
        with anyio.move_on_after(0.1):
            await get(k)
        start = anyio.current_time()
        group.start_soon(get, k)
        await anyio.sleep(0.5)
        assert [entry.time for entry in world.core.log] != []
        assert anyio.current_time() - start < 1


async def test_a_waiter_that_is_cancelled_leaves_no_hole() -> None:
    world = World(limit=None, latency=(0.1, 0.1))
    done: list[int] = []

    async with world.client(max_concurrency=1) as k, anyio.create_task_group() as group:

        async def call(n: int, patience: float) -> None:
            with anyio.move_on_after(patience):
                await get(k)
                done.append(n)

        for n in range(10):
            group.start_soon(call, n, 0.35 if n % 2 else 99)
            await anyio.lowlevel.checkpoint()
    assert done == [0, 2, 4, 6, 8]
    assert k._session.wire.gate.free == 1


@pytest.mark.parametrize("daily", [30])
async def test_a_spent_daily_quota_ends_in_an_error_not_in_a_sleep_of_hours(daily: int) -> None:
    world = World(limit=100, window=60, daily=daily)
    async with world.client() as k:
        failed: list[RateLimitError] = []

        async def call() -> None:
            try:
                await get(k)
            except RateLimitError as error:
                failed.append(error)

        start = anyio.current_time()
        async with anyio.create_task_group() as group:
            for _ in range(300):
                group.start_soon(call)
        assert anyio.current_time() - start < 300
        assert len(failed) == 300 - daily
        assert world.refused < 60, "one asks for all"
        assert any(error.retry_at is not None for error in failed)
        with pytest.raises(RateLimitError) as caught:
            await get(k)
        assert caught.value.attempts == 0, "said at once, without asking"
        await anyio.sleep(24 * 3600)
        await get(k)


async def test_a_reset_further_off_than_max_wait_is_an_error_at_once() -> None:
    world = World(limit=10, window=600)
    async with world.client() as k:
        await burst(k, 9)
        start = anyio.current_time()
        errors: list[RateLimitError] = []
        async with anyio.create_task_group() as group:

            async def call() -> None:
                try:
                    await get(k)
                except RateLimitError as error:
                    errors.append(error)

            for _ in range(5):
                group.start_soon(call)
        assert anyio.current_time() - start < 10
        assert len(errors) == 4
        assert errors[0].retry_at is not None
        assert errors[0].path == "/crm/objects"
        assert "max_wait" in str(errors[0])


async def test_a_call_that_sleeps_before_a_repeat_holds_nothing() -> None:
    world = World()
    world.core.faults.set(retry_after=5)
    world.core.faults.next("unavailable")
    async with world.client(max_concurrency=1) as k, anyio.create_task_group() as group:
        group.start_soon(get, k)
        await anyio.sleep(0.1)
        start = anyio.current_time()
        await get(k)
        assert anyio.current_time() - start < 1


async def test_the_deadline_bounds_the_wait_for_quota_too() -> None:
    world = World(limit=5, window=60)
    async with world.client(retry=RetryPolicy(deadline=3)) as k:
        start = anyio.current_time()
        outcomes: list[str] = []

        async def call() -> None:
            try:
                await get(k)
                outcomes.append("done")
            except Exception as error:
                outcomes.append(type(error).__name__)

        async with anyio.create_task_group() as group:
            for _ in range(8):
                group.start_soon(call)
        assert anyio.current_time() - start <= 3.1
        assert outcomes.count("APITimeoutError") == 3
        assert outcomes.count("done") == 5


def test_random_cancellations_lose_no_slot_no_permit_and_no_caller() -> None:
    @settings(max_examples=40)
    @given(
        seed=st.integers(0, 2**32),
        limit=st.sampled_from([None, 5, 40]),
        slots=st.sampled_from([1, 3, 16]),
        backend=st.sampled_from(["asyncio", "trio"]),
    )
    def check(seed: int, limit: int | None, slots: int, backend: str) -> None:
        name, options = virtual_backend(backend)
        anyio.run(
            lambda: cancelled_at_random(seed, limit, slots),
            backend=name,
            backend_options=options,
        )

    check()


async def cancelled_at_random(seed: int, limit: int | None, slots: int) -> None:
    dice = random.Random(seed)
    world = World(limit=limit, window=5, latency=(0.0, 0.3), seed=seed)
    world.core.faults.set(drop_before=0.05, drop_after=0.05, refused=0.05, seed=seed)
    served = 0
    async with world.client(
        max_concurrency=slots, quota=Quota(max_wait=1e6), retry=RetryPolicy(attempts=20)
    ) as k:
        with anyio.fail_after(5_000):
            async with anyio.create_task_group() as group:

                async def call() -> None:
                    nonlocal served
                    await anyio.sleep(dice.uniform(0, 3))
                    with anyio.move_on_after(dice.choice([0, 0.01, 0.2, 1, 6, 1e6])):
                        await get(k)
                        served += 1

                for _ in range(60):
                    group.start_soon(call)
            await get(k)
        gate = k._session.wire.gate
        assert gate.free == slots
        assert gate._line.waiting == 0
        assert gate._line.budget.in_flight == 0
        assert world.refused <= (0 if limit is None else 3)


async def test_a_listener_that_is_gone_for_a_moment_costs_nobody_all_attempts() -> None:
    world = World(latency=(0.0, 0.001))
    policy = RetryPolicy(attempts=3, base=0.01)
    async with world.client(retry=policy) as k, anyio.create_task_group() as group:
        for _ in range(500):
            group.start_soon(get, k)
        await anyio.sleep(0.005)
        world.core.faults.set(refused=1)
        await anyio.sleep(0.05)
        world.core.faults.clear()
    assert len([entry for entry in world.core.log if entry.status == 200]) == 500


async def test_a_server_that_stays_away_fails_all_within_seconds() -> None:
    world = World()
    world.core.faults.set(refused=1)
    async with world.client() as k:
        failed: list[APIConnectionError] = []

        async def call() -> None:
            try:
                await get(k)
            except APIConnectionError as error:
                failed.append(error)

        start = anyio.current_time()
        async with anyio.create_task_group() as group:
            for _ in range(500):
                group.start_soon(call)
        assert anyio.current_time() - start < 15
        assert len(failed) == 500
        assert not any(error.sent for error in failed)
        assert len(world.core.log) < 100, "one tries for all"
        world.core.faults.clear()
        await anyio.sleep(2)
        await get(k)


@pytest.mark.parametrize("max_wait", [0.0, 0.5, 10.0])
async def test_max_wait_refuses_nobody_while_quota_is_left(max_wait: float) -> None:
    """Neither the wait for the first answer nor that for the last answers is one for a reset."""
    world, done = World(limit=20), 0
    async with (
        world.client(quota=Quota(max_wait=max_wait)) as k,
        anyio.create_task_group() as group,
    ):

        async def call() -> None:
            nonlocal done
            await k.objects.list()
            done += 1

        for _ in range(18):
            group.start_soon(call)
    assert done == 18


async def test_headers_that_vanish_leave_the_slots_to_steer() -> None:
    world = World(limit=1_000)
    answers = world.engine.send
    bare = False

    async def send(request: Any, timeout: float) -> Any:
        reply = await answers(request, timeout)
        headers = [pair for pair in reply.headers if not pair[0].lower().startswith(b"x-ratelimit")]
        return Reply(reply.status, headers, reply.body) if bare else reply

    world.engine.send = send  # type: ignore[method-assign]
    async with world.client() as k:
        await k.objects.list()
        bare = True
        await anyio.sleep(61)
        for _ in range(4):
            await k.objects.list()
        began = anyio.current_time()
        async with anyio.create_task_group() as group:
            for _ in range(160):
                group.start_soon(k.objects.list)
        assert anyio.current_time() - began < 1

"""A client that is closed while it is used: everybody is told, nothing leaks, no doubt is lost."""

from __future__ import annotations

import gc
from typing import Any

import anyio
import pytest
from support.scripts import ScriptEngine, error, lost, record
from support.virtual import virtual_backend
from support.worlds import World

from kantos_async import ClientClosedError, KantosAsync, Quota, Request, UnknownOutcomeError


@pytest.fixture(params=["asyncio", "trio"])
def anyio_backend(request: pytest.FixtureRequest) -> tuple[str, dict[str, Any]]:
    return virtual_backend(request.param)


async def ended(call: Any, into: list[Any]) -> None:
    try:
        into.append(await call())
    except Exception as error:
        into.append(error)


@pytest.mark.parametrize("world", [World(limit=2), World()], ids=["for quota", "for a slot"])
async def test_calls_that_wait_are_told(world: World) -> None:
    k = world.client(max_concurrency=2)
    told: list[Any] = []
    async with anyio.create_task_group() as group:
        for _ in range(8):
            group.start_soon(ended, k.objects.list, told)
        await anyio.sleep(0.001)
        await k.aclose()
        began = anyio.current_time()
    assert anyio.current_time() - began < 1
    assert sum(isinstance(each, ClientClosedError) for each in told) >= 6
    assert len(told) == 8


async def test_a_call_asleep_before_its_repeat_is_told_and_a_doubt_stays_one() -> None:
    engine = ScriptEngine(error(503, retry_after="60"))
    k = engine.client()
    told: list[Any] = []
    began = anyio.current_time()
    async with anyio.create_task_group() as group:
        group.start_soon(ended, lambda: k.records.get("rec_1"), told)
        await anyio.sleep(1)
        group.start_soon(ended, lambda: k.records.delete("rec_1"), told)
        await anyio.sleep(1)
        await k.aclose()
    assert anyio.current_time() - began == pytest.approx(2)
    assert {type(each) for each in told} == {ClientClosedError, UnknownOutcomeError}
    assert len(engine.requests) == 2


async def test_the_others_on_a_quota_go_on() -> None:
    world = World(limit=4)
    quota = Quota()
    ours, theirs = world.client(quota=quota), world.client(quota=quota)
    told: list[Any] = []
    for _ in range(4):
        await ours.objects.list()
    async with theirs, anyio.create_task_group() as group:
        group.start_soon(ended, ours.objects.list, told)
        await anyio.sleep(0.01)
        group.start_soon(ended, theirs.objects.list, told)
        await anyio.sleep(0.01)
        await ours.aclose()
    assert isinstance(told[0], ClientClosedError)
    assert isinstance(told[1], list)


async def test_a_cancelled_close_still_closes() -> None:
    world = World(latency=(0.5, 0.5))
    world.core.insert("obj_contacts", [{"name": f"{n}"} for n in range(1_000)])
    quota = Quota()
    with anyio.move_on_after(1.7):
        async with world.client(quota=quota) as k:
            async for _ in k.records.query("obj_contacts"):
                pass
    assert world.engine.closed
    assert quota._line is not None
    assert quota._line.gates == 0


async def test_a_quota_outlives_a_forgotten_client() -> None:
    world, quota = World(), Quota()
    k = world.client(quota=quota)
    await k.objects.list()
    with pytest.warns(ResourceWarning, match="not closed"):  # noqa: PT031
        del k
        gc.collect()
    await anyio.sleep(0.01)
    assert quota._line is not None
    assert quota._line.gates == 0


async def test_an_engine_that_cannot_be_made_takes_nothing() -> None:
    def broken(request: Request) -> Any:
        raise OSError("no such thing")

    quota = Quota()
    k = KantosAsync("kantos_x", base_url="http://x.invalid/api", quota=quota)
    k._session.wire._make_engine = lambda: broken(None)  # type: ignore[arg-type, return-value]
    for _ in range(2):
        with pytest.raises(OSError, match="no such thing"):
            await k.objects.list()
    await k.aclose()
    assert quota._line is None


async def test_one_call_asks_for_the_key_and_once_more_after_a_401() -> None:
    asked: list[str] = []

    async def key() -> str:
        await anyio.sleep(0.01)
        asked.append("kantos_new" if asked else "kantos_old")
        return asked[-1]

    def answer(request: Request) -> Any:
        return record() if request.headers["X-Api-Key"] == "kantos_new" else error(401)

    async with ScriptEngine(answer).client(api_key=key) as k, anyio.create_task_group() as group:
        for _ in range(50):
            group.start_soon(k.records.get, "rec_1")
    assert asked == ["kantos_old", "kantos_new"]


async def test_a_key_that_cannot_be_read_hides_no_doubt() -> None:
    asked = 0

    def key() -> str:
        nonlocal asked
        asked += 1
        if asked > 1:
            raise OSError("the vault is down")
        return "kantos_old"

    async with ScriptEngine(lost(), error(401)).client(api_key=key) as k:
        with pytest.raises(UnknownOutcomeError) as caught:
            await k.records.update("rec_1", {"name": "x"})
        with pytest.raises(OSError, match="the vault is down"):
            await k.records.get("rec_1")
    assert isinstance(caught.value.__cause__, OSError)

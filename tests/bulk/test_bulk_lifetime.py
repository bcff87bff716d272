"""Leaving a run at any moment."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import anyio
import pytest
from support.worlds import World

from kantos_async import ClientClosedError, StateError
from kantos_async.sandbox import Sandbox

OBJECT = "obj_contacts"


def people(count: int) -> list[dict[str, Any]]:
    return [{"name": f"Person {n}", "email": f"p{n}@example.com"} for n in range(count)]


def options(state: Path) -> dict[str, Any]:
    return {"object_id": OBJECT, "key": "email", "state": state}


async def test_an_explained_run_may_be_left_or_gone_on_with(tmp_path: Path) -> None:
    world = World()
    async with world.client() as k:
        async with k.records.upsert_many(people(3), **options(tmp_path / "s")) as run:
            assert (await run.explain()).created == 3
        assert run.report.stopped is None
        assert not world.core.look(OBJECT)
        run = k.records.upsert_many(people(3), **options(tmp_path / "s"))
        await run.explain()
        await run.aclose()
        await run.aclose()
        assert (await run).created == 0  # it has ended
        run = k.records.upsert_many(people(3), **options(tmp_path / "s"))
        assert (await run.explain()) == (await run.explain())
        assert (await run).created == 3
        assert (await run).created == 3


async def test_an_error_in_the_loop_settles_and_says_how_to_go_on(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    world, state = World(), tmp_path / "s"
    async with world.client() as k:
        run = k.records.upsert_many(people(100), **options(state))

        async def fail() -> None:
            async with run:
                async for outcome in run:
                    if outcome.row == 30:
                        raise RuntimeError("mine")

        with pytest.raises(RuntimeError, match="mine") as caught:
            await fail()
        assert run.report.created == len(world.core.look(OBJECT)) < 100
        (note,) = caught.value.__notes__
        assert note == run.report.stopped
        assert f"run it again with state={str(state)!r}" in note
        assert note in caplog.text
        report = await k.records.upsert_many(people(100), **options(state))
    assert report.created + report.unchanged == 100
    assert len(world.core.look(OBJECT)) == 100


async def test_a_dropped_run_gives_up_the_state(tmp_path: Path) -> None:
    world, state = World(), tmp_path / "s"
    async with world.client() as k:
        run = k.records.upsert_many(people(100), **options(state))
        await anext(run)
        with pytest.raises(StateError, match="another run is using it"):
            await k.records.upsert_many(people(100), **options(state))
        del run
        await anyio.sleep(60)
        report = await k.records.upsert_many(people(100), **options(state))
    assert report.created + report.unchanged == 100


async def test_a_client_that_closes_meanwhile_ends_the_run(tmp_path: Path) -> None:
    world, state = World(latency=(0.5, 0.9)), tmp_path / "s"
    async with world.client() as k:
        run = k.records.upsert_many(people(200), **options(state))
        await anext(run)
        await k.aclose()

        async def go_on() -> None:
            async for _ in run:
                pass

        with pytest.raises(ClientClosedError):
            await go_on()
    async with world.client() as k:
        # What was on its way is in doubt, and the state knows.
        report = await k.records.upsert_many(people(200), **options(state))
    assert report.created + report.unchanged == 200
    assert len(world.core.look(OBJECT)) == 200


async def test_a_slow_consumer_and_an_asynchronous_source(tmp_path: Path) -> None:
    world = World()

    async def rows() -> AsyncIterator[dict[str, Any]]:
        for row in people(50):
            await anyio.sleep(1)
            yield row

    async with world.client() as k:
        count = 0
        async with k.records.upsert_many(rows(), **options(tmp_path / "s")) as run:
            async for _ in run:
                await anyio.sleep(5)
                count += 1
        assert count == run.report.created == 50
        assert run.report.seconds >= 50 + 250


_COMMAND = """
import asyncio, sys
from kantos_async import KantosAsync

async def main():
    async with KantosAsync(sys.argv[2], base_url=sys.argv[1], max_concurrency=2) as k:
        rows = ({"name": f"P {n}", "email": f"p{n}@example.com"} for n in range(20_000))
        run = k.records.upsert_many(rows, object_id="obj_contacts", key="email", state=sys.argv[3])
        async with run:
            async for outcome in run:
                if outcome.row == 20:
                    print("ready", flush=True)
        print("done")

asyncio.run(main())
"""


@pytest.mark.skipif(sys.platform == "win32", reason="Windows sends no SIGINT to a child")
def test_ctrl_c_settles_and_says_how_to_go_on(tmp_path: Path) -> None:
    state = str(tmp_path / "s")
    with Sandbox() as sb:
        command = [sys.executable, "-c", _COMMAND, sb.url, sb.api_key, state]
        with subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        ) as child:
            assert child.stdout is not None
            assert child.stdout.readline() == "ready\n"
            child.send_signal(signal.SIGINT)
            out, err = child.communicate(timeout=30)
        assert "done" not in out
        assert "KeyboardInterrupt" in err
        assert f"run it again with state={state!r} to go on" in err
        created = len(sb.records(OBJECT))
        posts = [entry for entry in sb.log if entry.method == "POST"]
    assert 20 <= created == len(posts) < 20_000
    assert f"stopped after {created} of 20000 rows" in err


async def test_leaving_before_the_first_outcome_settles_what_is_under_way(tmp_path: Path) -> None:
    world, state = World(latency=(0.5, 0.5)), tmp_path / "s"
    async with world.client() as k:
        run = k.records.upsert_many(people(40), **options(state))
        await run.explain()
        with anyio.move_on_after(0.75):  # the first creates have arrived, no answer has come
            await run
        there = {record["id"] for record in world.core.look(OBJECT)}
        assert len(there) == 16
        assert run.report.created == 16
        await k.records.upsert_many(people(40), **options(state))
    assert len(world.core.look(OBJECT)) == 40


async def test_what_settled_after_leaving_can_be_told(tmp_path: Path) -> None:
    world, told = World(latency=(0.1, 0.5)), []
    async with world.client() as k:
        run = k.records.upsert_many(people(60), **options(tmp_path / "s"))
        async with run:
            async for outcome in run:
                told.append(outcome)
                break
        told += run._untaken()
        assert [outcome.row for outcome in told] == sorted(outcome.row for outcome in told)
        there = {record["id"] for record in world.core.look(OBJECT)}
        assert {outcome.record_id for outcome in told} == there
        assert len(told) == len(there) == run.report.created > 1


async def test_leaving_a_run_that_only_deletes_settles_what_is_under_way(tmp_path: Path) -> None:
    world = World(latency=(0.1, 0.5))
    ids = world.core.insert(OBJECT, people(60))
    async with world.client() as k:
        run = k.records.delete_many(({"id": each} for each in ids), object_id=OBJECT, key="id")
        async with run:
            async for _ in run:
                break
        gone = 60 - len(world.core.look(OBJECT))
        assert run.report.deleted == gone > 1
        assert run.report.stopped is not None
        assert f"stopped after {gone} of 60" in run.report.stopped


async def test_leaving_does_not_wait_for_quota(tmp_path: Path) -> None:
    """What has not left yet is not sent any more, and the next run does it."""
    world, state = World(limit=50), tmp_path / "s"
    async with world.client() as k:
        run = k.records.upsert_many(people(100), **options(state))
        began = anyio.current_time()
        with anyio.move_on_after(20):  # the window's fifty are long spent
            await run
        assert anyio.current_time() - began == pytest.approx(20, abs=0.1)
        there = len(world.core.look(OBJECT))
        assert run.report.created == there
        assert run.report.unknown == run.report.failed == 0
        await anyio.sleep(120)
        assert len(world.core.look(OBJECT)) == there
        assert k.stats.requests == len(world.core.log)
        await k.records.upsert_many(people(100), **options(state))
    assert len(world.core.look(OBJECT)) == 100


async def test_a_dropped_run_sends_nothing_more(tmp_path: Path) -> None:
    world = World(limit=50)
    async with world.client() as k:
        run = k.records.upsert_many(people(100), **options(tmp_path / "s"))
        for _ in range(20):
            await anext(run)
        await anyio.sleep(5)
        sent = len(world.core.log)
        del run
        await anyio.sleep(120)
        assert len(world.core.log) == sent
        assert not k._session.wire.jobs._running


async def test_a_create_in_doubt_is_unknown_where_a_run_is_left(tmp_path: Path) -> None:
    world, state = World(limit=50), tmp_path / "s"
    async with world.client() as k:
        run = k.records.upsert_many(people(100), **options(state))
        async with run:
            async for outcome in run:
                if outcome.row == 10:
                    world.core.faults.set(drop_after=1.0)
                    break
        assert run.report.unknown > 0
        assert run.report.created + run.report.unknown == len(world.core.look(OBJECT))
        world.core.faults.set(drop_after=0.0)
        await k.records.upsert_many(people(100), **options(state))
    assert len(world.core.look(OBJECT)) == 100

"""Tasks that outlive the call that made them."""

from __future__ import annotations

import anyio
import pytest
from support.scripts import ScriptEngine, record

from kantos_async import KantosAsync


@pytest.fixture
async def k() -> KantosAsync:
    client = ScriptEngine(record()).client()
    await client.records.get("rec_1")
    return client


async def test_closing_stops_and_awaits_what_runs(k: KantosAsync) -> None:
    ended: list[str] = []

    async def work() -> None:
        try:
            await anyio.sleep(60)
        finally:
            ended.append("work")

    k._session.wire.jobs.start(work)
    await anyio.lowlevel.checkpoint()
    await anyio.lowlevel.checkpoint()
    await k.aclose()
    assert ended == ["work"]


async def test_closing_before_a_task_has_begun_does_not_wait_for_ever(k: KantosAsync) -> None:
    ended: list[str] = []

    async def work() -> None:
        try:
            await anyio.sleep(60)
        finally:
            ended.append("work")

    k._session.wire.jobs.start(work)
    with anyio.fail_after(5):
        await k.aclose()
    assert ended == ["work"]

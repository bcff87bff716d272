"""Limits that leave nothing to be done, and runs that are over, say so."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import anyio
import pytest
from support.worlds import EPOCH, World

from kantos_async import SyncPolicy, SyncStoppedError

OBJECT = "obj_contacts"


def people(count: int, mark: str = "") -> list[dict[str, Any]]:
    return [{"name": f"Person {n}{mark}", "email": f"p{n}@example.com"} for n in range(count)]


async def test_a_budget_that_reading_uses_up_says_what_reading_takes(tmp_path: Path) -> None:
    world = World()
    world.core.insert(OBJECT, people(2_000), EPOCH - 9_999)
    async with world.client() as k:
        run = k.records.upsert_many(
            people(2_000, "!"), object_id=OBJECT, key="email", max_requests=5, state=tmp_path / "s"
        )
        report = await run
        assert (report.requests, report.writes) == (5, 0)
        assert "max_requests=5 is reached" in str(report.stopped)
        assert "raise max_requests" in str(report.stopped)
        assert "20 look-ups, or a walk of 22 requests" in str(report.stopped)


async def test_explaining_beyond_the_budget_is_an_error_that_says_so(tmp_path: Path) -> None:
    world = World()
    world.core.insert(OBJECT, people(2_000), EPOCH - 9_999)
    async with world.client() as k:
        run = k.records.upsert_many(
            people(2_000), object_id=OBJECT, key="email", max_requests=5, state=tmp_path / "s"
        )
        with pytest.raises(SyncStoppedError, match=r"max_requests=5 is reached.*20 look-ups"):
            await run.explain()


async def test_a_run_that_has_ended_explains_nothing() -> None:
    async with World().client() as k:
        run = k.records.upsert_many(people(3), object_id=OBJECT, key="email")
        await run
        with pytest.raises(RuntimeError, match="the run has ended"):
            await run.explain()
        left = k.records.upsert_many(people(3), object_id=OBJECT, key="email")
        await left.aclose()
        with pytest.raises(RuntimeError, match="the run has ended"):
            await left.explain()


@pytest.mark.parametrize("now", [0, 0.0, timedelta(0)])
async def test_a_reconcile_of_nought_reads_all_again(tmp_path: Path, now: Any) -> None:
    world = World()
    world.core.insert(OBJECT, people(300), EPOCH - 9_999)
    async with world.client() as k:
        for _ in range(2):
            report = await k.records.upsert_many(
                people(300),
                object_id=OBJECT,
                key="email",
                state=tmp_path / "s",
                policy=SyncPolicy(reconcile=now),
            )
            assert (report.path, report.unchanged) == ("walk", 300)
            await anyio.sleep(60)


def test_a_reconcile_may_be_given_in_seconds_but_not_before_now() -> None:
    assert SyncPolicy(reconcile=60).reconcile == timedelta(minutes=1)
    assert SyncPolicy(reconcile=None).reconcile is None
    with pytest.raises(ValueError, match="reconcile"):
        SyncPolicy(reconcile=-1)

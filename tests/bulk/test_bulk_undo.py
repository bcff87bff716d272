"""Taking back what the last run did."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import anyio
import pytest
from support.worlds import EPOCH, World

from kantos_async import KantosAsync, Report, RetryPolicy, StateError

OBJECT = "obj_contacts"


def people(count: int, mark: str = "") -> list[dict[str, Any]]:
    return [{"name": f"Person {n}{mark}", "email": f"p{n}@example.com"} for n in range(count)]


def stored(world: World) -> dict[str, dict[str, Any]]:
    return {r["field_values"]["email"]: r["field_values"] for r in world.core.look(OBJECT)}


async def sync(k: KantosAsync, rows: Any, state: Path, **options: Any) -> Report:
    report = await k.records.upsert_many(
        rows, object_id=OBJECT, key="email", state=state, **options
    )
    await anyio.sleep(60)
    return report


async def test_what_was_created_changed_and_deleted_is_taken_back(tmp_path: Path) -> None:
    world, state = World(), tmp_path / "s"
    async with world.client() as k:
        await sync(k, people(150), state)
        before = stored(world)
        rows = [*people(100, "!"), {"name": "new", "email": "new@x.org", "phone": "+1 555 0100"}]
        report = await sync(k, rows, state, delete_missing=True, max_deletes=50)
        assert (report.updated, report.created, report.deleted) == (100, 1, 50)
        plan = await (undo := k.records.undo(state)).explain()
        assert (plan.updated, plan.deleted, plan.created) == (100, 1, 50)
        asked = world.core.arrived
        report = await undo
        assert (report.updated, report.deleted, report.created) == (100, 1, 50)
        assert world.core.arrived - asked == 2 + 151
        assert stored(world) == before
        assert (await k.records.undo(state)).rows == 0
        await anyio.sleep(60)
        assert (await sync(k, people(150), state)).unchanged == 150


async def test_only_the_last_run_that_wrote_is_taken_back(tmp_path: Path) -> None:
    world, state = World(), tmp_path / "s"
    async with world.client() as k:
        await sync(k, people(10), state)
        await sync(k, people(10, "!"), state)
        await sync(k, people(10, "!"), state)  # writes nothing
        assert (await k.records.undo(state)).updated == 10
    assert {values["name"][-1] for values in stored(world).values()} == set("0123456789")


async def test_what_others_changed_since_stays_theirs(tmp_path: Path) -> None:
    world, state = World(), tmp_path / "s"
    async with world.client() as k:
        await sync(k, people(4), state)
        rows = [row | {"phone": "+1 555 0100"} for row in people(6, "!")]
        await sync(k, rows, state)
        ids = {r["field_values"]["email"]: r["id"] for r in world.core.look(OBJECT)}
        world.core.update(ids["p0@example.com"], {"name": "theirs"})
        world.core.update(ids["p4@example.com"], {"status": "new"})
        world.core.delete(ids["p1@example.com"])
        await anyio.sleep(60)
        run = k.records.undo(state)
        async with run:
            outcomes = {outcome.key: outcome async for outcome in run}
    statuses = {key: outcome.status for key, outcome in outcomes.items()}
    assert statuses == {
        "p0@example.com": "kept",
        "p1@example.com": "kept",
        "p2@example.com": "updated",
        "p3@example.com": "updated",
        "p4@example.com": "kept",
        "p5@example.com": "deleted",
    }
    assert outcomes["p0@example.com"].note == "somebody changed name since"
    assert stored(world)["p0@example.com"] == {"name": "theirs", "email": "p0@example.com"}
    assert "p4@example.com" in stored(world)


async def test_a_run_that_went_on_after_an_interruption_counts_as_one(tmp_path: Path) -> None:
    world, state = World(), tmp_path / "s"
    async with world.client() as k:
        await sync(k, people(40), state)
        await sync(k, people(40, "!"), state, max_requests=20)
        report = await sync(k, people(40, "!"), state)
        assert 0 < report.updated < 40
        assert (await k.records.undo(state)).updated == 40
    assert not any(values["name"].endswith("!") for values in stored(world).values())


async def test_undo_can_be_interrupted_and_goes_on(tmp_path: Path) -> None:
    world, state = World(), tmp_path / "s"
    async with world.client() as k:
        await sync(k, people(40), state)
        report = await k.records.undo(state, max_requests=20)
        assert "max_requests" in (report.stopped or "")
        assert 0 < report.deleted < 40
        report = await k.records.undo(state)
    assert report.deleted > 0
    assert not stored(world)


async def test_without_a_log_there_is_nothing_to_take_back(tmp_path: Path) -> None:
    world, state = World(), tmp_path / "s"
    async with world.client() as k:
        with pytest.raises(StateError, match="No such file"):
            await k.records.undo(state)
        await sync(k, people(3), state, undo=False)
        assert (await k.records.undo(state)).rows == 0
    assert len(stored(world)) == 3


async def test_the_values_to_put_back_cost_one_read_for_a_hundred(tmp_path: Path) -> None:
    world, state = World(), tmp_path / "s"
    rows = people(400)
    world.core.insert(OBJECT, rows, EPOCH - 5_000)
    async with world.client() as k:
        await sync(k, rows, state)
        (first,) = world.core.look(OBJECT)[:1]
        world.core.update(first["id"], {"phone": "+1 555 0100"})
        await anyio.sleep(60)
        await sync(k, rows, state)
        run = k.records.upsert_many(
            people(400, "!")[:250], object_id=OBJECT, key="email", state=state
        )
        plan = await run.explain()
        report = await run
        assert (plan.reads, plan.writes) == (report.reads, report.writes) == (1 + 3, 250)
        await anyio.sleep(60)
        await k.records.undo(state)
    assert {values["name"] for values in stored(world).values()} == {row["name"] for row in rows}


async def test_what_was_written_twice_goes_back_to_what_was_there_first(tmp_path: Path) -> None:
    world, state = World(), tmp_path / "s"
    async with world.client(max_concurrency=1) as k:
        await sync(k, people(20), state)
        # Interrupted, and the source has changed before it goes on.
        await sync(k, [*people(30, "!")], state, max_requests=15)
        await sync(k, people(40, "?"), state)
        assert {values["name"][-1] for values in stored(world).values()} == {"?"}
        report = await k.records.undo(state)
    assert (report.updated, report.deleted, report.kept) == (20, 20, 0)
    assert stored(world) == {row["email"]: row for row in people(20)}


async def test_what_was_changed_and_then_deleted_comes_back_as_it_was(tmp_path: Path) -> None:
    world, state = World(), tmp_path / "s"
    async with world.client() as k:
        await sync(k, people(20), state)
        await sync(k, people(20, "!"), state, stop_after_failures=1)
        state_of_run = {"state": state, "object_id": OBJECT, "key": "email"}
        await sync(
            k, [*people(20, "?"), {"name": "x", "email": "wrong"}], state, stop_after_failures=1
        )
        report = await k.records.delete_many(["p3@example.com", "p4@example.com"], **state_of_run)
        assert report.deleted == 2
        await anyio.sleep(60)
        await k.records.undo(state)
    assert stored(world) == {row["email"]: row for row in people(20, "!")}


async def test_what_cannot_be_put_back_fails_alone_and_stays_in_the_log(tmp_path: Path) -> None:
    world, state = World(), tmp_path / "s"
    async with world.client() as k:
        await sync(k, people(3), state)
        await sync(k, people(3, "!"), state)
        world.core.faults.next("error_before", "error_before", method="PATCH")
        report = await k.with_options(retry=RetryPolicy(attempts=1)).records.undo(state)
        assert (report.updated, report.unknown) == (1, 2)
        report = await k.records.undo(state)
        assert (report.rows, report.updated) == (2, 2)
        # What was deleted, and exists again, does not come back a second time.
        await sync(k, people(1), state, delete_missing=True, max_deletes=2)
        world.core.insert(OBJECT, people(3)[1:2])
        await anyio.sleep(60)
        run = k.records.undo(state)
        async with run:
            notes = {outcome.key: outcome.note async for outcome in run}
    assert (run.report.created, run.report.kept) == (1, 1)
    assert notes["p1@example.com"] == "another record has its key now"

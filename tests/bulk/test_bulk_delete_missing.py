"""`delete_missing`: the object becomes equal to the input, and never by mistake."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import anyio
import pytest
from support.worlds import World

from kantos_async import KantosAsync, Report, SyncStoppedError

OBJECT = "obj_contacts"


def people(count: int) -> list[dict[str, Any]]:
    return [{"name": f"Person {n}", "email": f"p{n}@example.com"} for n in range(count)]


def emails(world: World) -> set[str]:
    return {record["field_values"].get("email") for record in world.core.look(OBJECT)}


async def sync(k: KantosAsync, rows: Any, **options: Any) -> Report:
    report = await k.records.upsert_many(
        rows, object_id=OBJECT, key="email", delete_missing=True, **options
    )
    await anyio.sleep(60)
    return report


@pytest.mark.parametrize("with_state", [True, False])
async def test_what_the_input_lacks_is_deleted(tmp_path: Path, with_state: bool) -> None:
    world = World()
    world.core.insert(OBJECT, people(300))
    world.core.insert(OBJECT, [{"name": "without a key"}])
    options = {"state": tmp_path / "s"} if with_state else {}
    async with world.client() as k:
        run = k.records.upsert_many(
            people(280), object_id=OBJECT, key="email", delete_missing=True, **options
        )
        plan = await run.explain()
        async with run:
            outcomes = [outcome async for outcome in run]
        assert plan.deleted == run.report.deleted == 20
        assert plan.requests == run.report.requests == world.core.arrived
        assert [outcome.row for outcome in outcomes[280:]] == [0] * 20
        assert {outcome.status for outcome in outcomes[280:]} == {"deleted"}
        await anyio.sleep(60)
        assert (await sync(k, people(280), **options)).writes == 0
    # A record that has no key at all is nobody's to delete.
    assert emails(world) == {row["email"] for row in people(280)} | {None}


async def test_too_much_is_refused_before_anything_is_written() -> None:
    world = World()
    world.core.insert(OBJECT, people(100))
    rows = [*people(80), {"name": "new", "email": "new@x.org"}]
    async with world.client() as k:
        with pytest.raises(SyncStoppedError, match=r"would delete 20 of 100 records, more than"):
            await sync(k, rows)
        with pytest.raises(SyncStoppedError, match="max_deletes=19 allows"):
            await sync(k, rows, max_deletes=19)
        assert len(world.core.look(OBJECT)) == 100
        assert (await sync(k, rows, max_deletes=20)).deleted == 20
        assert (await sync(k, people(40), max_deletes=0.6)).deleted == 41


async def test_nothing_is_deleted_by_an_input_that_may_not_be_whole() -> None:
    world = World()
    world.core.insert(OBJECT, people(10))

    async def broken() -> AsyncIterator[dict[str, Any]]:
        for row in people(5):
            yield row
        raise OSError("the file ended")

    async with world.client() as k:
        report = await sync(k, [], max_deletes=1.0)
        assert report.deleted == 0
        assert "the input is empty" in report.warnings[0]
        report = await sync(k, [*people(5), {"name": "no key"}], max_deletes=1.0)
        assert (report.deleted, report.failed) == (0, 1)
        assert "some rows have no key" in report.warnings[0]
        with pytest.raises(OSError, match="the file ended"):
            await sync(k, broken(), max_deletes=1.0)
    assert len(emails(world)) == 10


async def test_a_row_that_fails_keeps_its_record() -> None:
    world = World()
    world.core.insert(OBJECT, people(10))
    rows = [*people(9), {"name": "", "email": "p9@example.com", "status": "nonsense"}]
    async with world.client() as k:
        report = await sync(k, rows)
    assert (report.failed, report.deleted) == (1, 0)
    assert len(emails(world)) == 10


async def test_a_key_that_is_not_unique_is_refused() -> None:
    world = World()
    async with world.client() as k:
        with pytest.raises(ValueError, match="needs a key that the server keeps unique"):
            await k.records.upsert_many(
                [{"name": "A"}], object_id="obj_companies", key="name", delete_missing=True
            )
        with pytest.raises(ValueError, match="mode='upsert' only"):
            k.records.upsert_many(
                [], object_id=OBJECT, key="email", delete_missing=True, mode="create_only"
            )


async def test_each_record_is_asked_for_once_more() -> None:
    world = World()
    ids = world.core.insert(OBJECT, people(10))
    async with world.client() as k:
        run = k.records.upsert_many(
            people(7), object_id=OBJECT, key="email", delete_missing=True, max_deletes=3
        )
        assert (await run.explain()).deleted == 3
        world.core.delete(ids[7])
        world.core.delete(ids[0])
        world.core.update(ids[8], {"email": "p0@example.com"})  # now it is one of the rows'
        report = await run
    assert (report.deleted, report.rows, report.done) == (1, 7, 7)
    assert world.core.find(ids[8])
    assert not world.core.find(ids[9])


async def test_a_key_that_the_server_writes_its_own_way_is_not_missing() -> None:
    world = World()
    add = world.core.records.add

    def tidy(object_id: str, values: Any, user: str, now: float) -> Any:
        return add(object_id, {**values, "email": values["email"].lower()}, user, now)

    world.core.records.add = tidy  # type: ignore[method-assign]
    rows = [{"name": "A", "email": "A@X.org"}, {"name": "B", "email": "B@X.org"}]
    async with world.client() as k:
        report = await sync(k, rows, max_deletes=1.0)
        assert (report.created, report.deleted) == (2, 0)
    assert emails(world) == {"a@x.org", "b@x.org"}

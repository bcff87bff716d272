"""Runs with a state file: what the next run costs, and what it is protected from."""

from __future__ import annotations

import os
import sqlite3
import stat
import subprocess
import sys
from collections.abc import Iterable
from datetime import timedelta
from pathlib import Path
from typing import Any

import anyio
import pytest
from support.worlds import EPOCH, World

from kantos_async import KantosAsync, Report, StateError, SyncPolicy, SyncStoppedError

OBJECT = "obj_contacts"


def people(count: int) -> list[dict[str, Any]]:
    return [{"name": f"Person {n}", "email": f"p{n}@example.com"} for n in range(count)]


def fill(world: World, rows: Iterable[dict[str, Any]], seconds: float = 0.5) -> list[str]:
    """Records as they grow in a CRM: one every `seconds`, the last long ago."""
    rows = list(rows)
    start = EPOCH - 100_000 - seconds * len(rows)
    return [
        world.core.insert(OBJECT, [row], moment=start + n * seconds)[0]
        for n, row in enumerate(rows)
    ]


async def sync(k: KantosAsync, rows: Any, state: Path, **options: Any) -> Report:
    report = await k.records.upsert_many(
        rows, object_id=OBJECT, key="email", state=state, **options
    )
    await anyio.sleep(60)
    return report


async def prove_sort(world: World, record_id: str) -> None:
    """One record changes after a younger one was created: now the sort can be seen."""
    world.core.update(record_id, {"phone": "+1 555 0100"})
    await anyio.sleep(60)


async def test_an_idle_run_costs_a_look_until_the_sort_is_proven_and_then_one(
    tmp_path: Path,
) -> None:
    world, state, rows = World(), tmp_path / "s", people(1_000)
    ids = fill(world, rows)
    async with world.client() as k:
        first = await sync(k, rows, state)
        assert (first.path, first.writes) == ("walk", 0)
        assert first.reads <= 1 + 1 + 12  # schema, probe, walk
        unproven = await sync(k, rows, state)
        assert unproven.requests == 1 + 10
        await prove_sort(world, ids[0])
        assert (await sync(k, rows, state)).path == "delta"
        idle = await sync(k, rows, state)
    assert (idle.requests, idle.unchanged, idle.path) == (1, 1_000, "delta")


async def test_what_changed_here_and_there_costs_what_it_is(tmp_path: Path) -> None:
    world, state, rows = World(), tmp_path / "s", people(1_000)
    ids = fill(world, rows)
    async with world.client() as k:
        await sync(k, rows, state)
        await prove_sort(world, ids[0])
        await sync(k, rows, state)
        for row in rows[:50]:
            row["name"] += "!"
        run = k.records.upsert_many(rows, object_id=OBJECT, key="email", state=state, undo=False)
        plan = await run.explain()
        report = await run
        assert (plan.requests, report.requests, report.updated) == (51, 51, 50)
        await anyio.sleep(60)
        world.core.update(ids[100], {"name": "edited"})
        world.core.delete(ids[500])
        report = await sync(k, rows, state)
    assert (report.updated, report.created, report.drifted, report.vanished) == (1, 1, 1, 1)
    assert report.reads <= 12
    names = {r["field_values"]["email"]: r["field_values"]["name"] for r in world.core.look(OBJECT)}
    assert names == {row["email"]: row["name"] for row in rows}


@pytest.mark.parametrize("conflict", ["ours", "theirs", "fail"])
async def test_edits_of_others_are_overwritten_kept_or_fail_the_row(
    tmp_path: Path, conflict: str
) -> None:
    world, state, rows = World(), tmp_path / "s", people(20)
    async with world.client() as k:
        await sync(k, rows, state)
        (found,) = [
            r for r in world.core.look(OBJECT) if r["field_values"]["email"] == rows[3]["email"]
        ]
        world.core.update(found["id"], {"name": "theirs"})
        await anyio.sleep(60)
        rows[3]["phone"] = "+1 555 0100"
        report = await sync(k, rows, state, conflict=conflict)
        values = world.core.find(found["id"])["field_values"]  # type: ignore[index]
        again = await sync(k, rows, state, conflict=conflict)
    expected = {"ours": "updated", "theirs": "kept", "fail": "failed"}[conflict]
    assert getattr(report, expected) == 1
    assert report.drifted == 1
    assert values["name"] == ("Person 3" if conflict == "ours" else "theirs")
    assert ("phone" in values) == (conflict != "fail")
    assert getattr(again, {"ours": "unchanged"}.get(conflict, expected)) >= 1


async def test_what_the_server_writes_its_own_way_is_not_written_again(tmp_path: Path) -> None:
    world, state = World(), tmp_path / "s"
    change, add = world.core.records.change, world.core.records.add

    def tidy(values: Any) -> dict[str, Any]:
        return {slug: value.lower() for slug, value in values.items()}

    world.core.records.change = lambda i, v, n: change(i, tidy(v), n)  # type: ignore[method-assign]
    world.core.records.add = lambda o, v, u, n: add(o, tidy(v), u, n)  # type: ignore[method-assign]
    rows = [{"name": "Ann", "email": "Ann@Example.com"}, {"name": "Bob", "email": "Bob@x.org"}]
    async with world.client() as k:
        assert (await sync(k, rows, state)).created == 2
        assert (await sync(k, rows, state)).unchanged == 2
        rows[0]["name"] = "Anna"
        report = await sync(k, rows, state)
    assert (report.updated, report.created, report.writes) == (1, 0, 1)


async def test_a_state_is_of_one_object_key_and_account(tmp_path: Path) -> None:
    world, state = World(), tmp_path / "s"
    async with world.client() as k:
        many = k.records.upsert_many
        await many(people(2), object_id=OBJECT, key="email", state=state)
        with pytest.raises(StateError, match="another object \\('obj_contacts'"):
            await many([], object_id="obj_companies", key="email", state=state)
        with pytest.raises(StateError, match="another key field"):
            await many([], object_id=OBJECT, key="name", state=state)
    async with world.client(api_key=world.core.keys.create()) as other:
        with pytest.raises(StateError, match="another API key; use one file") as caught:
            await other.records.upsert_many([], object_id=OBJECT, key="email", state=state)
    assert "kantos_" not in str(caught.value)
    assert world.core.keys.first.key.encode() not in state.read_bytes()


async def test_a_state_in_use_is_locked(tmp_path: Path) -> None:
    world, state = World(), tmp_path / "s"
    async with world.client() as k:
        run = k.records.upsert_many(people(2), object_id=OBJECT, key="email", state=state)
        await run.explain()
        with pytest.raises(StateError, match="another run is using it"):
            await k.records.upsert_many(people(2), object_id=OBJECT, key="email", state=state)
        await run
        await k.records.upsert_many(people(2), object_id=OBJECT, key="email", state=state)


async def test_a_second_run_of_the_same_process_leaves_the_lock_alone(tmp_path: Path) -> None:
    world, state = World(), tmp_path / "s"
    child = """
import sys
from kantos_async.bulk.state import State
try:
    State(sys.argv[1]).set(wrote_at=1.0)
except Exception as error:
    print(error)
else:
    print("written")
"""

    def elsewhere() -> str:
        command = [sys.executable, "-c", child, str(state)]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout

    async with world.client() as k:
        run = k.records.upsert_many(people(100), object_id=OBJECT, key="email", state=state)
        async with run:
            await anext(run)
            with pytest.raises(StateError, match="another run is using it"):
                await k.records.upsert_many(people(1), object_id=OBJECT, key="email", state=state)
            with pytest.raises(StateError, match="another run is using it"):
                await k.records.undo(state)
            assert "another run is using it" in elsewhere()
            assert len([outcome async for outcome in run]) == 99
        assert elsewhere() == "written\n"


async def test_files_that_are_no_state_are_refused(tmp_path: Path) -> None:
    world = World()
    text, other, newer = tmp_path / "text", tmp_path / "other", tmp_path / "newer"
    text.write_text("a,b\n" * 1000)
    with sqlite3.connect(other) as db:
        db.execute("CREATE TABLE t (x)")
    db.close()
    async with world.client() as k:
        many = k.records.upsert_many
        await many(people(1), object_id=OBJECT, key="email", state=newer)
        with sqlite3.connect(newer) as db:
            db.execute("PRAGMA user_version = 99")
        db.close()
        for path, message in (
            (text, "not a state file"),
            (other, "not the state of a sync"),
            (newer, "format 99"),
            (tmp_path, "directory"),
            (tmp_path / "no" / "where", "No such file"),
        ):
            with pytest.raises(StateError, match=message):
                await many(people(1), object_id=OBJECT, key="email", state=path)


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such modes")
async def test_the_file_is_the_owners_alone_and_holds_no_values(tmp_path: Path) -> None:
    world, state = World(), tmp_path / "s"
    async with world.client() as k:
        await sync(k, [{"name": "Secretive", "email": "a@x.org"}], state)
    assert stat.S_IMODE(state.stat().st_mode) == 0o600
    assert b"Secretive" not in state.read_bytes()
    assert b"a@x.org" in state.read_bytes()


async def test_another_managed_field_rebuilds_the_mirror(tmp_path: Path) -> None:
    world, state, rows = World(), tmp_path / "s", people(1_000)
    ids = fill(world, rows)
    async with world.client() as k:
        await sync(k, rows, state)
        await prove_sort(world, ids[0])
        await sync(k, rows, state)
        rows[7]["phone"] = "+1 555 0107"
        report = await sync(k, rows, state)
        assert (report.path, report.updated) == ("walk", 1)
        await sync(k, rows, state)
        report = await sync(k, people(1_000), state)
    assert report.requests == 1  # fewer fields need no rebuilding


async def test_a_full_disk_stops_the_run_and_loses_nothing(tmp_path: Path) -> None:
    world, state = World(), tmp_path / "s"
    async with world.client() as k:
        run = k.records.upsert_many(people(2_000), object_id=OBJECT, key="email", state=state)
        await run.explain()
        run._state.db.execute("PRAGMA max_page_count = 40")  # type: ignore[union-attr]
        with pytest.raises(StateError, match="the disk is full; what was written until now is"):
            await run
        done = len(world.core.look(OBJECT))
        assert 0 < done < 2_000
        report = await k.records.upsert_many(
            people(2_000), object_id=OBJECT, key="email", state=state
        )
    assert report.created + report.unchanged == 2_000
    assert len(world.core.look(OBJECT)) == 2_000


async def test_a_path_is_not_taken_for_the_fault(tmp_path: Path) -> None:
    world = World()
    async with world.client() as k:
        for name in ("full", "unlocked"):
            path = tmp_path / name / "a.state"
            with pytest.raises(StateError, match="No such file"):
                await k.records.upsert_many([], object_id=OBJECT, key="email", state=path)
            path.parent.mkdir()
            path = path.with_name("ä %41?#.state")
            await k.records.upsert_many(people(1), object_id=OBJECT, key="email", state=path)
            assert path.exists()


@pytest.mark.parametrize("first", [1, 20])
async def test_a_damaged_file_is_named_and_what_to_do(tmp_path: Path, first: int) -> None:
    world, state = World(), tmp_path / "s"
    async with world.client() as k:
        await sync(k, people(500), state)
        page = 4096
        data = bytearray(state.read_bytes())
        data[first * page :] = b"\xa5" * (len(data) - first * page)
        state.write_bytes(data)
        with pytest.raises(StateError, match="it is damaged; delete it"):
            await sync(k, people(500), state)
        with pytest.raises(StateError, match="it is damaged; delete it"):
            await k.records.undo(state)
        state.unlink()
        assert (await sync(k, people(500), state)).unchanged == 500


async def test_when_too_much_seems_to_be_gone_nothing_is_written(tmp_path: Path) -> None:
    world, state, rows = World(), tmp_path / "s", people(300)
    ids = fill(world, rows)
    async with world.client() as k:
        await sync(k, rows, state)
        for record_id in ids[:200]:
            world.core.delete(record_id)
        with pytest.raises(SyncStoppedError, match=r"200 of 300 records .* seem to be gone"):
            await sync(k, rows, state)
        assert len(world.core.look(OBJECT)) == 100
        report = await sync(k, rows, state, policy=SyncPolicy(max_vanished=1.0))
    assert (report.created, report.vanished) == (200, 200)


async def test_all_is_read_again_when_a_reconcile_is_due(tmp_path: Path) -> None:
    world, state, rows = World(), tmp_path / "s", people(500)
    ids = fill(world, rows)
    policy = SyncPolicy(reconcile=timedelta(days=1))
    async with world.client() as k:
        await sync(k, rows, state, policy=policy)
        await prove_sort(world, ids[0])
        await sync(k, rows, state, policy=policy)
        # A change that moves no stamp: what a computed field does, or an import.
        world.core.store.db.execute(
            "UPDATE records SET doc = json_set(doc, '$.name', 'unseen') WHERE id = ?", (ids[3],)
        )
        world.core.store._finds.forget()
        assert (await sync(k, rows, state, policy=policy)).requests == 1
        await anyio.sleep(86_400)
        report = await sync(k, rows, state, policy=policy)
    assert (report.path, report.updated) == ("walk", 1)


async def test_a_small_input_for_a_large_object_is_looked_up(tmp_path: Path) -> None:
    world, state = World(), tmp_path / "s"
    fill(world, people(1_500))
    async with world.client() as k:
        report = await sync(k, people(150), state)
        assert (report.path, report.reads) == ("lookup", 1 + 1 + 2)
        rows = [{"name": "new", "email": "new@x.org"}, *people(150)]
        assert (await sync(k, rows, state)).created == 1
        assert (await sync(k, rows, state)).unchanged == 151
    assert len(world.core.look(OBJECT)) == 1_501


async def test_the_lag_of_searches_is_measured_and_warned_of(tmp_path: Path) -> None:
    world, state, rows = World(), tmp_path / "s", people(300)
    ids = fill(world, rows)
    async with world.client() as k:
        await sync(k, rows, state)
        await prove_sort(world, ids[0])
        await sync(k, rows, state)
        world.core.store.lag(0)
        world.core.faults.set(search_lag=30.0)
        world.core.look(OBJECT)
        for row in rows[:50]:
            row["name"] += "!"
        await k.records.upsert_many(rows, object_id=OBJECT, key="email", state=state)
        await anyio.sleep(4)
        assert (await sync(k, rows, state)).lag == 0.0
        report = await sync(k, rows, state)
    assert 2.5 < report.lag < 4
    assert "searches lagged" in report.warnings[-1]

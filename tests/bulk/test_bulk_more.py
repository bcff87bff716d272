"""Runs that need more than one table row to say: ids as keys, budgets, doubts, old schemas."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import anyio
import pytest
from support.worlds import EPOCH, World

from kantos_async import Outcome, RetryPolicy, StateError, SyncPolicy, UnknownOutcomeError
from kantos_async.sandbox import Fault, Faults, Sandbox

ROOT = Path(__file__).parents[2]
OBJECT = "obj_contacts"


def people(count: int, mark: str = "") -> list[dict[str, Any]]:
    return [{"name": f"Person {n}{mark}", "email": f"p{n}@example.com"} for n in range(count)]


async def test_ids_as_keys_with_a_state_write_only_what_differs(tmp_path: Path) -> None:
    world, state = World(), tmp_path / "s"
    ids = world.core.insert(OBJECT, people(150), EPOCH - 5_000)
    rows = [{"id": record_id, "name": f"Person {n}"} for n, record_id in enumerate(ids)]
    async with world.client() as k:
        many = k.records.update_many
        report = await many(rows, object_id=OBJECT, state=state)
        assert (report.path, report.unchanged, report.writes) == ("walk", 150, 0)
        rows[7]["name"] = "changed"
        await anyio.sleep(60)
        run = many([*rows, {"id": "rec_none", "name": "x"}], object_id=OBJECT, state=state)
        plan = await run.explain()
        report = await run
        assert (report.updated, report.failed, report.writes) == (1, 1, 1)
        assert (plan.updated, plan.failed, plan.requests) == (1, 1, report.requests)
        await anyio.sleep(60)
        report = await k.records.delete_many(ids[:5], object_id=OBJECT, state=state)
        assert report.deleted == 5
        await anyio.sleep(60)
        assert (await k.records.undo(state)).created == 5
    assert len(world.core.look(OBJECT)) == 150


async def test_a_budget_that_reading_alone_spends_writes_nothing(tmp_path: Path) -> None:
    world, state = World(), tmp_path / "s"
    world.core.insert(OBJECT, people(900), EPOCH - 5_000)
    async with world.client() as k:
        many = k.records.upsert_many
        report = await many(
            people(900, "!"), object_id=OBJECT, key="email", state=state, max_requests=5
        )
        assert report.requests == 5
        said = "max_requests=5 is reached, while reading; nothing was written"
        assert (report.stopped or "").startswith(said)
        report = await many(people(900, "!"), object_id=OBJECT, key="email", max_requests=40)
    assert report.requests == 40
    assert 0 < report.updated < 40
    assert "could go on" in (report.stopped or "")


async def test_an_update_in_doubt_is_settled_by_the_record_or_unknown(tmp_path: Path) -> None:
    world, state = World(), tmp_path / "s"
    async with world.client(retry=RetryPolicy(attempts=2)) as k:
        many = k.records.upsert_many

        async def update(mark: str, fault: Fault) -> Outcome:
            await anyio.sleep(60)
            world.core.faults.next(fault, fault, method="PATCH")
            run = many(people(1, mark), object_id=OBJECT, key="email", state=state)
            async with run:
                (outcome,) = [outcome async for outcome in run]
            return outcome

        await many(people(1), object_id=OBJECT, key="email", state=state)
        assert (await update("!", "drop_after")).status == "updated"
        outcome = await update("?", "drop_before")
        assert outcome.status == "unknown"
        assert isinstance(outcome.error, UnknownOutcomeError)
        await anyio.sleep(60)
        report = await many(people(1, "?"), object_id=OBJECT, key="email", state=state)
    assert report.updated == 1


async def test_a_run_right_after_another_asks_for_nothing_more(tmp_path: Path) -> None:
    """What only the last run's answers told is not taken for gone, nor asked for."""
    world, state = World(), tmp_path / "s"
    ids = [
        world.core.insert(OBJECT, [row], EPOCH - 5_000 + 7 * n)[0]
        for n, row in enumerate(people(300))
    ]
    async with world.client() as k:
        options: dict[str, Any] = {"object_id": OBJECT, "key": "email", "state": state}
        many = k.records.upsert_many
        await many(people(300), **options)
        world.core.update(ids[0], {"phone": "+1 555 0100"})
        await anyio.sleep(60)
        await many(people(300), **options)
        world.core.faults.set(search_lag=4.0)
        rows = people(350)
        assert (await many(rows, **options)).created == 50
        report = await many(rows, **options)
        assert (report.unchanged, report.requests) == (350, 1)


async def test_look_ups_right_after_a_run_wait_rather_than_ask_for_each(tmp_path: Path) -> None:
    stamp = frozenset({"updated_at"})
    world, state = World(faults=Faults(ignore_sort=stamp, ignore_filter=stamp)), tmp_path / "s"
    world.core.insert(OBJECT, people(300), EPOCH - 5_000)
    async with world.client() as k:
        options: dict[str, Any] = {"object_id": OBJECT, "key": "email", "state": state}
        await k.records.upsert_many(people(300), **options)
        world.core.faults.set(search_lag=4.0)
        rows = people(350)
        assert (await k.records.upsert_many(rows, **options)).created == 50
        report = await k.records.upsert_many(rows, **options)
    assert (report.unchanged, report.path) == (350, "lookup")
    assert report.reads == 1 + 4


async def test_answers_that_cannot_be_read_prove_the_write(tmp_path: Path) -> None:
    world, state = World(), tmp_path / "s"
    async with world.client() as k:
        many = k.records.upsert_many
        for rows in (people(2), people(2, "!")):
            world.core.faults.next("truncated", method="POST")
            world.core.faults.next("truncated", method="PATCH")
            report = await many(rows, object_id=OBJECT, key="email", state=state)
            assert report.created + report.updated == 2
        # Not unique: a create whose answer is lost is done, though nobody knows its id.
        world.core.faults.clear()
        world.core.faults.next("truncated", method="POST")
        companies = [{"name": "A"}, {"name": "B"}]
        other = tmp_path / "other"
        options: dict[str, Any] = {"object_id": "obj_companies", "key": "name", "state": other}
        assert (await many(companies, **options)).created == 2
        assert (await many(companies, **options)).unchanged == 2
    assert len(world.core.look("obj_companies")) == 2


async def test_an_old_schema_is_read_again_when_the_input_contradicts_it(tmp_path: Path) -> None:
    world, state = World(), tmp_path / "s"
    async with world.client() as k:
        many = k.records.upsert_many
        await many(people(2), object_id=OBJECT, key="email", state=state)
        await k.objects.add_field(OBJECT, name="Size", type="number")
        rows = [{**row, "size": 7} for row in people(2)]
        report = await many(rows, object_id=OBJECT, key="email", state=state)
        assert report.updated == 2
        before = world.core.arrived
        with pytest.raises(ValueError, match="row 1: there is no field 'weight'"):
            await many([{**rows[0], "weight": 1}], object_id=OBJECT, key="email", state=state)
        assert world.core.arrived == before + 1


async def test_a_search_that_ignores_case_finds_the_same_key(tmp_path: Path) -> None:
    world = World()
    rows = [{"name": f"n{n}", "email": f"p{n}@x.org"} for n in range(500)]
    world.core.insert(OBJECT, rows, EPOCH - 5_000)
    page = world.core.store.page

    def folding(search: Any, limit: int, offset: int, now: float) -> Any:
        values = [item.lower() if isinstance(item, str) else item for item in search.values]
        return page(search._replace(values=values), limit, offset, now)

    world.core.store.page = folding  # type: ignore[method-assign]
    async with world.client() as k:
        shouted = [{"name": "new", "email": row["email"].upper()} for row in rows[:20]]
        report = await k.records.upsert_many(
            shouted, object_id=OBJECT, key="email", ignore=["email"]
        )
    assert (report.created, report.updated) == (0, 20)


async def test_a_file_that_no_run_has_used_has_nothing_to_undo(tmp_path: Path) -> None:
    world, state = World(), tmp_path / "s"
    state.touch()
    async with world.client() as k:
        with pytest.raises(StateError, match="no run has used this file yet"):
            await k.records.undo(state)


@pytest.mark.parametrize(
    ("setting", "value"), [("margin", -1), ("reread", 0), ("sample", 0), ("max_vanished", -0.1)]
)
def test_policies_out_of_range_are_refused(setting: str, value: float) -> None:
    with pytest.raises(ValueError, match=f"{setting}={value}: must be"):
        SyncPolicy(**{setting: value})


def test_the_example_syncs_a_file(tmp_path: Path) -> None:
    file = tmp_path / "leads.csv"
    file.write_text("Name,Email,Phone\nJürgen,j@x.org,+49 30 1\nSiân,s@x.org,\nno key,,\n")
    with Sandbox() as sb:
        environment = {"KANTOS_BASE_URL": sb.url, "KANTOS_API_KEY": sb.api_key}
        command = [sys.executable, str(ROOT / "examples" / "sync_csv.py"), str(file)]
        done = subprocess.run(
            [*command, str(tmp_path / "s")],
            env={"PATH": "", **environment},
            capture_output=True,
            text=True,
            check=True,
        )
        assert "2 created, 0 updated, 0 unchanged, 1 failed" in done.stdout
        assert "row 3 (None): row 3: the row has no value for its key" in done.stdout
        assert len(sb.records(OBJECT)) == 2

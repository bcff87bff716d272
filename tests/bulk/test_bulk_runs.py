"""Whole runs against the sandbox's core, without a state file."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import anyio
import pytest
from support.worlds import World

from kantos_async import (
    CLEAR,
    AuthenticationError,
    ConflictError,
    InternalServerError,
    NotFoundError,
    ReadOnlyError,
    RetryPolicy,
    RowError,
    UnknownOutcomeError,
    UnprocessableEntityError,
)

OBJECT = "obj_contacts"


def people(count: int, mark: str = "") -> list[dict[str, Any]]:
    return [
        {"name": f"Person {n}{mark}", "email": f"p{n}@example.com", "status": "new"}
        for n in range(count)
    ]


def stored(world: World) -> dict[str, dict[str, Any]]:
    records = world.core.look(OBJECT)
    found = {record["field_values"]["email"]: record["field_values"] for record in records}
    assert len(found) == len(records)
    return found


async def test_rows_become_records_and_outcomes_come_in_their_order() -> None:
    world = World()
    rows = people(300)
    async with world.client() as k:
        run = k.records.upsert_many(rows, object_id=OBJECT, key="email")
        async with run:
            outcomes = [outcome async for outcome in run]
    assert [outcome.row for outcome in outcomes] == list(range(1, 301))
    assert [outcome.key for outcome in outcomes] == [row["email"] for row in rows]
    assert {outcome.status for outcome in outcomes} == {"created"}
    assert all(world.core.find(outcome.record_id or "") for outcome in outcomes)
    assert stored(world) == {row["email"]: row for row in rows}
    assert run.report.created == 300
    assert run.report.requests == world.core.arrived == 302  # schema, the empty page, 300 creates


@pytest.mark.parametrize(("count", "there", "path"), [(50, 500, "lookup"), (900, 500, "walk")])
async def test_the_cheaper_path_is_taken_and_the_plan_is_exact(
    count: int, there: int, path: str
) -> None:
    world = World()
    world.core.insert(OBJECT, people(there))
    async with world.client() as k:
        run = k.records.upsert_many(people(count, "!"), object_id=OBJECT, key="email")
        plan = await run.explain()
        assert all("!" not in values["name"] for values in stored(world).values())
        report = await run
    assert plan.path == report.path == path
    assert (plan.created, plan.updated) == (report.created, report.updated)
    assert report.updated == min(count, there)
    assert plan.requests == report.requests == world.core.arrived
    look_ups, walk = -(-count // 100), -(-102 * there // 10_000) + 1
    assert report.reads <= min(look_ups, walk) + 2
    assert len(stored(world)) == max(count, there)


async def test_only_fields_that_differ_are_sent() -> None:
    world = World()
    world.core.insert(OBJECT, [{"name": "Ann", "email": "a@x.org", "phone": "+1 555 0100"}])
    bodies: list[bytes] = []
    exchange = world.core.exchange

    def listen(method: str, target: str, headers: Any, body: bytes = b"", **more: Any) -> Any:
        if method == "PATCH":
            bodies.append(body)
        return exchange(method, target, headers, body, **more)

    world.core.exchange = listen  # type: ignore[method-assign]
    row = {"name": "Ann", "email": "a@x.org", "phone": "+1 555 0199"}
    async with world.client() as k:
        await k.records.upsert_many([row], object_id=OBJECT, key="email")
    assert bodies == [b'{"field_values":{"phone":"+1 555 0199"}}']


async def test_values_equal_the_apis_way_are_left_alone() -> None:
    world = World()
    world.core.insert(
        "obj_deals",
        [{"name": "D", "value": 10, "stage": "won", "close_date": "2024-05-06"}],
    )
    row = {"name": "D", "value": 10.0, "stage": "Won", "close_date": "2024-05-06T00:00:00Z"}
    async with world.client() as k:
        report = await k.records.upsert_many([row], object_id="obj_deals", key="name")
    assert (report.unchanged, report.writes) == (1, 0)
    assert "does not keep 'name' unique" in report.warnings[0]


async def test_empty_cells_leave_a_field_alone_or_clear_it() -> None:
    world = World()
    (record_id,) = world.core.insert(
        OBJECT, [{"name": "A", "email": "a@x.org", "phone": "+1 555 0100", "status": "new"}]
    )
    row = {"email": "a@x.org", "phone": "", "status": float("nan")}
    async with world.client() as k:
        report = await k.records.upsert_many([row], object_id=OBJECT, key="email")
        assert (report.unchanged, report.writes) == (1, 0)
        row["phone"] = CLEAR
        await k.records.upsert_many([row], object_id=OBJECT, key="email")
        values = world.core.find(record_id)["field_values"]  # type: ignore[index]
        assert "phone" not in values
        assert values["status"] == "new"
        await k.records.upsert_many([row], object_id=OBJECT, key="email", empty="clear")
    assert "status" not in world.core.find(record_id)["field_values"]  # type: ignore[index]


async def test_rows_that_cannot_be_written_fail_alone() -> None:
    world = World()
    rows: list[Any] = [
        {"name": "no key"},
        {"name": "A", "email": "a@x.org", "status": "Qualifed"},
        ["no", "mapping"],
        {"name": "B", "email": "not an address"},
        {"name": "C", "email": "c@x.org", "company": "rec_nowhere"},
        {"name": "D", "email": "d@x.org", "phone": object()},
        {"name": "E", "email": "e@x.org", "created_at": "2020-01-01"},
    ]
    async with world.client() as k:
        run = k.records.upsert_many(rows, object_id=OBJECT, key="email")
        async with run:
            outcomes = [outcome async for outcome in run]
    assert [outcome.status for outcome in outcomes] == ["failed"] * 6 + ["created"]
    errors = [outcome.error for outcome in outcomes]
    assert str(errors[0]) == "row 1: the row has no value for its key 'email'"
    assert "did you mean 'Qualified'?" in str(errors[1])
    assert "must be a mapping, not list" in str(errors[2])
    assert isinstance(errors[3], UnprocessableEntityError)
    assert isinstance(errors[4], UnprocessableEntityError)
    assert isinstance(errors[5], RowError)
    assert run.report.dropped == ("created_at",)
    assert list(stored(world)) == ["e@x.org"]


async def test_a_row_that_another_overrides_names_the_record_that_is_there() -> None:
    world = World()
    (there,) = world.core.insert(OBJECT, [{"name": "old", "email": "a@x.org"}])
    rows = [{"name": name, "email": "a@x.org"} for name in ("first", "second")]
    async with world.client() as k:
        run = k.records.upsert_many(rows, object_id=OBJECT, key="email")
        async with run:
            early, late = [outcome async for outcome in run]
    assert (early.status, early.record_id) == ("unchanged", there)
    assert (late.status, late.record_id) == ("updated", there)


async def test_of_two_rows_with_one_key_one_wins_or_fails() -> None:
    world = World()
    rows = [{"name": name, "email": "a@x.org"} for name in ("first", "second")]
    async with world.client() as k:
        run = k.records.upsert_many(rows, object_id=OBJECT, key="email")
        async with run:
            early, late = [outcome async for outcome in run]
        assert (early.status, early.note) == ("unchanged", "row 2 has the same key, and wins")
        assert late.status == "created"
        assert stored(world)["a@x.org"]["name"] == "second"
        report = await k.records.upsert_many(
            rows, object_id=OBJECT, key="email", on_duplicate="error"
        )
    assert (report.updated, report.failed) == (1, 1)
    assert stored(world)["a@x.org"]["name"] == "first"


async def test_wrong_arguments_are_refused_before_anything_is_written() -> None:
    world = World()
    async with world.client() as k:
        many = k.records.upsert_many
        with pytest.raises(ValueError, match="no such field; did you mean 'email'"):
            await many([{"emial": "a@x.org"}], object_id=OBJECT, key="emial")
        with pytest.raises(ValueError, match=r"row 2: there is no field 'nmae'; did you mean"):
            await many(
                [*people(1), {"email": "x@x.org", "nmae": ""} | {"nmae": "x"}],
                object_id=OBJECT,
                key="email",
            )
        with pytest.raises(TypeError, match="rows must be an iterable of mappings, not dict"):
            await many({"name": "A"}, object_id=OBJECT, key="email")  # type: ignore[arg-type]
        with pytest.raises(NotFoundError):
            await many(people(1), object_id="obj_nothing", key="email")
        with pytest.raises(ValueError, match="conflict"):
            many([], object_id=OBJECT, key="email", conflict="mine")  # type: ignore[arg-type]
        with pytest.raises(TypeError, match="not one string"):
            many([], object_id=OBJECT, key="email", only="name")
    assert not world.core.look(OBJECT)


async def test_an_input_that_breaks_writes_nothing() -> None:
    world = World()

    async def rows() -> AsyncIterator[dict[str, Any]]:
        for row in people(700):
            yield row
        raise OSError("the file ended")

    async with world.client() as k:
        with pytest.raises(OSError, match="the file ended"):
            await k.records.upsert_many(rows(), object_id=OBJECT, key="email")
    assert not world.core.look(OBJECT)


async def test_modes_create_only_and_update_only() -> None:
    world = World()
    world.core.insert(OBJECT, people(10))
    async with world.client() as k:
        many = k.records.upsert_many
        report = await many(people(20, "!"), object_id=OBJECT, key="email", mode="update_only")
        assert (report.updated, report.failed) == (10, 10)
        report = await k.records.create_many(people(20, "?"), object_id=OBJECT, key="email")
        assert (report.created, report.unchanged) == (10, 10)
    assert {values["name"][-1] for values in stored(world).values()} == {"!", "?"}


async def test_by_id_nothing_is_read() -> None:
    world = World()
    ids = world.core.insert(OBJECT, people(30))
    async with world.client() as k:
        rows = [{"id": record_id, "name": "Same"} for record_id in [*ids, "rec_none"]]
        report = await k.records.update_many(rows, object_id=OBJECT)
        assert (report.updated, report.failed, report.reads) == (30, 1, 1)
        report = await k.records.delete_many(ids[:10], object_id=OBJECT)
        assert (report.deleted, report.requests) == (10, 11)
        report = await k.records.delete_many(ids[:11], object_id=OBJECT)
        assert (report.deleted, report.unchanged) == (1, 10)
    assert {record["id"] for record in world.core.look(OBJECT)} == set(ids[11:])


async def test_records_are_deleted_by_key_unless_several_have_it() -> None:
    world = World()
    world.core.insert("obj_companies", [{"name": name} for name in ("A", "B", "C", "C")])
    async with world.client() as k:
        run = k.records.delete_many(["A", "C", "D"], object_id="obj_companies", key="name")
        async with run:
            outcomes = [outcome async for outcome in run]
    assert [outcome.status for outcome in outcomes] == ["deleted", "failed", "unchanged"]
    assert "2 records have this key" in str(outcomes[1].error)


async def test_blind_creates_need_no_key() -> None:
    world = World()
    async with world.client() as k:
        report = await k.records.create_many([{"name": "Same"}] * 5, object_id="obj_companies")
    assert report.created == 5
    assert len(world.core.look("obj_companies")) == 5


async def test_a_create_in_doubt_is_settled_on_a_unique_key_and_unknown_on_another() -> None:
    world = World()
    async with world.client() as k:
        world.core.faults.next("drop_after", method="POST")
        report = await k.records.upsert_many(people(3), object_id=OBJECT, key="email")
        assert (report.created, report.unknown) == (3, 0)
        world.core.faults.next("drop_after", method="POST")
        rows = [{"name": name} for name in "ABC"]
        run = k.records.upsert_many(rows, object_id="obj_companies", key="name")
        async with run:
            outcomes = [outcome async for outcome in run]
    unknown = [outcome for outcome in outcomes if outcome.status == "unknown"]
    assert isinstance(unknown[0].error, UnknownOutcomeError)
    assert (run.report.created, run.report.unknown) == (2, 1)
    assert len(stored(world)) == 3
    assert len(world.core.look("obj_companies")) == 3


async def test_a_record_created_meanwhile_is_updated_instead() -> None:
    world = World()
    async with world.client(max_concurrency=1) as k:
        run = k.records.upsert_many(people(5, "!"), object_id=OBJECT, key="email")
        await run.explain()
        world.core.insert(OBJECT, people(5)[3:4])
        async with run:
            statuses = [outcome.status async for outcome in run]
    assert statuses == ["created", "created", "created", "updated", "created"]
    assert all(values["name"].endswith("!") for values in stored(world).values())


async def test_a_conflict_on_another_field_fails_the_row() -> None:
    world = World()
    world.core.insert(OBJECT, [{"name": "A", "email": "a@x.org"}])
    rows = [{"name": "B", "email": "a@x.org"}]
    async with world.client() as k:
        run = k.records.upsert_many(rows, object_id=OBJECT, key="name")
        async with run:
            (outcome,) = [outcome async for outcome in run]
    assert outcome.status == "failed"
    assert isinstance(outcome.error, ConflictError)


async def test_a_record_deleted_meanwhile_is_looked_for_again_before_it_is_created() -> None:
    world = World()
    first, second = world.core.insert("obj_companies", [{"name": "A"}, {"name": "A"}])
    (third,) = world.core.insert("obj_companies", [{"name": "B"}])
    rows = [{"name": name, "size": "9"} for name in "AB"]
    async with world.client() as k:
        run = k.records.upsert_many(rows, object_id="obj_companies", key="name")
        await run.explain()
        deleted = min(first, second)  # of twins with one stamp the lower id is kept equal
        world.core.delete(deleted)
        world.core.delete(third)
        async with run:
            outcomes = [outcome async for outcome in run]
    assert [outcome.status for outcome in outcomes] == ["updated", "created"]
    assert outcomes[0].record_id == max(first, second)
    assert [record["field_values"]["size"] for record in world.core.look("obj_companies")] == [
        "9",
        "9",
    ]


async def test_a_second_page_of_a_look_up_is_read() -> None:
    world = World()
    world.core.insert("obj_companies", [{"name": f"C{n % 60}"} for n in range(180)])
    rows = [{"name": f"C{n}", "size": "1"} for n in range(60)]
    async with world.client() as k:
        report = await k.records.upsert_many(rows, object_id="obj_companies", key="name")
    assert (report.created, report.updated, report.twins) == (0, 60, 60)
    assert len(world.core.look("obj_companies")) == 180


async def test_long_keys_are_looked_up_in_several_urls() -> None:
    world = World()
    rows = [{"name": f"{n}" + "é" * 100} for n in range(500)]
    world.core.insert("obj_companies", rows)
    async with world.client() as k:
        run = k.records.create_many(rows[:20], object_id="obj_companies", key="name")
        plan = await run.explain()
        report = await run
    assert (report.unchanged, plan.path) == (20, "lookup")
    queries = [entry.query for entry in world.core.log if "filters" in entry.query]
    assert len(queries) == 3
    assert max(map(len, queries)) < 6000
    assert plan.requests == world.core.arrived


async def test_failures_and_requests_can_be_bounded() -> None:
    world = World()
    bad = [{"name": f"{n}", "email": "wrong"} | {"email": f"w{n}"} for n in range(100)]
    async with world.client() as k:
        report = await k.records.upsert_many(
            bad, object_id=OBJECT, key="email", stop_after_failures=3
        )
        assert 3 <= report.failed <= 3 + 16
        assert "stop_after_failures=3" in (report.stopped or "")
        before = world.core.arrived
        report = await k.records.upsert_many(
            people(300), object_id=OBJECT, key="email", max_requests=50
        )
    assert report.requests == world.core.arrived - before == 50
    assert report.created == 48
    assert "max_requests=50" in (report.stopped or "")


async def test_an_error_that_every_write_would_meet_ends_the_run() -> None:
    world = World()
    async with world.client() as k:
        run = k.records.upsert_many(people(50), object_id=OBJECT, key="email")
        await run.explain()
        world.core.keys.find = lambda key: None  # type: ignore[method-assign,assignment]
        with pytest.raises(AuthenticationError):
            await run


async def test_a_read_only_client_explains_and_refuses_to_write() -> None:
    world = World()
    async with world.client(read_only=True) as k:
        run = k.records.upsert_many(people(2), object_id=OBJECT, key="email")
        assert (await run.explain()).created == 2
        with pytest.raises(ReadOnlyError):
            await run
    assert not world.core.look(OBJECT)


async def test_leaving_early_settles_what_is_under_way() -> None:
    world = World()
    async with world.client() as k:
        run = k.records.upsert_many(people(200), object_id=OBJECT, key="email")
        async with run:
            async for outcome in run:
                if outcome.row == 20:
                    break
        sent = world.core.arrived
        await anyio.sleep(60)
        assert world.core.arrived == sent
        assert run.report.created == len(world.core.look(OBJECT)) < 100
        assert "stopped after" in (run.report.stopped or "")
        with pytest.raises(StopAsyncIteration):
            await anext(run)


async def test_cancelling_settles_what_is_under_way() -> None:
    world = World(latency=(0.1, 0.2))
    async with world.client() as k:
        run = k.records.upsert_many(people(200), object_id=OBJECT, key="email")
        with anyio.move_on_after(2.0):
            await run
        assert run.report.created == len(world.core.look(OBJECT)) > 16
        sent = world.core.arrived
        await anyio.sleep(60)
        assert world.core.arrived == sent


async def test_a_run_that_is_dropped_leaves_no_task() -> None:
    world = World()
    async with world.client() as k:
        run = k.records.upsert_many(people(200), object_id=OBJECT, key="email")
        await anext(run)
        del run
        await anyio.sleep(60)
        assert not k._session.wire.jobs._running
        assert len(world.core.look(OBJECT)) < 100


async def test_a_create_waits_for_the_record_in_its_way_to_become_visible() -> None:
    world = World()
    async with world.client() as k:
        run = k.records.upsert_many(people(1, "!"), object_id=OBJECT, key="email")
        await run.explain()
        world.core.faults.set(search_lag=3.0)
        world.core.look(OBJECT)
        world.core.insert(OBJECT, people(1))
        report = await run
        assert report.updated == 1
        # One that comes and goes leaves room for ours.
        row = {"name": "B", "email": "b@x.org"}
        run = k.records.upsert_many([row], object_id=OBJECT, key="email")
        await run.explain()
        (record_id,) = world.core.insert(OBJECT, [row])
        add, tries = world.core.records.add, []

        def refuse_once(*args: Any) -> Any:
            tries.append(args)
            try:
                return add(*args)
            finally:
                if len(tries) == 1:
                    world.core.delete(record_id)

        world.core.records.add = refuse_once  # type: ignore[method-assign]
        report = await run
    assert (report.created, len(tries)) == (1, 2)


async def test_deleting_what_is_gone_by_now_is_no_failure() -> None:
    world = World()
    (record_id,) = world.core.insert(OBJECT, people(1))
    async with world.client() as k:
        run = k.records.delete_many(["p0@example.com"], object_id=OBJECT, key="email")
        assert (await run.explain()).deleted == 1
        world.core.delete(record_id)
        async with run:
            (outcome,) = [outcome async for outcome in run]
    assert (outcome.status, outcome.note) == ("unchanged", "it was gone already")


async def test_an_error_while_reading_is_the_runs() -> None:
    world = World()
    world.core.insert(OBJECT, people(900))
    async with world.client(retry=RetryPolicy(attempts=1)) as k:
        # Look-ups go out several at once; one error ends them all.
        rows = people(500)
        run = k.records.upsert_many(rows, object_id=OBJECT, key="email")
        world.core.faults.next("ok", "ok", "ok", "error_before", method="GET")
        with pytest.raises(InternalServerError):
            await run
        assert (await k.records.upsert_many(rows, object_id=OBJECT, key="email")).unchanged == 500

"""Writes whose answers nobody has kept: what a run tells of them, and what undo knows."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import anyio
import pytest
from support.worlds import World

from kantos_async import (
    CLEAR,
    ClientClosedError,
    EngineFailure,
    KantosAsync,
    Outcome,
    Reply,
    Request,
    RetryPolicy,
    StateError,
)

OBJECT = "obj_contacts"
COMPANIES = "obj_companies"


def people(count: int, mark: str = "") -> list[dict[str, Any]]:
    return [{"name": f"Person {n}{mark}", "email": f"p{n}@example.com"} for n in range(count)]


def companies(count: int) -> list[dict[str, Any]]:
    return [{"name": f"C{n}", "website": f"https://c{n}.example.com"} for n in range(count)]


def names(world: World, object_id: str = OBJECT) -> list[str]:
    return sorted(record["field_values"]["name"] for record in world.core.look(object_id))


class Meddler:
    """An engine that passes requests on, and lets a test have its way with the answers."""

    def __init__(self, world: World, meddle: Callable[[Request, Reply], Reply]) -> None:
        self._engine = world.engine
        self._meddle = meddle

    async def send(self, request: Request, timeout: float) -> Reply:
        return self._meddle(request, await self._engine.send(request, timeout))

    async def aclose(self) -> None:
        pass


def without_record(method: str, then: Callable[[Request], bool] = lambda _: False) -> Any:
    """Answers to `method` are 204, and what `then` says fails."""

    def meddle(request: Request, reply: Reply) -> Reply:
        if then(request):
            return Reply(500, [], b"{}")
        return Reply(204, reply.headers, b"") if request.method == method else reply

    return meddle


async def outcomes(run: Any) -> list[Outcome]:
    async with run:
        return [outcome async for outcome in run]


async def killed(world: World, start: Callable[[KantosAsync], Any]) -> None:
    """Drop a run with all that it has on the wire: the next thing to a kill in one process."""
    client = world.client()
    run = start(client)

    async def close() -> None:
        async for outcome in run:
            if outcome.row == 8:
                await client.aclose()

    with pytest.raises(ClientClosedError):
        await close()
    await anyio.sleep(60)


@pytest.mark.parametrize("limit", [None, 4])
async def test_an_update_that_no_answer_shows_is_told_and_can_be_undone(
    tmp_path: Path, limit: int | None
) -> None:
    world, state = World(), tmp_path / "s"
    world.core.insert(OBJECT, people(3))

    def fails(request: Request) -> bool:
        return limit is None and request.method == "GET" and "/crm/record/" in request.url

    engine = Meddler(world, without_record("PATCH", fails))
    async with world.client(engine=engine, retry=RetryPolicy(attempts=1)) as k:
        run = k.records.upsert_many(
            people(3, "!"), object_id=OBJECT, key="email", state=state, max_requests=limit
        )
        told = await outcomes(run)
    done = sum(name.endswith("!") for name in names(world))
    assert [outcome.status for outcome in told] == ["updated"] * done
    assert done == (3 if limit is None else 2)
    assert all((outcome.note is not None) == (limit is None) for outcome in told)
    await anyio.sleep(60)
    async with world.client() as k:
        assert (await k.records.undo(state)).updated == done
    assert names(world) == [row["name"] for row in people(3)]


@pytest.mark.parametrize("goes_on", [True, False])
async def test_a_create_that_no_answer_shows_can_be_undone(tmp_path: Path, goes_on: bool) -> None:
    world, state, rows = World(), tmp_path / "s", companies(3)
    options: dict[str, Any] = {"object_id": COMPANIES, "key": "website", "state": state}
    async with world.client(engine=Meddler(world, without_record("POST"))) as k:
        assert (await k.records.upsert_many(rows, **options)).created == 3
    async with world.client() as k:
        if goes_on:
            assert (await k.records.upsert_many(rows, **options)).unchanged == 3
        report = await k.records.undo(state)
    assert (report.rows, report.deleted) == (3, 3)
    assert not names(world, COMPANIES)


@pytest.mark.parametrize("goes_on", [True, False])
@pytest.mark.parametrize("what", ["create", "update", "delete"])
async def test_what_was_on_the_wire_at_a_kill_is_undone_as_well(
    tmp_path: Path, what: str, goes_on: bool
) -> None:
    world, state = World(latency=(0.5, 0.5)), tmp_path / "s"
    options: dict[str, Any] = {"object_id": OBJECT, "key": "email", "state": state}
    before = people(1 if what == "create" else 40)

    def start(k: KantosAsync) -> Any:
        if what == "delete":
            return k.records.delete_many([row["email"] for row in people(40)], **options)
        return k.records.upsert_many(people(40, "!"), **options)

    async with world.client() as k:
        await k.records.upsert_many(before, **options)
        await anyio.sleep(60)
        await killed(world, start)
        touched = set(names(world)) ^ {row["name"] for row in before}
        assert touched
        if goes_on:
            await start(k)
            await anyio.sleep(60)
        report = await k.records.undo(state)
        assert (report.failed, report.kept, report.unknown) == (0, 0, 0)
        assert names(world) == sorted(row["name"] for row in before)
        assert (await k.records.undo(state)).rows == 0


async def test_what_others_made_of_it_since_a_kill_stays_theirs(tmp_path: Path) -> None:
    world, state = World(latency=(0.5, 0.5)), tmp_path / "s"
    options: dict[str, Any] = {"object_id": OBJECT, "key": "email", "state": state}
    async with world.client() as k:
        await killed(world, lambda k: k.records.upsert_many(people(40), **options))
        made = world.core.look(OBJECT)
        world.core.update(made[-1]["id"], {"phone": "+1 555 0100"})
        world.core.update(made[-2]["id"], {"name": "theirs"})
        report = await k.records.undo(state)
        left = [record["id"] for record in world.core.look(OBJECT)]
    assert sorted(left) == sorted(record["id"] for record in made[-2:])
    assert report.deleted == len(made) - 2


async def test_a_run_that_finds_nothing_of_a_kill_leaves_the_earlier_log(tmp_path: Path) -> None:
    world, state = World(), tmp_path / "s"
    options: dict[str, Any] = {"object_id": OBJECT, "key": "email", "state": state}
    async with world.client() as k:
        await k.records.upsert_many(people(3), **options)
        await anyio.sleep(60)
        rows = [{"name": "x", "email": "not an address"}]
        assert (await k.records.upsert_many(rows, **options)).failed == 1
        await anyio.sleep(60)
        assert (await k.records.undo(state)).deleted == 3


@pytest.mark.parametrize("key", ["id", "website"])
async def test_an_undo_does_not_send_twice_what_may_have_arrived(tmp_path: Path, key: str) -> None:
    world, state = World(), tmp_path / "s"
    ids = world.core.insert(COMPANIES, companies(3))
    rows = ids if key == "id" else [row["website"] for row in companies(3)]
    async with world.client() as k:
        await k.records.delete_many(rows, object_id=COMPANIES, key=key, state=state)
        await anyio.sleep(60)
        world.core.faults.next("drop_after", "drop_after", "drop_before", method="POST")
        report = await k.records.undo(state)
        assert (report.created, report.unknown) == (0, 3)
        assert len(names(world, COMPANIES)) == 2
        report = await k.records.undo(state)
    assert (report.rows, report.created) == (3, 3)
    assert names(world, COMPANIES) == ["C0", "C1", "C2"]


async def test_where_an_undo_cannot_tell_it_sends_nothing(tmp_path: Path) -> None:
    world, state = World(), tmp_path / "s"
    ids = world.core.insert(COMPANIES, companies(1))
    async with world.client() as k:
        await k.records.delete_many(ids, object_id=COMPANIES, state=state)
        await anyio.sleep(60)
        world.core.faults.next("drop_after", method="POST")
        assert (await k.records.undo(state)).unknown == 1
        (made,) = world.core.look(COMPANIES)
        await anyio.sleep(60)
        world.core.update(made["id"], {"name": "theirs"})
        await anyio.sleep(60)
        assert (await k.records.undo(state)).unknown == 1
    assert names(world, COMPANIES) == ["theirs"]


async def test_a_full_disk_hides_no_outcome(tmp_path: Path) -> None:
    world, state = World(), tmp_path / "s"
    async with world.client() as k:
        run = k.records.upsert_many(people(3_000), object_id=OBJECT, key="email", state=state)
        told: list[Outcome] = []

        async def fill() -> None:
            async for outcome in run:
                told.append(outcome)
                if len(told) == 500:
                    db = run._state.db  # type: ignore[union-attr]
                    (pages,) = db.execute("PRAGMA page_count").fetchone()
                    db.execute(f"PRAGMA max_page_count = {pages + 2}")

        with pytest.raises(StateError, match="the disk is full"):
            await fill()
    assert len(told) == run.report.created == len(names(world)) < 3_000
    assert any("the state could not keep that" in (outcome.note or "") for outcome in told)


async def test_what_a_row_clears_is_cleared_as_it_is_created(tmp_path: Path) -> None:
    world = World()
    async with world.client() as k:
        await k.objects.add_field(OBJECT, name="Tier", type="text", default_value="basic")
        options: dict[str, Any] = {"object_id": OBJECT, "key": "email", "state": tmp_path / "s"}
        rows = [{**row, "tier": CLEAR} for row in people(2)]
        report = await k.records.upsert_many(rows, **options)
        assert (report.created, report.writes) == (2, 4)
        assert not any(r["field_values"].get("tier") for r in world.core.look(OBJECT))
        await anyio.sleep(60)
        assert (await k.records.upsert_many(rows, **options)).unchanged == 2
        await anyio.sleep(60)
        assert (await k.records.undo(tmp_path / "s")).deleted == 2


async def test_a_default_that_cannot_be_cleared_is_told_with_the_create(tmp_path: Path) -> None:
    world = World()
    async with world.client() as k:
        await k.objects.add_field(OBJECT, name="Tier", type="text", default_value="basic")
        run = k.records.upsert_many(
            [{**people(1)[0], "tier": CLEAR}], object_id=OBJECT, key="email", max_requests=3
        )
        (outcome,) = await outcomes(run)
    assert outcome.status == "created"
    assert outcome.note == "tier could not be cleared: max_requests=3 is reached"


@pytest.mark.parametrize("key", ["email", "id"])
async def test_the_plan_of_an_undo_counts_its_requests(tmp_path: Path, key: str) -> None:
    world, state = World(), tmp_path / "s"
    long = "x" * 50
    rows = [{"name": f"n{n}", "email": f"{long}{n}@{long}.example.com"} for n in range(120)]
    ids = world.core.insert(OBJECT, rows)
    longest = 0

    def measure(request: Request, reply: Reply) -> Reply:
        nonlocal longest
        longest = max(longest, len(request.url))
        return reply

    async with world.client(engine=Meddler(world, measure)) as k:
        many: dict[str, Any] = {"object_id": OBJECT, "state": state}
        if key == "id":
            changed = [{"id": record_id, "name": "!"} for record_id in ids]
            await k.records.update_many(changed, **many)
        else:
            await k.records.delete_many([row["email"] for row in rows], key=key, **many)
        await anyio.sleep(60)
        plan = await (undo := k.records.undo(state)).explain()
        report = await undo
    assert (plan.reads, plan.writes) == (report.reads, report.writes)
    assert report.writes == 120
    assert report.reads == 120 if key == "id" else 1 < report.reads < 5
    assert longest < 8_000


async def test_an_undo_waits_once_for_searches(tmp_path: Path) -> None:
    world, state = World(), tmp_path / "s"
    ids = world.core.insert(OBJECT, people(600))
    async with world.client() as k:
        await k.records.delete_many(ids, object_id=OBJECT, state=state)
        began = anyio.current_time()
        assert (await k.records.undo(state)).created == 600
    assert 4 < anyio.current_time() - began < 12


async def test_what_the_server_computes_is_nobodys_change(tmp_path: Path) -> None:
    world, state = World(), tmp_path / "s"
    count = 0

    def counting(request: Request, reply: Reply) -> Reply:
        nonlocal count
        count += 1
        body = reply.body.replace(b'"email":', b'"score":%d,"email":' % count)
        body = body.replace(b'"slug":"phone","type":"phone"', b'"slug":"score","type":"formula"')
        return Reply(reply.status, reply.headers, body)

    async with world.client(engine=Meddler(world, counting)) as k:
        rows = people(3)
        await k.records.upsert_many(rows, object_id=OBJECT, key="email", state=state)
        await anyio.sleep(60)
        assert (await k.records.undo(state)).deleted == 3


@pytest.mark.parametrize("what", ["created", "updated"])
async def test_a_record_that_goes_just_before_undo_writes_is_gone(
    tmp_path: Path, what: str
) -> None:
    world, state = World(), tmp_path / "s"
    if what == "updated":
        world.core.insert(OBJECT, people(3))

    class Engine(Meddler):
        async def send(self, request: Request, timeout: float) -> Reply:
            if request.method in {"PATCH", "DELETE"} and len(world.core.look(OBJECT)) == 3:
                world.core.delete(request.url.rsplit("/", 1)[-1])
            return await super().send(request, timeout)

    async with world.client() as k:
        await k.records.upsert_many(people(3, "!"), object_id=OBJECT, key="email", state=state)
    await anyio.sleep(60)
    async with world.client(engine=Engine(world, lambda _, reply: reply)) as k:
        told = await outcomes(k.records.undo(state))
    gone = ("unchanged", "it was gone already") if what == "created" else ("kept", "it is gone")
    assert [(o.status, o.note) for o in told if o.note] == [gone]
    assert not any(outcome.error for outcome in told)


@pytest.mark.parametrize("then", ["run", "undo"])
async def test_an_update_under_way_at_a_kill_is_seen_by_what_follows(
    tmp_path: Path, then: str
) -> None:
    """Searches do not show it yet, and the state does not know that it arrived."""
    world, state, killed = World(), tmp_path / "s", tmp_path / "killed"
    world.core.faults.set(search_lag=4.0)
    async with world.client() as k:
        many = k.records.upsert_many
        await many(people(300), object_id=OBJECT, key="email", state=state)
        await anyio.sleep(600)
        record = world.core.look(OBJECT)[0]
        world.core.update(record["id"], {"phone": "+1 555 0100"})  # shows that it sorts
        await many(people(300), object_id=OBJECT, key="email", state=state)
        await anyio.sleep(600)

        def kill(request: Request, reply: Reply) -> Reply:
            if request.method == "PATCH":
                for file in tmp_path.glob("s*"):
                    shutil.copy(file, tmp_path / file.name.replace("s", "killed", 1))
                raise EngineFailure("killed", sent="maybe")
            return reply

        changed = [{**people(1)[0], "name": "other"}]
        async with world.client(engine=Meddler(world, kill)) as dying:
            await dying.records.upsert_many(
                changed, object_id=OBJECT, key="email", state=state, undo=then == "undo"
            )
        assert "other" in names(world)
        if then == "undo":
            report = await k.records.undo(killed)
        else:
            report = await many(people(1), object_id=OBJECT, key="email", state=killed)
    assert report.updated == 1
    assert "other" not in names(world)

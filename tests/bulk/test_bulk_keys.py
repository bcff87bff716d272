"""Keys that the server cannot look up, or writes in its own way."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlencode

import anyio
import msgspec
import pytest
from support.worlds import EPOCH, World

from kantos_async import BadRequestError, KantosAsync, Outcome, Reply, Request, RowError

OBJECT = "obj_contacts"


def people(count: int, mark: str = "") -> list[dict[str, Any]]:
    return [{"name": f"Person {n}{mark}", "email": f"p{n}@example.com"} for n in range(count)]


def shouted(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [{**row, "email": row["email"].replace("p", "P", 1)} for row in rows]


def names(world: World) -> list[str]:
    return sorted(record["field_values"]["name"] for record in world.core.look(OBJECT))


async def outcomes_of(run: Any) -> list[Outcome]:
    async with run:
        return [outcome async for outcome in run]


class Lower:
    """A server that writes e-mails in lower case, and finds them in any."""

    def __init__(self, world: World) -> None:
        self.engine = world.engine

    async def send(self, request: Request, timeout: float) -> Reply:
        url, body = request.url, request.body
        path, _, query = url.partition("?")
        given = dict(parse_qsl(query))
        if "filters" in given:
            filters = msgspec.json.decode(given["filters"])
            if "email" in filters:
                filters["email"] = {"$in": [text.lower() for text in filters["email"]["$in"]]}
            given["filters"] = msgspec.json.encode(filters).decode()
            url = f"{path}?{urlencode(given)}"
        if body:
            sent = msgspec.json.decode(body)
            if "email" in sent.get("field_values", {}):
                sent["field_values"]["email"] = sent["field_values"]["email"].lower()
            body = msgspec.json.encode(sent)
        return await self.engine.send(Request(request.method, url, request.headers, body), timeout)

    async def aclose(self) -> None:
        await self.engine.aclose()


@pytest.mark.parametrize("with_state", [True, False])
async def test_a_record_whose_key_a_row_has_in_another_case_is_not_deleted(
    tmp_path: Path, with_state: bool
) -> None:
    world = World()
    world.core.insert(OBJECT, people(20))
    rows = [*people(19)]
    rows[3] = {"name": "Person 3", "email": "P3@Example.com", "phone": "not a phone"}
    async with world.client(engine=Lower(world)) as k:
        options = {"state": tmp_path / "s"} if with_state else {}
        run = k.records.upsert_many(
            rows, object_id=OBJECT, key="email", delete_missing=True, **options
        )
        report = await run
    assert (report.failed, report.deleted) == (1, 1)
    assert names(world) == sorted(row["name"] for row in people(19))


async def test_what_the_server_tells_apart_by_case_is_kept_apart(tmp_path: Path) -> None:
    world = World()
    world.core.insert(OBJECT, people(300))
    async with world.client() as k:
        run = k.records.upsert_many(
            shouted(people(2, "!")), object_id=OBJECT, key="email", state=tmp_path / "s"
        )
        plan, report = await run.explain(), await run
    assert (plan.created, report.created, report.updated) == (2, 2, 0)
    assert plan.requests == report.requests == world.core.arrived
    assert len(world.core.look(OBJECT)) == 302


@pytest.mark.parametrize("mirrored", [True, False])
async def test_what_was_done_to_keys_in_another_case_can_be_undone(
    tmp_path: Path, mirrored: bool
) -> None:
    world = World()
    world.core.insert(OBJECT, people(3))
    state = tmp_path / "s"
    async with world.client(engine=Lower(world)) as k:

        async def sync(rows: list[dict[str, Any]]) -> Any:
            run = k.records.upsert_many(rows, object_id=OBJECT, key="email", state=state)
            plan, report = await run.explain(), await run
            assert plan.requests == report.requests
            await anyio.sleep(60)
            return report

        if mirrored:
            await sync(shouted(people(3)))
        report = await sync(shouted(people(3, " new")))
        assert (report.created, report.updated, report.failed) == (0, 3, 0)
        assert names(world) == ["Person 0 new", "Person 1 new", "Person 2 new"]
        report = await k.records.undo(state)
        assert (report.updated, report.kept) == (3, 0)
        assert names(world) == ["Person 0", "Person 1", "Person 2"]
        await anyio.sleep(60)

        keys = [row["email"] for row in shouted(people(3))]
        report = await k.records.delete_many(keys, object_id=OBJECT, key="email", state=state)
        assert report.deleted == 3
        await anyio.sleep(60)
        report = await k.records.undo(state)
        assert report.created == 3
        assert names(world) == ["Person 0", "Person 1", "Person 2"]


@pytest.mark.parametrize("with_state", [True, False])
async def test_of_two_rows_whose_emails_differ_in_case_one_wins(
    tmp_path: Path, with_state: bool
) -> None:
    world = World()
    options = {"state": tmp_path / "s"} if with_state else {}
    rows = [{"name": "one", "email": "A@x.org"}, {"name": "two", "email": "a@x.org"}]
    async with world.client(engine=Lower(world)) as k:
        for writes in (1, 0):
            run = k.records.upsert_many(rows, object_id=OBJECT, key="email", **options)
            found = await outcomes_of(run)
            assert found[0].note == "row 2 has the same key, and wins"
            assert run.report.writes == writes
            await anyio.sleep(60)
    assert names(world) == ["two"]


async def object_with(k: KantosAsync, kind: str) -> str:
    fields = [{"name": "Tag", "type": kind, "unique": True}, {"name": "Note", "type": "text"}]
    return (await k.objects.create(name="Things", icon="x", fields=fields)).id


@pytest.mark.parametrize("kind", ["number", "date"])
async def test_a_key_that_no_record_can_have_fails_its_row_alone(kind: str) -> None:
    world = World()
    async with world.client() as k:
        name = await object_with(k, kind)
        rows = [{"tag": n if kind == "number" else f"20{n:02}-01-15"} for n in range(10, 90)]
        world.core.insert(name, rows, EPOCH - 9_999)
        await anyio.sleep(60)
        given = [{**row, "note": "new"} for row in rows]
        given[25]["tag"] = "n/a"
        found = await outcomes_of(k.records.upsert_many(given, object_id=name, key="tag"))
    assert [outcome.row for outcome in found if outcome.status != "updated"] == [26]
    assert isinstance(found[25].error, RowError)


@pytest.mark.parametrize(
    ("kind", "kept", "given"),
    [
        ("number", 5, "5"),
        ("number", 5, 5.0),
        ("date", "2024-01-15", datetime(2024, 1, 15, tzinfo=UTC)),
        ("date", "2024-01-15T00:00:00Z", "2024-01-15"),
        ("date", "2024-01-15T10:30:00Z", "2024-01-15T12:30:00+02:00"),
    ],
)
async def test_keys_are_looked_up_by_what_is_compared(kind: str, kept: Any, given: Any) -> None:
    world = World()
    async with world.client() as k:
        name = await object_with(k, kind)
        world.core.insert(name, [{"tag": kept, "note": "old"}], EPOCH - 9_999)
        await anyio.sleep(60)
        run = k.records.upsert_many([{"tag": given, "note": "new"}], object_id=name, key="tag")
        (found,) = await outcomes_of(run)
    assert run.report.path == "lookup"
    assert len(world.core.look(name)) == 1
    assert found.record_id is not None


class Picky(Lower):
    """A server that refuses some look-ups."""

    def __init__(self, world: World, bad: str) -> None:
        super().__init__(world)
        self.bad = bad
        self.refused = 0

    async def send(self, request: Request, timeout: float) -> Reply:
        if "filters=" in request.url and self.bad in request.url:
            self.refused += 1
            return Reply(400, [], b'{"error": {"code": "BAD_FILTER", "message": "no"}}')
        return await self.engine.send(request, timeout)


async def test_a_key_that_the_server_will_not_look_up_fails_its_row_alone() -> None:
    world = World()
    world.core.insert(OBJECT, people(3_000))
    async with world.client(engine=Picky(world, "p77%40")) as k:
        run = k.records.upsert_many(people(150, "!"), object_id=OBJECT, key="email")
        found = await outcomes_of(run)
    assert [outcome.row for outcome in found if outcome.status != "updated"] == [78]
    assert (found[77].status, found[77].key) == ("failed", "p77@example.com")
    assert "BAD_FILTER" in str(found[77].error)


async def test_where_the_server_refuses_every_look_up_the_run_ends() -> None:
    world = World()
    world.core.insert(OBJECT, people(3_000))
    async with world.client(engine=Picky(world, "email")) as k:
        with pytest.raises(BadRequestError):
            await k.records.upsert_many(people(50), object_id=OBJECT, key="email")
    assert len(world.core.look(OBJECT)) == 3_000

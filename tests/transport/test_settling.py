"""`unique_by`: which rows are ours, and each way in which somebody else's could be taken for it."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from email.utils import formatdate
from types import MappingProxyType
from typing import Any

import anyio
import msgspec
import pytest
from support.scripts import RECORD, ScriptEngine, error, lost, page, reply
from support.virtual import virtual_backend
from support.worlds import EPOCH, World

from kantos_async import (
    ConflictError,
    KantosAsync,
    Record,
    Reply,
    Request,
    ResponseDecodeError,
    RetryPolicy,
    UnknownOutcomeError,
)

VALUES = {"name": "Jane", "email": "jane@example.com"}


@pytest.fixture(params=["asyncio", "trio"])
def anyio_backend(request: pytest.FixtureRequest) -> tuple[str, dict[str, Any]]:
    return virtual_backend(request.param)


async def create(k: KantosAsync, values: dict[str, Any] | None = None, by: str = "email") -> Record:
    return await k.records.create(
        object_id="obj_contacts", field_values=VALUES if values is None else values, unique_by=by
    )


def stored(world: World) -> list[dict[str, Any]]:
    return [row["field_values"] for row in world.core.look("obj_contacts")]


@pytest.mark.parametrize(
    "fault",
    ["drop_before", "drop_after", "late_commit", "error_before", "error_after", "redirect", "html"],
)
async def test_a_doubt_is_settled(fault: str) -> None:
    world = World()
    world.core.faults.set(search_lag=1.0)
    world.core.faults.next(fault, method="POST")
    async with world.client() as k:
        made = await create(k)
    assert made.field_values == VALUES
    assert [row["id"] for row in world.core.look("obj_contacts")] == [made.id]


async def test_a_2xx_that_is_cut_off_is_looked_up() -> None:
    world = World()
    world.core.faults.next("truncated", method="POST")
    async with world.client() as k:
        made = await create(k)
    assert [row["id"] for row in world.core.look("obj_contacts")] == [made.id]


async def test_the_good_path_costs_one_request() -> None:
    world = World()
    async with world.client() as k:
        await create(k)
        assert k.stats.requests == 1


async def test_the_schema_is_read_once_in_five_minutes() -> None:
    world = World()
    async with world.client() as k:
        for n in range(3):
            world.core.faults.next("drop_before", method="POST")
            await create(k, {"name": "x", "email": f"{n}@example.com"})
        reads = [entry for entry in world.core.log if entry.path == "/api/crm/objects/obj_contacts"]
        assert len(reads) == 1
        await k._session.wire.sleep(301)
        world.core.faults.next("drop_before", method="POST")
        await create(k)
        reads = [entry for entry in world.core.log if entry.path == "/api/crm/objects/obj_contacts"]
        assert len(reads) == 2


async def test_a_field_that_is_not_unique_settles_nothing() -> None:
    world = World()
    world.core.faults.next("drop_after", method="POST")
    async with world.client() as k:
        with pytest.raises(UnknownOutcomeError):
            await create(k, by="name")
    assert len(stored(world)) == 1


@pytest.mark.parametrize("values", [{"name": "x"}, {"email": None}])
async def test_a_missing_value_is_refused_before_anything_is_sent(values: dict[str, Any]) -> None:
    world = World()
    async with world.client() as k:
        with pytest.raises(ValueError, match="unique_by='email'"):
            await create(k, values)
    assert world.core.log == []


async def test_a_conflict_on_the_first_attempt_is_a_conflict() -> None:
    world = World()
    world.core.insert("obj_contacts", [VALUES])
    async with world.client() as k:
        with pytest.raises(ConflictError):
            await create(k)


async def test_same_key_other_values_is_somebody_elses() -> None:
    world = World()
    world.core.faults.next("drop_before", method="POST")
    async with world.client() as k:
        await k._session.wire.sleep(2)
        world.core.insert("obj_contacts", [{**VALUES, "name": "Other"}])
        with pytest.raises(ConflictError) as caught:
            await create(k)
    assert caught.value.existing.field_values["name"] == "Other"


async def test_same_row_created_before_our_first_sending_is_somebody_elses() -> None:
    world = World()
    world.core.insert("obj_contacts", [VALUES])
    async with world.client() as k:
        await k._session.wire.sleep(5)
        world.core.faults.next("drop_before", method="POST")
        with pytest.raises(ConflictError) as caught:
            await create(k)
    assert caught.value.existing.field_values == VALUES


async def test_a_conflict_on_another_unique_field_finds_nothing_and_stays_unknown() -> None:
    world = World()
    async with world.client() as k:
        await k.objects.add_field("obj_contacts", name="Badge", type="text", unique=True)
        world.core.insert("obj_contacts", [{"name": "x", "badge": "7"}])
        world.core.faults.next("drop_before", method="POST")
        with pytest.raises(UnknownOutcomeError) as caught:
            await create(k, {**VALUES, "badge": "7"})
    assert isinstance(caught.value.__cause__, ConflictError)
    assert "jane@example.com" in caught.value.hint


DATE = {"date": "Thu, 15 Jan 2026 10:30:00 GMT"}
SCHEMA = reply(
    200,
    {
        "id": "obj_contacts",
        "name": "Contacts",
        "fields": [
            {"id": "f1", "name": "Email", "slug": "email", "type": "email", "unique": True},
            {"id": "f2", "name": "Status", "slug": "status", "type": "status"},
        ],
    },
    **DATE,
)


def row(**values: Any) -> dict[str, Any]:
    return {**RECORD, "field_values": {**VALUES, **values}}


async def test_a_row_deleted_again_in_between_stays_unknown() -> None:
    engine = ScriptEngine(lost(), SCHEMA, error(409, **DATE), page())
    async with engine.client() as k:
        with pytest.raises(UnknownOutcomeError, match="no such record"):
            await create(k)
    assert len(engine.requests) == 7, "the search may lag: looked for four times"


@pytest.mark.parametrize("status", [400, 403, 404, 422, 500])
async def test_a_look_up_that_fails_leaves_the_doubt(status: int) -> None:
    """A refusal of the look-up says nothing of the create."""
    engine = ScriptEngine(lost(), SCHEMA, error(409, **DATE), error(status))
    async with engine.client() as k:
        with pytest.raises(UnknownOutcomeError, match="looking for it failed") as caught:
            await create(k)
        assert k.stats.failed == 2, "the look-up and the create"
    assert getattr(caught.value.__cause__, "status", None) == status


async def test_another_letter_case_is_not_ours_but_of_a_status() -> None:
    engine = ScriptEngine(lost(), SCHEMA, error(409, **DATE), page(row(email="JANE@example.com")))
    async with engine.client() as k:
        with pytest.raises(ConflictError):
            await create(k)
    engine = ScriptEngine(lost(), SCHEMA, error(409, **DATE), page(row(status="new")))
    async with engine.client() as k:
        assert (await create(k, {**VALUES, "status": "New"})).id == "rec_1"


async def test_without_a_server_clock_nothing_is_taken_for_ours() -> None:
    bare = reply(200, msgspec.json.decode(SCHEMA.body))
    engine = ScriptEngine(lost(), bare, error(409), page(row()))
    async with engine.client() as k:
        with pytest.raises(UnknownOutcomeError, match="when that was created"):
            await create(k)


async def test_values_beyond_those_sent_do_not_matter() -> None:
    engine = ScriptEngine(lost(), SCHEMA, error(409, **DATE), page(row(score=3)))
    async with engine.client() as k:
        assert (await create(k)).id == "rec_1"


async def test_an_unreadable_2xx_of_a_field_that_is_not_unique_says_that_it_is_done() -> None:
    engine = ScriptEngine(reply(201, b""), SCHEMA)
    async with engine.client() as k:
        with pytest.raises(ResponseDecodeError) as caught:
            await create(k, by="name")
    assert caught.value.done


async def test_an_unreadable_2xx_is_told_as_such_where_the_record_cannot_be_read() -> None:
    engine = ScriptEngine(reply(201, b""), SCHEMA, error(404))
    async with engine.client() as k:
        with pytest.raises(ResponseDecodeError) as caught:
            await create(k)
    assert caught.value.done


async def test_a_repeat_that_is_answered_unreadably_is_done_not_unknown() -> None:
    engine = ScriptEngine(lost(), SCHEMA, reply(201, b""), page(row()))
    async with engine.client() as k:
        assert (await create(k)).id == "rec_1"


async def test_values_are_compared_as_they_were_sent() -> None:
    """Whatever can be sent can be looked for."""
    key, nested = uuid.UUID(int=7), MappingProxyType({"a": 1})
    stored = {"email": str(key), "name": {"a": 1}}
    engine = ScriptEngine(
        lost(), SCHEMA, error(409, **DATE), page({**RECORD, "field_values": stored})
    )
    async with engine.client() as k:
        assert (await create(k, {"email": key, "name": nested})).id == "rec_1"


async def test_the_deadline_bounds_the_settling_as_well() -> None:
    engine = ScriptEngine(lost(), SCHEMA, error(409, **DATE), page())
    async with engine.client(retry=RetryPolicy(deadline=3.0)) as k:
        began = anyio.current_time()
        with pytest.raises(UnknownOutcomeError, match="no such record"):
            await create(k)
        assert anyio.current_time() - began <= 3.0


async def test_an_attempt_that_changed_nothing_is_not_the_first_sending() -> None:
    """Somebody's equal row, created between a refusal and our first attempt in doubt."""

    def dated(answer: Reply) -> Callable[[Request], Reply]:
        def step(request: Request) -> Reply:
            date = formatdate(EPOCH + anyio.current_time(), usegmt=True).encode()
            return Reply(answer.status, [*answer.headers, (b"Date", date)], answer.body)

        return step

    began = datetime.fromtimestamp(EPOCH + anyio.current_time(), UTC)
    theirs = {**row(), "created_at": (began + timedelta(seconds=30)).isoformat()}
    schema = reply(200, msgspec.json.decode(SCHEMA.body))
    engine = ScriptEngine(
        dated(error(429, Retry_After="60")),
        lost(),
        *map(dated, (schema, error(409), page(theirs))),
    )
    async with engine.client() as k:
        with pytest.raises(ConflictError):
            await create(k)

"""The public API over a real server, on real sockets."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest

from kantos_async import (
    APIConnectionError,
    APITimeoutError,
    AuthenticationError,
    BadRequestError,
    ConflictError,
    F,
    KantosAsync,
    NotFoundError,
    PermissionDeniedError,
    RetryPolicy,
    UnknownOutcomeError,
    UnprocessableEntityError,
)
from kantos_async.sandbox import Sandbox


@pytest.fixture(params=["httpx", "fast"])
def engine(request: pytest.FixtureRequest, anyio_backend: str) -> Any:
    if request.param == "fast" and anyio_backend == "trio":
        pytest.skip("the fast engine is for asyncio")
    return "fast" if request.param == "fast" else None


@pytest.fixture
async def sandbox() -> AsyncIterator[Sandbox]:
    async with Sandbox() as sb:
        yield sb


@pytest.fixture
async def k(sandbox: Sandbox, engine: Any) -> AsyncIterator[KantosAsync]:
    async with KantosAsync(sandbox.api_key, base_url=sandbox.url, engine=engine) as client:
        yield client


async def test_a_record_from_birth_to_death(k: KantosAsync) -> None:
    values = {"name": "Zoë Łukasz", "email": "zoe@example.com"}
    made = await k.records.create(object_id="obj_contacts", field_values=values)
    assert made.field_values == values
    assert await k.records.get(made.id) == made
    changed = await k.records.update(made.id, {"status": "qualified"})
    assert changed.field_values == {**values, "status": "qualified"}
    await k.records.delete(made.id)
    with pytest.raises(NotFoundError):
        await k.records.get(made.id)


async def test_a_query_as_page_stream_list_first_and_count(
    sandbox: Sandbox, k: KantosAsync
) -> None:
    sandbox.insert("obj_contacts", [{"name": f"n{i}", "status": "new"} for i in range(250)])
    leads = k.records.query("obj_contacts", {"status": "new"}, sort="name", order="desc")
    page = await leads
    assert (len(page), page.pagination.total) == (100, 250)
    names = [lead.field_values["name"] async for lead in leads]
    assert names == sorted((f"n{i}" for i in range(250)), reverse=True)
    assert [len(page) async for page in leads.pages()] == [100, 100, 50]
    assert [lead.field_values["name"] for lead in await leads.all()] == names
    first = await leads.first()
    assert first is not None
    assert first.field_values["name"] == names[0]
    assert await leads.count() == 250


async def test_filters_written_as_python_find_the_same(sandbox: Sandbox, k: KantosAsync) -> None:
    sandbox.insert("obj_deals", [{"name": f"Deal {i}", "value": i} for i in range(30)])
    found = await k.records.query("obj_deals", (F.value >= 10) & (F.value < 20)).all()
    assert sorted(deal.field_values["value"] for deal in found) == list(range(10, 20))
    found = await k.records.query("obj_deals", F.name.contains("deal 2")).all()
    assert len(found) == 11


async def test_objects_and_fields(k: KantosAsync) -> None:
    names = [thing.name for thing in await k.objects.list()]
    assert {"Contacts", "Companies", "Deals"} <= set(names)
    made = await k.objects.create(name="Project")
    await k.objects.add_field(made.id, name="Deal Value", type="currency")
    fields = (await k.objects.get(made.id)).fields
    assert fields is not None
    assert "deal_value" in [field.slug for field in fields]


async def test_refusals_are_typed(sandbox: Sandbox, k: KantosAsync, engine: Any) -> None:
    values = {"name": "x", "email": "x@example.com"}
    await k.records.create(object_id="obj_contacts", field_values=values)
    with pytest.raises(ConflictError):
        await k.records.create(object_id="obj_contacts", field_values=values)
    with pytest.raises(UnprocessableEntityError) as refused:
        await k.records.create(object_id="obj_contacts", field_values={"name": "x", "email": "no"})
    assert "email" in str(refused.value.details)
    with pytest.raises(NotFoundError):
        await k.objects.get("obj_nothing")
    with pytest.raises(BadRequestError):
        await k.records.query("obj_contacts", {"name": {"$regex": "x"}})
    settings: dict[str, Any] = {"base_url": sandbox.url, "engine": engine}
    async with KantosAsync("kantos_wrong", **settings) as other:
        with pytest.raises(AuthenticationError):
            await other.objects.list()
    async with KantosAsync(sandbox.create_key(), **settings) as other:
        with pytest.raises(PermissionDeniedError):
            await other.objects.create(name="Nope")


async def test_a_client_of_the_users_own_is_used_and_left_open(sandbox: Sandbox) -> None:
    import httpx

    async with httpx.AsyncClient(headers={"X-Mine": "1"}) as mine:
        async with KantosAsync(sandbox.api_key, base_url=sandbox.url, http_client=mine) as k:
            await k.objects.list()
        assert not mine.is_closed


async def test_the_engines_send_each_call_once(sandbox: Sandbox, k: KantosAsync) -> None:
    made = await k.records.create(object_id="obj_contacts", field_values={"name": "x"})
    for fault in ("drop_after", "drop_before", "truncated", "error_after"):
        sandbox.faults.next(fault)
        await k.records.update(made.id, {"name": fault})
    sandbox.faults.next("drop_after", "drop_before")
    await k.records.get(made.id)
    sandbox.faults.next("drop_after")
    await k.records.delete(made.id)
    assert k.stats.requests == len(sandbox.log)
    assert k.stats.retries > 0


async def test_a_tls_failure_was_never_sent(sandbox: Sandbox, engine: Any) -> None:
    url = sandbox.url.replace("http://", "https://")
    policy = RetryPolicy(attempts=1)
    async with KantosAsync("kantos_x", base_url=url, engine=engine, retry=policy) as k:
        with pytest.raises(APIConnectionError) as caught:
            await k.records.create(object_id="obj_contacts", field_values={"name": "x"})
    assert caught.value.sent is False
    assert sandbox.log == []


async def test_an_answer_that_drips_ends_with_the_timeout(sandbox: Sandbox, engine: Any) -> None:
    sandbox.faults.set(slow_headers=1.0, slow=(3.0, 3.0))
    async with KantosAsync(
        sandbox.api_key,
        base_url=sandbox.url,
        engine=engine,
        timeout=0.3,
        retry=RetryPolicy(attempts=1),
    ) as k:
        with pytest.raises(UnknownOutcomeError) as caught:
            await k.records.create(object_id="obj_contacts", field_values={"name": "x"})
        assert isinstance(caught.value.__cause__, APITimeoutError)

"""`k.automations`: what is added to the inferred endpoints, and the way in from outside."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest
from support.scripts import ScriptEngine, error, lost, record, reply, unsent

from kantos_async import (
    AuthenticationError,
    ClientClosedError,
    KantosAsync,
    NotFoundError,
    RateLimitError,
    ReadOnlyError,
    UnknownOutcomeError,
)
from kantos_async.sandbox import Quota, Sandbox

NOTE = {
    "type": "create_record",
    "config": {
        "object_definition_id": "obj_contacts",
        "data": {"name": "{{webhook.body.name}}"},
    },
}
ON_CALL = {"type": "webhook"}


@pytest.fixture
async def sandbox() -> AsyncIterator[Sandbox]:
    async with Sandbox() as sb:
        yield sb


@pytest.fixture(params=["httpx", "fast"])
async def k(
    request: pytest.FixtureRequest, anyio_backend: str, sandbox: Sandbox
) -> AsyncIterator[KantosAsync]:
    if request.param == "fast" and anyio_backend == "trio":
        pytest.skip("the fast engine is for asyncio")
    engine: Any = None if request.param == "httpx" else "fast"
    async with KantosAsync(sandbox.api_key, base_url=sandbox.url, engine=engine) as client:
        yield client


async def test_the_life_of_an_automation(sandbox: Sandbox, k: KantosAsync) -> None:
    made = await k.automations.create(name="Greet", trigger=ON_CALL, actions=[NOTE])
    assert made.active
    await k.automations.trigger(made.id, {"name": "Zoë"})
    (lead,) = sandbox.records("obj_contacts")
    assert lead["field_values"] == {"name": "Zoë"}

    assert not (await k.automations.disable(made.id)).active
    with pytest.raises(NotFoundError):
        await k.automations.trigger(made.id, {"name": "Nobody"})
    assert (await k.automations.enable(made.id)).active
    await k.automations.trigger(made.id, ["any", "JSON", None])
    runs = await k.automations.runs(made.id)
    assert [run.status for run in runs] == ["success", "failed"], "that payload has no name"

    assert [one.id for one in await k.automations.list()] == [made.id]
    await k.automations.delete(made.id)
    with pytest.raises(NotFoundError) as caught:
        await k.automations.trigger(made.id, {})
    assert caught.value.details == {"automation_id": made.id}


async def test_a_call_from_outside_has_no_key_and_no_quota(
    sandbox: Sandbox, k: KantosAsync
) -> None:
    sandbox.core.quota = Quota(limit=1, window=3600.0)
    made = await k.automations.create(name="Greet", trigger=ON_CALL, actions=[])
    await k.automations.trigger(made.id, {})
    with pytest.raises(RateLimitError):
        await k.automations.list()
    assert k.stats.requests == len(sandbox.log) == 2


@pytest.mark.parametrize(
    ("base_url", "expected"),
    [
        ("https://kantos.ai/api", "https://app.kantos.ai/api/webhooks/automation/auto_1"),
        ("http://127.0.0.1:1/api", "http://127.0.0.1:1/api/webhooks/automation/auto_1"),
    ],
)
async def test_where_it_goes_and_what_it_carries(base_url: str, expected: str) -> None:
    engine = ScriptEngine(reply(202, b""))
    asked: list[str] = []

    def key() -> str:
        asked.append("")
        return "kantos_marked"

    async with KantosAsync(key, base_url=base_url, engine=engine) as k:
        await k.automations.trigger("auto_1", {"a": [1, None, "ü"]})
        (request,) = engine.requests
        assert (request.method, request.url) == ("POST", expected)
        assert request.body == '{"a":[1,null,"ü"]}'.encode()
        assert set(request.headers) == {"Accept", "Content-Type", "User-Agent"}
        assert asked == [], "the key is not even asked for"
    assert engine.closed


async def test_it_is_started_at_most_once() -> None:
    engine = ScriptEngine(unsent(), error(429), reply(200, b"whatever"))
    async with engine.client() as k:
        await k.automations.trigger("auto_1", {})
        assert len(engine.requests) == 3, "those two attempts changed nothing"
        engine.steps = [lost()]
        with pytest.raises(UnknownOutcomeError, match="`runs` shows it") as caught:
            await k.automations.trigger("auto_1", {"n": 1})
        assert (caught.value.sent, caught.value.attempts) == ({"n": 1}, 1)
        engine.steps = [error(401)]
        with pytest.raises(AuthenticationError):
            await k.automations.trigger("auto_1", {})
    assert len(engine.requests) == 5


async def test_a_refusal_there_holds_nobody_here() -> None:
    engine = ScriptEngine(error(429, Retry_After="3600"), record())
    async with engine.client() as k:
        with pytest.raises(RateLimitError):
            await k.automations.trigger("auto_1", {})
        await k.records.get("rec_1")


async def test_it_obeys_the_clients_options_and_end() -> None:
    engine = ScriptEngine(reply(200, b""))
    k = engine.client()
    with pytest.raises(ReadOnlyError):
        await k.with_options(read_only=True).automations.trigger("auto_1", {})
    for bad in ("", ".", ".."):
        with pytest.raises(ValueError, match="id"):
            await k.automations.trigger(bad, {})
    await k.automations.trigger("a/b", {})
    assert engine.requests[0].url.endswith("/webhooks/automation/a%2Fb")
    await k.aclose()
    with pytest.raises(ClientClosedError):
        await k.automations.trigger("auto_1", {})

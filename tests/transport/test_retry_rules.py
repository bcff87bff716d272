"""Method by failure: repeated, refused, or in doubt. The table of docs/retries.md."""

from __future__ import annotations

from typing import Any

import pytest
from support.scripts import ScriptEngine, Step, error, lost, page, record, reply, unsent
from support.virtual import virtual_backend

from kantos_async import (
    APIConnectionError,
    APIError,
    APITimeoutError,
    BadRequestError,
    ConflictError,
    EngineFailure,
    InternalServerError,
    KantosError,
    NotFoundError,
    RateLimitError,
    Reply,
    ResponseDecodeError,
    RetryPolicy,
    UnknownOutcomeError,
    UnprocessableEntityError,
)


@pytest.fixture(params=["asyncio", "trio"])
def anyio_backend(request: pytest.FixtureRequest) -> tuple[str, dict[str, Any]]:
    return virtual_backend(request.param)


def slow() -> EngineFailure:
    return EngineFailure("no answer in time", sent="maybe", timed_out=True)


def slow_to_connect() -> EngineFailure:
    return EngineFailure("no connection in time", sent="no", timed_out=True)


def cut(status: int) -> EngineFailure:
    return EngineFailure("cut off", sent="maybe", partial=Reply(status, [], b""))


HTML = b"<!doctype html><h1>Bad gateway</h1>"

# What may happen, the error that it is, and what becomes of GET, PATCH, DELETE and POST:
# R is sent again, X is refused at once, ? is in doubt at once, V is done.
TABLE: list[tuple[str, Step, type[KantosError], str]] = [
    ("not connected", unsent(), APIConnectionError, "R R R R"),
    ("timed out before sending", slow_to_connect(), APITimeoutError, "R R R R"),
    ("timed out after sending", slow(), APITimeoutError, "R R R ?"),
    ("connection lost", lost(), APIConnectionError, "R R R ?"),
    ("refusal cut off", cut(422), UnprocessableEntityError, "X X X X"),
    ("error cut off", cut(500), InternalServerError, "R R R ?"),
    ("redirect", reply(307, b"", location="https://elsewhere.invalid"), APIError, "R R R ?"),
    ("400", error(400), BadRequestError, "X X X X"),
    ("404", error(404), NotFoundError, "X X X X"),
    ("408", error(408), APIError, "R R R ?"),
    ("409", error(409), ConflictError, "X X X X"),
    ("418", error(418), APIError, "X X X X"),
    ("425", error(425), APIError, "R R R R"),
    ("429", error(429), RateLimitError, "R R R R"),
    ("500", error(500), InternalServerError, "R R R ?"),
    ("502 HTML", reply(502, HTML), InternalServerError, "R R R ?"),
    ("503", error(503), InternalServerError, "R R R ?"),
    ("504 empty", reply(504, b""), InternalServerError, "R R R ?"),
    ("2xx HTML", reply(200, HTML), ResponseDecodeError, "R R R ?"),
]

CASES = [
    pytest.param(step, kind, method, expected, id=f"{method} {name}")
    for name, step, kind, row in TABLE
    for method, expected in zip(("GET", "PATCH", "DELETE", "POST"), row.split(), strict=True)
]


async def act(k: Any, method: str) -> Any:
    match method:
        case "GET":
            return await k.records.get("rec_1")
        case "PATCH":
            return await k.records.update("rec_1", {"name": "Jane"})
        case "DELETE":
            return await k.records.delete("rec_1")
    return await k.records.create(object_id="obj_contacts", field_values={"name": "Jane"})


@pytest.mark.parametrize(("step", "kind", "method", "expected"), CASES)
async def test_one_failure_then_health(
    step: Step, kind: type[KantosError], method: str, expected: str
) -> None:
    engine = ScriptEngine(step, record())
    async with engine.client() as k:
        if expected == "R":
            await act(k, method)
            assert len(engine.requests) == 2
            assert k.stats.retries == 1
            return
        with pytest.raises(KantosError) as caught:
            await act(k, method)
    assert len(engine.requests) == 1
    if expected == "?":
        assert isinstance(caught.value, UnknownOutcomeError)
        assert caught.value.sent == {
            "object_id": "obj_contacts",
            "field_values": {"name": "Jane"},
        }
        assert isinstance(caught.value.__cause__, kind)
    else:
        assert type(caught.value) is kind


@pytest.mark.parametrize(("step", "kind", "method", "expected"), CASES)
async def test_a_failure_that_stays(
    step: Step, kind: type[KantosError], method: str, expected: str
) -> None:
    engine = ScriptEngine(step)
    async with engine.client(retry=RetryPolicy(attempts=3)) as k:
        with pytest.raises(KantosError) as caught:
            await act(k, method)
    assert len(engine.requests) == (3 if expected == "R" else 1)
    error = caught.value
    # A write of which one attempt may have arrived ends as unknown, never as failed.
    row = next(row for _, other, _, row in TABLE if other is step)
    in_doubt = method != "GET" and row.endswith("?")
    assert isinstance(error, UnknownOutcomeError) == in_doubt
    assert type(error.__cause__ if in_doubt else error) is kind


@pytest.mark.parametrize("body", [b"", b'{"id": "rec_1', b"[1, 2]", b'{"id": "rec_1"}'])
async def test_a_2xx_proves_a_create_whatever_its_body(body: bytes) -> None:
    engine = ScriptEngine(reply(201, body))
    async with engine.client() as k:
        with pytest.raises(ResponseDecodeError) as caught:
            await act(k, "POST")
    assert caught.value.done
    assert caught.value.body == body.decode()
    assert len(engine.requests) == 1


async def test_a_2xx_that_is_cut_off_proves_a_create() -> None:
    engine = ScriptEngine(cut(201))
    async with engine.client() as k:
        with pytest.raises(ResponseDecodeError) as caught:
            await act(k, "POST")
    assert caught.value.done


@pytest.mark.parametrize("step", [reply(200, b""), reply(200, b"[]"), cut(200)])
async def test_an_update_without_a_readable_record_reads_it_once(step: Step) -> None:
    engine = ScriptEngine(step, record())
    async with engine.client() as k:
        assert (await act(k, "PATCH")).id == "rec_1"
    assert [request.method for request in engine.requests] == ["PATCH", "GET"]


@pytest.mark.parametrize("step", [reply(200, {"ok": True}), reply(204, b""), cut(200)])
async def test_a_delete_needs_no_body(step: Step) -> None:
    engine = ScriptEngine(step)
    async with engine.client() as k:
        assert await act(k, "DELETE") is None
    assert len(engine.requests) == 1


async def test_a_read_is_repeated_when_its_answer_is_no_json_but_not_for_its_shape() -> None:
    engine = ScriptEngine(reply(200, b'{"id": '), record())
    async with engine.client() as k:
        assert (await act(k, "GET")).id == "rec_1"
    engine = ScriptEngine(reply(200, b"[1]"))
    async with engine.client() as k:
        with pytest.raises(ResponseDecodeError) as caught:
            await act(k, "GET")
    assert not caught.value.done
    assert len(engine.requests) == 1


async def test_404_on_a_delete_is_success_only_after_a_doubt() -> None:
    engine = ScriptEngine(lost(), error(404))
    async with engine.client() as k:
        await k.records.delete("rec_1")
    engine = ScriptEngine(unsent(), error(404))
    async with engine.client() as k:
        with pytest.raises(NotFoundError):
            await k.records.delete("rec_1")


async def test_a_refusal_after_a_doubt_that_speaks_for_both_is_a_refusal() -> None:
    engine = ScriptEngine(lost(), error(422))
    async with engine.client() as k:
        with pytest.raises(UnprocessableEntityError):
            await act(k, "PATCH")


async def test_a_refusal_after_a_doubt_that_says_nothing_of_it_leaves_it_unknown() -> None:
    engine = ScriptEngine(lost(), error(403))
    async with engine.client() as k:
        with pytest.raises(UnknownOutcomeError):
            await act(k, "PATCH")


async def test_patch_off_puts_a_patch_in_doubt() -> None:
    engine = ScriptEngine(lost(), record())
    async with engine.client(retry=RetryPolicy(patch=False)) as k:
        with pytest.raises(UnknownOutcomeError, match="Read the record"):
            await act(k, "PATCH")


async def test_other_methods_of_request_follow_the_same_rules() -> None:
    engine = ScriptEngine(lost(), reply(200, {"a": 1}))
    async with engine.client() as k:
        assert await k.request("PUT", "/crm/anything", json={}) == {"a": 1}
        engine.steps[:0] = [lost()]
        with pytest.raises(UnknownOutcomeError):
            await k.request("post", "/crm/anything", json={})


async def test_full_jitter_doubles_and_is_capped() -> None:
    policy = RetryPolicy(base=0.5, cap=3, rng=lambda: 1.0)
    assert [policy.backoff(n) for n in (1, 2, 3, 4, 5)] == [0.5, 1, 2, 3, 3]
    assert RetryPolicy(rng=lambda: 0.0).backoff(3) == 0


@pytest.mark.parametrize("value", ["7", "Thu, 15 Jan 2026 10:30:07 GMT"])
async def test_retry_after_wins_over_the_backoff(value: str) -> None:
    answer = error(503, retry_after=value, date="Thu, 15 Jan 2026 10:30:00 GMT")
    engine = ScriptEngine(answer, record())
    async with engine.client() as k:
        await act(k, "GET")
        assert k.stats.seconds_waited == pytest.approx(7)


async def test_a_retry_after_beyond_max_wait_ends_the_call() -> None:
    engine = ScriptEngine(error(503, retry_after="3600"), record())
    async with engine.client() as k:
        with pytest.raises(InternalServerError):
            await act(k, "GET")
    assert len(engine.requests) == 1


async def test_the_deadline_counts_the_waits() -> None:
    engine = ScriptEngine(error(503, retry_after="4"))
    async with engine.client(retry=RetryPolicy(deadline=10, attempts=9)) as k:
        with pytest.raises(InternalServerError):
            await act(k, "GET")
    assert len(engine.requests) == 3


async def test_an_empty_bucket_stops_a_storm_and_successes_fill_it() -> None:
    engine = ScriptEngine(error(500))
    async with engine.client(retry=RetryPolicy(attempts=2)) as k:
        for _ in range(150):
            with pytest.raises(InternalServerError):
                await act(k, "GET")
        assert len(engine.requests) == 250, "100 repeats at 5 tokens, from 500"
        engine.steps = [record()]
        for _ in range(5):
            await act(k.with_options(timeout=1), "GET")
        engine.steps = [error(500), record()]
        await act(k, "GET")


@pytest.mark.parametrize("step", [error(429), unsent()])
async def test_refusals_and_failed_connections_cost_no_tokens(step: Step) -> None:
    engine = ScriptEngine(step)
    async with engine.client(retry=RetryPolicy(attempts=2)) as k:
        for _ in range(3):
            with pytest.raises((RateLimitError, APIConnectionError)):
                await act(k, "GET")
        engine.steps = [error(500), record()]
        await act(k, "GET")
        assert k._session.wire.retry_budget._tokens == 500


async def test_a_page_is_read_again_after_a_failure() -> None:
    engine = ScriptEngine(lost(), page())
    async with engine.client() as k:
        assert len(await k.records.query("obj_contacts")) == 0


@pytest.mark.parametrize(
    ("settings", "name"),
    [
        ({"attempts": 0}, "attempts"),
        ({"attempts": 1.5}, "attempts"),
        ({"base": 0}, "base"),
        ({"cap": -1}, "cap"),
        ({"deadline": 0}, "deadline"),
    ],
)
def test_settings_out_of_range_are_named(settings: dict[str, Any], name: str) -> None:
    with pytest.raises(ValueError, match=name):
        RetryPolicy(**settings)

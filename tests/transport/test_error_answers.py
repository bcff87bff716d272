"""What people see of answers that are errors, or no answers at all, through a real httpx."""

from __future__ import annotations

import inspect
import pickle
from datetime import UTC, datetime

import anyio
import httpx
import pytest
import respx
from support.scripts import ScriptEngine, error, lost, reply

import kantos_async
from kantos_async import (
    APIConnectionError,
    APIError,
    APITimeoutError,
    EngineFailure,
    InternalServerError,
    KantosAsync,
    KantosError,
    NotFoundError,
    RateLimitError,
    ResponseDecodeError,
    RetryPolicy,
)

URL = "https://kantos.ai/api/crm/record/rec_1"
KEY = "kantos_secret_key"
ONCE = RetryPolicy(attempts=1)


def client() -> KantosAsync:
    return KantosAsync(KEY, retry=ONCE)


async def test_the_documented_error_body_is_read(respx_mock: respx.Router) -> None:
    details = {"record_id": "rec_1"}
    body = {"error": "Record not found", "code": "NOT_FOUND", "status": 404, "details": details}
    respx_mock.get(URL).respond(404, json=body, headers={"X-Trace": "7"})
    async with client() as k:
        with pytest.raises(NotFoundError) as caught:
            await k.records.get("rec_1")
    error = caught.value
    assert (error.status, error.code, error.message) == (404, "NOT_FOUND", "Record not found")
    assert (error.method, error.path, error.attempts) == ("GET", "/crm/record/rec_1", 1)
    assert error.details == details
    assert error.headers["x-trace"] == "7"
    assert str(error) == "GET /crm/record/rec_1: 404 NOT_FOUND: Record not found"


@pytest.mark.parametrize(
    ("status", "content", "kind"),
    [
        (502, b"<html>" + b"x" * 5000, InternalServerError),
        (500, b"", InternalServerError),
        (599, b"[]", InternalServerError),
        (404, b'{"error": 7, "code": [], "details": 3}', NotFoundError),
        (418, b"teapot", APIError),
        (302, b"", APIError),
        (200, b'{"id": "rec', ResponseDecodeError),
        (200, b"[]", ResponseDecodeError),
        (200, b"null", ResponseDecodeError),
        (200, b"\xff\xfe", ResponseDecodeError),
        (200, b'{"id": "\xff"}', ResponseDecodeError),
    ],
)
async def test_any_answer_gives_a_typed_error_with_its_beginning(
    respx_mock: respx.Router, status: int, content: bytes, kind: type[KantosError]
) -> None:
    respx_mock.get(URL).respond(status, content=content)
    async with client() as k:
        with pytest.raises(KantosError) as caught:
            await k.records.get("rec_1")
    assert type(caught.value) is kind
    assert caught.value.body == content.decode("utf-8", "replace")[:200]  # type: ignore[attr-defined]


async def test_a_redirect_is_not_followed(respx_mock: respx.Router) -> None:
    route = respx_mock.get(URL).respond(307, headers={"Location": "https://elsewhere.invalid/"})
    async with client() as k:
        with pytest.raises(APIError, match=r"elsewhere\.invalid"):
            await k.records.get("rec_1")
    assert route.call_count == 1
    assert len(respx_mock.calls) == 1


@pytest.mark.parametrize(
    ("raised", "kind", "sent"),
    [
        (httpx.ConnectError("refused"), APIConnectionError, False),
        (httpx.ConnectTimeout("slow"), APITimeoutError, False),
        (httpx.PoolTimeout("full"), APITimeoutError, False),
        (httpx.ReadTimeout("slow"), APITimeoutError, True),
        (httpx.WriteError("gone"), APIConnectionError, True),
        (httpx.RemoteProtocolError("cut"), APIConnectionError, True),
    ],
)
async def test_no_answer_says_whether_it_was_sent(
    respx_mock: respx.Router, raised: Exception, kind: type[KantosError], sent: bool
) -> None:
    respx_mock.get(URL).mock(side_effect=raised)
    async with client() as k:
        with pytest.raises(APIConnectionError) as caught:
            await k.records.get("rec_1")
    assert type(caught.value) is kind
    assert caught.value.sent is sent


async def test_what_the_contract_leaves_open_is_no_error(respx_mock: respx.Router) -> None:
    respx_mock.get(URL).respond(
        json={
            "id": "rec_1",
            "object_id": "obj_contacts",
            "field_values": {"name": None},
            "created_at": "2026-01-15T10:30:00Z",
            "updated_at": "2026-01-15T10:30:00.123456Z",
            "created_by": None,
            "unheard_of": {"a": [1]},
        }
    )
    respx_mock.get("https://kantos.ai/api/crm/objects/obj_x").respond(
        json={
            "id": "obj_x",
            "name": "X",
            "fields": [{"id": "f", "name": "F", "slug": "f", "type": "hologram", "unique": None}],
        }
    )
    async with client() as k:
        assert (await k.records.get("rec_1")).created_by is None
        fields = (await k.objects.get("obj_x")).fields
        assert fields is not None
        assert fields[0].type == "hologram"


def every_error() -> list[KantosError]:
    """One of each, made with whatever it asks for."""
    made: list[KantosError] = []
    for name in kantos_async.__all__:
        kind = getattr(kantos_async, name)
        if isinstance(kind, type) and issubclass(kind, KantosError):
            asked = {
                parameter.name: 7
                for parameter in inspect.signature(kind).parameters.values()
                if parameter.kind is parameter.KEYWORD_ONLY and parameter.default is parameter.empty
            }
            made.append(kind("words", **asked))
    assert len(made) > 15
    return made


@pytest.mark.parametrize("error", every_error(), ids=lambda error: type(error).__name__)
def test_every_error_pickles(error: KantosError) -> None:
    copy = pickle.loads(pickle.dumps(error))
    assert type(copy) is type(error)
    assert copy.__dict__ == error.__dict__
    assert str(copy) == str(error)


def test_retry_at_and_existing_survive_pickling() -> None:
    error = RateLimitError("words", status=429)
    error.retry_at = None
    assert pickle.loads(pickle.dumps(error)).retry_at is None


@pytest.mark.parametrize(
    "headers",
    [
        {"Date": "Mon, 01 Jan 99999999999999999999 00:00:00 GMT"},
        {"Date": "Mon, 01 Jan 2024 00:00:00 +99999999999999999999"},
        {"Date": "Fri, 31 Dec 9999 23:59:59 GMT", "X_RateLimit_Reset": "253402300800"},
        {"Retry_After": "9" * 400},
        {"Retry_After": "1732400000000", "Date": "Thu, 15 Jan 2026 10:30:00 GMT"},
    ],
)
async def test_absurd_headers_cost_no_slot(headers: dict[str, str]) -> None:
    quota = {"X_RateLimit_Limit": "100", "X_RateLimit_Remaining": "50", **headers}
    async with ScriptEngine(error(429, **quota)).client(
        max_concurrency=1, retry=RetryPolicy(attempts=1)
    ) as k:
        for _ in range(3):
            with anyio.fail_after(60), pytest.raises(RateLimitError):
                await k.records.get("rec_1")
        assert k.stats.refused == 3


async def test_a_429_says_when_the_quota_is_back() -> None:
    date = "Thu, 15 Jan 2026 10:30:00 GMT"
    engine = ScriptEngine(error(429, Retry_After="30", Date=date))
    async with engine.client(retry=RetryPolicy(attempts=1)) as k:
        with pytest.raises(RateLimitError) as caught:
            await k.records.get("rec_1")
    assert caught.value.retry_at == datetime(2026, 1, 15, 10, 30, 30, tzinfo=UTC)


async def test_a_get_that_is_cut_off_is_a_connection_that_was_lost() -> None:
    cut = EngineFailure("cut off", sent="maybe", partial=reply(200, b""))
    async with ScriptEngine(cut).client(retry=RetryPolicy(attempts=1)) as k:
        with pytest.raises(APIConnectionError, match="cut off"):
            await k.records.get("rec_1")
        with pytest.raises(ResponseDecodeError, match="was cut off") as caught:
            await k.records.update("rec_1", {"name": "x"})
    assert caught.value.done


async def test_a_raw_delete_settled_by_a_404_is_a_reply() -> None:
    async with ScriptEngine(lost(), error(404)).client() as k:
        answer = await k.request("DELETE", "/crm/record/rec_1", raw=True)
    assert answer.status == 404


async def test_a_query_is_given_once() -> None:
    async with ScriptEngine(reply(200, {})).client() as k:
        with pytest.raises(ValueError, match="put all of it into params"):
            await k.request("GET", "/crm/x?a=1", params={"b": 2})

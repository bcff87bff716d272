"""What listeners are told, what is counted, and that a listener harms nothing."""

from __future__ import annotations

import logging
from typing import Any

import pytest
from support.scripts import ScriptEngine, error, lost, record
from support.virtual import virtual_backend

from kantos_async import (
    AnswerReceived,
    Event,
    GaveUp,
    InternalServerError,
    NotFoundError,
    QuotaWaited,
    RequestSent,
    RetryPlanned,
    RetryPolicy,
    log_events,
)

HEADERS = {
    "x_ratelimit_limit": "100",
    "x_ratelimit_remaining": "0",
    "x_ratelimit_reset": "1768473005",
    "date": "Thu, 15 Jan 2026 10:30:00 GMT",
}


@pytest.fixture(params=["asyncio", "trio"])
def anyio_backend(request: pytest.FixtureRequest) -> tuple[str, dict[str, Any]]:
    return virtual_backend(request.param)


async def test_a_call_tells_its_story_and_the_counts_sum_it() -> None:
    seen: list[Event] = []
    engine = ScriptEngine(error(503, retry_after="2"), lost(), error(429, **HEADERS), record())
    async with engine.client(on_event=seen.append, retry=RetryPolicy(rng=lambda: 1.0)) as k:
        await k.records.get("rec_1")
        stats = k.stats
    where = {"method": "GET", "path": "/crm/record/rec_1"}
    assert [type(event) for event in seen] == [
        *[RequestSent, AnswerReceived, RetryPlanned] * 3,
        QuotaWaited,
        RequestSent,
        AnswerReceived,
    ]
    assert seen[0] == RequestSent(**where, attempt=1)
    assert isinstance(seen[2], RetryPlanned)
    assert (seen[2].wait, seen[2].attempt) == (2.0, 1)
    assert "503" in seen[2].reason
    assert isinstance(seen[4], AnswerReceived)
    assert seen[4].status is None
    assert isinstance(seen[9], QuotaWaited)
    assert 5 < seen[9].seconds < 8
    assert (stats.requests, stats.retries, stats.refused, stats.failed) == (4, 3, 1, 0)
    assert stats.quota_waits == 1
    assert stats.seconds_waited == pytest.approx(2 + 1 + seen[9].seconds)
    assert (stats.limit, stats.remaining) == (100, 0)
    assert stats.reset is not None
    assert stats.reset.timestamp() == 1768473005


async def test_giving_up_is_told() -> None:
    seen: list[Event] = []
    async with ScriptEngine(error(404)).client(on_event=seen.append) as k:
        with pytest.raises(NotFoundError):
            await k.records.get("rec_1")
        assert k.stats.failed == 1
    assert isinstance(seen[-1], GaveUp)
    assert "404" in seen[-1].reason


async def test_a_listener_that_raises_is_logged_once(caplog: pytest.LogCaptureFixture) -> None:
    def broken(event: Event) -> None:
        raise RuntimeError("broken")

    async with ScriptEngine(record()).client(on_event=broken) as k:
        for _ in range(3):
            await k.records.get("rec_1")
    assert len(caplog.records) == 1
    assert "on_event" in caplog.text


async def test_each_client_complains_of_its_listener(caplog: pytest.LogCaptureFixture) -> None:
    def broken(event: Event) -> None:
        raise RuntimeError("broken")

    for _ in range(2):
        async with ScriptEngine(record()).client(on_event=broken) as k:
            await k.records.get("rec_1")
            await k.records.get("rec_1")
    assert len(caplog.records) == 2


async def test_the_listener_for_logging(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG, "kantos_async")
    engine = ScriptEngine(error(500), error(429, **HEADERS), error(500))
    async with engine.client(
        on_event=log_events(), retry=RetryPolicy(attempts=3), api_key="kantos_marked"
    ) as k:
        with pytest.raises(InternalServerError):
            await k.records.get("rec_1")
    levels = {entry.levelname for entry in caplog.records}
    assert levels == {"DEBUG", "INFO", "WARNING", "ERROR"}
    assert "kantos_marked" not in caplog.text


async def test_the_listener_takes_a_logger_of_ones_own(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    mine = logging.getLogger("mine")
    async with ScriptEngine(record()).client(on_event=log_events(mine)) as k:
        await k.records.get("rec_1")
    assert {entry.name for entry in caplog.records} == {"mine"}

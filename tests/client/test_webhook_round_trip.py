"""From a write of ours to a handler of ours: client, sandbox, HTTP, receiver."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import anyio
import pytest
from support.serving import serving

from kantos_async import KantosAsync
from kantos_async.sandbox import Sandbox
from kantos_async.webhooks import RecordCreated, RecordUpdated, SQLiteStore, WebhookReceiver

SECRET = "whsec_round_trip"


async def eventually(condition: Callable[[], object]) -> None:
    with anyio.fail_after(10):
        while not condition():  # noqa: ASYNC110 - of another thread's work
            await anyio.sleep(0.005)


class LosesAnswers:
    """Between sandbox and receiver: the first good answer becomes a proxy's 502."""

    def __init__(self) -> None:
        self.app: Any = None
        self.losses = 1

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        async def pass_on(message: dict[str, Any]) -> None:
            if message["type"] == "http.response.start" and message["status"] == 200:
                if self.losses:
                    message = {**message, "status": 502}
                self.losses = 0
            await send(message)

        await self.app(scope, receive, pass_on)


@pytest.mark.parametrize("restarted", [False, True])
async def test_a_write_is_handled_once_though_it_is_told_of_three_times(
    tmp_path: Path, restarted: bool
) -> None:
    """The handler fails, then its answer is lost, then (perhaps after a restart) it has run."""
    ahead = [0.0]
    handled: list[tuple[str, str]] = []
    failures = [RuntimeError("the database is away")]

    proxy = LosesAnswers()

    def start() -> SQLiteStore:
        store = SQLiteStore(tmp_path / "deliveries.db")
        receiver = WebhookReceiver(SECRET, store=store)

        @receiver.on("record.created")
        async def created(event: RecordCreated) -> None:
            if failures:
                raise failures.pop()
            handled.append((event.record_id, event.field_values["name"]))

        proxy.app = receiver
        return store

    async with (
        Sandbox(clock=lambda: time.time() + ahead[0], webhook_secret=SECRET) as sandbox,
        KantosAsync(sandbox.api_key, base_url=sandbox.url) as k,
    ):
        store = start()
        with serving(proxy) as (host, port):
            await k.automations.create(
                name="Tell",
                trigger={"type": "record.created", "object": "obj_contacts"},
                actions=[{"type": "webhook", "config": {"url": f"http://{host}:{port}/hooks"}}],
            )
            lead = await k.records.create(
                object_id="obj_contacts", field_values={"name": "Élodie\u2028Łukasz"}
            )
            (parcel,) = sandbox.webhooks
            for attempts, wait in ((1, 60), (2, 300)):
                await eventually(lambda n=attempts: len(parcel.attempts) == n)
                if restarted and attempts == 2:
                    store.close()
                    store = start()
                ahead[0] += wait
            await eventually(lambda: parcel.state == "delivered")
        store.close()
    assert [status for _, status in parcel.attempts] == [500, 502, 200]
    assert handled == [(lead.id, "Élodie\u2028Łukasz")]


async def test_two_updates_in_one_second_are_two_events() -> None:
    receiver = WebhookReceiver(SECRET)
    names: list[str] = []

    @receiver.on("record.updated")
    async def updated(event: RecordUpdated) -> None:
        names.append(event.field_values["name"])

    now = time.time()
    async with (
        Sandbox(clock=lambda: now, webhook_secret=SECRET) as sandbox,
        KantosAsync(sandbox.api_key, base_url=sandbox.url) as k,
    ):
        with serving(receiver) as (host, port):
            await k.automations.create(
                name="Tell",
                trigger={"type": "record.updated"},
                actions=[{"type": "webhook", "config": {"url": f"http://{host}:{port}/hooks"}}],
            )
            lead = await k.records.create(object_id="obj_contacts", field_values={"name": "A"})
            await k.records.update(lead.id, {"name": "B"})
            await k.records.update(lead.id, {"name": "C"})
            await eventually(lambda: len(names) == 2)
            assert {parcel.state for parcel in sandbox.webhooks} <= {"sending", "delivered"}
    assert sorted(names) == ["B", "C"]

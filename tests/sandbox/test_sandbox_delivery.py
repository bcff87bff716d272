"""Webhooks from the sandbox to a receiver, over HTTP."""

from __future__ import annotations

import asyncio
import json
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import httpx
import pytest

from kantos_async.sandbox import Core, Sandbox, postman
from kantos_async.sandbox.outbox import Parcel
from kantos_async.webhooks import unwrap
from tests.support.virtual import VirtualLoop


class Receiver(HTTPServer):
    """Answers the statuses it was given, one by one, then 200."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.statuses: list[int] = []
        self.bodies: list[bytes] = []


class Handler(BaseHTTPRequestHandler):
    server: Receiver

    def do_POST(self) -> None:
        self.server.bodies.append(self.rfile.read(int(self.headers["content-length"])))
        self.send_response(self.server.statuses.pop(0) if self.server.statuses else 200)
        self.send_header("content-length", "0")
        self.end_headers()

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
        pass


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with Receiver() as receiver:
        thread = threading.Thread(target=receiver.serve_forever, args=(0.01,))
        thread.start()
        yield receiver
        receiver.shutdown()
        thread.join()


def eventually(condition: Callable[[], object]) -> None:
    end = time.monotonic() + 5
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.005)


def subscribe(sandbox: Sandbox, url: str) -> None:
    body = {
        "name": "Tell",
        "trigger": {"type": "record.created"},
        "actions": [{"type": "webhook", "config": {"url": url}}],
    }
    headers = {"X-Api-Key": sandbox.api_key}
    assert httpx.post(f"{sandbox.url}/crm/automations", json=body, headers=headers).is_success


def test_it_delivers_and_tries_again_by_a_clock_that_a_test_moves(receiver: Receiver) -> None:
    ahead = [0.0]
    receiver.statuses = [500, 503]
    with Sandbox(clock=lambda: time.time() + ahead[0], webhook_secret="s3cret") as sandbox:
        subscribe(sandbox, f"http://127.0.0.1:{receiver.server_port}/hook")
        (record_id,) = sandbox.insert("obj_contacts", [{"name": "Élodie"}])
        for attempts, wait in ((1, 60), (2, 300)):
            eventually(lambda attempts=attempts: len(sandbox.webhooks[0].attempts) == attempts)
            ahead[0] += wait
        eventually(lambda: sandbox.webhooks[0].state == "delivered")
        assert [status for _, status in sandbox.webhooks[0].attempts] == [500, 503, 200]
    assert len(receiver.bodies) == 3
    assert len(set(receiver.bodies)) == 1
    event = unwrap(receiver.bodies[0], "s3cret")
    assert event.event == "record.created"
    assert json.loads(receiver.bodies[0])["data"]["id"] == record_id


def test_a_receiver_that_is_not_there_is_a_failed_attempt() -> None:
    with Sandbox() as sandbox:
        subscribe(sandbox, "http://127.0.0.1:1/nobody")
        subscribe(sandbox, "nonsense")
        sandbox.insert("obj_contacts", [{"name": "A"}])
        eventually(lambda: all(parcel.attempts for parcel in sandbox.webhooks))
        assert [parcel.attempts[0][1] for parcel in sandbox.webhooks] == [0, 0]
        assert {parcel.state for parcel in sandbox.webhooks} == {"waiting"}
        refused, nonsense = (parcel.errors[0] for parcel in sandbox.webhooks)
        assert "connect" in refused
        assert "http://" in nonsense


class Far:
    """Instead of an HTTP client: each answer takes a second, and one address never answers."""

    def __init__(self) -> None:
        self.under_way = self.most = 0

    async def request(self, _method: str, url: str, **_: Any) -> httpx.Response:
        self.under_way += 1
        self.most = max(self.most, self.under_way)
        try:
            await asyncio.sleep(1.0 if url.endswith("/hook") else float("1e9"))
        finally:
            self.under_way -= 1
        return httpx.Response(200)

    async def aclose(self) -> None:
        pass


def carry(
    monkeypatch: pytest.MonkeyPatch, records: int, url: str, seconds: float
) -> tuple[Far, Core]:
    """Let so many webhooks be carried for so long, on virtual time."""
    far = Far()
    monkeypatch.setattr(postman, "_client", lambda: far)
    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        core = Core(clock=runner.get_loop().time)
        hook = {"type": "webhook", "config": {"url": url}}
        body = {"name": "Tell", "trigger": {"type": "record.created"}, "actions": [hook]}
        headers = {"X-Api-Key": core.keys.first.key}
        core.exchange("POST", "/api/crm/automations", headers, json.dumps(body).encode())
        core.insert("obj_contacts", [{"name": str(number)} for number in range(records)])

        async def work() -> None:
            carrier = asyncio.create_task(postman.deliver(core))
            await asyncio.sleep(0.1)
            parcels = core.outbox.parcels
            assert sum(parcel.state == "sending" for parcel in parcels) == min(records, 20)
            await asyncio.sleep(seconds)
            carrier.cancel()

        runner.run(work())
        core.close()
    return far, core


def test_hundreds_at_once_go_twenty_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    far, core = carry(monkeypatch, 500, "http://127.0.0.1/hook", 26.0)
    assert far.most == 20
    assert {(parcel.state, len(parcel.attempts)) for parcel in core.outbox.parcels} == {
        ("delivered", 1)
    }


def test_an_attempt_ends_after_thirty_seconds(monkeypatch: pytest.MonkeyPatch) -> None:
    far, core = carry(monkeypatch, 1, "http://127.0.0.1/never", 31.0)
    (parcel,) = core.outbox.parcels
    assert parcel.state == "waiting"
    assert [round(moment - 1000.0) for moment, _ in parcel.attempts] == [30]
    assert parcel.errors == ["no answer within 30 seconds"]
    assert far.under_way == 0


def test_what_was_on_its_way_at_a_reset_is_not_sent_again() -> None:
    core = Core(clock=lambda: 0.0)
    parcel = Parcel("whk_1", "http://127.0.0.1/", "POST", {}, b"", due=0.0)
    core.outbox.add(parcel)
    assert core.due_parcels() == [parcel]
    core.reset()
    core.settle_parcel(parcel, 500)
    core.clock = lambda: 1e6
    assert core.due_parcels() == []

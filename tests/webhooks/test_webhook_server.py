"""The receiver behind a real server: sockets, oversized bodies, slow senders."""

import hashlib
import hmac
import json
import socket
import time

import httpx
import pytest
from support.serving import serving

from kantos_async.webhooks import RecordCreated, SQLiteStore, WebhookReceiver

SECRET = "whsec_test"


def signed(**data) -> bytes:
    event = {"event": "record.created", "timestamp": "2024-01-15T10:30:00Z", "data": data}
    covered = json.dumps(event).encode()
    signature = f"sha256={hmac.new(SECRET.encode(), covered, hashlib.sha256).hexdigest()}"
    return json.dumps({**event, "signature": signature}).encode()


@pytest.fixture
def served(tmp_path):
    store = SQLiteStore(tmp_path / "deliveries.db")
    receiver = WebhookReceiver(SECRET, store=store, max_body=100_000, body_timeout=0.3)
    seen = []

    @receiver.on("record.created")
    async def remember(event: RecordCreated) -> None:
        seen.append(event.record_id)
        if event.record_id == "rec_bad" and seen.count("rec_bad") == 1:
            raise RuntimeError("not yet")

    with serving(receiver) as address:
        yield address, seen
    store.close()


def answer(sock: socket.socket) -> bytes:
    """All that comes until the server closes the connection."""
    received = b""
    while piece := sock.recv(4096):
        received += piece
    return received


def test_delivered_failed_and_delivered_again(served):
    (host, port), seen = served
    with httpx.Client(base_url=f"http://{host}:{port}") as client:
        statuses = [
            client.post("/", content=signed(id=record)).status_code
            for record in ("rec_1", "rec_1", "rec_bad", "rec_bad", "rec_bad")
        ]
        assert statuses == [200, 200, 500, 200, 200]
        assert client.post("/", content=b"{}").status_code == 400
        assert client.get("/").status_code == 405
    assert seen == ["rec_1", "rec_bad", "rec_bad"]


def test_a_large_body_is_refused_and_its_connection_closed(served):
    address, seen = served
    with socket.create_connection(address, timeout=10) as sock:
        sock.sendall(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 100000000\r\n\r\n{")
        assert answer(sock).startswith(b"HTTP/1.1 413")
    with socket.create_connection(address, timeout=10) as sock:
        sock.sendall(b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n")
        for _ in range(3):
            sock.sendall(b"c350\r\n" + b" " * 50_000 + b"\r\n")
        assert answer(sock).startswith(b"HTTP/1.1 413")
    assert seen == []


def test_a_slow_sender_is_cut_off_and_disturbs_nobody(served):
    address, seen = served
    started = time.monotonic()
    with socket.create_connection(address, timeout=10) as sock:
        sock.sendall(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 500\r\n\r\n{")
        host, port = address
        assert httpx.post(f"http://{host}:{port}/", content=signed(id="rec_2")).status_code == 200
        assert answer(sock).startswith(b"HTTP/1.1 408")
    assert time.monotonic() - started < 5
    assert seen == ["rec_2"]

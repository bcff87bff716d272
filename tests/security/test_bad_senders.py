"""Oversized, malformed and slow input to the sandbox's console and to its inbound webhooks."""

from __future__ import annotations

import contextlib
import json
import socket
import time
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kantos_async.sandbox import Core, Faults, Sandbox
from kantos_async.sandbox.connection import Connection
from kantos_async.sandbox.console import Console

INBOUND = "/api/webhooks/automation/"
FAULTS = "/_sandbox/faults"


@pytest.fixture
def sandbox(monkeypatch: pytest.MonkeyPatch) -> Iterator[Sandbox]:
    monkeypatch.setattr(Connection, "patience", 0.2)
    with Sandbox() as sb:
        yield sb


@contextlib.contextmanager
def dialled(sandbox: Sandbox) -> Iterator[socket.socket]:
    port = httpx.URL(sandbox.url).port
    with socket.create_connection(("127.0.0.1", port or 0), timeout=5) as raw:
        yield raw


def answer(raw: socket.socket) -> bytes:
    """All that comes until the server hangs up."""
    received = b""
    with contextlib.suppress(ConnectionError):
        while piece := raw.recv(65_536):
            received += piece
    return received


def head(path: str, *headers: str) -> bytes:
    lines = [f"POST {path} HTTP/1.1", "Host: 127.0.0.1", "Content-Type: application/json", *headers]
    return "\r\n".join([*lines, "", ""]).encode()


def works(sandbox: Sandbox) -> bool:
    console = sandbox.url.removesuffix("/api") + "/_sandbox"
    return httpx.get(console).is_success


@pytest.mark.parametrize("path", [FAULTS, f"{INBOUND}auto_1"])
@pytest.mark.parametrize(
    "sent",
    [
        b"",
        b"POST /_san",
        head("{path}")[:-2],
        head("{path}", "Content-Length: 20"),
        head("{path}", "Content-Length: 20") + b'{"html": 1.0}',
        head("{path}", "Transfer-Encoding: chunked") + b'd\r\n{"html": 1.0}\r\n',
    ],
    ids=["nothing", "a line's start", "half a head", "a head", "half a body", "a chunk"],
)
def test_who_sends_slowly_is_hung_up_on_and_disturbs_nobody(
    sandbox: Sandbox, path: str, sent: bytes
) -> None:
    with dialled(sandbox) as raw:
        raw.sendall(sent.replace(b"{path}", path.encode()))
        assert works(sandbox)
        assert answer(raw) == b""
    assert sandbox.faults.plan == Faults(), "half a body is none"
    assert sandbox.log == []


def test_who_drips_is_hung_up_on(sandbox: Sandbox) -> None:
    started = time.monotonic()
    with dialled(sandbox) as raw, contextlib.suppress(ConnectionError):
        for byte in head("/_sandbox", "X-Long: " + "x" * 1_000):
            raw.sendall(bytes([byte]))
            time.sleep(0.01)
    assert time.monotonic() - started < 5, "it would take ten"


def test_a_slow_answer_is_not_a_slow_sender(sandbox: Sandbox) -> None:
    sandbox.faults.set(slow=(0.6, 0.6))
    sandbox.faults.next("slow_headers")
    headers = {"X-Api-Key": sandbox.api_key}
    assert httpx.get(f"{sandbox.url}/crm/objects", headers=headers).status_code == 200


@pytest.mark.parametrize("path", [FAULTS, f"{INBOUND}auto_1"])
def test_too_much_is_refused(sandbox: Sandbox, path: str) -> None:
    with dialled(sandbox) as raw:
        raw.sendall(head(path, "Content-Length: 100000000") + b" " * 4_200_000)
        assert answer(raw).startswith(b"HTTP/1.1 413 ")
    with dialled(sandbox) as raw, contextlib.suppress(ConnectionError):
        raw.sendall(head(path, "Transfer-Encoding: chunked"))
        for _ in range(70):
            raw.sendall(b"10000\r\n" + b" " * 65_536 + b"\r\n")
        assert answer(raw).startswith(b"HTTP/1.1 413 ")
    for part in (b"X-Long: " + b"x" * 300_000, b"X-Many: y\r\n" * 30_000):
        with dialled(sandbox) as raw, contextlib.suppress(ConnectionError):
            raw.sendall(head(path)[:-2] + part)
            assert answer(raw).startswith(b"HTTP/1.1 400 ")
    assert works(sandbox)
    assert sandbox.faults.plan == Faults()


def test_long_questions_are_answered(sandbox: Sandbox) -> None:
    """A look-up of a hundred keys is the longest that our own client asks."""
    filters = {"email": {"$in": [f"{n:->200}@example.com" for n in range(100)]}}
    found = httpx.get(
        f"{sandbox.url}/crm/records/query",
        params={"object_id": "obj_contacts", "filters": json.dumps(filters)},
        headers={"X-Api-Key": sandbox.api_key},
    )
    assert found.json()["pagination"]["total"] == 0


#: What HTTP lets through, with a bias to what might matter.
VALUES = st.one_of(
    st.sampled_from(["127.0.0.1", "[::1", "http://[", "localhost:x", "application/json", "null"]),
    st.text(st.characters(max_codepoint=255), max_size=30),
)
HEADERS = st.dictionaries(
    st.sampled_from(["host", "origin", "sec-fetch-site", "content-type"]), VALUES
)
TARGETS = st.one_of(
    st.sampled_from(["", "/", "/state", "/faults", "/clear"]),
    st.builds(
        "/state?{}={}".format, st.sampled_from(["since", "object", "%"]), st.text(max_size=9)
    ),
    st.text(max_size=20),
)
BODIES = st.one_of(
    st.binary(max_size=40),
    st.sampled_from([b"[" * 50_000, b'{"a":' * 50_000, b'{"slow": [1e999, 1]}', b'{"seed": 1e99}']),
    st.builds(
        '{{"{}": {}}}'.format,
        st.sampled_from(["slow", "html", "seed", "ignore_sort", "location", "latency"]),
        st.sampled_from(["null", "-1", "1", "1e308", '"x"', "[]", "[0,1]", "{}", '["\\ud800"]']),
    ).map(str.encode),
)


@settings(max_examples=150)
@given(st.sampled_from(["GET", "POST", "PUT"]), TARGETS, HEADERS, BODIES, st.booleans())
def test_the_console_answers_whatever_comes(
    method: str, target: str, headers: dict[str, str], body: bytes, at_home: bool
) -> None:
    core = Core()
    if at_home:
        headers |= {"host": "127.0.0.1:1", "content-type": "application/json"}
    got = Console(core).answer(method, f"/_sandbox{target}", headers, body)
    assert got.status in {200, 400, 403, 404}
    core.close()


@pytest.fixture(scope="module")
def automated() -> Iterator[Any]:
    core = Core(seed=1)
    headers = {"X-Api-Key": core.keys.first.key}
    echo = {
        "type": "webhook",
        "config": {"url": "http://127.0.0.1:1", "body": {"all": "{{webhook.body}}"}},
    }
    note = {
        "type": "create_record",
        "config": {
            "object_definition_id": "obj_contacts",
            "data": {"name": "{{webhook.body.a.b}}"},
        },
    }
    body = {"name": "In", "trigger": {"type": "webhook"}, "actions": [echo, note]}
    made = core.exchange("POST", "/api/crm/automations", headers, json.dumps(body).encode())
    yield core, INBOUND + json.loads(made.body)["id"]
    core.close()


JSON = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(max_size=5),
    lambda some: st.lists(some, max_size=3) | st.dictionaries(st.sampled_from("ab"), some),
    max_leaves=8,
)


@settings(max_examples=150)
@given(body=BODIES | JSON.map(lambda value: json.dumps(value).encode()))
def test_an_inbound_webhook_takes_whatever_comes(automated: Any, body: bytes) -> None:
    core, target = automated
    assert core.exchange("POST", target, {}, body).status in {200, 400}

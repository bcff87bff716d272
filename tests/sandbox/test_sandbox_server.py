"""The sandbox over real sockets."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import httpx
import pytest

from kantos_async.sandbox import Faults, Sandbox

CONTACT = {"object_id": "obj_contacts", "field_values": {"name": "Ann"}}


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    with Sandbox(limit=1000, seed=1) as sandbox:
        yield sandbox


@pytest.fixture
def client(sandbox: Sandbox) -> Iterator[httpx.Client]:
    headers = {"X-Api-Key": sandbox.api_key}
    with httpx.Client(base_url=sandbox.url, headers=headers, timeout=5) as client:
        yield client


async def test_it_starts_on_either_loop_and_stops() -> None:
    async with Sandbox(seed_records=3) as sandbox:
        assert sandbox.url.startswith("http://127.0.0.1:")
        assert sandbox.url.endswith("/api")
        assert sandbox.api_key.startswith("kantos_")
        headers = {"X-Api-Key": sandbox.api_key}
        async with httpx.AsyncClient(base_url=sandbox.url, headers=headers) as client:
            page = (await client.get("/crm/records/query?object_id=obj_contacts")).json()
        assert page["pagination"]["total"] == 3
    async with httpx.AsyncClient(base_url=sandbox.url) as client:
        with pytest.raises(httpx.ConnectError):
            await client.get("/crm/objects")
    assert not [t for t in threading.enumerate() if t.name == "kantos-sandbox"]


def test_it_is_entered_once() -> None:
    sandbox = Sandbox()
    with pytest.raises(RuntimeError, match="does not serve"), sandbox.down():
        pass
    with sandbox:
        url = sandbox.url
        with pytest.raises(RuntimeError, match="serves already"):
            sandbox.start()
        assert sandbox.url == url
    with pytest.raises(RuntimeError, match="was stopped"):
        sandbox.start()
    sandbox.stop()


def test_it_is_ready_well_under_a_second() -> None:
    start = time.perf_counter()
    with Sandbox() as sandbox:
        httpx.get(sandbox.url)
        assert time.perf_counter() - start < 1.0


def test_a_round_trip_with_all_headers(sandbox: Sandbox, client: httpx.Client) -> None:
    made = client.post("/crm/record", json=CONTACT)
    assert made.status_code == 201
    assert made.headers["content-type"] == "application/json"
    assert made.headers["x-ratelimit-remaining"] == "999"
    assert "server" not in made.headers
    assert len(made.headers.get_list("date")) == 1
    path = f"/crm/record/{made.json()['id']}"
    assert client.get(path).json() == made.json() == sandbox.record(made.json()["id"])
    assert client.patch(path, json={"field_values": {"name": "Élodie"}}).json()["field_values"] == {
        "name": "Élodie"
    }
    filters = json.dumps({"name": {"$contains": "é"}})
    query = {"object_id": "obj_contacts", "filters": filters}
    assert client.get("/crm/records/query", params=query).json()["pagination"]["total"] == 1
    assert client.delete(path).status_code == 204
    assert sandbox.records("obj_contacts") == []
    assert [entry.method for entry in sandbox.log] == ["POST", "GET", "PATCH", "GET", "DELETE"]


def test_a_hundred_creates_at_once_with_one_address(sandbox: Sandbox, client: httpx.Client) -> None:
    body = {"object_id": "obj_contacts", "field_values": {"name": "A", "email": "a@example.com"}}
    with ThreadPoolExecutor(20) as pool:
        statuses = list(
            pool.map(lambda _: client.post("/crm/record", json=body).status_code, range(100))
        )
    assert sorted(statuses) == [201] + [409] * 99
    assert len(sandbox.records("obj_contacts")) == 1


@pytest.mark.parametrize(
    ("fault", "done"), [("drop_before", 0), ("drop_after", 1), ("late_commit", 0)]
)
def test_a_dropped_connection(
    sandbox: Sandbox, client: httpx.Client, fault: Any, done: int
) -> None:
    sandbox.faults.set(lateness=30.0)
    sandbox.faults.next(fault)
    with pytest.raises((httpx.RemoteProtocolError, httpx.ReadError)):
        client.post("/crm/record", json=CONTACT)
    assert len(sandbox.records("obj_contacts")) == done
    assert client.get("/crm/objects").status_code == 200


def test_a_truncated_answer_has_the_right_headers_and_part_of_the_body(
    sandbox: Sandbox, client: httpx.Client
) -> None:
    sandbox.faults.set(seed=5)
    for _ in range(10):
        sandbox.faults.next("truncated")
        with client.stream("POST", "/crm/record", json=CONTACT) as response:
            assert response.status_code == 201
            with pytest.raises(httpx.RemoteProtocolError):
                response.read()
            assert response.num_bytes_downloaded < int(response.headers["content-length"])
    assert len(sandbox.records("obj_contacts")) == 10


def test_slow_headers_and_a_slow_body(sandbox: Sandbox, client: httpx.Client) -> None:
    def moments() -> tuple[float, float]:
        start = time.perf_counter()
        with client.stream("GET", "/crm/objects") as response:
            headers = time.perf_counter() - start
            response.read()
        return headers, time.perf_counter() - start - headers

    sandbox.faults.set(slow=(0.2, 0.2))
    sandbox.faults.next("slow_headers", "slow_body")
    assert moments()[0] >= 0.2
    assert moments()[1] >= 0.15


def test_answers_that_are_not_the_applications(sandbox: Sandbox, client: httpx.Client) -> None:
    sandbox.faults.next("html", "redirect", "unavailable")
    page = client.get("/crm/objects")
    assert (page.status_code, page.headers["content-type"]) == (502, "text/html; charset=utf-8")
    redirect = client.get("/crm/objects")
    assert (redirect.status_code, redirect.headers["location"]) == (
        307,
        "https://elsewhere.invalid/",
    )
    assert client.get("/crm/objects").headers["retry-after"] == "1"


def test_down_refuses_connections_and_closes_idle_ones(
    sandbox: Sandbox, client: httpx.Client
) -> None:
    assert client.get("/crm/objects").status_code == 200
    with sandbox.down():
        # An idle connection may be noticed as lost only once it is used.
        with pytest.raises(httpx.TransportError):
            client.post("/crm/record", json=CONTACT)
        with pytest.raises(httpx.ConnectError):
            client.post("/crm/record", json=CONTACT)
    assert client.post("/crm/record", json=CONTACT).status_code == 201
    assert len(sandbox.records("obj_contacts")) == 1


def test_refused_closes_the_door_for_moments(sandbox: Sandbox) -> None:
    sandbox.faults.set(refused=0.3, refused_for=0.02, seed=2)
    host = httpx.URL(sandbox.url).netloc.decode()
    outcomes = {"answered": 0, "refused": 0}
    for _ in range(60):
        # A new connection each time: what is refused here was never sent.
        connection = HTTPConnection(host, timeout=5)
        try:
            connection.request("GET", "/api/crm/objects", headers={"X-Api-Key": sandbox.api_key})
            assert connection.getresponse().status == 200
            outcomes["answered"] += 1
        except ConnectionRefusedError:
            outcomes["refused"] += 1
            time.sleep(0.01)
        finally:
            connection.close()
    assert outcomes["answered"] == sandbox.core.arrived
    assert min(outcomes.values()) >= 5


def test_a_body_that_is_too_large_is_refused(sandbox: Sandbox, client: httpx.Client) -> None:
    answer = client.post("/crm/record", content=b" " * (5 * 1024 * 1024))
    assert (answer.status_code, answer.json()["code"]) == (413, "PAYLOAD_TOO_LARGE")


def test_what_is_no_http_harms_nobody(sandbox: Sandbox, client: httpx.Client) -> None:
    port = httpx.URL(sandbox.url).port
    for rubbish in (b"\x16\x03\x01\x02\x00", b"GET\r\n\r\n", b"GET / HTTP/1.1\r\n" + b"a" * 100):
        with socket.create_connection(("127.0.0.1", port or 0)) as raw:
            raw.sendall(rubbish)
    assert client.get("/crm/objects").status_code == 200


def test_it_stops_with_a_connection_open_and_an_answer_pending() -> None:
    with Sandbox(faults=Faults(slow_headers=1.0, slow=(60.0, 60.0))) as sandbox:
        port = httpx.URL(sandbox.url).port
        raw = socket.create_connection(("127.0.0.1", port or 0))
        head = f"GET /api/crm/objects HTTP/1.1\r\nhost: x\r\nx-api-key: {sandbox.api_key}"
        raw.sendall(f"{head}\r\n\r\n".encode())
        while not sandbox.log:
            time.sleep(0.001)
        start = time.perf_counter()
    assert time.perf_counter() - start < 1.0
    raw.close()


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux has all of 127.0.0.0/8")
@pytest.mark.parametrize(("host", "warns"), [("127.0.0.1", False), ("127.0.0.2", True)])
def test_it_says_so_where_others_might_reach_it(
    caplog: pytest.LogCaptureFixture, host: str, warns: bool
) -> None:
    with Sandbox(host=host) as sandbox:
        assert httpx.get(sandbox.url).status_code == 401
        console = sandbox.url.removesuffix("/api") + "/_sandbox"
        assert httpx.get(console).status_code == (401 if warns else 200), "no console there"
    assert ("others can reach it" in caplog.text) is warns


def test_a_taken_port_is_an_error(sandbox: Sandbox) -> None:
    port = httpx.URL(sandbox.url).port
    second = Sandbox(port=port or 0)
    with pytest.raises(OSError, match=r"."):
        second.start()


RUN = """
import sys
from kantos_async.sandbox import Sandbox
Sandbox.run(lambda sb: print(sb.url, sb.api_key, flush=True), database=sys.argv[1])
print("over", flush=True)
"""


@pytest.fixture
def process(tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    with subprocess.Popen(
        [sys.executable, "-c", RUN, str(tmp_path / "account.db")],
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        yield process
        process.kill()


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has other signals")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_run_ends_cleanly_on_a_signal(process: subprocess.Popen[str], number: int) -> None:
    assert process.stdout is not None
    url, _ = process.stdout.readline().split()
    assert httpx.get(url).status_code == 401
    os.kill(process.pid, number)
    assert process.stdout.readline() == "over\n"
    assert process.wait(5) == 0

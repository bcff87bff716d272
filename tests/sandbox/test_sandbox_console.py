"""The console's answers, and whom it refuses them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from kantos_async.sandbox import Core, Faults, Sandbox
from kantos_async.sandbox.server import Server


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    with Sandbox(limit=100, seed=1) as sandbox:
        yield sandbox


@pytest.fixture
def console(sandbox: Sandbox) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=sandbox.url.removesuffix("/api") + "/_sandbox") as client:
        yield client


def test_the_page_may_run_its_own_script_and_nothing_else(console: httpx.Client) -> None:
    first, second = console.get(""), console.get("/")
    assert first.status_code == 200
    assert first.headers["content-type"] == "text/html; charset=utf-8"
    policy = first.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "frame-ancestors 'none'" in policy
    nonce = policy.split("script-src 'nonce-")[1].split("'")[0]
    assert first.text.count(f'nonce="{nonce}"') == 2
    assert nonce not in second.text
    assert "{{" not in first.text


def test_the_state_shows_requests_records_and_quota_and_no_key(
    sandbox: Sandbox, console: httpx.Client
) -> None:
    sandbox.insert("obj_contacts", [{"name": "<b>Ann</b>"}])
    headers = {"X-Api-Key": sandbox.api_key}
    httpx.get(f"{sandbox.url}/crm/objects?x=1", headers=headers)
    answer = console.get("/state")
    state = answer.json()
    (entry,) = state["log"]
    assert (entry["method"], entry["path"], entry["query"]) == ("GET", "/api/crm/objects", "x=1")
    assert (entry["status"], entry["left"]) == (200, 99)
    assert state["quota"] == {"limit": 100, "window": 60.0, "daily": None}
    assert state["records"]["rows"][0]["field_values"] == {"name": "<b>Ann</b>"}
    assert state["records"]["total"] == 1
    assert state["objects"][0]["id"] == "obj_contacts"
    assert sandbox.api_key not in answer.text
    assert console.get("/state", params={"since": state["count"]}).json()["log"] == []
    assert console.get("/state", params={"object": "obj_deals"}).json()["records"]["rows"] == []
    gone = console.get("/state", params={"object": "obj_none"}).json()["records"]
    assert (gone["object"], gone["total"]) == ("obj_contacts", 1)
    assert len(sandbox.log) == 1
    sandbox.reset()
    assert console.get("/state").json()["count"] == 0
    httpx.get(f"{sandbox.url}/crm/users", headers=headers)
    assert len(console.get("/state", params={"since": 5}).json()["log"]) == 1


def test_the_switches_change_the_plan(sandbox: Sandbox, console: httpx.Client) -> None:
    shown = console.post("/faults", json={"drop_after": 0.25, "search_lag": 1.0}).json()
    assert shown["chances"]["drop_after"] == 0.25
    assert sandbox.faults.plan == Faults(drop_after=0.25, search_lag=1.0)
    assert console.post("/clear", json={}).status_code == 200
    assert sandbox.faults.plan == Faults()


@pytest.mark.parametrize("plan", [b"", b"[]", b'{"drop_after": 2}', b'{"no_such": 1}'])
def test_a_bad_plan_changes_nothing(sandbox: Sandbox, console: httpx.Client, plan: bytes) -> None:
    headers = {"content-type": "application/json"}
    answer = console.post("/faults", content=plan, headers=headers)
    assert answer.status_code == 400
    assert sandbox.faults.plan == Faults()


@pytest.mark.parametrize(
    "headers",
    [
        {"host": "evil.example"},
        {"host": "127.0.0.1.evil.example"},
        {"host": ""},
        {"origin": "https://evil.example"},
        {"origin": "null"},
        {"sec-fetch-site": "cross-site"},
        {"sec-fetch-site": "same-site"},
        {"content-type": "text/plain"},
        {"content-type": "application/x-www-form-urlencoded"},
    ],
)
def test_other_origins_are_refused(
    sandbox: Sandbox, console: httpx.Client, headers: dict[str, str]
) -> None:
    sent: dict[str, Any] = {"content-type": "application/json", **headers}
    answer = console.post("/faults", content=b'{"drop_before": 1.0}', headers=sent)
    assert answer.status_code == 403
    assert sandbox.faults.plan == Faults()
    if "content-type" not in headers:
        assert console.get("/state", headers=headers).status_code == 403


def test_its_own_page_is_let_in(console: httpx.Client) -> None:
    origin = str(console.base_url).split("/_sandbox", maxsplit=1)[0]
    for host in (origin, origin.replace("127.0.0.1", "localhost")):
        headers = {
            "host": host.removeprefix("http://"),
            "origin": host,
            "sec-fetch-site": "same-origin",
        }
        assert console.post("/clear", json={}, headers=headers).status_code == 200


@pytest.mark.parametrize(
    ("method", "path"),
    [("GET", "/nothing"), ("PUT", "/faults"), ("GET", "/faults"), ("POST", "")],
)
def test_what_is_not_there(console: httpx.Client, method: str, path: str) -> None:
    headers = {"content-type": "application/json"}
    assert console.request(method, path, headers=headers).status_code == 404


def test_who_opens_the_sandbox_to_others_has_no_console() -> None:
    core = Core()
    assert Server(core, "127.0.0.1").console is not None
    assert Server(core, "0.0.0.0").console is None
    core.close()

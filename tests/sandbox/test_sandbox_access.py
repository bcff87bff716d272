"""Keys, routes, and what persists."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Any

import pytest

from kantos_async.sandbox import Core, Problem, Quota


@pytest.mark.parametrize("key", [None, "", "kantos_wrong", "kantos_wröng"])
def test_a_missing_or_wrong_key_is_a_401_everywhere(api: Any, key: str | None) -> None:
    api.key = key
    for path in ("/crm/objects", "/crm/record/rec_1", "/nowhere"):
        answer = api("GET", path)
        assert (answer.status, answer.json["code"]) == (401, "UNAUTHORIZED")
    assert "Date" in answer.headers


def test_header_names_have_no_case(api: Any) -> None:
    for name in ("x-api-key", "X-API-KEY"):
        assert api.core.exchange("GET", "/api/crm/objects", {name: api.key}).status == 200


@pytest.mark.parametrize(
    ("method", "path", "status", "allow"),
    [
        ("PUT", "/crm/record/rec_1", 405, "GET, PATCH, DELETE"),
        ("GET", "/crm/record", 405, "POST"),
        ("POST", "/crm/records/query", 405, "GET"),
        ("DELETE", "/crm/objects", 405, "GET, POST"),
        ("GET", "/", 404, None),
        ("GET", "/crm/record/", 404, None),
        ("GET", "/crm/record/a/b", 404, None),
        ("GET", "/crm/record/%FF", 404, None),
        ("GET", "/crm/record/rec%2F1", 404, None),
        ("GET", "/crm/objects/obj_deals/rows", 404, None),
    ],
)
def test_routes_that_are_not_there(
    api: Any, method: str, path: str, status: int, allow: str | None
) -> None:
    answer = api(method, path)
    assert answer.status == answer.json["status"] == status
    assert answer.headers.get("Allow") == allow


def test_nothing_is_served_outside_api(api: Any) -> None:
    for target in ("/crm/objects", "/", "/apis/crm/objects", "/API/crm/objects"):
        assert api.core.exchange("GET", target, {"x-api-key": api.key}).status == 404


def test_the_log_tells_what_came(api: Any, clock: Any) -> None:
    api.query(page=2)
    api("GET", "/crm/record/rec_1")
    first, second = api.core.log
    assert (first.method, first.path) == ("GET", "/api/crm/records/query")
    assert "page=2" in first.query
    assert (first.status, first.fate, first.left, first.time) == (200, "", None, clock.now)
    assert second.status == 404
    assert api.key not in repr(api.core.log)


def test_outside_writers_obey_the_rules_and_no_quota(api: Any) -> None:
    ids = api.core.insert("obj_contacts", [{"name": "A", "email": "a@example.com"}])
    with pytest.raises(Problem, match="Email") as caught:
        api.core.insert("obj_contacts", [{"name": "B"}, {"name": "C", "email": "a@example.com"}])
    assert caught.value.status == 409
    assert [r["id"] for r in api.core.look("obj_contacts")] == ids
    api.clock.move(5)
    api.core.update(ids[0], {"name": "Z"})
    assert api.core.find(ids[0])["updated_at"] == "2024-01-15T10:30:05Z"
    api.core.delete(ids[0])
    assert api.core.find(ids[0]) is None
    with pytest.raises(Problem):
        api.core.delete(ids[0])
    assert api.core.log == []


def test_reset_is_a_fresh_account_with_the_same_key(api: Any) -> None:
    api.create(name="A")
    api("POST", "/crm/objects", {"name": "Projects"})
    api.core.faults.set(search_lag=5.0)
    api.core.faults.next("late_commit")
    api("POST", "/crm/record", {"object_id": "obj_contacts", "field_values": {"name": "B"}})
    api.core.reset()
    api.clock.move(5)
    assert api.core.log == []
    assert api.query()["pagination"]["total"] == 0
    assert len(api("GET", "/crm/objects").json["data"]) == 3


def test_a_file_keeps_everything(start_core: Any, tmp_path: Path) -> None:
    file = str(tmp_path / "account.db")
    api = start_core(database=file)
    made = api.create(name="A", email="a@example.com")
    project = api("POST", "/crm/objects", {"name": "Projects"}).json
    member = api.core.keys.create()
    api.core.close()
    again = start_core(database=file)
    assert again.key == api.key
    assert again.core.look("obj_contacts") == [made]
    assert again("GET", f"/crm/objects/{project['id']}").json == project
    assert again.create(name="B")["id"] != made["id"]
    body = {"object_id": "obj_contacts", "field_values": {"name": "C", "email": "a@example.com"}}
    assert again("POST", "/crm/record", body).status == 409
    again.key = member
    assert again("POST", "/crm/objects", {"name": "X"}).status == 403


def test_the_sandboxs_own_failure_is_a_500_like_others(
    start_core: Any, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    api = start_core(quota=Quota(10))

    def fail(*_: Any) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(api.core.store, "get", fail)
    monkeypatch.setattr(api.core.store, "document", fail)
    answer = api("GET", "/crm/record/rec_1")
    assert (answer.status, answer.json["code"]) == (500, "INTERNAL_ERROR")
    assert answer.headers["X-RateLimit-Remaining"] == "9"
    assert answer.headers["Content-Type"] == "application/json"
    assert api("POST", "/webhooks/automation/auto_1", {}).status == 500
    assert [entry.status for entry in api.core.log] == [500, 500]
    assert [record.message for record in caplog.records] == [
        "the sandbox failed at GET /api/crm/record/rec_1",
        "the sandbox failed at POST /api/webhooks/automation/auto_1",
    ]
    assert "ZeroDivisionError" in caplog.text


def test_foreign_and_later_files_are_refused(tmp_path: Path) -> None:
    foreign, later = tmp_path / "foreign.db", tmp_path / "later.db"
    with sqlite3.connect(foreign) as db:
        db.execute("CREATE TABLE customers (id)")
    db.close()
    with pytest.raises(ValueError, match="not a sandbox's"):
        Core(database=str(foreign))
    with sqlite3.connect(later) as db:
        db.execute("PRAGMA user_version = 99")
    db.close()
    with pytest.raises(ValueError, match="format 99"):
        Core(database=str(later))


def test_the_same_seed_gives_the_same_ids(start_core: Any) -> None:
    first, second, other = start_core(seed=7), start_core(seed=7), start_core(seed=8)
    assert (
        first.create(name="A")["id"]
        == second.create(name="A")["id"]
        != other.create(name="A")["id"]
    )

"""Endpoints that the documentation does not show."""

from __future__ import annotations

from typing import Any

import pytest

GREET = {
    "name": "Greet",
    "trigger": {"type": "record.created", "object": "obj_contacts"},
    "conditions": {"match": "all", "rules": [{"field": "email", "operator": "is_not_empty"}]},
    "actions": [
        {"type": "send_email", "config": {"template_id": "tpl_1", "to": "{{record.email}}"}},
        {"type": "wait", "config": {"duration": 3, "unit": "days"}},
    ],
}


def test_users_are_those_of_the_keys(api: Any) -> None:
    ada = {"id": "user_789", "name": "Ada Admin", "email": "ada@example.com", "role": "admin"}
    assert api("GET", "/crm/users").json == {"data": [ada]}
    api.core.keys.create()
    assert [user["role"] for user in api("GET", "/crm/users").json["data"]] == ["admin", "member"]
    assert api("GET", "/crm/users/user_789").json == ada
    assert api("GET", "/crm/users/user_1").status == 404


def test_automations_are_kept(api: Any) -> None:
    made = api("POST", "/crm/automations", GREET)
    assert made.status == 201
    assert made.json == {"id": made.json["id"], "active": True, **GREET}
    path = f"/crm/automations/{made.json['id']}"
    assert api("PATCH", path, {"active": False}).json == {**made.json, "active": False}
    assert api("GET", path).json["active"] is False
    assert len(api("GET", "/crm/automations").json["data"]) == 1
    assert api("GET", f"{path}/runs").json == {"data": []}
    assert api("DELETE", path).status == 204
    for method in ("GET", "DELETE"):
        assert api(method, path).status == 404
    assert api("GET", f"{path}/runs").status == 404


@pytest.mark.parametrize(
    "change",
    [
        {"name": 5},
        {"trigger": {"type": "record.eaten"}},
        {"trigger": {}},
        {"actions": [{"type": "fire_missiles", "config": {}}]},
        {"actions": [{"type": "webhook"}]},
        {"actions": [{"type": "wait", "config": {"duration": -1}}]},
        {"actions": [{"type": "wait", "config": {"duration": 522, "unit": "weeks"}}]},
        {"actions": [{"type": "wait", "config": {"duration": 10**400}}]},
        {"actions": {}},
        {"conditions": {"match": "some", "rules": []}},
        {"conditions": {"match": "all", "rules": [{"field": "a", "operator": "near"}]}},
    ],
)
def test_a_malformed_automation_is_a_400(api: Any, change: Any) -> None:
    assert api("POST", "/crm/automations", {**GREET, **change}).status == 400
    made = api("POST", "/crm/automations", GREET).json
    assert api("PATCH", f"/crm/automations/{made['id']}", change).status == 400


def test_an_intake_key_sends_intake_and_nothing_else(api: Any) -> None:
    submission = {"source": "website", "fields": {"name": "John"}, "metadata": {"page": "/"}}
    api.key = api.core.keys.create(kind="intake")
    receipt = api("POST", "/intake/ingest", submission)
    assert (receipt.status, receipt.json["status"]) == (201, "received")
    assert api.core.store.documents("intake") == [{"id": receipt.json["id"], **submission}]
    for method, path in (
        ("GET", "/crm/objects"),
        ("GET", "/crm/users"),
        ("POST", "/crm/record"),
        ("GET", "/crm/records/query"),
    ):
        assert api(method, path).status == 403
    assert api("POST", "/intake/ingest", {"source": "website"}).status == 400

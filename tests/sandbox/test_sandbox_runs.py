"""Automations at work: what starts them, what they do, and what the log says."""

from __future__ import annotations

import json
from typing import Any

import pytest

from kantos_async.sandbox import Problem
from kantos_async.webhooks import verify

URL = "http://127.0.0.1:9/hook"
HOOK = {"type": "webhook", "config": {"url": URL}}


def automate(api: Any, trigger: Any, *actions: Any, **more: Any) -> str:
    if isinstance(trigger, str):
        trigger = {"type": trigger, "object": "obj_contacts"}
    body = {"name": "Auto", "trigger": trigger, "actions": list(actions), **more}
    made = api("POST", "/crm/automations", body)
    assert made.status == 201, made.body
    return str(made.json["id"])


def runs(api: Any, automation_id: str) -> list[Any]:
    found: list[Any] = api("GET", f"/crm/automations/{automation_id}/runs").json["data"]
    return found


def events(api: Any) -> list[Any]:
    return [json.loads(parcel.body) for parcel in api.core.outbox.parcels]


def test_created_updated_and_deleted_records_are_told_and_signed(api: Any) -> None:
    for trigger in ("record.created", "record.updated", "record.deleted"):
        automate(api, trigger, HOOK)
    made = api.create(name="Élodie", email="e@example.com")
    path = f"/crm/record/{made['id']}"
    changed = api("PATCH", path, {"field_values": {"name": "Ann"}}).json
    api("DELETE", path)
    api.create("obj_companies", name="another object")
    assert [event["event"] for event in events(api)] == [
        "record.created",
        "record.updated",
        "record.deleted",
    ]
    first, second, _ = events(api)
    assert first["data"] == {name: made[name] for name in ("id", "object_id", "field_values")}
    assert first["timestamp"] == "2024-01-15T10:30:00Z"
    assert second["data"]["field_values"] == changed["field_values"]
    for parcel in api.core.outbox.parcels:
        verify(parcel.body, "whsec_sandbox")


def test_outside_writers_start_automations_too(api: Any) -> None:
    automate(api, "record.created", HOOK)
    api.core.insert("obj_contacts", [{"name": "A"}, {"name": "B"}])
    assert len(events(api)) == 2


@pytest.mark.parametrize("first", [[], [{"type": "wait", "config": {"duration": 1}}]])
def test_what_is_taken_back_starts_nothing(api: Any, clock: Any, first: list[Any]) -> None:
    automation = automate(api, "record.created", *first, HOOK)
    with pytest.raises(Problem):
        api.core.insert("obj_contacts", [{"name": "A"}, {"nope": 1}])
    clock.move(60)
    assert api.core.due_parcels() == []
    assert runs(api, automation) == []
    api.core.insert("obj_contacts", [{"name": "A"}], clock.now + 3600)
    clock.move(60)
    assert len(api.core.due_parcels()) == 1  # by the time of writing


def test_what_fails_or_is_switched_off_starts_nothing(api: Any) -> None:
    automation = automate(api, "record.created", HOOK)
    api("POST", "/crm/record", {"object_id": "obj_contacts", "field_values": {}})
    api("PATCH", f"/crm/automations/{automation}", {"active": False})
    api.create(name="A")
    assert events(api) == []
    assert runs(api, automation) == []


def test_field_changed_looks_at_one_field(api: Any) -> None:
    trigger = {"type": "field.changed", "object": "obj_contacts", "field": "status"}
    automation = automate(api, trigger, HOOK)
    path = f"/crm/record/{api.create(name='A', status='new')['id']}"
    api("PATCH", path, {"field_values": {"name": "B"}})
    api("PATCH", path, {"field_values": {"status": "new"}})
    assert runs(api, automation) == []
    api("PATCH", path, {"field_values": {"status": "lost"}})
    (event,) = events(api)
    assert event["event"] == "automation.executed"
    assert event["record"]["data"] == {"name": "B", "status": "lost"}


@pytest.mark.parametrize(
    ("operator", "value", "expected"),
    [
        ("equals", "Ann", True),
        ("equals", "ann", False),
        ("not_equals", "Bob", True),
        ("contains", "NN", True),
        ("not_contains", "x", True),
        ("starts_with", "a", True),
        ("ends_with", "n", True),
        ("ends_with", "a", False),
        ("in", ["Ann", "Bob"], True),
        ("in", "Ann", False),
        ("not_in", ["Bob"], True),
        ("greater_than", "Anm", True),
        ("less_than", 5, False),
        ("is_empty", None, False),
        ("is_not_empty", None, True),
    ],
)
def test_the_twelve_operators(api: Any, operator: str, value: Any, expected: bool) -> None:
    rule = {"field": "name", "operator": operator} | ({} if value is None else {"value": value})
    automation = automate(api, "record.created", HOOK, conditions={"match": "all", "rules": [rule]})
    api.create(name="Ann")
    (run,) = runs(api, automation)
    assert run["conditions"] == [{"field": "name", "operator": operator, "result": expected}]
    assert run["status"] == ("success" if expected else "skipped")
    assert bool(events(api)) is expected


def test_groups_of_rules(api: Any) -> None:
    conditions = {
        "match": "any",
        "rules": [
            {"field": "value", "operator": "greater_than", "value": 100},
            {
                "match": "all",
                "rules": [
                    {"field": "stage", "operator": "equals", "value": "won"},
                    {"field": "value", "operator": "less_than", "value": 10},
                ],
            },
        ],
    }
    trigger = {"type": "record.created", "object": "obj_deals"}
    automation = automate(api, trigger, conditions=conditions)
    api.create("obj_deals", name="A", value=101)
    api.create("obj_deals", name="B", value=5, stage="won")
    api.create("obj_deals", name="C", value=50, stage="won")
    api.create("obj_deals", name="D")
    statuses = [run["status"] for run in runs(api, automation)]
    assert statuses == ["success", "success", "skipped", "skipped"]


def test_actions_change_and_create_records_with_templates(api: Any) -> None:
    automation = automate(
        api,
        "record.created",
        {"type": "send_email", "config": {"to": "{{record.email}}"}},
        {"type": "update_record", "config": {"fields": {"status": "contacted"}}},
        {
            "type": "create_record",
            "config": {
                "object_definition_id": "obj_deals",
                "data": {"name": "Deal of {{record.name}}", "contact": "{{record.id}}"},
            },
        },
    )
    contact = api.create(name="Ann", email="ann@example.com")
    (deal,) = api.query("obj_deals")["data"]
    assert deal["field_values"] == {"name": "Deal of Ann", "contact": contact["id"]}
    assert api.core.find(contact["id"])["field_values"]["status"] == "contacted"
    (run,) = runs(api, automation)
    assert run["trigger"] == {"type": "record.created", "record_id": contact["id"]}
    assert [(action["type"], action["status"]) for action in run["actions"]] == [
        ("send_email", "sent"),
        ("update_record", "done"),
        ("create_record", "done"),
    ]
    assert run["started_at"] == run["finished_at"] == "2024-01-15T10:30:00Z"


def test_a_failing_action_ends_the_run_and_not_the_write(api: Any) -> None:
    automation = automate(
        api,
        "record.created",
        {"type": "update_record", "config": {"fields": {"status": "nonsense"}}},
        HOOK,
    )
    api.create(name="Ann")
    (run,) = runs(api, automation)
    assert run["status"] == "failed"
    assert "status" in run["actions"][0]["error"]
    assert events(api) == []


def test_automations_that_start_each_other_end(api: Any) -> None:
    again = {
        "type": "create_record",
        "config": {"object_definition_id": "obj_contacts", "data": {"name": "one more"}},
    }
    automate(api, "record.created", again)
    api.create(name="Ann")
    assert 2 <= len(api.core.look("obj_contacts")) <= 10


def test_a_wait_goes_on_by_the_clock(api: Any, clock: Any) -> None:
    automation = automate(
        api,
        "record.created",
        {"type": "wait", "config": {"duration": 3, "unit": "days"}},
        HOOK,
    )
    api.create(name="Ann")
    assert runs(api, automation)[0]["status"] == "waiting"
    clock.move(3 * 86_400 - 1)
    assert api.core.due_parcels() == []
    clock.move(1)
    assert len(api.core.due_parcels()) == 1
    (run,) = runs(api, automation)
    assert run["status"] == "success"
    assert run["finished_at"] == "2024-01-18T10:30:00Z"


@pytest.mark.parametrize("config", [{}, {"duration": 0}, {"duration": 1e-9}])
def test_automations_that_start_each_other_end_though_they_wait(api: Any, config: Any) -> None:
    update = {"type": "update_record", "config": {"fields": {"phone": "12345"}}}
    automation = automate(api, "record.updated", {"type": "wait", "config": config}, update, update)
    made = api.create(name="Ann")
    api("PATCH", f"/crm/record/{made['id']}", {"field_values": {"name": "Bea"}})
    for _ in range(10):
        api.clock.move(1)
        found = runs(api, automation)
    assert {run["status"] for run in found} == {"success"}
    assert len(found) == 1 + 2 + 4 + 8 + 16


def test_branches(api: Any) -> None:
    branch = {
        "type": "branch",
        "config": {
            "conditions": [
                {
                    "if": {"field": "status", "operator": "equals", "value": "lost"},
                    "then": [{"type": "webhook", "config": {"url": URL, "body": "lost"}}],
                },
                {"else": [{"type": "webhook", "config": {"url": URL, "body": "other"}}]},
            ]
        },
    }
    after = {"type": "webhook", "config": {"url": URL, "body": "after"}}
    automate(api, "record.created", branch, after)
    api.create(name="A", status="lost")
    api.create(name="B")
    assert events(api) == ["lost", "after", "other", "after"]


def test_a_body_of_ones_own_is_filled_and_not_signed(api: Any) -> None:
    body = {"who": "{{record.name}}", "all": ["{{record.phone}}", "<{{record.nothing}}>"]}
    config = {"url": URL, "method": "PUT", "headers": {"X-Who": "{{record.name}}"}, "body": body}
    automate(api, "record.created", {"type": "webhook", "config": config})
    api.create(name="Ann", phone="+1 555 0100")
    (parcel,) = api.core.outbox.parcels
    assert json.loads(parcel.body) == {"who": "Ann", "all": ["+1 555 0100", "<>"]}
    assert parcel.method == "PUT"
    assert parcel.headers["X-Who"] == "Ann"


def test_now_is_a_time_everywhere(api: Any) -> None:
    trigger = {"type": "record.created", "object": "obj_deals"}
    update = {"type": "update_record", "config": {"fields": {"close_date": "{{ now }}"}}}
    data = {"name": "{{record.name}} at {{now}}"}
    create = {"object_definition_id": "obj_companies", "data": data}
    automate(api, trigger, update, {"type": "create_record", "config": create})
    deal = api.create("obj_deals", name="A", close_date="2030-01-01")
    assert api.core.find(deal["id"])["field_values"]["close_date"] == "2024-01-15T10:30:00Z"
    (company,) = api.core.look("obj_companies")
    assert company["field_values"]["name"] == "A at 2024-01-15T10:30:00Z"


@pytest.mark.parametrize(
    "expression",
    ["{{date_add(now, 3, 'days')}}", "{{secrets.api_key}}", "{{ record.name | upper }}", "{{}}"],
)
@pytest.mark.parametrize("around", ["", "Due: "])
def test_what_it_cannot_fill_in_fails_and_is_named(api: Any, expression: str, around: str) -> None:
    fields = {"phone": around + expression}
    update = {"type": "update_record", "config": {"fields": fields}}
    automation = automate(api, "record.created", update)
    made = api.create(name="A", phone="+1 555 0100")
    (run,) = runs(api, automation)
    assert run["status"] == "failed"
    assert expression in run["actions"][0]["error"]
    assert api.core.find(made["id"])["field_values"]["phone"] == "+1 555 0100"


def test_headers_are_text(api: Any) -> None:
    wanted = {"value": "12.5", "close_date": "", "name": "A"}
    headers = {f"X-{name}": f"{{{{record.{name}}}}}" for name in wanted}
    trigger = {"type": "record.created", "object": "obj_deals"}
    automate(api, trigger, {"type": "webhook", "config": {"url": URL, "headers": headers}})
    api.create("obj_deals", name="A", value=12.5)
    (parcel,) = api.core.outbox.parcels
    for name, text in wanted.items():
        assert parcel.headers[f"X-{name}"] == text


def test_an_action_at_which_the_sandbox_fails_stops_nobody_else(
    api: Any, clock: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    wait = {"type": "wait", "config": {"duration": 1}}
    automation = automate(api, "record.created", wait, HOOK)
    api.create(name="A")

    def fail(*_: Any) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(api.core.outbox, "add", fail)
    clock.move(1)
    assert api.names() == ["A"]
    (run,) = runs(api, automation)
    assert (run["status"], run["actions"][1]["error"]) == ("failed", "ZeroDivisionError()")


def test_an_automation_of_a_kind_it_does_not_know_is_not_run(api: Any) -> None:
    doc = {"id": "auto_1", "name": "A", "trigger": {"type": "moon.full"}, "actions": []}
    api.core.store.keep("automations", "auto_1", doc)
    automation = automate(api, "record.created", HOOK)
    api.create(name="A")
    assert len(runs(api, automation)) == 1
    assert api("GET", "/crm/automations/auto_1").json == doc


def test_an_inbound_webhook_starts_its_automation_without_a_key(api: Any) -> None:
    create = {
        "type": "create_record",
        "config": {
            "object_definition_id": "obj_contacts",
            "data": {"name": "{{webhook.body.person.name}}"},
        },
    }
    automation = automate(api, {"type": "webhook"}, create)
    other = automate(api, "record.deleted", HOOK)
    path = f"/webhooks/automation/{automation}"
    api.key, key = None, api.key
    assert api("POST", path, {"person": {"name": "Ann"}}).status == 200
    assert api("POST", path, body=b"{").status == 400
    assert api("GET", path).status == 405
    assert api("POST", f"/webhooks/automation/{other}", {}).status == 404
    assert api("POST", "/webhooks/automation/auto_none", {}).status == 404
    api.key = key
    assert api.names() == ["Ann"]


def test_attempts_follow_the_documented_schedule(api: Any, clock: Any) -> None:
    automate(api, "record.created", HOOK)
    api.create(name="Ann")
    waits = []
    for _ in range(4):
        (parcel,) = api.core.due_parcels()
        assert api.core.due_parcels() == []  # it is on its way
        api.core.settle_parcel(parcel, 500)
        waits.append(parcel.due - clock.now)
        clock.move(waits[-1])
    assert waits[:3] == [60, 300, 1800]
    assert parcel.state == "failed"
    assert [status for _, status in parcel.attempts] == [500] * 4
    assert api.core.due_parcels() == []

from __future__ import annotations

from typing import Any

import pytest


def test_a_record_is_created_read_changed_and_deleted(api: Any) -> None:
    made = api.create(name="John Doe", email="john@example.com")
    assert made == {
        "id": made["id"],
        "object_id": "obj_contacts",
        "field_values": {"name": "John Doe", "email": "john@example.com"},
        "created_at": "2024-01-15T10:30:00Z",
        "updated_at": "2024-01-15T10:30:00Z",
        "created_by": "user_789",
    }
    api.clock.move(61.9)
    changed = api("PATCH", f"/crm/record/{made['id']}", {"field_values": {"status": "qualified"}})
    assert changed.status == 200
    assert changed.json["field_values"] == {**made["field_values"], "status": "qualified"}
    assert changed.json["created_at"] == made["created_at"]
    assert changed.json["updated_at"] == "2024-01-15T10:31:01Z"
    assert api("GET", f"/crm/record/{made['id']}").json == changed.json
    gone = api("DELETE", f"/crm/record/{made['id']}")
    assert (gone.status, gone.body) == (204, b"")
    for method in ("GET", "DELETE"):
        answer = api(method, f"/crm/record/{made['id']}")
        assert answer.json == {
            "error": "Record not found",
            "code": "NOT_FOUND",
            "status": 404,
            "details": {"record_id": made["id"]},
        }


def test_null_clears_a_field_and_others_stay(api: Any) -> None:
    made = api.create(name="Ann", phone="+1 555 0100")
    path = f"/crm/record/{made['id']}"
    assert api("PATCH", path, {"field_values": {"phone": None}}).json["field_values"] == {
        "name": "Ann"
    }


def test_updated_at_never_goes_back(api: Any) -> None:
    made = api.create(name="Ann")
    api.core.clock_offset = -3600
    changed = api("PATCH", f"/crm/record/{made['id']}", {"field_values": {"name": "Bea"}}).json
    assert changed["updated_at"] == made["updated_at"]


@pytest.mark.parametrize(
    ("values", "field"),
    [
        ({}, "name"),
        ({"name": ""}, "name"),
        ({"name": None}, "name"),
        ({"name": 5}, "name"),
        ({"name": "x" * 256}, "name"),
        ({"name": "nul\0"}, "name"),
        ({"name": "A", "email": "no address"}, "email"),
        ({"name": "A", "email": True}, "email"),
        ({"name": "A", "phone": "call me"}, "phone"),
        ({"name": "A", "status": "Won"}, "status"),
        ({"name": "A", "company": "rec_nowhere"}, "company"),
        ({"name": "A", "nickname": "Al"}, "nickname"),
    ],
)
def test_a_value_that_breaks_a_rule_is_a_422_that_names_the_field(
    api: Any, values: dict[str, Any], field: str
) -> None:
    answer = api("POST", "/crm/record", {"object_id": "obj_contacts", "field_values": values})
    assert answer.status == 422
    assert answer.json["code"] == "VALIDATION_ERROR"
    assert list(answer.json["details"]["fields"]) == [field]
    assert api.core.look("obj_contacts") == []


@pytest.mark.parametrize(
    ("values", "field"),
    [
        ({"value": "12"}, "value"),
        ({"value": True}, "value"),
        ({"value": 10**16}, "value"),
        ({"close_date": "15.1.2024"}, "close_date"),
        ({"close_date": "2024-02-30"}, "close_date"),
        ({"close_date": 20240115}, "close_date"),
        ({"contact": "rec_company"}, "contact"),
    ],
)
def test_rules_of_deals(api: Any, values: dict[str, Any], field: str) -> None:
    body = {"object_id": "obj_deals", "field_values": {"name": "Big", **values}}
    answer = api("POST", "/crm/record", body)
    assert answer.status == 422
    assert list(answer.json["details"]["fields"]) == [field]


def test_all_faults_of_a_record_are_named_at_once(api: Any) -> None:
    body = {"object_id": "obj_contacts", "field_values": {"email": "x", "phone": "y"}}
    details = api("POST", "/crm/record", body).json["details"]
    assert set(details["fields"]) == {"name", "email", "phone"}


def test_an_update_answers_only_for_what_it_touches(api: Any) -> None:
    made = api.create(name="Ann")
    field = {"name": "Region", "type": "text", "required": True}
    assert api("POST", "/crm/objects/obj_contacts/fields", field).status == 201
    path = f"/crm/record/{made['id']}"
    assert api("PATCH", path, {"field_values": {"name": "Bea"}}).status == 200
    assert api("PATCH", path, {"field_values": {"region": None}}).status == 422


def test_a_reference_must_exist_in_its_object(api: Any) -> None:
    company = api.create("obj_companies", name="Acme")
    assert api.create(name="Ann", company=company["id"])["field_values"]["company"] == company["id"]
    body = {"field_values": {"name": "Big", "contact": company["id"]}, "object_id": "obj_deals"}
    assert api("POST", "/crm/record", body).status == 422


def test_dates_keep_their_form_and_times_become_utc(api: Any) -> None:
    plain = api.create("obj_deals", name="A", close_date="2024-01-15")
    timed = api.create("obj_deals", name="B", close_date="2024-01-15T12:00:00+02:00")
    assert plain["field_values"]["close_date"] == "2024-01-15"
    assert timed["field_values"]["close_date"] == "2024-01-15T10:00:00Z"


def test_a_status_is_taken_in_either_spelling_and_found_by_either(api: Any) -> None:
    api.create(name="A", status="Qualified")
    api.create(name="B", status="qualified")
    api.create("obj_deals", name="C")
    for spelling in ("Qualified", "qualified"):
        assert set(api.names(filters={"status": spelling})) == {"A", "B"}


def test_a_unique_value_is_a_409_that_names_field_and_value(api: Any) -> None:
    first = api.create(name="A", email="a@example.com")
    second = api.create(name="B", email="b@example.com")
    body = {"object_id": "obj_contacts", "field_values": {"name": "C", "email": "a@example.com"}}
    answer = api("POST", "/crm/record", body)
    assert answer.status == 409
    assert answer.json["details"] == {
        "object_id": "obj_contacts",
        "field": "email",
        "value": "a@example.com",
    }
    clash = {"field_values": {"email": "a@example.com"}}
    assert api("PATCH", f"/crm/record/{second['id']}", clash).status == 409
    assert api("PATCH", f"/crm/record/{first['id']}", clash).status == 200
    api("DELETE", f"/crm/record/{first['id']}")
    assert api("PATCH", f"/crm/record/{second['id']}", clash).status == 200


def test_records_without_a_unique_value_do_not_collide(api: Any) -> None:
    api.create(name="A")
    api.create(name="B", email=None)
    assert len(api.core.look("obj_contacts")) == 2


@pytest.mark.parametrize("digits", [3, 6])
def test_stamps_can_be_finer(start_core: Any, digits: int) -> None:
    api = start_core(stamp_digits=digits)
    api.clock.move(0.123456)
    expected = f"2024-01-15T10:30:00.{123456 // 10 ** (6 - digits)}Z"
    assert api.create(name="A")["created_at"] == expected


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"[]",
        b"null",
        b"\xff\xfe{}",
        b'{"object_id": "obj_contacts"}',
        b'{"object_id": 5, "field_values": {}}',
        b'{"object_id": "obj_contacts", "field_values": []}',
        b'{"object_id": "", "field_values": {"name": "A"}}',
        b'{"object_id": "obj_contacts", "field_values": {"name": "\\ud800"}}',
        b'{"object_id": "obj_contacts", "field_values": {"name": NaN}}',
        b'{"object_id": "obj_contacts", "field_values": ' + b"[" * 100_000,
        b'{"object_id": "obj_contacts", "field_values": {"name": 1e999}}',
    ],
)
def test_a_malformed_body_is_a_400(api: Any, body: bytes) -> None:
    answer = api("POST", "/crm/record", body=body)
    assert (answer.status, answer.json["code"]) == (400, "BAD_REQUEST")


def test_an_unknown_object_is_a_404(api: Any) -> None:
    body = {"object_id": "obj_nothing", "field_values": {}}
    assert api("POST", "/crm/record", body).status == 404
    assert api("GET", "/crm/records/query", object_id="obj_nothing").status == 404

"""Every sample of Kantos's documentation, sent to the sandbox as it is written there."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from kantos_async.sandbox import Sandbox


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    with Sandbox(plan="professional", seed=1) as sandbox:
        yield sandbox


@pytest.fixture(scope="module")
def client(sandbox: Sandbox) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=sandbox.url, headers={"X-Api-Key": sandbox.api_key}) as client:
        client.post(
            "/crm/objects/obj_contacts/fields", json={"name": "Deal Value", "type": "currency"}
        )
        yield client


def test_create_get_update_delete(client: httpx.Client) -> None:
    company = client.post(
        "/crm/record", json={"object_id": "obj_companies", "field_values": {"name": "Acme"}}
    ).json()
    values = {"name": "John Doe", "email": "john@example.com", "company": company["id"]}
    made = client.post("/crm/record", json={"object_id": "obj_contacts", "field_values": values})
    record = made.json()
    assert set(record) == {
        "id", "object_id", "field_values", "created_at", "updated_at", "created_by",
    }  # fmt: skip
    assert record["id"].startswith("rec_")
    assert record["created_by"].startswith("user_")
    assert record["field_values"] == values
    assert len(record["created_at"]) == len("2024-01-15T10:30:00Z")
    path = f"/crm/record/{record['id']}"
    assert client.get(path).json() == record
    changed = client.patch(path, json={"field_values": {"status": "qualified"}}).json()
    assert changed["field_values"] == {**values, "status": "qualified"}
    assert client.delete(path).status_code in {200, 204}


@pytest.mark.parametrize(
    "filters",
    [
        '{"status":"new"}',
        '{"status":"qualified","deal_value":{"$gte":10000}}',
        '{"created_at":{"$lt":"2024-01-15T10:30:00Z"}}',
        '{"name":{"$contains":"acme"}}',
        '{"status":{"$in":["new","contacted"]}}',
        '{"phone":{"$empty":true}}',
    ],
)
def test_query(client: httpx.Client, filters: str) -> None:
    answer = client.get(
        "/crm/records/query",
        params={
            "object_id": "obj_contacts",
            "filters": filters,
            "sort": "created_at",
            "order": "desc",
            "page": 1,
            "per_page": 25,
        },
    )
    assert answer.status_code == 200
    assert set(answer.json()) == {"data", "pagination"}
    assert set(answer.json()["pagination"]) == {"total", "page", "per_page", "total_pages"}


def test_objects(client: httpx.Client) -> None:
    objects = client.get("/crm/objects").json()["data"]
    contacts = next(kind for kind in objects if kind["id"] == "obj_contacts")
    assert set(contacts) == {"id", "name", "slug", "icon", "field_count"}
    detail = client.get("/crm/objects/obj_contacts").json()
    assert set(detail) == {"id", "name", "slug", "fields"}
    email = next(field for field in detail["fields"] if field["slug"] == "email")
    assert (email["id"], email["type"], email["unique"]) == ("fld_email", "email", True)


@pytest.mark.parametrize(
    "stages",
    [
        ["New", "Qualified"],
        [{"name": "New", "color": "#3b82f6"}],
        [{"name": "New", "color": "gray", "order": 1}],
    ],
)
def test_an_object_with_each_form_of_stages(client: httpx.Client, stages: list[Any]) -> None:
    body = {
        "name": "Projects",
        "icon": "folder",
        "fields": [
            {"name": "Title", "type": "text", "required": True},
            {"name": "Stage", "type": "status", "options": {"stages": stages}},
        ],
    }
    made = client.post("/crm/objects", json=body)
    assert made.status_code == 201
    assert made.json()["fields"][1]["options"]["stages"] == stages
    values = {"title": "Roof", "stage": "new"}
    record = {"object_id": made.json()["id"], "field_values": values}
    assert client.post("/crm/record", json=record).status_code == 201


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        ("text", "x" * 255),
        ("long_text", "x" * 10_000),
        ("number", 12.5),
        ("currency", 10_000),
        ("email", "john@example.com"),
        ("phone", "+1 (555) 123-4567"),
        ("date", "2024-01-15"),
        ("boolean", True),
        ("user", "user_789"),
        ("image", "https://example.com/a.png"),
    ],
)
def test_each_field_type(client: httpx.Client, kind: str, value: Any) -> None:
    field = {"name": f"A {kind}", "type": kind, "required": False, "unique": False}
    slug = client.post("/crm/objects/obj_deals/fields", json=field).json()["slug"]
    values = {"name": "Big", slug: value}
    made = client.post("/crm/record", json={"object_id": "obj_deals", "field_values": values})
    assert made.json()["field_values"] == values


def test_the_documented_error(client: httpx.Client) -> None:
    assert client.get("/crm/record/rec_invalid123").json() == {
        "error": "Record not found",
        "code": "NOT_FOUND",
        "status": 404,
        "details": {"record_id": "rec_invalid123"},
    }


def test_the_rate_limit_headers_of_a_plan(client: httpx.Client) -> None:
    headers = client.get("/crm/objects").headers
    assert headers["x-ratelimit-limit"] == "1000"
    assert 0 < int(headers["x-ratelimit-remaining"]) < 1000
    assert int(headers["x-ratelimit-reset"]) % 60 == 0

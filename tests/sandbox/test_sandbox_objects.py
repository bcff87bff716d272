from __future__ import annotations

from typing import Any

import pytest

PROJECTS = {
    "name": "Projects",
    "icon": "folder",
    "fields": [
        {"name": "Title", "type": "text", "required": True},
        {"name": "Deal Value", "type": "currency", "default_value": 5},
        {"name": "Stage", "type": "status", "options": {"stages": ["Planned", {"name": "Done"}]}},
    ],
}


def test_a_fresh_account_has_the_three_built_in_objects(api: Any) -> None:
    objects = api("GET", "/crm/objects").json
    assert objects == {
        "data": [
            {
                "id": f"obj_{slug}",
                "name": slug.title(),
                "slug": slug,
                "icon": icon,
                "field_count": 5,
            }
            for slug, icon in (
                ("contacts", "user"),
                ("companies", "building"),
                ("deals", "dollar-sign"),
            )
        ]
    }
    contacts = api("GET", "/crm/objects/obj_contacts").json
    fields = {field["slug"]: field for field in contacts["fields"]}
    assert [f"{slug} {field['type']}" for slug, field in fields.items()] == [
        "name text",
        "email email",
        "phone phone",
        "company reference",
        "status status",
    ]
    assert fields["email"]["id"] == "fld_email"
    assert fields["email"]["unique"] is True
    assert fields["name"]["required"] is True
    assert fields["status"]["options"]["stages"] == ["New", "Contacted", "Qualified", "Lost"]


def test_an_object_is_created_with_fields_and_takes_records(api: Any) -> None:
    made = api("POST", "/crm/objects", PROJECTS)
    assert made.status == 201
    assert made.json == api("GET", f"/crm/objects/{made.json['id']}").json
    assert [field["slug"] for field in made.json["fields"]] == ["title", "deal_value", "stage"]
    assert [field["position"] for field in made.json["fields"]] == [1, 2, 3]
    record = api.create(made.json["id"], title="Roof", stage="done")
    assert record["field_values"] == {"title": "Roof", "deal_value": 5, "stage": "done"}


def test_slugs_are_made_from_names_and_never_twice(api: Any) -> None:
    first = api("POST", "/crm/objects", {"name": "Größe & Länge"}).json
    second = api("POST", "/crm/objects", {"name": "grosse LANGE "}).json
    assert (first["slug"], second["slug"]) == ("groe_lange", "grosse_lange")
    path = "/crm/objects/obj_deals/fields"
    slugs = [
        api("POST", path, {"name": name, "type": "text"}).json["slug"]
        for name in ("Deal Value", "deal-value", "Created At", "日本", "Value")
    ]
    assert slugs == ["deal_value", "deal_value_2", "created_at_2", "field", "value_2"]


def test_a_field_is_added_and_kept(api: Any) -> None:
    field = {"name": "Tax Number", "type": "text", "unique": True}
    added = api("POST", "/crm/objects/obj_companies/fields", field)
    assert added.status == 201
    assert added.json == {
        "id": "fld_tax_number",
        "name": "Tax Number",
        "slug": "tax_number",
        "type": "text",
        "unique": True,
        "position": 6,
    }
    api.create("obj_companies", name="A", tax_number="1")
    body = {"object_id": "obj_companies", "field_values": {"name": "B", "tax_number": "1"}}
    assert api("POST", "/crm/record", body).status == 409


@pytest.mark.parametrize(
    ("field", "slug"),
    [
        ({"name": " ", "type": "text"}, "name"),
        ({"name": "A", "type": "colour"}, "a"),
        ({"name": "A", "type": "status"}, "a"),
        ({"name": "A", "type": "status", "options": {"stages": []}}, "a"),
        ({"name": "A", "type": "status", "options": {"stages": [{"color": "red"}]}}, "a"),
        ({"name": "A", "type": "status", "options": {"stages": "New"}}, "a"),
        ({"name": "A", "type": "reference", "options": {"object_id": "obj_none"}}, "a"),
        ({"name": "A", "type": "number", "default_value": "one"}, "a"),
    ],
)
def test_a_field_that_cannot_be_is_a_422(api: Any, field: Any, slug: str) -> None:
    answer = api("POST", "/crm/objects/obj_deals/fields", field)
    assert answer.status == 422
    assert list(answer.json["details"]["fields"]) == [slug]
    whole = api("POST", "/crm/objects", {"name": "Projects", "fields": [field]})
    assert whole.status == 422
    assert len(api("GET", "/crm/objects").json["data"]) == 3
    assert len(api("GET", "/crm/objects/obj_deals").json["fields"]) == 5


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b"{}",
        b'{"name": 5}',
        b'{"name": "A", "fields": {}}',
        b'{"name": "A", "icon": 1}',
    ],
)
def test_a_malformed_object_is_a_400(api: Any, body: bytes) -> None:
    assert api("POST", "/crm/objects", body=body).status == 400


def test_only_an_admin_changes_the_schema(api: Any) -> None:
    api.key = api.core.keys.create(admin=False)
    for path in ("/crm/objects", "/crm/objects/obj_deals/fields"):
        answer = api("POST", path, {"name": "A", "type": "text"})
        assert (answer.status, answer.json["code"]) == (403, "FORBIDDEN")
    assert api("GET", "/crm/objects").status == 200
    assert api.create(name="Ann")["created_by"] == "user_790"


def test_the_free_plan_has_three_custom_objects(start_core: Any) -> None:
    api = start_core(most_custom_objects=3)
    statuses = [api("POST", "/crm/objects", {"name": f"O{n}"}).status for n in range(4)]
    assert statuses == [201, 201, 201, 403]


def test_an_unknown_object_is_a_404(api: Any) -> None:
    assert api("GET", "/crm/objects/obj_none").status == 404
    assert api("POST", "/crm/objects/obj_none/fields", {"name": "A", "type": "text"}).status == 404

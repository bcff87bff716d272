"""The generated package as it is committed: what it sends, and what it makes of answers."""

from __future__ import annotations

import inspect
import json
import subprocess
import sys
from datetime import UTC, datetime
from types import NoneType
from typing import Any

import attrs
import msgspec
import pytest

from kantos_async.api import automations, intake, models, objects, records, users
from kantos_async.transport.call import Call
from kantos_async.transport.codec import decode, encode

RECORD = {
    "id": "rec_abc123",
    "object_id": "obj_contacts",
    "field_values": {"name": "John Doe", "company": "rec_company_456"},
    "created_at": "2024-01-15T10:30:00Z",
    "updated_at": "2024-01-15T10:30:00Z",
    "created_by": "user_789",
}


class Recorder:
    """Stands in for a session: keeps the call, and decodes the answer that it was given."""

    def __init__(self, answer: Any = None) -> None:
        self.answer = answer
        self.call: Call[Any]

    async def send(self, call: Call[Any], /) -> Any:
        self.call = call
        return decode(call.result, encode(self.answer)) if self.answer is not None else None

    @property
    def sent(self) -> tuple[str, str, Any]:
        return self.call.method, self.call.path, json.loads(encode(self.call.body))


async def test_a_query_sends_what_it_is_given() -> None:
    pagination = {"total": 156, "page": 2, "per_page": 100, "total_pages": 2}
    session = Recorder({"data": [RECORD], "pagination": pagination})
    page = await records.query_records(
        session,
        object_id="obj_contacts",
        filters={"status": "new", "deal_value": {"$gte": 10000}},
        sort="created_at",
        order="desc",
        page=2,
        per_page=100,
    )
    assert (session.call.method, session.call.path) == ("GET", "/crm/records/query")
    assert list(session.call.params) == [
        ("object_id", "obj_contacts"),
        ("filters", '{"status":"new","deal_value":{"$gte":10000}}'),
        ("sort", "created_at"),
        ("order", "desc"),
        ("page", "2"),
        ("per_page", "100"),
    ]
    assert page.pagination.total == 156
    assert page.data[0].created_at == datetime(2024, 1, 15, 10, 30, tzinfo=UTC)


async def test_a_bare_query_leaves_the_rest_to_the_server() -> None:
    session = Recorder()
    await records.query_records(session, object_id="obj_contacts")
    assert list(session.call.params) == [("object_id", "obj_contacts")]
    assert session.call.body is msgspec.UNSET


@pytest.mark.parametrize(
    ("bounds", "said"),
    [
        ({"page": 0}, "page must be at least 1, not 0"),
        ({"per_page": 0}, "per_page must be from 1 to 100, not 0"),
        ({"per_page": 101}, "per_page must be from 1 to 100, not 101"),
    ],
)
async def test_a_page_out_of_bounds_is_not_asked_for(bounds: dict[str, int], said: str) -> None:
    session = Recorder()
    with pytest.raises(ValueError, match=said):
        await records.query_records(session, object_id="obj_contacts", **bounds)
    assert not hasattr(session, "call")


async def test_the_life_of_a_record() -> None:
    session = Recorder(RECORD)
    values = {"name": "John Doe"}
    record = await records.create_record(session, object_id="obj_contacts", field_values=values)
    body = {"object_id": "obj_contacts", "field_values": values}
    assert session.sent == ("POST", "/crm/record", body)
    assert record.field_values["company"] == "rec_company_456"
    await records.get_record(session, record_id="rec a/b")
    assert (session.call.method, session.call.path) == ("GET", "/crm/record/rec%20a%2Fb")
    await records.update_record(session, record_id="rec_1", field_values={"status": None})
    body = {"field_values": {"status": None}}
    assert session.sent == ("PATCH", "/crm/record/rec_1", body)
    session = Recorder()
    await records.delete_record(session, record_id="rec_1")
    assert (session.call.method, session.call.path) == ("DELETE", "/crm/record/rec_1")
    assert session.call.result is NoneType


@pytest.mark.parametrize("record_id", ["", ".", ".."])
async def test_an_id_that_is_another_path_is_refused(record_id: str) -> None:
    with pytest.raises(ValueError, match="id"):
        await records.get_record(Recorder(), record_id=record_id)


async def test_objects_and_their_fields() -> None:
    contacts = {"id": "obj_contacts", "name": "Contacts", "icon": "user", "field_count": 12}
    resource = objects.Objects(Recorder({"data": [contacts]}))
    (listed,) = await resource.list()
    assert (listed.id, listed.slug, listed.fields) == ("obj_contacts", None, None)

    session = Recorder({"id": "fld_1", "name": "Deal Value", "slug": "deal_value", "type": "money"})
    field = await objects.Objects(session).add_field(
        "obj_contacts", name="Deal Value", type="currency"
    )
    body = {"name": "Deal Value", "type": "currency"}
    assert session.sent == ("POST", "/crm/objects/obj_contacts/fields", body)
    assert field.type == "money"

    session = Recorder(contacts)
    await objects.Objects(session).create(
        name="Projects",
        fields=[
            models.NewField(name="Title", type=models.FieldType.TEXT, required=True),
            {"name": "Stage", "type": "status", "options": {"stages": ["Planned", "Done"]}},
        ],
    )
    assert session.sent[2] == {
        "name": "Projects",
        "fields": [
            {"name": "Title", "type": "text", "required": True},
            {"name": "Stage", "type": "status", "options": {"stages": ["Planned", "Done"]}},
        ],
    }


async def test_users() -> None:
    listed = await users.Users(Recorder({"data": [{"id": "user_789", "role": None}]})).list()
    assert listed == [models.User(id="user_789")]
    session = Recorder({"id": "user_789"})
    await users.Users(session).get("user_789")
    assert session.call.path == "/crm/users/user_789"


async def test_an_automation_goes_back_as_it_came() -> None:
    raw = {
        "id": "auto_1",
        "name": "Greet",
        "trigger": {"type": "record.created", "object": "obj_def_leads"},
        "conditions": {
            "match": "any",
            "rules": [
                {"field": "email", "operator": "is_empty"},
                {"match": "all", "rules": [{"field": "a", "operator": "sounds_like", "value": 1}]},
            ],
        },
        "actions": [
            {"type": "branch", "config": {"conditions": [{"else": [{"type": "wait"}]}]}},
            {"type": "call_agent", "prompt": "Hi"},
        ],
    }
    session = Recorder(raw)
    resource = automations.Automations(session)
    automation = await resource.get("auto_1")
    assert automation.conditions is not None
    await resource.update(
        "auto_1",
        active=False,
        trigger=automation.trigger or msgspec.UNSET,
        conditions=automation.conditions,
        actions=automation.actions or msgspec.UNSET,
    )
    method, path, body = session.sent
    assert (method, path) == ("PATCH", "/crm/automations/auto_1")
    assert body.pop("active") is False
    assert body == {key: raw[key] for key in ("trigger", "conditions", "actions")}


async def test_runs_and_intake() -> None:
    runs = Recorder({"data": [{"id": "run_1", "actions": [{"type": "wait", "new": 1}]}]})
    (run,) = await automations.Automations(runs).runs("auto_1")
    assert runs.call.path == "/crm/automations/auto_1/runs"
    assert run.actions == [{"type": "wait", "new": 1}]
    session = Recorder({})
    receipt = await intake.Intake(session).ingest(source="website", fields={"name": "Ada"})
    body = {"source": "website", "fields": {"name": "Ada"}}
    assert session.sent == ("POST", "/intake/ingest", body)
    assert receipt.status is None


def test_an_answer_may_hold_more_and_null_where_optional() -> None:
    record = decode(models.Record, encode(RECORD | {"created_by": None, "etag": "x", "tags": [1]}))
    assert record.created_by is None
    kept = {"stages": ["New"], "choices": [{"x": 1}]}
    raw = {"id": "f", "name": "F", "slug": "f", "type": "formula", "options": kept, "unique": None}
    field = decode(models.Field, encode(raw))
    assert field.type == "formula"
    assert field.options == kept
    assert field.unique is None


@pytest.mark.parametrize("member", ["id", "object_id", "field_values", "created_at", "updated_at"])
def test_a_record_without_what_it_must_have_is_refused(member: str) -> None:
    raw = {key: value for key, value in RECORD.items() if key != member}
    page = {"data": [raw], "pagination": dict.fromkeys(("total", "page", "per_page"), 1)}
    with pytest.raises(msgspec.ValidationError, match=rf"{member}.*\$\.data\[0\]"):
        decode(models.RecordPage, encode(page))


CLASSES = [
    cls
    for name in models.__all__
    if isinstance(cls := getattr(models, name), type) and attrs.has(cls)
]


@pytest.mark.parametrize("cls", CLASSES, ids=lambda cls: cls.__name__)
def test_every_model_decodes_and_is_frozen(cls: type[Any]) -> None:
    required = {field.name for field in attrs.fields(cls) if field.default is attrs.NOTHING}
    with pytest.raises(msgspec.ValidationError):
        decode(cls, b"[]")
    assert not hasattr(cls(**dict.fromkeys(required)), "__dict__")
    with pytest.raises(attrs.exceptions.FrozenInstanceError):
        cls(**dict.fromkeys(required)).anything = 1
    assert cls.__doc__


def test_every_function_tells_its_endpoint_and_status() -> None:
    modules = (records, objects, users, automations, intake)
    documented = {records, objects}
    for module in modules:
        for name in module.__all__:
            function = getattr(module, name)
            if inspect.iscoroutinefunction(function):
                doc = inspect.getdoc(function) or ""
                assert "Endpoint: `" in doc
                assert ("(documented)" in doc) == (module in documented)
                assert ("Preview: inferred" in doc) == (module not in documented)
                assert all(
                    f"{argument}:" in doc for argument in inspect.signature(function).parameters
                )


def test_models_load_when_they_are_touched() -> None:
    code = """
import sys
from kantos_async.api import models
from kantos_async.api.models import Record
before = set(sys.modules)
assert models.WaitAction.__name__ in dir(models)
print(*sorted(name for name in set(sys.modules) - before if name.startswith("kantos_async.api")))
"""
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=30
    )
    assert done.stdout.split() == ["kantos_async.api.models.automations"]
    with pytest.raises(AttributeError, match="has no attribute 'Nothing'"):
        models.Nothing  # noqa: B018

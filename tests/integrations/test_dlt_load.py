"""Loads into real databases: the table equals the CRM, at the cost of what changed."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import dlt
import msgspec
import pytest
from support.rows import many
from support.scripts import RECORD, ScriptEngine, reply

from kantos_async import Kantos, Request
from kantos_async.integrations.dlt import kantos_source, load
from kantos_async.sandbox import Sandbox

#: For what has nothing to do with the destination.
on_duckdb = pytest.mark.parametrize("pipeline", ["duckdb"], indirect=True)

START = datetime(2026, 1, 1, tzinfo=UTC)


def fill(sandbox: Sandbox, count: int, *, step: int = 50) -> list[str]:
    """People, of whom `step` were created in each minute."""
    ids: list[str] = []
    for at in range(0, count, step):
        people = [
            {"name": f"Zoë {n}", "email": f"p{n}@example.com", "status": "New"}
            for n in range(at, min(count, at + step))
        ]
        ids += sandbox.insert("obj_contacts", people, created_at=START + timedelta(minutes=at))
    return ids


def crm(sandbox: Sandbox) -> Counter[tuple[str, str]]:
    return Counter(
        (row["id"], row["field_values"]["name"]) for row in sandbox.records("obj_contacts")
    )


def requests(sandbox: Sandbox, path: str = "/crm/records/query") -> int:
    return sum(path in entry.path for entry in sandbox.log)


def with_fields(sandbox: Sandbox) -> None:
    with Kantos() as k:
        for name, kind in (("Height", "number"), ("Born", "date"), ("Member", "boolean")):
            k.objects.add_field("obj_contacts", name=name, type=kind)


def test_a_table_follows_the_crm(sandbox: Sandbox, pipeline: Any, query: Any) -> None:
    count = many(600, 20_000)
    ids = fill(sandbox, count)

    def run() -> int:
        before = requests(sandbox)
        load(pipeline, kantos_source(["contacts"], deletions=True), pages=many(4, 50))
        assert Counter(query("id, name from contacts")) == crm(sandbox)
        return requests(sandbox) - before

    # Each part begins with the stamp that the last one ended with.
    assert run() <= count / 50 + 2 * 5 + 4
    assert run() <= 4
    changed, gone = many(20, 200), many(3, 30)
    for record_id in ids[:changed]:
        sandbox.update(record_id, {"name": "Changed"})
    for record_id in ids[-gone:]:
        sandbox.delete(record_id)
    sandbox.insert("obj_contacts", [{"name": f"New {n}"} for n in range(50)])
    assert run() <= 6 + 40  # the changes, and a search by halves for what is gone
    assert query("count(*) from contacts") == [(count + 50 - gone,)]


@on_duckdb
def test_one_run_loads_everything(sandbox: Sandbox, pipeline: Any, query: Any) -> None:
    fill(sandbox, 230)
    sandbox.insert("obj_companies", [{"name": "Acme"}])
    pipeline.run(kantos_source(["obj_contacts", "Companies"]))
    assert Counter(query("id, name from contacts")) == crm(sandbox)
    assert query("name from companies") == [("Acme",)]


@on_duckdb
def test_parts_get_past_a_stamp_that_fills_more_than_one(
    sandbox: Sandbox, pipeline: Any, query: Any
) -> None:
    fill(sandbox, 400, step=200)
    runs = load(pipeline, kantos_source(["contacts"]), pages=1)
    assert len(runs) == 3
    assert Counter(query("id, name from contacts")) == crm(sandbox)


def test_columns_have_the_types_of_the_fields(sandbox: Sandbox, pipeline: Any, query: Any) -> None:
    with_fields(sandbox)
    sandbox.insert(
        "obj_contacts",
        [
            {"name": "Zoë", "height": 2, "born": "1990-02-03", "member": True},
            {"name": "None"},
        ],
    )
    load(pipeline, kantos_source(["contacts"]))
    types = {
        name: column["data_type"]
        for name, column in pipeline.default_schema.get_table("contacts")["columns"].items()
    }
    assert types["height"] == "double"
    assert types["born"] == "date"
    assert types["member"] == "bool"
    assert types["created_at"] == types["updated_at"] == "timestamp"
    assert types["phone"] == "text"  # though no record has one
    found = dict(query("name, height from contacts"))
    assert found == {"Zoë": 2.0, "None": None}
    ((born,),) = query("born from contacts where height = 2")
    assert str(born) == "1990-02-03"


@on_duckdb
def test_a_new_field_becomes_a_column(sandbox: Sandbox, pipeline: Any, query: Any) -> None:
    (record_id,) = sandbox.insert("obj_contacts", [{"name": "Zoë"}])
    load(pipeline, kantos_source(["contacts"]))
    with_fields(sandbox)
    sandbox.update(record_id, {"height": 1.75})
    load(pipeline, kantos_source(["contacts"]))
    assert query("name, height from contacts") == [("Zoë", 1.75)]


def test_lists_unknown_types_and_names_that_the_system_has(pipeline: Any, query: Any) -> None:
    field = {"id": "fld_1", "name": "X", "type": "multi_select"}
    definition = {
        "id": "obj_odd",
        "name": "Odd",
        "slug": "odd",
        "fields": [{**field, "slug": "tags"}, {**field, "slug": "created_at", "type": "text"}],
    }
    values = {"tags": ["a", "b"], "created_at": "long ago", "new": {"a": 1}}
    record = {**RECORD, "object_id": "obj_odd", "field_values": values}
    pagination = {"total": 1, "page": 1, "per_page": 100, "total_pages": 1}

    def answer(request: Request) -> Any:
        if request.url.endswith("/crm/objects"):
            return reply(200, {"data": [definition]})
        if request.url.endswith("/crm/objects/obj_odd"):
            return reply(200, definition)
        return reply(200, {"data": [record], "pagination": pagination})

    engine = ScriptEngine(answer)
    load(pipeline, kantos_source(api_key="kantos_x", base_url="http://x.invalid", engine=engine))
    ((tags, created, new),) = query("tags, field_created_at, new from odd")
    assert msgspec.json.decode(tags) == ["a", "b"]
    assert (created, msgspec.json.decode(new)) == ("long ago", {"a": 1})
    assert [name for name in pipeline.default_schema.tables if name.startswith("odd")] == ["odd"]


def test_history_keeps_each_version(sandbox: Sandbox, pipeline: Any, query: Any) -> None:
    first, second, third = sandbox.insert("obj_contacts", [{"name": n} for n in "abc"])

    def run() -> None:
        load(pipeline, kantos_source(["contacts"], history=True, deletions=True))

    def versions() -> set[tuple[Any, ...]]:
        what = "id, name, _dlt_valid_to is null, _deleted from contacts"
        return {(each, name, bool(now), bool(gone)) for each, name, now, gone in query(what)}

    run()
    sandbox.update(second, {"name": "B"})
    sandbox.delete(third)
    run()
    expected = {
        (first, "a", True, False),
        (second, "b", False, False),
        (second, "B", True, False),
        (third, "c", False, False),
        (third, None, True, True),
    }
    assert versions() == expected
    assert len(query("id from contacts")) == 5
    run()  # nothing new, no new versions
    assert versions() == expected
    assert len(query("id from contacts")) == 5


@on_duckdb
def test_since_bounds_the_first_run(sandbox: Sandbox, pipeline: Any, query: Any) -> None:
    fill(sandbox, 100)
    when = START + timedelta(minutes=50)
    load(pipeline, kantos_source(["contacts"], since=when, overlap=timedelta(0)))
    assert query("count(*) from contacts") == [(50,)]


@pytest.mark.parametrize(
    ("arguments", "kind", "said"),
    [
        ({"objects": ["contcts"]}, ValueError, "no object 'contcts'; did you mean 'contacts'"),
        ({"objects": "contacts"}, TypeError, "must be a list"),
        ({"since": datetime(2026, 1, 1)}, ValueError, "time zone"),
        ({"overlap": timedelta(seconds=-1)}, ValueError, "must not be negative"),
    ],
)
def test_wrong_arguments_are_told_at_once(
    sandbox: Sandbox, arguments: dict[str, Any], kind: type[Exception], said: str
) -> None:
    with pytest.raises(kind, match=said):
        kantos_source(**arguments)


def test_pages_must_be_a_number_from_1(sandbox: Sandbox, tmp_path: Path) -> None:
    pipeline = dlt.pipeline("none", pipelines_dir=str(tmp_path))
    with pytest.raises(ValueError, match="pages=0"):
        load(pipeline, kantos_source(["contacts"]), pages=0)


def test_the_key_may_be_among_the_secrets_of_dlt(
    sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("KANTOS_API_KEY")
    with pytest.raises(ValueError, match="KANTOS_API_KEY"):
        kantos_source(["contacts"])
    monkeypatch.setenv("SOURCES__KANTOS__API_KEY", sandbox.api_key)
    assert list(kantos_source().resources) == ["contacts", "companies", "deals"]
    assert list(kantos_source().with_resources("deals").selected_resources) == ["deals"]


def test_an_object_that_is_named_twice_is_loaded_once(sandbox: Sandbox) -> None:
    source = kantos_source(["contacts", "obj_contacts", "Contacts", "deals"])
    assert list(source.resources) == ["contacts", "deals"]

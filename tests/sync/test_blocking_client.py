"""What scripts and notebooks do with the blocking client, over real sockets."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime

import pytest

from kantos_async import (
    F,
    Kantos,
    NotFoundError,
    Quota,
    ReadOnlyError,
    Record,
    RetryPolicy,
    UnprocessableEntityError,
)
from kantos_async.sandbox import Sandbox


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    with Sandbox() as running:
        yield running


@pytest.fixture
def client(sandbox: Sandbox) -> Iterator[Kantos]:
    sandbox.reset()
    with Kantos(sandbox.api_key, base_url=sandbox.url) as opened:
        yield opened


def people(count: int) -> list[dict[str, str]]:
    return [{"name": f"P {n}", "email": f"p{n}@example.com", "status": "New"} for n in range(count)]


def test_the_example_of_the_overview(sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    sandbox.reset()
    monkeypatch.setenv("KANTOS_BASE_URL", sandbox.url)
    client = Kantos(api_key=sandbox.api_key)
    made = client.records.create(
        object_id="obj_contacts", field_values={"name": "John Doe", "status": "New"}
    )
    leads = client.records.query(
        object_id="obj_contacts", filters={"status": "New"}, sort="created_at", order="desc"
    )
    assert [lead.id for lead in leads] == [made.id]
    client.close()
    client.close()


def test_records(client: Kantos, sandbox: Sandbox) -> None:
    made = client.records.create(object_id="obj_contacts", field_values={"name": "Zoë"})
    assert client.records.update(made.id, {"status": "New"}).field_values["name"] == "Zoë"
    assert client.records.get(made.id).field_values["status"] == "New"
    client.records.delete(made.id)
    with pytest.raises(NotFoundError) as gone:
        client.records.get(made.id)
    assert gone.value.status == 404
    with pytest.raises(UnprocessableEntityError):
        client.records.create(object_id="obj_contacts", field_values={"status": "Nowhere"})


def test_a_query_is_used_in_every_way(client: Kantos, sandbox: Sandbox) -> None:
    sandbox.insert("obj_contacts", people(250))
    leads = client.records.query("obj_contacts", F.status == "New")
    page = leads.page()
    assert (len(page), page.pagination.total) == (100, 250)
    assert leads.count() == 250
    first = leads.first()
    assert first is not None
    assert len(leads.all()) == 250
    assert len({lead.id for lead in leads}) == 250
    assert [len(page) for page in leads.pages()] == [100, 100, 50]
    assert next(iter(leads)).id == first.id
    assert len(client.records.query("obj_contacts", limit=7).all()) == 7


def test_walks(client: Kantos, sandbox: Sandbox) -> None:
    ids = sandbox.insert("obj_contacts", people(120), created_at=datetime(2026, 1, 1, tzinfo=UTC))
    assert {record.id for record in client.records.scan("obj_contacts")} == set(ids)
    feed = client.records.changes("obj_contacts", since=datetime(2020, 1, 1, tzinfo=UTC))
    assert {record.id for record in feed} == set(ids)
    assert feed.watermark.year > 2020
    sandbox.delete(ids[5])
    assert list(client.records.missing_ids("obj_contacts", set(ids))) == [ids[5]]


def test_objects_and_everything_else(client: Kantos) -> None:
    assert {thing.slug for thing in client.objects.list()} >= {"contacts", "companies", "deals"}
    field = client.objects.add_field("obj_contacts", name="Shoe Size", type="number")
    assert field.slug in {field.slug for field in client.objects.get("obj_contacts").fields or []}
    assert client.request("GET", "/crm/objects")["data"]
    assert client.request("GET", "/crm/objects", raw=True).status == 200
    assert client.stats.requests == 5
    assert client.users.list()
    assert client.automations.list() == []


def test_options_share_the_client(client: Kantos) -> None:
    patient = client.with_options(timeout=5, retry=RetryPolicy(attempts=1), read_only=True)
    assert patient.records.query("obj_contacts").count() == 0
    with pytest.raises(ReadOnlyError):
        patient.records.delete("rec_1")
    assert client.stats.requests == 1


def test_threads_share_a_client(client: Kantos, sandbox: Sandbox) -> None:
    def work(number: int) -> Record:
        made = client.records.create(
            object_id="obj_contacts", field_values={"name": f"Thread {number}"}
        )
        return client.records.get(made.id)

    with ThreadPoolExecutor(8) as pool:
        made = list(pool.map(work, range(40)))
    assert len({record.id for record in made}) == len(sandbox.records("obj_contacts")) == 40
    assert sum(thread.name == "kantos" for thread in threading.enumerate()) == 1


def test_clients_share_a_quota(sandbox: Sandbox) -> None:
    quota = Quota()
    with (
        Kantos(sandbox.api_key, base_url=sandbox.url, quota=quota) as one,
        Kantos(sandbox.api_key, base_url=sandbox.url, quota=quota) as other,
    ):
        assert one.records.query("obj_deals").count() == other.records.query("obj_deals").count()


async def test_it_works_where_a_loop_is_running_as_in_a_notebook(client: Kantos) -> None:
    assert client.records.query("obj_contacts").all() == []


def test_its_repr_holds_no_key(client: Kantos) -> None:
    assert "kantos_" not in repr(client)
    assert "script" not in repr(client.records)

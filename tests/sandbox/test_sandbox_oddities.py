from __future__ import annotations

import random
from typing import Any

import pytest

from kantos_async.sandbox import Faults, Problem


def test_a_lagging_search_sees_creates_updates_and_deletes_later(
    start_core: Any, clock: Any
) -> None:
    api = start_core(faults=Faults(search_lag=1.0))
    made = api.create(name="Ann")
    path = f"/crm/record/{made['id']}"
    assert api.names() == []
    assert api("GET", path).json == made
    clock.move(1.0)
    assert api.names() == ["Ann"]
    api("PATCH", path, {"field_values": {"name": "Bea"}})
    assert api("GET", path).json["field_values"]["name"] == "Bea"
    assert api.names() == api.names(filters={"name": "Ann"}) == ["Ann"]
    clock.move(1.0)
    assert api.names() == ["Bea"]
    api("DELETE", path)
    assert api("GET", path).status == 404
    assert api.names() == ["Bea"]
    clock.move(1.0)
    assert api.query()["pagination"]["total"] == 0


def test_what_was_there_before_the_lag_is_seen_and_its_end_shows_all(api: Any) -> None:
    api.create(name="Ann")
    api.core.faults.set(search_lag=60.0)
    api.create(name="Bea")
    assert api.names() == ["Ann"]
    api.core.faults.set(search_lag=0.0)
    assert set(api.names()) == {"Ann", "Bea"}


def test_unique_fields_and_references_do_not_lag(start_core: Any) -> None:
    api = start_core(faults=Faults(search_lag=60.0))
    company = api.create("obj_companies", name="Acme")
    api.create(name="Ann", email="a@example.com", company=company["id"])
    body = {"object_id": "obj_contacts", "field_values": {"name": "B", "email": "a@example.com"}}
    assert api("POST", "/crm/record", body).status == 409


def test_what_was_taken_back_is_never_found(start_core: Any, clock: Any) -> None:
    api = start_core(faults=Faults(search_lag=1.0))
    with pytest.raises(Problem):
        api.core.insert("obj_contacts", [{"name": "A"}, {"name": ""}])
    clock.move(1.0)
    assert api.query()["pagination"]["total"] == 0


def test_the_plans_seed_decides_when_writes_are_seen_and_leaves_the_ids_alone(
    start_core: Any, clock: Any
) -> None:
    def walk(plan: int, **faults: float) -> tuple[list[str], list[int]]:
        api = start_core(faults=Faults(seed=plan, **faults))
        ids = [api.create(name=f"N{number}")["id"] for number in range(10)]
        seen = []
        for _ in range(10):
            clock.move(0.1)
            seen.append(api.query()["pagination"]["total"])
        return ids, seen

    assert walk(7, search_lag=1.0) == walk(7, search_lag=1.0)
    assert walk(7, search_lag=1.0)[1] != walk(8, search_lag=1.0)[1]
    assert walk(7, search_lag=1.0)[0] == walk(7)[0]


@pytest.mark.parametrize("years", [-1, 1])
def test_a_time_of_creation_is_not_the_time_of_writing(
    start_core: Any, clock: Any, years: int
) -> None:
    api = start_core(faults=Faults(search_lag=1.0))
    api.core.insert("obj_contacts", [{"name": "A"}], clock.now + years * 31_536_000)
    assert api.names() == []
    clock.move(1.0)
    assert api.names() == ["A"]


@pytest.mark.parametrize("seed", range(5))
def test_a_record_never_goes_back_in_a_lagging_search(
    start_core: Any, clock: Any, seed: int
) -> None:
    api = start_core(faults=Faults(search_lag=1.0, seed=seed), seed=seed)
    draw = random.Random(seed)
    ids = [api.create("obj_deals", name=f"D{n}", value=0)["id"] for n in range(5)]
    seen = dict.fromkeys(ids, -1)
    overtaken = False
    for value in range(1, 200):
        rid = draw.choice(ids)
        api("PATCH", f"/crm/record/{rid}", {"field_values": {"value": value}})
        clock.move(draw.uniform(0, 0.2))
        now = {r["id"]: r["field_values"]["value"] for r in api.query("obj_deals")["data"]}
        for record_id, shown in now.items():
            assert shown >= seen[record_id]
            seen[record_id] = shown
        true = {r["id"]: r["field_values"]["value"] for r in api.core.look("obj_deals")}
        late = min((true[r] for r in ids if now.get(r) != true[r]), default=value)
        overtaken |= any(late < now[r] == true[r] for r in now)
    assert overtaken  # across records, the order of writing is not the order of showing
    clock.move(1.0)
    shown = {r["id"]: r["field_values"] for r in api.query("obj_deals")["data"]}
    assert shown == {r["id"]: r["field_values"] for r in api.core.look("obj_deals")}


def test_an_ignored_sort_comes_sorted_by_creation(api: Any, clock: Any) -> None:
    first = api.create(name="Ann")
    clock.move(5)
    api.create(name="Bea")
    clock.move(5)
    api.core.update(first["id"], {"phone": "123"})
    assert api.names(sort="updated_at", order="desc") == ["Ann", "Bea"]
    api.core.faults.set(ignore_sort="updated_at")
    assert api.names(sort="updated_at", order="desc") == ["Bea", "Ann"]
    assert api.names(sort="name", order="desc") == ["Bea", "Ann"]


def test_an_ignored_filter_lets_all_pass_and_is_checked_all_the_same(api: Any) -> None:
    api.core.faults.set(ignore_filter=["updated_at", "phone"])
    api.create(name="Ann")
    api.create(name="Bea")
    since = {"$gte": "2030-01-01"}
    assert len(api.names(filters={"updated_at": since})) == 2
    assert api.names(filters={"updated_at": since, "name": "Ann"}) == ["Ann"]
    assert api.names(filters={"created_at": since}) == []
    bad = api("GET", "/crm/records/query", object_id="obj_contacts", filters={"phone": {"$x": 1}})
    assert bad.status == 400

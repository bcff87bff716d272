from __future__ import annotations

from typing import Any

import pytest

PEOPLE = [
    {"name": "Ada", "email": "ada@acme.example", "status": "New"},
    {"name": "Élodie", "email": "elodie@acme.example", "status": "contacted"},
    {"name": "Bob", "status": "Lost", "phone": "+1 555 0100"},
    {"name": "Cleo"},
]


@pytest.fixture
def people(api: Any) -> Any:
    for person in PEOPLE:
        api.create(**person)
        api.clock.move(10)
    return api


@pytest.mark.parametrize(
    ("filters", "names"),
    [
        ({}, "Ada Élodie Bob Cleo"),
        ({"name": "Ada"}, "Ada"),
        ({"name": "ada"}, ""),
        ({"name": {"$contains": "élo"}}, "Élodie"),
        ({"name": {"$contains": "%"}}, ""),
        ({"email": {"$contains": "ACME"}}, "Ada Élodie"),
        ({"name": {"$in": ["Ada", "Bob", "Nobody"]}}, "Ada Bob"),
        ({"name": {"$in": []}}, ""),
        ({"name": {"$nin": ["Ada", "Bob"]}}, "Élodie Cleo"),
        ({"email": {"$empty": True}}, "Bob Cleo"),
        ({"email": {"$empty": False}}, "Ada Élodie"),
        ({"email": None}, "Bob Cleo"),
        ({"email": {"$ne": "ada@acme.example"}}, "Élodie Bob Cleo"),
        ({"email": {"$ne": None}}, "Ada Élodie"),
        ({"status": {"$in": ["new", "LOST"]}}, "Ada Bob"),
        ({"status": {"$ne": "new"}}, "Élodie Bob Cleo"),
        ({"name": {"$gte": "B", "$lt": "D"}}, "Bob Cleo"),
        ({"name": {"$gt": "Ada"}, "email": {"$empty": True}}, "Bob Cleo"),
        ({"name": {"$lte": "Bob"}}, "Ada Bob"),
        ({"created_at": {"$lt": "2024-01-15T10:30:10Z"}}, "Ada"),
        ({"created_at": {"$gte": "2024-01-15T11:30:10+01:00"}}, "Élodie Bob Cleo"),
        ({"created_at": "2024-01-15T10:30:10Z"}, "Élodie"),
        ({"created_at": {"$gte": "2024-01-16"}}, ""),
        ({"updated_at": {"$gte": "2024-01-15T10:30:20Z"}}, "Bob Cleo"),
        ({"created_by": "user_789"}, "Ada Élodie Bob Cleo"),
        ({"created_by": {"$ne": "user_789"}}, ""),
    ],
)
def test_filters(people: Any, filters: dict[str, Any], names: str) -> None:
    page = people.query(filters=filters, sort="created_at")
    assert [r["field_values"]["name"] for r in page["data"]] == names.split()
    assert page["pagination"]["total"] == len(names.split())


@pytest.mark.parametrize("number", ["1" + "0" * 400, "-1" + "0" * 5000, "1e400"])
def test_a_number_beyond_a_double_is_a_400(api: Any, number: str) -> None:
    filters = f'{{"value": {{"$gt": {number}}}}}'
    answer = api("GET", "/crm/records/query", object_id="obj_deals", filters=filters)
    assert answer.status == 400
    body = f'{{"object_id": "obj_deals", "field_values": {{"name": "A", "value": {number}}}}}'
    assert api("POST", "/crm/record", body=body.encode()).status in {400, 422}
    wait = f'{{"type": "wait", "config": {{"duration": {number}}}}}'
    body = f'{{"name": "A", "trigger": {{"type": "record.created"}}, "actions": [{wait}]}}'
    assert api("POST", "/crm/automations", body=body.encode()).status == 400


def test_a_stage_is_found_in_any_language(api: Any) -> None:
    options = {"stages": ["Überprüft Neu", "Offen"]}
    fields = [{"name": "State", "type": "status", "options": options}]
    kind = api("POST", "/crm/objects", {"name": "Cases", "fields": fields}).json["id"]
    for state in ("Überprüft Neu", "überprüft_neu", "Offen"):
        api.create(kind, state=state)
    api.create(kind)
    for spelling in ("Überprüft Neu", "ÜBERPRÜFT_NEU"):
        for wanted in (spelling, {"$in": [spelling]}):
            assert api.query(kind, filters={"state": wanted})["pagination"]["total"] == 2
    assert api.query(kind, filters={"state": None})["pagination"]["total"] == 1
    assert api.query(kind, filters={"state": {"$ne": "offen"}})["pagination"]["total"] == 3


def test_times_with_fractions_come_in_their_order(api: Any) -> None:
    days = ["2024-01-15", "2024-01-15T10:30:00Z", "2024-01-15T10:30:00.5Z", "2024-01-15T10:30:01Z"]
    for day in reversed(days):
        api.create("obj_deals", name=day, close_date=day)

    def found(**filters: Any) -> list[str]:
        rows = api.query("obj_deals", filters={"close_date": filters}, sort="close_date")["data"]
        return [row["field_values"]["name"] for row in rows]

    assert found(**{"$empty": False}) == days
    assert found(**{"$gte": "2024-01-15T10:30:00Z"}) == days[1:]
    assert found(**{"$gt": "2024-01-15T10:30:00Z"}) == days[2:]
    assert found(**{"$lt": "2024-01-15T11:30:00.5+01:00"}) == days[:2]
    assert found(**{"$lte": "2024-01-15T10:30:00.500Z"}) == days[:3]
    assert found(**{"$in": [days[1]]}) == [days[1]]


def test_a_filter_by_id(people: Any) -> None:
    first = people.core.look("obj_contacts")[0]
    assert people.query(filters={"id": {"$in": [first["id"], "rec_none"]}})["data"] == [first]


@pytest.mark.parametrize(
    ("filters", "names"),
    [
        ({"value": {"$gte": 10}}, "B C"),
        ({"value": 10.0}, "B"),
        ({"value": {"$gt": 1, "$lt": 11}}, "A B"),
        ({"value": {"$lt": 10**30}}, "A B C"),
        ({"close_date": {"$lt": "2024-02-01"}}, "A"),
        ({"close_date": {"$gte": "2024-02-01"}}, "B"),
        ({"won": True}, "A"),
        ({"won": {"$ne": True}}, "B C"),
    ],
)
def test_filters_on_numbers_dates_and_booleans(
    api: Any, filters: dict[str, Any], names: str
) -> None:
    api("POST", "/crm/objects/obj_deals/fields", {"name": "Won", "type": "boolean"})
    api.create("obj_deals", name="A", value=2, close_date="2024-01-31", won=True)
    api.create("obj_deals", name="B", value=10, close_date="2024-02-01", won=False)
    api.create("obj_deals", name="C", value=99.5)
    found = api.names(object_id="obj_deals", filters=filters, sort="name")
    assert found == names.split()


@pytest.mark.parametrize(
    "query",
    [
        "",
        "object_id=",
        "object_id=obj_contacts&page=0",
        "object_id=obj_contacts&page=-1",
        "object_id=obj_contacts&page=x",
        "object_id=obj_contacts&page=1.0",
        "object_id=obj_contacts&page=%C2%B2",
        "object_id=obj_contacts&page=",
        "object_id=obj_contacts&page=1&page=2",
        "object_id=obj_contacts&per_page=0",
        "object_id=obj_contacts&per_page=101",
        "object_id=obj_contacts&order=up",
        "object_id=obj_contacts&sort=shoe_size",
        "object_id=obj_contacts&filters=",
        "object_id=obj_contacts&filters={",
        "object_id=obj_contacts&filters=[]",
        "object_id=obj_contacts&filters=%22new%22",
        "object_id=obj_contacts&filters=%FF",
        "object_id=obj_contacts&filters=%7",
        'object_id=obj_contacts&filters={"name":{"$like":"A"}}',
        'object_id=obj_contacts&filters={"name":{"gte":"A"}}',
        'object_id=obj_contacts&filters={"name":["A"]}',
        'object_id=obj_contacts&filters={"name":5}',
        'object_id=obj_contacts&filters={"name":{"$in":"A"}}',
        'object_id=obj_contacts&filters={"name":{"$in":[5]}}',
        'object_id=obj_contacts&filters={"name":{"$empty":"yes"}}',
        'object_id=obj_contacts&filters={"name":{"$contains":5}}',
        'object_id=obj_contacts&filters={"name":{"$gte":null}}',
        'object_id=obj_contacts&filters={"shoe_size":44}',
        'object_id=obj_contacts&filters={"created_at":"yesterday"}',
        'object_id=obj_contacts&filters={"created_at":5}',
        'object_id=obj_deals&filters={"value":"5"}',
        'object_id=obj_deals&filters={"value":true}',
        'object_id=obj_deals&filters={"close_date":"soon"}',
    ],
)
def test_a_malformed_query_is_a_400(api: Any, query: str) -> None:
    target = f"/api/crm/records/query?{query}"
    exchange = api.core.exchange("GET", target, {"x-api-key": api.key})
    assert exchange.status == 400, exchange.body


def test_pages(api: Any) -> None:
    for number in range(7):
        api.create(name=f"N{number}")
        api.clock.move(1)
    page = api.query(sort="created_at", page=2, per_page=3)
    assert [r["field_values"]["name"] for r in page["data"]] == ["N3", "N4", "N5"]
    assert page["pagination"] == {"total": 7, "page": 2, "per_page": 3, "total_pages": 3}
    assert api.names(sort="created_at", page=3, per_page=3) == ["N6"]
    assert api.names(sort="created_at", order="desc", per_page=2) == ["N6", "N5"]
    beyond = api.query(page=10**18 - 1)
    assert beyond["data"] == []
    assert beyond["pagination"]["total"] == 7
    assert api.query()["pagination"]["per_page"] == 25
    empty = api.query("obj_deals")["pagination"]
    assert empty == {"total": 0, "page": 1, "per_page": 25, "total_pages": 0}


def test_sort_by_a_field_and_by_system_fields(people: Any) -> None:
    assert people.names(sort="name") == ["Ada", "Bob", "Cleo", "Élodie"]
    assert people.names(sort="name", order="desc")[0] == "Élodie"
    ids = [r["id"] for r in people.query(sort="id")["data"]]
    assert ids == sorted(ids)
    people.core.update(people.query(filters={"name": "Ada"})["data"][0]["id"], {"phone": "123"})
    assert people.names(sort="updated_at")[-1] == "Ada"


def test_ties_have_one_order_that_is_not_the_order_of_creation(api: Any) -> None:
    made = [api.create(name=f"N{n}")["id"] for n in range(30)]
    first = [r["id"] for r in api.query(sort="created_at", per_page=100)["data"]]
    assert sorted(first) == sorted(made)
    assert first != made
    paged = [
        r["id"]
        for page in (1, 2, 3)
        for r in api.query(sort="created_at", per_page=10, page=page)["data"]
    ]
    assert paged == first
    api.create(name="one more")
    again = [r["id"] for r in api.query(sort="created_at", per_page=100)["data"]]
    assert [rid for rid in again if rid in made] == first


def test_deep_pages_agree_with_a_plain_walk(api: Any) -> None:
    api.core.insert("obj_contacts", ({"name": f"N{n % 7}"} for n in range(2_500)))
    expected = [r["id"] for r in api.core.look("obj_contacts")]

    def walk() -> list[str]:
        return [
            r["id"]
            for page in range(1, 27)
            for r in api.query(sort="created_at", per_page=100, page=page)["data"]
        ]

    assert walk() == expected
    for record_id in (expected[0], expected[2_000]):
        api.core.delete(record_id)
        expected.remove(record_id)
        assert walk() == expected


def test_a_large_object_is_searched_by_value_as_well(api: Any) -> None:
    api.core.insert("obj_contacts", ({"name": f"N{n}"} for n in range(5_100)))
    assert api.names(filters={"name": {"$in": ["N7", "N5099"]}}, sort="name") == ["N5099", "N7"]
    api.create(name="N7")
    assert api.names(filters={"name": "N7"}) == ["N7", "N7"]

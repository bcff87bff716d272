from __future__ import annotations

from typing import Any

import pytest

from kantos_async.sandbox import Quota, Sandbox

OBJECTS = "/crm/objects"


def quota_of(answer: Any) -> tuple[int, int, int]:
    return tuple(
        int(answer.headers[f"X-RateLimit-{name}"]) for name in ("Limit", "Remaining", "Reset")
    )  # type: ignore[return-value]


def test_headers_count_down_and_the_limit_is_a_429_that_changes_nothing(
    start_core: Any, clock: Any
) -> None:
    api = start_core(quota=Quota(limit=2, window=60))
    clock.move(12.5)
    reset = int(clock.now) - 12 + 60
    assert quota_of(api("GET", OBJECTS)) == (2, 1, reset)
    assert quota_of(api("GET", "/crm/record/rec_none")) == (2, 0, reset)
    refused = api("POST", "/crm/record", {"object_id": "obj_contacts", "field_values": {}})
    assert (refused.status, refused.json["code"]) == (429, "RATE_LIMITED")
    assert quota_of(refused) == (2, 0, reset)
    assert api.core.look("obj_contacts") == []
    clock.move(60 - 12.5 - 0.001)
    assert api("GET", OBJECTS).status == 429
    clock.move(0.001)
    assert quota_of(api("GET", OBJECTS)) == (2, 1, reset + 60)


def test_windows_that_open_at_the_first_request(start_core: Any, clock: Any) -> None:
    api = start_core(quota=Quota(limit=1, window=5, windows="first"))
    clock.move(0.25)
    opened = clock.now
    assert quota_of(api("GET", OBJECTS)) == (1, 0, int(opened) + 6)  # rounded up
    clock.move(4.99)
    assert api("GET", OBJECTS).status == 429
    clock.move(0.02)
    assert api("GET", OBJECTS).status == 200
    clock.move(100)
    assert quota_of(api("GET", OBJECTS))[2] == int(clock.now) + 6


def test_every_answer_has_a_date_and_only_a_quota_has_headers(api: Any) -> None:
    answer = api("GET", OBJECTS)
    assert answer.headers["Date"] == "Mon, 15 Jan 2024 10:30:00 GMT"
    assert not [name for name in answer.headers if name.startswith("X-RateLimit")]


def test_the_servers_clock_may_be_an_hour_ahead_and_be_stepped(start_core: Any, clock: Any) -> None:
    api = start_core(quota=Quota(limit=5), clock_offset=3600)
    answer = api("GET", OBJECTS)
    assert answer.headers["Date"] == "Mon, 15 Jan 2024 11:30:00 GMT"
    assert quota_of(answer)[2] == clock.now + 3660
    assert api.create(name="A")["created_at"] == "2024-01-15T11:30:00Z"
    api.core.clock_offset = 0.0
    assert quota_of(api("GET", OBJECTS)) == (5, 4, clock.now + 60)


def test_each_key_has_its_own_quota(start_core: Any) -> None:
    api = start_core(quota=Quota(limit=1))
    assert api("GET", OBJECTS).status == 200
    assert api("GET", OBJECTS).status == 429
    api.key = api.core.keys.create()
    assert api("GET", OBJECTS).status == 200


def test_a_daily_quota_outlasts_the_windows_and_no_header_tells_of_it(
    start_core: Any, clock: Any
) -> None:
    api = start_core(quota=Quota(limit=10, daily=3))
    assert [api("GET", OBJECTS).status for _ in range(4)] == [200, 200, 200, 429]
    clock.move(60)
    refused = api("GET", OBJECTS)
    assert refused.status == 429
    assert quota_of(refused)[1] == 10
    clock.move(13.5 * 3600)  # midnight
    assert api("GET", OBJECTS).status == 200


def test_a_limit_can_change_while_it_runs(start_core: Any) -> None:
    api = start_core(quota=Quota(limit=1))
    api("GET", OBJECTS)
    api.core.quota.limit = 100
    assert quota_of(api("GET", OBJECTS))[:2] == (100, 98)


def test_a_request_without_a_key_costs_nothing(start_core: Any) -> None:
    api = start_core(quota=Quota(limit=1))
    key, api.key = api.key, None
    assert api("GET", OBJECTS).status == 401
    api.key = key
    assert api("GET", OBJECTS).status == 200


@pytest.mark.parametrize(
    ("plan", "limit", "daily"),
    [("free", 100, 10_000), ("starter", 500, 50_000), ("professional", 1_000, 100_000)],
)
def test_the_plans(plan: Any, limit: int, daily: int) -> None:
    sandbox = Sandbox(plan=plan)
    assert (sandbox.core.quota.limit, sandbox.core.quota.daily) == (limit, daily)
    assert sandbox.core.quota.window == 60
    sandbox.core.close()


@pytest.mark.parametrize(
    ("settings", "name"),
    [
        ({"limit": 0}, "limit"),
        ({"limit": -5}, "limit"),
        ({"window": 0}, "window"),
        ({"window": float("inf")}, "window"),
        ({"daily": 0}, "daily"),
        ({"windows": "sliding"}, "windows"),
        ({"plan": "gold"}, "plan"),
        ({"seed_records": -1}, "seed_records"),
        ({"stamp_digits": 2}, "stamp_digits"),
        ({"port": 70_000}, "port"),
        ({"port": -1}, "port"),
    ],
)
def test_settings_out_of_range_are_named(settings: dict[str, Any], name: str) -> None:
    with pytest.raises(ValueError, match=name):
        Sandbox(**settings)

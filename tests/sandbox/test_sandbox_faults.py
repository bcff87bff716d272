from __future__ import annotations

import sys
import threading
from collections import Counter
from typing import Any

import pytest

from kantos_async.sandbox import FAULTS, Faults, Quota

RECORD = "/crm/record"


def post(api: Any, name: str = "Ann") -> Any:
    return api("POST", RECORD, {"object_id": "obj_contacts", "field_values": {"name": name}})


#: Fault: status, how it is delivered, whether a create has happened afterwards.
EXPECTED = {
    "refused": (0, "refuse", False),
    "drop_before": (0, "drop", False),
    "drop_after": (201, "drop", True),
    "late_commit": (0, "drop", False),
    "error_before": (500, "deliver", False),
    "error_after": (500, "deliver", True),
    "unavailable": (503, "deliver", False),
    "slow_headers": (201, "deliver", True),
    "slow_body": (201, "deliver", True),
    "truncated": (201, "truncate", True),
    "html": (502, "deliver", False),
    "html_after": (502, "deliver", True),
    "redirect": (307, "deliver", False),
}


def test_every_fault_is_expected_here() -> None:
    assert set(EXPECTED) == set(FAULTS)


@pytest.mark.parametrize("fault", FAULTS)
def test_each_fault(api: Any, fault: Any) -> None:
    api.core.faults.next(fault)
    answer = post(api)
    done = bool(api.core.look("obj_contacts"))
    assert (answer.status, answer.delivery.kind, done) == EXPECTED[fault]
    assert api.core.log[-1].fate == fault
    assert post(api).status == 201  # only the next one was meant


def test_measures_of_the_faults(start_core: Any) -> None:
    api = start_core(
        faults=Faults(retry_after=7, slow=(1.0, 2.0), location="http://127.0.0.1/elsewhere")
    )
    api.core.faults.next(
        "unavailable", "redirect", "html", "slow_headers", "slow_body", "truncated"
    )
    assert post(api).headers["Retry-After"] == "7"
    assert post(api).headers["Location"] == "http://127.0.0.1/elsewhere"
    assert post(api).body.startswith(b"<!doctype html>")
    slow = post(api).delivery
    assert 1.0 <= slow.headers_after <= 2.0
    assert slow.body_after == 0
    assert 1.0 <= post(api).delivery.body_after <= 2.0
    cut = post(api)
    assert 0 <= cut.delivery.keep < len(cut.body)


def test_a_late_commit_happens_later_and_by_the_clock(api: Any, clock: Any) -> None:
    api.core.faults.set(lateness=1.0, seed=3)
    api.core.faults.next("late_commit")
    post(api)
    assert api.query()["data"] == []
    clock.move(1.0)
    (record,) = api.query()["data"]
    assert record["field_values"] == {"name": "Ann"}
    assert record["created_at"] == "2024-01-15T10:30:00Z"


def test_a_late_commit_meets_the_rules_of_its_own_moment(api: Any, clock: Any) -> None:
    values = {"name": "Ann", "email": "ann@example.com"}
    body = {"object_id": "obj_contacts", "field_values": values}
    api.core.faults.next("late_commit")
    api("POST", RECORD, body)
    assert api("POST", RECORD, body).status == 201
    clock.move(1.0)
    assert len(api.core.look("obj_contacts")) == 1


def test_a_late_patch_and_a_late_delete(api: Any, clock: Any) -> None:
    path = f"{RECORD}/{api.create(name='Ann')['id']}"
    api.core.faults.next("late_commit", method="PATCH")
    api.core.faults.next("late_commit", method="DELETE")
    api("PATCH", path, {"field_values": {"name": "Bea"}})
    clock.move(1.0)
    assert api("GET", path).json["field_values"]["name"] == "Bea"
    api("DELETE", path)
    assert api("GET", path).status == 200
    clock.move(1.0)
    assert api("GET", path).status == 404


def test_scripts_wait_for_their_method_and_path_and_keep_their_order(api: Any) -> None:
    faults = api.core.faults
    faults.next("ok", "error_before", method="POST")
    faults.next("drop_before", path="records/query")
    made = post(api).json
    assert api("GET", f"{RECORD}/{made['id']}").status == 200
    query = api("GET", "/crm/records/query", object_id="obj_contacts")
    assert query.delivery.kind == "drop"
    assert post(api).status == 500
    assert faults.scripted == 0


def test_what_the_quota_or_the_key_refuses_uses_no_script_up(start_core: Any, clock: Any) -> None:
    api = start_core(quota=Quota(limit=1))
    post(api)
    api.core.faults.next("error_before")
    assert post(api).status == 429
    clock.move(60)
    assert post(api).status == 500


@pytest.mark.parametrize("fault", [f for f in FAULTS if f != "refused"])
def test_a_faulty_request_counts_once_it_arrived(start_core: Any, fault: Any) -> None:
    api = start_core(quota=Quota(limit=10))
    api.core.faults.next(fault)
    post(api)
    assert api.core.log[-1].left == 9


def test_a_scripted_refusal_costs_nothing_over_a_connection_either(start_core: Any) -> None:
    api = start_core(quota=Quota(limit=10), faults=Faults(refused=1.0))
    api.core.faults.next("ok", "refused")
    headers = {"X-Api-Key": api.key}
    target = "/api/crm/objects"
    for kind in ("deliver", "refuse", "deliver"):  # by chance only before there is a connection
        answer = api.core.exchange("GET", target, headers, connected=True)
        assert answer.delivery.kind == kind
    assert dict(answer.headers)["X-RateLimit-Remaining"] == "8"
    assert api.core.arrived == 2
    assert [(e.status, e.fate, e.left) for e in api.core.log][1] == (0, "refused", None)


def test_a_test_may_script_while_requests_run(api: Any) -> None:
    faults, failures, over = api.core.faults, [], threading.Event()
    faults.next(*["ok"] * 2_000, method="DELETE")

    def poll() -> None:
        try:
            for _ in range(50):
                api("GET", "/crm/objects")
        except RuntimeError as error:
            failures.append(error)
        over.set()

    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        thread = threading.Thread(target=poll)
        thread.start()
        while not over.is_set():
            faults.next("ok", method="DELETE")
        thread.join()
    finally:
        sys.setswitchinterval(interval)
    assert failures == []


@pytest.mark.parametrize("number", [float("nan"), float("inf"), -1.0, "fast"])
@pytest.mark.parametrize(
    "name",
    [
        "refused",
        "html",
        "latency",
        "jitter",
        "lateness",
        "refused_for",
        "retry_after",
        "search_lag",
    ],
)
def test_a_measure_is_a_finite_number(name: str, number: Any) -> None:
    with pytest.raises(ValueError, match=name):
        Faults(**{name: number})


@pytest.mark.parametrize("slow", [(float("nan"), 1.0), (0.0, float("inf")), (0.0, float("nan"))])
def test_bounds_are_finite(slow: Any) -> None:
    with pytest.raises(ValueError, match="slow"):
        Faults(slow=slow)


@pytest.mark.parametrize(
    "location", ["https://a/\r\nX: 1", "https://a/\n", "https://ü/", "https://€/"]
)
def test_a_location_fits_into_a_header(location: str) -> None:
    with pytest.raises(ValueError, match="location"):
        Faults(location=location)


def test_a_refused_connection_costs_nothing(start_core: Any) -> None:
    api = start_core(quota=Quota(limit=10))
    api.core.faults.next("refused")
    post(api)
    post(api)
    assert api.core.log[-1].left == 9
    assert api.core.arrived == 1


def test_answers_of_a_proxy_bear_no_rate_limit(start_core: Any) -> None:
    api = start_core(quota=Quota(limit=10))
    api.core.faults.next("html", "error_before")
    assert "X-RateLimit-Limit" not in post(api).headers
    assert "X-RateLimit-Limit" in post(api).headers


def test_chances_are_met_and_repeat_under_a_seed(start_core: Any) -> None:
    plan = Faults(drop_after=0.1, error_before=0.2, refused=0.05, seed=11)

    def fates() -> list[str]:
        api = start_core(faults=plan)
        for number in range(2_000):
            post(api, f"N{number}")
        return [entry.fate for entry in api.core.log]

    first = fates()
    assert fates() == first
    counts = Counter(first)
    assert counts.keys() == {"", "drop_after", "error_before", "refused"}
    assert counts["drop_after"] == pytest.approx(200, abs=60)
    assert counts["error_before"] == pytest.approx(400, abs=80)
    assert counts["refused"] == pytest.approx(100, abs=40)


def test_latency_delays_every_answer_and_jitter_spreads_it(start_core: Any) -> None:
    api = start_core(faults=Faults(latency=0.25))
    assert post(api).delivery.headers_after == 0.25
    api.core.faults.set(jitter=0.5, seed=1)
    spread = {post(api).delivery.headers_after for _ in range(20)}
    assert len(spread) == 20
    assert min(spread) < 0.25 < max(spread)


def test_clear_ends_everything(api: Any) -> None:
    api.core.faults.set(error_before=1.0, latency=1.0, ignore_sort="updated_at")
    api.core.faults.next("drop_before")
    api.core.faults.clear()
    assert post(api).status == 201
    assert api.core.faults.plan == Faults()


@pytest.mark.parametrize(
    "changes",
    [
        {"drop_after": 1.5},
        {"drop_after": -0.1},
        {"drop_after": 0.6, "error_before": 0.6},
        {"lateness": -1},
        {"search_lag": -1},
        {"slow": (2.0, 1.0)},
        {"droop_after": 0.5},
    ],
)
def test_a_plan_out_of_range_is_refused_and_changes_nothing(
    api: Any, changes: dict[str, Any]
) -> None:
    with pytest.raises(ValueError, match=r"."):
        api.core.faults.set(**changes)
    assert api.core.faults.plan == Faults()


def test_an_unknown_fault_is_refused(api: Any) -> None:
    with pytest.raises(ValueError, match="drop_between"):
        api.core.faults.next("drop_between")

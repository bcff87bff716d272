"""The rules one by one: what must not be believed."""

from __future__ import annotations

from typing import NamedTuple

import pytest

from kantos_async.bulk import plan, rules
from kantos_async.bulk.rules import Verdict


class Stamped(NamedTuple):
    id: str
    created: int
    updated: int


def page(*rows: tuple[str, int, int]) -> list[Stamped]:
    return [Stamped(*row) for row in rows]


@pytest.mark.parametrize(
    ("rows", "older", "newer", "proof"),
    [
        # An old record changed last: no other order gives this.
        (page(("m", 1, 9), ("z", 3, 3), ("b", 2, 2)), 0, 0, True),
        # Newest first by `created_at` gives it as well; unless newer ones are not on the page.
        (page(("m", 3, 9), ("z", 2, 3), ("b", 1, 2)), 0, 3, False),
        (page(("m", 3, 9), ("z", 2, 3), ("b", 1, 2)), 0, 4, True),
        # Oldest first gives it, unless older ones are not on the page.
        (page(("m", 1, 9), ("z", 2, 3), ("b", 2, 3)), 3, 0, False),
        (page(("m", 1, 9), ("z", 2, 3), ("b", 2, 3)), 4, 0, True),
        # The order of ids gives it.
        (page(("a", 1, 9), ("b", 3, 3), ("c", 2, 2)), 0, 0, False),
        (page(("c", 1, 9), ("b", 3, 3), ("a", 2, 2)), 0, 0, False),
        # Not sorted, and nothing to sort.
        (page(("m", 1, 2), ("z", 3, 3), ("b", 2, 2)), 9, 9, False),
        (page(("m", 1, 3), ("z", 3, 3), ("b", 2, 3)), 9, 9, False),
        ([], 0, 0, False),
    ],
)
def test_a_sort_is_proven_by_an_order_that_only_it_explains(
    rows: list[Stamped], older: int, newer: int, proof: bool
) -> None:
    assert rules.proves_sort(rows, older, newer) is proof


def test_a_filter_is_proven_by_what_it_leaves_out() -> None:
    rows = page(("a", 1, 5), ("b", 1, 6))
    assert rules.proves_filter(rows, 5, 2, 10)
    assert not rules.proves_filter(rows, 6, 2, 10)
    assert not rules.proves_filter(rows, 5, 10, 10)
    assert rules.proves_filter([], 5, 0, 10)


@pytest.mark.parametrize(
    ("updated", "seen", "known", "verdict"),
    [
        (5, b"new", (4, b"old", None), Verdict.TAKE),
        (5, b"new", (4, b"old", 4), Verdict.TAKE),
        (3, b"old", (4, b"new", 4), Verdict.SKIP),
        (4, b"other", (4, b"ours", 4), Verdict.ASK),
        (4, b"ours", (4, b"ours", 4), Verdict.TAKE),
        (4, b"other", (4, b"seen", None), Verdict.TAKE),
    ],
)
def test_an_index_is_not_believed_over_the_record(
    updated: int, seen: bytes, known: tuple[int, bytes, int | None], verdict: Verdict
) -> None:
    assert rules.judge(updated, seen, known) is verdict


def test_times() -> None:
    assert rules.delta_start(100_000_000, 5.0) == 95_000_000
    assert rules.delta_start(100_000_000, 4.2) == 95_000_000
    assert rules.settled_before(100.9, 5.0) == 95_000_000
    assert rules.is_settled(94_999_999, 95_000_000)
    assert not rules.is_settled(95_000_000, 95_000_000)
    assert rules.wait_after(100.0, 102.0, 5.0) == 3.0
    assert rules.wait_after(100.0, 106.0, 5.0) == 0.0
    assert rules.must_ask(3_600_000_001, 7_200.0)
    assert not rules.must_ask(3_600_000_000, 7_200.0)


def test_the_cheapest_path() -> None:
    assert [plan.walk_reads(n) for n in (0, 1, 1_000, 10_000)] == [1, 2, 12, 103]
    assert plan.walk_pays(100, 1_000)
    assert not plan.walk_pays(100, 10_000)
    assert plan.walk_pays(103, 10_000)
    assert plan.mirror_pays(100, 10_000, 10)
    assert not plan.mirror_pays(1, 50, 10)
    assert not plan.mirror_pays(100, 100_000, 10)
    assert plan.follow(100, 10_000, tells=False) == "lookup"
    assert plan.follow(100, 10_000, tells=True) == "walk"
    assert plan.follow(100, 50_000, tells=True) == "lookup"
    assert plan.follow(plan.LARGE, 50_000, tells=False) == "walk"

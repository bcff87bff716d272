"""Each form of filter finds in the sandbox what it says."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any

import pytest
from support.worlds import World

from kantos_async import F

ROWS = [
    {"name": "Acme", "value": 5, "stage": "new", "close_date": "2024-01-15"},
    {"name": "acme Nord", "value": 20, "stage": "won", "close_date": "2024-02-01"},
    {"name": "Blue", "value": 100, "stage": "lost"},
    {"name": "Green & 100% <\u00fc>"},
]


@pytest.mark.parametrize(
    ("filters", "found"),
    [
        (F.name == "Blue", "2"),
        (F.name == "Green & 100% <\u00fc>", "3"),
        (F.name != "Blue", "013"),
        (F.name.contains("ACME"), "01"),
        (F.name.is_in(["Acme", "Blue"]), "02"),
        (F.name.not_in(["Acme", "Blue"]), "13"),
        ((F.value >= 5) & (F.value < 100), "01"),
        ((F.value > 5) & (F.value <= 100), "12"),
        (F.value.empty(), "3"),
        (~F.value.empty() & F.name.contains("acme") & (F.value > 5), "1"),
        (F.close_date >= date(2024, 1, 20), "1"),
        (F.created_at >= datetime(2020, 1, 1, tzinfo=UTC), "0123"),
        (F.created_at < datetime(2020, 1, 1, tzinfo=UTC), ""),
        ({"value": {"$gte": 20}}, "12"),
        (None, "0123"),
    ],
    ids=str,
)
async def test_a_query_finds_what_its_filter_says(filters: Any, found: str) -> None:
    world = World()
    made = [
        world.core.insert("obj_deals", [{k: v for k, v in row.items() if k != "stage"}])[0]
        for row in ROWS
    ]
    async with world.client() as k:
        records = await k.records.query("obj_deals", filters).all()
    assert {record.id for record in records} == {made[int(index)] for index in found}

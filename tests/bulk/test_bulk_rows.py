"""The input: a row that cannot be read is an outcome, and what rows come from is let go."""

from __future__ import annotations

import gc
import weakref
from collections.abc import AsyncIterator
from decimal import Decimal
from typing import Any

import anyio
import pytest
from support.worlds import World

from kantos_async import Outcome, RowError

OBJECT = "obj_contacts"


async def outcomes_of(run: Any) -> list[Outcome]:
    async with run:
        return [outcome async for outcome in run]


def nested(depth: int) -> list[Any]:
    value: list[Any] = []
    for _ in range(depth):
        value = [value]
    return value


@pytest.mark.parametrize(
    ("bad", "said"),
    [
        ("half a pair \udcff", "surrogates not allowed"),
        (2**70, "64 bits|64-bit|must be"),
        (Decimal("sNaN"), "is not a number"),
        ([[1, float("nan")]], "is not a number"),
        (nested(100_000), "recursion"),
    ],
)
async def test_a_cell_that_cannot_be_written_fails_its_row_alone(bad: Any, said: str) -> None:
    world = World()
    rows = [
        {"name": "a", "email": "a@x.org"},
        {"name": bad, "email": "b@x.org"},
        {"name": "c", "email": "c@x.org"},
    ]
    async with world.client() as k:
        found = await outcomes_of(k.records.upsert_many(rows, object_id=OBJECT, key="email"))
    assert [outcome.status for outcome in found] == ["created", "failed", "created"]
    assert [outcome.key for outcome in found] == ["a@x.org", "b@x.org", "c@x.org"]
    with pytest.raises(Exception, match=said):
        raise found[1].error


@pytest.mark.parametrize("key", ["half\ud800@x.org", Decimal("sNaN"), None, ""])
async def test_a_key_that_cannot_be_read_fails_its_row_alone(key: Any) -> None:
    world = World()
    rows = [{"name": "a", "email": "a@x.org"}, {"name": "b", "email": key}]
    async with world.client() as k:
        found = await outcomes_of(k.records.upsert_many(rows, object_id=OBJECT, key="email"))
    assert [(outcome.status, outcome.key) for outcome in found] == [
        ("created", "a@x.org"),
        ("failed", None),
    ]
    assert isinstance(found[1].error, RowError)


async def test_what_map_says_of_a_row_may_be_any_text() -> None:
    def refuse(row: Any) -> Any:
        raise LookupError("half a pair \udcff")

    async with World().client() as k:
        run = k.records.upsert_many([{}], object_id=OBJECT, key="email", map=refuse)
        (found,) = await outcomes_of(run)
    assert r"LookupError: half a pair \udcff" in str(found.error)


async def test_a_row_that_cannot_be_read_still_guards_its_record() -> None:
    world = World()
    people = [{"name": f"Person {n}", "email": f"p{n}@x.org"} for n in range(20)]
    world.core.insert(OBJECT, people)
    rows = [*people[:3], {"name": "\udcff", "email": "p3@x.org"}, *people[4:19]]
    async with world.client() as k:
        run = k.records.upsert_many(rows, object_id=OBJECT, key="email", delete_missing=True)
        report = await run
    assert (report.failed, report.deleted) == (1, 1)
    kept = {record["field_values"]["email"] for record in world.core.look(OBJECT)}
    assert kept == {row["email"] for row in people[:19]}


class Source:
    """Rows from a generator that tells when it was closed."""

    def __init__(self, end: str) -> None:
        self.end = end
        self.closed = False

    async def rows(self) -> AsyncIterator[dict[str, Any]]:
        try:
            for n in range(20):
                await anyio.sleep(1)
                extra = {"nofield": 1} if self.end == "field" and n == 10 else {}
                yield {"name": f"n{n}", "email": f"g{n}@x.org", **extra}
        finally:
            await anyio.sleep(1)  # the cursor says good-bye
            self.closed = True


async def test_asynchronous_rows_are_closed_when_reading_them_ends_early() -> None:
    source = Source("field")
    rows = source.rows()
    held = weakref.ref(rows)
    async with World().client() as k:
        run = k.records.upsert_many(rows, object_id=OBJECT, key="email")
        del rows
        with pytest.raises(ValueError, match="row 11: there is no field"):
            await run
        assert source.closed
        assert run.report.rows == 0
        gc.collect()
        assert held() is None, "the run keeps its source"


async def test_a_source_that_never_closes_holds_the_run_for_a_few_seconds_only() -> None:
    async def rows() -> AsyncIterator[dict[str, Any]]:
        try:
            yield {"email": "a@x.org", "nofield": 1}
            yield {}
        finally:
            await anyio.sleep(10_000)

    async with World().client() as k:
        began = anyio.current_time()
        with pytest.raises(ValueError, match="no field"):
            await k.records.upsert_many(rows(), object_id=OBJECT, key="email")
        assert anyio.current_time() - began < 10

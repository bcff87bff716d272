"""Keeping 10,000 rows equal to records: requests, rows a second, memory.

The three usual ways stand beside it on a tenth of the rows: each of their requests belongs to a
row or to a hundred of them, so that ten times as many rows are ten times as many requests.
"""

from __future__ import annotations

import asyncio
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import msgspec

from kantos_async import ConflictError, F, KantosAsync
from kantos_async.sandbox import Sandbox

from .account import Account, Settings
from .figures import Figure, own_peak

_OBJECT = "obj_contacts"
_IN_FLIGHT = 16
_SCALE = 10  # how many times fewer rows the usual ways are measured with
_LATER = 600.0  # seconds between runs, by the server's clock

Row = dict[str, Any]
Rows = list[Row]


def _rows(count: int) -> Rows:
    return [{"name": f"Person {n}", "email": f"p{n}@example.com"} for n in range(count)]


def _changed(rows: Rows, which: slice) -> Rows:
    """The rows, some of them with another name."""
    rows = list(rows)
    rows[which] = [{**row, "name": row["name"] + "!"} for row in rows[which]]
    return rows


# ---- the usual ways --------------------------------------------------------------------------


async def _each(rows: Rows, work: Callable[[Row], Awaitable[None]]) -> None:
    left = iter(rows)

    async def worker() -> None:
        for row in left:
            await work(row)

    await asyncio.gather(*(worker() for _ in range(_IN_FLIGHT)))


async def _find(k: KantosAsync, emails: list[str]) -> dict[str, Any]:
    found = await k.records.query(_OBJECT, F.email.is_in(emails))
    return {record.field_values["email"]: record for record in found}


async def _write(k: KantosAsync, row: Row, record: Any) -> None:
    """What a look-up found, made equal to the row."""
    if record is None:
        await k.records.create(object_id=_OBJECT, field_values=row)
    elif any(record.field_values.get(slug) != value for slug, value in row.items()):
        await k.records.update(record.id, row)


async def get_or_create(k: KantosAsync, rows: Rows) -> None:
    async def work(row: Row) -> None:
        await _write(k, row, (await _find(k, [row["email"]])).get(row["email"]))

    await _each(rows, work)


async def create_then_patch(k: KantosAsync, rows: Rows) -> None:
    async def work(row: Row) -> None:
        try:
            await k.records.create(object_id=_OBJECT, field_values=row)
        except ConflictError:
            await _write(k, row, (await _find(k, [row["email"]]))[row["email"]])

    await _each(rows, work)


async def _write_batch(k: KantosAsync, batch: Rows, found: dict[str, Any]) -> None:
    await _each(batch, lambda row: _write(k, row, found.get(row["email"])))


async def look_up_hundreds(k: KantosAsync, rows: Rows) -> None:
    for start in range(0, len(rows), 100):
        batch = rows[start : start + 100]
        await _write_batch(k, batch, await _find(k, [row["email"] for row in batch]))


_WAYS = {
    "get or create": get_or_create,
    "create, patch on 409": create_then_patch,
    "look-ups of 100": look_up_hundreds,
}


# ---- requests --------------------------------------------------------------------------------


@asynccontextmanager
async def _sandbox() -> AsyncIterator[tuple[Sandbox, KantosAsync]]:
    async with (
        Sandbox() as sandbox,
        KantosAsync(
            sandbox.api_key, base_url=sandbox.url, engine="fast", max_concurrency=_IN_FLIGHT
        ) as k,
    ):
        yield sandbox, k


async def _ours(count: int) -> dict[str, int]:
    """Requests of a run in each scene; a scene is what the one before left, and its change."""
    rows = _rows(count)
    percent = count // 100
    requests: dict[str, int] = {}
    with tempfile.TemporaryDirectory() as folder:
        async with _sandbox() as (sandbox, k):

            async def run(scene: str, wanted: Rows) -> None:
                before = k.stats.requests
                report = await k.records.upsert_many(
                    wanted, object_id=_OBJECT, key="email", state=Path(folder) / "state"
                )
                assert report.failed + report.unknown == 0
                requests[scene] = k.stats.requests - before
                sandbox.core.clock_offset += _LATER

            await run("first load", rows)
            await run("nothing changed, sort not yet proven", rows)
            ids = [record["id"] for record in sandbox.records(_OBJECT)]
            sandbox.update(
                ids[0], {"phone": "+44 20 7946 0000"}
            )  # changed after younger ones were created
            await run("one changed there, in another field", rows)
            await run("nothing changed", rows)
            rows = _changed(rows, slice(percent))
            await run("1 % changed here", rows)
            rows = _changed(rows, slice(percent, 2 * percent))
            for record_id in ids[-percent:]:
                sandbox.update(record_id, {"name": "Somebody"})
            await run("1 % changed here, 1 % there", rows)
            sandbox.delete(ids[count // 2])
            await run("one deleted there", rows)
    return requests


async def _usual(way: Callable[[KantosAsync, Rows], Awaitable[None]], count: int) -> dict[str, int]:
    rows = _rows(count)
    requests: dict[str, int] = {}
    async with _sandbox() as (_, k):
        scenes = {
            "first load": rows,
            "nothing changed": rows,
            "1 % changed here": _changed(rows, slice(count // 100)),
        }
        for scene, wanted in scenes.items():
            before = k.stats.requests
            await way(k, wanted)
            requests[scene] = k.stats.requests - before
    return requests


# ---- a first load, in a process of its own ---------------------------------------------------


class _Load(msgspec.Struct):
    seconds: float
    peak: float | None


async def _load_alone(url: str, key: str, count: int) -> _Load:
    rows = ({"name": f"Person {n}", "email": f"p{n}@example.com"} for n in range(count))
    async with KantosAsync(key, base_url=url, engine="fast", max_concurrency=_IN_FLIGHT) as k:
        start = time.perf_counter()
        report = await k.records.upsert_many(rows, object_id=_OBJECT, key="email")
        seconds = time.perf_counter() - start
    assert report.created == count
    return _Load(seconds, own_peak())


def _load(count: int) -> _Load:
    account = Account(Settings())
    try:
        command = [sys.executable, "-m", "benchmarks.bulk", account.url, account.key, str(count)]
        done = subprocess.run(command, check=True, capture_output=True)
        return msgspec.json.decode(done.stdout, type=_Load)
    finally:
        account.kill()


def measure(quick: bool) -> list[Figure]:
    count = 2_000 if quick else 10_000
    ours = asyncio.run(_ours(count))
    usual = {name: asyncio.run(_usual(way, count // _SCALE)) for name, way in _WAYS.items()}
    figures = [
        Figure(
            name=f"{count:,} rows, {scene}",
            value=requests,
            unit="requests",
            target=1 if scene == "nothing changed" else None,
            sides={
                name: f"{found[scene] * _SCALE:,}"
                for name, found in usual.items()
                if scene in found
            },
        )
        for scene, requests in ours.items()
    ]
    load, less = _load(count), _load(count // _SCALE)
    figures.append(
        Figure(
            name=f"{count:,} rows, first load at {_IN_FLIGHT} in flight",
            value=count / load.seconds,
            unit="rows/s",
            sides={"wall": f"{load.seconds:.1f} s"},
        )
    )
    if load.peak is not None and less.peak is not None:
        figures.append(
            Figure(
                name=f"peak memory of loading {count:,} rows less that of {count // _SCALE:,}",
                value=load.peak - less.peak,
                unit="MiB",
                sides={"peak": f"{load.peak:.1f} MiB"},
            )
        )
    return figures


if __name__ == "__main__":
    _url, _key, _count = sys.argv[1:]
    sys.stdout.buffer.write(msgspec.json.encode(asyncio.run(_load_alone(_url, _key, int(_count)))))

"""Syncs many rows with an object that exists only as a formula, and tells its peak memory."""

from __future__ import annotations

import asyncio
import json
import re
import sys
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import msgspec

from kantos_async import KantosAsync, Reply, Request

START = datetime(2024, 1, 1, tzinfo=UTC)
OBJECT = {
    "id": "obj_contacts",
    "name": "Contacts",
    "fields": [
        {"id": "f1", "name": "Name", "slug": "name", "type": "text"},
        {"id": "f2", "name": "Email", "slug": "email", "type": "email", "unique": True},
    ],
}


def row(n: int) -> dict[str, Any]:
    return {"name": f"Person {n}", "email": f"p{n}@example.com"}


def stamp(n: int) -> str:
    return (START + timedelta(seconds=n)).strftime("%Y-%m-%dT%H:%M:%SZ")


def record(n: int) -> dict[str, Any]:
    at = stamp(n)
    return {
        "id": f"rec_{n}",
        "object_id": "obj_contacts",
        "field_values": row(n),
        "created_at": at,
        "updated_at": at,
    }


class Formula:
    """An engine that answers as if there were `count` records."""

    def __init__(self, count: int) -> None:
        self.count = count

    async def send(self, request: Request, timeout: float) -> Reply:
        parts = urlsplit(request.url)
        if parts.path.endswith("/objects/obj_contacts"):
            answer: Any = OBJECT
        else:
            answer = self.page({name: value[0] for name, value in parse_qs(parts.query).items()})
        date = datetime.now(UTC).strftime("%a, %d %b %Y %H:%M:%S GMT").encode()
        return Reply(200, [(b"date", date)], msgspec.json.encode(answer))

    def page(self, query: dict[str, str]) -> dict[str, Any]:
        first, last = 0, self.count
        filters = json.loads(query.get("filters", "{}"))
        if keys := filters.get("email"):
            numbers = [int(re.findall(r"\d+", key)[0]) for key in keys["$in"]]
            return self.answer(numbers, len(numbers))
        found = filters.get("created_at", {})
        for operator, text in found.items():
            at = int((datetime.fromisoformat(text) - START).total_seconds())
            if operator == "$gte":
                first = max(first, at)
            else:
                last = min(last, at)
        wanted = range(first, last)
        if query.get("order") == "desc":
            wanted = wanted[::-1]
        return self.answer(wanted[:100], max(0, last - first))

    @staticmethod
    def answer(numbers: Sequence[int], total: int) -> dict[str, Any]:
        records = [record(n) for n in numbers]
        pages = {"total": total, "page": 1, "per_page": 100, "total_pages": -(-total // 100)}
        return {"data": records, "pagination": pages}

    async def aclose(self) -> None:
        pass


def peak() -> float:
    status = Path("/proc/self/status").read_text()
    return int(re.findall(r"VmHWM:\s+(\d+)", status)[0]) / 1024


async def main(count: int, state: str) -> None:
    def rows(many: int) -> Iterator[dict[str, Any]]:
        return (row(n) for n in range(many))

    engine = Formula(1_000)
    async with KantosAsync("kantos_x", base_url="http://formula.invalid/api", engine=engine) as k:
        many = k.records.upsert_many
        report = await many(rows(1_000), object_id="obj_contacts", key="email")
        assert report.unchanged == 1_000
        before = peak()
        engine.count = count
        for _ in range(2):
            run = many(rows(count), object_id="obj_contacts", key="email", state=state or None)
            async with run:
                unchanged = [0]
                async for outcome in run:
                    unchanged[0] += outcome.status == "unchanged"
            assert unchanged[0] == count
        print(before, peak())


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]), sys.argv[2]))

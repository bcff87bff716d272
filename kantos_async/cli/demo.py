"""`kantos demo`: the main job from end to end, on a sandbox, over HTTP."""

from __future__ import annotations

import csv
import tempfile
import time
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar

import anyio
from cyclopts.types import PositiveInt

from .. import KantosAsync
from ..sandbox import Sandbox
from .exits import ExitCode
from .output import STANDARD, Output
from .people import STATUSES, write_csv
from .progress import Display
from .quota import quota_left

__all__ = ["demo"]

T = TypeVar("T")
Row = dict[str, Any]

#: The Professional plan's quota, in windows of seconds, so that one sees them turn.
LIMIT, WINDOW = 1_000, 4.0
CONCURRENCY = 16

FIELDS: Sequence[dict[str, Any]] = (
    {"name": "Name", "type": "text", "required": True},
    {"name": "Email", "type": "email", "required": True, "unique": True},
    {"name": "Phone", "type": "phone"},
    {"name": "Company", "type": "text"},
    {"name": "Status", "type": "status", "options": {"stages": [s.title() for s in STATUSES]}},
    {"name": "Deal Value", "type": "currency"},
    {"name": "Signed On", "type": "date"},
    {"name": "VIP", "type": "boolean"},
    {"name": "Notes", "type": "long_text"},
)


async def demo(*, rows: PositiveInt = 2_000, seed: int = 1, out: Output = STANDARD) -> ExitCode:
    """Push people into a sandbox, stream them back, change and delete some, and compare.

    The sandbox grants 1,000 requests in 4 seconds. The exit code is 0 only if what was read back
    equals what was written.

    Example: `kantos demo --rows 5000`

    Args:
        rows: How many people.
        seed: Another number invents other people.
        out: What every command shares.
    """
    people = invent(rows, seed)
    began = time.perf_counter()
    async with (
        Sandbox(limit=LIMIT, window=WINDOW) as sandbox,
        KantosAsync(sandbox.api_key, base_url=sandbox.url, max_concurrency=CONCURRENCY) as k,
    ):
        with out.progress() as display:
            tour = Tour(k, display)
            await tour.take(people)
        retries, log = k.stats.retries, sandbox.log
    windows = len({entry.time // WINDOW for entry in log})
    out.facts(
        "kantos demo",
        {
            "records created": rows,
            "records changed": tour.changed,
            "records deleted": tour.deleted,
            "records read back": tour.read,
            "differences": tour.differences,
            # Counted by the server, which is the one that counts.
            "requests": len(log),
            "retries": retries,
            "refusals": sum(entry.status == 429 for entry in log),
            "quota used": f"{len(log):,} of {windows * LIMIT:,} in {windows} windows",
            "seconds": round(time.perf_counter() - began, 1),
        },
    )
    return ExitCode.ROWS_FAILED if tour.differences else ExitCode.OK


class Tour:
    """The stages of the demonstration, with what the object must hold after each of them."""

    def __init__(self, k: KantosAsync, display: Display) -> None:
        self._k = k
        self._display = display
        self._object_id = ""
        self._expected: dict[str, Row] = {}
        self.changed = self.deleted = self.read = self.differences = 0

    async def take(self, people: Sequence[Row]) -> None:
        """Take every stage in turn."""
        self._object_id = (await self._k.objects.create(name="People", fields=list(FIELDS))).id
        await self._each("Pushing in", people, self._push)
        await self._compare("Reading back")
        everybody = list(self._expected)
        await self._each("Changing every tenth", everybody[::10], self._change)
        await self._each("Deleting every twentieth", everybody[::20], self._delete)
        await self._compare("Reading back again")

    async def _push(self, person: Row) -> None:
        record = await self._k.records.create(object_id=self._object_id, field_values=person)
        self._expected[record.id] = person

    async def _change(self, record_id: str) -> None:
        values = {"status": "qualified", "notes": "Angerufen, möchte ein Angebot 📞"}
        await self._k.records.update(record_id, values)
        self._expected[record_id] = self._expected[record_id] | values
        self.changed += 1

    async def _delete(self, record_id: str) -> None:
        await self._k.records.delete(record_id)
        del self._expected[record_id]
        self.deleted += 1

    async def _compare(self, title: str) -> None:
        missing = dict(self._expected)
        with self._display.step(title, len(missing)) as step:
            async for record in self._k.records.query(self._object_id):
                values = {slug: v for slug, v in record.field_values.items() if v is not None}
                # A record that comes twice, or that nobody wrote, is no longer or never here.
                if missing.pop(record.id, None) != values:
                    self.differences += 1
                self.read += 1
                step.advance()
        self.differences += len(missing)

    async def _each(
        self, title: str, items: Sequence[T], work: Callable[[T], Awaitable[None]]
    ) -> None:
        """Do the work for every item, some at a time."""
        waiting = iter(items)

        async def worker() -> None:
            for item in waiting:
                await work(item)
                step.advance()

        with self._display.step(title, len(items)) as step:
            step.note(lambda: quota_left(self._k.stats))
            async with anyio.create_task_group() as group:
                for _ in range(CONCURRENCY):
                    group.start_soon(worker)


def invent(rows: int, seed: int) -> list[Row]:
    """People by way of a CSV file, as they would come: typed, empty cells left out."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "people.csv"
        with file.open("w", encoding="utf-8", newline="") as writing:
            write_csv(writing, rows, seed)
        with file.open(encoding="utf-8", newline="") as reading:
            return [
                {slug: _TYPES.get(slug, str)(cell) for slug, cell in line.items() if cell}
                for line in csv.DictReader(reading)
            ]


_TYPES: dict[str, Callable[[str], Any]] = {
    "deal_value": float,
    "vip": lambda cell: cell == "true",
}

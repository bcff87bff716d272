"""Keep contacts equal to a CSV file: python examples/sync_csv.py leads.csv

    KANTOS_API_KEY=... python examples/sync_csv.py leads.csv contacts.state

The first run creates and updates what differs; each later one costs what changed since. Stop it at
any time, and run it again: it goes on. `await k.records.undo(state)` takes the last run back.
"""

import asyncio
import csv
import sys
from collections.abc import Iterator
from pathlib import Path

from kantos_async import KantosAsync


def rows(path: str) -> Iterator[dict[str, str]]:
    with Path(path).open(encoding="utf-8-sig", newline="") as file:
        yield from csv.DictReader(file)


def contact(row: dict[str, str]) -> dict[str, str]:
    """A line of the file as field values; empty cells leave a field as it is."""
    return {slug.strip().lower(): text.strip() for slug, text in row.items()}


async def main(path: str, state: str) -> None:
    async with KantosAsync() as k:
        run = k.records.upsert_many(
            rows(path), object_id="obj_contacts", key="email", map=contact, state=state
        )
        plan = await run.explain()
        print(f"{plan.path}: {plan.why}; {plan.requests} requests")
        async with run:
            async for outcome in run:
                if outcome.status in {"failed", "unknown"}:
                    print(f"row {outcome.row} ({outcome.key}): {outcome.error}")
        report = run.report
        print(
            f"{report.created} created, {report.updated} updated, {report.unchanged} unchanged, "
            f"{report.failed} failed, in {report.requests} requests"
        )


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], *(sys.argv[2:] or ["contacts.state"])))

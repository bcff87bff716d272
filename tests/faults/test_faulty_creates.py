"""Creates under every fault: none is doubled, and each is accounted for."""

from __future__ import annotations

from collections import Counter
from typing import Any

import anyio
import pytest
from support.rows import ALL, many
from support.virtual import virtual_backend
from support.worlds import World

from kantos_async import KantosAsync, KantosError, Record, RetryPolicy, UnknownOutcomeError
from kantos_async.sandbox import Sandbox

FAULTS = [
    "refused",
    "drop_before",
    "drop_after",
    "late_commit",
    "error_before",
    "error_after",
    "unavailable",
    "slow_headers",
    "slow_body",
    "truncated",
    "html",
    "html_after",
    "redirect",
]
ALONE = [{fault: 0.05} for fault in FAULTS]
IN_SUM = {fault: 0.2 / len(FAULTS) for fault in FAULTS}
PLANS = [*ALONE, IN_SUM] if ALL else [{"drop_after": 0.05}, {"late_commit": 0.05}, IN_SUM]


def name(plan: dict[str, float]) -> str:
    return next(iter(plan)) if len(plan) == 1 else "all"


class Tally:
    """What became of each row, by the client's own word."""

    def __init__(self) -> None:
        self.made: dict[str, Record] = {}
        self.unknown: set[str] = set()
        self.failed: dict[str, KantosError] = {}


async def create_all(k: KantosAsync, count: int, unique_by: str | None) -> Tally:
    tally = Tally()

    async def create(email: str) -> None:
        values = {"name": "Zoë", "email": email}
        try:
            tally.made[email] = await k.records.create(
                object_id="obj_contacts", field_values=values, unique_by=unique_by
            )
        except UnknownOutcomeError:
            tally.unknown.add(email)
        except KantosError as error:
            tally.failed[email] = error

    async with anyio.create_task_group() as group:
        for n in range(count):
            group.start_soon(create, f"{n}@example.com")
    return tally


def check(rows: list[dict[str, Any]], tally: Tally, count: int, unique_by: str | None) -> None:
    stored = Counter(row["field_values"]["email"] for row in rows)
    doubled = [email for email, times in stored.items() if times > 1]
    assert doubled == []
    ids = {row["field_values"]["email"]: row["id"] for row in rows}
    for email, record in tally.made.items():
        assert ids[email] == record.id
    if unique_by is not None:
        assert tally.failed == {}
        assert tally.unknown == set()
        assert len(tally.made) == len(rows) == count
    else:
        # Done, or unknown, or done without a readable record; nothing that is stored is "failed".
        done = {email for email, error in tally.failed.items() if getattr(error, "done", False)}
        assert not stored.keys() - tally.made.keys() - tally.unknown - done
        assert len(tally.made) + len(tally.unknown) + len(tally.failed) == count


@pytest.fixture(params=["asyncio", "trio"])
def anyio_backend(request: pytest.FixtureRequest) -> Any:
    """On virtual time, but where the sockets are real."""
    return request.param if "http" in request.node.name else virtual_backend(request.param)


@pytest.mark.parametrize("unique_by", ["email", None])
@pytest.mark.parametrize("plan", PLANS, ids=name)
async def test_creates_on_virtual_time(plan: dict[str, float], unique_by: str | None) -> None:
    count = many(400, 5000)
    world = World(seed=7)
    world.core.faults.set(search_lag=1.0, seed=7, **plan)
    policy = RetryPolicy(attempts=10, rng=world.random.random)
    async with world.client(retry=policy) as k:
        tally = await create_all(k, count, unique_by)
        await anyio.sleep(2)  # late commits
        check(world.core.look("obj_contacts"), tally, count, unique_by)
        assert k.stats.requests == world.engine.sent
    if unique_by is None and "drop_after" in plan:
        assert tally.unknown


@pytest.mark.parametrize("engine", [None, "fast"], ids=["httpx", "fast"])
@pytest.mark.parametrize("unique_by", ["email", None])
async def test_creates_over_http(engine: Any, unique_by: str | None, anyio_backend: str) -> None:
    if engine == "fast" and anyio_backend == "trio":
        pytest.skip("the fast engine is for asyncio")
    count = many(200, 5000)
    plan = {**IN_SUM, "refused": 0.002}
    async with Sandbox() as sb:
        sb.faults.set(search_lag=0.3, lateness=0.3, slow=(0.01, 0.05), seed=3, **plan)
        async with KantosAsync(
            sb.api_key,
            base_url=sb.url,
            engine=engine,
            retry=RetryPolicy(attempts=10, base=0.05, cap=0.4),
        ) as k:
            tally = await create_all(k, count, unique_by)
            await anyio.sleep(0.4)
            check(sb.records("obj_contacts"), tally, count, unique_by)
            arrived = sum(entry.status != 0 or entry.fate != "refused" for entry in sb.log)
            assert arrived <= k.stats.requests

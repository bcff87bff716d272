"""The gate against a server's quota, on virtual time."""

from __future__ import annotations

from typing import Any

import anyio
import pytest
from support.virtual import virtual_backend
from support.worlds import World

from kantos_async import KantosAsync


@pytest.fixture(params=["asyncio", "trio"])
def anyio_backend(request: pytest.FixtureRequest) -> tuple[str, dict[str, Any]]:
    return virtual_backend(request.param)


async def burst(k: KantosAsync, count: int) -> None:
    async with anyio.create_task_group() as group:
        for _ in range(count):
            group.start_soon(k.request, "GET", "/crm/objects")


@pytest.mark.parametrize("windows", ["aligned", "first"])
async def test_a_burst_over_many_windows_is_never_refused(windows: str) -> None:
    world = World(limit=100, window=5, windows=windows)
    async with world.client() as k:
        await burst(k, 700)
        idle = idle_after_resets(world, 5)
        assert world.refused == 0
        assert k.stats.requests == 700
        print(idle)


def idle_after_resets(world: World, window: int) -> list[float]:
    firsts: dict[int, float] = {}
    for entry in world.core.log:
        firsts.setdefault(int(entry.time // window), entry.time % window)
    return list(firsts.values())

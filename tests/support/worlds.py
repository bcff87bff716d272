"""A client and the sandbox's core in one process, without sockets and on the loop's own clock."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

import anyio

from kantos_async import EngineFailure, KantosAsync, Reply, Request
from kantos_async.sandbox import Core, Quota

#: The server's time when the loop's clock shows 0: the middle of a second, and of a minute.
EPOCH = 1_700_000_025.5


class CoreEngine:
    """Carries requests to a core, and acts on what it says of each answer's way back.

    Args:
        latency: seconds each way, drawn anew for each request.
    """

    def __init__(self, core: Core, latency: Callable[[], float] = lambda: 0.005) -> None:
        self.core = core
        self.latency = latency
        self.sent = 0
        self.closed = False

    async def send(self, request: Request, timeout: float) -> Reply:
        self.sent += 1
        reply: Reply | None = None
        with anyio.move_on_after(timeout):
            reply = await self._carry(request)
        if reply is None:
            raise EngineFailure("timed out", sent="maybe", timed_out=True)
        return reply

    async def _carry(self, request: Request) -> Reply:
        await anyio.sleep(self.latency())
        target = "/" + request.url.split("/", 3)[3]
        answer = self.core.exchange(request.method, target, request.headers, request.body or b"")
        way = answer.delivery
        if way.kind == "refuse":
            raise EngineFailure("refused", sent="no")
        if way.kind == "drop":
            raise EngineFailure("dropped", sent="maybe")
        headers = [(name.encode(), value.encode()) for name, value in answer.headers]
        await anyio.sleep(way.headers_after + self.latency())
        if way.kind == "truncate":
            partial = Reply(answer.status, headers, b"")
            raise EngineFailure("cut off", sent="maybe", partial=partial)
        await anyio.sleep(way.body_after)
        return Reply(answer.status, headers, answer.body)

    async def aclose(self) -> None:
        self.closed = True


class World:
    """A core, an engine to it, and clients over it."""

    def __init__(
        self,
        *,
        limit: int | None = None,
        window: float = 60.0,
        windows: str = "aligned",
        daily: int | None = None,
        latency: tuple[float, float] = (0.002, 0.02),
        seed: int = 0,
        **core: Any,
    ) -> None:
        self.random = random.Random(seed)
        quota = Quota(limit, window, windows, daily)  # type: ignore[arg-type]
        self.core = Core(quota=quota, clock=lambda: EPOCH + anyio.current_time(), seed=seed, **core)
        self.engine = CoreEngine(self.core, lambda: self.random.uniform(*latency))

    def client(self, **settings: Any) -> KantosAsync:
        return KantosAsync(
            settings.pop("api_key", self.core.keys.first.key),
            base_url="http://world.invalid/api",
            engine=settings.pop("engine", self.engine),
            **settings,
        )

    @property
    def refused(self) -> int:
        return sum(entry.status == 429 for entry in self.core.log)

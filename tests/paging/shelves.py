"""An engine that answers queries from a function, and counts them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qs, urlsplit

import anyio
import anyio.lowlevel
import msgspec
import trio

from kantos_async import EngineFailure, KantosAsync, Reply, Request


class Shelf:
    """So many records, a page's worth for each request.

    Args:
        number: how many records there are.
        lie: changes the `pagination` of an answer.
        fail: page numbers that are never answered.
        turn: the page that is given instead of the one asked for.
    """

    def __init__(
        self,
        number: int,
        *,
        lie: Callable[[dict[str, int]], dict[str, int]] = lambda pagination: pagination,
        fail: tuple[int, ...] = (),
        turn: Callable[[int], int] = lambda page: page,
        latency: float = 0.01,
    ) -> None:
        self.number = number
        self.lie = lie
        self.fail = fail
        self.turn = turn
        self.latency = latency
        #: The pages asked for, in the order of their asking.
        self.asked: list[int] = []
        self.queries: list[dict[str, str]] = []
        #: Requests that wait for their answer.
        self.open = 0

    async def send(self, request: Request, timeout: float) -> Reply:
        query = {name: values[0] for name, values in parse_qs(urlsplit(request.url).query).items()}
        page, size = int(query["page"]), int(query["per_page"])
        self.asked.append(page)
        self.queries.append(query)
        self.open += 1
        try:
            await anyio.sleep(self.latency)
        finally:
            self.open -= 1
        if page in self.fail:
            raise EngineFailure("nobody there", sent="no")
        return Reply(200, [], msgspec.json.encode(self.answer(page, size)))

    def answer(self, page: int, size: int) -> dict[str, Any]:
        first = (self.turn(page) - 1) * size
        numbers = range(first, min(first + size, self.number))
        pagination = {
            "total": self.number,
            "page": page,
            "per_page": size,
            "total_pages": -(-self.number // size),
        }
        return {"data": [_row(number) for number in numbers], "pagination": self.lie(pagination)}

    async def aclose(self) -> None:
        pass

    def client(self, **settings: Any) -> KantosAsync:
        return KantosAsync("kantos_1", base_url="http://shelf.invalid", engine=self, **settings)


def _row(number: int) -> dict[str, Any]:
    return {
        "id": f"rec_{number}",
        "object_id": "obj",
        "field_values": {},
        "created_at": "2024-01-15T10:30:00Z",
        "updated_at": "2024-01-15T10:30:00Z",
    }


def tasks() -> int:
    """How many tasks live on this loop, whoever started them."""
    try:
        return len(asyncio.all_tasks())
    except RuntimeError:
        return trio.lowlevel.current_statistics().tasks_living


async def settle() -> None:
    """Let the loop do what it has been told to do."""
    for _ in range(5):
        await anyio.lowlevel.checkpoint()


__all__ = ["Shelf", "settle", "tasks"]

"""The clients that are compared, each in a process of its own: many calls, 16 at a time.

`python -m benchmarks.rivals NAME OBJECT URL KEY RECORD CALLS START`: reads RECORD so many times,
or creates so many records of OBJECT where one is named, from the Unix time START on. Prints an
`Outcome`.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import sys
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from email.utils import parsedate_to_datetime
from subprocess import PIPE, Popen, TimeoutExpired
from typing import Any

import httpx
import msgspec

from .account import Account

IN_FLIGHT = 16
_WAITS = (1, 2, 4)  # the documentation's advice, in seconds

Send = Callable[[str, str, Any], Awaitable[Any]]
Client = AbstractAsyncContextManager[Send]


class Outcome(msgspec.Struct, frozen=True):
    """What one client reports of its calls."""

    #: Exceptions by class.
    failed: dict[str, int]
    #: Unix time when all was done.
    ended: float
    finished: bool = True


# ---- the clients -----------------------------------------------------------------------------


@contextlib.asynccontextmanager
async def ours(url: str, key: str, *, unique_by: str | None = None) -> AsyncIterator[Send]:
    from kantos_async import KantosAsync  # noqa: PLC0415 - one client a process

    async def send(method: str, path: str, body: Any) -> None:
        if method == "POST":
            await k.records.create(**body, unique_by=unique_by)
        else:
            await k.records.get(path.rpartition("/")[2])

    async with KantosAsync(key, base_url=url, max_concurrency=IN_FLIGHT, engine="fast") as k:
        yield send


@contextlib.asynccontextmanager
async def _httpx(url: str, key: str) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(base_url=url, headers={"X-Api-Key": key}, timeout=30) as client:
        yield client


async def _patiently(client: httpx.AsyncClient, method: str, path: str, body: Any) -> None:
    """A request, repeated after 1, 2 and 4 seconds on a 429 or a lost connection."""
    for wait in (*_WAITS, None):
        try:
            (await client.request(method, path, json=body)).raise_for_status()
        except httpx.HTTPStatusError as error:
            if wait is None or error.response.status_code != 429:
                raise
        except httpx.TransportError:
            if wait is None:
                raise
        else:
            return
        await asyncio.sleep(wait)


@contextlib.asynccontextmanager
async def loop(url: str, key: str) -> AsyncIterator[Send]:
    async with _httpx(url, key) as client:
        yield lambda method, path, body: _patiently(client, method, path, body)


@contextlib.asynccontextmanager
async def openai(url: str, key: str) -> AsyncIterator[Send]:
    from openai import AsyncOpenAI  # noqa: PLC0415

    async def send(method: str, path: str, body: Any) -> None:
        if method == "POST":
            await client.post(path, cast_to=object, body=body)
        else:
            await client.get(path, cast_to=object)

    async with AsyncOpenAI(
        api_key=key, base_url=url, timeout=30, default_headers={"X-Api-Key": key}
    ) as client:
        yield send


@contextlib.asynccontextmanager
async def aiolimiter(url: str, key: str) -> AsyncIterator[Send]:
    """Told the limit and the window; 429s as in the bare loop."""
    from aiolimiter import AsyncLimiter  # noqa: PLC0415

    limiter = AsyncLimiter(LIMIT, WINDOW)

    async with _httpx(url, key) as client:

        async def send(method: str, path: str, body: Any) -> None:
            async with limiter:
                await _patiently(client, method, path, body)

        yield send


@contextlib.asynccontextmanager
async def hikari(url: str, key: str) -> AsyncIterator[Send]:
    """hikari's bucket, given the reset less `Date` for the header that Kantos does not send."""
    logging.getLogger("hikari").setLevel(logging.ERROR)
    from hikari.impl.buckets import UNKNOWN_HASH, RESTBucket  # noqa: PLC0415
    from hikari.impl.rate_limits import ManualRateLimiter  # noqa: PLC0415
    from hikari.internal.routes import Route  # noqa: PLC0415

    route = Route("GET", "/crm/record").compile()
    bucket = RESTBucket(UNKNOWN_HASH, route, ManualRateLimiter(), 300.0)

    def learn(headers: httpx.Headers) -> None:
        limit, left, reset = (
            int(headers[f"x-ratelimit-{name}"]) for name in ("limit", "remaining", "reset")
        )
        after = max(1.0, reset - parsedate_to_datetime(headers["date"]).timestamp())
        if bucket.is_unknown:
            bucket.resolve("known", left, limit, reset, after)
        else:
            bucket.update_rate_limit(left, limit, reset, after)

    async with _httpx(url, key) as client:

        async def send(method: str, path: str, body: Any) -> None:
            while True:
                async with bucket:
                    answer = await client.request(method, path, json=body)
                    learn(answer.headers)
                if answer.status_code != 429:
                    answer.raise_for_status()
                    return

        yield send


LIMIT, WINDOW = 500, 5.0
CLIENTS: dict[str, Callable[[str, str], Client]] = {
    "ours": ours,
    "ours, unique_by": lambda url, key: ours(url, key, unique_by="email"),
    "bare loop": loop,
    "openai": openai,
    "aiolimiter": aiolimiter,
    "hikari": hikari,
}


# ---- one run ---------------------------------------------------------------------------------


def _create(object_id: str, number: int) -> dict[str, Any]:
    values = {"name": f"n{number}"}
    if object_id == "obj_contacts":
        values["email"] = f"n{number}@example.com"
    return {"object_id": object_id, "field_values": values}


async def _run(name: str, object_id: str, account: list[str], calls: int, start: float) -> Outcome:
    url, key, record_id = account
    failed: Counter[str] = Counter()
    numbers = iter(range(calls))
    async with CLIENTS[name](url, key) as send:

        async def worker() -> None:
            for number in numbers:
                try:
                    if object_id:
                        await send("POST", "/crm/record", _create(object_id, number))
                    else:
                        await send("GET", f"/crm/record/{record_id}", None)
                except Exception as error:
                    failed[type(error).__name__] += 1

        await asyncio.sleep(max(0.0, start - time.time()))
        await asyncio.gather(*(worker() for _ in range(IN_FLIGHT)))
        ended = time.time()
    return Outcome(dict(failed), ended)


class Run:
    """A client at work in a process of its own."""

    def __init__(
        self, name: str, account: Account, calls: int, start: float, object_id: str = ""
    ) -> None:
        words = [name, object_id, account.url, account.key, account.record_id]
        words += [str(calls), str(start)]
        command = [sys.executable, "-m", "benchmarks.rivals", *words]
        self._process = Popen(command, stdout=PIPE)

    def outcome(self, until: float) -> Outcome:
        """What it reports, or that it had not finished by then (Unix time)."""
        try:
            answer, _ = self._process.communicate(timeout=max(0.1, until - time.time()))
        except TimeoutExpired:
            self._process.kill()
            self._process.communicate()
            return Outcome({}, until, finished=False)
        return msgspec.json.decode(answer, type=Outcome)


if __name__ == "__main__":
    _name, _object_id, *_account, _calls, _start = sys.argv[1:]
    _outcome = asyncio.run(_run(_name, _object_id, _account, int(_calls), float(_start)))
    sys.stdout.buffer.write(msgspec.json.encode(_outcome))

"""Carries webhooks from the outbox to where they go."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from .core import Core
from .outbox import Parcel

if TYPE_CHECKING:
    import httpx

__all__ = ["deliver"]

#: Seconds between two looks into the outbox.
_TICK = 0.02
#: Seconds that a receiver has to answer, as documented.
_PATIENCE = 30.0
#: How many webhooks are on their way at once: it is the server's own loop that carries them, and
#: hundreds that connect at the same time leave it no turn for anybody else.
_MOST = 20


async def deliver(core: Core) -> None:
    """Carry whatever is due, until cancelled.

    The core's clock says when something is due, so that a test moves it and need not wait.
    """
    carriers: set[asyncio.Task[None]] = set()
    client: httpx.AsyncClient | None = None
    try:
        while True:
            for parcel in core.due_parcels(_MOST - len(carriers)):
                client = client or _client()
                task = asyncio.create_task(_carry(core, client, parcel))
                carriers.add(task)
                task.add_done_callback(carriers.discard)
            await asyncio.sleep(_TICK)
    finally:
        for task in carriers:
            task.cancel()
        if client:
            await client.aclose()


def _client() -> httpx.AsyncClient:
    import httpx  # noqa: PLC0415 - most sandboxes send nothing

    return httpx.AsyncClient(timeout=_PATIENCE, trust_env=False)


async def _carry(core: Core, client: httpx.AsyncClient, parcel: Parcel) -> None:
    try:
        # Over all: httpx's own timeout is for each read, and a trickle never ends.
        async with asyncio.timeout(_PATIENCE):
            answer = await client.request(
                parcel.method, parcel.url, content=parcel.body, headers=parcel.headers
            )
    except TimeoutError:
        core.settle_parcel(parcel, 0, f"no answer within {_PATIENCE:.0f} seconds")
    except Exception as error:  # Whatever is wrong with a URL or a receiver, it is no answer.
        core.settle_parcel(parcel, 0, str(error) or type(error).__name__)
    else:
        core.settle_parcel(parcel, answer.status_code)

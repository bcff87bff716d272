"""Receive webhooks in a Starlette app: verified, each event handled once, across restarts.

    KANTOS_WEBHOOK_SECRET=... python examples/webhook_receiver.py

Then let Kantos post to https://<your host>/webhooks/kantos. While a secret is being rotated, give
both, separated by a comma.
"""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import uvicorn
from starlette.applications import Starlette
from starlette.routing import Mount

from kantos_async.webhooks import (
    RecordCreated,
    RecordDeleted,
    SQLiteStore,
    WebhookEvent,
    WebhookReceiver,
)


def make_app(secrets: list[str], deliveries: Path) -> Starlette:
    store = SQLiteStore(deliveries)
    receiver = WebhookReceiver(secrets, store=store)

    @receiver.on("record.created")
    async def greet(event: RecordCreated) -> None:
        print(f"new in {event.object_id}: {event.field_values.get('name', event.record_id)}")

    @receiver.on("record.deleted")
    def forget(event: RecordDeleted) -> None:  # a plain function runs in a thread
        print(f"gone: {event.record_id}")

    @receiver.on("*")
    async def audit(event: WebhookEvent) -> None:
        print(f"{event.timestamp} {event.event} {event.fingerprint[:12]}")

    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        yield
        store.close()

    return Starlette(routes=[Mount("/webhooks/kantos", app=receiver)], lifespan=lifespan)


if __name__ == "__main__":
    secrets = os.environ["KANTOS_WEBHOOK_SECRET"].split(",")
    uvicorn.run(make_app(secrets, Path("deliveries.db")), host="127.0.0.1", port=8000)

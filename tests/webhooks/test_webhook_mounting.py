"""The receiver below a path of the frameworks that people mount it in, with their own routes."""

import hashlib
import hmac
import json

import httpx
import pytest

from kantos_async.webhooks import WebhookReceiver

SECRET = "whsec_test"


def starlette(receiver):
    from starlette.applications import Starlette
    from starlette.routing import Mount

    return Starlette(routes=[Mount("/hooks/kantos", app=receiver)])


def fastapi(receiver):
    from fastapi import FastAPI

    app = FastAPI()
    app.mount("/hooks/kantos", receiver)
    return app


def litestar(receiver):
    from litestar import Litestar, asgi

    return Litestar([asgi("/hooks/kantos", is_mount=True, copy_scope=True)(receiver.__call__)])


@pytest.mark.parametrize(
    "framework", [starlette, fastapi, litestar], ids=lambda make: make.__name__
)
async def test_it_mounts(framework):
    pytest.importorskip(framework.__name__)
    receiver = WebhookReceiver(SECRET)
    seen = []

    @receiver.on("record.created")
    async def remember(event):
        seen.append(event.record_id)

    event = {"event": "record.created", "data": {"id": "rec_1"}}
    covered = json.dumps(event).encode()
    signature = f"sha256={hmac.new(SECRET.encode(), covered, hashlib.sha256).hexdigest()}"
    body = json.dumps({**event, "signature": signature})
    transport = httpx.ASGITransport(framework(receiver))
    async with httpx.AsyncClient(transport=transport, base_url="http://app") as client:
        statuses = [
            (await client.post(path, content=content, follow_redirects=True)).status_code
            for path, content in [
                ("/hooks/kantos", body),
                ("/hooks/kantos/", body),
                ("/hooks/kantos", "{}"),
                ("/elsewhere", body),
            ]
        ]
    assert statuses == [200, 200, 400, 404]
    assert seen == ["rec_1"]

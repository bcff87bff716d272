import hashlib
import hmac
import json
import os
import re
import signal
import subprocess
import sys

import httpx
import pytest

from kantos_async.cli import main
from kantos_async.cli.output import Output
from kantos_async.cli.webhooks import Listener
from kantos_async.webhooks import WebhookReceiver

SECRET = "whsec_test"


def signed(secret=SECRET, **data):
    event = {"event": "record.created", "timestamp": "2024-01-15T10:30:00Z", "data": data}
    covered = json.dumps(event).encode()
    signature = f"sha256={hmac.new(secret.encode(), covered, hashlib.sha256).hexdigest()}"
    return json.dumps({**event, "signature": signature}).encode()


@pytest.fixture
def anyio_backend():
    """Commands run on asyncio."""
    return "asyncio"


class Forwarded:
    """Takes what is forwarded, and answers as told."""

    def __init__(self):
        self.status = 200
        self.requests = []

    def __call__(self, request):
        self.requests.append(request)
        if not self.status:
            raise httpx.ConnectError("refused")
        return httpx.Response(self.status)


async def post(app, body):
    transport = httpx.ASGITransport(app=app)
    async with httpx.AsyncClient(transport=transport, base_url="http://hook") as client:
        return (await client.post("/", content=body, headers={"X-Api-Key": "theirs"})).status_code


async def test_it_prints_each_event_once(capsys):
    app = Listener(WebhookReceiver(SECRET), Output(), None, "")
    body = signed(id="rec_1", object_id="obj_contacts")
    assert [await post(app, body) for _ in range(2)] == [200, 200]
    assert capsys.readouterr() == (
        "2024-01-15 10:30:00 UTC  record.created  obj_contacts  rec_1\n",
        "",
    )


async def test_what_is_not_signed_is_not_printed(capsys):
    app = Listener(WebhookReceiver(SECRET), Output(), None, "")
    assert await post(app, signed("other", id="rec_\x1b[2J")) == 400
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("refused (400): ")


async def test_json_is_a_line_for_each_event(capsys):
    app = Listener(WebhookReceiver(SECRET), Output(json=True), None, "")
    for number in range(2):
        await post(app, signed(id=f"rec_{number}"))
    lines = capsys.readouterr().out.splitlines()
    assert [json.loads(line)["data"]["id"] for line in lines] == ["rec_0", "rec_1"]


@pytest.mark.parametrize("status", [500, 302, 0])
async def test_forwarding_passes_the_very_bytes_and_fails_as_they_fail(capsys, status):
    there = Forwarded()
    async with httpx.AsyncClient(transport=httpx.MockTransport(there)) as client:
        app = Listener(WebhookReceiver(SECRET), Output(), client, "http://app/hooks")
        body = signed(id="rec_1")
        there.status = status
        # Not handled, so Kantos will deliver it again.
        assert await post(app, body) == 500
        out, err = capsys.readouterr()
        assert out == ""
        assert "rec_1" in err
        there.status = 204
        assert await post(app, body) == 200
        assert capsys.readouterr().out.endswith("rec_1  → 204\n")
    assert [request.content for request in there.requests] == [body] * 2
    assert "x-api-key" not in there.requests[0].headers


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ([], "--secret"),
        (["--secret", ""], "--secret"),
        (["--secret", "s", "--forward", "app:8000"], "--forward 'app:8000'"),
        (["--secret", "s", "--forward", "http://"], "--forward 'http://': names no host"),
        (["--secret", "s", "--forward", "http://app:x/"], "--forward 'http://app:x/'"),
        (["--secret", "s", "--host", "256.0.0.1"], ""),
    ],
)
def test_wrong_use_is_one_line(capsys, monkeypatch, words, said):
    monkeypatch.delenv("KANTOS_WEBHOOK_SECRET", raising=False)
    assert main(["webhooks", "listen", "--port", "0", *words]) == 2
    err = capsys.readouterr().err
    assert said in err
    assert err.count("\n") == 1


@pytest.mark.skipif(sys.platform == "win32", reason="no POSIX signals")
def test_a_process_listens_until_ctrl_c():
    with subprocess.Popen(
        [sys.executable, "-m", "kantos_async.cli", "webhooks", "listen", "--port", "0"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        encoding="utf-8",
        env={**os.environ, "KANTOS_WEBHOOK_SECRET": SECRET},
    ) as process:
        assert process.stderr
        found = re.search(r"http://127\.0\.0\.1:\d+", process.stderr.readline())
        assert found
        assert httpx.post(found[0], content=signed(id="rec_1")).status_code == 200
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=20)
    assert (process.returncode, err) == (0, "")
    assert "rec_1" in out

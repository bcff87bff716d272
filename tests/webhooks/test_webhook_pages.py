"""What the page and the example about webhooks show, run."""

import hashlib
import hmac
import importlib.util
import json
import re
from pathlib import Path

import httpx

ROOT = Path(__file__).parents[2]


def signed(name: str, secret: str, **data) -> bytes:
    event = {"event": name, "timestamp": "2024-01-15T10:30:00Z", "data": data}
    covered = json.dumps(event).encode()
    signature = f"sha256={hmac.new(secret.encode(), covered, hashlib.sha256).hexdigest()}"
    return json.dumps({**event, "signature": signature}).encode()


async def test_the_page(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    page = (ROOT / "docs" / "webhooks.md").read_text("utf-8")
    names = {}
    for block in re.findall(r"```python\n(.*?)```", page, re.DOTALL):
        exec(block, names)

    handle = names["handle"]
    assert handle(signed("record.created", "s", field_values={"name": "Zoë"}), "s") == "hello Zoë"
    qualified = {"id": "rec_1", "field_values": {"status": "qualified"}}
    assert handle(signed("record.updated", "s", **qualified), "s") == "call rec_1"
    assert handle(signed("record.deleted", "s", id="rec_1"), "s") == "forget rec_1"
    assert handle(signed("intake.received", "s"), "s") == "nothing to do for intake.received"
    assert handle(signed("record.created", "other"), "s") == "400"

    body = signed("record.created", "whsec_example", field_values={"name": "Ada"})
    async with httpx.AsyncClient(transport=httpx.ASGITransport(names["app"])) as client:
        assert (await client.post("http://app/webhooks/kantos/", content=body)).status_code == 200
    assert capsys.readouterr().out == "hello Ada\n"
    names["receiver"]._store.close()


async def test_the_example(tmp_path, capsys):
    path = ROOT / "examples" / "webhook_receiver.py"
    spec = importlib.util.spec_from_file_location("example_webhook_receiver", path)
    example = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(example)

    app = example.make_app(["new", "old"], tmp_path / "deliveries.db")
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://app") as client,
    ):
        for secret, status in [("new", 200), ("old", 200), ("third", 400), ("new", 200)]:
            body = signed(
                "record.created", secret, object_id="obj_1", field_values={"name": secret}
            )
            assert (await client.post("/webhooks/kantos/", content=body)).status_code == status
        deleted = signed("record.deleted", "new", id="rec_1")
        assert (await client.post("/webhooks/kantos/", content=deleted)).status_code == 200
    lines = capsys.readouterr().out.splitlines()
    assert [line for line in lines if not line.startswith("2024-")] == [
        "new in obj_1: new",
        "new in obj_1: old",
        "gone: rec_1",
    ]

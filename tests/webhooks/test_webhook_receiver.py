"""The receiver as an ASGI app: every event is handled at least once, and no redelivery again."""

import functools
import hashlib
import hmac
import json
import logging
import threading

import anyio
import httpx
import pytest

from kantos_async.webhooks import (
    IntakeReceived,
    MemoryStore,
    RecordCreated,
    SQLiteStore,
    UnknownEvent,
    WebhookEvent,
    WebhookReceiver,
)

SECRET = "whsec_test"


def sign(covered: bytes) -> str:
    return f"sha256={hmac.new(SECRET.encode(), covered, hashlib.sha256).hexdigest()}"


def signed(name="record.created", **data) -> bytes:
    event = {"event": name, "timestamp": "2024-01-15T10:30:00Z", "data": data}
    return json.dumps({**event, "signature": sign(json.dumps(event).encode())}).encode()


def client_of(app) -> httpx.AsyncClient:
    return httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://receiver")


async def post(app, body=None, **kwargs) -> httpx.Response:
    async with client_of(app) as client:
        return await client.post("/", content=signed() if body is None else body, **kwargs)


@pytest.fixture(params=["memory", "sqlite"])
def store(request, tmp_path):
    if request.param == "memory":
        yield MemoryStore()
    else:
        sqlite = SQLiteStore(tmp_path / "deliveries.db")
        yield sqlite
        sqlite.close()


@pytest.fixture
def receiver(store):
    return WebhookReceiver(SECRET, store=store)


@pytest.fixture
def seen(receiver):
    events = []

    @receiver.on("record.created")
    async def remember(event: RecordCreated) -> None:
        events.append(event.record_id)

    return events


async def test_an_event_reaches_its_handler_once(receiver, seen):
    for _ in range(3):
        assert (await post(receiver, signed(id="rec_1"))).status_code == 200
    assert seen == ["rec_1"]


async def test_a_redelivery_in_another_dress_is_the_same_event(receiver, seen):
    body = signed(id="rec_1")
    signature = json.loads(body).pop("signature")
    covered = json.dumps({k: v for k, v in json.loads(body).items() if k != "signature"})
    moved = f'{{ "signature": "{signature}", {covered[1:]}'
    assert (await post(receiver, body)).status_code == 200
    assert (await post(receiver, moved)).status_code == 200
    assert seen == ["rec_1"]


async def test_two_updates_in_one_second_are_two_events(receiver):
    stages = []

    @receiver.on("record.updated")
    async def remember(event):
        stages.append(event.field_values["status"])

    for status in ("new", "qualified", "new"):
        body = signed("record.updated", id="rec_1", field_values={"status": status})
        assert (await post(receiver, body)).status_code == 200
    assert stages == ["new", "qualified"]  # the third is the first, byte for byte


async def test_a_failed_event_is_handled_at_the_next_delivery(receiver, caplog):
    attempts = []

    @receiver.on("record.created")
    async def stumble(event):
        attempts.append(event.record_id)
        if len(attempts) == 1:
            raise RuntimeError("the database is down")

    statuses = [(await post(receiver)).status_code for _ in range(3)]
    assert statuses == [500, 200, 200]
    assert len(attempts) == 2
    assert "the database is down" in caplog.text
    assert SECRET not in caplog.text


async def test_a_redelivery_while_the_handler_runs_gets_503(receiver):
    started, finish = anyio.Event(), anyio.Event()
    runs = []

    @receiver.on("record.created")
    async def slow(event):
        runs.append(event)
        started.set()
        await finish.wait()

    statuses = []

    async def first():
        statuses.append((await post(receiver)).status_code)

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(first)
        await started.wait()
        again = await post(receiver)
        other = signed(id="another")
        assert again.status_code == 503
        assert statuses == []
        finish.set()
        assert (await post(receiver, other)).status_code == 200
    assert statuses == [200]
    assert (await post(receiver)).status_code == 200
    assert len(runs) == 2


async def test_of_many_deliveries_at_once_one_is_handled(receiver, seen):
    statuses = []

    async def deliver():
        statuses.append((await post(receiver)).status_code)

    async with anyio.create_task_group() as tasks:
        for _ in range(20):
            tasks.start_soon(deliver)
    assert len(seen) == 1
    assert set(statuses) <= {200, 503}
    assert 200 in statuses


async def test_a_cancelled_delivery_is_handled_at_the_next(receiver):
    started = anyio.Event()
    runs = []

    @receiver.on("record.created")
    async def hang_once(event):
        runs.append(event)
        if len(runs) == 1:
            started.set()
            await anyio.sleep_forever()

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(post, receiver)
        await started.wait()
        tasks.cancel_scope.cancel()
    assert (await post(receiver)).status_code == 200
    assert len(runs) == 2


async def test_handlers_of_all_kinds_run_in_their_order(receiver):
    ran = []

    @receiver.on("record.created")
    def plain(event):
        assert threading.current_thread() is not here
        ran.append("plain")

    class Callable:
        async def __call__(self, event):
            assert threading.current_thread() is here
            ran.append("object")

    async def with_argument(name, event):
        ran.append(name)

    here = threading.current_thread()
    receiver.on("record.created")(Callable())
    receiver.on("record.created")(functools.partial(with_argument, "partial"))
    receiver.on("record.created")(lambda event: ran.append("lambda"))
    assert (await post(receiver)).status_code == 200
    assert ran == ["plain", "object", "partial", "lambda"]


async def test_a_star_gets_every_event_behind_the_named(receiver):
    got = []

    @receiver.on("*")
    async def everything(event: WebhookEvent) -> None:
        got.append(("*", type(event)))

    @receiver.on("intake.received")
    async def intake(event: IntakeReceived) -> None:
        got.append(("intake", type(event)))

    await post(receiver, signed("intake.received"))
    await post(receiver, signed("something.new"))
    assert got == [("intake", IntakeReceived), ("*", IntakeReceived), ("*", UnknownEvent)]


async def test_an_event_that_nobody_handles_is_accepted(receiver, seen):
    assert (await post(receiver, signed("record.deleted"))).status_code == 200
    assert seen == []


async def test_decorating_leaves_the_function_as_it_was(receiver):
    async def handler(event):
        return None

    assert receiver.on("record.created")(handler) is handler


@pytest.mark.parametrize(
    "body", [b"", b"{}", b"\xff", b"[" * 50_000, signed()[:-2], signed().replace(b":30:", b":31:")]
)
async def test_what_is_not_signed_gets_400(receiver, seen, body, caplog):
    response = await post(receiver, body)
    assert response.status_code == 400
    assert seen == []
    assert SECRET not in caplog.text + response.text


@pytest.mark.parametrize("method", ["GET", "PUT", "HEAD", "DELETE"])
async def test_other_methods_get_405(receiver, method):
    async with client_of(receiver) as client:
        response = await client.request(method, "/")
    assert (response.status_code, response.headers["allow"]) == (405, "POST")


async def test_a_signature_in_a_header(store):
    receiver = WebhookReceiver(SECRET, store=store, signature_header="X-Kantos-Signature")
    got = []
    receiver.on("record.created")(got.append)
    body = json.dumps({"event": "record.created", "data": {}}).encode()
    for value, status in [(sign(body), 200), (sign(b""), 400), ("", 400)]:
        response = await post(receiver, body, headers={"x-kantos-signature": value})
        assert response.status_code == status
    assert (await post(receiver, body)).status_code == 400
    assert (await post(receiver, signed())).status_code == 200
    assert len(got) == 2


async def test_a_tolerance_refuses_what_is_old(store):
    receiver = WebhookReceiver(SECRET, store=store, tolerance=3600)
    assert (await post(receiver)).status_code == 400


@pytest.mark.parametrize("secret", ["", [], [""], None])
def test_an_empty_secret_is_refused_at_once(secret):
    with pytest.raises(ValueError, match="secret"):
        WebhookReceiver(secret)


def test_the_secret_is_in_no_repr():
    assert SECRET not in repr(WebhookReceiver(SECRET))


async def chunks(count):
    for _ in range(count):
        yield b" " * 1000


async def test_a_body_announced_as_too_large_is_not_read(store):
    async def receive():
        raise AssertionError("the body was read")

    receiver = WebhookReceiver(SECRET, store=store, max_body=10_000)
    for length in (b"10001", b"9" * 40):
        sent = await talk(receiver, receive, [(b"content-length", length)])
        assert sent[0]["status"] == 413
        assert (b"connection", b"close") in sent[0]["headers"]


async def test_a_body_that_grows_too_large_is_read_no_further(store):
    receiver = WebhookReceiver(SECRET, store=store, max_body=10_000)
    assert (await post(receiver, signed(text="x" * 10_000))).status_code == 413
    assert (await post(receiver, chunks(10))).status_code == 400
    reads = []

    async def endless():
        reads.append(1)
        return {"type": "http.request", "body": b" " * 1000, "more_body": True}

    assert (await talk(receiver, endless))[0]["status"] == 413
    assert len(reads) == 11


async def test_a_body_that_never_ends_gets_408(store):
    async def trickle():
        await anyio.sleep(0.001)
        return {"type": "http.request", "body": b" ", "more_body": True}

    receiver = WebhookReceiver(SECRET, store=store, body_timeout=0.05)
    for receive in (trickle, anyio.sleep_forever):
        with anyio.fail_after(5):
            assert (await talk(receiver, receive))[0]["status"] == 408


async def test_a_body_that_is_cut_off_is_refused(receiver, seen):
    messages = [
        {"type": "http.request", "body": signed(), "more_body": True},
        {"type": "http.disconnect"},
    ]

    async def receive():
        return messages.pop(0)

    assert (await talk(receiver, receive))[0]["status"] == 400
    assert seen == []


async def test_a_large_body_is_verified_too(receiver, seen):
    assert (await post(receiver, signed(id="large", text="x" * 100_000))).status_code == 200
    assert (await post(receiver, signed(text="x" * 100_000)[:-1] + b" ")).status_code == 400
    assert seen == ["large"]


async def talk(app, receive, headers=()) -> list[dict]:
    sent = []

    async def send(message):
        sent.append(message)

    scope = {"type": "http", "http_version": "1.1", "method": "POST", "path": "/"}
    await app({**scope, "headers": list(headers)}, receive, send)
    return sent


async def test_it_answers_the_lifespan_of_a_server(receiver):
    messages = [{"type": "lifespan.startup"}, {"type": "lifespan.shutdown"}]
    sent = []

    async def receive():
        return messages.pop(0)

    async def send(message):
        sent.append(message["type"])

    await receiver({"type": "lifespan"}, receive, send)
    assert sent == ["lifespan.startup.complete", "lifespan.shutdown.complete"]


async def test_a_websocket_is_turned_away(receiver):
    sent = []

    async def send(message):
        sent.append(message)

    await receiver({"type": "websocket"}, None, send)
    assert sent == [{"type": "websocket.close"}]


class Brittle(MemoryStore):
    """A store whose named step fails."""

    def __init__(self, step):
        super().__init__()
        self.step = step

    async def claim(self, key):
        self._fail("claim")
        return await super().claim(key)

    async def done(self, key):
        self._fail("done")
        await super().done(key)

    async def release(self, key):
        await super().release(key)
        self._fail("release")

    def _fail(self, step):
        if self.step == step:
            raise OSError("disk full")


@pytest.mark.parametrize("step", ["claim", "done", "release"])
async def test_a_store_that_fails_never_loses_an_event(step, caplog):
    store = Brittle(step)
    receiver = WebhookReceiver(SECRET, store=store)
    runs = []

    @receiver.on("record.created")
    async def handler(event):
        runs.append(event)
        if step == "release" and len(runs) == 1:
            raise RuntimeError("handler")

    assert (await post(receiver)).status_code == 500
    assert "disk full" in caplog.text
    before = len(runs)
    store.step = None
    assert (await post(receiver)).status_code == 200
    assert len(runs) == before + 1


class Leased(MemoryStore):
    """A store with a short lease, which notes when a claim is renewed."""

    lease = 0.003

    def __init__(self):
        super().__init__()
        self.renewed = anyio.Event()
        self.failed = False

    async def renew(self, key):
        if not self.failed:
            self.failed = True
            raise OSError("locked")
        self.renewed.set()


async def test_a_claim_is_renewed_while_its_handler_runs(caplog):
    caplog.set_level(logging.ERROR)
    store = Leased()
    receiver = WebhookReceiver(SECRET, store=store)

    @receiver.on("record.created")
    async def slow(event):
        await store.renewed.wait()

    with anyio.fail_after(5):
        assert (await post(receiver)).status_code == 200
    assert "could not be renewed" in caplog.text  # one failure does not end it

"""Rough runs with a known key; then everything that they said, raised, showed or stored."""

from __future__ import annotations

import contextlib
import logging
import os
import pickle
import traceback
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from support.scripts import ScriptEngine, reply

from kantos_async import (
    APIError,
    AuthenticationError,
    Kantos,
    KantosAsync,
    KantosError,
    ResponseDecodeError,
    RetryPolicy,
    log_events,
)
from kantos_async.cli import main
from kantos_async.sandbox import FAULTS, Sandbox
from kantos_async.webhooks import WebhookReceiver, WebhookSignatureError, unwrap

ROWS = [{"name": f"N{n}", "email": f"n{n}@example.com"} for n in range(20)]
ROWS += [{"name": "twice", "email": "n1@example.com"}, {"name": "bad", "email": "no address"}]


SECRET = "whsec_m4rked"


class Heap:
    """Whatever a run left behind, as text."""

    def __init__(self, caplog: pytest.LogCaptureFixture, folder: Path) -> None:
        self._caplog = caplog
        self._folder = folder
        self.texts: list[str] = []
        self.errors = 0

    def add(self, *things: Any) -> None:
        self.texts += [text for thing in things for text in (repr(thing), str(thing))]

    async def fails(self, call: Awaitable[Any]) -> None:
        """Await what may fail, and keep all that its error tells."""
        try:
            self.add(await call)
        except KantosError as error:
            self.keep(error, frames=True)

    def keep(self, error: BaseException, *, frames: bool = False) -> None:
        self.errors += 1
        self.texts += traceback.format_exception(error)
        if isinstance(error, KantosError):
            self.texts.append(pickle.dumps(error).decode("latin-1"))
        seen: list[BaseException] = []
        pending: list[BaseException | None] = [error]
        while pending:
            one = pending.pop()
            if one is not None and one not in seen:
                seen.append(one)
                pending += [one.__cause__, one.__context__]
                self.add(one, one.args, vars(one), *(_locals(one) if frames else ()))

    def has(self, secret: str) -> bool:
        texts = [*self.texts, self._caplog.text, *map(repr, self._caplog.records)]
        texts += [repr(vars(record)) for record in self._caplog.records]
        files = [path for path in self._folder.rglob("*") if path.is_file()]
        texts += [path.read_bytes().decode("latin-1") for path in files]
        return any(secret in text for text in texts)


def _locals(error: BaseException) -> list[str]:
    """What error trackers print: the local variables of every frame, but for the tests' own."""
    stack = traceback.StackSummary.extract(
        traceback.walk_tb(error.__traceback__), capture_locals=True
    )
    frames = [frame for frame in stack if "/tests/" not in Path(frame.filename).as_posix()]
    return [text for frame in frames for text in (frame.locals or {}).values()]


@pytest.fixture
def heap(caplog: pytest.LogCaptureFixture, tmp_path: Path) -> Heap:
    caplog.set_level(logging.DEBUG)  # of every logger: httpx's and uvicorn's as well
    return Heap(caplog, tmp_path)


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    with Sandbox(seed_records=5) as sb:
        yield sb


@pytest.fixture(params=["httpx", "fast"])
def engine(request: pytest.FixtureRequest, anyio_backend: str) -> Any:
    if request.param == "fast" and anyio_backend == "trio":
        pytest.skip("the fast engine is for asyncio")
    return "fast" if request.param == "fast" else None


async def test_rough_hours_show_no_key(
    sandbox: Sandbox, engine: Any, heap: Heap, tmp_path: Path
) -> None:
    key = sandbox.api_key
    log = log_events()

    def listener(event: Any) -> None:
        log(event)
        heap.add(event)

    once = RetryPolicy(attempts=2, base=0.001)
    async with KantosAsync(
        key, base_url=sandbox.url, engine=engine, retry=once, timeout=0.2, on_event=listener
    ) as k:
        ann = (await k.records.query("obj_contacts").first()).id  # type: ignore[union-attr]
        for fault in FAULTS:
            for call in (
                lambda: k.records.get(ann),
                lambda: k.records.create(object_id="obj_contacts", field_values={"name": "A"}),
                lambda: k.records.update(ann, {"name": "B"}),
            ):
                sandbox.faults.clear()
                sandbox.faults.set(slow=(1.0, 1.0), refused_for=0.01, retry_after=0)
                sandbox.faults.next(fault, fault)
                await heap.fails(call())
        sandbox.faults.clear()
        with sandbox.down():
            await heap.fails(k.records.create(object_id="obj_contacts", field_values={"name": "A"}))
        await heap.fails(k.records.create(object_id="obj_contacts", field_values={"email": "x"}))
        await heap.fails(k.request("GET", "/crm/nothing"))
        await heap.fails(k.request("GET", "/crm/objects", raw=True))
        await heap.fails(k.automations.trigger("auto_none", {}))
        run = k.records.upsert_many(
            ROWS, object_id="obj_contacts", key="email", state=tmp_path / "contacts.state"
        )
        async with run:
            async for outcome in run:
                heap.add(outcome)
                if outcome.error is not None:
                    heap.keep(outcome.error)
        heap.add(run, run.report, k, k.stats, k.records, k.objects, k.automations, k.users)
        heap.add(k.records.query("obj_contacts"), k.records.scan("obj_contacts"), k.intake)
        heap.add(k._session, k._session.wire, k._session.wire.engine, k.with_options(timeout=1))
    await heap.fails(k.records.get(ann))
    https = sandbox.url.replace("http:", "https:")
    async with KantosAsync(key, base_url=https, engine=engine, retry=once) as k:
        await heap.fails(k.objects.list())
    assert heap.errors > len(FAULTS)
    assert heap.has("n1@example.com"), "the report, and outcomes, were looked through"
    assert not heap.has(key.removeprefix("kantos_"))


@pytest.mark.parametrize("asynchronous", [False, True])
async def test_keys_that_are_refused_are_not_shown(
    sandbox: Sandbox, heap: Heap, asynchronous: bool
) -> None:
    def wrong() -> Any:
        return "kantos_m4rked"

    async def wrong_too() -> Any:
        return "kantos_m4rked"

    async with KantosAsync(wrong_too if asynchronous else wrong, base_url=sandbox.url) as k:
        with pytest.raises(AuthenticationError) as refused:
            await k.objects.list()
    heap.keep(refused.value)
    for malformed in ("kantos_m4rked\n", "kantos_m4rkedé", "kantos_m4rked\x7f"):
        async with KantosAsync(malformed, base_url=sandbox.url) as k:
            with pytest.raises(ValueError, match="printable ASCII") as caught:
                await k.objects.list()
        heap.keep(caught.value)
        heap.add(k)
    with Kantos("kantos_m4rked", base_url=sandbox.url) as blocking:
        with pytest.raises(AuthenticationError) as refused:
            blocking.objects.list()
        heap.keep(refused.value)
        heap.add(blocking, blocking.records)
    assert not heap.has("m4rked")


@pytest.mark.parametrize(
    "answer",
    [
        reply(401, {"error": "No such key: kantos_m4rked", "details": {"key": "kantos_m4rked"}}),
        reply(500, b"<pre>X-Api-Key: kantos_m4rked</pre>"),
        reply(302, b"", Location="https://elsewhere.invalid/?key=kantos_m4rked"),
        reply(200, b"X-Api-Key: kantos_m4rked"),
        reply(200, {"id": "kantos_m4rked"}),
        reply(200, b'{"id": "\xff kantos_m4rked"}'),
    ],
    ids=["error", "page", "redirect", "not JSON", "another shape", "not UTF-8"],
)
async def test_a_server_that_says_the_key_is_not_repeated(heap: Heap, answer: Any) -> None:
    engine = ScriptEngine(answer)
    retry = RetryPolicy(attempts=2, base=0.001)
    settings: dict[str, Any] = {"api_key": "kantos_m4rked", "retry": retry}
    async with engine.client(**settings, on_event=log_events()) as k:
        with pytest.raises((APIError, ResponseDecodeError)) as caught:
            await k.records.get("rec_1")
    heap.keep(caught.value)
    assert not heap.has("m4rked")


@pytest.fixture
def run(
    sandbox: Sandbox,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
    tmp_path: Path,
) -> Callable[[str], str]:
    """Run a command beside a file of people; what it prints."""
    monkeypatch.setenv("KANTOS_API_KEY", sandbox.api_key)
    monkeypatch.setenv("KANTOS_BASE_URL", sandbox.url)
    monkeypatch.chdir(tmp_path)
    Path("people.csv").write_text("name,email\nAnn,ann@example.com\n", encoding="utf-8")

    def run(words: str) -> str:
        main(words.split())
        return "".join(capfd.readouterr())

    return run


IMPORT = "import people.csv --object obj_contacts --key email --state people.state"


@pytest.mark.parametrize(
    ("words", "trouble"),
    [
        ("objects", "none"),
        ("objects", "wrong key"),
        ("objects", "down"),
        ("query obj_contacts --filter=nonsense", "none"),
        ("get rec_none", "none"),
        (IMPORT, "none"),
        (IMPORT, "wrong key"),
        ("export obj_contacts out.jsonl", "none"),
        ("doctor", "none"),
        ("doctor", "wrong key"),
    ],
)
def test_commands_show_no_key(
    sandbox: Sandbox, heap: Heap, run: Callable[[str], str], words: str, trouble: str
) -> None:
    key = sandbox.api_key
    if trouble == "wrong key":
        key = os.environ["KANTOS_API_KEY"] = "kantos_m4rked"
    with sandbox.down() if trouble == "down" else contextlib.nullcontext():
        heap.add(run(words))
    assert any(heap.texts)
    assert not heap.has(key.removeprefix("kantos_"))


def test_the_console_and_the_log_show_no_key(sandbox: Sandbox) -> None:
    httpx.get(f"{sandbox.url}/crm/objects", headers={"X-Api-Key": sandbox.api_key})
    console = sandbox.url.removesuffix("/api") + "/_sandbox"
    shown = [httpx.get(console).text, httpx.get(f"{console}/state").text]
    shown += [repr(sandbox.log), repr(sandbox), repr(sandbox.core), repr(sandbox.webhooks)]
    assert sandbox.api_key not in "".join(shown)


async def test_a_webhook_secret_is_not_shown(heap: Heap) -> None:
    receiver = WebhookReceiver([SECRET, f"{SECRET}_old"])
    with pytest.raises(WebhookSignatureError) as caught:
        unwrap(b'{"event": "x", "signature": "sha256=' + b"0" * 64 + b'"}', SECRET)
    heap.keep(caught.value)
    transport = httpx.ASGITransport(receiver)
    async with httpx.AsyncClient(transport=transport, base_url="http://app") as client:
        for body in (b"", b"{}", b"[" * 10_000, b'{"signature": "whsec"}'):
            answer = await client.post("/", content=body)
            assert answer.status_code == 400
            heap.add(answer.text)
    heap.add(receiver, vars(receiver).keys())
    assert not heap.has("m4rked")

"""Opening, closing, and belonging to one loop, thread and process."""

from __future__ import annotations

import asyncio
import gc
import os
import sys
import warnings
from typing import Any

import anyio
import pytest
from support.scripts import ScriptEngine, error, record

from kantos_async import (
    AuthenticationError,
    ClientClosedError,
    KantosAsync,
    Quota,
    ReadOnlyError,
    WrongContextError,
)


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"api_key": None}, "KANTOS_API_KEY"),
        ({"api_key": ""}, "KANTOS_API_KEY"),
        ({"api_key": 7}, "api_key"),
        ({"base_url": "kantos.ai/api"}, "base_url='kantos.ai/api'"),
        ({"base_url": "ftp://kantos.ai"}, "base_url"),
        ({"base_url": "https://kantos.ai/api?x=1"}, "base_url"),
        ({"base_url": "http://localhost:99999/api"}, "base_url"),
        ({"base_url": "http://localhost:abc/api"}, "base_url"),
        ({"base_url": "https://me:secret@kantos.ai/api"}, "no password"),
        ({"timeout": 0}, "timeout"),
        ({"max_concurrency": 0}, "max_concurrency"),
        ({"max_concurrency": True}, "max_concurrency"),
        ({"engine": "slow"}, "engine"),
        ({"engine": ScriptEngine(record()), "http_client": object()}, "http_client"),
    ],
)
def test_bad_settings_are_refused_at_construction(
    monkeypatch: pytest.MonkeyPatch, settings: dict[str, Any], words: str
) -> None:
    monkeypatch.delenv("KANTOS_API_KEY", raising=False)
    with pytest.raises(ValueError, match=words):
        KantosAsync(**{"api_key": "kantos_x", **settings})


@pytest.mark.parametrize(
    ("settings", "name"),
    [({"share": 0}, "share"), ({"share": 1.1}, "share"), ({"max_wait": -1}, "max_wait")],
)
def test_quota_settings_out_of_range_are_named(settings: dict[str, Any], name: str) -> None:
    with pytest.raises(ValueError, match=name):
        Quota(**settings)


async def test_settings_come_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KANTOS_API_KEY", "kantos_env")
    monkeypatch.setenv("KANTOS_BASE_URL", "http://script.invalid/other/")
    engine = ScriptEngine(record())
    async with KantosAsync(engine=engine) as k:
        await k.records.get("rec_1")
    (request,) = engine.requests
    assert request.url == "http://script.invalid/other/crm/record/rec_1"
    assert request.headers["X-Api-Key"] == "kantos_env"


async def test_a_key_that_cannot_be_a_header_is_refused() -> None:
    async with ScriptEngine(record()).client(api_key="two\nlines") as k:
        with pytest.raises(ValueError, match="API key"):
            await k.records.get("rec_1")


async def test_it_opens_at_first_use_and_closes_once() -> None:
    engine = ScriptEngine(record())
    k = engine.client()
    await k.records.get("rec_1")
    await k.aclose()
    await k.aclose()
    assert engine.closed
    with pytest.raises(ClientClosedError):
        await k.records.get("rec_1")


async def test_a_client_never_used_closes_silently() -> None:
    k = ScriptEngine(record()).client()
    await k.aclose()
    with pytest.raises(ClientClosedError):
        await k.records.get("rec_1")


async def test_forgetting_to_close_warns() -> None:
    k = ScriptEngine(record()).client()
    await k.records.get("rec_1")
    with pytest.warns(ResourceWarning, match="not closed"):  # noqa: PT031
        del k
        gc.collect()


async def test_copies_share_everything_but_their_options() -> None:
    engine = ScriptEngine(record())
    async with engine.client() as k:
        copy = k.with_options(timeout=5, read_only=True)
        await copy.records.get("rec_1")
        assert k.stats.requests == 1
        with pytest.raises(ReadOnlyError):
            await copy.records.delete("rec_1")
        await k.records.delete("rec_1")
    with pytest.raises(ClientClosedError):
        await copy.records.get("rec_1")


async def test_read_only_sends_no_write() -> None:
    engine = ScriptEngine(record())
    async with engine.client(read_only=True) as k:
        with pytest.raises(ReadOnlyError):
            await k.request("POST", "/crm/anything", json={})
        with pytest.raises(ReadOnlyError):
            await k.records.update("rec_1", {})
        await k.records.get("rec_1")
    assert len(engine.requests) == 1


@pytest.mark.parametrize("asynchronous", [False, True])
async def test_a_key_that_was_rotated_is_asked_for_again_once(asynchronous: bool) -> None:
    keys = ["kantos_old", "kantos_new", "kantos_new"]

    def read() -> str:
        return keys.pop(0)

    async def read_async() -> str:
        return keys.pop(0)

    engine = ScriptEngine(error(401), record())
    async with engine.client(api_key=read_async if asynchronous else read) as k:
        await k.records.get("rec_1")
        sent = [request.headers["X-Api-Key"] for request in engine.requests]
        assert sent == ["kantos_old", "kantos_new"]
        engine.steps = [error(401)]
        with pytest.raises(AuthenticationError):
            await k.records.get("rec_1")
        assert len(engine.requests) == 3, "the same key again would be refused again"


async def test_nothing_shows_the_key(capsys: pytest.CaptureFixture[str]) -> None:
    engine = ScriptEngine(error(401))
    async with engine.client(api_key="kantos_marked") as k:
        with pytest.raises(AuthenticationError) as caught:
            await k.records.get("rec_1")
        shown = [repr(k), repr(engine.requests[0]), repr(k._session), repr(k.stats)]
        shown += [repr(caught.value), str(caught.value), str(caught.value.__dict__)]
    assert "kantos_marked" not in "".join(shown)


async def test_a_path_that_leaves_the_base_url_is_refused() -> None:
    async with ScriptEngine(record()).client() as k:
        for path in ("crm/x", "//elsewhere.invalid/x", "https://elsewhere.invalid/x"):
            with pytest.raises(ValueError, match="path="):
                await k.request("GET", path)
        for record_id in ("", ".", ".."):
            with pytest.raises(ValueError, match="id"):
                await k.records.get(record_id)


async def test_request_gives_json_or_the_raw_answer() -> None:
    engine = ScriptEngine(record())
    async with engine.client() as k:
        params = {"a b": "ü&", "n": 1, "yes": True}
        assert (await k.request("GET", "/crm/x", params=params))["id"] == "rec_1"
        assert engine.requests[0].url.endswith("/crm/x?a+b=%C3%BC%26&n=1&yes=true")
        raw = await k.request("POST", "/crm/x", json=None, raw=True)
        assert raw.status == 200
        assert engine.requests[1].body == b"null"


async def test_use_from_another_thread_is_refused() -> None:
    async with ScriptEngine(record()).client() as k:
        await k.records.get("rec_1")

        def elsewhere() -> None:
            with pytest.raises(WrongContextError, match="event loop"):
                asyncio.run(k.records.get("rec_1"))

        await anyio.to_thread.run_sync(elsewhere)


def test_use_from_another_loop_is_refused() -> None:
    k = ScriptEngine(record()).client()
    asyncio.run(k.records.get("rec_1"))
    with pytest.raises(WrongContextError, match="event loop"):
        asyncio.run(k.records.get("rec_1"))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)
        del k
        gc.collect()


def test_use_without_a_loop_is_refused() -> None:
    k = ScriptEngine(record()).client()
    call = k.records.get("rec_1")
    with pytest.raises(WrongContextError, match="running asyncio or trio"):
        call.send(None)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
def test_use_in_a_forked_process_is_refused() -> None:
    async def main() -> tuple[ScriptEngine, KantosAsync]:
        engine = ScriptEngine(record())
        k = engine.client()
        await k.records.get("rec_1")
        return engine, k

    _, k = asyncio.run(main())
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        child = os.fork()
        if child == 0:
            code = 1
            try:
                asyncio.run(k.records.get("rec_1"))
            except WrongContextError as problem:
                code = 0 if "fork" in str(problem) else 2
            finally:
                os._exit(code)
        _, status = os.waitpid(child, 0)
        assert os.waitstatus_to_exitcode(status) == 0
        del k
        gc.collect()


async def test_a_quota_in_use_on_another_loop_is_refused() -> None:
    quota = Quota()
    problems: list[Exception] = []

    async def use() -> None:
        async with ScriptEngine(record()).client(quota=quota):
            pass

    def elsewhere() -> None:
        try:
            asyncio.run(use())
        except WrongContextError as problem:
            problems.append(problem)

    async with ScriptEngine(record()).client(quota=quota):
        await anyio.to_thread.run_sync(elsewhere)
    assert "Quota" in str(problems[0])
    await anyio.to_thread.run_sync(elsewhere)
    assert len(problems) == 1, "once nobody uses it, another loop may"


def test_import_loads_only_what_a_first_call_needs() -> None:
    import subprocess

    code = (
        "import sys; from kantos_async import KantosAsync; KantosAsync('x').records; "
        "print(*[m for m in sys.modules if m.startswith('kantos_async.')"
        " or m in ('httpx', 'aiohttp', 'trio', 'sqlite3', 'rich', 'starlette')])"
    )
    out = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=True,
        # coverage would load more.
        env={name: value for name, value in os.environ.items() if "COVERAGE" not in name},
    ).stdout.split()
    late = ("bulk", "webhooks", "sandbox", "cli", "sync", "testing", "integrations", "walks")
    assert not [name for name in out if name.split(".")[1:2] and name.split(".")[1] in late]
    assert not {"aiohttp", "trio", "sqlite3", "rich", "starlette"} & set(out)


def test_every_public_name_is_there() -> None:
    import kantos_async

    for name in kantos_async.__all__:
        assert getattr(kantos_async, name) is not None
    with pytest.raises(AttributeError):
        kantos_async.no_such_name  # noqa: B018

"""The fast engine, against small servers that count, stall, drop and garble."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import gzip
import importlib
import re
import socket
import sys
import time
import traceback
from collections.abc import AsyncIterator, Awaitable, Callable

import aiohttp
import pytest
import trio

from kantos_async.transport.engines import Engine, EngineFailure, Reply, Request
from kantos_async.transport.engines.aiohttp import AiohttpEngine

KEY = "kantos_secret"
HEADERS = {"X-Api-Key": KEY, "User-Agent": "test"}
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"
PROXY_VARIABLES = ("http_proxy", "https_proxy", "all_proxy", "no_proxy")

Script = Callable[[bytes, asyncio.StreamWriter], Awaitable[None]]


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(autouse=True)
def _no_proxies(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in PROXY_VARIABLES:
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)


class Server:
    """Answers each request as `script` says; keeps what it read."""

    def __init__(self, script: Script) -> None:
        self.script = script
        self.requests: list[bytes] = []
        self.connections = 0
        self.open = 0
        self.most_open = 0

    async def __call__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        self.open += 1
        self.most_open = max(self.open, self.most_open)
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                length = re.search(rb"(?i)content-length: (\d+)", head)
                body = await reader.readexactly(int(length[1])) if length else b""
                self.requests.append(head + body)
                await self.script(head + body, writer)
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            self.open -= 1
            writer.close()


@contextlib.asynccontextmanager
async def serving(script: Script) -> AsyncIterator[tuple[Server, str]]:
    server = Server(script)
    listener = await asyncio.start_server(server, "127.0.0.1", 0)
    port = listener.sockets[0].getsockname()[1]
    try:
        yield server, f"http://127.0.0.1:{port}"
    finally:
        listener.close()


@contextlib.asynccontextmanager
async def opened(engine: AiohttpEngine | None = None) -> AsyncIterator[AiohttpEngine]:
    engine = engine or AiohttpEngine()
    try:
        yield engine
    finally:
        await engine.aclose()


def answers(answer: bytes) -> Script:
    async def script(request: bytes, writer: asyncio.StreamWriter) -> None:
        writer.write(answer)

    return script


async def silence(request: bytes, writer: asyncio.StreamWriter) -> None:
    pass


def request(url: str, method: str = "GET", body: bytes | None = None) -> Request:
    return Request(method, url, HEADERS, body)


async def failing(engine: AiohttpEngine, url: str, timeout: float = 5) -> EngineFailure:
    with pytest.raises(EngineFailure) as caught:
        await engine.send(request(url), timeout)
    return caught.value


def test_is_an_engine() -> None:
    assert isinstance(AiohttpEngine(), Engine)


async def test_sends_what_it_was_given_and_little_else() -> None:
    async with serving(answers(OK)) as (server, url), opened() as engine:
        target = "/a%2Fb?filters=%7B%22x%22%3A%22%2B%20%C3%A9%22%7D&q=a+b"
        reply = await engine.send(request(url + target), 5)
    assert (reply.status, reply.body) == (200, b"{}")
    line, *headers = server.requests[0].decode().rstrip().split("\r\n")
    assert line == f"GET {target} HTTP/1.1"
    names = {header.partition(":")[0].lower() for header in headers}
    assert names == {"host", "x-api-key", "user-agent", "accept", "accept-encoding"}


@pytest.mark.parametrize(("method", "body"), [("POST", None), ("PATCH", b"{}"), ("PUT", b"{}")])
async def test_invents_no_content_type(method: str, body: bytes | None) -> None:
    async with serving(answers(OK)) as (server, url), opened() as engine:
        await engine.send(request(url, method, body), 5)
    assert b"content-type" not in server.requests[0].lower()
    assert server.requests[0].endswith(body or b"")


async def test_a_content_type_that_was_given_is_kept() -> None:
    headers = HEADERS | {"Content-Type": "application/json"}
    async with serving(answers(OK)) as (server, url), opened() as engine:
        await engine.send(Request("POST", url, headers, b'{"a":1}'), 5)
    assert server.requests[0].count(b"Content-Type: application/json") == 1


async def test_headers_of_the_answer_come_as_written() -> None:
    head = b"HTTP/1.1 429 Slow\r\nX-One: 1\r\nx-one: 2\r\nContent-Length: 0\r\n\r\n"
    async with serving(answers(head)) as (_, url), opened() as engine:
        reply = await engine.send(request(url), 5)
    assert reply.status == 429
    assert list(reply.headers)[:2] == [(b"X-One", b"1"), (b"x-one", b"2")]


async def test_unpacks_a_compressed_answer() -> None:
    packed = gzip.compress(b'{"a": 1}')
    head = f"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: {len(packed)}\r\n\r\n"
    async with serving(answers(head.encode() + packed)) as (_, url), opened() as engine:
        assert (await engine.send(request(url), 5)).body == b'{"a": 1}'


async def test_keeps_no_cookies() -> None:
    answer = OK.replace(b"OK\r\n", b"OK\r\nSet-Cookie: a=1; Path=/\r\n")
    async with serving(answers(answer)) as (server, url), opened() as engine:
        for _ in range(2):
            await engine.send(request(url), 5)
    assert server.connections == 1
    assert b"cookie" not in server.requests[1].lower()


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_follows_no_redirect(status: int) -> None:
    answer = f"HTTP/1.1 {status} Go\r\nLocation: /elsewhere\r\nContent-Length: 0\r\n\r\n"
    async with serving(answers(answer.encode())) as (server, url), opened() as engine:
        reply = await engine.send(request(url), 5)
    assert reply.status == status
    assert len(server.requests) == 1


def drops_after_the_first() -> Script:
    """Answers once and keeps the connection; then reads a request and drops the connection."""
    seen = 0

    async def script(request: bytes, writer: asyncio.StreamWriter) -> None:
        nonlocal seen
        seen += 1
        if seen == 1:
            writer.write(OK)
        else:
            writer.transport.abort()

    return script


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "PATCH", "POST"])
async def test_sends_once_when_a_kept_connection_drops(method: str) -> None:
    async with serving(drops_after_the_first()) as (server, url), opened() as engine:
        await engine.send(request(url), 5)
        with pytest.raises(EngineFailure) as caught:
            await engine.send(request(url, method), 5)
    assert caught.value.sent == "maybe"
    assert not caught.value.timed_out
    assert len(server.requests) == 2


async def test_the_library_alone_would_have_sent_twice() -> None:
    # Shows that the test above can fail. When aiohttp drops this habit, so can the engine.
    async with serving(drops_after_the_first()) as (server, url), aiohttp.ClientSession() as bare:
        await (await bare.get(url)).read()
        with pytest.raises(aiohttp.ClientError):
            await bare.get(url)
    assert len(server.requests) == 3


async def test_refused_connection_is_not_sent() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # bound and not listening: nothing else can take the port
        async with opened() as engine:
            failure = await failing(engine, f"http://127.0.0.1:{taken.getsockname()[1]}")
    assert (failure.sent, failure.timed_out) == ("no", False)
    assert isinstance(failure.__cause__, aiohttp.ClientConnectorError)


async def test_unknown_host_is_not_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    async def unknown(*args: object, **options: object) -> None:
        raise socket.gaierror(socket.EAI_NONAME, "unknown")

    monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", unknown)
    resolver = aiohttp.ThreadedResolver
    monkeypatch.setattr("aiohttp.connector.DefaultResolver", resolver)
    async with opened() as engine:
        failure = await failing(engine, "http://crm.invalid")
    assert (failure.sent, failure.timed_out) == ("no", False)


async def test_failed_tls_is_not_sent() -> None:
    async def plain(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1)
        writer.write(b"HTTP/1.1 400 This is no TLS\r\n\r\n")
        writer.close()

    async with await asyncio.start_server(plain, "127.0.0.1", 0) as listener, opened() as engine:
        port = listener.sockets[0].getsockname()[1]
        failure = await failing(engine, f"https://127.0.0.1:{port}")
    assert (failure.sent, failure.timed_out) == ("no", False)


async def test_timeout_before_sending() -> None:
    # A TLS handshake that is never answered.
    with socket.create_server(("127.0.0.1", 0)) as listener:
        async with opened() as engine:
            failure = await failing(engine, f"https://127.0.0.1:{listener.getsockname()[1]}", 0.05)
    assert (failure.sent, failure.timed_out) == ("no", True)


async def test_timeout_in_the_queue_for_a_connection() -> None:
    engine = AiohttpEngine(max_connections=1)
    async with serving(silence) as (server, url), opened(engine):
        first = asyncio.ensure_future(failing(engine, url, 0.5))
        await asyncio.sleep(0)
        second = await failing(engine, url, 0.05)
        assert (second.sent, second.timed_out) == ("no", True)
        assert ((await first).sent, len(server.requests)) == ("maybe", 1)


@pytest.mark.parametrize(
    ("answer", "status"),
    [
        (b"", None),
        (b"HTTP/1.1 200 OK\r\n", None),
        (b"HTTP/1.1 200 OK\r\nX-One: 1\r\nContent-Length: 9\r\n\r\n{", 200),
    ],
)
async def test_timeout_after_sending(answer: bytes, status: int | None) -> None:
    async with serving(answers(answer)) as (_, url), opened() as engine:
        start = time.monotonic()
        failure = await failing(engine, url, 0.25)
        assert time.monotonic() - start < 3
    assert (failure.sent, failure.timed_out) == ("maybe", True)
    assert (failure.partial and failure.partial.status) == status


async def test_a_long_timeout_is_not_rounded_up(monkeypatch: pytest.MonkeyPatch) -> None:
    loop = asyncio.get_running_loop()
    deadlines: list[float] = []
    call_at = loop.call_at

    def noted(when: float, *rest: object, **options: object) -> asyncio.TimerHandle:
        deadlines.append(when - loop.time())
        return call_at(when, *rest, **options)  # type: ignore[arg-type]

    async with serving(answers(OK)) as (_, url), opened() as engine:
        monkeypatch.setattr(loop, "call_at", noted)
        await engine.send(request(url), 20.25)
    assert 20.0 < max(deadlines) <= 20.25


@pytest.mark.parametrize(
    ("answer", "status"),
    [
        (b"HTTP/1.1 201 Made\r\nContent-Length: 9\r\n\r\n{", 201),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n9\r\n{", 200),
        (b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 2\r\n\r\n{}", 200),
        (b"HTTP/1.1 200", None),
    ],
)
async def test_of_half_an_answer_the_head_is_kept(answer: bytes, status: int | None) -> None:
    async def cut(request: bytes, writer: asyncio.StreamWriter) -> None:
        writer.write(answer)
        writer.close()

    async with serving(cut) as (_, url), opened() as engine:
        failure = await failing(engine, url)
    assert (failure.sent, failure.timed_out) == ("maybe", False)
    assert (failure.partial and failure.partial.status) == status


async def test_garbage_for_an_answer_shows_no_key() -> None:
    async with serving(answers(b"SSH-2.0-OpenSSH_9.6\r\n\r\n")) as (_, url), opened() as engine:
        failure = await failing(engine, url)
    assert failure.sent == "maybe"
    chain: list[BaseException] = []
    pending: list[BaseException | None] = [failure]
    while pending:
        if (error := pending.pop()) is not None and error not in chain:
            chain.append(error)
            pending += [error.__cause__, error.__context__]
    assert len(chain) > 1
    assert KEY not in "".join(map(repr, chain)) + "".join(traceback.format_exception(failure))


async def test_a_cancelled_call_gives_its_connection_back() -> None:
    async def slow_the_first_time(request: bytes, writer: asyncio.StreamWriter) -> None:
        if len(server.requests) > 1:
            writer.write(OK)
        else:
            arrived.set()

    arrived = asyncio.Event()
    engine = AiohttpEngine(max_connections=1)
    async with serving(slow_the_first_time) as (server, url), opened(engine):
        call = asyncio.ensure_future(engine.send(request(url), 5))
        await arrived.wait()
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call
        assert (await engine.send(request(url), 5)).status == 200
    assert server.connections == 2  # the one in doubt was not used again


async def test_the_pool_is_as_large_as_it_was_asked_to_be() -> None:
    async def when_all_are_in(request: bytes, writer: asyncio.StreamWriter) -> None:
        if len(server.requests) >= 3:
            full.set()
        await full.wait()
        writer.write(OK)

    full = asyncio.Event()
    engine = AiohttpEngine(max_connections=3)
    async with serving(when_all_are_in) as (server, url), opened(engine):
        replies = await asyncio.gather(*(engine.send(request(url), 5) for _ in range(9)))
    assert [reply.status for reply in replies] == [200] * 9
    assert server.most_open == 3


async def through_proxy(target: str, engine: AiohttpEngine) -> Reply:
    async with opened(engine):
        return await engine.send(request(target), 5)


async def test_takes_the_proxy_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    async with serving(answers(OK)) as (proxy, url):
        monkeypatch.setenv("HTTP_PROXY", url.replace("//", "//me:secret@"))
        await through_proxy("http://crm.invalid/api?a=%2B", AiohttpEngine())
    line, *headers = proxy.requests[0].split(b"\r\n")
    assert line == b"GET http://crm.invalid/api?a=%2B HTTP/1.1"
    assert b"Proxy-Authorization: Basic " + base64.b64encode(b"me:secret") in headers


async def test_tunnels_tls_through_the_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    refusal = b"HTTP/1.1 407 Who are you\r\nContent-Length: 0\r\n\r\n"
    async with serving(answers(refusal)) as (proxy, url):
        monkeypatch.setenv("ALL_PROXY", url.removeprefix("http://"))
        async with opened(AiohttpEngine()) as engine:
            failure = await failing(engine, "https://crm.invalid/api")
    assert failure.sent == "no"
    assert proxy.requests[0].startswith(b"CONNECT crm.invalid:443 ")
    assert KEY.encode() not in proxy.requests[0]


@pytest.mark.parametrize("how", ["NO_PROXY", "trust_env"])
async def test_goes_past_the_proxy(how: str, monkeypatch: pytest.MonkeyPatch) -> None:
    async with serving(answers(OK)) as (proxy, through), serving(answers(OK)) as (server, url):
        monkeypatch.setenv("HTTP_PROXY", through)
        if how == "NO_PROXY":
            monkeypatch.setenv("NO_PROXY", "127.0.0.1")
        await through_proxy(url, AiohttpEngine(trust_env=how != "trust_env"))
    assert (len(proxy.requests), len(server.requests)) == (0, 1)


@pytest.mark.parametrize("proxy", ["socks5://127.0.0.1:1080", "http://::::", "http://h:99999"])
async def test_a_proxy_that_cannot_be_used_is_named(
    proxy: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ALL_PROXY", proxy)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    async with serving(answers(OK)) as (_, url), opened() as engine:
        with pytest.raises(ValueError, match=r"ALL_PROXY is set to no proxy"):
            await engine.send(request("https://crm.invalid"), 5)
        assert (await engine.send(request(url), 5)).status == 200


async def test_closed_is_closed() -> None:
    async with serving(answers(OK)) as (_, url):
        for used in (True, False):
            engine = AiohttpEngine()
            if used:
                await engine.send(request(url), 5)
            await engine.aclose()
            with pytest.raises(RuntimeError, match="closed"):
                await engine.send(request(url), 5)


def test_on_trio_it_says_what_to_do() -> None:
    async def main() -> None:
        await AiohttpEngine().send(request("http://127.0.0.1:1"), 5)

    with pytest.raises(RuntimeError, match="on trio use the default engine"):
        trio.run(main)


def test_without_aiohttp_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    module = "kantos_async.transport.engines.aiohttp"
    monkeypatch.delitem(sys.modules, module)
    monkeypatch.setitem(sys.modules, "aiohttp", None)
    with pytest.raises(ImportError, match=r"kantos-async\[fast\]"):
        importlib.import_module(module)

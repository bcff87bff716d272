"""The default engine: what it knows of a request that failed, and the user's own clients."""

from __future__ import annotations

import ssl
from collections.abc import Awaitable, Callable, Iterable
from typing import Any

import anyio
import httpcore
import httpx
import pytest
from support.virtual import virtual_backend

from kantos_async import APITimeoutError, KantosAsync, RetryPolicy, UnprocessableEntityError
from kantos_async.transport.engines import EngineFailure, Reply, Request
from kantos_async.transport.engines.httpx import HttpxEngine

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"
TUNNEL = b"HTTP/1.1 200 Connection established\r\n\r\n"
REASON = b'{"error": "bad", "code": "VALIDATION_ERROR"}'
REFUSED = b"HTTP/1.1 422 No\r\nContent-Length: %d\r\n\r\n%b" % (len(REASON), REASON)
PROXY = "http://proxy.invalid:3128"
HTTP = "http://crm.invalid/api"
HTTPS = "https://crm.invalid/api"


@pytest.fixture(params=["asyncio", "trio"])
def anyio_backend(request: pytest.FixtureRequest) -> tuple[str, dict[str, Any]]:
    return virtual_backend(request.param)


class Network(httpcore.AsyncNetworkBackend):
    """Wires that are not there. A step takes its seconds; each write is answered from a list.

    An answer of None is silence, one of b"" a connection that drops.
    """

    def __init__(
        self,
        *answers: bytes | None,
        connect: float = 0.0,
        tls: float = 0.0,
        write: float = 0.0,
    ) -> None:
        self.answers = list(answers)
        self.connect, self.tls, self.write = connect, tls, write
        self.written: list[bytes] = []

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        await self.step(self.connect, timeout, httpcore.ConnectTimeout)
        return Stream(self)

    async def step(self, seconds: float, timeout: float | None, late: type[Exception]) -> None:
        try:
            with anyio.fail_after(timeout):
                await anyio.sleep(seconds)
        except TimeoutError:
            raise late("too late") from None


class Stream(httpcore.AsyncNetworkStream):
    def __init__(self, network: Network) -> None:
        self.network = network
        self.unread: list[bytes | None] = []

    async def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,
    ) -> httpcore.AsyncNetworkStream:
        await self.network.step(self.network.tls, timeout, httpcore.ConnectTimeout)
        return self

    async def write(self, buffer: bytes, timeout: float | None = None) -> None:
        await self.network.step(self.network.write, timeout, httpcore.WriteTimeout)
        if buffer:
            self.network.written.append(buffer)
        if b"HTTP/1.1\r\n" in buffer:  # a head, not a body
            self.unread.append(self.network.answers.pop(0))

    async def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        chunk = self.unread.pop(0) if self.unread else None
        if chunk is None:
            await self.network.step(float("inf"), timeout, httpcore.ReadTimeout)
        return chunk or b""

    async def aclose(self) -> None:
        pass

    def get_extra_info(self, info: str) -> Any:
        return None


def over(network: Network, **options: Any) -> httpx.AsyncClient:
    """httpx with its own transport, on a network of ours."""
    transport = httpx.AsyncHTTPTransport()
    pool = httpcore.AsyncHTTPProxy if "proxy_url" in options else httpcore.AsyncConnectionPool
    transport._pool = pool(network_backend=network, **options)
    return httpx.AsyncClient(transport=transport)


def post(url: str, **headers: str) -> Request:
    return Request("POST", url, {"X-Api-Key": "k", **headers}, b'{"a":1}')


async def failing(
    client: httpx.AsyncClient, url: str = HTTPS, timeout: float = 0.5, **headers: str
) -> EngineFailure:
    async with client:
        with pytest.raises(EngineFailure) as caught:
            await HttpxEngine(client).send(post(url, **headers), timeout)
    return caught.value


@pytest.mark.parametrize("connect", [0.0, 0.1, 0.45])
async def test_a_tls_handshake_that_stalls_sent_nothing(connect: float) -> None:
    network = Network(connect=connect, tls=60.0)
    start = anyio.current_time()
    failure = await failing(over(network))
    assert (failure.sent, failure.timed_out) == ("no", True)
    assert anyio.current_time() - start <= 0.56
    assert network.written == []


async def test_so_a_create_is_sent_again() -> None:
    policy = RetryPolicy(attempts=2)
    base = "https://crm.invalid"
    async with (
        over(Network(connect=0.1, tls=60.0)) as client,
        KantosAsync("k", base_url=base, http_client=client, timeout=0.5, retry=policy) as k,
    ):
        with pytest.raises(APITimeoutError) as caught:
            await k.records.create(object_id="obj_contacts", field_values={"name": "x"})
    assert (caught.value.sent, caught.value.attempts) == (False, 2)


@pytest.mark.parametrize("url", [HTTP, HTTPS])
@pytest.mark.parametrize(
    ("answer", "timed_out", "status"),
    [
        (None, True, None),
        (b"", False, None),
        (b"HTTP/1.1 200", True, None),
        (OK[:-1], True, 200),
        (b"SSH-2.0-OpenSSH_9.6\r\n\r\n", False, None),
    ],
)
async def test_once_the_head_is_begun_it_may_have_arrived(
    url: str, answer: bytes | None, timed_out: bool, status: int | None
) -> None:
    failure = await failing(over(Network(answer)), url)
    assert (failure.sent, failure.timed_out) == ("maybe", timed_out)
    assert (failure.partial and failure.partial.status) == status


async def test_a_head_that_is_slow_to_leave_may_have_arrived() -> None:
    failure = await failing(over(Network(OK, connect=0.3, write=0.4)), HTTP)
    assert (failure.sent, failure.timed_out) == ("maybe", True)


async def test_of_a_kept_connection_each_request_is_judged_anew() -> None:
    network = Network(OK, b"")
    async with over(network) as client:
        engine = HttpxEngine(client)
        assert (await engine.send(post(HTTP), 5)).body == b"{}"
        with pytest.raises(EngineFailure) as caught:
            await engine.send(post(HTTP), 5)
        assert caught.value.sent == "maybe"


async def test_headers_against_the_rules_were_not_sent() -> None:
    network = Network()
    failure = await failing(over(network), HTTP, **{"X-Bad": "a\nb"})
    assert (failure.sent, network.written) == ("no", [])
    assert isinstance(failure.__cause__, httpx.LocalProtocolError)


@pytest.mark.parametrize(
    ("answer", "tls", "timed_out"),
    [
        (None, 0.0, True),  # the proxy never answers
        (b"", 0.0, False),  # drops
        (b"HTTP/1.1 407 Who are you\r\nContent-Length: 0\r\n\r\n", 0.0, False),
        (TUNNEL, 60.0, True),
    ],
)
async def test_what_opens_a_tunnel_is_not_the_request(
    answer: bytes | None, tls: float, timed_out: bool
) -> None:
    network = Network(answer, connect=0.2, tls=tls)
    failure = await failing(over(network, proxy_url=PROXY))
    assert (failure.sent, failure.timed_out) == ("no", timed_out)
    assert len(network.written) == 1
    assert network.written[0].startswith(b"CONNECT crm.invalid:443 ")


@pytest.mark.parametrize(("url", "answers"), [(HTTPS, [TUNNEL, None]), (HTTP, [None])])
async def test_through_a_proxy_a_request_is_one(url: str, answers: list[bytes | None]) -> None:
    failure = await failing(over(Network(*answers), proxy_url=PROXY), url)
    assert (failure.sent, failure.timed_out) == ("maybe", True)


Handler = Callable[[httpx.Request], Awaitable[httpx.Response]]


def behind(handler: Handler, **options: Any) -> httpx.AsyncClient:
    return httpx.AsyncClient(transport=httpx.MockTransport(handler), **options)


@pytest.mark.parametrize(
    ("error", "sent"),
    [
        (httpx.ConnectError("x"), "no"),
        (httpx.ConnectTimeout("x"), "no"),
        (httpx.PoolTimeout("x"), "no"),
        (httpx.ReadTimeout("x"), "maybe"),
        (httpx.ReadError("x"), "maybe"),
        (httpx.LocalProtocolError("x"), "maybe"),
        (None, "maybe"),
    ],
)
async def test_a_transport_that_tells_nothing_may_have_sent(
    error: Exception | None, sent: str
) -> None:
    async def handler(request: httpx.Request) -> httpx.Response:
        if error is None:
            await anyio.sleep_forever()
        raise error

    failure = await failing(behind(handler))
    assert (failure.sent, failure.timed_out) == (
        sent,
        error is None or isinstance(error, httpx.TimeoutException),
    )


@pytest.mark.parametrize("error", [httpx.LocalProtocolError("h2"), httpx.ConnectError("again")])
async def test_what_was_sent_once_stays_sent(error: Exception) -> None:
    """As with HTTP/2, where an answer that h2 cannot follow is a LocalProtocolError; or with a
    transport that connects anew by itself."""

    async def handler(request: httpx.Request) -> httpx.Response:
        trace = request.extensions["trace"]
        kwargs = {"request": httpcore.Request("POST", HTTPS, extensions=request.extensions)}
        await trace("http2.send_request_headers.started", kwargs)
        await trace("http2.send_request_headers.complete", {"return_value": None})
        raise error

    assert (await failing(behind(handler))).sent == "maybe"


async def test_an_app_that_never_answers_may_have_done_it() -> None:
    async def app(*args: object) -> None:
        await anyio.sleep_forever()

    client = httpx.AsyncClient(transport=httpx.ASGITransport(app))
    failure = await failing(client)
    assert (failure.sent, failure.timed_out) == ("maybe", True)


async def test_a_trace_of_the_users_own_is_left_alone() -> None:
    seen: list[str] = []

    async def mine(event: str, info: dict[str, Any]) -> None:
        seen.append(event)

    async def hook(request: httpx.Request) -> None:
        request.extensions["trace"] = mine

    client = over(Network(OK))
    client.event_hooks["request"] = [hook]
    async with client:
        assert (await HttpxEngine(client).send(post(HTTP), 5)).status == 200
    assert "http11.send_request_headers.started" in seen


async def raises(response: httpx.Response) -> None:
    response.raise_for_status()


@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_a_hook_that_raises_for_status_hides_no_answer(method: str) -> None:
    network = Network(REFUSED)
    client = over(network)
    client.event_hooks["response"] = [raises]
    policy = RetryPolicy(attempts=3)
    async with (
        client,
        KantosAsync("k", base_url="http://crm.invalid", http_client=client, retry=policy) as k,
    ):
        with pytest.raises(UnprocessableEntityError) as caught:
            await k.request(method, "/x", json=None if method == "GET" else {})
    assert (caught.value.code, caught.value.attempts) == ("VALIDATION_ERROR", 1)


async def test_a_hook_that_raises_keeps_the_connection() -> None:
    network = Network(REFUSED, OK)
    client = over(network)
    client.event_hooks["response"] = [raises]
    async with client:
        engine = HttpxEngine(client)
        assert (await engine.send(post(HTTP), 5)).body == REASON
        assert (await engine.send(post(HTTP), 5)).body == b"{}"
        # What is not ours is not read for it.
        network.answers.append(OK)
        async with client.stream("GET", HTTP) as response:
            assert not response.is_stream_consumed
        assert len(client.event_hooks["response"]) == 2


async def test_before_a_hook_too_the_head_of_half_an_answer_is_kept() -> None:
    client = over(Network(REFUSED[:-1]))
    client.event_hooks["response"] = [raises]
    failure = await failing(client, HTTP)
    assert failure.partial is not None
    assert (failure.partial.status, failure.timed_out) == (422, True)


async def test_the_status_of_another_request_is_not_our_answer() -> None:
    class SignsIn(httpx.Auth):
        async def async_auth_flow(self, request: httpx.Request) -> Any:
            (yield httpx.Request("POST", "http://login.invalid")).raise_for_status()
            yield request

    network = Network(REFUSED)
    client = over(network)
    client.auth = SignsIn()
    failure = await failing(client, HTTP)
    assert failure.partial is None
    assert isinstance(failure.__cause__, httpx.HTTPStatusError)
    assert len(network.written) == 1


async def test_of_a_sign_in_that_takes_two_answers_the_first_is_not_the_last() -> None:
    challenge = (
        b'HTTP/1.1 401 Who\r\nWWW-Authenticate: Digest realm="r", nonce="n", qop="auth"\r\n'
        b"Content-Length: 0\r\n\r\n"
    )

    async def looks(response: httpx.Response) -> None:
        pass

    client = over(Network(challenge, None))
    client.auth = httpx.DigestAuth("me", "secret")
    client.event_hooks["response"] = [looks]
    failure = await failing(client, HTTP)
    assert (failure.sent, failure.partial) == ("maybe", None)


async def test_our_own_client_answers_the_same() -> None:
    engine = HttpxEngine()
    engine._client._mounts = {}
    engine._client._transport = over(Network(OK, None))._transport
    reply = await engine.send(post(HTTP), 5)
    assert reply == Reply(200, [(b"Content-Length", b"2")], b"{}")
    with pytest.raises(EngineFailure) as caught:
        await engine.send(post(HTTP), 5)
    assert caught.value.sent == "maybe"
    await engine.aclose()


@pytest.mark.parametrize("proxy", ["socks9://me:secret@x", "http://h:port"])
async def test_a_proxy_that_cannot_be_used_is_named(
    proxy: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("https_proxy", raising=False)
    monkeypatch.setenv("HTTPS_PROXY", proxy)
    k = KantosAsync("k", base_url="http://crm.invalid")
    with pytest.raises(ValueError, match=r"HTTPS_PROXY is set to no proxy") as caught:
        await k.records.get("rec_1")
    await k.aclose()
    assert "secret" not in str(caught.value)

"""The default engine: httpx."""

from __future__ import annotations

import ssl
import urllib.request
from collections.abc import AsyncIterator
from typing import Any, Literal

import anyio
import httpx

from . import KEEPALIVE, EngineFailure, Reply, Request

__all__ = ["HttpxEngine"]

# What httpx raises where there is no connection to send anything on.
_UNSENT = (
    httpx.ConnectError,
    httpx.ConnectTimeout,
    httpx.PoolTimeout,
    httpx.UnsupportedProtocol,
    httpx.InvalidURL,
    httpx.ProxyError,
)

# httpx's own timeouts bound each step; this lets those of the first step fire first, since they
# say by their type that nothing was sent: of a wait for the pool no trace tells.
_GRACE = 0.05

_BEGUN = "send_request_headers.started"
_WRITTEN = "send_request_headers.complete"


class _Attempt(httpx.AsyncByteStream):
    """What one call knows about its request; also its body, as often as it is asked for.

    httpx's own body is an async generator, which on trio warns whenever a connection breaks while
    it is being sent.
    """

    def __init__(self, content: bytes) -> None:
        self._content = content
        self._traced = False
        self._begun = False
        self._written = False
        #: Status and headers, once they are here.
        self.partial: Reply | None = None

    def __aiter__(self) -> AsyncIterator[bytes]:
        return _Once(self._content)

    async def trace(self, event: str, info: dict[str, Any]) -> None:
        """Told by httpcore of every step; other transports do not know of it."""
        self._traced = True
        # What opens a tunnel through a proxy is not yet our request.
        if event.endswith(_BEGUN) and info["request"].method != b"CONNECT":
            self._begun = True
            # Of the other steps nothing need be known, and to hear of each takes time.
            info["request"].extensions.pop("trace", None)
        elif self._begun and event.endswith(_WRITTEN):
            self._written = True

    def sent(self, error: Exception) -> Literal["no", "maybe"]:
        """Whether the request may have left this machine, given what became of it.

        Which exception came does not tell that: a timeout of the whole attempt looks the same in
        a TLS handshake and while the server thinks.
        """
        if self._begun:
            # Headers that are against the rules are refused before a byte of them is written.
            # The same error comes of answers that an HTTP/2 library cannot follow.
            bad = isinstance(error, httpx.LocalProtocolError) and not self._written
            return "no" if bad else "maybe"
        return "no" if self._traced or isinstance(error, _UNSENT) else "maybe"


class _Once(AsyncIterator[bytes]):
    def __init__(self, content: bytes) -> None:
        self._left: bytes | None = content

    async def __anext__(self) -> bytes:
        if self._left is None:
            raise StopAsyncIteration
        content, self._left = self._left, None
        return content


class HttpxEngine:
    """Sends through an `httpx.AsyncClient`.

    Args:
        client: the user's own client, which stays the user's to close. None: one of ours.
        max_connections: the size of our own pool.
        ssl_context: TLS settings of our own client. None: httpx's default.

    Raises:
        ValueError: the environment names a proxy that httpx cannot use.
    """

    def __init__(
        self,
        client: httpx.AsyncClient | None = None,
        *,
        max_connections: int = 16,
        ssl_context: ssl.SSLContext | None = None,
    ) -> None:
        self._owned = client is None
        if client is None:
            limits = httpx.Limits(
                max_connections=max_connections,
                max_keepalive_connections=max_connections,
                keepalive_expiry=KEEPALIVE,
            )
            try:
                client = httpx.AsyncClient(limits=limits, verify=ssl_context or True)
            except (ValueError, httpx.InvalidURL) as error:
                name = _bad_proxy()
                if name is None:
                    raise
                raise ValueError(
                    f"{name} is set to no proxy that httpx can use: {error}"
                ) from error
        self._client = client

    async def send(self, request: Request, timeout: float) -> Reply:
        """Send once; see `Engine.send`."""
        attempt = _Attempt(request.body or b"")
        try:
            # httpx has no timeout for the whole attempt, only one for each step of it.
            with anyio.fail_after(timeout + _GRACE):
                built = self._build(request, timeout)
                built.stream = attempt
                built.extensions.setdefault("trace", attempt.trace)
                response = await self._answer(built)
                attempt.partial = head = _head(response)
                try:
                    body = await response.aread()
                finally:
                    if not response.is_closed:
                        await response.aclose()
        except (httpx.HTTPError, httpx.InvalidURL, httpx.StreamError) as error:
            raise EngineFailure(
                _words(error),
                sent=attempt.sent(error),
                timed_out=isinstance(error, httpx.TimeoutException),
                partial=attempt.partial,
            ) from error
        except TimeoutError as error:
            raise EngineFailure(
                f"no whole answer within {timeout:g} s",
                sent=attempt.sent(error),
                timed_out=True,
                partial=attempt.partial,
            ) from error
        return Reply(head.status, head.headers, body)

    async def _answer(self, built: httpx.Request) -> httpx.Response:
        if not self._owned:
            hooks = self._client.event_hooks
            if hooks["response"] and _read_first not in hooks["response"]:
                hooks["response"] = [_read_first, *hooks["response"]]
        try:
            return await self._client.send(built, stream=True, follow_redirects=False)
        except httpx.HTTPStatusError as error:
            # A hook of the user's raises for the status of our answer, or for that of a request
            # of its own, such as one for a token.
            if error.request.stream is not built.stream:
                raise
            return error.response

    def _build(self, request: Request, timeout: float) -> httpx.Request:
        if not self._owned:
            # The user's client may have headers, cookies and hooks of its own.
            return self._client.build_request(
                request.method,
                request.url,
                headers=request.headers,
                content=request.body,
                timeout=timeout,
            )
        return httpx.Request(
            request.method,
            request.url,
            headers={"Accept-Encoding": "gzip, deflate", **request.headers},
            content=request.body,
            extensions={"timeout": httpx.Timeout(timeout).as_dict()},
        )

    async def aclose(self) -> None:
        """Close our own client; one that was passed in stays open."""
        if self._owned:
            await self._client.aclose()


def _bad_proxy() -> str | None:
    """The variable of the environment whose proxy httpx refuses."""
    for scheme, url in urllib.request.getproxies().items():
        if scheme in {"http", "https", "all"}:
            try:
                httpx.Proxy(url if "://" in url else f"http://{url}")
            except (ValueError, httpx.InvalidURL):
                return f"{scheme.upper()}_PROXY"
    return None


async def _read_first(response: httpx.Response) -> None:
    """A hook before the user's: read our answers, which httpx closes unread if a hook raises."""
    attempt = response.request.stream
    if isinstance(attempt, _Attempt):
        attempt.partial = _head(response)
        await response.aread()
        # This answer may be only one on the way, as where the user's client signs in by digest.
        attempt.partial = None


def _head(response: httpx.Response) -> Reply:
    return Reply(response.status_code, response.headers.raw, b"")


def _words(error: Exception) -> str:
    return f"{type(error).__name__}: {error}" if str(error) else type(error).__name__

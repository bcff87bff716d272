"""The default engine: httpx."""

from __future__ import annotations

import ssl
from collections.abc import AsyncIterator

import anyio
import httpx

from . import KEEPALIVE, EngineFailure, Reply, Request

__all__ = ["HttpxEngine"]

# What httpx raises before the first byte of a request is written.
_UNSENT = (
    httpx.ConnectError,
    httpx.ConnectTimeout,
    httpx.PoolTimeout,
    httpx.UnsupportedProtocol,
    httpx.InvalidURL,
    httpx.LocalProtocolError,
    httpx.ProxyError,
)

# httpx's own timeouts bound each read; this lets the one on connecting fire first, so that the
# bound on the whole attempt never hides that nothing was sent.
_GRACE = 0.05


class _Body(httpx.AsyncByteStream):
    """A body, as often as it is asked for.

    httpx's own is an async generator, which on trio warns whenever a connection breaks while it
    is being sent.
    """

    def __init__(self, content: bytes) -> None:
        self._content = content

    def __aiter__(self) -> AsyncIterator[bytes]:
        return _Once(self._content)


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
            client = httpx.AsyncClient(limits=limits, verify=ssl_context or True)
        self._client = client

    async def send(self, request: Request, timeout: float) -> Reply:
        """Send once; see `Engine.send`."""
        partial: Reply | None = None
        try:
            # httpx has no timeout for the whole attempt, only one for each read of it.
            with anyio.fail_after(timeout + _GRACE):
                built = self._build(request, timeout)
                built.stream = _Body(request.body or b"")
                response = await self._client.send(built, stream=True, follow_redirects=False)
                partial = Reply(response.status_code, response.headers.raw, b"")
                try:
                    body = await response.aread()
                finally:
                    if not response.is_closed:
                        await response.aclose()
        except _UNSENT as error:
            timed_out = isinstance(error, httpx.TimeoutException)
            raise EngineFailure(_words(error), sent="no", timed_out=timed_out) from error
        except httpx.HTTPError as error:
            timed_out = isinstance(error, httpx.TimeoutException)
            raise EngineFailure(
                _words(error), sent="maybe", timed_out=timed_out, partial=partial
            ) from error
        except TimeoutError as error:
            message = f"no whole answer within {timeout:g} s"
            raise EngineFailure(message, sent="maybe", timed_out=True, partial=partial) from error
        return Reply(partial.status, partial.headers, body)

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


def _words(error: Exception) -> str:
    return f"{type(error).__name__}: {error}" if str(error) else type(error).__name__

"""The fast engine: aiohttp, driven directly. asyncio only; needs the `fast` extra."""

from __future__ import annotations

import asyncio
import ssl as tls
import urllib.request
from contextvars import ContextVar
from typing import Any

import httpx

try:
    import aiohttp
except ImportError as error:
    raise ImportError("The fast engine needs aiohttp: pip install 'kantos-async[fast]'") from error
from yarl import URL

from . import KEEPALIVE, EngineFailure, Reply, Request

__all__ = ["AiohttpEngine"]

_NO_CONTENT_TYPE = ("Content-Type",)


class _Attempt:
    """What one call knows about its request."""

    __slots__ = ("sent",)

    def __init__(self) -> None:
        self.sent = False


_attempt: ContextVar[_Attempt] = ContextVar("_attempt")


class _ClientRequest(aiohttp.ClientRequest):
    """Notes that there is a connection and that the first byte is about to be written.

    Which exception came does not tell that: a timeout of the whole attempt looks the same in a
    TLS handshake and while the server thinks.
    """

    async def send(self, conn: Any) -> aiohttp.ClientResponse:
        _attempt.get().sent = True
        return await super().send(conn)


class AiohttpEngine:
    """Sends through an `aiohttp.ClientSession`, made on the loop of the first call.

    Args:
        max_connections: the size of the pool. A call that finds no free connection waits for
            one, and that wait counts towards its timeout.
        ssl: TLS settings. None: the same that httpx uses.
        trust_env: take proxies and certificates from the environment, as httpx does
            (`HTTPS_PROXY`, `NO_PROXY`, `SSL_CERT_FILE`, ...).
    """

    def __init__(
        self,
        *,
        max_connections: int = 16,
        ssl: tls.SSLContext | None = None,
        trust_env: bool = True,
    ) -> None:
        self._max_connections = max_connections
        self._ssl = ssl
        self._trust_env = trust_env
        self._proxies = _environment_proxies() if trust_env else {}
        self._proxy_of: dict[str, URL | None] = {}
        self._session: aiohttp.ClientSession | None = None
        self._closed = False
        self._timeout = aiohttp.ClientTimeout()

    async def send(self, request: Request, timeout: float) -> Reply:
        """Send once; see `Engine.send`.

        Raises:
            RuntimeError: the engine is closed, or the loop is not asyncio's.
            ValueError: the environment names a proxy that aiohttp cannot use.
        """
        session = self._session or self._open()
        if self._timeout.total != timeout:
            # aiohttp would round a deadline of more than 5 s up to a whole second.
            self._timeout = aiohttp.ClientTimeout(total=timeout, ceil_threshold=timeout + 1)
        attempt = _Attempt()
        _attempt.set(attempt)
        url = URL(request.url, encoded=True)
        response: aiohttp.ClientResponse | None = None
        try:
            response = await session.request(
                request.method,
                url,
                data=request.body,
                headers=request.headers,
                skip_auto_headers=_unwanted(request),
                allow_redirects=False,
                proxy=self._proxy(url) if self._proxies else None,
                timeout=self._timeout,
            )
            body = await response.read()
        except (aiohttp.ClientError, OSError) as error:
            failure = _failure(error, timeout, sent=attempt.sent)
            if response is not None:
                failure.partial = Reply(response.status, response.raw_headers, b"")
        else:
            return Reply(response.status, response.raw_headers, body)
        raise failure  # out here, where the error that it replaces is not its context

    async def aclose(self) -> None:
        """Close the pool."""
        self._closed = True
        if self._session is not None:
            await self._session.close()

    def _open(self) -> aiohttp.ClientSession:
        if self._closed:
            raise RuntimeError("This engine is closed.")
        try:
            asyncio.get_running_loop()
        except RuntimeError:
            raise RuntimeError(
                "The fast engine runs on asyncio only; on trio use the default engine."
            ) from None
        self._session = session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(
                limit=self._max_connections,
                keepalive_timeout=KEEPALIVE,
                ssl=self._ssl or _default_context(self._trust_env),
            ),
            cookie_jar=aiohttp.DummyCookieJar(),
            request_class=_ClientRequest,
            # Proxies are looked up here, once an origin: aiohttp does it in a thread, for each
            # request, and would also send the passwords of ~/.netrc, which httpx does not.
            trust_env=False,
        )
        # aiohttp sends GET, PUT and DELETE again by itself when a kept-alive connection drops.
        session._retry_connection = False
        return session

    def _proxy(self, url: URL) -> URL | None:
        origin = f"{url.scheme}://{url.raw_host}:{url.port}"
        if origin not in self._proxy_of:
            scheme = url.scheme if url.scheme in self._proxies else "all"
            proxy = self._proxies.get(scheme)
            bypassed = urllib.request.proxy_bypass(f"{url.raw_host}:{url.port}")
            self._proxy_of[origin] = (
                _checked_proxy(scheme, proxy) if proxy and not bypassed else None
            )
        return self._proxy_of[origin]


def _environment_proxies() -> dict[str, str]:
    proxies = urllib.request.getproxies()
    # "proxy.example:3128" is common, and means a proxy spoken to in plain HTTP.
    return {
        scheme: proxy if "://" in proxy else f"http://{proxy}"
        for scheme, proxy in proxies.items()
        if scheme in {"http", "https", "all"}
    }


def _checked_proxy(scheme: str, proxy: str) -> URL:
    try:
        url = URL(proxy)
    except ValueError:
        url = URL()
    # aiohttp would speak HTTP, over TLS, to a proxy of any other scheme.
    if url.scheme not in {"http", "https"} or not url.raw_host:
        raise ValueError(
            f"{scheme.upper()}_PROXY is set to no proxy that the fast engine can use: "
            "it wants http://host:port or https://host:port"
        )
    return url


def _default_context(trust_env: bool) -> tls.SSLContext:
    context = httpx.create_ssl_context(trust_env=trust_env)
    context.set_alpn_protocols(["http/1.1"])
    return context


def _unwanted(request: Request) -> tuple[str, ...] | None:
    """The header that aiohttp would invent for a request that could have a body."""
    if request.method in {"GET", "DELETE"} or "Content-Type" in request.headers:
        return None
    return _NO_CONTENT_TYPE


def _failure(error: Exception, timeout: float, *, sent: bool) -> EngineFailure:
    timed_out = isinstance(error, TimeoutError)
    message = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
    if timed_out:
        message = f"no whole answer within {timeout:g} s"
    failure = EngineFailure(message, sent="maybe" if sent else "no", timed_out=timed_out)
    # The repr of a ClientResponseError (an answer that is no HTTP) shows the request's headers,
    # and so the key; what it was raised from does not.
    hides_key = isinstance(error, aiohttp.ClientResponseError)
    failure.__cause__ = error.__cause__ if hides_key else error
    return failure

"""`KantosAsync`: settings, lifetime, and the resources it hands out."""

from __future__ import annotations

import os
from collections.abc import Mapping
from functools import cached_property
from types import TracebackType
from typing import TYPE_CHECKING, Any, Literal, Self, overload
from urllib.parse import urlsplit

from ._version import __version__
from .resources.records import Records
from .transport.call import UNSET, Call, UnsetType
from .transport.engines import Engine, Reply
from .transport.events import Listener, Stats
from .transport.gate import Quota
from .transport.retry import RetryPolicy
from .transport.session import Session
from .transport.wire import ELSEWHERE, KeySource, Wire

if TYPE_CHECKING:
    import httpx

    from .api.intake import Intake
    from .api.objects import Objects
    from .api.users import Users
    from .resources.automations import Automations

__all__ = ["BASE_URL", "KantosAsync"]

BASE_URL = "https://kantos.ai/api"


class KantosAsync:
    """An async client for the Kantos CRM.

        async with KantosAsync() as k:
            lead = await k.records.get("rec_abc123")

    It opens at its first use and belongs to the event loop, thread and process of that use.
    Close it with `async with` or `aclose()`.

    Args:
        api_key: the key, or a function (sync or async) that returns it; that is asked again once
            after a 401, so that keys rotate without a restart. None: `KANTOS_API_KEY`.
        base_url: None: `KANTOS_BASE_URL`, else `https://kantos.ai/api`.
        timeout: seconds for one attempt on the wire. Waiting for quota does not count.
        max_concurrency: how many requests may be in flight.
        retry: how often, and how patiently, failed calls are repeated.
        quota: how much of the key's quota to use; the same object given to several clients makes
            them share it.
        engine: `"fast"` for aiohttp (extra `fast`, asyncio only), or an engine of your own.
            None: httpx.
        http_client: an `httpx.AsyncClient` to send through; it stays yours to close.
        read_only: refuse every write before it is sent.
        on_event: called with each event; see `log_events`.

    Raises:
        ValueError: a setting is missing or out of range; it is named.
    """

    def __init__(
        self,
        api_key: KeySource | None = None,
        *,
        base_url: str | None = None,
        timeout: float = 30.0,
        max_concurrency: int = 16,
        retry: RetryPolicy | None = None,
        quota: Quota | None = None,
        engine: Literal["fast"] | Engine | None = None,
        http_client: httpx.AsyncClient | None = None,
        read_only: bool = False,
        on_event: Listener | None = None,
    ) -> None:
        if isinstance(max_concurrency, bool) or max_concurrency < 1:
            raise ValueError(f"max_concurrency={max_concurrency!r}: must be a whole number from 1")
        if engine is not None and http_client is not None:
            raise ValueError("give engine= or http_client=, not both")
        if engine is not None and engine != "fast" and not isinstance(engine, Engine):
            raise ValueError(f"engine={engine!r}: must be 'fast', an Engine, or None for httpx")
        wire = Wire(
            base_url=_checked_url(base_url or os.environ.get("KANTOS_BASE_URL") or BASE_URL),
            key=_checked_key(api_key),
            quota=quota or Quota(),
            slots=max_concurrency,
            make_engine=lambda: _engine(engine, http_client, max_concurrency + ELSEWHERE),
            listener=on_event,
            user_agent=f"kantos-async/{__version__}",
        )
        self._session = Session(wire, _checked_timeout(timeout), retry or RetryPolicy(), read_only)

    # ---- resources -------------------------------------------------------------------------

    @cached_property
    def records(self) -> Records:
        """Records: create, get, update, delete, query, and what is built on them."""
        return Records(self._session)

    @cached_property
    def objects(self) -> Objects:
        """Objects and their fields."""
        from .api.objects import Objects

        return Objects(self._session)

    @cached_property
    def users(self) -> Users:
        """Users. A preview: these endpoints are inferred, not documented."""
        from .api.users import Users

        return Users(self._session)

    @cached_property
    def automations(self) -> Automations:
        """Automations. A preview: these endpoints are inferred, not documented."""
        from .resources.automations import Automations

        return Automations(self._session)

    @cached_property
    def intake(self) -> Intake:
        """Smart Intake. A preview: this endpoint is inferred, not documented."""
        from .api.intake import Intake

        return Intake(self._session)

    # ---- anything else ---------------------------------------------------------------------

    @overload
    async def request(
        self,
        method: str,
        path: str,
        *,
        params: Mapping[str, str | int | float] | None = None,
        json: Any = UNSET,
        raw: Literal[False] = False,
    ) -> Any: ...

    @overload
    async def request(
        self,
        method: str,
        path: str,
        *,
        params: Mapping[str, str | int | float] | None = None,
        json: Any = UNSET,
        raw: Literal[True],
    ) -> Reply: ...

    async def request(
        self,
        method: str,
        path: str,
        *,
        params: Mapping[str, str | int | float] | None = None,
        json: Any | UnsetType = UNSET,
        raw: bool = False,
    ) -> Any:
        """Call an endpoint that has no method of its own; same gate, same retries, same errors.

        Args:
            method: the HTTP method. A POST that may have arrived is never sent again.
            path: below the base URL, from `/`.
            params: query parameters.
            json: the body; None is sent as `null`.
            raw: return the `Reply` (status, headers, bytes) instead of the decoded JSON.

        Raises:
            ValueError: the path does not begin with `/`, or has a query besides `params`.
        """
        if not path.startswith("/") or path.startswith("//"):
            raise ValueError(f"path={path!r}: must begin with one '/', below the base URL")
        if params and "?" in path:
            raise ValueError(f"path={path!r}: it has a query already; put all of it into params=")
        pairs = [(name, _param(value)) for name, value in (params or {}).items()]
        kind: Any = Reply if raw else Any
        return await self._session.send(Call(method.upper(), path, kind, pairs, json))

    def with_options(
        self,
        *,
        timeout: float | None = None,
        retry: RetryPolicy | None = None,
        read_only: bool | None = None,
    ) -> KantosAsync:
        """A cheap copy with other options, which shares pool, quota and lifetime with this one."""
        copy = KantosAsync.__new__(KantosAsync)
        old = self._session
        copy._session = Session(
            old.wire,
            old.timeout if timeout is None else _checked_timeout(timeout),
            old.retry if retry is None else retry,
            old.read_only if read_only is None else read_only,
        )
        return copy

    @property
    def stats(self) -> Stats:
        """Counts since the client was made, and the quota as last seen."""
        return self._session.wire.stats()

    # ---- lifetime --------------------------------------------------------------------------

    async def aclose(self) -> None:
        """Stop what still runs and close the pool. Closing twice does nothing."""
        await self._session.wire.aclose()

    async def __aenter__(self) -> Self:
        self._session.wire.check()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.aclose()

    def __repr__(self) -> str:
        return f"<KantosAsync {self._session.wire.base_url}>"


def _engine(
    engine: Literal["fast"] | Engine | None, client: httpx.AsyncClient | None, slots: int
) -> Engine:
    if engine is None:
        from .transport.engines.httpx import HttpxEngine

        return HttpxEngine(client, max_connections=slots)
    if engine == "fast":
        from .transport.engines.aiohttp import AiohttpEngine

        return AiohttpEngine(max_connections=slots)
    return engine


def _param(value: str | float) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)


def _checked_key(key: KeySource | None) -> KeySource:
    found = os.environ.get("KANTOS_API_KEY") if key is None else key
    if not found:
        raise ValueError("no API key: pass api_key= or set KANTOS_API_KEY")
    if not isinstance(found, str) and not callable(found):
        raise ValueError("api_key= must be a string, or a function that returns one")
    return found


def _checked_url(url: str) -> str:
    parts = urlsplit(url)
    try:
        parts.port  # noqa: B018 - looked at for its check
    except ValueError as error:
        raise ValueError(f"base_url={url!r}: {error}") from None
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise ValueError(f"base_url={url!r}: must be like {BASE_URL!r}, with http:// or https://")
    if parts.username or parts.password:
        raise ValueError("base_url: must hold no user name and no password; the key is api_key=")
    if parts.query or parts.fragment:
        raise ValueError(f"base_url={url!r}: must have no query and no fragment")
    return url.rstrip("/")


def _checked_timeout(timeout: float) -> float:
    if not timeout > 0:
        raise ValueError(f"timeout={timeout!r}: must be above 0 seconds")
    return timeout

"""The sandbox on a socket: uvicorn's HTTP protocol in a thread of its own.

Only uvicorn's protocol is used, not its server: faults need to break connections and to close
the listener, and a sandbox in a test should stop at once rather than at the next tick.
"""

from __future__ import annotations

import asyncio
import socket
import sys
import threading
from collections.abc import Callable, Coroutine
from typing import Any

from uvicorn.config import Config
from uvicorn.server import ServerState

from .connection import Connection, hang_up_on_the_late
from .console import LOOPBACK, PREFIX, Console
from .core import Core
from .faults import Delivery
from .messages import Exchange
from .postman import deliver
from .problems import Problem

__all__ = ["Server"]

_BODY_LIMIT = 4 * 1024 * 1024
_REBIND_SECONDS = 5.0


class Server:
    """Serves a core on `host:port` (0: any free port) from `start` to `stop`."""

    def __init__(self, core: Core, host: str = "127.0.0.1", port: int = 0) -> None:
        self._core = core
        #: It asks for no key, so whoever opens the sandbox to others does without it.
        self.console = Console(core) if host in LOOPBACK else None
        self._address = (host, port)
        self._thread: threading.Thread | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._listener: asyncio.Server | None = None
        self._closed_until: asyncio.TimerHandle | None = None
        self._state = ServerState()
        self._config = Config(
            self._app,
            interface="asgi3",  # Not guessed right for a bound method.
            lifespan="off",
            ws="none",
            proxy_headers=False,
            log_config=None,
            access_log=False,
        )

    @property
    def port(self) -> int:
        """The port it is bound to."""
        return self._address[1]

    # Lifetime, called from outside the thread

    def start(self) -> None:
        """Bind and serve; returns once requests are accepted.

        Raises:
            OSError: when the address is taken or not ours.
        """
        listener = self._bind()
        self._address = listener.getsockname()[:2]
        ready = threading.Event()
        self._thread = threading.Thread(
            target=self._serve, args=(listener, ready), name="kantos-sandbox", daemon=True
        )
        self._thread.start()
        ready.wait()

    def stop(self) -> None:
        """Break what is open and free the port; returns once the thread has ended."""
        if self._loop and self._thread:
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join()
            self._loop = self._thread = None

    def close_door(self) -> None:
        """Refuse connections from now on, until `open_door`."""
        self._call(self._shut())

    def open_door(self) -> None:
        """Accept connections again."""
        self._call(self._listen(self._bind()))

    def _call(self, step: Coroutine[Any, Any, None]) -> None:
        assert self._loop is not None
        asyncio.run_coroutine_threadsafe(step, self._loop).result()

    def _bind(self) -> socket.socket:
        family = socket.AF_INET6 if ":" in self._address[0] else socket.AF_INET
        listener = socket.socket(family, socket.SOCK_STREAM)
        try:
            if sys.platform != "win32":  # There it would let two servers share a port.
                listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind(self._address)
            listener.listen(256)
        except OSError:
            listener.close()
            raise
        return listener

    # Inside the thread

    def _serve(self, listener: socket.socket, ready: threading.Event) -> None:
        with asyncio.Runner(loop_factory=_loop_factory()) as runner:
            self._loop = runner.get_loop()
            self._loop.run_until_complete(self._listen(listener))
            self._loop.call_soon(ready.set)
            helpers = (deliver(self._core), hang_up_on_the_late(self._state.connections))
            tasks = [self._loop.create_task(helper) for helper in helpers]
            self._loop.run_forever()
            for task in tasks:
                task.cancel()
            self._loop.run_until_complete(self._shut())
            for connection in list(self._state.connections):
                connection.transport.abort()
            # Lost connections are told so in the loop's next turn.
            self._loop.run_until_complete(asyncio.sleep(0))

    async def _listen(self, listener: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        self._listener = await loop.create_server(
            lambda: Connection(config=self._config, server_state=self._state, _loop=loop),
            sock=listener,
        )

    async def _shut(self) -> None:
        if self._listener:
            self._listener.close()
            self._listener = None
            await asyncio.sleep(0)  # uvloop lets go of the socket in its next turn.
        for connection in list(self._state.connections):
            if isinstance(connection, Connection) and connection.is_idle():
                connection.transport.close()

    async def _reopen(self, seconds: float) -> None:
        await asyncio.sleep(seconds)
        for _ in range(int(_REBIND_SECONDS / 0.01)):
            try:
                await self._listen(self._bind())
            except OSError:  # Somebody else has the port for a moment.
                await asyncio.sleep(0.01)
            else:
                return

    # ASGI

    async def _app(self, scope: Any, receive: Callable[..., Any], send: Callable[..., Any]) -> None:
        connection: Connection = scope["state"]["connection"]
        try:
            body = await _read(receive)
        except ConnectionError:
            return
        target = scope["raw_path"].decode("latin-1")
        if scope["query_string"]:
            target += "?" + scope["query_string"].decode("latin-1")
        headers = {k.decode("latin-1"): v.decode("latin-1") for k, v in scope["headers"]}
        if body is None:
            exchange = _too_large()
        elif target.startswith(PREFIX) and self.console:
            exchange = self.console.answer(scope["method"], target, headers, body)
            await _deliver(exchange, connection, send)
            return
        else:
            exchange = self._core.exchange(scope["method"], target, headers, body, connected=True)
        faults = self._core.faults
        closes = self._listener and (exchange.delivery.kind == "refuse" or faults.closes())
        try:
            if closes:  # Before the answer, so that whoever gets it finds the door closed.
                await self._shut()
            await _deliver(exchange, connection, send)
            if closes:
                connection.transport.close()
                await self._reopen(faults.plan.refused_for)
        except asyncio.CancelledError:
            connection.cut(flush=False)  # The sandbox stops.


async def _read(receive: Callable[..., Any]) -> bytes | None:
    """The request's body; None when it is too large.

    Raises:
        ConnectionError: the client went away before its end.
    """
    parts = bytearray()
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ConnectionError
        parts += message.get("body", b"")
        if len(parts) > _BODY_LIMIT:
            return None
        if not message.get("more_body", False):
            return bytes(parts)


async def _deliver(exchange: Exchange, connection: Connection, send: Callable[..., Any]) -> None:
    way = exchange.delivery
    if way.headers_after:
        await asyncio.sleep(way.headers_after)
    if way.kind in {"drop", "refuse"}:
        connection.cut(flush=False)
        return
    await send(
        {
            "type": "http.response.start",
            "status": exchange.status,
            "headers": [(k.encode("latin-1"), v.encode("latin-1")) for k, v in exchange.headers],
        }
    )
    if way.body_after:
        await asyncio.sleep(way.body_after)
    body = {"type": "http.response.body", "body": exchange.body}
    if way.kind == "truncate":
        await send({**body, "body": exchange.body[: way.keep], "more_body": True})
        connection.cut(flush=True)
    else:
        await send(body)


def _too_large() -> Exchange:
    body = Problem(413, f"The body is over {_BODY_LIMIT} bytes").body()
    headers = (("Content-Type", "application/json"), ("Connection", "close"))
    return Exchange(413, (*headers, ("Content-Length", str(len(body)))), body, Delivery())


def _loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    try:
        import uvloop  # noqa: PLC0415 - not there on Windows
    except ImportError:
        return None
    return uvloop.new_event_loop

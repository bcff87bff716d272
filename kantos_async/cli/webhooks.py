"""`kantos webhooks listen`: see webhooks as they come, and hand them on."""

from __future__ import annotations

import signal
import socket
import sys
from collections.abc import Callable, Generator
from contextlib import AsyncExitStack, contextmanager
from contextvars import ContextVar
from typing import Annotated, Any
from urllib.parse import urlsplit

import attrs
import httpx
import msgspec
import uvicorn
from cyclopts import App, Parameter
from cyclopts.types import Port

from ..webhooks import RecordEvent, WebhookEvent, WebhookReceiver
from ..webhooks.asgi import Message, Receive, Scope, Send
from .exits import UsageError
from .output import STANDARD, Output, printable
from .streams import has_left

__all__ = ["Listener", "webhooks"]

webhooks = App(name="webhooks", help="Receive webhooks.")

_LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})

#: Seconds for whoever an event is forwarded to: Kantos itself waits for 30.
_FORWARD_TIMEOUT = 25.0


@webhooks.command
async def listen(
    *,
    secret: Annotated[
        tuple[str, ...],
        Parameter(env_var="KANTOS_WEBHOOK_SECRET", negative="", consume_multiple=False),
    ],
    forward: str | None = None,
    host: str = "127.0.0.1",
    port: Port = 8787,
    out: Output = STANDARD,
) -> None:
    """Receive webhooks, print each event, and forward it, until Ctrl-C.

    Only what carries a valid signature is printed; a redelivery of what was handled is not. With
    `--forward` the body is posted on, byte for byte, and Kantos is told that the event is
    handled when the answer is 2xx. With `--json` each event is a line of JSON.

    Example: `kantos webhooks listen --secret whsec_... --forward http://127.0.0.1:8000/hooks`

    Args:
        secret: The webhook secret; given again for another one while they are rotated. The
            environment's KANTOS_WEBHOOK_SECRET is not seen by other users of the machine.
        forward: Post each event on to this address.
        host: The address to listen on. Beyond loopback, whoever reaches it can post.
        port: The port to listen on; 0 takes any free one.
        out: What every command shares.
    """
    if forward is not None:
        _check_address(forward)
    try:
        receiver = WebhookReceiver(secret)
    except ValueError as error:
        raise UsageError(f"--secret: {error}") from None
    async with AsyncExitStack() as stack:
        listener = stack.enter_context(socket.create_server((host, port)))
        client = None
        if forward is not None:
            client = await stack.enter_async_context(httpx.AsyncClient(timeout=_FORWARD_TIMEOUT))
        app = Listener(receiver, out, client, forward or "")

        def announce() -> None:
            at = f"http://{host}:{listener.getsockname()[1]}"
            out.remark(f"Listening for webhooks on {at}. Ctrl-C ends it.")
            if host not in _LOOPBACK:
                out.remark(f"Others can reach {host}.")

        await _serve(app, listener, announce)


def _check_address(forward: str) -> None:
    try:
        parts = urlsplit(forward)
        host = parts.hostname if parts.port != 0 else None
    except ValueError as error:
        raise UsageError(f"--forward {forward!r}: {error}") from None
    if parts.scheme not in {"http", "https"}:
        raise UsageError(f"--forward {forward!r}: must begin with http:// or https://")
    if not host:
        raise UsageError(f"--forward {forward!r}: names no host, such as http://127.0.0.1:8000/")


@attrs.define
class _Delivery:
    """A request on its way through the receiver."""

    headers: list[tuple[bytes, bytes]]
    body: bytearray = attrs.Factory(bytearray)


_current: ContextVar[_Delivery] = ContextVar("delivery")


class Listener:
    """An ASGI app around a receiver: prints what comes, and forwards it as it came."""

    def __init__(
        self, receiver: WebhookReceiver, out: Output, client: httpx.AsyncClient | None, to: str
    ) -> None:
        self._receiver = receiver
        self._out = out
        self._client = client
        self._to = to
        receiver.on("*")(self._handle)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """The app."""
        if scope["type"] != "http":
            await self._receiver(scope, receive, send)
            return
        delivery = _Delivery(list(scope["headers"]))
        _current.set(delivery)
        status = 0

        async def read() -> Message:
            message = await receive()
            delivery.body += message.get("body", b"")
            return message

        async def answer(message: Message) -> None:
            nonlocal status
            status = message.get("status", status)
            if message["type"] == "http.response.body" and status in {400, 408, 413}:
                self._warn(f"refused ({status}): {message['body'].decode()}")
            await send(message)

        await self._receiver(scope, read, answer)

    async def _handle(self, event: WebhookEvent) -> None:
        said = "" if self._client is None else await self._forward(self._client, event)
        if self._out.json:
            line = msgspec.json.encode(event.payload).decode()
        else:
            line = printable(f"{_summary(event)}{said}")
        print(line, flush=True)
        if has_left(sys.stdout):
            raise BrokenPipeError  # nobody sees it: not handled

    async def _forward(self, client: httpx.AsyncClient, event: WebhookEvent) -> str:
        delivery = _current.get()
        headers = [(name, value) for name, value in delivery.headers if name.lower() in _PASSED]
        try:
            reply = await client.post(self._to, content=bytes(delivery.body), headers=headers)
        except httpx.HTTPError as error:
            self._warn(f"{_summary(event)}: not forwarded: {error or type(error).__name__}")
            raise
        if not reply.is_success:
            self._warn(f"{_summary(event)}: {self._to} answered {reply.status_code}")
            reply.raise_for_status()
            raise httpx.HTTPError(f"answered {reply.status_code}")
        return f"  → {reply.status_code}"

    def _warn(self, text: str) -> None:
        print(printable(text), file=sys.stderr, flush=True)


#: Headers that say something of the body; a signature may come in one of the `x-` ones.
_PASSED = frozenset({b"content-type", b"x-kantos-signature", b"x-signature"})


def _summary(event: WebhookEvent) -> str:
    at = "" if event.timestamp is None else f"{event.timestamp:%Y-%m-%d %H:%M:%S %Z}  "
    what = f"{at}{event.event or '(no event)'}"
    if isinstance(event, RecordEvent):
        what += "".join(f"  {part}" for part in (event.object_id, event.record_id) if part)
    return what


# ---- serving -------------------------------------------------------------------------------


class _Server(uvicorn.Server):
    """A server that says when it serves, and that Ctrl-C ends without an error."""

    on_ready: Callable[[], None]

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.on_ready()

    @contextmanager
    def capture_signals(self) -> Generator[None]:
        def stop(*_: Any) -> None:
            self.should_exit = True

        numbers = (signal.SIGINT, signal.SIGTERM)
        before = {number: signal.signal(number, stop) for number in numbers}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)


async def _serve(app: Listener, listener: socket.socket, on_ready: Callable[[], None]) -> None:
    config = uvicorn.Config(
        app, log_level="error", lifespan="off", ws="none", timeout_graceful_shutdown=5
    )
    server = _Server(config)
    server.on_ready = on_ready
    await server.serve(sockets=[listener])

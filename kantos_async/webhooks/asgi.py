"""The little of ASGI that a receiver needs: a bounded body in, a short answer out."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any, NamedTuple, TypeAlias

import anyio

__all__ = [
    "Answer",
    "Receive",
    "Refused",
    "Scope",
    "Send",
    "header",
    "lifespan",
    "read_body",
    "reply",
]

Scope: TypeAlias = MutableMapping[str, Any]
Message: TypeAlias = MutableMapping[str, Any]
Receive: TypeAlias = Callable[[], Awaitable[Message]]
Send: TypeAlias = Callable[[Message], Awaitable[None]]


class Answer(NamedTuple):
    """An HTTP answer: its status, and a line for whoever reads the sender's log."""

    status: int
    text: str = ""


class Refused(Exception):
    """The request is answered before its body was read."""

    def __init__(self, status: int, text: str) -> None:
        super().__init__(text)
        self.answer = Answer(status, text)


async def read_body(scope: Scope, receive: Receive, *, limit: int, timeout: float) -> bytes:
    """Read a request's body of at most `limit` bytes, all of it within `timeout` seconds.

    Raises:
        Refused: it is too large (413), too slow (408), or was cut off (400).
    """
    announced = header(scope, "content-length") or ""
    if announced.isdecimal() and int(announced[:18]) > limit:
        raise Refused(413, "The body is too large.")
    body = bytearray()
    with anyio.move_on_after(timeout):
        while True:
            message = await receive()
            if message["type"] != "http.request":
                raise Refused(400, "The body was cut off.")
            body += message.get("body", b"")
            if len(body) > limit:
                raise Refused(413, "The body is too large.")
            if not message.get("more_body", False):
                return bytes(body)
    raise Refused(408, "The body came too slowly.")


def header(scope: Scope, name: str) -> str | None:
    """The value of a request's header, None when it is not there."""
    wanted = name.lower().encode("latin-1")
    for key, value in scope["headers"]:
        if key.lower() == wanted:
            return bytes(value).decode("latin-1")
    return None


async def reply(scope: Scope, send: Send, answer: Answer) -> None:
    """Send an answer."""
    body = answer.text.encode()
    headers = [(b"content-length", str(len(body)).encode())]
    if body:
        headers.append((b"content-type", b"text/plain; charset=utf-8"))
    if answer.status == 405:
        headers.append((b"allow", b"POST"))
    if answer.status in {408, 413} and scope.get("http_version", "1.1").startswith("1"):
        # Without this the server would go on reading the body that was just refused.
        headers.append((b"connection", b"close"))
    await send({"type": "http.response.start", "status": answer.status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


async def lifespan(receive: Receive, send: Send) -> None:
    """Answer a server's start and stop: there is nothing to do at either."""
    while True:
        message = await receive()
        await send({"type": f"{message['type']}.complete"})
        if message["type"] == "lifespan.shutdown":
            return

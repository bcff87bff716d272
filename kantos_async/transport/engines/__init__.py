"""The seam to the HTTP libraries: two small types, one failure, one protocol.

An engine puts **one request on the wire for one call**: no retries, no redirects. Its timeouts
are its own. Nothing of the HTTP library leaks through here.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, Protocol, runtime_checkable

import msgspec

__all__ = ["KEEPALIVE", "Engine", "EngineFailure", "Reply", "Request"]


#: Seconds that an idle connection is kept. Below the five after which many servers drop one: a
#: create that is written to a connection being dropped is a create in doubt.
KEEPALIVE = 4.0


class Request(msgspec.Struct, frozen=True, gc=False):
    """A request, ready for the wire. `headers` includes the key, so it has no `repr`."""

    method: str
    url: str
    headers: dict[str, str]
    body: bytes | None = None

    def __repr__(self) -> str:
        return f"<Request {self.method} {self.url.partition('?')[0]}>"


class Reply(msgspec.Struct, frozen=True, gc=False):
    """A whole answer. Header names come as the server wrote them, in order, doubles included."""

    status: int
    headers: Sequence[tuple[bytes, bytes]]
    body: bytes


class EngineFailure(Exception):
    """No whole answer came. `__cause__` is the library's own exception.

    Attributes:
        sent: "no" when the request surely never left this machine, else "maybe".
        timed_out: whether it was time that ran out.
        partial: status and headers, where these came before the answer was cut off.
    """

    def __init__(
        self,
        message: str,
        *,
        sent: Literal["no", "maybe"],
        timed_out: bool = False,
        partial: Reply | None = None,
    ) -> None:
        super().__init__(message)
        self.sent: Literal["no", "maybe"] = sent
        self.timed_out = timed_out
        self.partial = partial


@runtime_checkable
class Engine(Protocol):
    """What carries requests: httpx by default, aiohttp with the `fast` extra, or your own."""

    async def send(self, request: Request, timeout: float) -> Reply:
        """Send once and return the whole answer.

        Args:
            request: what to send.
            timeout: seconds for the whole attempt, connecting included.

        Raises:
            EngineFailure: no whole answer came.
        """
        ...

    async def aclose(self) -> None:
        """Close the pool. Called once."""
        ...

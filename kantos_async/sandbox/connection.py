"""One connection to the sandbox: faults can break it, and bad senders cannot hold it."""

from __future__ import annotations

import asyncio
import math
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

__all__ = ["Connection", "hang_up_on_the_late"]


class Connection(HttpToolsProtocol):
    """uvicorn's protocol, with what can only be done below ASGI."""

    #: The most bytes of a request line with its headers.
    head_limit = 256 * 1024
    #: Seconds that a client has to send a whole request; also those between two requests.
    patience = 10.0

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        kwargs["app_state"] = {"connection": self}
        super().__init__(*args, **kwargs)
        self._head = 0.0
        self._waits_since: float | None = self.loop.time()

    def cut(self, *, flush: bool) -> None:
        """Break the connection, with or without what was written so far."""
        self.cycle.disconnected = True
        if flush:
            self.transport.close()
        else:
            self.transport.abort()

    def is_idle(self) -> bool:
        """Whether no request is being answered."""
        # Before the first request there is no cycle, whatever its annotation says.
        return not self.cycle or self.cycle.response_complete

    def is_late(self) -> bool:
        """Whether its client has begun a request, or none, and keeps us waiting too long."""
        since = self._waits_since
        return since is not None and self.loop.time() - since > self.patience

    # What uvicorn's protocol calls

    def data_received(self, data: bytes) -> None:
        """Parse what came; headers without end are refused."""
        self._head += len(data)
        super().data_received(data)
        if self._head > self.head_limit and not self.transport.is_closing():
            self.send_400_response("The headers are too large.")

    def on_headers_complete(self) -> None:
        """From here on it is the body, which has another limit."""
        self._head = -math.inf
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        """The client's part is done."""
        self._head = 0.0
        self._waits_since = None
        super().on_message_complete()

    def on_response_complete(self) -> None:
        """The next request may come."""
        self._waits_since = self.loop.time()
        super().on_response_complete()


async def hang_up_on_the_late(connections: set[Any]) -> None:
    """Close what keeps us waiting too long, until cancelled."""
    while True:
        await asyncio.sleep(Connection.patience / 4)
        for connection in list(connections):
            if connection.is_late():
                connection.transport.abort()

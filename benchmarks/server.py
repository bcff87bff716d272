"""A server that costs next to nothing, in a process of its own.

A bare `asyncio.Protocol` that answers from bytes made beforehand, so that the client is what is
measured. It understands just enough HTTP for that: requests whose body, if any, is announced by
`Content-Length`.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from email.utils import formatdate

PER_PAGE = 100
_PAGE_SLOT = b"#page##"  # as long as the number that takes its place: no length ever changes
_PAGE = re.compile(rb"[?&]page=(\d+)")
_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)


def record(record_id: str) -> dict[str, object]:
    """One record as the API answers it, with the fields of a contact."""
    return {
        "id": record_id,
        "object_id": "obj_contacts",
        "field_values": {
            "name": "Ada Lovelace",
            "email": f"{record_id}@example.com",
            "phone": "+44 20 7946 0000",
            "company": "rec_company_456",
            "status": "qualified",
            "score": 87,
            "newsletter": True,
        },
        "created_at": "2024-01-15T10:30:00Z",
        "updated_at": "2024-02-15T10:30:00Z",
        "created_by": "user_789",
    }


def page_body(total: int, page: str = "1") -> bytes:
    """One page of `PER_PAGE` records of `total`."""
    data = [record(f"rec_{page}_{row:02}") for row in range(PER_PAGE)]
    pages = -(-total // PER_PAGE)
    pagination = {"total": total, "page": 0, "per_page": PER_PAGE, "total_pages": pages}
    body = json.dumps({"data": data, "pagination": pagination}, separators=(",", ":"))
    # A JSON number has no leading zeros, so the page's own number sits among spaces.
    return body.replace('"page":0', f'"page":{page:>7}').encode()


_HEAD = b"""HTTP/1.1 200 OK\r
Content-Type: application/json\r
Date: %b\r
X-RateLimit-Limit: %d\r
X-RateLimit-Remaining: %d\r
X-RateLimit-Reset: %d\r
Content-Length: %d\r
\r
"""
_LIMIT = 100_000_000  # a quota that is told truly, and never spent


class _Answers:
    """The two answers there are: one record, and any page of a list."""

    def __init__(self, total: int) -> None:
        self.record = json.dumps(record("rec_abc123"), separators=(",", ":")).encode()
        self.page = page_body(total, _PAGE_SLOT.decode())
        self.number = b'"page":' + _PAGE_SLOT
        self.remaining = _LIMIT
        self.second = self.reset = 0
        self.date = b""

    def to(self, head: bytes) -> bytes:
        body = self.list_page(head) if b"/records/query" in head else self.record
        now = int(time.time())
        if now != self.second:
            self.second, self.date = now, formatdate(now, usegmt=True).encode()
        if now >= self.reset:
            self.remaining, self.reset = _LIMIT, now - now % 60 + 60
        self.remaining -= 1
        return _HEAD % (self.date, _LIMIT, self.remaining, self.reset, len(body)) + body

    def list_page(self, head: bytes) -> bytes:
        found = _PAGE.search(head)
        page = found[1] if found else b"1"
        body = self.page.replace(self.number, b'"page":' + page.rjust(len(_PAGE_SLOT)))
        return body.replace(_PAGE_SLOT, page.rjust(len(_PAGE_SLOT), b"0"))


class _Connection(asyncio.Protocol):
    transport: asyncio.Transport

    def __init__(self, answers: _Answers) -> None:
        self.answers = answers
        self.pending = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        data = self.pending + data
        while (end := data.find(b"\r\n\r\n")) >= 0:
            head = data[:end]
            length = _LENGTH.search(head)
            whole = end + 4 + (int(length[1]) if length else 0)
            if len(data) < whole:
                break
            self.transport.write(self.answers.to(head))
            data = data[whole:]
        self.pending = data


async def _serve(total: int) -> None:
    loop = asyncio.get_running_loop()
    answers = _Answers(total)
    server = await loop.create_server(lambda: _Connection(answers), "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    # The parent keeps our input open: its end is the end of us, however it ended.
    await loop.run_in_executor(None, sys.stdin.read)


@contextlib.contextmanager
def running(total: int = 1_000_000) -> Iterator[str]:
    """Run the server over `total` records; gives the base URL."""
    command = [sys.executable, "-m", "benchmarks.server", str(total)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            yield f"http://127.0.0.1:{int(process.stdout.readline())}/api"
        finally:
            process.stdin.close()
            process.wait(timeout=10)


if __name__ == "__main__":
    asyncio.run(_serve(int(sys.argv[1])))

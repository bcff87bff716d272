"""An engine that plays a script: one entry for each request, the last one for ever."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec

from kantos_async import EngineFailure, KantosAsync, Reply, Request

Step = Reply | EngineFailure | Callable[[Request], Any]

RECORD = {
    "id": "rec_1",
    "object_id": "obj_contacts",
    "field_values": {"name": "John Doe", "email": "john@example.com"},
    "created_at": "2026-01-15T10:30:00Z",
    "updated_at": "2026-01-15T10:30:00Z",
}


def reply(status: int = 200, body: Any = None, **headers: str) -> Reply:
    data = body if isinstance(body, bytes) else msgspec.json.encode(body)
    named = [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
    return Reply(status, named, data)


def error(status: int, code: str = "CODE", **headers: str) -> Reply:
    body = {"error": "Went wrong", "code": code, "status": status, "details": {"a": 1}}
    return reply(status, body, **headers)


def record(**changed: Any) -> Reply:
    return reply(200, {**RECORD, **changed})


def page(*records: dict[str, Any]) -> Reply:
    pagination = {"total": len(records), "page": 1, "per_page": 100, "total_pages": 1}
    return reply(200, {"data": list(records), "pagination": pagination})


def lost() -> EngineFailure:
    return EngineFailure("connection lost", sent="maybe")


def unsent() -> EngineFailure:
    return EngineFailure("connection refused", sent="no")


class ScriptEngine:
    """Answers from a script and keeps what was asked."""

    def __init__(self, *steps: Step) -> None:
        self.steps = list(steps)
        self.requests: list[Request] = []
        self.closed = False

    async def send(self, request: Request, timeout: float) -> Reply:
        self.requests.append(request)
        step = self.steps.pop(0) if len(self.steps) > 1 else self.steps[0]
        if callable(step):
            step = step(request)
        if isinstance(step, Exception):
            raise step
        return step

    async def aclose(self) -> None:
        self.closed = True

    def client(self, **settings: Any) -> KantosAsync:
        settings.setdefault("api_key", "kantos_test")
        return KantosAsync(base_url="http://script.invalid/api", engine=self, **settings)

from __future__ import annotations

import json as jsonlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

import pytest

from kantos_async.sandbox import Core, Delivery, Faults, Quota

START = 1_705_314_600.0  # 2024-01-15T10:30:00Z


class Clock:
    """A clock that stands until it is moved."""

    def __init__(self) -> None:
        self.now = START

    def __call__(self) -> float:
        return self.now

    def move(self, seconds: float) -> None:
        self.now += seconds


@dataclass
class Answer:
    status: int
    headers: dict[str, str]
    body: bytes
    delivery: Delivery

    @property
    def json(self) -> Any:
        return jsonlib.loads(self.body)


class Api:
    """Talks to a core the way a client does, and unpacks what it answers."""

    def __init__(self, core: Core, clock: Clock) -> None:
        self.core = core
        self.clock = clock
        self.key: str | None = core.keys.first.key

    def __call__(
        self,
        method: str,
        path: str,
        json: Any = None,
        *,
        body: bytes | None = None,
        **params: Any,
    ) -> Answer:
        for name, value in params.items():
            if not isinstance(value, str | int):
                params[name] = jsonlib.dumps(value)
        target = f"/api{path}" + (f"?{urlencode(params)}" if params else "")
        if body is None:
            body = b"" if json is None else jsonlib.dumps(json).encode()
        headers = {} if self.key is None else {"X-Api-Key": self.key}
        exchange = self.core.exchange(method, target, headers, body)
        return Answer(exchange.status, dict(exchange.headers), exchange.body, exchange.delivery)

    def create(self, object_id: str = "obj_contacts", **values: Any) -> Any:
        answer = self("POST", "/crm/record", {"object_id": object_id, "field_values": values})
        assert answer.status == 201, answer.body
        return answer.json

    def query(self, object_id: str = "obj_contacts", **params: Any) -> Any:
        answer = self("GET", "/crm/records/query", object_id=object_id, **params)
        assert answer.status == 200, answer.body
        return answer.json

    def names(self, **params: Any) -> list[str]:
        return [record["field_values"]["name"] for record in self.query(**params)["data"]]


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def start_core(clock: Clock) -> Iterator[Callable[..., Api]]:
    """Starts cores on the standing clock, and closes them."""
    cores: list[Core] = []

    def start(*, quota: Quota | None = None, faults: Faults | None = None, **more: Any) -> Api:
        settings = {"seed": 1, "clock": clock, **more}
        cores.append(Core(quota=quota, faults=faults, **settings))
        return Api(cores[-1], clock)

    yield start
    for core in cores:
        core.close()


@pytest.fixture
def api(start_core: Callable[..., Api]) -> Api:
    return start_core()

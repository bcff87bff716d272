from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any, NamedTuple

import httpx
import pytest

from kantos_async.cli import main
from kantos_async.sandbox import Sandbox


class Done(NamedTuple):
    """How a command ended, and what it said."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


Kantos = Callable[..., Done]


@pytest.fixture(scope="module")
def _served() -> Iterator[Sandbox]:
    with Sandbox() as served:
        yield served


@pytest.fixture
def sandbox(_served: Sandbox, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Sandbox:
    """A fresh account, which commands find, and a working directory of one's own."""
    _served.reset()
    monkeypatch.setenv("KANTOS_BASE_URL", _served.url)
    monkeypatch.setenv("KANTOS_API_KEY", _served.api_key)
    monkeypatch.chdir(tmp_path)
    return _served


@pytest.fixture
def kantos(sandbox: Sandbox, capfd: pytest.CaptureFixture[str]) -> Kantos:
    """Run a command in this process, as a shell would."""

    def run(*words: str | Path) -> Done:
        capfd.readouterr()
        code = main([str(word) for word in words])
        return Done(code, *capfd.readouterr())

    return run


@pytest.fixture
def people(sandbox: Sandbox) -> list[str]:
    """Three contacts; their ids."""
    return sandbox.insert(
        "obj_contacts",
        [
            {"name": "Ann", "email": "ann@x.example", "status": "new", "phone": "+49 30 1"},
            {"name": "Bob", "email": "bob@x.example", "status": "lost"},
            {"name": "Zoë", "email": "zoe@x.example", "status": "new"},
        ],
    )


@pytest.fixture
def make_object(sandbox: Sandbox) -> Callable[..., str]:
    """Make an object as an admin would; its id."""

    def make(name: str, **fields: Any) -> str:
        answer = httpx.post(
            f"{sandbox.url}/crm/objects",
            headers={"X-Api-Key": sandbox.api_key},
            json={
                "name": name,
                "fields": [
                    {"name": field, "type": kind}
                    if isinstance(kind, str)
                    else {"name": field, **kind}
                    for field, kind in fields.items()
                ],
            },
        )
        made: str = answer.raise_for_status().json()["id"]
        return made

    return make


@pytest.fixture
def spent_after(
    sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Callable[[int], Sandbox]]:
    """Give commands an account whose quota is spent after so many requests, for hours."""
    with ExitStack() as stack:

        def start(requests: int) -> Sandbox:
            limited = stack.enter_context(Sandbox(limit=requests, window=86_400.0))
            monkeypatch.setenv("KANTOS_BASE_URL", limited.url)
            monkeypatch.setenv("KANTOS_API_KEY", limited.api_key)
            return limited

        yield start

"""Every Python block of the README and of the guides runs, against a sandbox."""

from __future__ import annotations

import ast
import asyncio
import inspect
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from kantos_async.sandbox import Sandbox

ROOT = Path(__file__).parents[2]
PAGES = [
    "README.md",
    *(
        f"docs/{name}.md"
        for name in ("bulk", "filters", "performance", "quota", "retries", "streams")
    ),
]
BLOCK = re.compile(r"^```python\n(.*?)^```", re.MULTILINE | re.DOTALL)


def blocks() -> Iterator[Any]:
    for page in PAGES:
        text = (ROOT / page).read_text(encoding="utf-8")
        for match in BLOCK.finditer(text):
            line = text.count("\n", 0, match.start()) + 2
            yield pytest.param("\n" * (line - 1) + match.group(1), page, id=f"{page}:{line}")


@pytest.fixture
def account(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Sandbox]:
    with Sandbox(seed_records=50) as sb:
        monkeypatch.setenv("KANTOS_BASE_URL", sb.url)
        monkeypatch.setenv("KANTOS_API_KEY", sb.api_key)
        monkeypatch.chdir(tmp_path)
        yield sb


@pytest.mark.parametrize(("source", "page"), list(blocks()))
def test_a_block_runs(source: str, page: str, account: Sandbox) -> None:
    code = compile(source, page, "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
    names: dict[str, Any] = {"__name__": "__main__"}
    if code.co_flags & inspect.CO_COROUTINE:
        asyncio.run(eval(code, names))
    else:
        exec(code, names)
    assert account.core.arrived > 0

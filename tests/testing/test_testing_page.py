"""The page on testing: what it shows passes, as a team would run it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

PAGE = Path(__file__).parents[2] / "docs" / "testing.md"
BLOCK = re.compile(r"^```python\n(.*?)^```", re.MULTILINE | re.DOTALL)


def test_what_the_page_shows_passes(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    code, *tests = BLOCK.findall(PAGE.read_text(encoding="utf-8"))
    pytester.makepyfile(crm_sync=code, test_crm_sync="\n\n".join(tests))
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
    options = ("-W", "error", "-p", "no:cacheprovider", "-p", "anyio", "-p", "kantos_async")
    result = pytester.runpytest_subprocess(*options)
    result.assert_outcomes(passed=7 * 2)  # on asyncio and on trio

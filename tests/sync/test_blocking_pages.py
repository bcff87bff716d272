"""The guide's code and the examples run, against a sandbox."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from kantos_async.sandbox import Sandbox

ROOT = Path(__file__).parents[2]
GUIDE = (ROOT / "docs" / "blocking.md").read_text(encoding="utf-8")


@pytest.fixture
def account(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Sandbox]:
    with Sandbox(seed_records=20) as sandbox:
        monkeypatch.setenv("KANTOS_BASE_URL", sandbox.url)
        monkeypatch.setenv("KANTOS_API_KEY", sandbox.api_key)
        monkeypatch.chdir(tmp_path)
        yield sandbox


@pytest.mark.parametrize("code", re.findall(r"^```python\n(.*?)^```", GUIDE, re.M | re.S))
def test_the_code_of_the_guide_runs(code: str, account: Sandbox) -> None:
    exec(code, {})
    assert len(account.records("obj_contacts")) in {21, 70}


def test_the_example_of_the_vendor_runs(account: Sandbox) -> None:
    done = subprocess.run(
        [sys.executable, "-W", "error", ROOT / "examples" / "vendor_example.py"],
        env=os.environ,
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert "leads are new, the last of them:\nrec_" in done.stdout

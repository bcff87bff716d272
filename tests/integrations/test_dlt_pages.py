"""The guide's code and the example run, against a sandbox."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from kantos_async.sandbox import Sandbox

ROOT = Path(__file__).parents[2]
GUIDE = (ROOT / "docs" / "warehouse.md").read_text(encoding="utf-8")


def run(command: list[str], folder: Path) -> str:
    env = os.environ | {"DLT_DATA_DIR": str(folder / "dlt")}
    done = subprocess.run(
        [sys.executable, *command],
        cwd=folder,
        env=env,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_code_of_the_guide_runs(sandbox: Sandbox, tmp_path: Path) -> None:
    sandbox.insert("obj_contacts", [{"name": "Zoë", "status": "New"}])
    (code,) = re.findall(r"^```python\n(.*?)^```", GUIDE, re.M | re.S)
    assert "[('New', 1)]" in run(["-c", code], tmp_path)


def test_the_example_runs_again_and_again(sandbox: Sandbox, tmp_path: Path) -> None:
    example = [str(ROOT / "examples" / "to_duckdb.py"), "warehouse.duckdb"]
    ids = sandbox.insert("obj_contacts", [{"name": f"P {n}"} for n in range(120)])
    assert "contacts: 120 records" in run(example, tmp_path)
    sandbox.delete(ids[7])
    assert "contacts: 119 records" in run(example, tmp_path)


def test_without_dlt_it_says_what_to_install() -> None:
    code = "import sys; sys.modules['dlt'] = None\nimport kantos_async.integrations.dlt"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False
    )
    assert "pip install 'kantos-async[dlt]'" in done.stderr


@pytest.mark.parametrize("module", ["kantos_async", "kantos_async.cli"])
def test_nothing_else_loads_dlt(module: str) -> None:
    code = f"import sys, {module}\nprint('dlt' in sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True
    )
    assert done.stdout == "False\n"

"""The blocking client is what comes out of the async classes, and says where it cannot."""

from __future__ import annotations

import ast
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from generator.__main__ import main

ROOT = Path(__file__).parents[2]

Change = Callable[[str, str, str], None]


@pytest.fixture
def package(tmp_path: Path) -> Path:
    """A copy of the package."""
    ignore = shutil.ignore_patterns("__pycache__")
    copied = shutil.copytree(ROOT / "kantos_async", tmp_path / "kantos_async", ignore=ignore)
    return Path(copied)


@pytest.fixture
def change(package: Path) -> Change:
    def change(module: str, old: str, new: str) -> None:
        path = package / module
        source = path.read_text(encoding="utf-8")
        assert source.count(old) >= 1
        path.write_text(source.replace(old, new, 1), encoding="utf-8")

    return change


def run(package: Path, *arguments: str) -> int:
    return main([*arguments, "--output", str(package / "api")])


def method(package: Path, owner: str, name: str) -> str:
    tree = ast.parse((package / "sync" / "client.py").read_text(encoding="utf-8"))
    for node in tree.body:
        if isinstance(node, ast.ClassDef) and node.name == owner:
            for item in node.body:
                if isinstance(item, ast.FunctionDef) and item.name == name:
                    return ast.unparse(item)
    raise AssertionError(f"no {owner}.{name}")


NEW = '''    async def touch(self, record_id: str, /, *, times: int = PER_PAGE) -> list[Pagination]:
        """Await nothing, really: `await k.records.touch("rec_1")`."""
        raise NotImplementedError

    def query('''


def test_a_new_method_is_drift_and_then_comes_out(
    package: Path, change: Change, capsys: pytest.CaptureFixture[str]
) -> None:
    change("resources/records.py", "    def query(", NEW)
    change(
        "resources/records.py",
        "from ..api.models import Record\n",
        "from ..api.models import Pagination, Record\n",
    )
    assert run(package, "--check") == 1
    assert "+    def touch(" in capsys.readouterr().out
    assert run(package) == 0
    assert run(package, "--check") == 0
    assert method(package, "Records", "touch") == (
        "def touch(self, record_id: str, /, *, times: int=PER_PAGE) -> list[Pagination]:\n"
        '    """Await nothing, really: `k.records.touch("rec_1")`."""\n'
        "    return self._portal.run(self._async.touch, record_id, times=times)"
    )
    source = (package / "sync" / "client.py").read_text(encoding="utf-8")
    assert "import Pagination, Record" in source


def test_a_file_that_was_edited_is_drift(
    package: Path, change: Change, capsys: pytest.CaptureFixture[str]
) -> None:
    change("sync/client.py", "def create(", "def make(")
    assert run(package, "--check") == 1
    shown = capsys.readouterr().out
    assert "--- sync/client.py (committed)\n+++ sync/client.py (generated)\n" in shown
    assert "-    def make(" in shown


RECORDS, PAGING = "resources/records.py", "paging.py"


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        (
            [(PAGING, "Every record, in a list.", "Every record: `await` it.")],
            "RecordStream.all: not for blocking code: 'Every record: `await` it.'",
        ),
        (
            [(PAGING, "def pages(self) -> PageIterator:", "def pages(self) -> set[PageIterator]:")],
            "RecordStream.pages: cannot turn set[PageIterator]",
        ),
        (
            [
                (PAGING, "class RecordStream:", "class RecordFlow:"),
                (RECORDS, "Query, RecordStream", "Query, RecordFlow"),
                (RECORDS, ") -> RecordStream:", ") -> RecordFlow:"),
            ],
            "RecordFlow: what is awaiting it called in blocking code?",
        ),
    ],
    ids=["words", "wrapped", "awaited"],
)
def test_what_the_rules_do_not_cover_is_told(
    package: Path,
    change: Change,
    capsys: pytest.CaptureFixture[str],
    changes: list[tuple[str, str, str]],
    said: str,
) -> None:
    for module, old, new in changes:
        change(module, old, new)
    assert run(package, "--check") == 2
    assert said in capsys.readouterr().err

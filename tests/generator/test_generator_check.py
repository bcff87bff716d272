"""The command: the same bytes on every run, and a check of what is committed."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from generator.__main__ import main
from generator.operations import ERRORS
from kantos_async.errors import error_for

ROOT = Path(__file__).parents[2]
COMMITTED = ROOT / "kantos_async" / "api"


def run(*arguments: str, seed: str = "0") -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "generator", *arguments],
        cwd=ROOT,
        env=os.environ | {"PYTHONHASHSEED": seed},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


@pytest.mark.parametrize("seed", ["0", "1", "4242"])
def test_what_is_committed_is_what_comes_out(seed: str) -> None:
    done = run("--check", seed=seed)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


@pytest.fixture
def copied(tmp_path: Path) -> Path:
    return Path(shutil.copytree(COMMITTED, tmp_path / "api"))


def test_a_stale_file_is_shown_as_a_difference(
    copied: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    models = copied / "models" / "records.py"
    source = models.read_text(encoding="utf-8")
    models.write_text(source.replace("class Record:", "class Row:"), encoding="utf-8")
    assert main(["--check", "--output", str(copied)]) == 1
    shown = capsys.readouterr().out
    assert "--- api/models/records.py (committed)\n+++ api/models/records.py (generated)\n" in shown
    assert "\n-class Row:\n+class Record:\n" in shown
    assert models.read_text(encoding="utf-8") != source  # a check writes nothing


@pytest.mark.parametrize("extra", [True, False])
def test_a_file_too_many_or_too_few(
    copied: Path, capsys: pytest.CaptureFixture[str], extra: bool
) -> None:
    if extra:
        (copied / "stale.py").write_text("x = 1\n", encoding="utf-8")
    else:
        (copied / "users.py").unlink()
    assert main(["--check", "--output", str(copied)]) == 1
    assert ("-x = 1" if extra else "+class Users:") in capsys.readouterr().out
    assert main(["--output", str(copied)]) == 0
    assert main(["--check", "--output", str(copied)]) == 0


def test_an_empty_file_too_many(copied: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (copied / "stale.py").touch()
    assert main(["--check", "--output", str(copied)]) == 1
    assert capsys.readouterr().out == "api/stale.py is not generated\n"


@pytest.mark.parametrize(
    ("old", "new", "shown"),
    [
        (b"\n", b"\r\n", '-"""The people of the account.\\r\n'),
        (b'"""\n', b'"""\r\n', "\\r\n"),
        (b"users", b"\xff", "\\xff"),
    ],
    ids=["all line ends", "some line ends", "no text"],
)
def test_other_bytes(
    copied: Path, capsys: pytest.CaptureFixture[str], old: bytes, new: bytes, shown: str
) -> None:
    users = copied / "users.py"
    users.write_bytes(users.read_bytes().replace(old, new))
    assert main(["--check", "--output", str(copied)]) == 1
    out = capsys.readouterr().out
    assert out.startswith("--- api/users.py (committed)\n+++ api/users.py (generated)\n")
    assert shown in out


def test_a_document_that_cannot_be_used(tmp_path: Path) -> None:
    spec = tmp_path / "bad.yaml"
    good = (ROOT / "openapi" / "kantos.yaml").read_text(encoding="utf-8")
    spec.write_text(
        good.replace("      schema: {type: integer}\n", "      schema: true\n", 1), encoding="utf-8"
    )
    output = tmp_path / "api"
    done = run("--spec", str(spec), "--output", str(output))
    assert done.returncode == 2
    assert "#/components/headers/RateLimitLimit/schema" in done.stderr
    assert "Traceback" not in done.stderr
    assert not output.exists()


UNUSABLE = {
    "missing": None,
    "no YAML": "a: [",
    "no date": "a: 2024-13-45\n",
    "a list": "- a\n",
}


@pytest.mark.parametrize("content", UNUSABLE.values(), ids=UNUSABLE.keys())
def test_a_file_that_is_no_document(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], content: str | None
) -> None:
    spec = tmp_path / "spec.yaml"
    if content is not None:
        spec.write_text(content, encoding="utf-8")
    assert main(["--spec", str(spec), "--output", str(tmp_path / "api")]) == 2
    assert str(spec) in capsys.readouterr().err


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("paths: &p\n  /x: [*p]\n", "#/paths/~1x/0 (the document): a YAML alias"),
        ("paths:\n  200: a\n  '200': b\n", "#/paths (the document): the key `200`"),
    ],
    ids=["alias", "key"],
)
def test_a_document_that_reads_as_yaml_alone(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], content: str, said: str
) -> None:
    spec = tmp_path / "spec.yaml"
    spec.write_text(content, encoding="utf-8")
    assert main(["--spec", str(spec), "--output", str(tmp_path / "api")]) == 2
    assert said in capsys.readouterr().err


def test_errors_bear_the_names_of_the_package() -> None:
    assert {status: error_for(status).__name__ for status in ERRORS} == ERRORS

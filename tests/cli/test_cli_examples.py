"""Every command of the guide, and of the commands' own help, is one that runs."""

import re
import shlex
from pathlib import Path

import pytest

from kantos_async.cli.app import app

ROOT = Path(__file__).parents[2]
GUIDE = (ROOT / "docs" / "cli.md").read_text(encoding="utf-8")

LINES = re.findall(r"(?m)^\$ (kantos .*)$", GUIDE) + [
    line for line in re.findall(r"`(kantos [a-z]+ [^`]+)`", GUIDE) if "..." not in line
]


def helps():
    for name in app:
        command = app[name]
        for one in [command, *(command[sub] for sub in command if not sub.startswith("-"))]:
            yield from re.findall(r"Example: `(kantos .*)`", one.help)


@pytest.mark.parametrize("line", [*LINES, *helps()])
def test_an_example_is_understood(line):
    words = shlex.split(line.split("|")[0])
    if words[1].startswith("--") or words[-1] == "COMMAND":
        return
    app.parse_args(words[1:], print_error=False, exit_on_error=False)


def test_the_guide_has_examples():
    assert len(LINES) > 10
    assert len(list(helps())) > 12


def test_the_example_file_is_imported(kantos, sandbox, monkeypatch):
    monkeypatch.chdir(ROOT)
    trial, real = [shlex.split(line)[1:] for line in LINES if "examples/leads.csv" in line]
    assert kantos(*trial).code == 4
    assert sandbox.records("obj_contacts") == []
    assert kantos(*real).code == 0
    assert len(sandbox.records("obj_contacts")) == 4
    assert kantos(*real).code == 0
    assert len(sandbox.records("obj_contacts")) == 4

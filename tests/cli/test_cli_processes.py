"""Imports as a shell runs them: pipes, Ctrl-C, kill."""

import csv
import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from kantos_async.sandbox import Sandbox

ROWS = 160
LEADS = "name,email\n" + "".join(f"P{n},p{n}@x.example\n" for n in range(ROWS))

needs_signals = pytest.mark.skipif(sys.platform == "win32", reason="no POSIX signals")


@pytest.fixture
def slow(monkeypatch, tmp_path):
    """An account that grants 100 requests a second."""
    with Sandbox(limit=100, window=1.0) as sandbox:
        monkeypatch.setenv("KANTOS_BASE_URL", sandbox.url)
        monkeypatch.setenv("KANTOS_API_KEY", sandbox.api_key)
        monkeypatch.chdir(tmp_path)
        Path("leads.csv").write_text(LEADS, encoding="utf-8")
        yield sandbox


def start(*words, **streams):
    return subprocess.Popen(
        [sys.executable, "-m", "kantos_async.cli", "import", "contacts", *words],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        encoding="utf-8",
        **streams,
    )


def wait_for(sandbox, records):
    until = time.monotonic() + 30
    while len(sandbox.records("obj_contacts")) < records:
        assert time.monotonic() < until
        time.sleep(0.02)


def emails(sandbox):
    return sorted(r["field_values"]["email"] for r in sandbox.records("obj_contacts"))


def test_a_pipe_is_read(sandbox):
    with start("-", "--key", "email", "--json", stdin=subprocess.PIPE) as process:
        process.communicate("name,email\nAnn,ann@x.example\n", timeout=60)
    assert process.returncode == 0
    assert emails(sandbox) == ["ann@x.example"]


@needs_signals
def test_a_reader_of_the_complaints_that_leaves_does_not_end_the_import(sandbox):
    rows = "".join(f"P{n},p{n}@x.example\n" for n in range(50))
    Path("leads.csv").write_text("name,email\nX,no\nY,no\n" + rows, encoding="utf-8")
    with start("leads.csv", "--key", "email", "--json") as process:
        process.stderr.close()
        assert json.loads(process.stdout.read())["created"] == 50
        assert process.wait(60) == 1
    assert len(emails(sandbox)) == 50


@needs_signals
@pytest.mark.parametrize("way", [(), ("--json",), ("--dry-run",), ("--dry-run", "--json")])
def test_a_reader_of_the_results_that_leaves_does_not_change_the_code(sandbox, way):
    rows = "".join(f"P{n},p{n}@x.example\n" for n in range(3))
    Path("leads.csv").write_text("name,email\nX,no\n" + rows, encoding="utf-8")
    with start("leads.csv", "--key", "email", *way) as process:
        process.stdout.close()
        err = process.stderr.read()
        assert process.wait(60) == (4 if way and "--dry-run" in way else 1)
    assert "Error" not in err
    assert len(emails(sandbox)) == (0 if "--dry-run" in way else 3)


@needs_signals
def test_standard_streams_that_are_closed(sandbox):
    sandbox.insert("obj_contacts", [{"name": "Ann", "email": "ann@x.example"}])
    for words, said in [
        ("import contacts - --key email <&-", "kantos: standard input: is closed"),
        ("export contacts --to - >&-", "kantos: standard output: is closed"),
        ("delete rec_x <&-", "kantos: nobody can be asked here: say --yes"),
    ]:
        done = subprocess.run(
            ["sh", "-c", f'"$0" -m kantos_async.cli {words}', sys.executable],
            stderr=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            encoding="utf-8",
            timeout=60,
            check=False,
        )
        assert (done.returncode, done.stderr.splitlines()[-1]) == (2, said)


@needs_signals
def test_ctrl_c_finishes_what_is_under_way_and_the_same_command_goes_on(slow):
    words = ("leads.csv", "--key", "email", "--results", "r.csv")
    with start(*words) as process:
        wait_for(slow, 40)
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=60)
    assert process.returncode == 130
    assert err.splitlines()[-1] == "kantos: interrupted"
    assert f"of {ROWS} rows are done; the same command goes on with the rest" in err
    assert "Traceback" not in err
    there = len(slow.records("obj_contacts"))
    assert there < ROWS
    with Path("r.csv").open(encoding="utf-8", newline="") as file:
        told = {row["email"]: row for row in csv.DictReader(file)}
    assert len(told) == ROWS
    # What was under way when Ctrl-C came has been done, and is told.
    reached = {email for email, row in told.items() if row["kantos_outcome"] != "not reached"}
    assert reached == {r["field_values"]["email"] for r in slow.records("obj_contacts")}
    assert {row["kantos_outcome"] for row in told.values()} == {"created", "not reached"}
    with start(*words) as process:
        process.communicate(timeout=60)
    assert process.returncode == 0
    assert emails(slow) == sorted(f"p{n}@x.example" for n in range(ROWS))


@needs_signals
def test_killed_it_goes_on_and_doubles_nothing(slow):
    words = ("leads.csv", "--key", "email", "--state", "c.state")
    with start(*words) as process:
        wait_for(slow, 40)
        process.kill()
        process.communicate(timeout=60)
    assert len(slow.records("obj_contacts")) < ROWS
    with start(*words) as process:
        process.communicate(timeout=60)
    assert process.returncode == 0
    assert emails(slow) == sorted(f"p{n}@x.example" for n in range(ROWS))

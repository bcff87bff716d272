import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

import httpx
import pytest

from kantos_async.cli import main

needs_signals = pytest.mark.skipif(sys.platform == "win32", reason="no POSIX signals")


class Serving(subprocess.Popen):
    """A `kantos sandbox` of its own, whose first two lines have been read."""

    def __init__(self, *arguments: str) -> None:
        super().__init__(
            [sys.executable, "-m", "kantos_async.cli", "sandbox", *arguments],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            encoding="utf-8",
        )
        lines = [self.stdout.readline().rstrip("\n") for _ in range(2)]
        said = dict(line.split("=", 1) for line in lines if line)
        assert list(said) == ["KANTOS_BASE_URL", "KANTOS_API_KEY"], self.communicate(timeout=10)
        self.url, self.key = said.values()

    def get(self, path: str, **params: str) -> httpx.Response:
        return httpx.get(self.url + path, params=params, headers={"X-Api-Key": self.key})


@contextmanager
def serving(*arguments: str) -> Iterator[Serving]:
    process = Serving(*arguments)
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def test_it_prints_where_it_is_and_serves_what_it_was_told():
    with serving("--plan", "free", "--seed-records", "30") as sandbox:
        assert sandbox.key.startswith("kantos_")
        assert sandbox.url.startswith("http://127.0.0.1:")
        answer = sandbox.get("/crm/records/query", object_id="obj_contacts")
        assert answer.json()["pagination"]["total"] == 30
        assert answer.headers["X-RateLimit-Limit"] == "100"


@needs_signals
@pytest.mark.parametrize("number", ["SIGINT", "SIGTERM"])
def test_ctrl_c_and_sigterm_end_it_cleanly(number):
    with serving() as sandbox:
        began = time.monotonic()
        os.kill(sandbox.pid, getattr(signal, number))
        out, err = sandbox.communicate(timeout=10)
        assert sandbox.returncode == 0
        assert out == ""
        assert err.splitlines()[-1] == "The sandbox has ended."
        assert time.monotonic() - began < 5


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux has all of 127.0.0.0/8")
def test_it_says_so_where_others_might_reach_it():
    with serving("--host", "127.0.0.2") as sandbox:
        sandbox.send_signal(signal.SIGTERM)
        assert "Others can reach 127.0.0.2." in sandbox.communicate(timeout=10)[1]


@needs_signals
def test_a_file_keeps_the_data_and_quiet_says_nothing_more(tmp_path):
    file = str(tmp_path / "kantos.sqlite")
    with serving("--db", file, "--quiet") as sandbox:
        created = httpx.post(
            sandbox.url + "/crm/record",
            headers={"X-Api-Key": sandbox.key},
            json={"object_id": "obj_contacts", "field_values": {"name": "Zoë"}},
        ).json()
        sandbox.send_signal(signal.SIGTERM)
        assert sandbox.communicate(timeout=10) == ("", "")
    with serving("--db", file) as sandbox:
        found = sandbox.get(f"/crm/record/{created['id']}")
        assert found.json()["field_values"]["name"] == "Zoë"


def test_a_port_that_is_taken_is_one_line(capsys):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        assert main(["sandbox", "--port", str(taken.getsockname()[1])]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.count("\n") == 1
    assert err.startswith("kantos: ")


@pytest.mark.parametrize(
    "arguments",
    [["--port", "-1"], ["--port", "65536"], ["--seed-records", "-1"], ["--plan", "golden"]],
)
def test_settings_out_of_range_are_named(capsys, arguments):
    assert main(["sandbox", *arguments]) == 2
    assert arguments[0] in capsys.readouterr().err


def test_a_database_that_cannot_be_opened_is_one_line(capsys, tmp_path):
    assert main(["sandbox", "--db", str(tmp_path)]) == 2
    err = capsys.readouterr().err
    assert err.count("\n") == 1
    assert str(tmp_path) in err


def test_a_plan_makes_things_go_wrong(tmp_path):
    plan = tmp_path / "plan.yaml"
    plan.write_text("{error_before: 1.0, seed: 7}")
    with serving("--faults", str(plan)) as sandbox:
        assert sandbox.get("/crm/objects").status_code == 500


@pytest.mark.parametrize(
    ("content", "said"), [("{drop_affter: 1}", "drop_affter"), ("{drop_after: 2}", "drop_after")]
)
def test_a_plan_that_is_none_is_one_line(capsys, tmp_path, content, said):
    plan = tmp_path / "plan.yaml"
    plan.write_text(content)
    assert main(["sandbox", "--faults", str(plan)]) == 2
    err = capsys.readouterr().err
    assert err.startswith(f"kantos: --faults {plan}: ")
    assert said in err
    assert err.count("\n") == 1

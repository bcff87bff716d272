import re
import subprocess
import sys

import pytest

from kantos_async.cli import main
from kantos_async.cli.app import app
from kantos_async.cli.exits import UsageError
from kantos_async.errors import NotFoundError

needs_pipes = pytest.mark.skipif(
    sys.platform == "win32", reason="pipes report their reader's end differently"
)


@pytest.fixture
def command(monkeypatch):
    """Register a command `probe` that does what the test wants."""

    def register(work):
        app.command(work, name="probe")
        monkeypatch.setattr("sys.argv", ["kantos", "probe"])

    yield register
    del app["probe"]


COMMANDS = (
    *(
        "query",
        "get",
        "create",
        "update",
        "delete",
        "import",
        "undo",
        "export",
        "objects",
        "describe",
    ),
    *("doctor", "sandbox", "demo", "webhooks listen"),
)


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_explains_itself_by_an_example(capsys, name):
    assert main([*name.split(), "--help"]) == 0
    out = capsys.readouterr().out
    assert f"Usage: kantos {name}" in out
    assert f"Example: kantos {name}" in out
    assert "--quiet" in out


@pytest.mark.parametrize("words", [[], ["--help"]])
def test_help_lists_the_commands_with_what_they_do(capsys, words):
    assert main(words) == 0
    out = capsys.readouterr().out
    for name in COMMANDS:
        assert re.search(rf"(?m)^. {name.split()[0]} +[A-Z]", out), name


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_shells_complete_commands_and_options(shell):
    script = app.generate_completion(shell=shell)
    for word in ("describe", "dry-run", "where", "update-only"):
        assert word in script


def test_a_command_loads_only_what_it_needs():
    code = (
        "import sys; from kantos_async.cli import main; main(['describe', '--help'])\n"
        "print([name for name in ('pyarrow', 'openpyxl', 'uvicorn') if name in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, encoding="utf-8", timeout=30, check=True
    )
    assert done.stdout.splitlines()[-1] == "[]"


def test_version(capsys):
    assert main(["--version"]) == 0
    assert capsys.readouterr().out.startswith("0.")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["demoo"], 'Did you mean "demo"?'),
        (["demo", "--rows", "many"], "--rows"),
        (["sandbox", "--plan", "golden"], "--plan"),
    ],
)
def test_wrong_use_is_one_line_and_ends_with_2(capsys, arguments, said):
    assert main(arguments) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("kantos: ")
    assert err.count("\n") == 1
    assert said in err


@pytest.mark.parametrize(
    ("error", "code", "said"),
    [
        (UsageError("leads.csv is a directory"), 2, "kantos: leads.csv is a directory\n"),
        (
            NotFoundError("gone", status=404, method="GET", path="/x"),
            3,
            "kantos: GET /x: 404: gone\n",
        ),
        (KeyboardInterrupt(), 130, "kantos: interrupted\n"),
    ],
)
def test_a_failure_is_one_line_and_its_code(capsys, command, error, code, said):
    async def probe() -> None:
        raise error

    command(probe)
    assert main() == code
    assert capsys.readouterr().err == said


def test_a_command_decides_its_code(command):
    command(lambda: 5)
    assert main() == 5


def test_a_bug_keeps_its_traceback(command):
    def probe() -> None:
        raise ZeroDivisionError

    command(probe)
    with pytest.raises(ZeroDivisionError):
        main()


def test_a_letter_that_the_terminal_lacks_does_not_end_the_command():
    code = "from kantos_async.cli.app import app, run; app.command(lambda: print('Zoë'), name='p')"
    done = subprocess.run(
        [sys.executable, "-c", f"{code}; raise SystemExit(run(['p']))"],
        env={"PYTHONIOENCODING": "ascii"},
        capture_output=True,
        encoding="ascii",
        timeout=30,
        check=True,
    )
    assert done.stdout == "Zo\\xeb\n"


@needs_pipes
def test_a_reader_that_has_seen_enough_is_no_failure():
    code = (
        "from kantos_async.cli.app import app, run\n"
        "app.command(lambda: [print('x' * 1000) for _ in range(1000)] and None, name='p')\n"
        "raise SystemExit(run(['p']))"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        assert process.stdout
        assert process.stderr
        process.stdout.readline()
        process.stdout.close()
        assert process.wait(30) == 0
        assert process.stderr.read() == b""


@needs_pipes
def test_a_reader_that_has_seen_enough_does_not_change_how_a_command_ended():
    code = (
        "from kantos_async.cli.app import app, run\n"
        "from kantos_async.cli.output import STANDARD\n"
        "def p():\n"
        "    for n in range(1000): STANDARD.facts('x' * 1000, {})\n"
        "    STANDARD.document('x' * 100_000)\n"
        "    return 5\n"
        "app.command(p)\n"
        "raise SystemExit(run(['p']))"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        assert process.stdout
        assert process.stderr
        process.stdout.readline()
        process.stdout.close()
        assert process.wait(30) == 5
        assert process.stderr.read() == b""


@pytest.mark.skipif(sys.platform == "win32", reason="a shell's syntax")
@pytest.mark.parametrize("closed", [">&-", "2>&-", ">&- 2>&-", "<&-"])
def test_streams_that_were_closed_before_do_not_matter(closed):
    code = (
        "import sys\n"
        "from kantos_async.cli.app import app, run\n"
        "from kantos_async.cli.output import STANDARD\n"
        "def p():\n"
        "    STANDARD.remark('r'); STANDARD.document({}); STANDARD.table('t', []); return 5\n"
        "app.command(p)\n"
        "raise SystemExit(run(['p']))"
    )
    done = subprocess.run(
        ["sh", "-c", f'"$0" -c "$1" {closed}', sys.executable, code],
        capture_output=True,
        encoding="utf-8",
        timeout=30,
        check=False,
    )
    assert done.returncode == 5
    assert done.stdout == ("" if ">&-" in closed.split() else "{}\nt: none\n")
    assert done.stderr == ("" if "2>&-" in closed else "r\n")


@pytest.mark.parametrize("missing", ["cyclopts", "uvicorn"])
def test_without_the_extra_one_line_says_what_to_install(missing):
    code = (
        f"import sys; sys.modules[{missing!r}] = None\n"
        "from kantos_async.cli import main; sys.exit(main(['demo']))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, encoding="utf-8", timeout=30, check=False
    )
    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr == f"kantos: {missing} is not installed: pip install 'kantos-async[cli]'\n"

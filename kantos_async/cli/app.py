"""The commands of `kantos`, and how each of them ends."""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Sequence

from cyclopts import App, CycloptsError

from .._version import __version__
from .exits import ExitCode, explain

__all__ = ["app", "run"]


app = App(
    name="kantos",
    help="The Kantos CRM from the command line.",
    version=__version__,
    help_format="markdown",
    result_action="return_value",
    print_error=False,
    exit_on_error=False,
    suppress_keyboard_interrupt=False,
)

# By name, so that a command loads only what it needs itself.
app.command("kantos_async.cli.demo:demo")
app.command("kantos_async.cli.objects:objects")
app.command("kantos_async.cli.sandbox:sandbox")


def run(arguments: Sequence[str]) -> int:
    """Carry out one command and return its exit code."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            # A terminal that lacks a letter shows its code, instead of ending the command.
            stream.reconfigure(errors="backslashreplace")
    try:
        return int(app(arguments) or ExitCode.OK)
    except CycloptsError as error:
        return _fail(str(error), ExitCode.USAGE)
    except BrokenPipeError:
        # `kantos ... | head`: the reader has seen enough. Python would complain at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return ExitCode.OK
    except (Exception, KeyboardInterrupt) as error:
        failure = explain(error)
        if failure is None:
            raise
        return _fail(*failure)


def _fail(line: str, code: ExitCode) -> ExitCode:
    print(f"kantos: {line}", file=sys.stderr)
    return code

"""The commands of `kantos`, and how each of them ends."""

from __future__ import annotations

import logging
import sys
from collections.abc import Sequence

from cyclopts import App, CycloptsError

from .._version import __version__
from .exits import ExitCode, ReaderLeftError, explain
from .streams import lenient_streams

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

#: By module and function, so that a command loads only what it needs itself.
_COMMANDS = {
    "Records": (
        "records:query",
        "records:get",
        "records:create",
        "records:update",
        "records:delete",
    ),
    "Files": ("import_:import_", "undo:undo", "export:export"),
    "Account": ("objects:objects", "objects:describe", "doctor:doctor"),
    "Development": ("sandbox:sandbox", "demo:demo", "webhooks:webhooks"),
}
for _group, _paths in _COMMANDS.items():
    for _path in _paths:
        app.command(f"kantos_async.cli.{_path}", group=_group)
app.register_install_completion_command(help="Install completion for the shell in use.")


# What the library has to say of a command's work, the command says itself.
logging.getLogger("kantos_async").addHandler(logging.NullHandler())


def run(arguments: Sequence[str]) -> int:
    """Carry out one command and return its exit code."""
    with lenient_streams():
        code = _run(arguments)
        try:
            sys.stdout.flush()
        except OSError as error:
            return _fail(f"standard output: {error.strerror or error}", ExitCode.USAGE)
        return code


def _run(arguments: Sequence[str]) -> int:
    if not arguments or arguments[0].startswith("-"):
        for name in app:
            app[name]  # the list of commands shows what each says of itself
    try:
        return int(app(arguments) or ExitCode.OK)
    except CycloptsError as error:
        return _fail(str(error), ExitCode.USAGE)
    except ReaderLeftError:
        return ExitCode.OK
    except (Exception, KeyboardInterrupt) as error:
        failure = explain(error)
        if failure is None and isinstance(error, UnicodeEncodeError) and _is_undecoded(arguments):
            failure = "what is written on the command line is not UTF-8", ExitCode.USAGE
        if failure is None:
            raise
        return _fail(*failure)


def _is_undecoded(arguments: Sequence[str]) -> bool:
    """Whether a word holds bytes that are no text: a file may be called so, and nothing else."""
    return any("\udc80" <= letter <= "\udcff" for word in arguments for letter in word)


def _fail(line: str, code: ExitCode) -> ExitCode:
    print(f"kantos: {line}", file=sys.stderr)
    return code

"""How a command ends: its exit code, and the one line that says what went wrong."""

from __future__ import annotations

import re
from collections.abc import Callable
from enum import IntEnum

from ..bulk.errors import StateError, SyncStoppedError
from ..bulk.wires import HaltedError
from ..errors import (
    APIConnectionError,
    AuthenticationError,
    KantosError,
    RateLimitError,
    ReadOnlyError,
)

__all__ = ["ExitCode", "ReaderLeftError", "UsageError", "explain", "line_for"]


class ExitCode(IntEnum):
    """What every command's exit code means."""

    OK = 0
    #: Some rows failed; the others are done.
    ROWS_FAILED = 1
    #: Wrong use, an input that cannot be read included.
    USAGE = 2
    #: The API refused, or could not be reached.
    REFUSED = 3
    #: A dry run found something that would change.
    WOULD_CHANGE = 4
    #: Stopped at `--max-requests`; the same command goes on.
    STOPPED = 5
    INTERRUPTED = 130


class UsageError(Exception):
    """The command cannot start with what it was given; the message is one line for people."""


class ReaderLeftError(Exception):
    """Whoever read what the command writes has seen enough: `kantos export ... | head`."""


def explain(error: BaseException) -> tuple[str, ExitCode] | None:
    """The line and the exit code for an expected failure; None for a bug of ours."""
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    match error:
        case KeyboardInterrupt():
            return "interrupted", ExitCode.INTERRUPTED
        case SyncStoppedError(__cause__=HaltedError()):
            return "--max-requests is reached before all was read", ExitCode.STOPPED
        case UsageError() | ReadOnlyError() | StateError() | SyncStoppedError():
            return _line(error), ExitCode.USAGE
        case KantosError():
            return _line(error) + _advice(error), ExitCode.REFUSED
        case OSError():
            named = isinstance(error.filename, str) and error.strerror
            line = f"{error.filename}: {error.strerror}" if named else _line(error)
            return line, ExitCode.USAGE
        case _:
            return None


def line_for(error: Exception) -> str:
    """An error on one line, whatever it is."""
    explained = explain(error)
    return _line(error) if explained is None else explained[0]


def _line(error: BaseException) -> str:
    text = " ".join(str(error).split())
    if isinstance(error, SyncStoppedError):
        for api, written in _OPTIONS:
            text = re.sub(api, written, text)
    return text


def _most(found: re.Match[str]) -> str:
    """A number of records, or a share of them, which the library has as a fraction."""
    most = found[1]
    return f"--max-deletes {float(most) * 100:g}%" if "." in most else f"--max-deletes {most}"


#: What the library calls its arguments, and what they are here.
_OPTIONS: tuple[tuple[str, str | Callable[[re.Match[str]], str]], ...] = (
    (r"\bdelete_missing\b", "--delete-missing"),
    (r"\bmax_deletes=(\d+(?:\.\d+)?)", _most),
    (r"more than max_vanished=\S+ allows", "too many to go on"),
    (r", or raise SyncPolicy\(max_vanished=\)", ""),
)


def _advice(error: KantosError) -> str:
    match error:
        case AuthenticationError():
            return " (is KANTOS_API_KEY right?)"
        case APIConnectionError():
            return " (is KANTOS_BASE_URL right?)"
        case RateLimitError(retry_at=at) if at is not None:
            return f" (quota is expected back at {at:%Y-%m-%d %H:%M:%S %Z})"
        case _:
            return ""

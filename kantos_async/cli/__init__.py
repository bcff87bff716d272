"""The `kantos` command. It needs the extra: `pip install 'kantos-async[cli]'`."""

from __future__ import annotations

import sys
from collections.abc import Sequence

__all__ = ["main"]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one `kantos` command and return its exit code (see `ExitCode`).

    Args:
        arguments: the command's words; the process's own by default.
    """
    try:
        from .app import run

        return run(sys.argv[1:] if arguments is None else arguments)
    except ImportError as error:
        missing = _missing(error)
        if missing is None:
            raise
        print(
            f"kantos: {missing} is not installed: pip install 'kantos-async[cli]'", file=sys.stderr
        )
        return 2


def _missing(error: BaseException | None) -> str | None:
    """The package that an import lacked, unless it is our own."""
    while isinstance(error, ImportError):
        if isinstance(error, ModuleNotFoundError) and error.name:
            package = error.name.partition(".")[0]
            return None if package == "kantos_async" else package
        # Commands are imported by name, which wraps what they lacked.
        error = error.__cause__
    return None

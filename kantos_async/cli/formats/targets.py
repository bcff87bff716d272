"""A file that appears under its name when it is complete, and not before."""

from __future__ import annotations

import contextlib
import os
import secrets
import stat
import sys
from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from ..exits import ReaderLeftError, UsageError

__all__ = ["whole_file"]


@contextmanager
def whole_file(path: str, *, keep: Callable[[], bool] = bool) -> Generator[BinaryIO]:
    """Open a file beside `path`; it takes that name when the block has ended without an error.

    After an error nothing is left of it, and a file that was there before is still there. A new
    file has the mode of the old one; a symbolic link stays, and the file that it names is
    replaced. What is no regular file, such as a named pipe, is written as it stands; `-` is
    standard output.

    Args:
        path: where to write.
        keep: whether it takes its name after an error too, with what was written until then.

    Raises:
        UsageError: the file cannot be written, or cannot take its name.
        ReaderLeftError: whoever read the pipe has left.
    """
    if path == "-":
        with _told("standard output"):
            if sys.__stdout__ is None:
                raise UsageError("standard output: is closed")
            sys.stdout.flush()
            yield sys.stdout.buffer
            sys.stdout.buffer.flush()
        return
    mode = _mode(path)
    if mode is not None and stat.S_ISDIR(mode):
        raise UsageError(f"{path}: is a directory")
    if mode is not None and not stat.S_ISREG(mode):
        with _told(path), open(path, "wb") as file:
            yield file
        return
    with _replaced(path, mode, keep) as file:
        yield file


def _mode(path: str) -> int | None:
    try:
        return os.stat(path).st_mode
    except OSError:
        return None


@contextmanager
def _told(name: str) -> Generator[None]:
    """What goes wrong with a stream, in a line for people."""
    try:
        yield
    except BrokenPipeError:
        if name == "standard output":
            _discard(sys.stdout.fileno())
        raise ReaderLeftError from None
    except OSError as error:
        if error.filename not in {None, name}:
            raise
        raise UsageError(f"{name}: {error.strerror or error}") from error


def _discard(number: int) -> None:
    """Let what is in a stream's buffer go nowhere, or Python would complain at exit."""
    null = os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, number)
    os.close(null)


@contextmanager
def _replaced(path: str, mode: int | None, keep: Callable[[], bool]) -> Generator[BinaryIO]:
    final = Path(os.path.realpath(path) if os.path.islink(path) else path)
    part = final.with_name(f"{final.name}.{secrets.token_hex(4)}.part")
    kept = 0o666 if mode is None else stat.S_IMODE(mode)
    try:
        # Never open to more people than the file that it replaces.
        file = open(part, "xb", opener=lambda name, flags: os.open(name, flags, kept))  # noqa: SIM115
        if mode is not None:
            part.chmod(kept)
    except OSError as error:
        raise UsageError(f"{path}: {error.strerror}") from error
    try:
        with file:
            yield file
            file.flush()
            os.fsync(file.fileno())
    except BaseException as error:
        is_kept = keep()
        with contextlib.suppress(OSError):
            part.replace(final) if is_kept else part.unlink()
        if isinstance(error, OSError) and error.filename is None:
            left = "what was written until then is there" if is_kept else "nothing was left there"
            raise UsageError(f"{path}: {error.strerror or error}; {left}") from error
        raise
    try:
        part.replace(final)
    except OSError as error:
        raise UsageError(f"{path}: {error.strerror}; all of it is in {part}") from error

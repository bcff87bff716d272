"""A file that appears under its name when it is complete, and not before."""

from __future__ import annotations

import contextlib
import os
import secrets
import sys
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from ..exits import UsageError

__all__ = ["whole_file"]


@contextmanager
def whole_file(path: str) -> Generator[BinaryIO]:
    """Open a file beside `path`; it takes that name when the block has ended without an error.

    After an error nothing is left of it, and a file that was there before is still there. `-` is
    standard output.

    Raises:
        UsageError: the file cannot be written, or cannot take its name.
    """
    if path == "-":
        try:
            sys.stdout.flush()
            yield sys.stdout.buffer
            sys.stdout.buffer.flush()
        except BrokenPipeError:
            raise
        except OSError as error:
            raise UsageError(f"standard output: {error.strerror or error}") from error
        return
    final = Path(path)
    if final.is_dir():
        raise UsageError(f"{path}: is a directory")
    part = final.with_name(f"{final.name}.{secrets.token_hex(4)}.part")
    try:
        file = part.open("xb")
    except OSError as error:
        raise UsageError(f"{path}: {error.strerror}") from error
    try:
        with file:
            yield file
            file.flush()
            os.fsync(file.fileno())
    except BaseException as error:
        with contextlib.suppress(OSError):
            part.unlink()
        if isinstance(error, OSError) and error.filename is None:
            raise UsageError(
                f"{path}: {error.strerror or error}; nothing was left there"
            ) from error
        raise
    try:
        part.replace(final)
    except OSError as error:
        raise UsageError(f"{path}: {error.strerror}; all of it is in {part}") from error

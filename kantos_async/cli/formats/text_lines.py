"""The lines of a text file, with the number of the one that cannot be read."""

from __future__ import annotations

import codecs
from collections.abc import Iterator
from pathlib import Path

from ..exits import UsageError

__all__ = ["LONGEST", "text_lines"]

#: Bytes of a line, and characters of a cell: far beyond any field, and a bound for memory.
LONGEST = 2**20

_OTHERS = {
    codecs.BOM_UTF16_LE: "UTF-16",
    codecs.BOM_UTF16_BE: "UTF-16",
}


def text_lines(name: str, path: Path) -> Iterator[str]:
    """The lines of a UTF-8 file, ends included, without its byte order mark.

    Raises:
        UsageError: a line is no UTF-8, or endless.
    """
    with path.open("rb") as file:
        number = 0
        while line := file.readline(LONGEST + 1):
            number += 1
            if len(line) > LONGEST:
                raise UsageError(f"{name}, line {number}: is longer than {LONGEST:,} bytes")
            if number == 1:
                line = _without_mark(name, line)
            try:
                yield line.decode()
            except UnicodeDecodeError as error:
                byte = line[error.start]
                raise UsageError(
                    f"{name}, line {number}: byte 0x{byte:02x} at {error.start + 1} is not UTF-8; "
                    "save the file as UTF-8"
                ) from None


def _without_mark(name: str, line: bytes) -> bytes:
    for mark, encoding in _OTHERS.items():
        if line.startswith(mark):
            raise UsageError(f"{name}, line 1: is {encoding}; save the file as UTF-8")
    if b"\0" in line:
        raise UsageError(f"{name}, line 1: holds NUL bytes, as UTF-16 does; save the file as UTF-8")
    return line.removeprefix(codecs.BOM_UTF8)

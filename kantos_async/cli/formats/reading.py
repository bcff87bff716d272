"""Reading rows: one module a format, over a file that can be read more than once."""

from __future__ import annotations

import os
import shutil
import stat
import sys
import tempfile
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from ..exits import UsageError
from . import Kind
from .sources import Source

__all__ = ["open_source"]


@contextmanager
def open_source(
    path: str, kind: Kind, *, delimiter: str = ",", sheet: str | None = None
) -> Generator[Source]:
    """A source for a file; `-` is standard input.

    Raises:
        UsageError: it cannot be read, or has no rows.
    """
    with _seekable(path) as file:
        name = "standard input" if path == "-" else path
        if file.stat().st_size == 0:
            raise UsageError(f"{name}: the file is empty")
        source = _open(name, file, kind, delimiter, sheet)
        if next(source.rows(), None) is None:
            raise UsageError(f"{name}: {_nothing(source)}")
        yield source


def _nothing(source: Source) -> str:
    return "no rows" if source.columns is None else "a header, and no rows below it"


def _open(name: str, file: Path, kind: Kind, delimiter: str, sheet: str | None) -> Source:
    match kind:
        case "csv":
            from .csv_rows import CsvRows

            return CsvRows(name, file, delimiter)
        case "jsonl":
            from .json_rows import JsonlRows

            return JsonlRows(name, file)
        case "json":
            from .json_rows import JsonRows

            return JsonRows(name, file)
        case "xlsx":
            from .xlsx_rows import XlsxRows

            return XlsxRows(name, file, sheet)
        case "parquet":
            from .parquet_rows import ParquetRows

            return ParquetRows(name, file)


@contextmanager
def _seekable(path: str) -> Generator[Path]:
    """A file that can be read twice: what comes through a pipe is copied first."""
    if path != "-":
        mode = os.stat(path).st_mode
        if stat.S_ISDIR(mode):
            raise UsageError(f"{path}: is a directory")
        if stat.S_ISREG(mode):
            yield Path(path)
            return
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / "rows"
        with copy.open("xb") as to:
            if path == "-":
                if sys.stdin is None:
                    raise UsageError("standard input: is closed")
                shutil.copyfileobj(sys.stdin.buffer, to)
            else:
                with open(path, "rb") as pipe:
                    shutil.copyfileobj(pipe, to)
        yield copy

"""Reading rows: one module a format, over a file that can be read more than once."""

from __future__ import annotations

import os
import shutil
import stat
import sys
import tempfile
from abc import ABC, abstractmethod
from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from ..exits import UsageError
from . import Kind

__all__ = ["Problem", "Row", "Source", "header", "open_source", "zipped"]


class Problem(NamedTuple):
    """What is wrong with a cell; with a whole row, where `column` is empty."""

    column: str
    value: Any
    reason: str


@dataclass(slots=True)
class Row:
    """A row by its columns, and where it is: a line of a text file, a row of a sheet."""

    place: int
    cells: dict[str, Any]
    problems: list[Problem] = field(default_factory=list)


class Source(ABC):
    """A file of rows.

    Attributes:
        name: what people call it.
        unit: `line` or `row`: what a place counts.
        columns: its columns, where the file names them beforehand; else None.
    """

    name: str
    unit: str = "row"
    columns: Sequence[str] | None = None

    @abstractmethod
    def rows(self) -> Iterator[Row]:
        """All rows, from the first.

        Raises:
            UsageError: the file cannot be read on; the line is named.
        """


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
                shutil.copyfileobj(sys.stdin.buffer, to)
            else:
                with open(path, "rb") as pipe:
                    shutil.copyfileobj(pipe, to)
        yield copy


def header(name: str, cells: Sequence[Any]) -> list[str]:
    """The columns that a header names.

    Raises:
        UsageError: a name is missing, or is there twice.
    """
    names = ["" if cell is None else str(cell).strip() for cell in cells]
    while names and not names[-1]:
        names.pop()  # spreadsheets like to write empty columns at the end
    places: dict[str, int] = {}
    for number, column in enumerate(names, start=1):
        if not column:
            raise UsageError(f"{name}: column {number} has no name in the header")
        if column in places:
            raise UsageError(
                f"{name}: two columns are called {column!r} ({places[column]} and {number})"
            )
        places[column] = number
    return names


def zipped(place: int, columns: Sequence[str], cells: Sequence[Any]) -> Row:
    """A row out of its cells, with what is wrong where they are too many or too few."""
    row = Row(place, dict(zip(columns, cells, strict=False)))
    extra = [cell for cell in cells[len(columns) :] if cell is not None and cell != ""]
    if extra or len(cells) < len(columns):
        value = extra[0] if extra else None
        reason = f"{len(cells)} cells, where the header has {len(columns)}"
        row.problems.append(Problem("", value, reason))
    return row

"""Rows of a CSV file."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from pathlib import Path

from ..exits import UsageError
from .sources import Row, Source, header, zipped
from .text_lines import LONGEST, text_lines

__all__ = ["CsvRows"]


class CsvRows(Source):
    """A source. The first line names the columns; blank lines are left out."""

    unit = "line"

    def __init__(self, name: str, path: Path, delimiter: str) -> None:
        self.name = name
        self._path = path
        self._delimiter = "\t" if delimiter in {"tab", "\\t"} else delimiter
        if len(self._delimiter) != 1:
            raise UsageError(f"--delimiter {delimiter!r}: must be one character, or tab")
        cells = next(self._cells(), None)
        if cells is None:
            raise UsageError(f"{name}: the file holds nothing but blank lines")
        self.columns = self._columns = header(name, cells[1])

    def rows(self) -> Iterator[Row]:
        """All rows."""
        lines = self._cells()
        next(lines, None)
        for place, cells in lines:
            yield zipped(place, self._columns, cells)

    def _cells(self) -> Iterator[tuple[int, list[str]]]:
        csv.field_size_limit(LONGEST)
        lines = text_lines(self.name, self._path)
        reader = csv.reader(lines, delimiter=self._delimiter, strict=True)
        while True:
            place = reader.line_num + 1
            try:
                cells = next(reader, None)
            except csv.Error as error:
                raise UsageError(f"{self.name}, line {place}: {_said(error)}") from None
            if cells is None:
                return
            if cells:
                yield place, cells


def _said(error: csv.Error) -> str:
    text = str(error)
    if "field larger" in text:
        return f"a cell is longer than {LONGEST:,} characters"
    if "unexpected end" in text:
        return "a quote is opened in this row, and never closed"
    if "new-line character" in text:
        return "lines end by CR alone; save the file with LF or CRLF"
    return text

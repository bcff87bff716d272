"""Rows of a spreadsheet."""

from __future__ import annotations

import warnings
import zipfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from ..exits import UsageError
from ..names import near
from .sources import Problem, Row, Source, header, zipped

__all__ = ["XlsxRows"]

#: What a cell shows whose formula failed.
_ERRORS = frozenset({"#N/A", "#DIV/0!", "#REF!", "#NAME?", "#NULL!", "#NUM!", "#VALUE!"})


class XlsxRows(Source):
    """A source. The sheet's first row names the columns; empty rows are left out."""

    def __init__(self, name: str, path: Path, sheet: str | None) -> None:
        self.name = name
        self._path = path
        self._sheet = sheet
        first = next(self._cells(), None)
        if first is None:
            raise UsageError(f"{name}: the sheet is empty")
        self.columns = self._columns = header(name, first[1])

    def rows(self) -> Iterator[Row]:
        """All rows."""
        lines = self._cells()
        next(lines)
        width = len(self._columns)
        for place, cells in lines:
            # A sheet does not store the empty cells at the end of a row.
            row = zipped(place, self._columns, [*cells, *[None] * (width - len(cells))])
            row.problems += [
                Problem(column, value, "is an error of the spreadsheet")
                for column, value in row.cells.items()
                if isinstance(value, str) and value in _ERRORS
            ]
            yield row

    def _cells(self) -> Iterator[tuple[int, Sequence[Any]]]:
        import openpyxl  # type: ignore[import-untyped]
        from openpyxl.utils.exceptions import (  # type: ignore[import-untyped]
            InvalidFileException,
        )

        with self._path.open("rb") as file, warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of what it cannot show, which is not read either
            try:
                book = openpyxl.load_workbook(file, read_only=True, data_only=True)
            except (InvalidFileException, zipfile.BadZipFile, KeyError, ValueError) as error:
                raise UsageError(f"{self.name}: is no XLSX file ({error})") from None
            try:
                sheet = book[self._chosen(book.sheetnames)]
                sheet.reset_dimensions()  # some programs write wrong ones
                for place, cells in enumerate(sheet.iter_rows(values_only=True), start=1):
                    if any(cell is not None for cell in cells):
                        yield place, cells
            finally:
                book.close()

    def _chosen(self, names: Sequence[str]) -> str:
        if self._sheet is None and len(names) == 1:
            return names[0]
        if self._sheet is None:
            listed = ", ".join(map(repr, names))
            raise UsageError(f"{self.name}: has {len(names)} sheets, say --sheet: {listed}")
        if self._sheet not in names:
            raise UsageError(f"{self.name}: has no sheet {self._sheet!r}{near(self._sheet, names)}")
        return self._sheet

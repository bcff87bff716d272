"""Rows of a spreadsheet."""

from __future__ import annotations

import re
import warnings
import zipfile
from collections.abc import Generator, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from ..exits import UsageError
from ..names import near
from .sources import Problem, Row, Source, header, zipped

__all__ = ["XlsxRows"]

#: What a cell shows whose formula failed.
_ERRORS = frozenset({"#N/A", "#DIV/0!", "#REF!", "#NAME?", "#NULL!", "#NUM!", "#VALUE!"})

#: A formula, as a sheet writes it; its prefix is a matter of taste.
_FORMULA = re.compile(rb"<(\w+:)?f[\s/>]")
_CHUNK = 2**16


_LONGEST_TAG = 32

#: In a cell: the value of a formula that no program has worked out.
_UNKNOWN = object()
_NO_VALUE = "is a formula without a stored value; open and save the file"


class XlsxRows(Source):
    """A source. The sheet's first row names the columns; empty rows are left out."""

    def __init__(self, name: str, path: Path, sheet: str | None) -> None:
        self.name = name
        self._path = path
        self._sheet = sheet
        with self._told():
            self._has_formulas = _has_formulas(path)
        first = next(self._cells(), None)
        if first is None:
            raise UsageError(f"{name}: the sheet is empty")
        if _UNKNOWN in first[1]:
            raise UsageError(f"{name}: the header {_NO_VALUE}")
        self.columns = self._columns = header(name, first[1])

    def rows(self) -> Iterator[Row]:
        """All rows."""
        lines = self._cells()
        next(lines)
        width = len(self._columns)
        for place, cells in lines:
            # A sheet does not store the empty cells at the end of a row.
            row = zipped(place, self._columns, [*cells, *[None] * (width - len(cells))])
            for column, value in row.cells.items():
                if value is _UNKNOWN:
                    row.cells[column] = None
                    row.problems.append(Problem(column, None, _NO_VALUE))
                elif isinstance(value, str) and value in _ERRORS:
                    row.problems.append(Problem(column, value, "is an error of the spreadsheet"))
            yield row

    def _cells(self) -> Iterator[tuple[int, Sequence[Any]]]:
        with warnings.catch_warnings(), self._told(), ExitStack() as books:
            warnings.simplefilter("ignore")  # of what it cannot show, which is not read either
            sheet = books.enter_context(self._opened(data_only=True))
            if self._has_formulas:
                formulas = books.enter_context(self._opened(data_only=False))
                rows = map(_marked, sheet.iter_rows(), formulas.iter_rows(values_only=True))
            else:
                rows = sheet.iter_rows(values_only=True)
            for place, cells in enumerate(rows, start=1):
                if any(cell is not None for cell in cells):
                    yield place, cells

    @contextmanager
    def _opened(self, *, data_only: bool) -> Generator[Any]:
        import openpyxl  # type: ignore[import-untyped]

        with self._path.open("rb") as file:
            book = openpyxl.load_workbook(file, read_only=True, data_only=data_only)
            try:
                # A sheet that is nothing but a chart has no rows.
                sheet = book[self._chosen([sheet.title for sheet in book.worksheets])]
                sheet.reset_dimensions()  # some programs write wrong ones
                yield sheet
            finally:
                book.close()

    @contextmanager
    def _told(self) -> Generator[None]:
        """A broken file makes its readers raise whatever comes to them."""
        try:
            yield
        except (UsageError, OSError):
            raise
        except Exception as error:
            said = " ".join(str(error).split()) or type(error).__name__
            raise UsageError(f"{self.name}: is no XLSX file, or a broken one ({said})") from None

    def _chosen(self, names: Sequence[str]) -> str:
        if not names:
            raise UsageError(f"{self.name}: has no sheet with rows")
        if self._sheet is None and len(names) == 1:
            return names[0]
        if self._sheet is None:
            listed = ", ".join(map(repr, names))
            raise UsageError(f"{self.name}: has {len(names)} sheets, say --sheet: {listed}")
        if self._sheet not in names:
            raise UsageError(f"{self.name}: has no sheet {self._sheet!r}{near(self._sheet, names)}")
        return self._sheet


def _marked(cells: Sequence[Any], formulas: Sequence[Any]) -> list[Any]:
    """The values of a row; `_UNKNOWN` where a formula has none.

    One whose value is an empty text says that it is text.
    """
    return [
        _UNKNOWN
        if cell.value is None and formula is not None and cell.data_type != "str"
        else cell.value
        for cell, formula in zip(cells, formulas, strict=True)
    ]


def _has_formulas(path: Path) -> bool:
    """Whether any sheet has one: only then is the file worth a second reading."""
    with zipfile.ZipFile(path) as archive:
        for name in archive.namelist():
            if not name.startswith("xl/worksheets/"):
                continue
            with archive.open(name) as part:
                end = b""
                while chunk := part.read(_CHUNK):
                    if _FORMULA.search(end + chunk):
                        return True
                    end = chunk[-_LONGEST_TAG:]
    return False

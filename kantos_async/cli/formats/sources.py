"""What every format gives when it is read: rows, and what is wrong with them."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from ..exits import UsageError

__all__ = ["Problem", "Row", "Source", "header", "zipped"]


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

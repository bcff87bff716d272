"""Rows of a file on their way into a bulk run, and the outcomes on their way back."""

from __future__ import annotations

import os
import re
from array import array
from collections.abc import Iterator
from typing import Any

from ..bulk.errors import RowError
from ..bulk.report import Outcome
from .columns import Columns
from .convert import Converter
from .exits import line_for
from .formats.sources import Problem, Row, Source

__all__ = ["Intake", "complaint"]

_ROW = re.compile(r"\brow (\d+)\b")


class Intake:
    """Converts rows by the types of their fields.

    A row with a bad value is passed on as None, which a bulk run fails, so that its rows have the
    numbers that they have here.

    Attributes:
        name: what people call the file, without its folder.
        names: the file's columns; complete once all rows have been read.
        rejected: numbers of the rows, from 1, that have a bad value.
    """

    def __init__(self, source: Source, columns: Columns, convert: Converter) -> None:
        self.name = os.path.basename(source.name)
        self._source = source
        self._columns = columns
        self._convert = convert
        self._places = array("Q")
        self.names: dict[str, None] = dict.fromkeys(source.columns or ())
        self.rejected: set[int] = set()

    def rows(self) -> Iterator[tuple[dict[str, Any] | None, list[tuple[int, Problem]]]]:
        """Each row's values by slug, or None and what is wrong, each with its place."""
        for number, row in enumerate(self._source.rows(), start=1):
            self._places.append(row.place)
            self.names.update(dict.fromkeys(row.cells))
            values, problems = self.read(row)
            if problems:
                self.rejected.add(number)
            yield None if problems else values, [(row.place, problem) for problem in problems]

    def read(self, row: Row) -> tuple[dict[str, Any], list[Problem]]:
        """A row's values by slug, and what is wrong with it."""
        values: dict[str, Any] = {}
        problems = list(row.problems)
        wrong = {problem.column for problem in problems}
        for column, cell in row.cells.items():
            slug = self._columns.slug(column)
            if slug is None or column in wrong:
                continue
            try:
                values[slug] = self._convert(slug, cell)
            except ValueError as error:
                problems.append(Problem(column, cell, str(error)))
        return values, problems

    def again(self) -> Iterator[tuple[int, Row]]:
        """The rows as the file has them, with their numbers."""
        return enumerate(self._source.rows(), start=1)

    @property
    def left_out(self) -> list[str]:
        """Columns that the server sets, and that are not written."""
        return self._columns.left_out

    def is_rejected(self, outcome: Outcome) -> bool:
        """Whether a row failed for a bad value."""
        return outcome.row in self.rejected

    def place(self, number: int) -> str:
        """Where a row is, for people: `line 17`."""
        return f"{self._source.unit} {self._places[number - 1]}"

    def about(self, outcome: Outcome) -> str:
        """Which row an outcome speaks of: `line 17 (john@example.com)`."""
        where = self.place(outcome.row) if outcome.row else outcome.record_id or ""
        return f"{where} ({outcome.key})" if outcome.key else where

    def said(self, outcome: Outcome) -> str:
        """Why a row failed, or what else there is to say of it; empty where there is nothing."""
        if outcome.error is None:
            return self._with_places(outcome.note or "")
        text = line_for(outcome.error)
        if isinstance(outcome.error, RowError):
            return self._with_places(text.removeprefix(f"row {outcome.row}: "))
        return text

    def _with_places(self, text: str) -> str:
        """Numbers of rows, which nobody can find in the file, made into places."""
        return _ROW.sub(lambda found: self.place(int(found[1])), text)


def complaint(problem: Problem) -> str:
    """A problem in words: column, value and reason, the value cut where it is long."""
    if not problem.column:
        return problem.reason
    value = repr(problem.value)
    value = value if len(value) <= 60 else f"{value[:57]}...'"
    return f"{problem.column}: {value} {problem.reason}"

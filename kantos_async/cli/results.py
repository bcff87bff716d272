"""`--results`: every row of the input again, with what became of it."""

from __future__ import annotations

from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Self

from ..bulk.report import Outcome
from .columns import RESULTS
from .exits import UsageError
from .formats import Kind, text_kind
from .formats.sinks import Column, Sink, open_sink
from .formats.sources import Row
from .intake import Intake, complaint

__all__ = ["Results"]


class Results:
    """Writes the rows as the file has them, with their record's id, outcome and error.

    What was written is kept, however the run ends; rows that it did not come to say so.

    Raises:
        UsageError: on entering, the file cannot be written.
    """

    def __init__(self, intake: Intake, path: Path) -> None:
        self._intake = intake
        self._path = path
        self._kind: Kind = text_kind(path)
        self._rows = intake.again()
        self._file: BinaryIO
        self._sink: Sink | None = None

    def take(self, outcome: Outcome) -> None:
        """Write a row, and those before it that have no outcome."""
        for number, row in self._rows:
            if number < outcome.row:
                self._write(row, "", "not reached", "")
                continue
            if self._intake.is_rejected(outcome):
                said = "; ".join(map(complaint, self._intake.read(row)[1]))
                self._write(row, "", "rejected", said)
            else:
                said = self._intake.said(outcome)
                self._write(row, outcome.record_id or "", outcome.status, said)
            return

    def _write(self, row: Row, record_id: str, outcome: str, error: str) -> None:
        try:
            if self._sink is None:
                names = dict.fromkeys((*self._intake.names, *RESULTS))
                columns = [Column(name, "text") for name in names]
                self._sink = open_sink(self._kind, self._file, columns)
            said = dict(zip(RESULTS, (record_id, outcome, error), strict=True))
            self._sink.write([row.cells | said])
        except OSError as failure:
            raise UsageError(f"{self._path}: {failure.strerror or failure}") from failure

    def __enter__(self) -> Self:
        self._file = self._path.open("wb")
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        with self._file:
            if self._sink is not None:
                for _, row in self._rows:
                    self._write(row, "", "not reached", "")
                self._sink.finish()

"""`--results`: every row of the input again, with what became of it."""

from __future__ import annotations

import os
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Self

from ..bulk.report import Outcome
from .columns import RESULTS
from .exits import ReaderLeftError, UsageError
from .formats import Kind, text_kind
from .formats.sinks import Column, Sink, open_sink
from .formats.sources import Row
from .formats.targets import whole_file
from .intake import Intake, complaint

__all__ = ["Results"]


class Results:
    """Writes the rows as the file has them, with their record's id, outcome and error.

    The file appears under its name when the block ends: however the run ended, it holds what became
    of every row, and rows that the run did not come to say so. Only where the input cannot be read
    to its end, and nothing was written, the results of the last run stay.

    Raises:
        UsageError: on entering, the file cannot be written.
    """

    def __init__(self, intake: Intake, path: Path) -> None:
        self._intake = intake
        self._path = path
        self._kind: Kind = text_kind(path)
        self._rows = intake.again()
        self._files = ExitStack()
        self._file: BinaryIO
        self._sink: Sink | None = None
        self._failed = False

    def take(self, outcome: Outcome) -> None:
        """Write a row, and those before it that have no outcome.

        Raises:
            UsageError: the file cannot be written; nothing more is.
        """
        if self._failed:
            return
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
        said = dict(zip(RESULTS, (record_id, outcome, error), strict=True))
        try:
            self._open().write([row.cells | said])
        except OSError as failure:
            self._failed = True
            raise UsageError(f"{self._path}: {failure.strerror or failure}") from failure

    def _open(self) -> Sink:
        if self._sink is None:
            names = dict.fromkeys((*self._intake.names, *RESULTS))
            columns = [Column(name, "text") for name in names]
            self._sink = open_sink(self._kind, self._file, columns)
        return self._sink

    def _write_rest(self) -> None:
        """Write the rows that have no outcome."""
        if self._sink is None:
            # The run may have ended before it read them all, and then not all names are known.
            for _, row in self._intake.again():
                self._intake.names.update(dict.fromkeys(row.cells))
        for _, row in self._rows:
            self._write(row, "", "not reached", "")
        self._open().finish()

    def __enter__(self) -> Self:
        opened = whole_file(os.fspath(self._path), keep=lambda: self._sink is not None)
        self._file = self._files.enter_context(opened)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        try:
            if self._failed:
                self._close(error)
            else:
                self._write_rest()
                self._close(None)
        except BaseException as failure:
            self._close(failure)
            if error is None or not isinstance(failure, Exception):
                raise

    def _close(self, error: BaseException | None) -> None:
        try:
            self._files.__exit__(None if error is None else type(error), error, None)
        except ReaderLeftError as left:
            raise UsageError(f"{self._path}: its reader has left") from left

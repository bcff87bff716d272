"""What is wrong with rows: in a file, or the first few of it on standard error."""

from __future__ import annotations

import sys
from collections import Counter
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Self

from .exits import UsageError
from .formats import text_kind
from .formats.sinks import Column, Sink, open_sink
from .formats.sources import Problem
from .intake import complaint
from .output import printable

__all__ = ["Complaints"]

_REJECTS = [Column(name, "text") for name in ("row", "column", "value", "reason")]

#: So many of a kind are said; more would hide what comes after them.
_MOST = 10


class Complaints:
    """Says what is wrong, and how much more there was in the end.

    Args:
        unit: what a place in the file counts, `line` or `row`.
        rejects: the file for bad values; without it they are said.

    Raises:
        UsageError, OSError: on entering, the file cannot be written.
    """

    def __init__(self, unit: str = "row", rejects: Path | None = None) -> None:
        self._unit = unit
        self._path = rejects
        self._rejects: Sink | None = None
        self._files = ExitStack()
        self._counts: Counter[str] = Counter()

    def reject(self, place: int, problem: Problem) -> None:
        """A value that is none of its field's."""
        if self._rejects is None:
            self.say("bad values", f"{self._unit} {place}: {complaint(problem)}")
            return
        column, value, reason = problem
        bad = {"row": place, "column": column, "value": value, "reason": reason}
        try:
            self._rejects.write([bad])
        except OSError as error:
            raise UsageError(f"{self._path}: {error.strerror or error}") from error

    def say(self, kind: str, text: str) -> None:
        """Say it on a line of its own, unless enough of its kind has been said."""
        self._counts[kind] += 1
        if self._counts[kind] <= _MOST:
            print(printable(text), file=sys.stderr)

    def __enter__(self) -> Self:
        if self._path is not None:
            kind = text_kind(self._path)
            file = self._files.enter_context(self._path.open("wb"))
            self._rejects = open_sink(kind, file, _REJECTS)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._files.close()
        for what, count in self._counts.items():
            if count > _MOST:
                print(f"... and {count - _MOST:,} more {what}", file=sys.stderr)

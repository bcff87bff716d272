"""Rows of a Parquet file."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from ..exits import UsageError
from .sources import Problem, Row, Source, header

__all__ = ["ParquetRows"]


class ParquetRows(Source):
    """A source."""

    def __init__(self, name: str, path: Path) -> None:
        from pyarrow import parquet  # type: ignore[import-untyped]

        self.name = name
        self._path = path
        with self._told("is no Parquet file"):
            names = parquet.read_schema(path).names
        self.columns = self._columns = header(name, names)
        if len(self._columns) < len(names):
            raise UsageError(f"{name}: column {len(self._columns) + 1} has no name")

    def rows(self) -> Iterator[Row]:
        """All rows."""
        from pyarrow import parquet

        place = 0
        with self._told("cannot be read"), parquet.ParquetFile(self._path) as file:
            for batch in file.iter_batches(batch_size=1_000):
                for cells in zip(*map(_plain, batch.columns), strict=True):
                    place += 1
                    row = Row(place, dict(zip(self._columns, cells, strict=True)))
                    for column, value in row.cells.items():
                        if isinstance(value, _Strange):
                            row.cells[column] = None
                            row.problems.append(Problem(column, value.raw, _STRANGE))
                    yield row

    @contextmanager
    def _told(self, what: str) -> Generator[None]:
        import pyarrow

        try:
            yield
        except (pyarrow.ArrowException, OSError) as error:
            if isinstance(error, OSError) and error.filename is not None:
                raise
            said = " ".join(str(error).split())
            raise UsageError(f"{self.name}: {what} ({said})") from None


class _Strange(NamedTuple):
    """A value that Python cannot hold, as the number that the file has."""

    raw: Any


_STRANGE = "is a time beyond the years 1 to 9999, or one with nanoseconds"


def _plain(column: Any) -> list[Any]:
    """The values of a column."""
    try:
        values: list[Any] = column.to_pylist()
    except (ValueError, OverflowError):
        values = list(map(_value, column))
    return values


def _value(scalar: Any) -> Any:
    try:
        return scalar.as_py()
    except (ValueError, OverflowError):
        return _Strange(getattr(scalar, "value", None))

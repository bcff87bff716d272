"""Rows of a Parquet file."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from ..exits import UsageError
from .sources import Row, Source, header

__all__ = ["ParquetRows"]


class ParquetRows(Source):
    """A source."""

    def __init__(self, name: str, path: Path) -> None:
        import pyarrow  # type: ignore[import-untyped]
        from pyarrow import parquet

        self.name = name
        self._path = path
        try:
            self.columns = self._columns = header(name, parquet.read_schema(path).names)
        except pyarrow.ArrowException as error:
            raise UsageError(f"{name}: is no Parquet file ({error})") from None

    def rows(self) -> Iterator[Row]:
        """All rows."""
        import pyarrow
        from pyarrow import parquet

        place = 0
        try:
            with parquet.ParquetFile(self._path) as file:
                for batch in file.iter_batches(batch_size=1_000):
                    for cells in batch.to_pylist():
                        place += 1
                        yield Row(place, dict(zip(self._columns, cells.values(), strict=True)))
        except pyarrow.ArrowException as error:
            raise UsageError(f"{self.name}: after row {place}: {error}") from None

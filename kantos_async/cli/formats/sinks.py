"""Writing rows: one class a format, over an open binary file."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, date, datetime, time
from decimal import Decimal
from typing import Any, BinaryIO, NamedTuple, Self

import msgspec

from ..exits import UsageError
from . import Kind

__all__ = ["Column", "Sink", "open_sink"]


class Column(NamedTuple):
    """A column by its name and the type of its field."""

    name: str
    type: str


class Sink:
    """Takes rows of plain values as JSON has them, and dates and times.

    Leave its `with` block and the rest is written; leave it by an error, and nothing more is. The
    file itself stays open.
    """

    def __init__(self, file: BinaryIO, columns: Sequence[Column]) -> None:
        self._file = file
        self._columns = columns

    def write(self, rows: Sequence[Mapping[str, Any]]) -> None:
        """Write some rows."""
        raise NotImplementedError

    def finish(self) -> None:
        """Write what is left to write."""

    def abandon(self) -> None:
        """Write no more."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        self.finish() if kind is None else self.abandon()


def open_sink(kind: Kind, file: BinaryIO, columns: Sequence[Column]) -> Sink:
    """A sink of this kind.

    Raises:
        UsageError: this kind can only be read.
    """
    match kind:
        case "csv":
            return _Csv(file, columns)
        case "jsonl":
            return _Jsonl(file, columns)
        case "json":
            return _Json(file, columns)
        case "parquet":
            return _Parquet(file, columns)
        case "xlsx":
            raise UsageError("xlsx can be read, not written; write csv, jsonl, json or parquet")


class _Csv(Sink):
    def __init__(self, file: BinaryIO, columns: Sequence[Column]) -> None:
        super().__init__(file, columns)
        self._names = [column.name for column in columns]
        self._write([self._names])

    def write(self, rows: Sequence[Mapping[str, Any]]) -> None:
        self._write([[_cell(row.get(name)) for name in self._names] for row in rows])

    def _write(self, rows: Sequence[Sequence[Any]]) -> None:
        text = io.StringIO(newline="")
        csv.writer(text).writerows(rows)
        self._file.write(text.getvalue().encode())


def _cell(value: Any) -> Any:
    match value:
        case None:
            return ""
        case bool():
            return "true" if value else "false"
        case datetime() if value.tzinfo is not None:
            return value.astimezone(UTC).isoformat().replace("+00:00", "Z")
        case date() | time():
            return value.isoformat()
        case str() | int() | float() | Decimal():
            return value
        case _:
            return msgspec.json.encode(value).decode()


class _Jsonl(Sink):
    def write(self, rows: Sequence[Mapping[str, Any]]) -> None:
        self._file.write(msgspec.json.Encoder().encode_lines(list(map(self._chosen, rows))))

    def _chosen(self, row: Mapping[str, Any]) -> dict[str, Any]:
        return {column.name: row.get(column.name) for column in self._columns}


class _Json(_Jsonl):
    """An array with a row a line, so that it is written, and can be looked at, piece by piece."""

    _separator = b"[\n"

    def write(self, rows: Sequence[Mapping[str, Any]]) -> None:
        for row in rows:
            self._file.write(self._separator + msgspec.json.encode(self._chosen(row)))
            self._separator = b",\n"

    def finish(self) -> None:
        self._file.write(b"[]\n" if self._separator == b"[\n" else b"\n]\n")


class _Parquet(Sink):
    #: Rows of a row group: what is kept in memory.
    _GROUP = 10_000

    def __init__(self, file: BinaryIO, columns: Sequence[Column]) -> None:
        import pyarrow  # type: ignore[import-untyped]
        from pyarrow import parquet

        super().__init__(file, columns)
        self._arrow = pyarrow
        types = {
            "number": pyarrow.float64(),
            "currency": pyarrow.float64(),
            "boolean": pyarrow.bool_(),
            "date": pyarrow.date32(),
            "datetime": pyarrow.timestamp("us", tz="UTC"),
        }
        self._schema = pyarrow.schema(
            [(column.name, types.get(column.type, pyarrow.string())) for column in columns]
        )
        self._writer = parquet.ParquetWriter(file, self._schema, compression="zstd")
        self._values: list[list[Any]] = [[] for _ in columns]

    def write(self, rows: Sequence[Mapping[str, Any]]) -> None:
        for column, values in zip(self._columns, self._values, strict=True):
            convert: Callable[[Any], Any] = _PARQUET.get(column.type, _string)
            for row in rows:
                value = row.get(column.name)
                try:
                    values.append(None if value in (None, "") else convert(value))
                except (ValueError, TypeError, AttributeError):
                    raise UsageError(
                        f"{column.name!r} of {row.get('id')} is {value!r}, which is no "
                        f"{column.type}; leave it out by --fields, or write csv or jsonl"
                    ) from None
        if self._values and len(self._values[0]) >= self._GROUP:
            self._flush()

    def _flush(self) -> None:
        self._writer.write_table(self._arrow.table(self._values, schema=self._schema))
        for values in self._values:
            values.clear()

    def finish(self) -> None:
        self._flush()
        self._writer.close()

    def abandon(self) -> None:
        # Or else it would write its end when it is collected.
        self._writer.is_open = False


def _string(value: Any) -> str:
    return value if isinstance(value, str) else msgspec.json.encode(value).decode()


def _float(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise TypeError
    return float(value)


def _boolean(value: Any) -> bool:
    if not isinstance(value, bool):
        raise TypeError
    return value


def _day(value: Any) -> date:
    return date.fromisoformat(value[:10])


def _moment(value: Any) -> datetime:
    moment = value if isinstance(value, datetime) else datetime.fromisoformat(value)
    return moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)


_PARQUET: dict[str, Callable[[Any], Any]] = {
    "number": _float,
    "currency": _float,
    "boolean": _boolean,
    "date": _day,
    "datetime": _moment,
}

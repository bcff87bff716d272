"""Rows of JSON: an object a line, or an array of objects."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec

from ..exits import UsageError
from .sources import Row, Source
from .text_lines import text_lines

__all__ = ["JsonRows", "JsonlRows"]

_decode = msgspec.json.Decoder(dict[str, Any]).decode


class JsonlRows(Source):
    """A source: an object a line; blank lines are left out."""

    unit = "line"

    def __init__(self, name: str, path: Path) -> None:
        self.name = name
        self._path = path

    def rows(self) -> Iterator[Row]:
        """All rows."""
        for number, line in enumerate(text_lines(self.name, self._path), start=1):
            if line.isspace():
                continue
            try:
                yield Row(number, _decode(line))
            except (msgspec.DecodeError, RecursionError) as error:
                raise UsageError(f"{self.name}, line {number}: {_said(error)}") from None


class JsonRows(Source):
    """A source: an array of objects. It is held in memory; JSONL is not."""

    def __init__(self, name: str, path: Path) -> None:
        self.name = name
        try:
            self._items = msgspec.json.decode(
                path.read_bytes().removeprefix(b"\xef\xbb\xbf"), type=list[msgspec.Raw]
            )
        except (msgspec.DecodeError, RecursionError) as error:
            raise UsageError(f"{name}: {_said(error)}") from None

    def rows(self) -> Iterator[Row]:
        """All rows."""
        for number, item in enumerate(self._items, start=1):
            try:
                yield Row(number, _decode(item))
            except (msgspec.DecodeError, RecursionError) as error:
                raise UsageError(f"{self.name}, row {number}: {_said(error)}") from None


def _said(error: Exception) -> str:
    return "is nested too deeply" if isinstance(error, RecursionError) else str(error)

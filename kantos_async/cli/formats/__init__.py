"""Files of rows: CSV, JSONL, JSON, XLSX and Parquet, chosen by ending or by name."""

from __future__ import annotations

from pathlib import Path
from typing import Literal, TypeAlias

from ..exits import UsageError

__all__ = ["Kind", "kind_of", "text_kind"]

Kind: TypeAlias = Literal["csv", "jsonl", "json", "xlsx", "parquet"]

_ENDINGS: dict[str, Kind] = {
    ".csv": "csv",
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".json": "json",
    ".xlsx": "xlsx",
    ".parquet": "parquet",
}


def kind_of(path: str, kind: Kind | None) -> Kind:
    """What a file is: as said, else by its ending; `-` (standard input or output) is CSV.

    Raises:
        UsageError: the ending says nothing.
    """
    if kind is not None:
        return kind
    if path == "-":
        return "csv"
    found = _ENDINGS.get(Path(path).suffix.casefold())
    if found is None:
        raise UsageError(
            f"{path}: the file's ending is none of {', '.join(_ENDINGS)}; say --format"
        )
    return found


def text_kind(path: Path) -> Kind:
    """The kind of a file that is written row by row: CSV or JSONL, by its ending.

    Raises:
        UsageError: it ends otherwise.
    """
    kind = _ENDINGS.get(path.suffix.casefold())
    if kind not in {"csv", "jsonl"}:
        raise UsageError(f"{path}: must end in .csv or .jsonl")
    return kind

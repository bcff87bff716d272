"""SQLite as the state uses it: whatever it complains of is a `StateError` that says what to do."""

from __future__ import annotations

import contextlib
import errno
import os
import sqlite3
from pathlib import Path
from typing import Any, Self
from urllib.parse import quote

from .errors import StateError

__all__ = ["connect", "state_error"]

_FULL = frozenset({errno.ENOSPC, getattr(errno, "EDQUOT", errno.ENOSPC)})
_DAMAGED = "it is damaged; delete it, and the next run reads the object anew"
_MESSAGES = {
    sqlite3.SQLITE_BUSY: "another run is using it",
    sqlite3.SQLITE_LOCKED: "another run is using it",
    sqlite3.SQLITE_FULL: "the disk is full; what was written until now is kept, so run it again",
    sqlite3.SQLITE_NOTADB: "it is not a state file",
    sqlite3.SQLITE_CORRUPT: _DAMAGED,
}


def state_error(path: Path | None, error: Exception) -> StateError:
    """What SQLite, the file system or the decoder complained of, in words."""
    name = "the temporary database" if path is None else str(path)
    if isinstance(error, ValueError):  # what the file holds is not what was written
        return StateError(f"{name}: {_DAMAGED}")
    return StateError(f"{name}: {_MESSAGES.get(_code(error), error)}")


def _code(error: Exception) -> int:
    """What went wrong, in SQLite's numbers; never read from a text, which may name the path."""
    if isinstance(error, OSError):
        return sqlite3.SQLITE_FULL if error.errno in _FULL else sqlite3.SQLITE_OK
    # The low byte is the kind of error, the others tell more. None: an error of Python's module.
    return (getattr(error, "sqlite_errorcode", None) or sqlite3.SQLITE_OK) & 0xFF


def connect(path: Path | None) -> sqlite3.Connection:
    """Open a file that is there, or a temporary database of our own."""
    name = "" if path is None else _uri(path)
    db = sqlite3.connect(
        name,
        uri=True,
        isolation_level=None,
        timeout=0,
        check_same_thread=False,
        factory=_Connection,
    )
    db.path = path
    return db


def _uri(path: Path) -> str:
    """A path as SQLite's name for a file that it must not make."""
    text = path.absolute().as_posix()
    return f"file://{quote(os.fsencode(text if text[0] == '/' else '/' + text))}?mode=rw"


class _Cursor(sqlite3.Cursor):
    """Each step of a statement may be the one that meets the damage."""

    def _failure(self, error: Exception) -> StateError:
        # The traceback keeps this cursor, and a statement that is open keeps the file locked.
        with contextlib.suppress(sqlite3.Error):
            self.close()
        return state_error(getattr(self.connection, "path", None), error)

    def execute(self, *args: Any) -> Self:
        try:
            return super().execute(*args)
        except sqlite3.Error as error:
            raise self._failure(error) from error

    def executemany(self, *args: Any) -> Self:
        try:
            return super().executemany(*args)
        except sqlite3.Error as error:
            raise self._failure(error) from error

    def fetchone(self) -> Any:
        try:
            return super().fetchone()
        except sqlite3.Error as error:
            raise self._failure(error) from error

    def fetchall(self) -> list[Any]:
        try:
            return super().fetchall()
        except sqlite3.Error as error:
            raise self._failure(error) from error

    def __next__(self) -> Any:
        try:
            return super().__next__()
        except sqlite3.Error as error:
            raise self._failure(error) from error


class _Connection(sqlite3.Connection):
    path: Path | None = None

    def execute(self, *args: Any) -> sqlite3.Cursor:
        try:
            cursor = self.cursor(_Cursor)
        except sqlite3.Error as error:
            raise state_error(self.path, error) from error
        return cursor.execute(*args)

    def executemany(self, *args: Any) -> sqlite3.Cursor:
        return self.cursor(_Cursor).executemany(*args)

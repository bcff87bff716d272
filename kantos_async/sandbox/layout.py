"""The tables of the sandbox's file, and whether a file is one."""

from __future__ import annotations

import sqlite3
from pathlib import Path

__all__ = ["FORMAT", "INDEXES", "TABLES", "connect"]

FORMAT = 1

TABLES = (
    """CREATE TABLE objects (
    id TEXT PRIMARY KEY, name TEXT NOT NULL, slug TEXT NOT NULL UNIQUE, icon TEXT,
    custom INTEGER NOT NULL, fields TEXT NOT NULL)""",
    """CREATE TABLE records (
    id TEXT PRIMARY KEY, object_id TEXT NOT NULL, created INTEGER NOT NULL,
    updated INTEGER NOT NULL, created_by TEXT NOT NULL, doc TEXT NOT NULL)""",
    "CREATE TABLE users (id TEXT PRIMARY KEY, doc TEXT NOT NULL)",
    "CREATE TABLE keys (key TEXT PRIMARY KEY, doc TEXT NOT NULL)",
    "CREATE TABLE automations (id TEXT PRIMARY KEY, doc TEXT NOT NULL)",
    "CREATE TABLE runs (id TEXT PRIMARY KEY, doc TEXT NOT NULL)",
    "CREATE TABLE intake (id TEXT PRIMARY KEY, doc TEXT NOT NULL)",
)
INDEXES = (
    "CREATE INDEX IF NOT EXISTS records_created ON records (object_id, created, id)",
    "CREATE INDEX IF NOT EXISTS records_updated ON records (object_id, updated, id)",
)


def connect(path: str) -> tuple[sqlite3.Connection, bool]:
    """Open a sandbox's file (or `:memory:`), and whether it is new; what is there stays as it is.

    Raises:
        ValueError: it is something else, or of a later format.
        OSError: it cannot be made.
    """
    if path != ":memory:" and not Path(path).exists():
        # Of all that SQLite makes, only its owner may read: this file, and those beside it.
        Path(path).touch(mode=0o600)
    # Autocommit, and one connection for all threads: the core's lock orders their calls.
    db = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    try:
        return db, _is_new(db, path)
    except BaseException as error:
        db.close()
        if getattr(error, "sqlite_errorcode", 0) == sqlite3.SQLITE_NOTADB:
            raise ValueError(f"{path} is not a database") from None
        raise


def _is_new(db: sqlite3.Connection, path: str) -> bool:
    # Many programs number their tables by `user_version`, so the number alone says nothing.
    (version,) = db.execute("PRAGMA user_version").fetchone()
    found = _columns(db)
    if version == 0 and not found:
        return True
    with sqlite3.connect(":memory:") as model:
        for table in TABLES:
            model.execute(table)
        wanted = _columns(model)
    model.close()
    ours = all(wanted[name] <= found.get(name, frozenset()) for name in wanted)
    if version > FORMAT and (ours or not found):
        raise ValueError(f"{path} has sandbox format {version}; this version reads {FORMAT}")
    if version != FORMAT or not ours:
        raise ValueError(f"{path} is a database, but not a sandbox's")
    return False


def _columns(db: sqlite3.Connection) -> dict[str, frozenset[str]]:
    """The columns of each table."""
    tables = db.execute("SELECT name FROM sqlite_master WHERE type IN ('table', 'view')").fetchall()
    return {
        name: frozenset(
            column for (column,) in db.execute("SELECT name FROM pragma_table_info(?)", (name,))
        )
        for (name,) in tables
    }

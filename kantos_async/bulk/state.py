"""The state of a sync in one SQLite file: resume, mirror and undo.

Without a file the same tables lie in a private temporary database, so that a run works one way.
Nothing here decides alone: lost, old, copied or from a killed run, the file costs requests.
"""

from __future__ import annotations

import contextlib
import errno
import os
import sqlite3
from collections.abc import Generator
from hashlib import blake2b
from pathlib import Path
from typing import Any

import msgspec

from .database import connect, state_error
from .errors import StateError
from .schema import Schema

__all__ = ["FORMAT", "State"]

FORMAT = 2
_APPLICATION = 0x4B53594E  # "KSYN"

# record: the mirror. `seen` holds a fingerprint for each managed field; `own` is the stamp of our
#   last write, until a search has shown it; `folded` the key without its case, where that differs.
# input: for each key what we sent last, and what the server made of it.
# intent: creates that may be on their way; committed before the create leaves. `sent` holds the
#   row's fingerprints, `log` the number of the undo log they belong in, if in any.
# pending: the same for updates and deletes, as they will stand in the undo log.
# change: what the last run replaced, for undo. `at`: when undo began to create it again.
_TABLES = """
CREATE TABLE meta (name TEXT PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID;
CREATE TABLE record (
    id TEXT PRIMARY KEY, key TEXT, created INTEGER NOT NULL, updated INTEGER NOT NULL,
    seen BLOB NOT NULL, own INTEGER, folded TEXT) WITHOUT ROWID;
CREATE INDEX record_key ON record (key);
CREATE INDEX record_folded ON record (folded) WHERE folded IS NOT NULL;
CREATE INDEX record_created ON record (created, id);
CREATE TABLE input (
    key TEXT PRIMARY KEY, answered TEXT, sent BLOB NOT NULL, echo BLOB NOT NULL) WITHOUT ROWID;
CREATE INDEX input_answered ON input (answered) WHERE answered IS NOT NULL;
CREATE TABLE intent (
    key TEXT PRIMARY KEY, at REAL NOT NULL, sent BLOB NOT NULL, log INTEGER) WITHOUT ROWID;
CREATE TABLE pending (
    id TEXT PRIMARY KEY, key TEXT, kind TEXT NOT NULL, before BLOB, wrote BLOB NOT NULL,
    log INTEGER, at REAL NOT NULL) WITHOUT ROWID;
CREATE TABLE change (
    id TEXT PRIMARY KEY, key TEXT, kind TEXT NOT NULL, before BLOB, wrote BLOB NOT NULL, at REAL)
    WITHOUT ROWID;
"""


class Meta(msgspec.Struct):
    """What the state knows beside its tables. Stamps are microseconds since 1970."""

    base_url: str = ""
    account: str = ""
    object_id: str = ""
    key: str = ""
    #: Managed fields; a field's place here is the place of its fingerprint.
    fields: list[str] = []
    #: The newest `updated_at` that a search has shown: all before it, less the margin, is known.
    watermark: int | None = None
    #: When all changes were last read, by the server's clock.
    read_at: float | None = None
    #: When the whole object was last read, by the server's clock; None: it is not mirrored.
    walked_at: float | None = None
    #: When we last wrote, by the server's clock.
    wrote_at: float | None = None
    #: Whether the server was seen to sort by `updated_at`.
    sorts: bool = False
    #: The greatest age at which a write of ours was still invisible to a search, in seconds.
    lag: float = 0.0
    schema: Schema | None = None
    #: A run that has not ended: the next one continues its undo log.
    running: bool = False
    #: The number of the undo log: each run that writes begins the next one.
    log: int = 0


class State:
    """The tables, and who may use them.

    Raises:
        StateError: see the class; the message says what to do.
    """

    def __init__(self, path: str | os.PathLike[str] | None, *, make: bool = True) -> None:
        self.path = None if path is None else Path(path)
        self._make = make
        self._depth = 0
        with self.guarded():
            self.db = self._connect()
        self.meta = self._load()

    def _connect(self) -> sqlite3.Connection:
        if self.path is None:
            db = connect(None)
            db.executescript(f"PRAGMA temp_store = FILE; PRAGMA journal_mode = MEMORY; {_TABLES}")
            return db
        self._see_to_file(self.path)
        db = connect(self.path)
        try:
            # The lock is held until the connection closes, or the process dies.
            db.execute("PRAGMA locking_mode = EXCLUSIVE")
            db.execute("PRAGMA temp_store = FILE")
            db.execute("PRAGMA journal_mode = WAL")
            db.execute("PRAGMA synchronous = NORMAL")
            self._lay_out(db)
        except BaseException:
            db.close()
            raise
        return db

    def _see_to_file(self, path: Path) -> None:
        """Make the file, ours alone, if there is none.

        One that is there is never opened but by SQLite: closing any descriptor of a file gives up
        all locks that the process has on it, and so that of a run which is using it.
        """
        if path.is_dir():
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
        if not self._make:
            path.stat()
            return
        with contextlib.suppress(FileExistsError):
            os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600))

    def _lay_out(self, db: sqlite3.Connection) -> None:
        db.execute("BEGIN IMMEDIATE")
        ((version,), (application,)) = (
            db.execute(f"PRAGMA {name}").fetchone() for name in ("user_version", "application_id")
        )
        if not version and not db.execute("SELECT 1 FROM sqlite_master").fetchone():
            for statement in _TABLES.split(";"):
                db.execute(statement)
            db.execute(f"PRAGMA user_version = {FORMAT}")
            db.execute(f"PRAGMA application_id = {_APPLICATION}")
        elif application != _APPLICATION:
            raise StateError(f"{self.path} is a database, but not the state of a sync")
        elif version != FORMAT:
            raise StateError(
                f"{self.path} has format {version}, this version reads {FORMAT}; delete it, and "
                "the next run reads the object anew"
            )
        db.execute("COMMIT")

    def close(self) -> None:
        """Close the file, and with that give up its lock."""
        self.db.close()

    def __del__(self) -> None:
        # Python warns of a connection that nobody closed; a run that was dropped is no fault.
        if (db := getattr(self, "db", None)) is not None:
            db.close()

    # ---- transactions ----------------------------------------------------------------------

    @contextlib.contextmanager
    def guarded(self) -> Generator[None]:
        """Turn what SQLite and the file system complain of into a `StateError`."""
        try:
            yield
        except (sqlite3.Error, OSError) as error:
            raise state_error(self.path, error) from error

    @contextlib.contextmanager
    def whole(self) -> Generator[sqlite3.Connection]:
        """All that is written within the block is kept, or none of it."""
        if self._depth:
            yield self.db
            return
        self._depth = 1
        try:
            with self.guarded():
                self.db.execute("BEGIN")
                try:
                    yield self.db
                except BaseException:
                    if self.db.in_transaction:
                        self.db.execute("ROLLBACK")
                    raise
                self.db.execute("COMMIT")
        finally:
            self._depth = 0

    # ---- meta ------------------------------------------------------------------------------

    def _load(self) -> Meta:
        rows = self.db.execute("SELECT name, value FROM meta").fetchall()
        try:
            values = {name: msgspec.json.decode(value) for name, value in rows}
            return msgspec.convert(values, Meta)
        except ValueError as error:
            raise state_error(self.path, error) from error

    def set(self, **values: Any) -> None:
        """Change what `meta` holds."""
        with self.whole() as db:
            for name, value in values.items():
                setattr(self.meta, name, value)
                db.execute(
                    "INSERT OR REPLACE INTO meta VALUES (?, ?)", (name, msgspec.json.encode(value))
                )

    def claim(self, *, base_url: str, api_key: str, object_id: str, key: str) -> None:
        """Make a new file this sync's; refuse one of another object, key field or account.

        Raises:
            StateError: it is another one's.
        """
        account = blake2b(api_key.encode(), key=b"kantos-sync", digest_size=16).hexdigest()
        mine = {"base_url": base_url, "account": account, "object_id": object_id, "key": key}
        if not self.meta.object_id:
            self.set(**mine)
            return
        for name, what in (
            ("object_id", "object"),
            ("key", "key field"),
            ("base_url", "server"),
            ("account", "API key"),
        ):
            kept = getattr(self.meta, name)
            if kept != mine[name]:
                shown = "" if name == "account" else f" ({kept!r}, not {mine[name]!r})"
                raise StateError(
                    f"{self.path} is the state of a sync with another {what}{shown}; use one file "
                    "for each, or delete it: the next run then reads the object anew"
                )

    def manage(self, fields: list[str]) -> None:
        """Set the managed fields; where one is new, the mirror knows nothing of it."""
        known = self.meta.fields
        assert fields[: len(known)] == known
        if len(fields) > len(known):
            with self.whole():
                self.forget_mirror()
                self.set(fields=fields)

    def forget_mirror(self) -> None:
        """Drop what is known of the object; what we sent last stays."""
        with self.whole() as db:
            db.execute("DELETE FROM record")
            self.set(watermark=None, walked_at=None)

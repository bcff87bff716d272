"""The sandbox's data: one SQLite database, in memory or in a file.

The format is meant to last: `user_version` is its version, times are whole microseconds since
1970, everything with structure is JSON, and `docs/sandbox.md` describes the tables.
"""

from __future__ import annotations

import contextlib
import random
import weakref
from collections.abc import Callable, Generator, Iterable, Iterator
from typing import Any

import msgspec

from .finds import Finds
from .layout import FORMAT, INDEXES, TABLES, connect
from .rows import COLUMNS, Row
from .schema import BUILT_IN, Field, ObjectType
from .search import Search, column
from .shadow import Shadow
from .values import fold_stage

__all__ = ["FORMAT", "Store"]

#: From so many records on, a field is indexed when it is first asked for by value.
_LARGE = 5_000


def _has_text(haystack: Any, needle: str) -> bool:
    return haystack is not None and needle.casefold() in str(haystack).casefold()


def _fold(stage: Any) -> str | None:
    # SQLite's own lower() knows ASCII alone.
    return None if stage is None else fold_stage(str(stage))


class Store:
    """Reads and writes; knows nothing of HTTP, keys or quotas.

    Raises:
        ValueError: for a database that is not a sandbox's, or of a later format.
    """

    def __init__(self, path: str = ":memory:", seed: int | None = None) -> None:
        self.db, is_new = connect(path)
        # Thousands of small worlds are dropped without a word; that is no leak.
        weakref.finalize(self, self.db.close)
        self.db.create_function("has_text", 2, _has_text, deterministic=True)
        self.db.create_function("fold_stage", 1, _fold, deterministic=True)
        self.objects: dict[str, ObjectType] = {}
        self._shadow: Shadow | None = None
        self._delay: Callable[[], float] | None = None
        self._indexed: set[str] = set()
        self._finds = Finds(self.db)
        try:
            self._lay_out(is_new)
            self._load_objects()
        except BaseException:
            self.db.close()
            raise
        (count,) = self.db.execute("SELECT count(*) FROM records").fetchone()
        # A file opened again goes on with other ids, also under the same seed.
        self._random = random.Random(None if seed is None else f"{seed}/{count}")

    def close(self) -> None:
        """Close the database."""
        self.db.close()

    # Layout

    def _lay_out(self, is_new: bool) -> None:
        # Survives a killed process; only a failing machine may lose the last writes.
        self.db.execute("PRAGMA journal_mode = WAL")
        self.db.execute("PRAGMA synchronous = NORMAL")
        if is_new:
            with self.whole():  # killed in between, it is as new at the next start
                for table in TABLES:
                    self.db.execute(table)
                for kind in BUILT_IN:
                    self._write_object(kind)
                self.db.execute(f"PRAGMA user_version = {FORMAT}")
        for index in INDEXES:  # which a file made by others may lack
            self.db.execute(index)

    def _load_objects(self) -> None:
        for row in self.db.execute("SELECT id, name, slug, icon, custom, fields FROM objects"):
            fields = msgspec.json.decode(row[5], type=list[Field])
            self.objects[row[0]] = ObjectType(
                row[0], row[1], row[2], row[3], bool(row[4]), {f.slug: f for f in fields}
            )
        for kind in self.objects.values():
            self._index_unique(kind)

    def reset(self) -> None:
        """Back to a fresh account; keys and users stay."""
        with self.whole():
            for table in ("objects", "records", "automations", "runs", "intake"):
                self.db.execute(f"DELETE FROM {table}")
            for kind in BUILT_IN:
                self._write_object(kind)
        self._finds.forget()
        self.objects.clear()
        self._load_objects()
        self.lag(None)

    @contextlib.contextmanager
    def whole(self) -> Generator[None]:
        """All that is written within the block is kept, or none of it."""
        self.db.execute("BEGIN")
        try:
            yield
        except BaseException:
            self.db.execute("ROLLBACK")
            # Searches may have heard of what now never was.
            self.lag(self._delay)
            raise
        self.db.execute("COMMIT")

    # Objects

    def _write_object(self, kind: ObjectType) -> None:
        fields = msgspec.json.encode(list(kind.fields.values())).decode()
        self.db.execute(
            "INSERT OR REPLACE INTO objects VALUES (?,?,?,?,?,?)",
            (kind.id, kind.name, kind.slug, kind.icon, kind.custom, fields),
        )
        self._index_unique(kind)

    def _index_unique(self, kind: ObjectType) -> None:
        for field in kind.fields.values():
            if field.unique:
                self._index(field.slug)

    def _index(self, slug: str) -> None:
        if slug in self._indexed:
            return
        self._indexed.add(slug)
        name = slug.replace('"', '""')
        self.db.execute(
            f'CREATE INDEX IF NOT EXISTS "by_{name}" ON records (object_id, {column(slug)})'
        )
        if self._shadow:
            self._shadow.index(slug)

    def put_object(self, kind: ObjectType) -> None:
        """Add an object, or replace it by one with more fields."""
        self._write_object(kind)
        self.objects[kind.id] = kind

    # Records

    def new_id(self, prefix: str) -> str:
        """An id in no order at all, repeatable under a seed."""
        return f"{prefix}_{self._random.getrandbits(80):020x}"

    def get(self, record_id: str) -> Row | None:
        """One record as it is now, however far searches lag."""
        row = self.db.execute(
            f"SELECT {COLUMNS} FROM records WHERE id = ?", (record_id,)
        ).fetchone()
        return None if row is None else Row._make(row)

    def put(self, row: Row, now: float) -> None:
        """Insert or replace one record at `now` (Unix seconds)."""
        self.db.execute(f"INSERT OR REPLACE INTO records ({COLUMNS}) VALUES (?,?,?,?,?,?)", row)
        self._written(row.id, row, now)

    def remove(self, record_id: str, now: float) -> None:
        """Delete one record at `now` (Unix seconds)."""
        self.db.execute("DELETE FROM records WHERE id = ?", (record_id,))
        self._written(record_id, None, now)

    def _written(self, record_id: str, row: Row | None, now: float) -> None:
        if self._shadow:
            self._shadow.note(record_id, row, now)
        else:
            self._finds.forget()

    def all(self, object_id: str) -> Iterator[Row]:
        """Every record of an object as it is now, the oldest first."""
        found = self.db.execute(
            f"SELECT {COLUMNS} FROM records WHERE object_id = ? ORDER BY created, id", (object_id,)
        ).fetchall()
        return map(Row._make, found)

    def latest(self, object_id: str, limit: int) -> tuple[list[Row], int]:
        """The records changed last, and how many there are."""
        (total,) = self.db.execute(
            "SELECT count(*) FROM records WHERE object_id = ?", (object_id,)
        ).fetchone()
        found = self.db.execute(
            f"SELECT {COLUMNS} FROM records WHERE object_id = ?"
            " ORDER BY updated DESC, id DESC LIMIT ?",
            (object_id, limit),
        )
        return [Row._make(row) for row in found.fetchall()], total

    def page(self, search: Search, limit: int, offset: int, now: float) -> tuple[list[Row], int]:
        """Some of the records that a search finds, and how many it finds in all."""
        for slug in search.exact - self._indexed:
            if self._is_large():
                self._index(slug)
        if not self._shadow:
            return self._finds.page("main.records", search, limit, offset)
        if self._shadow.catch_up(now):
            self._finds.forget()
        return self._finds.page(self._shadow.table, search, limit, offset)

    def _is_large(self) -> bool:
        (last,) = self.db.execute("SELECT max(rowid) FROM records").fetchone()
        return last is not None and last > _LARGE

    def holder(self, object_id: str, slug: str, value: Any) -> str | None:
        """The id of a record that has this value in this field."""
        if isinstance(value, list | dict):  # SQLite shows those as their JSON
            value = msgspec.json.encode(value).decode()
        row = self.db.execute(
            f"SELECT id FROM records WHERE object_id = ? AND {column(slug)} = ? LIMIT 1",
            (object_id, value),
        ).fetchone()
        return None if row is None else str(row[0])

    def has_record(self, record_id: str, object_id: str | None) -> bool:
        """Whether a record exists (in the given object)."""
        row = self.get(record_id)
        return row is not None and object_id in (None, row.object_id)

    def has_user(self, user_id: str) -> bool:
        """Whether a user exists."""
        return self.document("users", user_id) is not None

    def lag(self, delay: Callable[[], float] | None) -> None:
        """Let searches see each write only after a delay of its own, in seconds; None ends it."""
        if self._shadow:
            self._shadow.drop()
            self._shadow = None
        self._delay = delay
        self._finds.forget()
        if delay:
            self._shadow = Shadow(self.db, delay, self._indexed)

    # Everything that is kept whole

    def document(self, table: str, key: str) -> dict[str, Any] | None:
        """One document of `users`, `keys`, `automations`, `runs` or `intake`."""
        name = "key" if table == "keys" else "id"
        row = self.db.execute(f"SELECT doc FROM {table} WHERE {name} = ?", (key,)).fetchone()
        return None if row is None else msgspec.json.decode(row[0])

    def documents(self, table: str) -> list[dict[str, Any]]:
        """All documents of a table, in the order of their making."""
        rows: Iterable[tuple[str]] = self.db.execute(f"SELECT doc FROM {table} ORDER BY rowid")
        return [msgspec.json.decode(doc) for (doc,) in rows]

    def drop(self, table: str, key: str) -> bool:
        """Delete one document; False when there is none."""
        return self.db.execute(f"DELETE FROM {table} WHERE id = ?", (key,)).rowcount == 1

    def keep(self, table: str, key: str, doc: dict[str, Any]) -> None:
        """Insert or replace one document."""
        self.db.execute(
            f"INSERT INTO {table} VALUES (?, ?) ON CONFLICT DO UPDATE SET doc = excluded.doc",
            (key, msgspec.json.encode(doc).decode()),
        )

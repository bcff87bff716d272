"""The input, kept in a temporary table: the plan knows its size, and memory does not grow."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Iterator, Sequence
from typing import Any

import anyio.lowlevel
import msgspec

from .cells import Cells, UnknownToSchemaError
from .errors import RowError
from .policy import Options
from .schema import Schema
from .source import Rows, Source, each
from .state import State
from .values import folded

__all__ = ["PER_LOOKUP", "Input", "Rows", "Source", "Spool", "in_lookups"]

#: Keys that one look-up asks for: as many as the API puts on a page.
PER_LOOKUP = 100
#: Bytes of keys in one look-up: proxies cut off long URLs.
_URL_BYTES = 5_700

# `folded` is the key without its case, where that differs; `asked`, whether the server was asked
# for a key that the mirror has in another case only.
# A temporary table lies in a file that only we can read, and that is gone when we are.
_TABLES = """
CREATE TEMP TABLE row (
    n INTEGER PRIMARY KEY, key TEXT, width INTEGER, hashes BLOB, data BLOB, problem TEXT,
    winner INTEGER, folded TEXT, asked INTEGER NOT NULL DEFAULT 0);
CREATE TEMP TABLE held (id TEXT PRIMARY KEY, data BLOB NOT NULL) WITHOUT ROWID;
"""
_BATCH = 500


class Input(msgspec.Struct, frozen=True, gc=False):
    """One row of the input.

    `hashes` holds a fingerprint for each managed field, `data` the values as JSON.
    """

    n: int
    key: str | None
    width: int
    hashes: bytes
    data: bytes
    problem: str | None
    winner: int | None

    def values(self) -> dict[str, Any]:
        """The values by slug, the key's included; None clears."""
        found: dict[str, Any] = msgspec.json.decode(self.data)
        return found


class Spool:
    """Fills the table, and reads it in batches."""

    def __init__(self, state: State, schema: Schema, options: Options) -> None:
        self._state = state
        self._options = options
        self._cells = Cells(schema, options, list(state.meta.fields))
        self.count = 0
        #: Rows whose key is missing or unreadable, so that nobody knows which record they mean.
        self.nameless = 0
        #: Rows whose key the server has refused to look up.
        self.refused = 0
        self.lookups = 0
        with state.guarded():
            state.db.executescript(_TABLES)

    @property
    def fields(self) -> list[str]:
        """Managed fields, those of the state first; their places are those of the fingerprints."""
        return self._cells.fields

    @property
    def dropped(self) -> set[str]:
        """Columns that the server sets by itself, and that were dropped for it."""
        return self._cells.dropped

    # ---- filling ---------------------------------------------------------------------------

    async def fill(self, source: Source, reread: Callable[[], Awaitable[Schema]]) -> None:
        """Take in the whole input. What it raises leaves here, before anything was written.

        Args:
            source: the rows.
            reread: reads the schema again, if it comes from the state and may have changed.

        Raises:
            TypeError: it is no iterable.
            ValueError: the object lacks a field that a row gives.
        """
        batch: list[tuple[Any, ...]] = []
        async with each(source) as items:
            async for item in items:
                self.count += 1
                try:
                    entry = self._entry(self.count, item)
                except UnknownToSchemaError:
                    self._cells.schema = await reread()
                    entry = self._entry(self.count, item, sure=True)
                batch.append(entry)
                if len(batch) >= _BATCH:
                    self._store(batch)
                    await anyio.lowlevel.checkpoint()
        self._store(batch)
        with self._state.whole() as db:
            db.execute("CREATE INDEX temp.row_key ON row (key)")
            db.execute("CREATE INDEX temp.row_folded ON row (folded) WHERE folded IS NOT NULL")
            self._settle_duplicates()
        self.lookups = self._count_lookups()

    def _store(self, batch: list[tuple[Any, ...]]) -> None:
        with self._state.whole() as db:
            db.executemany(
                "INSERT INTO temp.row (n, key, width, hashes, data, problem, folded)"
                " VALUES (?, ?, ?, ?, ?, ?, ?)",
                [(*entry, self._folded(entry[1])) for entry in batch],
            )
        batch.clear()

    def _folded(self, key: str | None) -> str | None:
        return None if key is None else folded(self._cells.key_kind, key)

    def _entry(self, n: int, item: Any, sure: bool = False) -> tuple[Any, ...]:
        key, width = None, 0
        try:
            row = self._cells.mapping(item)
            # The key first: a row that cannot be written still tells whose it is.
            if self._options.key is not None:
                key, width = self._cells.key(row)
            hashes, data = self._cells.encoded(row)
        except UnknownToSchemaError as error:
            if not sure:
                raise
            if error.is_field:
                raise ValueError(f"row {n}: {error} (see only=, ignore= and map=)") from None
            return n, key, width, b"", b"", _text(error)
        except RowError as error:
            self.nameless += key is None and self._options.key is not None
            return n, key, width, b"", b"", _text(error)
        return n, key, width, hashes, data, None

    def _settle_duplicates(self) -> None:
        """Of two rows that mean one record one wins, so that their writes never race.

        These have one key, or keys that the server is known to write in one way; e-mails may
        differ in case.
        """
        last = self._options.on_duplicate == "last"
        pick, other = ("max", "<") if last else ("min", ">")
        same = "coalesce(folded, key)" if self._cells.key_kind == "email" else "key"
        db = self._state.db
        if db.execute("SELECT 1 FROM input WHERE answered IS NOT NULL").fetchone():
            same = f"coalesce((SELECT answered FROM input WHERE input.key = row.key), {same})"
        db.execute(
            f"""UPDATE temp.row SET winner = twin.n FROM (
                    SELECT {same} AS same, {pick}(n) AS n FROM temp.row WHERE problem IS NULL
                    AND key IS NOT NULL GROUP BY 1 HAVING count(*) > 1) AS twin
                WHERE {same} = twin.same AND row.n {other} twin.n AND row.problem IS NULL"""
        )

    def _count_lookups(self) -> int:
        count, after = 0, 0
        while batch := self.take(after):
            count += any(row.width for row in batch)
            after = batch[-1].n
        return count

    # ---- reading ---------------------------------------------------------------------------

    def take(self, after: int) -> list[Input]:
        """The next rows, as many as one look-up can ask for."""
        with self._state.guarded():
            found = self._rows("n > ? ORDER BY n LIMIT ?", after, 4 * PER_LOOKUP)
            return next(iter(in_lookups(found)), [])

    def again(self, rows: Sequence[Input]) -> list[Input]:
        """The same rows as they are now: a look-up may have failed some of them."""
        with self._state.guarded():
            return list(self._rows("n BETWEEN ? AND ? ORDER BY n", rows[0].n, rows[-1].n))

    def _rows(self, where: str, *values: int) -> Iterator[Input]:
        found = self._state.db.execute(
            "SELECT n, key, CASE WHEN problem IS NULL AND winner IS NULL THEN width ELSE 0 END,"
            f" hashes, data, problem, winner FROM temp.row WHERE {where}",
            values,
        )
        return (Input(*row) for row in found)

    def refuse(self, row: Input, error: Exception) -> None:
        """The server will not look up a row's key: it fails."""
        self.refused += 1
        with self._state.whole() as db:
            db.execute("UPDATE temp.row SET problem = ? WHERE n = ?", (_text(error), row.n))

    def note_asked(self, rows: Sequence[Input]) -> None:
        """The server was asked for the keys of these rows."""
        with self._state.whole() as db:
            db.executemany("UPDATE temp.row SET asked = 1 WHERE n = ?", [(row.n,) for row in rows])

    def hashes_of(self, key: str) -> bytes | None:
        """The fingerprints of the row that will be written to a record with this key.

        Its own key is this; or became this on the server; or is this in another case.
        """
        found = self._state.db.execute(
            "SELECT hashes FROM ("
            " SELECT 0 AS far, row.* FROM temp.row WHERE key = :key"
            " UNION ALL SELECT 1, row.* FROM input JOIN temp.row ON row.key = input.key"
            "  WHERE input.answered = :key"
            " UNION ALL SELECT 2, row.* FROM temp.row WHERE key = :folded"
            " UNION ALL SELECT 2, row.* FROM temp.row WHERE folded = coalesce(:folded, :key)"
            ") WHERE problem IS NULL AND winner IS NULL ORDER BY far LIMIT 1",
            {"key": key, "folded": self._folded(key)},
        ).fetchone()
        return None if found is None else found[0]

    def hold(self, record_id: str, data: bytes) -> None:
        """Keep the values of a record that will be replaced."""
        self._state.db.execute("INSERT OR REPLACE INTO temp.held VALUES (?, ?)", (record_id, data))

    def held(self, record_id: str) -> dict[str, Any] | None:
        """The values that were kept of a record."""
        found = self._state.db.execute(
            "SELECT data FROM temp.held WHERE id = ?", (record_id,)
        ).fetchone()
        return None if found is None else msgspec.json.decode(found[0])


def in_lookups(rows: Iterable[Input]) -> Iterator[list[Input]]:
    """Rows in groups, as many as one look-up can ask for."""
    group: list[Input] = []
    keys = width = 0
    for row in rows:
        keys, width = keys + (row.width > 0), width + row.width
        if group and (keys > PER_LOOKUP or width > _URL_BYTES):
            yield group
            group, keys, width = [], int(row.width > 0), row.width
        group.append(row)
    if group:
        yield group


def _text(error: Exception) -> str:
    """What an error says; SQLite takes no half of a surrogate pair."""
    return str(error).encode("utf-8", "backslashreplace").decode()

"""The input, kept in a temporary table: the plan knows its size, and memory does not grow."""

from __future__ import annotations

import contextlib
import string
from collections.abc import (
    AsyncIterable,
    AsyncIterator,
    Awaitable,
    Callable,
    Iterable,
    Iterator,
    Mapping,
)
from typing import Any, TypeAlias

import anyio.lowlevel
import msgspec

from .errors import RowError
from .policy import CLEAR, Options
from .schema import Schema
from .state import State
from .values import ABSENT, fingerprint, is_empty, key_text, wire_value

__all__ = ["PER_LOOKUP", "Input", "Rows", "Source", "Spool", "in_lookups"]

Rows: TypeAlias = Iterable[Mapping[str, Any]] | AsyncIterable[Mapping[str, Any]]
Source: TypeAlias = Iterable[Any] | AsyncIterable[Any]

#: Keys that one look-up asks for: as many as the API puts on a page.
PER_LOOKUP = 100
#: Bytes of keys in one look-up: proxies cut off long URLs.
_URL_BYTES = 5_700

_UNQUOTED = string.ascii_letters.encode() + string.digits.encode() + b"_.-~"

# A temporary table lies in a file that only we can read, and that is gone when we are.
_TABLES = """
CREATE TEMP TABLE row (
    n INTEGER PRIMARY KEY, key TEXT, width INTEGER, hashes BLOB, data BLOB, problem TEXT,
    winner INTEGER);
CREATE TEMP TABLE held (id TEXT PRIMARY KEY, data BLOB NOT NULL) WITHOUT ROWID;
"""
_BATCH = 500


class _UnknownToSchemaError(Exception):
    """A field or a choice that the schema, which may be old, does not have."""

    def __init__(self, message: str, *, is_field: bool) -> None:
        super().__init__(message)
        self.is_field = is_field


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
        self._schema = schema
        self._options = options
        #: Managed fields, those of the state first; their places are those of the fingerprints.
        self.fields = list(state.meta.fields)
        self._places = {slug: place for place, slug in enumerate(self.fields)}
        #: Columns that the server sets by itself, and that were dropped for it.
        self.dropped: set[str] = set()
        self.count = 0
        #: Rows whose key is missing or unreadable, so that nobody knows which record they mean.
        self.nameless = 0
        self.lookups = 0
        with state.guarded():
            state.db.executescript(_TABLES)

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
        async for item in _each(source):
            self.count += 1
            try:
                entry = self._entry(self.count, item)
            except _UnknownToSchemaError:
                self._schema = await reread()
                entry = self._entry(self.count, item, sure=True)
            batch.append(entry)
            if len(batch) >= _BATCH:
                self._store(batch)
                await anyio.lowlevel.checkpoint()
        self._store(batch)
        with self._state.whole() as db:
            db.execute("CREATE INDEX temp.row_key ON row (key)")
            self._settle_duplicates()
        self.lookups = self._count_lookups()

    def _store(self, batch: list[tuple[Any, ...]]) -> None:
        with self._state.whole() as db:
            db.executemany("INSERT INTO temp.row VALUES (?, ?, ?, ?, ?, ?, NULL)", batch)
        batch.clear()

    def _entry(self, n: int, item: Any, sure: bool = False) -> tuple[Any, ...]:
        key, width, hashes, data = None, 0, b"", b""
        try:
            values = self._values(item)
            if self._options.key is not None:
                key, width = self._read_key(values, self._options.key)
            hashes, data = self._encode(values)
        except _UnknownToSchemaError as error:
            if not sure:
                raise
            if error.is_field:
                raise ValueError(f"row {n}: {error} (see only=, ignore= and map=)") from None
            return n, key, width, b"", b"", str(error)
        except RowError as error:
            self.nameless += key is None and self._options.key is not None
            return n, key, width, b"", b"", str(error)
        return n, key, width, hashes, data, None

    def _values(self, item: Any) -> dict[str, Any]:
        """The cells of a row that say something, as JSON has them."""
        options = self._options
        if options.mode == "delete" and not isinstance(item, Mapping):
            item = {options.key: item}
        if options.map is not None:
            try:
                item = options.map(item)
            except Exception as error:
                raise RowError(f"map= raised {type(error).__name__}: {error}") from error
        if not isinstance(item, Mapping):
            raise RowError(f"a row must be a mapping, not {type(item).__name__}")
        values: dict[str, Any] = {}
        for slug, value in item.items():
            if not self._is_managed(slug):
                continue
            if value is not CLEAR and is_empty(value):
                if options.empty == "skip" and slug != options.key:
                    continue
                value = None  # noqa: PLW2901
            try:
                values[slug] = wire_value(value)
            except (TypeError, ValueError) as error:
                raise RowError(f"{slug!r}: {error}") from error
        return values

    def _is_managed(self, slug: Any) -> bool:
        options = self._options
        if not isinstance(slug, str):
            raise RowError(f"the name of a field must be a string, not {slug!r}")
        if slug == options.key:
            return True
        if slug in options.ignore or (options.only is not None and slug not in options.only):
            return False
        if self._schema.is_set_by_server(slug):
            self.dropped.add(slug)
            return False
        return options.mode != "delete"

    def _read_key(self, values: dict[str, Any], slug: str) -> tuple[str, int]:
        if values.get(slug) is None:
            raise RowError(f"the row has no value for its key {slug!r}")
        key = key_text(self._schema.type_of(slug), values[slug])
        assert key is not None
        text = msgspec.json.encode(values[slug])
        return key, len(text) + 2 * len(text.translate(None, _UNQUOTED)) + 3

    def _encode(self, values: dict[str, Any]) -> tuple[bytes, bytes]:
        schema = self._schema
        hashes = {slug: fingerprint(schema.type_of(slug), value) for slug, value in values.items()}
        for slug, value in values.items():
            if (problem := schema.problem(slug, value, hashes[slug])) is not None:
                raise _UnknownToSchemaError(problem, is_field=schema.lacks(slug))
        for slug in values:
            if slug not in self._places and slug != "id":
                self._places[slug] = len(self.fields)
                self.fields.append(slug)
        joined = b"".join([hashes.get(slug, ABSENT) for slug in self.fields])
        return joined, msgspec.json.encode(values)

    def _settle_duplicates(self) -> None:
        """Of two rows with one key one wins, so that their writes never race."""
        last = self._options.on_duplicate == "last"
        pick, other = ("max", "<") if last else ("min", ">")
        self._state.db.execute(
            f"""UPDATE temp.row SET winner = twin.n FROM (
                    SELECT key, {pick}(n) AS n FROM temp.row WHERE problem IS NULL
                    AND key IS NOT NULL GROUP BY key HAVING count(*) > 1) AS twin
                WHERE row.key = twin.key AND row.n {other} twin.n AND row.problem IS NULL"""
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
            found = self._state.db.execute(
                "SELECT n, key, CASE WHEN problem IS NULL AND winner IS NULL THEN width ELSE 0 END,"
                " hashes, data, problem, winner FROM temp.row WHERE n > ? ORDER BY n LIMIT ?",
                (after, 4 * PER_LOOKUP),
            )
            return next(iter(in_lookups(Input(*values) for values in found)), [])

    def hashes_of(self, key: str) -> bytes | None:
        """The fingerprints of the row with this key that will be written."""
        found = self._state.db.execute(
            "SELECT hashes FROM temp.row WHERE key = ? AND problem IS NULL AND winner IS NULL",
            (key,),
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


def _each(source: Any) -> AsyncIterator[Any]:
    if isinstance(source, AsyncIterable):
        return source.__aiter__()
    if isinstance(source, (str, bytes, Mapping)) or not isinstance(source, Iterable):
        raise TypeError(f"rows must be an iterable of mappings, not {type(source).__name__}")
    return _Plain(iter(source))


class _Plain(AsyncIterator[Any]):
    """A plain iterator in the clothes of an asynchronous one."""

    def __init__(self, items: Any) -> None:
        self._next: Callable[[], Any] = items.__next__

    async def __anext__(self) -> Any:
        with contextlib.suppress(StopIteration):
            return self._next()
        raise StopAsyncIteration

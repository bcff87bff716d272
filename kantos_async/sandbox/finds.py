"""Pages of search results, and what is remembered between two of them."""

from __future__ import annotations

import sqlite3
from array import array

from .rows import COLUMNS, Row
from .search import Search

__all__ = ["Finds"]

_MEMORY = 256
#: From here on, skipping rows costs more than keeping the whole order.
_DEEP = 1_000


class Finds:
    """Pages of one database; `forget` must follow every change that searches can see.

    Somebody who walks a million records page by page asks for the same total ten thousand times
    and skips further each time. So totals are kept, and from the second deep page on the order
    is kept too, while nothing changes.
    """

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db
        self._totals: dict[tuple[object, ...], int] = {}
        self._order: tuple[tuple[object, ...], array[int]] | None = None

    def forget(self) -> None:
        """Something has changed."""
        self._totals.clear()
        self._order = None

    def page(self, table: str, search: Search, limit: int, offset: int) -> tuple[list[Row], int]:
        """Some of the records that a search finds in a table, and how many it finds in all."""
        key = (table, search.where, *search.values)
        total = self._totals.get(key)
        if total is not None and offset >= _DEEP:
            return self._slice(key, table, search, limit, offset), total
        if total is None:
            (total,) = self._db.execute(
                f"SELECT count(*) FROM {table} WHERE {search.where}", search.values
            ).fetchone()
            if len(self._totals) >= _MEMORY:
                self._totals.clear()
            self._totals[key] = total
        if offset >= total:
            return [], total
        found = self._db.execute(
            f"SELECT {COLUMNS} FROM {table} WHERE {search.where}"
            f" ORDER BY {search.order} LIMIT ? OFFSET ?",
            [*search.values, limit, offset],
        )
        return [Row._make(row) for row in found.fetchall()], total

    def _slice(
        self, key: tuple[object, ...], table: str, search: Search, limit: int, offset: int
    ) -> list[Row]:
        key = (*key, search.order)
        if self._order is None or self._order[0] != key:
            every = self._db.execute(
                f"SELECT rowid FROM {table} WHERE {search.where} ORDER BY {search.order}",
                search.values,
            )
            self._order = key, array("q", (number for (number,) in every))
        wanted = self._order[1][offset : offset + limit]
        found = self._db.execute(
            f"SELECT rowid, {COLUMNS} FROM {table} WHERE rowid IN ({','.join('?' * len(wanted))})",
            wanted.tolist(),
        )
        rows = {number: Row._make(row) for number, *row in found}
        return [rows[number] for number in wanted]

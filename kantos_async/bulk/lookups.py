"""Looking up records by their keys, in requests whose URLs no proxy cuts off."""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial
from urllib.parse import quote

import msgspec

from ..api.models import Record
from ..paging import PER_PAGE, Query
from ..transport.session import Session
from ..walks.keyset import KeysetPages
from . import rules
from .rows import Input, in_lookups
from .values import key_value
from .wires import all_of

__all__ = ["find_by_keys", "groups_of"]


def groups_of(kind: str, keys: Iterable[str]) -> list[list[str]]:
    """Keys of a field of type `kind` in groups, each as many as one look-up can ask for."""
    inputs = (Input(n, key, _width(kind, key), b"", b"", None, None) for n, key in enumerate(keys))
    return [[row.key for row in group if row.key is not None] for group in in_lookups(inputs)]


def _width(kind: str, key: str) -> int:
    """Bytes that a key takes in a URL."""
    return len(quote(msgspec.json.encode(key_value(kind, key)), safe="")) + 3


async def find_by_keys(
    session: Session, object_id: str, slug: str, kind: str, keys: Iterable[str]
) -> list[Record]:
    """All records whose field `slug`, of type `kind`, holds one of the keys."""
    found: list[Record] = []

    async def ask(group: list[str]) -> None:
        filters = {slug: {"$in": [key_value(kind, key) for key in group]}}
        page = await Query(object_id=object_id, filters=filters).fetch(session, 1, PER_PAGE)
        found.extend(page.data)
        if page.data and rules.is_cut_off(len(page), page.pagination.total):
            seen = {record.id for record in page.data}
            start = page.data[-1].created_at
            async for rows in KeysetPages(session, object_id, filters=filters, start=start):
                found.extend(record for record in rows if record.id not in seen)

    await all_of(session, [partial(ask, group) for group in groups_of(kind, keys)])
    return found

"""The record endpoints."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import msgspec

from .faults import FaultPlan
from .messages import Reply, Request, decode_json, parse_query
from .problems import Problem
from .rows import Row
from .schema import ObjectType
from .search import plan
from .stamps import Stamps
from .store import Store
from .values import checked

__all__ = ["Records"]

_MOST = 100
_USUAL = 25
_FAR = 2**62


class _Create(msgspec.Struct):
    object_id: str
    field_values: dict[str, Any]


class _Update(msgspec.Struct):
    field_values: dict[str, Any]


class Records:
    """Reads and writes records by the rules, for requests and for writers from outside."""

    def __init__(self, store: Store, stamps: Stamps, faults: FaultPlan) -> None:
        self._store = store
        self._stamps = stamps
        self._faults = faults
        #: Told of each change: the record before, after, and the time.
        self.watch: Callable[[Row | None, Row | None, float], None] = lambda *_: None

    # Endpoints

    def query(self, request: Request) -> Reply:
        """`GET /crm/records/query`."""
        given = parse_query(request.query)
        kind = self.kind(given.get("object_id"))
        filters: dict[str, Any] = {}
        if "filters" in given:
            filters = decode_json(given["filters"].encode(), dict[str, Any], "filters")
        order = given.get("order", "asc")
        if order not in {"asc", "desc"}:
            raise Problem(400, "order must be asc or desc", {"order": order})
        number = _whole(given, "page", 1, None)
        size = _whole(given, "per_page", _USUAL, _MOST)
        oddities = self._faults.plan
        search = plan(
            kind,
            filters,
            given.get("sort"),
            order,
            deaf_sorts=oddities.ignore_sort,
            deaf_filters=oddities.ignore_filter,
        )
        skip = min((number - 1) * size, _FAR)
        rows, total = self._store.page(search, size, skip, request.now)
        pages = -(-total // size)
        return Reply(
            200,
            f'{{"data":[{",".join(map(self.text, rows))}],"pagination":{{"total":{total},'
            f'"page":{number},"per_page":{size},"total_pages":{pages}}}}}'.encode(),
        )

    def get(self, request: Request, record_id: str) -> Reply:
        """`GET /crm/record/{record_id}`."""
        return Reply(200, self.text(self._row(record_id)).encode())

    def create(self, request: Request) -> Reply:
        """`POST /crm/record`."""
        new: _Create = decode_json(request.body, _Create)
        row = self.add(new.object_id, new.field_values, request.caller.user_id, request.now)
        return Reply(201, self.text(row).encode())

    def update(self, request: Request, record_id: str) -> Reply:
        """`PATCH /crm/record/{record_id}`."""
        change: _Update = decode_json(request.body, _Update)
        row = self.change(record_id, change.field_values, request.now)
        return Reply(200, self.text(row).encode())

    def delete(self, request: Request, record_id: str) -> Reply:
        """`DELETE /crm/record/{record_id}`."""
        self.remove(record_id, request.now)
        return Reply(204)

    # The same, for writers from outside

    def add(
        self,
        object_id: str,
        values: Mapping[str, Any],
        user_id: str,
        now: float,
    ) -> Row:
        """Create a record.

        Raises:
            Problem: 404, 409 or 422, as the endpoint answers.
        """
        row = self._insert(object_id, values, user_id, now, now)
        self.watch(None, row, now)
        return row

    def add_all(
        self,
        object_id: str,
        every: Iterable[Mapping[str, Any]],
        user_id: str,
        now: float,
        created: float | None,
    ) -> list[Row]:
        """Create records, all or none, as of `created` (Unix seconds; default now).

        Raises:
            Problem: 404, 409 or 422, as the endpoint answers.
        """
        at = now if created is None else created
        with self._store.whole():
            rows = [self._insert(object_id, values, user_id, now, at) for values in every]
        # Only now are they there to stay: nobody is told of what is taken back.
        for row in rows:
            self.watch(None, row, now)
        return rows

    def _insert(
        self, object_id: str, values: Mapping[str, Any], user_id: str, now: float, created: float
    ) -> Row:
        kind = self.kind(object_id)
        after = checked(kind, values, self._store, before=None)
        self._keep_unique(kind, after, after, None)
        moment = self._stamps.cut(created)
        row = Row(self._store.new_id("rec"), kind.id, moment, moment, user_id, _doc(after))
        self._store.put(row, now)
        return row

    def change(self, record_id: str, values: Mapping[str, Any], now: float) -> Row:
        """Set some fields of a record.

        Raises:
            Problem: 404, 409 or 422, as the endpoint answers.
        """
        before = self._row(record_id)
        kind = self.kind(before.object_id)
        after = checked(kind, values, self._store, before=msgspec.json.decode(before.doc))
        self._keep_unique(kind, after, values, before.id)
        # A clock that was put back must not take `updated_at` back.
        moment = max(self._stamps.cut(now), before.updated)
        row = before._replace(updated=moment, doc=_doc(after))
        self._store.put(row, now)
        self.watch(before, row, now)
        return row

    def remove(self, record_id: str, now: float) -> None:
        """Delete a record.

        Raises:
            Problem: 404 when there is none.
        """
        row = self._row(record_id)
        self._store.remove(record_id, now)
        self.watch(row, None, now)

    def text(self, row: Row) -> str:
        """A record as the API writes it: JSON."""
        stamp = self._stamps.text
        return (
            f'{{"id":{_quoted(row.id)},"object_id":{_quoted(row.object_id)},"field_values":{row.doc},'
            f'"created_at":"{stamp(row.created)}","updated_at":"{stamp(row.updated)}",'
            f'"created_by":{_quoted(row.created_by)}}}'
        )

    def kind(self, object_id: str | None) -> ObjectType:
        """The object with this id.

        Raises:
            Problem: 400 without an id, 404 for one that does not exist.
        """
        if not object_id:
            raise Problem(400, "object_id is required", {"object_id": object_id})
        kind = self._store.objects.get(object_id)
        if kind is None:
            raise Problem(404, "Object not found", {"object_id": object_id})
        return kind

    def _row(self, record_id: str) -> Row:
        row = self._store.get(record_id)
        if row is None:
            raise _unknown(record_id)
        return row

    def _keep_unique(
        self, kind: ObjectType, after: dict[str, Any], set_: Mapping[str, Any], own: str | None
    ) -> None:
        for field in kind.fields.values():
            if not field.unique or field.slug not in set_ or field.slug not in after:
                continue
            value = after[field.slug]
            if self._store.holder(kind.id, field.slug, value) not in (None, own):
                raise Problem(
                    409,
                    f"A record with this {field.name} exists already",
                    {"object_id": kind.id, "field": field.slug, "value": value},
                )


def _unknown(record_id: str) -> Problem:
    return Problem(404, "Record not found", {"record_id": record_id})


def _quoted(text: str) -> str:
    return msgspec.json.encode(text).decode()


def _doc(values: dict[str, Any]) -> str:
    return msgspec.json.encode(values).decode()


def _whole(given: dict[str, str], name: str, usual: int, most: int | None) -> int:
    text = given.get(name)
    if text is None:
        return usual
    # Longer numbers than this are nonsense, and slow to read.
    number = int(text) if text.isascii() and text.isdigit() and len(text) < 19 else 0
    if number < 1 or (most is not None and number > most):
        raise Problem(
            400,
            f"{name} must be a whole number from 1" + (f" to {most}" if most else ""),
            {name: text},
        )
    return number

"""The object and field endpoints."""

from __future__ import annotations

from typing import Any

import msgspec

from .messages import Reply, Request, decode_json
from .problems import Problem
from .schema import FIELD_TYPES, Field, ObjectType, slugify
from .store import Store
from .values import check_value

__all__ = ["Objects"]


class _NewField(msgspec.Struct):
    name: str
    type: str
    required: bool = False
    unique: bool = False
    options: dict[str, Any] | None = None
    default_value: Any = None
    description: str | None = None


class _NewObject(msgspec.Struct):
    name: str
    icon: str | None = None
    fields: list[_NewField] = []


class Objects:
    """Lists, shows and extends the schema."""

    def __init__(self, store: Store, most_custom: int | None) -> None:
        self._store = store
        self._most_custom = most_custom

    def list(self, request: Request) -> Reply:
        """`GET /crm/objects`."""
        kinds = [kind.summary() for kind in self._store.objects.values()]
        return Reply(200, msgspec.json.encode({"data": kinds}))

    def get(self, request: Request, object_id: str) -> Reply:
        """`GET /crm/objects/{object_id}`."""
        return Reply(200, msgspec.json.encode(self._kind(object_id).detail()))

    def create(self, request: Request) -> Reply:
        """`POST /crm/objects`."""
        _admin_only(request)
        new: _NewObject = decode_json(request.body, _NewObject)
        name = _named(new.name)
        custom = sum(kind.custom for kind in self._store.objects.values())
        if self._most_custom is not None and custom >= self._most_custom:
            raise Problem(
                403, "The plan allows no more custom objects", {"limit": self._most_custom}
            )
        slug = slugify(name, {kind.slug for kind in self._store.objects.values()})
        kind = ObjectType(f"obj_{slug}", name, slug, new.icon)
        for field in new.fields:
            self._extend(kind, field)
        self._store.put_object(kind)
        return Reply(201, msgspec.json.encode(kind.detail()))

    def add_field(self, request: Request, object_id: str) -> Reply:
        """`POST /crm/objects/{object_id}/fields`."""
        _admin_only(request)
        new: _NewField = decode_json(request.body, _NewField)
        known = self._kind(object_id)
        kind = msgspec.structs.replace(known, fields=dict(known.fields))
        field = self._extend(kind, new)
        self._store.put_object(kind)
        return Reply(201, msgspec.json.encode(field))

    def _kind(self, object_id: str) -> ObjectType:
        kind = self._store.objects.get(object_id)
        if kind is None:
            raise Problem(404, "Object not found", {"object_id": object_id})
        return kind

    def _extend(self, kind: ObjectType, new: _NewField) -> Field:
        slug = slugify(_named(new.name), kind.fields)
        if new.type not in FIELD_TYPES:
            raise _invalid(slug, f"has no known type: {new.type}")
        _check_options(slug, new, self._store)
        field = Field(f"fld_{slug}", new.name, slug, position=len(kind.fields) + 1, type=new.type)
        field.required, field.unique = new.required, new.unique
        field.options, field.description = new.options, new.description
        if new.default_value is not None:
            try:
                field.default_value = check_value(field, new.default_value, self._store)
            except ValueError as error:
                raise _invalid(slug, f"has a default value that {error}") from None
        kind.fields[slug] = field
        return field


def _check_options(slug: str, new: _NewField, store: Store) -> None:
    options = new.options or {}
    listed = options.get("stages", [])
    names = (
        [stage.get("name") if isinstance(stage, dict) else stage for stage in listed]
        if isinstance(listed, list)
        else [None]
    )
    if not all(isinstance(name, str) and name for name in names):
        raise _invalid(slug, "has stages that are neither names nor objects with a name")
    if new.type == "status" and not names:
        raise _invalid(slug, "is a status field and needs options.stages")
    target = options.get("object_id")
    if new.type == "reference" and target is not None and target not in store.objects:
        raise _invalid(slug, "refers to an object that does not exist")


def _invalid(slug: str, why: str) -> Problem:
    return Problem(422, f"{slug} {why}", {"fields": {slug: why}})


def _named(name: str) -> str:
    if not name.strip() or "\0" in name:
        raise Problem(422, "name must not be empty", {"fields": {"name": "must not be empty"}})
    return name


def _admin_only(request: Request) -> None:
    if not request.caller.admin:
        raise Problem(403, "Only the key of an admin may change objects and fields")

"""The object and field endpoints."""

from __future__ import annotations

from typing import Annotated, Any

import msgspec
from msgspec import UNSET, UnsetType

from .messages import Reply, Request, decode_json
from .problems import Problem
from .schema import FIELD_TYPES, Field, ObjectType, slugify
from .store import Store
from .values import check_value

__all__ = ["Objects"]


class _Stage(msgspec.Struct, omit_defaults=True):
    name: Annotated[str, msgspec.Meta(min_length=1)]
    color: str | UnsetType = UNSET
    order: int | UnsetType = UNSET


class _Options(msgspec.Struct):
    stages: list[_Stage | str] = []
    object_id: str | UnsetType = UNSET


class _NewField(msgspec.Struct):
    name: str
    type: str
    required: bool = False
    unique: bool = False
    default_value: Any = None
    options: dict[str, Any] | UnsetType = UNSET


class _NewObject(msgspec.Struct):
    name: str
    icon: str | UnsetType = UNSET
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
        kind = ObjectType(f"obj_{slug}", name, slug, new.icon or None)
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
        field = Field(
            f"fld_{slug}",
            new.name,
            slug,
            new.type,
            len(kind.fields) + 1,
            required=new.required,
            unique=new.unique,
            options=new.options or None,
        )
        if new.default_value is not None:
            try:
                field.default_value = check_value(field, new.default_value, self._store)
            except ValueError as error:
                raise _invalid(slug, f"has a default value that {error}") from None
        kind.fields[slug] = field
        return field


def _check_options(slug: str, new: _NewField, store: Store) -> None:
    try:
        options = msgspec.convert(new.options or {}, _Options)
    except msgspec.ValidationError as error:
        raise _invalid(slug, f"has options that are not what they should be: {error}") from None
    if new.type == "status" and not options.stages:
        raise _invalid(slug, "is a status field and needs options.stages")
    if options.object_id is not UNSET and options.object_id not in store.objects:
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

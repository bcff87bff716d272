"""Objects and their fields: what a record may hold."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Container
from typing import Any

import msgspec

__all__ = ["BUILT_IN", "FIELD_TYPES", "SYSTEM_FIELDS", "Field", "ObjectType", "slugify", "stages"]

FIELD_TYPES = frozenset(
    {"text", "long_text", "number", "currency", "email", "phone", "date", "boolean", "status"}
    | {"reference", "user", "image"}
)
#: What every record has beside its fields; no field may take one of these slugs.
SYSTEM_FIELDS = frozenset({"id", "object_id", "created_at", "updated_at", "created_by"})


class Field(msgspec.Struct, omit_defaults=True):
    """One field of an object, in the shape in which the API shows it."""

    id: str
    name: str
    slug: str
    type: str
    position: int = 0
    required: bool = False
    unique: bool = False
    options: dict[str, Any] | None = None
    default_value: Any = None
    description: str | None = None


class ObjectType(msgspec.Struct):
    """One object (a table of records) with its fields by slug, in order."""

    id: str
    name: str
    slug: str
    icon: str | None = None
    custom: bool = True
    fields: dict[str, Field] = {}

    def summary(self) -> dict[str, Any]:
        """The entry in the list of objects."""
        icon = {} if self.icon is None else {"icon": self.icon}
        return {
            "id": self.id,
            "name": self.name,
            "slug": self.slug,
            **icon,
            "field_count": len(self.fields),
        }

    def detail(self) -> dict[str, Any]:
        """The single object; the documentation shows it without icon and count."""
        return {
            "id": self.id,
            "name": self.name,
            "slug": self.slug,
            "fields": list(self.fields.values()),
        }


def slugify(name: str, taken: Container[str] = ()) -> str:
    """`Deal Value` becomes `deal_value`; a slug that is taken gets a number."""
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode()
    base = re.sub(r"[^a-z0-9]+", "_", plain.lower()).strip("_") or "field"
    slug, n = base, 2
    while slug in taken or slug in SYSTEM_FIELDS:
        slug, n = f"{base}_{n}", n + 1
    return slug


def stages(options: dict[str, Any] | None) -> list[str]:
    """The names of a status field's stages, from either documented form."""
    listed = (options or {}).get("stages") or []
    return [stage["name"] if isinstance(stage, dict) else stage for stage in listed]


def _built_in(name: str, slug: str, icon: str, *fields: dict[str, Any]) -> ObjectType:
    columns = (
        Field(id=f"fld_{f['slug']}", position=position, **f)
        for position, f in enumerate(fields, start=1)
    )
    return ObjectType(f"obj_{slug}", name, slug, icon, False, {f.slug: f for f in columns})


def _field(name: str, kind: str, **more: Any) -> dict[str, Any]:
    return {"name": name, "slug": slugify(name), "type": kind, **more}


#: The objects of a fresh account.
BUILT_IN = (
    _built_in(
        "Contacts",
        "contacts",
        "user",
        _field("Name", "text", required=True),
        _field("Email", "email", unique=True),
        _field("Phone", "phone"),
        _field("Company", "reference", options={"object_id": "obj_companies"}),
        _field("Status", "status", options={"stages": ["New", "Contacted", "Qualified", "Lost"]}),
    ),
    _built_in(
        "Companies",
        "companies",
        "building",
        _field("Name", "text", required=True),
        _field("Website", "text"),
        _field("Industry", "text"),
        _field("Size", "text"),
        _field("Address", "long_text"),
    ),
    _built_in(
        "Deals",
        "deals",
        "dollar-sign",
        _field("Name", "text", required=True),
        _field("Value", "currency"),
        _field(
            "Stage",
            "status",
            options={
                "stages": ["Prospecting", "Qualified", "Proposal", "Negotiation", "Won", "Lost"]
            },
        ),
        _field("Close Date", "date"),
        _field("Contact", "reference", options={"object_id": "obj_contacts"}),
    ),
)

"""`kantos objects` and `kantos describe`: what the account holds."""

from __future__ import annotations

from typing import Any

import msgspec

from ..api.models import Field
from .connection import connect
from .names import find_object
from .output import STANDARD, Output

__all__ = ["describe", "objects"]


async def objects(*, out: Output = STANDARD) -> None:
    """List the objects of the account.

    Endpoint: `GET /crm/objects`.

    Example: `kantos objects --json`

    Args:
        out: What every command shares.
    """
    async with connect(read_only=True) as k:
        found = await k.objects.list()
    rows = [{"id": o.id, "name": o.name, "slug": o.slug, "fields": o.field_count} for o in found]
    out.table("objects", rows)


async def describe(object: str, /, *, out: Output = STANDARD) -> None:  # noqa: A002
    """Show an object's fields.

    Endpoint: `GET /crm/objects/{object_id}`.

    Example: `kantos describe contacts`

    Args:
        object: The object's slug, name or id.
        out: What every command shares.
    """
    async with connect(read_only=True) as k:
        definition = await find_object(k, object)
    if out.json:
        out.document(msgspec.to_builtins(definition))
        return
    fields = sorted(definition.fields or (), key=lambda field: field.position or 0)
    out.table(f"{definition.name} ({definition.id})", [_row(field) for field in fields])


def _row(field: Field) -> dict[str, Any]:
    return {
        "field": field.slug,
        "name": field.name,
        "type": str(field.type.value),
        "required": field.required or None,
        "unique": field.unique or None,
        "settings": _settings(field),
    }


def _settings(field: Field) -> str | None:
    """What else a person wants to know of it: stages, the object referred to, the default."""
    options = field.options or {}
    parts: list[str] = []
    stages: Any = options.get("stages")
    if isinstance(stages, list):
        names = [s.get("name") if isinstance(s, dict) else s for s in stages]
        parts.append(" · ".join(map(str, names)))
    if isinstance(options.get("object_id"), str):
        parts.append(f"→ {options['object_id']}")
    if field.default_value is not None:
        parts.append(f"default {field.default_value}")
    return "; ".join(parts) or None

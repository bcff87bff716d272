"""An object's fields as columns of a table."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from dlt.common.schema.typing import TColumnSchema

from ...api.models.objects import ObjectDefinition
from ...api.models.records import Record

__all__ = ["DELETED", "columns_of", "rows_of"]

#: The column that marks a deletion.
DELETED = "_deleted"

_SYSTEM = frozenset({"id", "created_at", "updated_at", "created_by", DELETED})

#: Types that dlt should not guess from the first value; a type that is not here it does guess.
_TYPES = {
    **dict.fromkeys(("text", "long_text", "email", "phone", "status"), "text"),
    **dict.fromkeys(("reference", "user", "image"), "text"),
    **dict.fromkeys(("number", "currency"), "double"),
    "boolean": "bool",
    "date": "date",
    "datetime": "timestamp",
}


def columns_of(definition: ObjectDefinition) -> dict[str, TColumnSchema]:
    """dlt's hints for an object: one column a field, beside the system's."""
    columns: dict[str, Any] = {
        "id": {"data_type": "text", "nullable": False},
        "created_at": {"data_type": "timestamp"},
        # Of two versions in one load the newer one stays.
        "updated_at": {"data_type": "timestamp", "dedup_sort": "desc"},
        "created_by": {"data_type": "text"},
    }
    for field in definition.fields or ():
        if (kind := _TYPES.get(field.type.value)) is not None:
            columns[_column(field.slug)] = {"data_type": kind}
    return columns


def rows_of(records: Iterable[Record]) -> list[dict[str, Any]]:
    """Records as plain rows."""
    return [
        {_column(slug): value for slug, value in record.field_values.items()}
        | {
            "id": record.id,
            "created_at": record.created_at,
            "updated_at": record.updated_at,
            "created_by": record.created_by,
        }
        for record in records
    ]


def _column(slug: str) -> str:
    return f"field_{slug}" if slug in _SYSTEM else slug

"""What a run needs to know of an object's fields."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from functools import cached_property
from typing import Any

import msgspec

from ..api.models import Field, ObjectDefinition
from .values import fingerprint

__all__ = ["SYSTEM", "FieldInfo", "Schema", "did_you_mean"]

#: What every record has beside its fields; the server sets them.
SYSTEM = frozenset({"id", "object_id", "created_at", "updated_at", "created_by"})

_COMPUTED = frozenset({"formula", "rollup", "lookup", "autonumber", "auto_number"})
#: Where an option's names may stand; only `stages` is documented.
_CHOICES = ("stages", "options", "choices")


class FieldInfo(msgspec.Struct, frozen=True, dict=True, omit_defaults=True):
    """One field."""

    type: str
    unique: bool = False
    #: The values it may have; empty where that is not known.
    choices: tuple[str, ...] = ()

    @cached_property
    def marks(self) -> frozenset[bytes]:
        """The fingerprints of the choices."""
        return frozenset(fingerprint(self.type, choice) for choice in self.choices)


class Schema(msgspec.Struct, frozen=True):
    """An object's fields by slug; empty where the server does not tell them."""

    fields: dict[str, FieldInfo]

    @classmethod
    def of(cls, answer: ObjectDefinition) -> Schema:
        """From the answer of `GET /crm/objects/{object_id}`."""
        return cls({field.slug: _info(field) for field in answer.fields or ()})

    def type_of(self, slug: str) -> str:
        """A field's type; `text` for one that is not known."""
        field = self.fields.get(slug)
        return "text" if field is None else field.type

    def is_set_by_server(self, slug: str) -> bool:
        """Whether a field cannot be written: a system field, or a computed one."""
        return slug in SYSTEM or self.type_of(slug) in _COMPUTED

    def is_unique(self, slug: str) -> bool:
        """Whether the server keeps the field's values unique."""
        return slug == "id" or (slug in self.fields and self.fields[slug].unique)

    def lacks(self, slug: str) -> bool:
        """Whether there is surely no such field."""
        return bool(self.fields) and slug not in self.fields and slug not in SYSTEM

    def problem(self, slug: str, value: Any, mark: bytes) -> str | None:
        """What is wrong with a value, whose fingerprint is `mark`, as far as the schema tells."""
        field = self.fields.get(slug)
        if field is None:
            if self.lacks(slug):
                return f"there is no field {slug!r}{did_you_mean(slug, self.fields)}"
            return None
        if not field.choices or mark in field.marks or value in (None, ""):
            return None
        for item in value if isinstance(value, list) else [value]:
            if fingerprint(field.type, item) not in field.marks:
                hint = did_you_mean(str(item), field.choices)
                return f"{item!r} is no choice of {slug!r}{hint or _listed(field.choices)}"
        return None


def did_you_mean(name: str, names: Iterable[str]) -> str:
    """`; did you mean 'email'?`, or nothing."""
    folded = {known.casefold(): known for known in names}
    near = difflib.get_close_matches(name.casefold(), folded, n=1)
    return f"; did you mean {folded[near[0]]!r}?" if near else ""


def _listed(choices: tuple[str, ...]) -> str:
    return f"; there are {', '.join(map(repr, choices))}"


def _info(field: Field) -> FieldInfo:
    return FieldInfo(str(field.type.value), bool(field.unique), _choices(field.options))


def _choices(options: dict[str, Any] | None) -> tuple[str, ...]:
    for place in _CHOICES:
        listed = (options or {}).get(place)
        if isinstance(listed, list) and listed:
            names = [item.get("name") if isinstance(item, dict) else item for item in listed]
            known = [name for name in names if isinstance(name, str)]
            return tuple(known) if len(known) == len(names) else ()
    return ()

"""Columns of a file and the fields that they fill."""

from __future__ import annotations

from collections.abc import Sequence

from ..api.models import ObjectDefinition
from ..bulk.schema import Schema
from .exits import UsageError
from .names import find_field, near

__all__ = ["RESULTS", "Columns"]

#: What `--results` adds to the columns of the input; a later import leaves them out.
RESULTS = ("kantos_id", "kantos_outcome", "kantos_error")


class Columns:
    """Knows the field of each column: as `--map` says, else the one of that slug or name.

    Attributes:
        left_out: columns that the server sets, and that are not written.

    Raises:
        UsageError: a column is no field, or two of them are one; see `slug` too.
    """

    def __init__(
        self,
        definition: ObjectDefinition,
        names: Sequence[str] | None,
        *,
        maps: Sequence[str] = (),
        ignore: Sequence[str] = (),
        key: str = "id",
    ) -> None:
        self._fields = definition.fields or ()
        self._schema = Schema.of(definition)
        self._title = definition.name
        self._key = key
        self._slugs: dict[str, str | None] = dict.fromkeys((*RESULTS, *ignore))
        self._owners: dict[str, str] = {}
        self._is_alone = names is not None and len(names) == 1
        self.left_out: list[str] = []
        for mapping in maps:
            self._map(mapping, ignore)
        if names is not None:
            self._check(names, [*ignore, *(mapping.rpartition("=")[0] for mapping in maps)])

    def _map(self, mapping: str, ignore: Sequence[str]) -> None:
        column, equals, name = mapping.rpartition("=")
        if not equals or not column or not name:
            raise UsageError(f"--map {mapping!r}: write COLUMN=FIELD, such as 'E-mail=email'")
        if column in ignore:
            raise UsageError(f"--map {mapping!r}: --ignore {column!r} leaves that column out")
        if column in self._owners.values():
            raise UsageError(f"--map {mapping!r}: the column {column!r} is mapped twice")
        if name == "id":
            self._own(column, "id")
            return
        field = find_field(self._fields, name)
        if field is None and self._fields:
            slugs = [field.slug for field in self._fields]
            raise UsageError(f"--map {mapping!r}: there is no field {name!r}{near(name, slugs)}")
        self._own(column, name if field is None else field.slug)

    def _check(self, names: Sequence[str], told: Sequence[str]) -> None:
        for column in told:
            if column not in names:
                raise UsageError(f"there is no column {column!r}{near(column, names)}")
        for column in names:
            self.slug(column)
        if self._key not in self._owners:
            said = f"no column fills the key field {self._key!r}"
            raise UsageError(f"{said}: name it by --map 'COLUMN={self._key}'")

    def slug(self, column: str) -> str | None:
        """The field that a column fills; None for one to leave out.

        Raises:
            UsageError: it is no field, or another column fills it too.
        """
        try:
            return self._slugs[column]
        except KeyError:
            pass
        field = find_field(self._fields, column)
        slug = column if field is None else field.slug
        if slug == self._key:
            self._own(column, slug)
        elif self._schema.is_set_by_server(slug):
            self._slugs[column] = None
            self.left_out.append(column)
        elif field is None and self._fields:
            slugs = [field.slug for field in self._fields]
            raise UsageError(
                f"the column {column!r} is no field of {self._title}{near(column, slugs)} "
                f"(say --map {column + '=FIELD'!r} or --ignore {column!r})"
                f"{_delimiter_in(column) if self._is_alone else ''}"
            )
        else:
            self._own(column, slug)
        return self._slugs[column]

    def _own(self, column: str, slug: str) -> None:
        owner = self._owners.setdefault(slug, column)
        if owner != column:
            raise UsageError(
                f"the columns {owner!r} and {column!r} both fill {slug!r}; --ignore one of them"
            )
        self._slugs[column] = slug


def _delimiter_in(column: str) -> str:
    """What a header in one piece looks like, and the way out."""
    for mark, word in ((";", "';'"), ("\t", "tab")):
        if mark in column:
            named = "tabs" if word == "tab" else word
            return f"; where cells are set apart by {named}, say --delimiter {word}"
    return ""

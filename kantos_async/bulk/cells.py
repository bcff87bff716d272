"""One row of the input read: its key, the fingerprints of its cells, and its values as JSON."""

from __future__ import annotations

import string
from collections.abc import Callable, Mapping
from decimal import InvalidOperation
from typing import Any, TypeVar

import msgspec

from .errors import RowError
from .policy import CLEAR, Options
from .schema import Schema
from .values import ABSENT, asked_as, fingerprint, is_empty, key_text, wire_value

__all__ = ["Cells", "UnknownToSchemaError"]

T = TypeVar("T")

_UNQUOTED = string.ascii_letters.encode() + string.digits.encode() + b"_.-~"


class UnknownToSchemaError(Exception):
    """A field or a choice that the schema, which may be old, does not have."""

    def __init__(self, message: str, *, is_field: bool) -> None:
        super().__init__(message)
        self.is_field = is_field


class Cells:
    """Reads rows, and learns from them which fields there are.

    Attributes:
        fields: the managed fields; their places are those of the fingerprints.
        dropped: columns that the server sets by itself, and that were dropped for it.
    """

    def __init__(self, schema: Schema, options: Options, fields: list[str]) -> None:
        self.schema = schema
        self.fields = fields
        self.dropped: set[str] = set()
        self._options = options
        self._places = {slug: place for place, slug in enumerate(fields)}

    @property
    def key_kind(self) -> str:
        """The type of the key's field."""
        key = self._options.key
        return "id" if key in {None, "id"} else self.schema.type_of(key or "")

    def mapping(self, item: Any) -> Mapping[Any, Any]:
        """An item of the input as a mapping.

        Raises:
            RowError: it is none, or `map=` failed.
        """
        options = self._options
        if options.mode == "delete" and not isinstance(item, Mapping):
            item = {options.key: item}
        if options.map is not None:
            try:
                item = options.map(item)
            except Exception as error:
                raise RowError(f"map= raised {type(error).__name__}: {error}") from error
        if not isinstance(item, Mapping):
            raise RowError(f"a row must be a mapping, not {type(item).__name__}")
        return item

    def key(self, row: Mapping[Any, Any]) -> tuple[str, int]:
        """A row's key as text, and how many bytes of a URL a look-up of it takes.

        Raises:
            RowError: it has none, or one that no record can have.
        """
        slug = self._options.key
        assert slug is not None
        kind = self.schema.type_of(slug)
        value = _read(slug, self._cell, row.get(slug))
        key = _read(slug, lambda given: key_text(kind, given), value)
        if key is None:
            raise RowError(f"the row has no value for its key {slug!r}")
        text = _read(slug, lambda given: msgspec.json.encode(asked_as(kind, given)), value)
        return key, len(text) + 2 * len(text.translate(None, _UNQUOTED)) + 3

    def encoded(self, row: Mapping[Any, Any]) -> tuple[bytes, bytes]:
        """The fingerprints of a row's managed fields, and its values as JSON.

        Raises:
            RowError: a cell holds what JSON has not; it is named.
            UnknownToSchemaError: the schema lacks a field or a choice.
        """
        values, schema = self._values(row), self.schema
        try:
            data = msgspec.json.encode(values)
        except _UNREADABLE:
            for slug, value in values.items():  # which one it is
                _read(slug, msgspec.json.encode, value)
            raise RowError("the row is nothing that JSON has") from None
        hashes = {slug: fingerprint(schema.type_of(slug), value) for slug, value in values.items()}
        for slug, value in values.items():
            if (problem := schema.problem(slug, value, hashes[slug])) is not None:
                raise UnknownToSchemaError(problem, is_field=schema.lacks(slug))
        for slug in values:
            if slug not in self._places and slug != "id":
                self._places[slug] = len(self.fields)
                self.fields.append(slug)
        return b"".join([hashes.get(slug, ABSENT) for slug in self.fields]), data

    def _values(self, row: Mapping[Any, Any]) -> dict[str, Any]:
        """The cells of a row that say something, as JSON has them."""
        options = self._options
        values: dict[str, Any] = {}
        for slug, given in row.items():
            if not self._is_managed(slug):
                continue
            value = _read(slug, self._cell, given)
            if value is None and given is not CLEAR and options.empty == "skip":
                continue
            values[slug] = value
        return values

    @staticmethod
    def _cell(given: Any) -> Any:
        return None if given is CLEAR or is_empty(given) else wire_value(given)

    def _is_managed(self, slug: Any) -> bool:
        options = self._options
        if not isinstance(slug, str):
            raise RowError(f"the name of a field must be a string, not {slug!r}")
        if slug == options.key:
            return True
        if slug in options.ignore or (options.only is not None and slug not in options.only):
            return False
        if self.schema.is_set_by_server(slug):
            self.dropped.add(slug)
            return False
        return options.mode != "delete"


#: What a cell may raise on its way to JSON: half a surrogate pair, a number that is too large, a
#: Decimal that says it is none, lists in lists in lists.
_UNREADABLE = (TypeError, ValueError, ArithmeticError, RecursionError)


def _read(slug: str, reader: Callable[[Any], T], value: Any) -> T:
    try:
        return reader(value)
    except InvalidOperation as error:
        raise RowError(f"{slug!r}: {value!r} is not a number that JSON has") from error
    except _UNREADABLE as error:
        raise RowError(f"{slug!r}: {error}") from error

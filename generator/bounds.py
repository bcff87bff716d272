"""Bounds of values: what they are, and where they would go unchecked."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from .spec import Place, Problem, Spec

__all__ = ["KEYWORDS", "impossible", "in_words", "is_length", "kinds", "limits", "unchecked"]

Node = Mapping[str, Any]

#: The least and the greatest value, and the same of a string's length.
KEYWORDS = ("minimum", "maximum", "minLength", "maxLength")

# Strings of these formats reach Python as something that has no length.
_NO_TEXT = {"date", "date-time", "uuid"}


def kinds(schema: Node) -> list[str]:
    """The types that a schema names."""
    types: str | list[str] = schema.get("type", [])
    return types if isinstance(types, list) else [types]


def is_length(schema: Node) -> bool:
    """Whether the bounds are those of a string's length."""
    return "string" in kinds(schema)


def limits(schema: Node) -> tuple[float | None, float | None]:
    """The least and the greatest value; of a string, its length."""
    low, high = KEYWORDS[2:] if is_length(schema) else KEYWORDS[:2]
    return _number(schema.get(low)), _number(schema.get(high))


def _number(value: float | None) -> float | None:
    # The parser turns every bound into a float.
    return int(value) if value is not None and value == int(value) else value


def in_words(schema: Node) -> str:
    """The bounds of a value in words; empty for none."""
    low, high = limits(schema)
    unit = " characters" if is_length(schema) else ""
    if low is not None and high is not None:
        return f"from {low} to {high}{unit}"
    if low is not None:
        return f"at least {low}{unit}"
    return f"at most {high}{unit}" if high is not None else ""


def impossible(schema: Node, place: Place) -> Iterator[Problem]:
    """Bounds that no value can keep, or that cannot be checked wherever they stand."""
    found = [keyword for keyword in KEYWORDS if keyword in schema]
    low, high = limits(schema)
    if low is not None and high is not None and low > high:
        yield Problem(f"`{found[0]}` is greater than `{found[1]}`", place.at(found[0]))
    for keyword in found:
        if len(set(kinds(schema)) - {"null"}) > 1:
            said = f"`{keyword}` is not supported beside more than one type"
            yield Problem(said, place.at(keyword))
        elif schema.get("format") in _NO_TEXT:
            said = f"`{keyword}` is not supported beside `format: {schema['format']}`"
            yield Problem(said, place.at(keyword))


def unchecked(spec: Spec, schema: Node, place: Place, *, flat: bool) -> Iterator[Problem]:
    """Bounds below what a request sends, where generated code does not look.

    It checks arguments: a parameter, or (`flat`) each member of a body that has members. What
    lies deeper it sends as it came.
    """
    walk = _Below(spec, place.owner)
    node, at = walk.resolved(schema, place)
    if not flat:
        yield from walk.inside(node, at)
    elif _has_members(node):
        named: set[str] = set()
        for name, member, where in walk.members(node, at):
            found, there = walk.resolved(member, where)
            # Of a member that stands there twice, the first decides.
            yield from walk.all(found, there) if name in named else walk.inside(found, there)
            named.add(name)
    else:
        yield from walk.all(node, at)


def _has_members(body: Node) -> bool:
    """Whether the members of a body become arguments; another is one argument, unchecked."""
    is_object = "allOf" in body or ("properties" in body and kinds(body) == ["object"])
    return is_object and body.get("additionalProperties") is not True


class _Below:
    def __init__(self, spec: Spec, owner: str) -> None:
        self.spec = spec
        self.owner = owner
        self.seen: set[int] = set()

    def resolved(self, node: Node, place: Place) -> tuple[Node, Place]:
        """What a node says or refers to, and where that stands; the owner is who uses it."""
        while "$ref" in node:
            place = Place(node["$ref"], self.owner)
            node = self.spec.find(node["$ref"])
        return node, place

    def members(
        self, node: Node, place: Place, above: tuple[int, ...] = ()
    ) -> Iterator[tuple[str, Node, Place]]:
        """An object's members, those of its parts included."""
        if id(node) in above:
            return
        for name, member in node.get("properties", {}).items():
            yield name, member, place.at("properties").at(name)
        for index, part in enumerate(node.get("allOf", [])):
            inner = self.resolved(part, place.at("allOf").at(index))
            yield from self.members(*inner, (*above, id(node)))

    def all(self, node: Node, place: Place) -> Iterator[Problem]:
        """The bounds of a schema and of everything in it."""
        node, place = self.resolved(node, place)
        for keyword in KEYWORDS:
            if keyword in node:
                said = f"`{keyword}` is not supported here in a request: it would not be checked"
                yield Problem(said, place.at(keyword))
        yield from self.inside(node, place)

    def inside(self, node: Node, place: Place) -> Iterator[Problem]:
        """The bounds of everything in a schema, but for its own."""
        if id(node) in self.seen:
            return
        self.seen.add(id(node))
        for keyword in ("items", "additionalProperties"):
            if isinstance(below := node.get(keyword), dict):
                yield from self.all(below, place.at(keyword))
        for keyword in ("properties", "oneOf", "anyOf", "allOf"):
            below = node.get(keyword, {})
            for step, inner in below.items() if isinstance(below, dict) else enumerate(below):
                yield from self.all(inner, place.at(keyword).at(step))

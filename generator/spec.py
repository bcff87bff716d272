"""The document as it was written, and how a place in it is named."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

__all__ = ["METHODS", "Place", "Problem", "Spec", "SpecError", "load"]

METHODS = ("get", "put", "post", "patch", "delete")


@dataclass(frozen=True)
class Place:
    """Where in the document something stands."""

    pointer: str = "#"
    #: What it belongs to, in words: an operation, a parameter, a schema.
    owner: str = "the document"

    def at(self, key: str | int) -> Place:
        """The place one step further down."""
        step = str(key).replace("~", "~0").replace("/", "~1")
        return replace(self, pointer=f"{self.pointer}/{step}")

    def named(self, owner: str) -> Place:
        """The same place, as part of something that has a name."""
        return replace(self, owner=owner)


@dataclass(frozen=True)
class Problem:
    """Something in the document that cannot be generated from."""

    what: str
    place: Place

    def __str__(self) -> str:
        return f"{self.place.pointer} ({self.place.owner}): {self.what}"


class SpecError(Exception):
    """The document cannot be generated from. `problems` says why, in the document's order."""

    def __init__(self, problems: list[Problem]) -> None:
        super().__init__("\n".join(map(str, problems)))
        self.problems = problems


@dataclass(frozen=True)
class Spec:
    """The parsed document."""

    raw: dict[str, Any]

    @property
    def schemas(self) -> dict[str, Any]:
        """The component schemas by name."""
        schemas: dict[str, Any] = self.raw.get("components", {}).get("schemas", {})
        return schemas

    def find(self, ref: Any) -> Any:
        """What a local `$ref` points to.

        Raises:
            KeyError: nothing is there, or it lies in another document.
        """
        if not isinstance(ref, str) or not ref.startswith("#/"):
            raise KeyError(ref)
        node: Any = self.raw
        for step in ref[2:].split("/"):
            key = step.replace("~1", "/").replace("~0", "~")
            if not isinstance(node, dict) or key not in node:
                raise KeyError(ref)
            node = node[key]
        return node

    def resolve(self, node: Any) -> Any:
        """A node, or what it refers to at the end of its `$ref`s.

        Raises:
            KeyError: it leads nowhere, or in a circle.
        """
        seen: list[Any] = []
        while isinstance(node, dict) and "$ref" in node:
            if node["$ref"] in seen:
                raise KeyError(node["$ref"])
            seen.append(node["$ref"])
            node = self.find(node["$ref"])
        return node

    def member(self, schema: Any, name: str) -> Any:
        """What an object's schema says of a member, in its own words or through `allOf`."""
        schema = self.resolve(schema)
        if name in schema.get("properties", {}):
            return schema["properties"][name]
        parts = (self.member(part, name) for part in schema.get("allOf", []))
        return next(filter(None, parts), {})

    def operations(self) -> Iterator[tuple[str, str, dict[str, Any]]]:
        """Path, method and operation, in the document's order."""
        for path, item in self.raw.get("paths", {}).items():
            for method in METHODS:
                if method in item:
                    yield path, method, item[method]

    def parameters(self, path: str, method: str) -> dict[tuple[str, str], dict[str, Any]]:
        """An operation's parameters by location and name, those of its path included."""
        item = self.raw["paths"][path]
        listed = [*item.get("parameters", []), *item[method].get("parameters", [])]
        resolved = map(self.resolve, listed)
        return {(parameter["in"], parameter["name"]): parameter for parameter in resolved}


def load(path: Path) -> Spec:
    """Read a document.

    Raises:
        SpecError: it is missing, no YAML, or no mapping; an alias stands inside its own anchor, or
            a mapping has a key twice.
    """
    try:
        raw = YAML(typ="safe").load(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, YAMLError) as error:
        raise SpecError([Problem(f"cannot be read: {error}", Place(str(path)))]) from error
    if not isinstance(raw, dict):
        raise SpecError([Problem("is no mapping", Place(str(path)))])
    return Spec(_with_text_keys(raw, Place(), ()))


def _with_text_keys(node: Any, place: Place, above: tuple[int, ...]) -> Any:
    # YAML reads an unquoted status such as 200 as a number.
    if not isinstance(node, dict | list):
        return node
    if id(node) in above:
        raise SpecError([Problem("a YAML alias stands inside its own anchor", place)])
    inner = (*above, id(node))
    if isinstance(node, list):
        return [_with_text_keys(item, place.at(i), inner) for i, item in enumerate(node)]
    keys = [str(key) for key in node]
    if twice := [key for index, key in enumerate(keys) if key in keys[:index]]:
        raise SpecError([Problem(f"the key `{twice[0]}` stands here twice", place)])
    return {
        key: _with_text_keys(value, place.at(key), inner)
        for key, value in zip(keys, node.values(), strict=True)
    }

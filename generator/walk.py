"""Refuses what cannot be generated, with the keyword and its place."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from .names import enum_name, is_name
from .spec import Place, Problem, Spec, SpecError
from .vocabulary import BESIDE_REF, FORMATS, LEAF, TYPES, VOCABULARY

__all__ = ["refuse_unknown"]

Node = dict[str, Any]


def refuse_unknown(spec: Spec) -> None:
    """Check the whole document against the vocabulary.

    Raises:
        SpecError: with everything in it that would be lost.
    """
    walk = _Walk(spec)
    walk.visit(spec.raw, "document", Place())
    if walk.problems:
        raise SpecError(walk.problems)


class _Walk:
    def __init__(self, spec: Spec) -> None:
        self.spec = spec
        self.problems: list[Problem] = []
        self.operation_ids: set[str] = set()
        self.forms: dict[str, Callable[[Node, Place], None]] = {
            "tag": self.tag,
            "operation": self.operation,
            "parameter": self.parameter,
            "body": self.body,
            "response": self.response,
            "schema": self.schema,
        }

    def report(self, what: str, place: Place) -> None:
        self.problems.append(Problem(what, place))

    def visit(self, node: Any, shape: str, place: Place) -> None:
        if shape == LEAF:
            return
        if shape == "schema or boolean":
            if isinstance(node, bool):
                return
            shape = "schema"
        if shape.startswith("["):
            if self.expect(node, list, place):
                for index, item in enumerate(node):
                    self.visit(item, shape[1:-1], place.at(index))
        elif shape.startswith("{"):
            if self.expect(node, dict, place):
                for key, item in node.items():
                    inner = place.at(key)
                    self.visit(item, shape[1:-1], _named(inner, key, shape[1:-1]))
        elif isinstance(node, bool) and shape == "schema":
            self.report(f"`{str(node).lower()}`: a boolean schema is not supported", place)
        elif self.expect(node, dict, place):
            self.visit_kind(node, shape, place)

    def expect(self, node: Any, kind: type, place: Place) -> bool:
        if isinstance(node, kind):
            return True
        self.report(f"a {'list' if kind is list else 'mapping'} is expected here", place)
        return False

    def visit_kind(self, node: Node, kind: str, place: Place) -> None:
        if kind == "operation":
            place = place.named(f"operation {node.get('operationId')}")
        elif kind == "parameter" and "name" in node:
            place = place.named(f'parameter "{node["name"]}" of {place.owner}')
        if "$ref" in node and kind != "path":
            self.reference(node, place)
            return
        before = len(self.problems)
        for keyword, value in node.items():
            inner = place.at(keyword)
            shape = VOCABULARY[kind].get(keyword)
            if shape is None:
                self.report(f"`{keyword}` is not supported in a {kind}", inner)
            else:
                self.visit(value, shape, inner)
        # What a form assumes of its parts holds only where they are sound.
        if len(self.problems) == before and kind in self.forms:
            self.forms[kind](node, place)

    def reference(self, node: Node, place: Place) -> None:
        for keyword in node.keys() - BESIDE_REF:
            self.report(f"`{keyword}` beside `$ref` is not supported", place.at(keyword))
        try:
            self.spec.find(node["$ref"])
        except (KeyError, AttributeError):
            self.report(f"`$ref` to {node['$ref']}, which is not here", place.at("$ref"))

    def tag(self, node: Node, place: Place) -> None:
        if "name" not in node:
            self.report("`name` is missing", place)

    def operation(self, node: Node, place: Place) -> None:
        name = node.get("operationId")
        if not isinstance(name, str) or not is_name(name):
            self.report("`operationId` must be there, and a Python name", place)
        elif name in self.operation_ids:
            self.report(f"`operationId` {name} is used twice", place)
        else:
            self.operation_ids.add(name)
        tags = node.get("tags")
        if not isinstance(tags, list) or len(tags) != 1:
            self.report("`tags` must name exactly one tag", place)
        if node.get("x-kantos-status", "inferred") not in {"documented", "inferred"}:
            self.report("`x-kantos-status` is neither documented nor inferred", place)
        if not node.get("responses"):
            self.report("`responses` is missing", place)

    def parameter(self, node: Node, place: Place) -> None:
        location = node.get("in")
        if location not in {"path", "query"}:
            self.report(f"`in: {location}` is not supported", place.at("in"))
            return
        if (style := node.get("style")) not in {None, "form" if location == "query" else "simple"}:
            self.report(f"`style: {style}` is not supported", place.at("style"))
        if location == "path" and node.get("required") is not True:
            self.report("`required: true` is missing of a path parameter", place)
        if "content" in node:
            self.json_only(node, place)
            return
        schema = self.spec.resolve(node.get("schema"))
        if not schema:
            self.report("`schema` is missing", place)
        elif schema.get("type") not in {"string", "integer", "number", "boolean"}:
            form = f"type: {schema['type']}" if "type" in schema else next(iter(schema))
            self.report(
                f"`{form}` is not supported in a parameter unless its content is JSON",
                place.at("schema"),
            )

    def body(self, node: Node, place: Place) -> None:
        if node.get("required") is not True:
            self.report("`required: true` is missing: a body that may be absent", place)
        self.json_only(node, place)

    def response(self, node: Node, place: Place) -> None:
        if "content" in node:
            self.json_only(node, place)

    def json_only(self, node: Node, place: Place) -> None:
        content = node.get("content", {})
        if list(content) != ["application/json"]:
            kinds = ", ".join(content) or "nothing"
            self.report(
                f"`content` must be application/json alone, not {kinds}", place.at("content")
            )
        elif "schema" not in content["application/json"]:
            self.report("`schema` is missing", place.at("content").at("application/json"))

    def schema(self, node: Node, place: Place) -> None:
        types = node.get("type", [])
        for kind in types if isinstance(types, list) else [types]:
            if kind not in TYPES:
                self.report(f"`type: {kind}` is not supported", place.at("type"))
        if node.get("format", "email") not in FORMATS:
            self.report(f"`format: {node['format']}` is not supported", place.at("format"))
        if "enum" in node:
            self.enum(node["enum"], place.at("enum"))
        if "discriminator" in node:
            self.discriminator(node, place)
        if node.get("properties") and isinstance(node.get("additionalProperties"), dict):
            self.report(
                "`additionalProperties` with a schema beside `properties` is not supported",
                place.at("additionalProperties"),
            )

    def enum(self, values: Any, place: Place) -> None:
        if not isinstance(values, list) or not all(isinstance(value, str) for value in values):
            self.report("`enum` with anything but strings is not supported", place)
        elif len({enum_name(value, i) for i, value in enumerate(values)}) < len(values):
            self.report("`enum` has values that make the same Python name", place)

    def discriminator(self, node: Node, place: Place) -> None:
        if place.pointer.rpartition("/")[0] != "#/components/schemas":
            self.report("`discriminator` is supported in component schemas only", place)
        members = node.get("oneOf", [])
        mapped = node["discriminator"].get("mapping", {}).values()
        if not members or {member.get("$ref") for member in members} != set(mapped):
            self.report(
                "`discriminator` needs a `mapping` to all of `oneOf`", place.at("discriminator")
            )


def _named(place: Place, key: str, kind: str) -> Place:
    if kind == "schema":
        top = place.pointer == f"#/components/schemas/{key}"
        return place.named(f"schema {key}" if top else f'"{key}" of {place.owner}')
    if kind in {"path", "response"} and place.owner == "the document":
        return place.named(f"{kind} {key}")
    return place

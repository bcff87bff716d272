"""What the parts of the document must be like, beyond their keywords."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from . import bounds
from .names import enum_name, function_name, is_kept, is_member, is_name, module_name
from .spec import Place, Problem, Spec
from .vocabulary import FORMATS, SCALARS, TYPES

__all__ = ["FORMS"]

Node = dict[str, Any]


def _document(spec: Spec, node: Node, place: Place) -> Iterator[Problem]:
    for keyword in ("info", "paths"):
        if keyword not in node:
            yield Problem(f"`{keyword}` is missing", place)
    yield from _same_operations(spec)
    yield from _same_tags(node)


def _same_operations(spec: Spec) -> Iterator[Problem]:
    # A function is found by its name in Python, whatever its tag.
    seen: dict[str, str] = {}
    for path, method, operation in spec.operations():
        name = operation.get("operationId", "")
        if first := seen.get(function_name(name)):
            said = f"`operationId: {name}` is the same name in Python as that of {first}"
            inner = Place("#/paths").at(path).at(method).at("operationId")
            yield Problem(said, inner.named(f"operation {name}"))
        elif name:
            seen[function_name(name)] = f"{method.upper()} {path}: `{name}`"


def _same_tags(node: Node) -> Iterator[Problem]:
    seen: dict[str, str] = {}
    for index, tag in enumerate(node.get("tags", [])):
        name = tag.get("name", "")
        if first := seen.get(module_name(name)):
            said = f"tag `{name}` is the same name in Python as tag `{first}`"
            yield Problem(said, Place("#/tags").at(index).named(f"tag {name}"))
        elif name:
            seen[module_name(name)] = name


def _tag(_: Spec, node: Node, place: Place) -> Iterator[Problem]:
    if "name" not in node:
        yield Problem("`name` is missing", place)


def _operation(spec: Spec, node: Node, place: Place) -> Iterator[Problem]:
    name = node.get("operationId")
    if name is None or not is_name(name):
        yield Problem("`operationId` must be there, and a name in Python", place)
    if len(node.get("tags", [])) != 1:
        yield Problem("`tags` must name one tag", place)
    if node.get("x-kantos-status", "inferred") not in {"documented", "inferred"}:
        yield Problem("`x-kantos-status` is neither documented nor inferred", place)
    responses = node.get("responses", {})
    if not responses:
        yield Problem("`responses` is missing", place)
    # Beside a good answer the default is that of errors, and those have types of their own.
    alone = not any(status.startswith("2") for status in responses)
    if alone and "content" in spec.resolve(responses.get("default", {})):
        said = "`content` of `default` is not supported unless a good answer is beside it"
        yield Problem(said, place.at("responses").at("default"))


def _parameter(spec: Spec, node: Node, place: Place) -> Iterator[Problem]:
    location = node.get("in")
    if location not in {"path", "query"} or "name" not in node:
        yield Problem(f"`in: {location}` is not supported", place.at("in"))
        return
    if node.get("style") not in {None, "form" if location == "query" else "simple"}:
        yield Problem(f"`style: {node['style']}` is not supported", place.at("style"))
    if location == "path" and node.get("required") is not True:
        yield Problem("`required: true` is missing in a path parameter", place)
    if ("schema" in node) == ("content" in node):
        yield Problem("either `schema` or `content` must be there", place)
    elif "content" in node:
        yield from _json_alone(node["content"], place.at("content"))
    else:
        schema = spec.resolve(node["schema"])
        if schema.get("type") not in SCALARS:
            form = f"type: {schema['type']}" if "type" in schema else next(iter(schema), "schema")
            said = f"`{form}` is not supported in a parameter unless its content is JSON"
            yield Problem(said, place.at("schema"))
    yield from _unchecked(spec, node, place, flat=False)


def _body(spec: Spec, node: Node, place: Place) -> Iterator[Problem]:
    if node.get("required") is not True:
        yield Problem("`required: true` is missing: a body cannot be left out", place)
    yield from _json_alone(node.get("content", {}), place.at("content"))
    yield from _unchecked(spec, node, place, flat=True)


def _unchecked(spec: Spec, node: Node, place: Place, *, flat: bool) -> Iterator[Problem]:
    media = node.get("content", {}).get("application/json", {})
    if "schema" in media:
        inner = place.at("content").at("application/json").at("schema")
        yield from bounds.unchecked(spec, media["schema"], inner, flat=flat)


def _response(_: Spec, node: Node, place: Place) -> Iterator[Problem]:
    if "description" not in node:
        yield Problem("`description` is missing", place)
    if "content" in node:
        yield from _json_alone(node["content"], place.at("content"))


def _json_alone(content: Node, place: Place) -> Iterator[Problem]:
    if list(content) != ["application/json"]:
        kinds = ", ".join(content) or "nothing"
        yield Problem(f"`content` must be application/json alone, not {kinds}", place)
    elif "schema" not in content["application/json"]:
        yield Problem("`schema` is missing", place.at("application/json"))


def _schema(spec: Spec, node: Node, place: Place) -> Iterator[Problem]:
    types = bounds.kinds(node)
    if unknown := [kind for kind in types if kind not in TYPES]:
        yield Problem(f"`type: {unknown[0]}` is not supported", place.at("type"))
        return
    for keyword, expected in _APPLIES_TO.items():
        if keyword in node and not expected.intersection(types):
            said = f"`{keyword}` is supported only beside `type: {' or '.join(sorted(expected))}`"
            yield Problem(said, place.at(keyword))
    if "array" in types and "items" not in node:
        yield Problem("`items` is missing beside `type: array`", place)
    if node.get("format", "email") not in FORMATS:
        yield Problem(f"`format: {node['format']}` is not supported", place.at("format"))
    const = node.get("const", "")
    if isinstance(const, bool) or not isinstance(const, str | int):
        yield Problem("`const` is supported for strings and whole numbers only", place.at("const"))
    yield from bounds.impossible(node, place)
    yield from _enum(node.get("enum", []), place.at("enum"))
    yield from _members(node, place)
    yield from _combination(spec, node, place)


_APPLIES_TO = {
    "properties": {"object"},
    "additionalProperties": {"object"},
    "required": {"object"},
    "items": {"array"},
    "enum": {"string"},
    "minLength": {"string"},
    "maxLength": {"string"},
    "minimum": {"integer", "number"},
    "maximum": {"integer", "number"},
    "format": {"string", "integer", "number"},
}


def _enum(values: list[Any], place: Place) -> Iterator[Problem]:
    if not all(isinstance(value, str) for value in values):
        yield Problem("`enum` is supported for strings only", place)
    elif len({enum_name(value, index) for index, value in enumerate(values)}) < len(values):
        yield Problem("`enum` has values that would share a name in Python", place)
    elif lost := [value for value in values if not is_kept(value)]:
        yield Problem(f"`enum` has a value with a control character: {lost[0]!r}", place)


def _members(node: Node, place: Place) -> Iterator[Problem]:
    properties = node.get("properties", {})
    additional = node.get("additionalProperties")
    if properties and isinstance(additional, dict):
        said = "`additionalProperties` with a schema beside `properties` is not supported"
        yield Problem(said, place.at("additionalProperties"))
    for name in node.get("required", []):
        if name not in properties and "allOf" not in node:
            yield Problem(f"`required` names {name}, which is not in `properties`", place)
    # The members of a body become arguments, and those of a free-form object keys.
    if additional is True or _is_body(place):
        return
    for name in properties:
        if not is_member(name):
            said = f"`{name}` cannot be a member in Python; make the object free-form"
            yield Problem(said, place.at("properties").at(name))


def _is_body(place: Place) -> bool:
    return "/request" in place.pointer and place.pointer.endswith("/application~1json/schema")


def _combination(spec: Spec, node: Node, place: Place) -> Iterator[Problem]:
    used = [keyword for keyword in ("oneOf", "anyOf", "allOf", "enum", "const") if keyword in node]
    for keyword in used[1:]:
        yield Problem(f"`{keyword}` beside `{used[0]}` is not supported", place.at(keyword))
    if "discriminator" in node:
        yield from _discriminator(spec, node, place)
    elif used and used[0] in {"oneOf", "anyOf"}:
        if "type" in node:
            yield Problem(f"`type` beside `{used[0]}` is not supported", place.at("type"))
        kinds = [kind for option in node[used[0]] for kind in _kinds(spec, option)]
        for kind in ("object", "array", "string"):
            if kinds.count(kind) > 1:
                said = f"`{used[0]}` with more than one {kind} needs a `discriminator`"
                yield Problem(said, place.at(used[0]))
    for index, part in enumerate(node.get("allOf", [])):
        for keyword in sorted(part.keys() - {"$ref", "type", "properties", "required"}):
            said = f"`{keyword}` is not supported in `allOf`"
            yield Problem(said, place.at("allOf").at(index).at(keyword))


def _discriminator(spec: Spec, node: Node, place: Place) -> Iterator[Problem]:
    inner = place.at("discriminator")
    if place.pointer.rpartition("/")[0] != "#/components/schemas":
        yield Problem("`discriminator` is supported in component schemas only", inner)
    mapping = node["discriminator"].get("mapping", {})
    name = node["discriminator"].get("propertyName")
    options = [option.get("$ref") for option in node.get("oneOf", [])]
    if name is None or not options or set(options) != set(mapping.values()):
        yield Problem("`discriminator` needs a `mapping` to each of `oneOf`", inner)
        return
    if not is_member(name) or name == "raw":  # the member in which an unknown object is kept
        said = f"`propertyName: {name}` cannot be a member in Python"
        yield Problem(said, inner.at("propertyName"))
    for value, ref in mapping.items():
        member = spec.resolve(spec.member({"$ref": ref}, name))
        if not member:  # sent back, it would be without what tells it apart
            said = f"`mapping` of `{value}` leads to a schema without a member `{name}`"
            yield Problem(said, inner.at("mapping").at(value))
        elif value not in member.get("enum", [member.get("const", value)]):
            said = f"`mapping` of `{value}` leads to a schema whose `{name}` has another value"
            yield Problem(said, inner.at("mapping").at(value))


def _kinds(spec: Spec, option: Node, above: tuple[Node, ...] = ()) -> Iterator[str]:
    """The kinds of JSON value that a schema allows."""
    schema = spec.resolve(option)
    if any(schema is other for other in above):
        return
    inner = [*schema.get("oneOf", []), *schema.get("anyOf", [])]
    if "discriminator" in schema or "allOf" in schema:
        yield "object"
    elif inner:
        for other in inner:
            yield from _kinds(spec, other, (*above, schema))
    elif isinstance(schema.get("const"), str):
        yield "string"
    else:
        yield from bounds.kinds(schema)


FORMS: dict[str, Callable[[Spec, Node, Place], Iterator[Problem]]] = {
    "document": _document,
    "tag": _tag,
    "operation": _operation,
    "parameter": _parameter,
    "body": _body,
    "response": _response,
    "schema": _schema,
}

"""A copy of the document in which the parser finds what it would otherwise drop."""

from __future__ import annotations

import copy
from typing import Any

from .spec import METHODS, Spec

__all__ = ["lifted"]


def lifted(spec: Spec) -> dict[str, Any]:
    """The document for the parser.

    A parameter's JSON content becomes its schema, and a tagged union an object with the tag
    alone, so that references to it keep its name.
    """
    document = copy.deepcopy(spec.raw)
    for parameters in _parameter_lists(document):
        for parameter in parameters:
            if "content" in parameter:
                parameter["schema"] = parameter.pop("content")["application/json"]["schema"]
    for schema in document.get("components", {}).get("schemas", {}).values():
        if "discriminator" in schema:
            tag = schema.pop("discriminator")["propertyName"]
            del schema["oneOf"]
            schema |= {"type": "object", "properties": {tag: {"type": "string"}}}
    return document


def _parameter_lists(document: dict[str, Any]) -> list[list[dict[str, Any]]]:
    shared = list(document.get("components", {}).get("parameters", {}).values())
    items = list(document.get("paths", {}).values())
    operations = [item[method] for item in items for method in METHODS if method in item]
    return [shared, *(node.get("parameters", []) for node in [*items, *operations])]

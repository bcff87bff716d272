"""Every keyword that the generator understands, by the kind of object it stands in.

What is not listed here is refused: the parser would drop much of it without a word.
"""

from __future__ import annotations

__all__ = ["BESIDE_REF", "FORMATS", "LEAF", "TYPES", "VOCABULARY"]

#: A value that is taken as it is.
LEAF = ""

# A shape is the name of a kind, `[kind]` for a list of it, `{kind}` for a mapping to it.
VOCABULARY: dict[str, dict[str, str]] = {
    "document": {
        "openapi": LEAF,
        "info": "info",
        "servers": "[server]",
        "security": LEAF,
        "tags": "[tag]",
        "paths": "{path}",
        "components": "components",
    },
    "info": dict.fromkeys(["title", "version", "summary", "description"], LEAF),
    "server": dict.fromkeys(["url", "description"], LEAF),
    "tag": dict.fromkeys(["name", "description", "x-kantos-handwritten", "x-kantos-preview"], LEAF),
    "components": {
        "schemas": "{schema}",
        "parameters": "{parameter}",
        "responses": "{response}",
        "requestBodies": "{body}",
        "headers": "{header}",
        "securitySchemes": "{security scheme}",
    },
    "security scheme": dict.fromkeys(["type", "in", "name", "description"], LEAF),
    "path": {
        "summary": LEAF,
        "description": LEAF,
        "parameters": "[parameter]",
        **dict.fromkeys(["get", "put", "post", "patch", "delete"], "operation"),
    },
    "operation": {
        **dict.fromkeys(["operationId", "tags", "summary", "description", "deprecated"], LEAF),
        **dict.fromkeys(["x-kantos-status", "x-kantos-method"], LEAF),
        "parameters": "[parameter]",
        "requestBody": "body",
        "responses": "{response}",
    },
    "parameter": {
        **dict.fromkeys(["name", "in", "required", "description", "deprecated"], LEAF),
        **dict.fromkeys(["style", "example", "examples", "x-kantos-status"], LEAF),
        "schema": "schema",
        "content": "{media type}",
    },
    "body": {"required": LEAF, "description": LEAF, "content": "{media type}"},
    "response": {"description": LEAF, "headers": "{header}", "content": "{media type}"},
    "header": {
        **dict.fromkeys(["description", "required", "example", "x-kantos-status"], LEAF),
        "schema": "schema",
    },
    "media type": {"schema": "schema", "example": LEAF, "examples": LEAF},
    "schema": {
        **dict.fromkeys(["description", "deprecated", "x-kantos-status"], LEAF),
        **dict.fromkeys(["example", "examples", "default"], LEAF),
        **dict.fromkeys(["type", "format", "enum", "const", "required", "discriminator"], LEAF),
        **dict.fromkeys(["minimum", "maximum", "minLength", "maxLength"], LEAF),
        "properties": "{schema}",
        "additionalProperties": "schema or boolean",
        "items": "schema",
        "oneOf": "[schema]",
        "anyOf": "[schema]",
        "allOf": "[schema]",
    },
}

#: What may stand beside a `$ref`; all else would be lost.
BESIDE_REF = {"$ref", "summary", "description", "deprecated", "examples", "x-kantos-status"}

TYPES = {"object", "array", "string", "integer", "number", "boolean", "null"}

FORMATS = {"date-time", "date", "uuid", "email", "uri", "int32", "int64", "float", "double"}

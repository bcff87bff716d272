"""Every keyword that the generator understands, by the kind of object it stands in.

What is not listed here is refused: the parser would drop much of it without a word.
"""

from __future__ import annotations

__all__ = ["BESIDE_REF", "FORMATS", "LEAVES", "SCALARS", "TYPES", "VOCABULARY"]

#: Shapes of values that hold no keywords.
LEAVES: dict[str, tuple[type, ...]] = {
    "text": (str,),
    "flag": (bool,),
    "number": (int, float),
    "list": (list,),
    "anything": (object,),
}

_DESCRIBED = {"description": "text", "x-kantos-status": "text"}
_EXAMPLES = {"example": "anything", "examples": "anything"}

# A shape is a leaf, a kind, `[shape]` for a list of it, or `{shape}` for a mapping to it.
VOCABULARY: dict[str, dict[str, str]] = {
    "document": {
        "openapi": "text",
        "info": "info",
        "servers": "[server]",
        "security": "list",
        "tags": "[tag]",
        "paths": "{path}",
        "components": "components",
    },
    "info": dict.fromkeys(["title", "version", "summary", "description"], "text"),
    "server": dict.fromkeys(["url", "description"], "text"),
    "tag": {
        "name": "text",
        "description": "text",
        "x-kantos-handwritten": "flag",
        "x-kantos-preview": "flag",
    },
    "components": {
        "schemas": "{schema}",
        "parameters": "{parameter}",
        "responses": "{response}",
        "requestBodies": "{body}",
        "headers": "{header}",
        "securitySchemes": "{security scheme}",
    },
    "security scheme": dict.fromkeys(["type", "in", "name", "description"], "text"),
    "path": {
        "summary": "text",
        "description": "text",
        "parameters": "[parameter]",
        **dict.fromkeys(["get", "put", "post", "patch", "delete"], "operation"),
    },
    "operation": {
        **_DESCRIBED,
        "operationId": "text",
        "tags": "[text]",
        "summary": "text",
        "deprecated": "flag",
        "x-kantos-method": "text",
        "parameters": "[parameter]",
        "requestBody": "body",
        "responses": "{response}",
    },
    "parameter": {
        **_DESCRIBED,
        **_EXAMPLES,
        "name": "text",
        "in": "text",
        "required": "flag",
        "deprecated": "flag",
        "style": "text",
        "explode": "flag",  # without effect on what is supported
        "schema": "schema",
        "content": "{media type}",
    },
    "body": {"description": "text", "required": "flag", "content": "{media type}"},
    "response": {"description": "text", "headers": "{header}", "content": "{media type}"},
    "header": {**_DESCRIBED, **_EXAMPLES, "required": "flag", "schema": "schema"},
    "media type": {**_EXAMPLES, "schema": "schema"},
    "schema": {
        **_DESCRIBED,
        **_EXAMPLES,
        "deprecated": "flag",
        "default": "anything",
        "type": "anything",
        "format": "text",
        "enum": "list",
        "const": "anything",
        **dict.fromkeys(["minimum", "maximum", "minLength", "maxLength"], "number"),
        "properties": "{schema}",
        "required": "[text]",
        "additionalProperties": "schema or boolean",
        "items": "schema",
        "oneOf": "[schema]",
        "anyOf": "[schema]",
        "allOf": "[schema]",
        "discriminator": "discriminator",
    },
    "discriminator": {"propertyName": "text", "mapping": "{text}"},
}

#: What may stand beside a `$ref`; all else would be lost.
BESIDE_REF = {"$ref", "summary", "description", "deprecated", "examples", "x-kantos-status"}

SCALARS = ("string", "integer", "number", "boolean")

TYPES = ("object", "array", "null", *SCALARS)

FORMATS = ("date-time", "date", "uuid", "email", "uri", "int32", "int64", "float", "double")

"""Names in Python, and text out of the parser's wrappers."""

from __future__ import annotations

import ast
import json
import keyword
import re
from collections.abc import Container

from openapi_python_client import strings
from openapi_python_client.schema.untrusted_string import UntrustedString

__all__ = [
    "IMPORTED",
    "TYPES",
    "argument_name",
    "class_name",
    "enum_name",
    "function_name",
    "is_kept",
    "is_member",
    "is_name",
    "literal",
    "module_name",
    "text",
    "unhidden",
]

#: Types of Python that annotations name and members may be called like.
TYPES = {"bool", "date", "datetime", "dict", "float", "int", "list", "str"}

#: Names that generated modules import.
IMPORTED = {
    *("Any", "Call", "List", "Literal", "Mapping", "NoneType", "OpenEnum", "Sender", "Sequence"),
    *("TaggedUnion", "UNSET", "UUID", "UnknownMember", "UnsetType", "attrs", "date", "datetime"),
    *("json_body", "json_param", "segment"),
}

# Names that the bodies of generated functions use themselves.
_TAKEN = {*IMPORTED, *TYPES, "ValueError", "len", "object", "params", "self", "session"}


def text(value: UntrustedString | str | None) -> str:
    """The plain text of a value of the parser; each template decides how to quote it."""
    return value.get_untrusted_value() if isinstance(value, UntrustedString) else value or ""


def literal(value: str) -> str:
    """A string as Python source."""
    # The parser's own escaping leaves out line breaks and other control characters.
    return repr(value)


def is_name(value: str) -> bool:
    """Whether a word may be used as a name in Python as it stands."""
    return value.isidentifier() and not keyword.iskeyword(value)


def argument_name(wire: str, taken: Container[str] = ()) -> str:
    """The name of the argument for a parameter; the same wherever Python allows it.

    `taken` are the names that the function uses beyond those that all do.
    """
    name = re.sub(r"\W+", "_", wire).strip("_") or "_"
    free = is_name(name) and name not in _TAKEN and name not in taken
    return name if free else f"{name}_"


def is_member(value: str) -> bool:
    """Whether a word may be the name of a member or method: no private one, no `self`."""
    return is_name(value) and not value.startswith("_") and value != "self"


def unhidden(annotation: str, members: Container[str]) -> tuple[str, list[str]]:
    """An annotation in a class that has these members, and the names in it that they still hide.

    Types of Python that a member is called like go by another name there.
    """
    tree = ast.parse(annotation, mode="eval")
    names = [node for node in ast.walk(tree) if isinstance(node, ast.Name)]
    for name in names:
        if name.id in members and name.id in TYPES:
            name.id += "_"
    return ast.unparse(tree), [name.id for name in names if name.id in members]


def class_name(component: str) -> str:
    """The name that the parser gives to the class of a component."""
    return strings.ClassName(component, "field_")


def function_name(operation_id: str) -> str:
    """The name that the parser gives to the function of an operation."""
    return strings.PythonIdentifier(operation_id, "field_")


def module_name(tag: str) -> str:
    """The name that the parser gives to the module of a tag."""
    return strings.PythonIdentifier(tag, "tag")


def is_kept(value: str) -> bool:
    """Whether the parser keeps every character of an enum's value."""
    kept: str = json.loads(f'"{strings.in_double_quote_literal(value)}"')
    return kept == value


def enum_name(value: str, index: int) -> str:
    """The name that the parser gives to an enum's member."""
    if not value[:1].isalpha():
        return f"VALUE_{index}"
    return strings.snake_case(value.upper()).upper()

"""Names in Python, and text out of the parser's wrappers."""

from __future__ import annotations

import json
import keyword
import re

from openapi_python_client import strings
from openapi_python_client.schema.untrusted_string import UntrustedString

__all__ = [
    "argument_name",
    "class_name",
    "enum_name",
    "function_name",
    "is_kept",
    "is_name",
    "literal",
    "module_name",
    "text",
]

# Names that the bodies of generated functions use themselves.
_TAKEN = {"self", "session", "params", "str", "segment", "json_param", "json_body"}


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


def argument_name(wire: str) -> str:
    """The name of the argument for a parameter; the same wherever Python allows it."""
    name = re.sub(r"\W+", "_", wire).strip("_") or "_"
    return name if is_name(name) and name not in _TAKEN else f"{name}_"


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

"""Docstrings out of the document's descriptions."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Mapping
from typing import Any

from openapi_python_client.strings import safe_for_docstring

from .bounds import in_words

__all__ = ["INFERRED", "docstring", "remarks"]

INFERRED = "Inferred, not documented."
# Fits a method's body, the deepest place.
_WIDTH = 88


def docstring(
    paragraphs: Iterable[str], sections: Mapping[str, Mapping[str, str]] | None = None
) -> str:
    """The inside of a docstring: paragraphs, then sections such as `Args`, entry by entry."""
    blocks = [textwrap.fill(paragraph, _WIDTH) for paragraph in paragraphs if paragraph]
    for title, entries in (sections or {}).items():
        if entries:
            lines = (_entry(f"{name}: {entry}") for name, entry in entries.items())
            blocks.append("\n".join([f"{title}:", *lines]))
    inside = safe_for_docstring("\n\n".join(blocks))
    # A quote at the end would close the docstring early.
    return inside + "\n" if "\n" in inside or inside.endswith(('"', "\\")) else inside


def _entry(line: str) -> str:
    return textwrap.fill(line, _WIDTH, initial_indent=" " * 4, subsequent_indent=" " * 8)


def remarks(node: Mapping[str, Any], schema: Mapping[str, Any]) -> str:
    """The description of a parameter or member, with what its schema says of its values.

    `node` is where the description, the status and the deprecation stand: the parameter, the
    schema itself, or what stands beside a `$ref`.
    """
    default = schema.get("default")
    said = [
        node.get("description") or schema.get("description"),
        f"{text.capitalize()}." if (text := in_words(schema)) else "",
        f"The server's default is `{default}`." if default is not None else "",
        INFERRED if node.get("x-kantos-status") == "inferred" else "",
        "Deprecated." if node.get("deprecated") else "",
    ]
    return " ".join(part for part in said if part)

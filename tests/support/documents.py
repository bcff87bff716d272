"""Changes to the API's document, for tests of the generator."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

Document = dict[str, Any]
Edit = Callable[[Document], None]

QUERY = "#/paths/~1crm~1records~1query/get"
USERS = "#/paths/~1crm~1users/get"
ODD = "#/components/schemas/Odd"


def parameter(**keywords: Any) -> Edit:
    def edit(document: Document) -> None:
        listed = document["paths"]["/crm/records/query"]["get"]["parameters"]
        listed.append({"name": "odd", "in": "query", **keywords})

    return edit


def schema(value: Any, name: str = "Odd") -> Edit:
    def edit(document: Document) -> None:
        document["components"]["schemas"][name] = value

    return edit


def operation(**keywords: Any) -> Edit:
    def edit(document: Document) -> None:
        document["paths"]["/crm/users"]["get"].update(keywords)

    return edit


def member(value: Any) -> Edit:
    return schema({"type": "object", "properties": {"x": value}})


def root(**keywords: Any) -> Edit:
    return lambda document: document.update(keywords)


def ref(name: str) -> Document:
    return {"$ref": f"#/components/schemas/{name}"}


TEXT = {"type": "string"}
FREE = {"type": "object"}
ODD_PARAMETER = f"{QUERY}/parameters/6"


def body(value: Any) -> Edit:
    return operation(
        requestBody={"required": True, "content": {"application/json": {"schema": value}}}
    )


def both(*edits: Edit) -> Edit:
    def edit(document: Document) -> None:
        for each in edits:
            each(document)

    return edit


SHORT = TEXT | {"maxLength": 3}
BODY = f"{USERS}/requestBody/content/application~1json/schema"
NESTED = {"type": "object", "properties": {"y": SHORT}}

"""What the generator cannot express is an error that names the keyword and the place."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from generator.render import generate
from generator.spec import Spec, SpecError

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

REFUSED = {
    "deepObject": (
        parameter(style="deepObject", explode=True, schema=FREE),
        ["deepObject", "style", f"{ODD_PARAMETER}/style", '"odd"', "query_records"],
    ),
    "array in a query": (
        parameter(schema={"type": "array", "items": TEXT}),
        ["type: array", f"{ODD_PARAMETER}/schema", '"odd"'],
    ),
    "nullable parameter": (
        parameter(schema={"type": ["string", "null"]}),
        ["type", f"{ODD_PARAMETER}/schema"],
    ),
    "union parameter": (
        parameter(schema={"oneOf": [TEXT, {"type": "integer"}]}),
        ["oneOf", f"{ODD_PARAMETER}/schema"],
    ),
    "no schema": (parameter(), ["schema", "content", ODD_PARAMETER]),
    "content that is no JSON": (
        parameter(content={"text/csv": {"schema": TEXT}}),
        ["content", "text/csv", f"{ODD_PARAMETER}/content"],
    ),
    "allowReserved": (
        parameter(schema=TEXT, allowReserved=True),
        ["allowReserved", f"{ODD_PARAMETER}/allowReserved"],
    ),
    "pattern": (parameter(schema=TEXT | {"pattern": "^a"}), ["pattern", f"{ODD_PARAMETER}/schema"]),
    "header": (
        operation(parameters=[{"name": "odd", "in": "header", "schema": TEXT}]),
        ["in: header", f"{USERS}/parameters/0/in", '"odd"'],
    ),
    "wrong default": (
        parameter(schema={"type": "integer", "default": "x"}),
        ["GET /crm/records/query"],
    ),
    "patternProperties": (
        schema({"type": "object", "patternProperties": {"^x": TEXT}}),
        ["patternProperties", f"{ODD}/patternProperties", "schema Odd"],
    ),
    "propertyNames": (schema(FREE | {"propertyNames": TEXT}), [f"{ODD}/propertyNames"]),
    "not": (member({"not": TEXT}), ["`not`", f"{ODD}/properties/x/not", '"x" of schema Odd']),
    "if and then": (schema({"if": {}, "then": {}}), [f"{ODD}/if", f"{ODD}/then"]),
    "prefixItems": (member({"type": "array", "prefixItems": [TEXT]}), ["`prefixItems`"]),
    "boolean schema": (member(True), ["boolean schema", f"{ODD}/properties/x"]),
    "boolean items": (
        member({"type": "array", "items": False}),
        ["boolean schema", f"{ODD}/properties/x/items"],
    ),
    "readOnly": (member(TEXT | {"readOnly": True}), [f"{ODD}/properties/x/readOnly"]),
    "nullable of 3.0": (member(TEXT | {"nullable": True}), [f"{ODD}/properties/x/nullable"]),
    "binary": (member(TEXT | {"format": "binary"}), ["format: binary", f"{ODD}/properties/x"]),
    "unknown type": (member({"type": "file"}), ["type: file", f"{ODD}/properties/x/type"]),
    "keyword of another type": (
        member({"type": "object", "items": TEXT}),
        ["`items`", "type: array", f"{ODD}/properties/x/items"],
    ),
    "array of nothing": (member({"type": "array"}), ["`items`", f"{ODD}/properties/x"]),
    "numbers in an enum": (member({"type": "integer", "enum": [1, 2]}), ["`enum`"]),
    "enum with null": (member({"type": ["string", "null"], "enum": ["a", None]}), ["`enum`"]),
    "line break in an enum": (
        member({"type": "string", "enum": ["a\nb"]}),
        ["`enum`", r"'a\nb'", f"{ODD}/properties/x/enum", '"x" of schema Odd'],
    ),
    "const of a fraction": (
        member({"const": 1.5}),
        ["`const`", f"{ODD}/properties/x/const", '"x" of schema Odd'],
    ),
    "const of a truth": (member({"const": True}), ["`const`", f"{ODD}/properties/x/const"]),
    "const of null": (member({"const": None}), ["`const`", f"{ODD}/properties/x/const"]),
    "enum with one name twice": (
        member({"type": "string", "enum": ["a-b", "a_b"]}),
        ["`enum`", "name", f"{ODD}/properties/x/enum"],
    ),
    "bounds in a nullable oneOf of a body": (
        body({"type": "object", "properties": {"x": {"oneOf": [SHORT, {"type": "null"}]}}}),
        ["`maxLength`", f"{BODY}/properties/x/oneOf/0/maxLength", "list_users"],
    ),
    "bounds of the items in a body": (
        both(
            schema(SHORT),
            body({"type": "object", "properties": {"x": {"type": "array", "items": ref("Odd")}}}),
        ),
        ["`maxLength`", f"{ODD}/maxLength", "operation list_users"],
    ),
    "bounds of a model in a body": (
        both(schema(NESTED), body({"type": "object", "properties": {"x": ref("Odd")}})),
        ["`maxLength`", f"{ODD}/properties/y/maxLength", "operation list_users"],
    ),
    "bounds of a body": (body(SHORT), ["`maxLength`", f"{BODY}/maxLength", "list_users"]),
    "bounds in a free-form body": (
        body(FREE | {"additionalProperties": {"type": "integer", "minimum": 1}}),
        ["`minimum`", f"{BODY}/additionalProperties/minimum"],
    ),
    "bounds of a member given twice": (
        body({"allOf": [{"type": "object", "properties": {"y": TEXT}}, NESTED]}),
        ["`maxLength`", f"{BODY}/allOf/1/properties/y/maxLength"],
    ),
    "bounds in a recursive model of a body": (
        both(
            schema({"type": "object", "properties": {"next": ref("Odd"), "y": SHORT}}),
            body({"type": "object", "properties": {"x": ref("Odd")}}),
        ),
        ["`maxLength`", f"{ODD}/properties/y/maxLength"],
    ),
    "bounds in JSON content": (
        parameter(content={"application/json": {"schema": NESTED}}),
        ["`maxLength`", f"{ODD_PARAMETER}/content/application~1json/schema/properties/y", '"odd"'],
    ),
    "bounds of several types": (
        member({"type": ["string", "integer"], "minimum": 1}),
        ["`minimum`", f"{ODD}/properties/x/minimum", "more than one type"],
    ),
    "length of a date": (
        parameter(schema=SHORT | {"format": "date"}),
        ["`maxLength`", "format: date", f"{ODD_PARAMETER}/schema/maxLength", '"odd"'],
    ),
    "bounds that no value can keep": (
        parameter(schema={"type": "integer", "minimum": 10, "maximum": 1}),
        ["`minimum` is greater than `maximum`", f"{ODD_PARAMETER}/schema/minimum", '"odd"'],
    ),
    "objects beside each other": (
        member({"oneOf": [ref("User"), ref("Record")]}),
        ["oneOf", "object", "discriminator", f"{ODD}/properties/x/oneOf"],
    ),
    "strings beside each other": (
        member({"anyOf": [TEXT, TEXT | {"format": "date"}]}),
        ["anyOf", "string"],
    ),
    "type beside oneOf": (member({"oneOf": [TEXT], "type": "string"}), ["`type` beside `oneOf`"]),
    "discriminator without mapping": (
        schema({"oneOf": [ref("User")], "discriminator": {"propertyName": "role"}}),
        ["discriminator", "mapping", f"{ODD}/discriminator"],
    ),
    "discriminator against a const": (
        both(
            schema({"type": "object", "properties": {"k": {"const": "one"}}}, "One"),
            schema(
                {
                    "oneOf": [ref("One")],
                    "discriminator": {"propertyName": "k", "mapping": {"two": ref("One")["$ref"]}},
                }
            ),
        ),
        ["`mapping` of `two`", f"{ODD}/discriminator/mapping/two", "schema Odd"],
    ),
    "discriminator without its member": (
        schema(
            {
                "oneOf": [ref("User")],
                "discriminator": {"propertyName": "k", "mapping": {"x": ref("User")["$ref"]}},
            }
        ),
        ["`mapping` of `x`", "`k`", f"{ODD}/discriminator/mapping/x"],
    ),
    "discriminator that is no name": (
        schema(
            {
                "oneOf": [ref("User")],
                "discriminator": {"propertyName": "a-b", "mapping": {"x": ref("User")["$ref"]}},
            }
        ),
        ["`propertyName: a-b`", f"{ODD}/discriminator/propertyName"],
    ),
    "discriminator inside": (
        member(
            {
                "oneOf": [ref("User")],
                "discriminator": {
                    "propertyName": "role",
                    "mapping": {"a": "#/components/schemas/User"},
                },
            }
        ),
        ["discriminator", f"{ODD}/properties/x/discriminator"],
    ),
    "members beside named ones": (
        schema({"type": "object", "properties": {"x": TEXT}, "additionalProperties": TEXT}),
        ["additionalProperties", f"{ODD}/additionalProperties"],
    ),
    "bounds in allOf": (
        schema({"allOf": [ref("User"), {"type": "object", "additionalProperties": True}]}),
        ["additionalProperties", "allOf", f"{ODD}/allOf/1"],
    ),
    "a keyword as a member": (
        schema({"type": "object", "properties": {"if": TEXT}}),
        ["`if`", f"{ODD}/properties/if", "schema Odd"],
    ),
    "a member called self": (
        schema({"type": "object", "properties": {"self": TEXT}}),
        ["`self`", f"{ODD}/properties/self", "schema Odd"],
    ),
    "a private member": (
        schema({"type": "object", "properties": {"__class__": TEXT}}),
        ["`__class__`", f"{ODD}/properties/__class__", "schema Odd"],
    ),
    "a member that hides a type": (
        schema({"type": "object", "properties": {"UUID": TEXT, "x": TEXT | {"format": "uuid"}}}),
        ["`UUID`", ODD, "schema Odd", "`x`"],
    ),
    "required without a property": (
        schema({"type": "object", "properties": {"x": TEXT}, "required": ["y"]}),
        ["required", "y", ODD],
    ),
    "required as in JSON Schema 3": (
        member(TEXT | {"required": True}),
        ["list", f"{ODD}/properties/x/required"],
    ),
    "keyword beside $ref": (
        member(ref("User") | {"default": {}}),
        ["`default` beside `$ref`", f"{ODD}/properties/x/default"],
    ),
    "reference to nothing": (member(ref("Nobody")), ["Nobody", f"{ODD}/properties/x/$ref"]),
    "reference elsewhere": (member({"$ref": "other.yaml#/X"}), ["other.yaml"]),
    "reference in a circle": (schema(ref("Odd")), [f"{ODD}/$ref"]),
    "class of a taken name": (
        schema({"type": "object", "properties": {"x": TEXT}}, "Mapping"),
        ["Mapping", "#/components/schemas"],
    ),
    "class called like a resource": (
        schema({"type": "object", "properties": {"x": TEXT}}, "Users"),
        ["Users", "tag users"],
    ),
    "no operationId": (operation(operationId="not a name"), ["operationId", USERS]),
    "operationId twice": (
        operation(operationId="get_user"),
        ["operationId", "get_user", "~1crm~1users~1{user_id}/get"],
    ),
    "operationId of the same name in Python": (
        operation(operationId="getUser"),
        ["operationId", "getUser", "GET /crm/users: `getUser`", "get_user", "{user_id}/get"],
    ),
    "operationId of the same name under another tag": (
        lambda document: document["paths"]["/crm/objects"]["get"].update(operationId="getUser"),
        ["`operationId: get_user`", "GET /crm/objects: `getUser`", "~1crm~1users~1{user_id}/get"],
    ),
    "tags of the same name in Python": (
        lambda document: document["tags"].append({"name": "Users"}),
        ["tag `Users`", "#/tags/", "`users`"],
    ),
    "two tags": (operation(tags=["users", "objects"]), ["tags", USERS, "list_users"]),
    "method twice": (operation(**{"x-kantos-method": "get"}), ["method `get`", "users"]),
    "method that is private": (
        operation(**{"x-kantos-method": "_session"}),
        ["x-kantos-method: _session", USERS, "list_users"],
    ),
    "method of Python's own": (
        operation(**{"x-kantos-method": "__init__"}),
        ["x-kantos-method: __init__", USERS, "list_users"],
    ),
    "method that hides a type": (
        operation(**{"x-kantos-method": "str"}),
        ["method `str`", "tag users"],
    ),
    "misspelt extension": (
        operation(**{"x-kantos-methd": "all"}),
        ["x-kantos-methd", USERS, "list_users"],
    ),
    "status of neither kind": (operation(**{"x-kantos-status": "guessed"}), ["x-kantos-status"]),
    "callbacks": (operation(callbacks={}), ["callbacks", f"{USERS}/callbacks"]),
    "security of its own": (operation(security=[]), ["security", f"{USERS}/security"]),
    "answer that is no JSON": (
        operation(
            responses={"200": {"description": "x", "content": {"text/xml": {"schema": TEXT}}}}
        ),
        ["content", "text/xml", f"{USERS}/responses/200/content"],
    ),
    "default answer alone": (
        operation(
            responses={
                "default": {
                    "description": "x",
                    "content": {"application/json": {"schema": TEXT}},
                }
            }
        ),
        ["`content` of `default`", f"{USERS}/responses/default", "operation list_users"],
    ),
    "two good answers": (
        operation(
            responses={
                "200": {"$ref": "#/components/responses/Record"},
                "201": {"$ref": "#/components/responses/Field"},
            }
        ),
        ["responses", "Record, Field", "list_users"],
    ),
    "body of two kinds": (
        operation(
            requestBody={
                "required": True,
                "content": {
                    "application/json": {"schema": FREE},
                    "multipart/form-data": {"schema": FREE},
                },
            }
        ),
        ["content", "multipart/form-data", f"{USERS}/requestBody/content"],
    ),
    "body that may be absent": (
        operation(requestBody={"content": {"application/json": {"schema": FREE}}}),
        ["required", f"{USERS}/requestBody"],
    ),
    "two arguments of one name": (
        operation(
            parameters=[
                {"name": "a-b", "in": "query", "schema": TEXT},
                {"name": "a_b", "in": "query", "schema": TEXT},
            ]
        ),
        ["a_b", "list_users"],
    ),
    "path without its parameter": (
        lambda document: document["paths"].update(
            {"/odd/{x}": {"get": document["paths"]["/crm/users"]["get"] | {"operationId": "odd"}}}
        ),
        ["/odd/{x}"],
    ),
    "path by reference": (
        lambda document: document["paths"].update({"/odd": {"$ref": "#/paths/~1crm~1users"}}),
        ["$ref", "#/paths/~1odd/$ref", "/odd"],
    ),
    "webhooks": (root(webhooks={}), ["webhooks", "#/webhooks"]),
    "no paths": (root(paths=None), ["mapping", "#/paths"]),
    "tag called models": (operation(tags=["models"]), ["models"]),
}


@pytest.mark.parametrize(("edit", "said"), REFUSED.values(), ids=REFUSED.keys())
def test_refused(document: Document, edit: Edit, said: list[str]) -> None:
    edit(document)
    with pytest.raises(SpecError) as caught:
        generate(Spec(document))
    message = str(caught.value)
    assert [word for word in said if word not in message] == []


def test_all_problems_are_told_at_once(document: Document) -> None:
    document["components"]["schemas"] |= {"One": {"not": {}}, "Two": True}
    with pytest.raises(SpecError) as caught:
        generate(Spec(document))
    owners = [problem.place.owner for problem in caught.value.problems]
    assert owners == ["schema One", "schema Two"]


FINE = {
    "free-form object": schema({"type": "object", "additionalProperties": True}),
    "closed object": schema(
        {"type": "object", "properties": {"x": TEXT}, "additionalProperties": False}
    ),
    "default answer": operation(
        responses={
            "200": {"$ref": "#/components/responses/Record"},
            "default": {"$ref": "#/components/responses/InternalError"},
        }
    ),
    "description beside $ref": member(ref("User") | {"description": "Somebody."}),
    "bounds in an answer": lambda document: document["components"]["schemas"]["User"][
        "properties"
    ].update(odd={"type": "array", "items": SHORT}),
    "named string": schema(TEXT),
    "default style": parameter(schema=TEXT, style="form", explode=True),
}


@pytest.mark.parametrize("edit", FINE.values(), ids=FINE.keys())
def test_not_refused(document: Document, edit: Edit) -> None:
    edit(document)
    assert "models/records.py" in generate(Spec(document))

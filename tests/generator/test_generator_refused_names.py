"""Names and values that generated code could not keep are errors that name the place."""

from __future__ import annotations

import pytest
from support.documents import (
    BODY,
    FREE,
    NESTED,
    ODD,
    ODD_PARAMETER,
    SHORT,
    TEXT,
    USERS,
    Document,
    Edit,
    body,
    both,
    member,
    operation,
    parameter,
    ref,
    schema,
)

from generator.render import generate
from generator.spec import Spec, SpecError

REFUSED = {
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
    "class of a taken name": (
        schema({"type": "object", "properties": {"x": TEXT}}, "Mapping"),
        ["Mapping", "#/components/schemas"],
    ),
    "class called like a resource": (
        schema({"type": "object", "properties": {"x": TEXT}}, "Users"),
        ["Users", "tag users"],
    ),
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
    "two arguments of one name": (
        operation(
            parameters=[
                {"name": "a-b", "in": "query", "schema": TEXT},
                {"name": "a_b", "in": "query", "schema": TEXT},
            ]
        ),
        ["a_b", "list_users"],
    ),
    "tag called models": (operation(tags=["models"]), ["models"]),
}


@pytest.mark.parametrize(("edit", "said"), REFUSED.values(), ids=REFUSED.keys())
def test_refused(document: Document, edit: Edit, said: list[str]) -> None:
    edit(document)
    with pytest.raises(SpecError) as caught:
        generate(Spec(document))
    message = str(caught.value)
    assert [word for word in said if word not in message] == []

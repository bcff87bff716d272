"""What the generator cannot express is an error that names the keyword and the place."""

from __future__ import annotations

import pytest
from support.documents import (
    FREE,
    ODD,
    ODD_PARAMETER,
    SHORT,
    TEXT,
    USERS,
    Document,
    Edit,
    member,
    operation,
    parameter,
    ref,
    root,
    schema,
)

from generator.render import generate
from generator.spec import Spec, SpecError

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
    "objects beside each other": (
        member({"oneOf": [ref("User"), ref("Record")]}),
        ["oneOf", "object", "discriminator", f"{ODD}/properties/x/oneOf"],
    ),
    "strings beside each other": (
        member({"anyOf": [TEXT, TEXT | {"format": "date"}]}),
        ["anyOf", "string"],
    ),
    "type beside oneOf": (member({"oneOf": [TEXT], "type": "string"}), ["`type` beside `oneOf`"]),
    "members beside named ones": (
        schema({"type": "object", "properties": {"x": TEXT}, "additionalProperties": TEXT}),
        ["additionalProperties", f"{ODD}/additionalProperties"],
    ),
    "bounds in allOf": (
        schema({"allOf": [ref("User"), {"type": "object", "additionalProperties": True}]}),
        ["additionalProperties", "allOf", f"{ODD}/allOf/1"],
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
    "no operationId": (operation(operationId="not a name"), ["operationId", USERS]),
    "two tags": (operation(tags=["users", "objects"]), ["tags", USERS, "list_users"]),
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

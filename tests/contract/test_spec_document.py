"""The document against the rules of OpenAPI, against its own examples, and against the facts."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from openapi_spec_validator import validate
from referencing import Registry, Resource
from referencing.jsonschema import DRAFT202012
from ruamel.yaml import YAML

SPEC: dict[str, Any] = YAML(typ="safe").load(
    Path(__file__).parents[2].joinpath("openapi", "kantos.yaml").read_text(encoding="utf-8")
)
REGISTRY = Registry().with_resource("urn:spec", Resource(SPEC, DRAFT202012))

DOCUMENTED = {
    "query_records": "GET /crm/records/query",
    "get_record": "GET /crm/record/{record_id}",
    "create_record": "POST /crm/record",
    "update_record": "PATCH /crm/record/{record_id}",
    "delete_record": "DELETE /crm/record/{record_id}",
    "list_objects": "GET /crm/objects",
    "get_object": "GET /crm/objects/{object_id}",
    "create_object": "POST /crm/objects",
    "add_field": "POST /crm/objects/{object_id}/fields",
}
INFERRED = {
    "list_users": "GET /crm/users",
    "get_user": "GET /crm/users/{user_id}",
    "list_automations": "GET /crm/automations",
    "create_automation": "POST /crm/automations",
    "get_automation": "GET /crm/automations/{automation_id}",
    "update_automation": "PATCH /crm/automations/{automation_id}",
    "delete_automation": "DELETE /crm/automations/{automation_id}",
    "list_automation_runs": "GET /crm/automations/{automation_id}/runs",
    "ingest": "POST /intake/ingest",
}


def resolve(node: Any) -> Any:
    while "$ref" in node:
        target: Any = SPEC
        for step in node["$ref"][2:].split("/"):
            target = target[step]
        node = target
    return node


def operations() -> Iterator[tuple[str, dict[str, Any]]]:
    for path, item in SPEC["paths"].items():
        for method, operation in item.items():
            if method != "parameters":
                yield f"{method.upper()} {path}", operation


def responses() -> Iterator[Any]:
    for endpoint, operation in operations():
        for status, response in operation["responses"].items():
            yield pytest.param(int(status), resolve(response), id=f"{endpoint} {status}")


def examples(node: Any = SPEC, pointer: str = "") -> Iterator[Any]:
    """Each example with the pointer of its schema, wherever in the document it stands."""
    if isinstance(node, list):
        for index, item in enumerate(node):
            yield from examples(item, f"{pointer}/{index}")
    if not isinstance(node, dict):
        return
    if "example" in node:
        inner = "/content/application~1json/schema" if "content" in node else "/schema"
        yield pytest.param(pointer + inner, node["example"], id=pointer)
    for index, example in enumerate(node.get("examples", [])):
        yield pytest.param(pointer, example, id=f"{pointer} {index}")
    for key, value in node.items():
        if key not in {"example", "examples"}:
            step = key.replace("~", "~0").replace("/", "~1")
            yield from examples(value, f"{pointer}/{step}")


def test_the_document_is_openapi() -> None:
    validate(SPEC)


@pytest.mark.parametrize(("pointer", "example"), list(examples()))
def test_an_example_fits_its_schema(pointer: str, example: Any) -> None:
    validator = Draft202012Validator(
        {"$ref": f"urn:spec#{pointer}"},
        registry=REGISTRY,
        format_checker=Draft202012Validator.FORMAT_CHECKER,
    )
    validator.validate(example)


def test_what_is_documented_and_what_is_inferred() -> None:
    found: dict[str, dict[str, str]] = {"documented": {}, "inferred": {}}
    for endpoint, operation in operations():
        found[operation["x-kantos-status"]][operation["operationId"]] = endpoint
    assert found == {"documented": DOCUMENTED, "inferred": INFERRED}


@pytest.mark.parametrize(("_", "operation"), list(operations()))
def test_an_operation_is_described_and_has_examples(_: str, operation: dict[str, Any]) -> None:
    assert operation["summary"]
    assert len(operation["tags"]) == 1
    if "requestBody" in operation:
        assert "example" in operation["requestBody"]["content"]["application/json"]


@pytest.mark.parametrize(("status", "response"), list(responses()))
def test_a_response_tells_the_quota_and_an_error_what_went_wrong(
    status: int, response: dict[str, Any]
) -> None:
    expected = {"X-RateLimit-Limit", "X-RateLimit-Remaining", "X-RateLimit-Reset"}
    assert expected <= response["headers"].keys()
    assert ("Retry-After" in response["headers"]) == (status == 429)
    if status >= 400:
        media = response["content"]["application/json"]
        assert media["schema"] == {"$ref": "#/components/schemas/Error"}
        assert media["example"]["status"] == status


@pytest.mark.parametrize(("status", "response"), list(responses()))
def test_a_body_has_an_example(status: int, response: dict[str, Any]) -> None:
    for media in response.get("content", {}).values():
        assert "example" in media or resolve(media["schema"])["examples"]


def test_every_operation_may_be_refused_or_fail() -> None:
    for _, operation in operations():
        assert {"401", "403", "429", "500"} <= operation["responses"].keys()


def test_writes_of_records_may_answer_as_is_not_said() -> None:
    by_id = {operation["operationId"]: operation for _, operation in operations()}
    for name in ("create_record", "update_record"):
        assert {"200", "201", "204"} <= by_id[name]["responses"].keys()
    good = [resolve(by_id["delete_record"]["responses"][status]) for status in ("200", "204")]
    assert all("content" not in response for response in good)


def test_the_key_goes_in_its_header() -> None:
    assert SPEC["security"] == [{"ApiKey": []}]
    scheme = SPEC["components"]["securitySchemes"]["ApiKey"]
    assert (scheme["type"], scheme["in"], scheme["name"]) == ("apiKey", "header", "X-Api-Key")


def test_bounds_of_pages() -> None:
    (query,) = [
        operation for _, operation in operations() if operation["operationId"] == "query_records"
    ]
    schemas = {parameter["name"]: parameter.get("schema") for parameter in query["parameters"]}
    assert schemas["page"]["minimum"] == 1
    assert (schemas["per_page"]["minimum"], schemas["per_page"]["maximum"]) == (1, 100)
    assert schemas["filters"] is None  # it is JSON, not a schema of its own

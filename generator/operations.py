"""What the templates of the endpoint functions and resource classes need to know."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from openapi_python_client import strings
from openapi_python_client.parser import GeneratorData
from openapi_python_client.parser.openapi import Endpoint
from openapi_python_client.parser.properties import (
    BooleanProperty,
    DateProperty,
    DateTimeProperty,
    ListProperty,
    ModelProperty,
    Property,
    StringProperty,
    UnionProperty,
)

from .docs import INFERRED, bounds, docstring, remarks
from .models import Models, optional
from .names import argument_name, is_name, literal, text
from .spec import Place, Problem, Spec, SpecError
from .types import Types, members_of

__all__ = ["Module", "modules"]

PREVIEW = "Preview: inferred, not documented; it may differ, or not be there at all."


# Named here, not imported: the package cannot be imported while its generated part is missing.
ERRORS = {
    400: "BadRequestError",
    401: "AuthenticationError",
    403: "PermissionDeniedError",
    404: "NotFoundError",
    409: "ConflictError",
    422: "UnprocessableEntityError",
    429: "RateLimitError",
    500: "InternalServerError",
}


@dataclass
class Argument:
    """An argument of an endpoint function."""

    name: str
    wire: str
    place: str
    annotation: str
    default: str
    doc: str
    #: The condition under which it is out of bounds, and what to say then; empty for none.
    condition: str
    complaint: str
    #: Its value as it goes on the wire.
    sent: str

    @property
    def declaration(self) -> str:
        """The argument in a signature."""
        default = f" = {self.default}" if self.default else ""
        return f"{self.name}: {self.annotation}{default}"


@dataclass
class Operation:
    """An endpoint function, and the method that calls it."""

    name: str
    method: str
    http_method: str
    path: str
    arguments: list[Argument]
    result: str
    #: The member that the method hands out in place of the whole answer; empty for none.
    unwrapped: str
    method_result: str
    body: str
    paragraphs: list[str]
    raises: dict[str, str]

    @property
    def params(self) -> list[Argument]:
        """The arguments that go in the query string."""
        return [argument for argument in self.arguments if argument.place == "query"]

    @property
    def positional(self) -> list[Argument]:
        """What the method takes by position: the id it is about."""
        return [argument for argument in self.arguments if argument.place == "path"][:1]

    @property
    def keywords(self) -> list[Argument]:
        """What the method takes by keyword."""
        return [argument for argument in self.arguments if argument not in self.positional]

    def doc(self, session: bool) -> str:
        """The docstring, with or without the function's first argument."""
        arguments = {argument.name: argument.doc for argument in self.arguments}
        if session:
            arguments = {"session": "What sends the call.", **arguments}
        return docstring(self.paragraphs, {"Args": arguments, "Raises": self.raises})


@dataclass
class Module:
    """A tag."""

    name: str
    doc: str
    operations: list[Operation]
    #: The name of the resource class; empty where it is written by hand.
    resource: str

    @property
    def hides_list(self) -> bool:
        """Whether a method called `list` hides the type from the annotations beside it."""
        return any(operation.method == "list" for operation in self.operations)


def modules(spec: Spec, data: GeneratorData, types: Types, models: Models) -> list[Module]:
    """One module a tag, in the document's order.

    Raises:
        SpecError: an operation cannot be expressed.
    """
    tags = {text(tag["name"]): tag for tag in spec.raw.get("tags", [])}
    raw = {
        strings.PythonIdentifier(operation["operationId"], "field_"): (path, method, operation)
        for path, method, operation in spec.operations()
    }
    built: list[Module] = []
    for name, collection in data.endpoint_collections_by_tag.items():
        first = raw[collection.endpoints[0].name][2]
        tag = tags.get(first["tags"][0], {})
        operations = [
            _Builder(spec, types, models, endpoint, *raw[endpoint.name]).operation()
            for endpoint in collection.endpoints
        ]
        doc = docstring(
            [
                tag.get("description") or f"Endpoints tagged `{name}`.",
                "A preview: nothing here is documented." if tag.get("x-kantos-preview") else "",
            ]
        )
        resource = "" if tag.get("x-kantos-handwritten") else strings.pascal_case(name)
        built.append(Module(name, doc, operations, resource))
    return built


class _Builder:
    def __init__(
        self,
        spec: Spec,
        types: Types,
        models: Models,
        endpoint: Endpoint,
        path: str,
        method: str,
        raw: dict[str, Any],
    ) -> None:
        self.spec = spec
        self.types = types
        self.models = models
        self.endpoint = endpoint
        self.path = path
        self.method = method
        self.raw = raw
        self.raw_parameters = spec.parameters(path, method)
        self.place = Place("#/paths").at(path).at(method).named(f"operation {raw['operationId']}")

    def operation(self) -> Operation:
        arguments = [
            *(self.parameter(prop, "path") for prop in self.endpoint.path_parameters),
            *(self.parameter(prop, "query") for prop in self.endpoint.query_parameters),
        ]
        body, members = self.body()
        arguments += members
        # Required ones first; `sorted` keeps the document's order among equals.
        arguments = sorted(arguments, key=lambda argument: bool(argument.default))
        self.refuse_doubles(arguments)
        result, answer = self.result()
        unwrapped, method_result = self.unwrapped(answer, result)
        method = self.raw.get("x-kantos-method", self.endpoint.name)
        if not is_name(method):
            self.refuse(f"`x-kantos-method: {method}` is no Python name")
        return Operation(
            name=self.endpoint.name,
            method=method,
            http_method=self.method.upper(),
            path=self.path_template(arguments),
            arguments=arguments,
            result=result,
            unwrapped=unwrapped,
            method_result=method_result,
            body=body,
            paragraphs=self.paragraphs(),
            raises=self.raises(arguments),
        )

    def refuse(self, what: str) -> None:
        raise SpecError([Problem(what, self.place)])

    def refuse_doubles(self, arguments: list[Argument]) -> None:
        names = [argument.name for argument in arguments]
        for name in names:
            if names.count(name) > 1:
                self.refuse(f"two parameters or members would be the argument `{name}`")

    def parameter(self, prop: Property, place: str) -> Argument:
        wire = text(prop.name)
        raw = self.raw_parameters[place, wire]
        is_json = "content" in raw
        schema = self.spec.resolve(
            raw["content"]["application/json"]["schema"] if is_json else raw["schema"]
        )
        annotation, default = self.types.argument(prop), ""
        if not prop.required:
            annotation, default = optional(annotation), "None"
        name = argument_name(wire)
        sent = f"json_param({name})" if is_json else _as_text(prop, name)
        if place == "path":
            sent = f"segment({sent})"
        return self.argument(name, wire, place, annotation, default, raw, schema, sent)

    def argument(
        self,
        name: str,
        wire: str,
        place: str,
        annotation: str,
        default: str,
        raw: Mapping[str, Any],
        schema: Mapping[str, Any],
        sent: str,
    ) -> Argument:
        condition = _out_of_bounds(name, schema)
        if condition and default:
            condition = f"{name} is not {default} and {condition}"
        if condition and default != "None" and annotation.endswith("| None"):
            condition = f"{name} is not None and {condition}"
        complaint = f'f"{name} must be {bounds(schema)}, not {{{name}}}"' if condition else ""
        doc = remarks(raw, schema)
        return Argument(name, wire, place, annotation, default, doc, condition, complaint, sent)

    def body(self) -> tuple[str, list[Argument]]:
        """The body as an expression, and the arguments that it takes."""
        if not self.endpoint.bodies:
            return "", []
        prop = self.endpoint.bodies[0].prop
        raw = self.spec.resolve(self.raw["requestBody"])
        schema = raw["content"]["application/json"]["schema"]
        if not isinstance(prop, ModelProperty) or self.types.values_of_mapping(prop):
            argument = self.argument(
                "body", "body", "body", self.types.argument(prop), "", raw, {}, "body"
            )
            return "body", [argument]
        resolved = self.spec.resolve(schema)
        members: list[Argument] = []
        plain = True
        for member in members_of(self.types.models[prop.class_info.name]):
            wire = text(member.name)
            name = argument_name(wire)
            annotation, default = self.types.argument(member), ""
            if not member.required:
                annotation, default = f"{annotation} | UnsetType", "UNSET"
            plain = plain and not default and not set(self.types.classes(member))
            node = resolved.get("properties", {}).get(wire, {})
            members.append(
                self.argument(
                    name, wire, "body", annotation, default, node, self.spec.resolve(node), name
                )
            )
        pairs = ", ".join(f"{literal(member.wire)}: {member.sent}" for member in members)
        return (f"{{{pairs}}}" if plain else f"json_body({{{pairs}}})"), members

    def result(self) -> tuple[str, Property | None]:
        """The type of a good answer: the one that those with a body agree on."""
        answers: dict[str, Property] = {}
        for response in self.endpoint.responses:
            good = response.status_code.range and response.status_code.range[0] // 100 == 2
            if good and response.source["attribute"] != "None":
                answers[self.types.annotation(response.prop)] = response.prop
        if len(answers) > 1:
            self.refuse(f"good answers differ: {', '.join(answers)}")
        for annotation, prop in answers.items():
            return annotation, prop
        return "None", None

    def unwrapped(self, answer: Property | None, result: str) -> tuple[str, str]:
        """A list that is wrapped in `data`, and nothing else, comes without its wrapping."""
        if isinstance(answer, ModelProperty) and answer.class_info.name in self.types.models:
            members = members_of(self.types.models[answer.class_info.name])
            if [text(member.name) for member in members] == ["data"] and isinstance(
                members[0], ListProperty
            ):
                inner = self.types.annotation(members[0].inner_property)
                return ".data", f"list[{inner}]"
        return "", result

    def path_template(self, arguments: list[Argument]) -> str:
        path = literal(self.path)
        for argument in arguments:
            if argument.place == "path":
                path = path.replace(f"{{{argument.wire}}}", f"{{{argument.sent}}}")
        return f"f{path}" if path != literal(self.path) else path

    def paragraphs(self) -> list[str]:
        status = self.raw.get("x-kantos-status", "inferred")
        return [
            self.raw.get("summary") or f"{self.method.upper()} {self.path}.",
            self.raw.get("description", ""),
            PREVIEW if status == "inferred" else "",
            "Deprecated." if self.raw.get("deprecated") else "",
            f"Endpoint: `{self.method.upper()} {self.path}` ({status}).",
        ]

    def raises(self, arguments: list[Argument]) -> dict[str, str]:
        raises: dict[str, str] = {}
        checked = [argument.name for argument in arguments if argument.condition]
        if checked:
            raises["ValueError"] = f"Out of bounds, before anything is sent: {', '.join(checked)}."
        for status, response in self.raw["responses"].items():
            if status.isdigit() and int(status) >= 400:
                name = ERRORS.get(min(int(status), 500), "APIError")
                raises[name] = f"{status}. {self.spec.resolve(response)['description']}"
        raises["APIConnectionError"] = "No answer came."
        raises["ResponseDecodeError"] = "The answer is no such thing as this operation answers."
        if self.method == "post":
            raises["UnknownOutcomeError"] = (
                "It may or may not have happened; it was not sent again."
            )
        return raises


def _as_text(prop: Property, name: str) -> str:
    """A parameter's value as the text that goes on the wire."""
    if isinstance(prop, StringProperty):
        return name
    if isinstance(prop, BooleanProperty):
        return f'"true" if {name} else "false"'
    if isinstance(prop, DateProperty | DateTimeProperty):
        return f"{name}.isoformat()"
    if isinstance(prop, UnionProperty):
        place = Place().named(f'parameter "{text(prop.name)}"')
        raise SpecError([Problem("a union is not supported in a parameter", place)])
    return f"str({name})"


def _out_of_bounds(name: str, schema: Mapping[str, Any]) -> str:
    measured = f"len({name})" if {"minLength", "maxLength"} & schema.keys() else name
    low = schema.get("minLength", schema.get("minimum"))
    high = schema.get("maxLength", schema.get("maximum"))
    if low is not None and high is not None:
        return f"not {low} <= {measured} <= {high}"
    if low is not None:
        return f"{measured} < {low}"
    return f"{measured} > {high}" if high is not None else ""

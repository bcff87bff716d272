"""What the template of a module needs to know of its endpoint functions and resource class."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from openapi_python_client import strings
from openapi_python_client.parser import GeneratorData
from openapi_python_client.parser.openapi import Endpoint
from openapi_python_client.parser.properties.list_property import ListProperty
from openapi_python_client.parser.properties.model_property import ModelProperty
from openapi_python_client.parser.properties.protocol import PropertyProtocol

from .arguments import Argument, Arguments
from .docs import docstring
from .names import function_name, is_member, literal, module_name, text
from .spec import Place, Problem, Spec, SpecError
from .types import Types

__all__ = ["ERRORS", "Module", "Operation", "modules"]

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


@dataclass(kw_only=True)
class Operation:
    """An endpoint function, and the method that calls it."""

    name: str
    method: str
    http_method: str
    path: str
    arguments: list[Argument]
    result: str
    #: The type of the list that the method hands out in place of the whole answer.
    unwrapped: str
    body: str
    paragraphs: list[str]
    raises: dict[str, str]

    @property
    def params(self) -> list[Argument]:
        """The arguments that go in the query string."""
        return [argument for argument in self.arguments if argument.place == "query"]

    @property
    def positional(self) -> list[Argument]:
        """What the method takes by position: the id that it is about."""
        return [argument for argument in self.arguments if argument.place == "path"][:1]

    @property
    def keywords(self) -> list[Argument]:
        """What the method takes by keyword."""
        return [argument for argument in self.arguments if argument not in self.positional]

    def doc(self, *, session: bool) -> str:
        """The docstring, with or without the function's first argument."""
        arguments = {argument.name: argument.doc for argument in self.arguments}
        if session:
            arguments = {"session": "What sends the call.", **arguments}
        return docstring(self.paragraphs, {"Args": arguments, "Raises": self.raises})


@dataclass(kw_only=True)
class Module:
    """A tag."""

    name: str
    doc: str
    operations: list[Operation]
    #: The name of the resource class; empty where it is written by hand.
    resource: str

    @property
    def exported(self) -> list[str]:
        """The names that the module is there for."""
        names = [operation.name for operation in self.operations]
        return sorted([self.resource, *names] if self.resource else names)

    @property
    def hides_list(self) -> bool:
        """Whether a method called `list` hides the type from the annotations beside it."""
        return any(operation.method == "list" for operation in self.operations)


def modules(spec: Spec, data: GeneratorData, types: Types) -> list[Module]:
    """One module a tag, in the document's order.

    Raises:
        SpecError: an operation cannot be expressed.
    """
    raw = {
        function_name(operation["operationId"]): (path, method)  # each but once: see `forms`
        for path, method, operation in spec.operations()
    }
    tags = {module_name(tag["name"]): tag for tag in spec.raw.get("tags", [])}
    built: list[Module] = []
    for name, collection in data.endpoint_collections_by_tag.items():
        tag = tags.get(name, {})
        preview = "A preview: nothing here is documented." if tag.get("x-kantos-preview") else ""
        built.append(
            Module(
                name=name,
                doc=docstring([tag.get("description") or f"The endpoints of `{name}`.", preview]),
                operations=[
                    _Builder(spec, types, endpoint, *raw[endpoint.name]).operation()
                    for endpoint in collection.endpoints
                ],
                resource="" if tag.get("x-kantos-handwritten") else strings.pascal_case(name),
            )
        )
    return built


class _Builder:
    def __init__(
        self, spec: Spec, types: Types, endpoint: Endpoint, path: str, method: str
    ) -> None:
        self.spec = spec
        self.types = types
        self.endpoint = endpoint
        self.path = path
        self.method = method
        self.raw: dict[str, Any] = spec.raw["paths"][path][method]

    def operation(self) -> Operation:
        arguments, body = self.arguments()
        answer = self.answer()
        method = self.raw.get("x-kantos-method", self.endpoint.name)
        if not is_member(method):
            self.refuse(f"`x-kantos-method: {method}` cannot be a method in Python")
        return Operation(
            name=self.endpoint.name,
            method=method,
            http_method=self.method.upper(),
            path=self.path_template(arguments),
            arguments=arguments,
            result=self.types.annotation(answer) if answer else "None",
            unwrapped=self.unwrapped(answer),
            body=body,
            paragraphs=self.paragraphs(),
            raises=self.raises(arguments),
        )

    def refuse(self, what: str) -> None:
        place = Place("#/paths").at(self.path).at(self.method)
        raise SpecError([Problem(what, place.named(f"operation {self.raw['operationId']}"))])

    def arguments(self) -> tuple[list[Argument], str]:
        make = Arguments(self.spec, self.types, self.endpoint.name)
        raw = self.spec.parameters(self.path, self.method)
        found = {"path": self.endpoint.path_parameters, "query": self.endpoint.query_parameters}
        arguments = [
            make.of_parameter(prop, raw[place, text(prop.name)])
            for place, props in found.items()
            for prop in props
        ]
        body, members = make.of_body(self.endpoint, self.raw)
        arguments += members
        names = [argument.name for argument in arguments]
        for name in sorted(set(names)):
            if names.count(name) > 1:
                self.refuse(f"two parameters or members would be the argument `{name}`")
        # `sorted` keeps the document's order among those that must be given, and the others.
        return sorted(arguments, key=lambda argument: bool(argument.default)), body

    def answer(self) -> PropertyProtocol | None:
        """What the good answers that have a body hold."""
        answers: dict[str, PropertyProtocol] = {}
        for response in self.endpoint.responses:
            statuses = response.status_code.range
            if statuses and statuses[0] // 100 == 2 and response.source["attribute"] != "None":
                answers[self.types.annotation(response.prop)] = response.prop
        if len(answers) > 1:
            self.refuse(f"`responses` with different good answers: {', '.join(answers)}")
        return next(iter(answers.values()), None)

    def unwrapped(self, answer: PropertyProtocol | None) -> str:
        """The type of a list that is wrapped in `data` and has nothing beside it."""
        if isinstance(answer, ModelProperty) and self.types.is_model(answer):
            members = self.types.members_of(answer)
            if [text(member.name) for member in members] == ["data"]:
                (data,) = members
                if isinstance(data, ListProperty) and data.required:
                    return self.types.annotation(data)
        return ""

    def path_template(self, arguments: Iterable[Argument]) -> str:
        path = literal(self.path)
        for argument in arguments:
            if argument.place == "path":
                path = path.replace(f"{{{argument.wire}}}", f"{{{argument.sent}}}")
        return path if path == literal(self.path) else f"f{path}"

    def paragraphs(self) -> list[str]:
        status = self.raw.get("x-kantos-status", "inferred")
        endpoint = f"{self.method.upper()} {self.path}"
        return [
            self.raw.get("summary") or f"Call `{endpoint}`.",
            self.raw.get("description", ""),
            PREVIEW if status == "inferred" else "",
            "Deprecated." if self.raw.get("deprecated") else "",
            f"Endpoint: `{endpoint}` ({status}).",
        ]

    def raises(self, arguments: Iterable[Argument]) -> dict[str, str]:
        raises: dict[str, str] = {}
        if checked := [argument.name for argument in arguments if argument.condition]:
            raises["ValueError"] = f"Out of bounds, before anything is sent: {', '.join(checked)}."
        for status, response in self.raw["responses"].items():
            if status.isdigit() and int(status) >= 400:
                name = ERRORS.get(min(int(status), 500), "APIError")
                raises[name] = f"{status}. {self.spec.resolve(response)['description']}"
        raises["APIConnectionError"] = "No answer came."
        raises["ResponseDecodeError"] = "The answer is not what this operation answers."
        if self.method == "post":
            raises["UnknownOutcomeError"] = "It may have happened; it was not sent again."
        return raises

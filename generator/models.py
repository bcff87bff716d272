"""What the template of the models needs to know of each of them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from openapi_python_client.parser import GeneratorData
from openapi_python_client.parser.properties import ConstProperty, ModelProperty, Property

from .docs import INFERRED, docstring, remarks
from .names import class_name, is_name, text
from .spec import Place, Problem, Spec, SpecError
from .types import Types, members_of

__all__ = ["Models"]


@dataclass
class Member:
    """A member of a model."""

    name: str
    annotation: str
    default: str
    doc: str


@dataclass
class Model:
    """A class of attrs, or an enum, or the base of a tagged union."""

    name: str
    kind: str
    doc: str
    bases: list[str] = field(default_factory=list)
    members: list[Member] = field(default_factory=list)
    values: Mapping[str, str] = field(default_factory=dict)


@dataclass
class TaggedUnion:
    """How the members of a union are told apart."""

    name: str
    tag: str
    members: dict[str, str]

    @property
    def unknown(self) -> str:
        """The class of the members that the document does not know."""
        return f"Unknown{self.name}"


class Models:
    """All classes of the package, in the order in which they can be defined."""

    def __init__(self, spec: Spec, data: GeneratorData, types: Types) -> None:
        self.spec = spec
        self.types = types
        self.unions = {
            name: TaggedUnion(
                name,
                schema["discriminator"]["propertyName"],
                {
                    tag: class_name(ref.rpartition("/")[2])
                    for tag, ref in schema["discriminator"]["mapping"].items()
                },
            )
            for name, schema in types.unions.items()
        }
        endpoints = [
            endpoint
            for collection in data.endpoint_collections_by_tag.values()
            for endpoint in collection.endpoints
        ]
        answers = self.reachable(
            response.prop for endpoint in endpoints for response in endpoint.responses
        )
        requests = self.reachable(
            member
            for endpoint in endpoints
            for body in endpoint.bodies
            for member in self.body_members(body.prop)
        )
        #: Models that only requests hold: there, absent and null differ.
        self.request_only = requests - answers
        #: Models that answers hold, and requests too: sent back, None must be left out.
        self.shared = requests & answers
        wanted = {name for name in types.components if self.is_class(name)} | answers | requests
        self.defined: list[Model] = []
        self.ordered = self.order(sorted(wanted, key=self.rank))
        for name in self.ordered:
            self.defined.append(self.define(name))

    @property
    def names(self) -> list[str]:
        """All names that the module defines."""
        unknown = [union.unknown for union in self.unions.values()]
        return sorted([model.name for model in self.defined] + unknown)

    def body_members(self, body: Property) -> list[Property]:
        """The arguments of a function that sends this body; the body itself when free-form."""
        if isinstance(body, ModelProperty) and not self.types.values_of_mapping(body):
            return members_of(self.types.models[body.class_info.name])
        return [body]

    def is_class(self, name: str) -> bool:
        """Whether a component becomes a class; free-form objects do not."""
        model = self.types.models.get(name)
        if model is None:
            return name in self.types.enums
        return name in self.unions or not self.types.values_of_mapping(model)

    def rank(self, name: str) -> tuple[int, str]:
        """The order of the document; classes without a name of their own come last."""
        order = list(self.types.components)
        return (order.index(name) if name in self.types.components else len(order), name)

    def needs(self, name: str) -> list[str]:
        """The classes that a class names: its bases first, then those of its members."""
        if name in self.unions or name not in self.types.models:
            return []
        members = members_of(self.types.models[name])
        named = [other for member in members for other in self.types.classes(member)]
        return [*self.bases(name), *named]

    def bases(self, name: str) -> list[str]:
        """The unions that a class is a member of."""
        return [base for base, union in self.unions.items() if name in union.members.values()]

    def reachable(self, props: Iterable[Property]) -> set[str]:
        """The classes that these types lead to."""
        found: set[str] = set()
        queue = [name for prop in props for name in self.types.classes(prop)]
        while queue:
            name = queue.pop()
            if name not in found:
                found.add(name)
                queue += self.needs(name)
                if name in self.unions:
                    queue += self.unions[name].members.values()
        return found

    def order(self, names: Iterable[str]) -> list[str]:
        """Each class after those that it needs, as far as cycles allow."""
        placed: dict[str, None] = {}
        entered: set[str] = set()

        def place(name: str) -> None:
            if name not in entered:
                entered.add(name)
                for needed in self.needs(name):
                    place(needed)
                placed[name] = None

        for name in names:
            place(name)
        return list(placed)

    def define(self, name: str) -> Model:
        raw = self.spec.schemas.get(self.types.components.get(name, ""), {})
        doc = docstring([_described(raw), INFERRED if _inferred(raw) else ""])
        if name in self.unions:
            return Model(name, "union", doc)
        if enum := self.types.enums.get(name):
            doc = doc or docstring([text(enum.description)])
            return Model(name, "enum", doc, values={k: f'"{v}"' for k, v in enum.values.items()})
        model = self.types.models[name]
        doc = doc or docstring([text(model.description)])
        members = [self.member(model, prop) for prop in members_of(model)]
        return Model(name, "model", doc, self.bases(name), members)

    def member(self, model: ModelProperty, prop: Property) -> Member:
        owner = model.class_info.name
        name = text(prop.name)
        if not is_name(name):
            component = self.types.components.get(owner, owner)
            place = Place(f"#/components/schemas/{component}").at("properties").at(name)
            what = f"`{name}` cannot be the name of a member in Python; make the object free-form"
            raise SpecError([Problem(what, place.named(f"schema {component}"))])
        annotation = self.types.annotation(prop)
        default = ""
        if isinstance(prop, ConstProperty):
            default = prop.value.python_code.as_unembedded_code()
        elif not prop.required and owner in self.request_only:
            annotation, default = f"{annotation} | UnsetType", "UNSET"
        elif not prop.required:
            annotation, default = optional(annotation), "None"
        defined = {model.name for model in self.defined}
        if not set(self.types.classes(prop)) <= defined:
            annotation = f'"{annotation}"'
        doc = docstring([_member_remarks(self.spec, model, name)])
        return Member(name, annotation, f" = {default}" if default else "", doc)


def optional(annotation: str) -> str:
    """The type of something that may also be None."""
    if annotation in {"Any", "None"} or annotation.endswith(" | None"):
        return annotation
    return f"{annotation} | None"


def _described(raw: Mapping[str, Any]) -> str:
    return str(raw.get("description", ""))


def _inferred(raw: Mapping[str, Any]) -> bool:
    return raw.get("x-kantos-status") == "inferred"


def _member_remarks(spec: Spec, model: ModelProperty, name: str) -> str:
    for schema in _parts(spec, model.data.model_dump(mode="json", by_alias=True)):
        if node := (schema.get("properties") or {}).get(name):
            return remarks(node, spec.resolve(node) if "$ref" in node else node)
    return ""


def _parts(spec: Spec, schema: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    yield schema
    for part in schema.get("allOf") or []:
        yield from _parts(spec, spec.resolve(part))

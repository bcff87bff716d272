"""What the template of the models needs to know of each class."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from openapi_python_client.parser import GeneratorData
from openapi_python_client.parser.properties.const import ConstProperty
from openapi_python_client.parser.properties.model_property import ModelProperty
from openapi_python_client.parser.properties.protocol import PropertyProtocol

from .docs import INFERRED, docstring, remarks
from .names import class_name, text
from .spec import Spec
from .types import Types, optional

__all__ = ["Models", "TaggedUnion"]


@dataclass
class Member:
    """A member of a model."""

    name: str
    annotation: str
    #: Empty when it must be given.
    default: str
    doc: str


@dataclass
class Class:
    """A class of attrs, an enum, or the base of a tagged union."""

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
        self.unions = _unions(spec)
        answers, requests = self.uses(data)
        # Where absent and null differ: in what is sent, and in nothing else.
        self.request_only = requests - answers
        named = {name for name in types.components if self.is_class(name)}
        self.defined: list[Class] = []
        for name in self.order(sorted(named | answers | requests, key=self.rank)):
            self.defined.append(self.define(name))

    @property
    def names(self) -> list[str]:
        """All names that the module defines."""
        unknown = [union.unknown for union in self.unions.values()]
        return sorted([*unknown, *(defined.name for defined in self.defined)])

    def uses(self, data: GeneratorData) -> tuple[set[str], set[str]]:
        """The classes that answers hold, and those that requests hold below their body."""
        answers: list[PropertyProtocol] = []
        requests: list[PropertyProtocol] = []
        for collection in data.endpoint_collections_by_tag.values():
            for endpoint in collection.endpoints:
                answers += [response.prop for response in endpoint.responses]
                requests += [prop for _, prop in endpoint.iter_all_parameters()]
                for body in endpoint.bodies:
                    members = self.types.body_members(body.prop)
                    requests += [body.prop] if members is None else members
        # An argument writes an enum without a name of its own out as `Literal`.
        unnamed = self.types.enums.keys() - self.types.components.keys()
        return self.reachable(self.named(answers)), self.reachable(self.named(requests) - unnamed)

    def named(self, props: Iterable[PropertyProtocol]) -> set[str]:
        """The classes that types name."""
        return {name for prop in props for name in self.types.classes(prop)}

    def reachable(self, names: set[str]) -> set[str]:
        """These classes, and those that they lead to."""
        found: set[str] = set()
        queue = sorted(names)
        while queue:
            name = queue.pop()
            if name not in found:
                found.add(name)
                queue += self.needs(name)
                if name in self.unions:
                    queue += self.unions[name].members.values()
        return found

    def is_class(self, component: str) -> bool:
        """Whether a component becomes a class; a free-form object does not."""
        model = self.types.models.get(component)
        return self.types.is_model(model) if model else component in self.types.enums

    def needs(self, name: str) -> list[str]:
        """The classes that a class names: its bases, then those of its members."""
        if name in self.unions or name not in self.types.models:
            return []
        members = self.types.members_of(self.types.models[name])
        inner = [other for prop in members for other in self.types.classes(prop)]
        return [*self.bases(name), *inner]

    def bases(self, name: str) -> list[str]:
        """The unions that a class is a member of."""
        return [base for base, union in self.unions.items() if name in union.members.values()]

    def rank(self, name: str) -> tuple[int, str]:
        """The order of the document; classes without a name there come last."""
        order = list(self.types.components)
        return (order.index(name) if name in order else len(order), name)

    def order(self, names: Iterable[str]) -> list[str]:
        """Each class after those that it needs, as far as cycles allow."""
        placed: list[str] = []
        entered: set[str] = set()

        def place(name: str) -> None:
            if name not in entered:
                entered.add(name)
                for needed in self.needs(name):
                    place(needed)
                placed.append(name)

        for name in names:
            place(name)
        return placed

    def define(self, name: str) -> Class:
        """Everything that the template says of one class."""
        raw = self.spec.schemas.get(self.types.components.get(name, ""), {})
        inferred = INFERRED if raw.get("x-kantos-status") == "inferred" else ""
        if name in self.unions:
            return Class(name, "union", docstring([raw.get("description", ""), inferred]))
        if enum := self.types.enums.get(name):
            doc = docstring([text(enum.description), inferred])
            values = {key: f'"{value}"' for key, value in enum.values.items()}
            return Class(name, "enum", doc, values=values)
        model = self.types.models[name]
        return Class(
            name,
            "model",
            docstring([text(model.description), inferred]),
            self.bases(name),
            [self.member(model, prop) for prop in self.types.members_of(model)],
        )

    def member(self, model: ModelProperty, prop: PropertyProtocol) -> Member:
        """One member of a model."""
        name = text(prop.name)
        annotation, default = self.types.annotation(prop), ""
        if isinstance(prop, ConstProperty):
            default = prop.value.python_code.as_unembedded_code()
        elif not prop.required and model.class_info.name in self.request_only:
            annotation, default = f"{annotation} | UnsetType", "UNSET"
        elif not prop.required:
            annotation, default = optional(annotation), "None"
        defined = {earlier.name for earlier in self.defined}
        if not set(self.types.classes(prop)) <= defined:
            annotation = f'"{annotation}"'
        schema = model.data.model_dump(mode="json", by_alias=True, exclude_none=True)
        raw = self.spec.member(schema, name)
        doc = docstring([remarks(raw, self.spec.resolve(raw))])
        return Member(name, annotation, default, doc)


def _unions(spec: Spec) -> dict[str, TaggedUnion]:
    return {
        class_name(name): TaggedUnion(
            class_name(name),
            schema["discriminator"]["propertyName"],
            {
                tag: class_name(ref.rpartition("/")[2])
                for tag, ref in schema["discriminator"]["mapping"].items()
            },
        )
        for name, schema in spec.schemas.items()
        if "discriminator" in schema
    }

"""What the template of a module of models needs to know of each class."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from openapi_python_client.parser.properties.const import ConstProperty
from openapi_python_client.parser.properties.model_property import ModelProperty
from openapi_python_client.parser.properties.protocol import PropertyProtocol

from .docs import INFERRED, docstring, remarks
from .graph import COMMON, Graph, TaggedUnion
from .names import text, unhidden
from .spec import Place, Problem, Spec, SpecError
from .types import Types, optional

__all__ = ["ModelModule", "model_modules"]


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
class ModelModule:
    """The models of one tag, or those that belong to none alone."""

    name: str
    classes: list[Class]
    unions: list[TaggedUnion]

    @property
    def doc(self) -> str:
        """The module's docstring."""
        if self.name == COMMON:
            return "Models that belong to no tag alone."
        return f"Models of `{self.name}`."

    @property
    def names(self) -> list[str]:
        """The names that the module defines."""
        unknown = [union.unknown for union in self.unions]
        return sorted([*unknown, *(defined.name for defined in self.classes)])


def model_modules(spec: Spec, types: Types, graph: Graph) -> list[ModelModule]:
    """All models: a module a tag, so that a program loads only those that it uses.

    Raises:
        SpecError: a member hides what the annotation of another, or its own, names.
    """
    define = _Definitions(spec, types, graph)
    return [
        ModelModule(
            name,
            # In a cycle a class must be named before it is there.
            [define.of(cls, not_yet=set(names[index:])) for index, cls in enumerate(names)],
            [graph.unions[cls] for cls in names if cls in graph.unions],
        )
        for name, names in sorted(graph.modules.items())
    ]


class _Definitions:
    def __init__(self, spec: Spec, types: Types, graph: Graph) -> None:
        self.spec = spec
        self.types = types
        self.graph = graph

    def of(self, name: str, not_yet: set[str]) -> Class:
        raw = self.spec.schemas.get(self.types.components.get(name, ""), {})
        inferred = INFERRED if raw.get("x-kantos-status") == "inferred" else ""
        if name in self.graph.unions:
            return Class(name, "union", docstring([raw.get("description", ""), inferred]))
        if enum := self.types.enums.get(name):
            doc = docstring([text(enum.description), inferred])
            values = {key: f'"{value}"' for key, value in enum.values.items()}
            return Class(name, "enum", doc, values=values)
        model = self.types.models[name]
        members = self.types.members_of(model)
        names = {text(prop.name) for prop in members}
        return Class(
            name,
            "model",
            docstring([text(model.description), inferred]),
            self.graph.bases(name),
            [self.member(model, prop, not_yet, names) for prop in members],
        )

    def member(
        self, model: ModelProperty, prop: PropertyProtocol, not_yet: set[str], names: set[str]
    ) -> Member:
        name = text(prop.name)
        annotation, default = self.types.annotation(prop), ""
        if isinstance(prop, ConstProperty):
            default = repr(prop.value.raw_value)
        elif not prop.required and model.class_info.name in self.graph.request_only:
            annotation, default = f"{annotation} | UnsetType", "UNSET"
        elif not prop.required:
            annotation, default = optional(annotation), "None"
        annotation, hidden = unhidden(annotation, names)
        if hidden:
            cls = model.class_info.name
            place = Place("#/components/schemas").at(self.types.components.get(cls, cls))
            said = f"`{hidden[0]}` cannot be a member: it hides a type that `{name}` has"
            raise SpecError([Problem(said, place.named(f"schema {cls}"))])
        if not_yet.intersection(self.types.classes(prop)):
            annotation = repr(annotation)
        schema = model.data.model_dump(mode="json", by_alias=True, exclude_none=True)
        raw = self.spec.member(schema, name)
        doc = docstring([remarks(raw, self.spec.resolve(raw))])
        return Member(name, annotation, default, doc)

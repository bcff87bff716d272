"""The Python type of each thing that the parser found."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from openapi_python_client.parser import GeneratorData
from openapi_python_client.parser.properties import (
    AnyProperty,
    BooleanProperty,
    ConstProperty,
    DateProperty,
    DateTimeProperty,
    EnumProperty,
    FloatProperty,
    IntProperty,
    ListProperty,
    ModelProperty,
    NoneProperty,
    Property,
    StringProperty,
    UnionProperty,
    UuidProperty,
)

from .names import class_name, text
from .spec import Place, Problem, Spec, SpecError

__all__ = ["Types", "members_of"]

_PLAIN: dict[type, str] = {
    AnyProperty: "Any",
    BooleanProperty: "bool",
    DateProperty: "date",
    DateTimeProperty: "datetime",
    FloatProperty: "float",
    IntProperty: "int",
    NoneProperty: "None",
    StringProperty: "str",
    UuidProperty: "UUID",
}


def members_of(model: ModelProperty) -> list[Property]:
    """A model's members, those that must be there first."""
    return [*(model.required_properties or []), *(model.optional_properties or [])]


class Types:
    """Annotations, and which classes they need."""

    def __init__(self, spec: Spec, data: GeneratorData) -> None:
        self.components = {class_name(name): name for name in spec.schemas}
        self.unions = {
            class_name(name): schema
            for name, schema in spec.schemas.items()
            if "discriminator" in schema
        }
        # A property is a copy made before its class was read, so classes go by name.
        self.models = {model.class_info.name: model for model in data.models}
        self.enums = {
            enum.class_info.name: enum for enum in data.enums if isinstance(enum, EnumProperty)
        }

    def values_of_mapping(self, model: ModelProperty) -> Property | None:
        """What a free-form object holds; None for a model.

        An object that says it has more members than it lists stays a mapping, since a class
        would lose them.
        """
        parsed = self.models.get(model.class_info.name, model)
        if members_of(parsed) and parsed.data.additionalProperties is not True:
            return None
        return parsed.additional_properties

    def annotation(self, prop: Property) -> str:
        """The type of a member of a model."""
        match prop:
            case ModelProperty():
                values = self.values_of_mapping(prop)
                return f"dict[str, {self.annotation(values)}]" if values else prop.class_info.name
            case ListProperty():
                return f"list[{self.annotation(prop.inner_property)}]"
            case UnionProperty():
                self.refuse_ambiguous(prop)
                return join(self.annotation(inner) for inner in prop.inner_properties)
            case EnumProperty():
                return prop.class_info.name
            case ConstProperty():
                return f"Literal[{prop.value.python_code.as_unembedded_code()}]"
            case _:
                return _plain(prop)

    def argument(self, prop: Property) -> str:
        """The type of an argument, which takes more than a model holds."""
        match prop:
            case ModelProperty():
                if values := self.values_of_mapping(prop):
                    return f"Mapping[str, {self.argument(values)}]"
                return f"{prop.class_info.name} | Mapping[str, Any]"
            case ListProperty():
                return f"Sequence[{self.argument(prop.inner_property)}]"
            case UnionProperty():
                return join(self.argument(inner) for inner in prop.inner_properties)
            case EnumProperty() if prop.class_info.name in self.components:
                return f"{prop.class_info.name} | str"
            case EnumProperty():
                return "Literal[" + ", ".join(f'"{value}"' for value in prop.values.values()) + "]"
            case _:
                return self.annotation(prop)

    def classes(self, prop: Property) -> Iterator[str]:
        """The classes that a type names itself, not through other classes."""
        match prop:
            case ModelProperty():
                values = self.values_of_mapping(prop)
                if values:
                    yield from self.classes(values)
                else:
                    yield prop.class_info.name
            case ListProperty():
                yield from self.classes(prop.inner_property)
            case UnionProperty():
                for inner in prop.inner_properties:
                    yield from self.classes(inner)
            case EnumProperty():
                yield prop.class_info.name
            case _:
                return

    def refuse_ambiguous(self, union: UnionProperty) -> None:
        """Refuse a union whose members JSON cannot tell apart.

        Raises:
            SpecError: two of its members are objects, or two are strings.
        """
        kinds = [_json_kind(inner) for inner in union.inner_properties]
        for kind in ("object", "array", "string"):
            if kinds.count(kind) > 1:
                place = Place().named(f'"{text(union.name)}"')
                what = f"`oneOf` or `anyOf` with more than one {kind} needs a `discriminator`"
                raise SpecError([Problem(what, place)])


def join(types: Iterable[str]) -> str:
    """A union, None last and nothing twice."""
    names = list(dict.fromkeys(types))
    if "Any" in names:
        return "Any"
    return " | ".join(sorted(names, key="None".__eq__))


def _plain(prop: Property) -> str:
    try:
        return _PLAIN[type(prop)]
    except KeyError:
        what = f"`{type(prop).__name__}` is not supported"
        raise SpecError([Problem(what, Place().named(f'"{text(prop.name)}"'))]) from None


def _json_kind(prop: Property) -> str:
    if isinstance(prop, ModelProperty):
        return "object"
    if isinstance(prop, ListProperty):
        return "array"
    if isinstance(
        prop, StringProperty | EnumProperty | ConstProperty | DateProperty | DateTimeProperty
    ):
        return "string"
    return type(prop).__name__

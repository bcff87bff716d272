"""The Python type of each thing that the parser found."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from openapi_python_client.parser import GeneratorData
from openapi_python_client.parser.properties.any import AnyProperty
from openapi_python_client.parser.properties.boolean import BooleanProperty
from openapi_python_client.parser.properties.const import ConstProperty
from openapi_python_client.parser.properties.date import DateProperty
from openapi_python_client.parser.properties.datetime import DateTimeProperty
from openapi_python_client.parser.properties.enum_property import EnumProperty
from openapi_python_client.parser.properties.float import FloatProperty
from openapi_python_client.parser.properties.int import IntProperty
from openapi_python_client.parser.properties.list_property import ListProperty
from openapi_python_client.parser.properties.model_property import ModelProperty
from openapi_python_client.parser.properties.none import NoneProperty
from openapi_python_client.parser.properties.protocol import PropertyProtocol
from openapi_python_client.parser.properties.string import StringProperty
from openapi_python_client.parser.properties.union import UnionProperty
from openapi_python_client.parser.properties.uuid import UuidProperty

from .names import class_name
from .spec import Spec

__all__ = ["Types", "optional"]

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


class Types:
    """Annotations, and which classes they need."""

    def __init__(self, spec: Spec, data: GeneratorData) -> None:
        #: The name in the document of each class that has one.
        self.components = {class_name(name): name for name in spec.schemas}
        self.models: dict[str, ModelProperty] = {
            model.class_info.name: model for model in data.models
        }
        self.enums: dict[str, EnumProperty] = {
            enum.class_info.name: enum for enum in data.enums if isinstance(enum, EnumProperty)
        }

    def parsed(self, model: ModelProperty) -> ModelProperty:
        """A model with its members; where it is used, the parser left a copy without them."""
        return self.models.get(model.class_info.name, model)

    def members_of(self, model: ModelProperty) -> list[PropertyProtocol]:
        """A model's members, those that must be there first."""
        parsed = self.parsed(model)
        return [*(parsed.required_properties or []), *(parsed.optional_properties or [])]

    def body_members(self, body: PropertyProtocol) -> list[PropertyProtocol] | None:
        """The members of a body that is a model; None for another, which is sent as it is."""
        if isinstance(body, ModelProperty) and self.is_model(body):
            return self.members_of(body)
        return None

    def is_model(self, model: ModelProperty) -> bool:
        """Whether an object becomes a class.

        One without members is a mapping; so is one that says it has more members than it
        lists, since a class would lose them.
        """
        open_ended = self.parsed(model).data.additionalProperties is True
        return bool(self.members_of(model)) and not open_ended

    def values_of(self, mapping: ModelProperty) -> PropertyProtocol | None:
        """What a free-form object holds; None for one that may hold nothing."""
        return self.parsed(mapping).additional_properties

    def annotation(self, prop: PropertyProtocol) -> str:
        """The type of a member of a model."""
        held: str
        match prop:
            case ModelProperty() if self.is_model(prop):
                held = prop.class_info.name
            case ModelProperty():
                values = self.values_of(prop)
                held = f"dict[str, {self.annotation(values) if values else 'Any'}]"
            case ListProperty():
                held = f"list[{self.annotation(prop.inner_property)}]"
            case UnionProperty():
                held = _union(map(self.annotation, prop.inner_properties))
            case EnumProperty():
                held = prop.class_info.name
            case ConstProperty():
                held = f"Literal[{prop.value.raw_value!r}]"
            case _:
                held = _PLAIN[type(prop)]
        return held

    def argument(self, prop: PropertyProtocol) -> str:
        """The type of an argument, which takes more than a model holds."""
        match prop:
            case ModelProperty() if self.is_model(prop):
                taken = f"{prop.class_info.name} | Mapping[str, Any]"
            case ModelProperty():
                values = self.values_of(prop)
                taken = f"Mapping[str, {self.argument(values) if values else 'Any'}]"
            case ListProperty():
                taken = f"Sequence[{self.argument(prop.inner_property)}]"
            case UnionProperty():
                taken = _union(map(self.argument, prop.inner_properties))
            case EnumProperty() if prop.class_info.name in self.components:
                taken = f"{prop.class_info.name} | str"
            case EnumProperty():
                taken = "Literal[" + ", ".join(f'"{value}"' for value in prop.values.values()) + "]"
            case _:
                taken = self.annotation(prop)
        return taken

    def classes(self, prop: PropertyProtocol) -> Iterator[str]:
        """The classes that a type names itself, not through other classes."""
        match prop:
            case ModelProperty() if self.is_model(prop):
                yield prop.class_info.name
            case ModelProperty():
                if values := self.values_of(prop):
                    yield from self.classes(values)
            case ListProperty():
                yield from self.classes(prop.inner_property)
            case UnionProperty():
                for inner in prop.inner_properties:
                    yield from self.classes(inner)
            case EnumProperty():
                yield prop.class_info.name
            case _:
                pass

    def holds_model(self, prop: PropertyProtocol) -> bool:
        """Whether a value of this type may be, or hold, a model."""
        return any(name in self.models for name in self.classes(prop))


def optional(annotation: str) -> str:
    """The type of something that may also be None."""
    if annotation in {"Any", "None"} or annotation.endswith(" | None"):
        return annotation
    return f"{annotation} | None"


def _union(types: Iterable[str]) -> str:
    names = list(dict.fromkeys(types))
    # None goes last: it belongs to the value's absence, not to its type.
    return "Any" if "Any" in names else " | ".join(sorted(names, key="None".__eq__))

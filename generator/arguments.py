"""The arguments of an endpoint function: parameters, and the members of a flat body."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from openapi_python_client.parser.openapi import Endpoint
from openapi_python_client.parser.properties.boolean import BooleanProperty
from openapi_python_client.parser.properties.date import DateProperty
from openapi_python_client.parser.properties.datetime import DateTimeProperty
from openapi_python_client.parser.properties.protocol import PropertyProtocol
from openapi_python_client.parser.properties.string import StringProperty

from .bounds import in_words, is_length, kinds, limits
from .docs import remarks
from .names import argument_name, literal, text
from .spec import Spec
from .types import Types, optional

__all__ = ["Argument", "Arguments"]


@dataclass(kw_only=True)
class Argument:
    """An argument of an endpoint function."""

    name: str
    wire: str
    #: `path`, `query` or `body`.
    place: str
    annotation: str
    #: Empty when it must be given.
    default: str
    doc: str
    #: Its value as it goes on the wire.
    sent: str
    #: The condition under which it is out of bounds; empty where it has none.
    condition: str = ""
    #: The bounds in words.
    bounds: str = ""

    @property
    def declaration(self) -> str:
        """The argument in a signature."""
        default = f" = {self.default}" if self.default else ""
        return f"{self.name}: {self.annotation}{default}"


class Arguments:
    """Makes arguments out of what the parser found and what the document says."""

    def __init__(self, spec: Spec, types: Types, function: str) -> None:
        self.spec = spec
        self.types = types
        # The method calls the function, and both name models.
        self.taken = {function, *types.models, *types.enums}

    def of_parameter(self, prop: PropertyProtocol, raw: Mapping[str, Any]) -> Argument:
        """The argument for a parameter; left out of the request when it is None."""
        wire = text(prop.name)
        name = argument_name(wire, self.taken)
        if "content" in raw:
            schema = raw["content"]["application/json"]["schema"]
            sent = f"json_param({name})"
        else:
            schema = raw["schema"]
            sent = _as_text(prop, name)
        annotation = self.types.argument(prop)
        argument = Argument(
            name=name,
            wire=wire,
            place=raw["in"],
            annotation=annotation if prop.required else optional(annotation),
            default="" if prop.required else "None",
            doc=remarks(raw, self.spec.resolve(schema)),
            sent=f"segment({sent})" if raw["in"] == "path" else sent,
        )
        return _bounded(argument, self.spec.resolve(schema))

    def of_body(self, endpoint: Endpoint, raw: Mapping[str, Any]) -> tuple[str, list[Argument]]:
        """The body as an expression, and the arguments that it takes.

        They are its members, unless it is free-form.
        """
        if not endpoint.bodies:
            return "", []
        prop = endpoint.bodies[0].prop
        body = self.spec.resolve(raw["requestBody"])
        schema = self.spec.resolve(body["content"]["application/json"]["schema"])
        found = self.types.body_members(prop)
        if found is None:
            whole = Argument(
                name="body",
                wire="body",
                place="body",
                annotation=self.types.argument(prop),
                default="",
                doc=remarks(body, schema),
                sent="body",
            )
            return ("json_body(body)" if self.types.holds_model(prop) else "body"), [whole]
        members = [
            self.of_member(member, self.spec.member(schema, text(member.name))) for member in found
        ]
        pairs = ", ".join(f"{literal(member.wire)}: {member.sent}" for member in members)
        # Only what may be absent, or may be a model, needs a second look.
        plain = all(member.required and not self.types.holds_model(member) for member in found)
        return f"{{{pairs}}}" if plain else f"json_body({{{pairs}}})", members

    def of_member(self, prop: PropertyProtocol, raw: Mapping[str, Any]) -> Argument:
        """The argument for a member of the body; absent when it is `UNSET`."""
        wire = text(prop.name)
        name = argument_name(wire, self.taken)
        annotation = self.types.argument(prop)
        schema = self.spec.resolve(raw)
        argument = Argument(
            name=name,
            wire=wire,
            place="body",
            annotation=annotation if prop.required else f"{annotation} | UnsetType",
            default="" if prop.required else "UNSET",
            doc=remarks(raw, schema),
            sent=name,
        )
        return _bounded(argument, schema)


def _bounded(argument: Argument, schema: Mapping[str, Any]) -> Argument:
    low, high = limits(schema)
    if low is None and high is None:
        return argument
    name = argument.name
    measured = f"len({name})" if is_length(schema) else name
    if low is None:
        condition = f"{measured} > {high}"
    elif high is None:
        condition = f"{measured} < {low}"
    else:
        condition = f"not {low} <= {measured} <= {high}"
    nothing = [argument.default, "None" if "null" in kinds(schema) else ""]
    guards = [f"{name} is not {value}" for value in dict.fromkeys(nothing) if value]
    argument.condition = " and ".join([*guards, condition])
    argument.bounds = in_words(schema)
    return argument


def _as_text(prop: PropertyProtocol, name: str) -> str:
    """A parameter's value as the text that goes on the wire."""
    if isinstance(prop, StringProperty):
        return name
    if isinstance(prop, BooleanProperty):
        return f"str({name}).lower()"
    if isinstance(prop, DateProperty | DateTimeProperty):
        return f"{name}.isoformat()"
    return f"str({name})"

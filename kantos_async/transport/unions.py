"""What generated models are made of where msgspec needs help: open enums and tagged unions."""

from __future__ import annotations

import enum
from collections.abc import Mapping
from typing import Any, ClassVar, Self

import attrs
import msgspec
from msgspec import UNSET

__all__ = ["OpenEnum", "TaggedUnion", "UnknownMember", "dec_hook", "enc_hook", "json_body"]


class OpenEnum(enum.StrEnum):
    """An enum that takes values it does not list, since the server may learn new ones first.

    Such a value compares equal to its string, encodes and pickles like any other member.
    """

    @classmethod
    def _missing_(cls, value: object) -> Self | None:
        if not isinstance(value, str):
            return None
        # Not kept anywhere: a server must not be able to make the enum grow.
        member = str.__new__(cls, value)
        member._name_ = value
        member._value_ = value
        return member


class TaggedUnion:
    """The base of classes told apart by one member of their JSON."""

    __slots__ = ()
    #: The member that tells them apart.
    __discriminator__: ClassVar[str]
    #: The class of each of its values.
    __members__: ClassVar[Mapping[str, type[Any]]]
    #: The class of every other value.
    __unknown__: ClassVar[type[UnknownMember]]


class UnknownMember:
    """A member of a union that this version does not know; it is sent back as it came.

    Attributes:
        raw: its JSON object.
    """

    __slots__ = ("raw",)
    raw: dict[str, Any]

    def __init__(self, raw: dict[str, Any]) -> None:
        self.raw = raw

    def __eq__(self, other: object) -> bool:
        return type(other) is type(self) and other.raw == self.raw

    def __hash__(self) -> int:
        raise TypeError(f"unhashable type: {type(self).__name__!r}")

    def __repr__(self) -> str:
        return f"{type(self).__name__}(raw={self.raw!r})"


def dec_hook(kind: type, value: object) -> object:
    """Decode one member of a tagged union.

    msgspec refuses a union of several attrs classes; as a type that it does not know, the
    union's base class comes here with the JSON object already read.

    Raises:
        ValueError: it is no object, or no such member; msgspec makes a `ValidationError` of it.
    """
    if not issubclass(kind, TaggedUnion):
        raise NotImplementedError(f"no decoding for {kind!r}")
    if not isinstance(value, dict):
        raise ValueError(f"Expected `object`, got `{type(value).__name__}`")
    tag = value.get(kind.__discriminator__)
    member = kind.__members__.get(tag) if isinstance(tag, str) else None
    if member is None:
        return kind.__unknown__(value)
    try:
        return msgspec.convert(value, member, dec_hook=dec_hook)
    except msgspec.ValidationError as error:
        # Of another error msgspec tells where the union stands; its own it lets pass.
        raise ValueError(str(error)) from None


def enc_hook(value: object) -> object:
    """Encode an unknown member of a union, and mappings that are no dict."""
    if isinstance(value, UnknownMember):
        return value.raw
    if isinstance(value, Mapping):
        return dict(value)
    raise NotImplementedError(f"cannot send {type(value).__name__} values as JSON")


def json_body(value: Any) -> Any:
    """A request's body without what was not given.

    A model that came in an answer has None for the members that were absent; sent back, they
    must be absent again, not null.
    """
    if isinstance(value, UnknownMember):
        return value.raw
    if attrs.has(type(value)):
        return {
            field.name: json_body(member)
            for field in attrs.fields(type(value))
            if (member := getattr(value, field.name)) is not UNSET
            and not (member is None and field.default is None)
        }
    if isinstance(value, Mapping):
        return {name: json_body(member) for name, member in value.items() if member is not UNSET}
    if isinstance(value, list | tuple):
        return [json_body(item) for item in value]
    return value

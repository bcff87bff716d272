"""What an endpoint function hands to the session: one call, not yet on the wire."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, Generic, Protocol, TypeVar
from urllib.parse import quote, quote_plus

import msgspec
from msgspec import UNSET, UnsetType

__all__ = ["UNSET", "Call", "Sender", "UnsetType", "json_param", "query_string", "segment"]

T = TypeVar("T")

# What ids, slugs and numbers are made of, and needs no quoting.
_PLAIN = re.compile(r"[A-Za-z0-9_-]+").fullmatch


class Call(msgspec.Struct, Generic[T], frozen=True, gc=False):
    """One operation with its arguments.

    What may be repeated follows from the method alone (see `retry`), so a call carries no flag
    for it.
    """

    method: str
    #: Below the base URL, from `/`; its variable parts went through `segment`.
    path: str
    #: What the answer decodes into: a model, `list[...]`, `Any`, or `NoneType` for no body.
    result: type[T]
    #: Query parameters in order; values are strings already.
    params: Sequence[tuple[str, str]] = ()
    #: The JSON body; `UNSET` for none.
    body: Any = UNSET


class Sender(Protocol):
    """What endpoint functions need of a session."""

    async def send(self, call: Call[T], /) -> T:
        """Carry out one call and decode its answer."""
        ...


def segment(value: str) -> str:
    """Quote one path segment.

    Raises:
        ValueError: for an empty value, `.` or `..`, which would address another endpoint.
    """
    if _PLAIN(value):
        return value
    if value in {"", ".", ".."}:
        raise ValueError(f"{value!r} cannot be an id in a path")
    return quote(value, safe="")


def query_string(params: Sequence[tuple[str, str]]) -> str:
    """The part of a URL behind `?`."""
    return "&".join([f"{_quoted(name)}={_quoted(value)}" for name, value in params])


def _quoted(text: str) -> str:
    return text if _PLAIN(text) else quote_plus(text)


def json_param(value: Any) -> str:
    """A query parameter whose content is JSON (`filters`)."""
    return msgspec.json.encode(value).decode()

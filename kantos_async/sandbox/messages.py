"""What passes between the core and the endpoints."""

from __future__ import annotations

import re
from typing import Any, Literal, NamedTuple, TypeVar
from urllib.parse import parse_qsl

import msgspec

from .faults import Delivery
from .problems import Problem

__all__ = ["Caller", "Exchange", "Reply", "Request", "decode_json", "parse_query"]

T = TypeVar("T")
_BAD_ESCAPE = re.compile(r"%(?![0-9A-Fa-f]{2})")


class Caller(msgspec.Struct, frozen=True):
    """Whose key a request carries."""

    key: str
    kind: Literal["server", "intake"]
    #: Whether the key's user may change the schema.
    admin: bool
    user_id: str


class Request(msgspec.Struct, frozen=True):
    """One request that was admitted."""

    method: str
    #: Below `/api/`, as it came.
    path: str
    query: str
    body: bytes
    caller: Caller
    #: The server's time, Unix seconds.
    now: float


class Reply(NamedTuple):
    """What an endpoint answers."""

    status: int
    body: bytes = b""


class Exchange(NamedTuple):
    """One request answered: the answer, and how it is to reach the client."""

    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes
    delivery: Delivery


def decode_json(body: bytes, shape: type[T] | Any, what: str = "The body") -> T:
    """Decode JSON into `shape`.

    Raises:
        Problem: 400, saying what is wrong and where.
    """
    try:
        decoded: T = msgspec.json.decode(body, type=shape)
    except (ValueError, RecursionError) as error:  # msgspec's own errors are ValueErrors
        raise Problem(400, f"{what} is not what it should be: {error}") from None
    return decoded


def parse_query(query: str) -> dict[str, str]:
    """The parameters of a query string.

    Raises:
        Problem: 400 for a broken escape, text that is not UTF-8, or a parameter given twice.
    """
    if not query:
        return {}
    if _BAD_ESCAPE.search(query):
        raise Problem(400, "The query string has a broken percent escape")
    try:
        pairs = parse_qsl(query, keep_blank_values=True, errors="strict")
    except ValueError:
        raise Problem(400, "The query string is not UTF-8") from None
    parameters = dict(pairs)
    if len(parameters) != len(pairs):
        raise Problem(400, "A query parameter is given twice")
    return parameters

"""JSON read so strictly that it has one meaning, with the place of every top-level member.

A signature proves bytes; an event is what they mean. Wherever two readers may disagree about the
meaning (a key that appears twice, NaN, half a surrogate pair, a number out of range), the text is
refused. Everything here raises ValueError, and nothing else, for any input.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator
from typing import Any, NamedTuple, NoReturn

import attrs

__all__ = ["MAX_DEPTH", "Document", "Member", "Number", "parse"]

#: Objects and lists within each other, the outermost included.
MAX_DEPTH = 64

_OPEN = re.compile(r"[ \t\n\r]*\{[ \t\n\r]*")
_COLON = re.compile(r"[ \t\n\r]*:[ \t\n\r]*")
_COMMA = re.compile(r"[ \t\n\r]*,[ \t\n\r]*")
_CLOSE = re.compile(r"[ \t\n\r]*\}[ \t\n\r]*")
_SPACE = re.compile(r"[ \t\n\r]*")

# The closing quote is optional so that an unterminated string is one token: without that, each of
# its escaped quotes would start a scan to the end of the text.
_NESTING = re.compile(r'"[^"\\]*+(?:\\.[^"\\]*+)*+"?|([\[{])|([\]}])', re.DOTALL)


class Number(str):
    """A number as it was written: what it becomes as a float is for others to decide."""

    __slots__ = ()


class Member(NamedTuple):
    """A top-level member; its text runs from `start`, at the key, to `end`, behind the value."""

    value: Any
    start: int
    end: int


@attrs.frozen
class Document:
    """A JSON object: its text, and its members in their order."""

    text: str
    members: dict[str, Member]

    def without(self, key: str) -> Iterator[str]:
        """The text without one member, its comma and the white space beside them.

        First with the space kept that a printer would have written in any case, such as the line
        break before the closing brace; then with all of it cut.
        """
        keys = list(self.members)
        place = keys.index(key)
        _, start, end = self.members[key]
        if place > 0:
            before = self.members[keys[place - 1]].end
            near = before, end
            wide = before, _past(_SPACE, self.text, end)
        else:
            after = self.members[keys[1]].start if len(keys) > 1 else end
            near = start, after
            wide = self.text.index("{") + 1, after
        for left, right in dict.fromkeys((near, wide)):
            yield self.text[:left] + self.text[right:]


def parse(body: bytes) -> Document:
    """Read one JSON object.

    Raises:
        ValueError: not UTF-8, not JSON, no object, or a text with more than one meaning.
    """
    text = body.decode()
    _check_depth(text)
    pairs: list[tuple[str, Member]] = []
    at = _past(_OPEN, text, 0)
    while pairs or not _CLOSE.fullmatch(text, at):
        start = at
        if not text.startswith('"', at):
            raise ValueError(f"a key is expected at {at}")
        key, at = _DECODER.raw_decode(text, at)
        value, at = _DECODER.raw_decode(text, _past(_COLON, text, at))
        pairs.append((key, Member(value, start, at)))
        if _CLOSE.fullmatch(text, at):
            break
        at = _past(_COMMA, text, at)
    members = _unique(pairs)
    _check_surrogates(members)
    return Document(text, members)


def _past(pattern: re.Pattern[str], text: str, at: int) -> int:
    found = pattern.match(text, at)
    if found is None:
        raise ValueError(f"something else is expected at {at}")
    return found.end()


def _check_depth(text: str) -> None:
    depth = 0
    for token in _NESTING.finditer(text):
        if token.lastindex == 1:
            depth += 1
            if depth > MAX_DEPTH:
                raise ValueError(f"nested more than {MAX_DEPTH} levels deep")
        elif token.lastindex == 2:
            depth -= 1


def _check_surrogates(members: dict[str, Member]) -> None:
    # Half a pair has no UTF-8, so encoding finds it wherever it hides.
    values = {key: member.value for key, member in members.items()}
    json.dumps(values, ensure_ascii=False).encode()


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) < len(pairs):
        raise ValueError("a key appears twice in one object")
    return members


def _number(written: str) -> Number:
    if math.isinf(float(written)):
        raise ValueError("a number is out of range")
    return Number(written)


def _refuse(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is not JSON")


_DECODER = json.JSONDecoder(
    object_pairs_hook=_unique, parse_int=_number, parse_float=_number, parse_constant=_refuse
)

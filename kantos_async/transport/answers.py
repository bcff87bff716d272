"""An answer becomes a result, or a `Failure` with the typed error inside."""

from __future__ import annotations

from datetime import UTC, datetime
from types import NoneType
from typing import Any, TypeVar

import msgspec

from ..errors import (
    APIConnectionError,
    APIError,
    APITimeoutError,
    RateLimitError,
    ResponseDecodeError,
    error_for,
)
from .call import Call
from .codec import decode
from .engines import EngineFailure, Reply, Request
from .retry import Effect, Failure, of_status
from .words import Words, retry_after_seconds

__all__ = ["accept", "failed", "refused", "unreadable", "without_key"]

T = TypeVar("T")

#: How much of an answer an error shows.
_SHOWN = 200

#: What `accept` raises for a body that is not what the operation answers.
UNREADABLE = (msgspec.DecodeError, UnicodeDecodeError, ValueError)


def accept(call: Call[T], reply: Reply) -> T:
    """Decode a 2xx answer.

    Raises:
        msgspec.DecodeError, UnicodeDecodeError, ValueError: see `UNREADABLE`.
    """
    kind: Any = call.result
    if kind is NoneType:
        if proves_nothing(reply):
            raise ValueError("a page of HTML")
        return None  # type: ignore[return-value]
    if kind is Reply:
        return reply  # type: ignore[return-value]
    if kind is Any and not reply.body:
        return None  # type: ignore[return-value]
    return decode(call.result, reply.body)


def proves_nothing(reply: Reply) -> bool:
    """Whether a 2xx answer is a page of HTML: some proxy's, not the API's."""
    return reply.body[:64].lstrip()[:1] == b"<"


def unreadable(call: Call[Any], reply: Reply, error: Exception) -> Failure:
    """A 2xx whose body is not what the operation answers."""
    shape = isinstance(error, msgspec.ValidationError)
    cut = isinstance(error.__cause__, EngineFailure)
    what = "the answer was cut off" if cut else "the answer is not JSON"
    if shape:
        what = f"unexpected answer ({error})"
    doubtful = proves_nothing(reply)
    read = call.method == "GET"
    done = "" if read else " The write was carried out; only its answer could not be read."
    if doubtful:
        done = "" if read else " It does not come from the API, and proves nothing."
    failure = ResponseDecodeError(
        f"{what}: {_start(reply)!r}.{done}",
        status=reply.status,
        method=call.method,
        path=call.path,
        body=_start(reply),
        done=not (read or doubtful),
    )
    if not isinstance(error, UnicodeDecodeError):  # it carries what it could not decode
        failure.__cause__ = error
    if doubtful:
        return Failure(Effect.UNKNOWN, True, failure, reply.status)
    return Failure(Effect.DONE, not shape, failure, reply.status)


def refused(call: Call[Any], reply: Reply, words: Words, attempts: int) -> Failure:
    """An answer other than 2xx."""
    effect, transient = of_status(reply.status)
    error = _error(call, reply, attempts)
    asked = retry_after_seconds(words)
    if isinstance(error, RateLimitError) and words.date is not None:
        reset = words.reset if words.remaining == 0 else None
        back = words.date + asked if asked is not None else reset
        error.retry_at = None if back is None else datetime.fromtimestamp(back, UTC)
    return Failure(effect, transient, error, reply.status, asked)


def failed(call: Call[Any], failure: EngineFailure, attempts: int) -> Failure:
    """No answer."""
    kind = APITimeoutError if failure.timed_out else APIConnectionError
    sent = failure.sent != "no"
    error = kind(str(failure), method=call.method, path=call.path, sent=sent, attempts=attempts)
    error.__cause__ = failure
    return Failure(Effect.UNKNOWN if sent else Effect.NONE, True, error)


def without_key(reply: Reply, request: Request) -> Reply:
    """An answer as errors may show it: some servers say which key they refuse."""
    key = request.headers.get("X-Api-Key", "").encode()
    values = [reply.body, *(value for _, value in reply.headers)]
    if not key or not any(key in value for value in values):
        return reply
    headers = [(name, value.replace(key, b"***")) for name, value in reply.headers]
    return Reply(reply.status, headers, reply.body.replace(key, b"***"))


def _error(call: Call[Any], reply: Reply, attempts: int) -> APIError:
    headers = {
        name.decode("latin-1").lower(): value.decode("latin-1") for name, value in reply.headers
    }
    try:
        body = decode(dict[str, Any], reply.body)
    except UNREADABLE:
        body = {}
    message, code, details = body.get("error"), body.get("code"), body.get("details")
    if not isinstance(message, str):
        message = _message(reply, headers)
    return error_for(reply.status)(
        message,
        status=reply.status,
        code=code if isinstance(code, str) else None,
        details=details if isinstance(details, dict) else None,
        method=call.method,
        path=call.path,
        headers=headers,
        body=_start(reply),
        attempts=attempts,
    )


def _message(reply: Reply, headers: dict[str, str]) -> str:
    if 300 <= reply.status < 400:
        target = headers.get("location", "an unnamed place")
        return (
            f"redirected to {target}; not followed, since that could hand the key to another host"
        )
    return f"the answer was {_start(reply)!r}" if reply.body else "the answer had no body"


def _start(reply: Reply) -> str:
    return reply.body[: _SHOWN * 4].decode("utf-8", "replace")[:_SHOWN]

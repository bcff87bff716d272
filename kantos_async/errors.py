"""Every error that leaves the package, as one tree under `KantosError`.

The names are those that Python users know from other SDKs. All of them pickle, and none carries
the API key.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

__all__ = [
    "APIConnectionError",
    "APIError",
    "APITimeoutError",
    "AuthenticationError",
    "BadRequestError",
    "ClientClosedError",
    "ConflictError",
    "InternalServerError",
    "KantosError",
    "NotFoundError",
    "PermissionDeniedError",
    "QueryIgnoredError",
    "RateLimitError",
    "ReadOnlyError",
    "ResponseDecodeError",
    "UnknownOutcomeError",
    "UnprocessableEntityError",
    "WebhookSignatureError",
    "WrongContextError",
    "error_for",
]


def _rebuild(cls: type[KantosError], state: dict[str, Any]) -> KantosError:
    error = cls.__new__(cls)
    error.__dict__.update(state)
    Exception.__init__(error, state.get("message", ""))
    return error


class KantosError(Exception):
    """The root of every error of this package."""

    message: str

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message

    def __reduce__(self) -> tuple[Any, ...]:
        # Subclasses take keyword arguments, which the default protocol would lose.
        return _rebuild, (type(self), self.__dict__)


class ClientClosedError(KantosError):
    """The client was used after `aclose()`."""


class WrongContextError(KantosError):
    """The client was used from another event loop, thread or process than the one it belongs to."""


class ReadOnlyError(KantosError):
    """A write was attempted on a client made with `read_only=True`; nothing was sent."""


class APIError(KantosError):
    """The API answered with an error.

    Attributes:
        status: the HTTP status.
        code: the API's own code (`"NOT_FOUND"`), or None where the answer had none.
        message: one line for people.
        details: the API's `details` member; empty when there was none.
        method, path: the request, without its query string.
        headers: the answer's headers, names in lower case.
        body: the first 200 characters of the answer's body.
        attempts: how many times the request was put on the wire.
    """

    def __init__(
        self,
        message: str,
        *,
        status: int,
        code: str | None = None,
        details: Mapping[str, Any] | None = None,
        method: str = "",
        path: str = "",
        headers: Mapping[str, str] | None = None,
        body: str = "",
        attempts: int = 1,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.details: dict[str, Any] = dict(details or {})
        self.method = method
        self.path = path
        self.headers: dict[str, str] = dict(headers or {})
        self.body = body
        self.attempts = attempts

    def __str__(self) -> str:
        code = f" {self.code}" if self.code else ""
        return f"{self.method} {self.path}: {self.status}{code}: {self.message}".strip()


class BadRequestError(APIError):
    """400: the request was malformed."""


class AuthenticationError(APIError):
    """401: the API key is missing, wrong or revoked."""


class PermissionDeniedError(APIError):
    """403: the key may not do this (schema changes need an admin's key)."""


class NotFoundError(APIError):
    """404: no such record, object or path."""


class ConflictError(APIError):
    """409: a duplicate or another constraint.

    `existing` is the record that stands in the way where it was looked up (a create with
    `unique_by`), else None.
    """

    existing: Any = None


class UnprocessableEntityError(APIError):
    """422: a value was refused; `details` names the field."""


class RateLimitError(APIError):
    """429, or a quota that stays spent for longer than `Quota.max_wait`.

    `retry_at` is when the quota is expected back, by the server's clock; None when the server
    did not say. `attempts` is 0 when the request was never sent.
    """

    retry_at: datetime | None = None


class InternalServerError(APIError):
    """Any 5xx."""


class APIConnectionError(KantosError):
    """No answer came: not connected, connection lost, or answer cut off.

    `sent` is False when the request surely never left, True when it may have arrived.
    """

    def __init__(
        self,
        message: str,
        *,
        method: str = "",
        path: str = "",
        sent: bool = True,
        attempts: int = 1,
    ) -> None:
        super().__init__(message)
        self.method = method
        self.path = path
        self.sent = sent
        self.attempts = attempts

    def __str__(self) -> str:
        return f"{self.method} {self.path}: {self.message}".strip()


class APITimeoutError(APIConnectionError):
    """An attempt took longer than `timeout`, or the call longer than `RetryPolicy.deadline`."""


class ResponseDecodeError(KantosError):
    """The API answered 2xx with a body that is not what the operation answers.

    `done` is True for a write: the server has carried it out, only its answer could not be read.
    """

    def __init__(
        self,
        message: str,
        *,
        status: int,
        method: str,
        path: str,
        body: str = "",
        done: bool = False,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.method = method
        self.path = path
        self.body = body
        self.done = done

    def __str__(self) -> str:
        return f"{self.method} {self.path}: {self.message}"


class QueryIgnoredError(KantosError):
    """The server accepted a query and did not carry it out: it ignored a filter or the sort.

    Going on would have missed records. `object_id` and `field` are what was asked for.
    """

    def __init__(self, message: str, *, object_id: str, field: str) -> None:
        super().__init__(message)
        self.object_id = object_id
        self.field = field


class UnknownOutcomeError(KantosError):
    """A write that may or may not have happened. It was not sent again.

    Attributes:
        method, path: the request.
        sent: the body that was sent.
        attempts: how many times it was put on the wire.
        hint: how to find out whether it happened.

    `__cause__` is the last failure.
    """

    def __init__(
        self, message: str, *, method: str, path: str, sent: Any, attempts: int, hint: str
    ) -> None:
        super().__init__(message)
        self.method = method
        self.path = path
        self.sent = sent
        self.attempts = attempts
        self.hint = hint

    def __str__(self) -> str:
        return f"{self.method} {self.path}: {self.message} {self.hint}"


class WebhookSignatureError(KantosError):
    """A webhook's body is not covered by a valid signature."""


_BY_STATUS: dict[int, type[APIError]] = {
    400: BadRequestError,
    401: AuthenticationError,
    403: PermissionDeniedError,
    404: NotFoundError,
    409: ConflictError,
    422: UnprocessableEntityError,
    429: RateLimitError,
}


def error_for(status: int) -> type[APIError]:
    """The class that stands for an HTTP status; `APIError` for one without a name of its own."""
    if status >= 500:
        return InternalServerError
    return _BY_STATUS.get(status, APIError)

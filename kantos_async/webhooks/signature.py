"""`verify` and `unwrap`: is a webhook from Kantos, and what does it say.

Kantos signs "the payload" and then puts the signature inside it, and does not say which bytes
exactly were signed. Two readings are accepted: the body as it came with the `signature` member
cut out, and the body without it as `JSON.stringify` writes it. Being generous here costs nothing:
each reading is proven by the HMAC, and only the bytes it proved are ever decoded, so that a body
changed on its way either fails or still says what was signed.
"""

from __future__ import annotations

import hmac
import math
import re
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import Any, TypeAlias

from ..errors import WebhookSignatureError
from .document import Document, parse
from .events import WebhookEvent, read_event
from .stringify import stringify

__all__ = ["Secret", "check_tolerance", "secret_keys", "unwrap", "verify"]

#: One secret, or several while they are rotated: a signature by any of them is accepted.
Secret: TypeAlias = str | bytes | Sequence[str | bytes]

_SIGNATURE = re.compile(r"sha256=[0-9a-f]{64}")


def verify(
    body: bytes,
    secret: Secret,
    signature: str | None = None,
    *,
    tolerance: float | None = None,
) -> bytes:
    """Check a webhook's signature and return the bytes that it covers.

    Decode these bytes and never `body`, which may hold more than was signed; `unwrap` does.

    Args:
        body: the request's body, byte for byte as it came.
        secret: the webhook secret; several while they are rotated.
        signature: `sha256=` and 64 lower-case hex digits, where it came outside the body (in a
            header); it then covers `body` as a whole. Without it the body's own is taken.
        tolerance: the greatest age of the event's `timestamp`, in seconds, to either side; off by
            default, since a redelivery may come 36 minutes later.

    Raises:
        WebhookSignatureError: no valid signature, or a body that could be read in two ways.
        ValueError: an empty secret, or a tolerance that is not finite or below 0.
    """
    return _unwrap(body, secret, signature, tolerance)[0]


def unwrap(
    body: bytes,
    secret: Secret,
    signature: str | None = None,
    *,
    tolerance: float | None = None,
) -> WebhookEvent:
    """Check a webhook's signature and return its event; the arguments are those of `verify`.

    The result is a `RecordCreated`, `RecordUpdated`, `RecordDeleted`, `IntakeReceived`,
    `AutomationExecuted` or, for any other name, an `UnknownEvent`.

    Raises:
        WebhookSignatureError: no valid signature, or a body that could be read in two ways.
        ValueError: an empty secret, or a tolerance that is not finite or below 0.
    """
    return _unwrap(body, secret, signature, tolerance)[1]


def secret_keys(secret: Secret) -> tuple[bytes, ...]:
    """The HMAC keys of one or several secrets.

    Raises:
        ValueError: there is none, or one is empty.
    """
    secrets: tuple[Any, ...] = (secret,) if isinstance(secret, str | bytes) else tuple(secret or ())
    keys = tuple(each.encode() if isinstance(each, str) else each for each in secrets)
    # A variable that is not set arrives here as None.
    if not keys or not all(isinstance(key, bytes) and key for key in keys):
        raise ValueError("a webhook secret must be a non-empty str or bytes")
    return keys


def check_tolerance(tolerance: float | None) -> None:
    """Refuse a tolerance that would let everything pass, or nothing.

    Raises:
        ValueError: it is not a finite number of seconds from 0.
    """
    if tolerance is not None and not 0 <= tolerance < math.inf:
        raise ValueError(f"tolerance must be a finite number of seconds from 0, not {tolerance}")


def _unwrap(
    body: bytes, secret: Secret, signature: str | None, tolerance: float | None
) -> tuple[bytes, WebhookEvent]:
    keys = secret_keys(secret)
    check_tolerance(tolerance)
    covered = _covered(body, keys, signature)
    event = read_event(covered)
    if tolerance is not None:
        _check_age(event, tolerance)
    return covered, event


def _covered(body: Any, keys: Sequence[bytes], signature: Any) -> bytes:
    # Programs without a type checker pass str or None here, and must get the promised error.
    if not isinstance(body, bytes):
        raise WebhookSignatureError("The body must be the bytes of the request as they came.")
    try:
        document = parse(body)
    except ValueError as error:
        raise WebhookSignatureError(f"The body is not acceptable JSON: {error}.") from None
    readings: Iterator[bytes] = iter((body,))
    if signature is None:
        if "signature" not in document.members:
            raise WebhookSignatureError("The body carries no signature.")
        signature = document.members["signature"].value
        readings = _readings(document)
    if not isinstance(signature, str) or not _SIGNATURE.fullmatch(signature):
        raise WebhookSignatureError("The signature is not sha256= and 64 lower-case hex digits.")
    given = bytes.fromhex(signature.removeprefix("sha256="))
    for covered in readings:
        for key in keys:
            if hmac.compare_digest(hmac.digest(key, covered, "sha256"), given):
                return covered
    raise WebhookSignatureError("The signature does not match the body.")


def _readings(document: Document) -> Iterator[bytes]:
    """The bytes that the body's own signature may cover, the likeliest first."""
    for text in document.without("signature"):
        yield text.encode()
    payload = {key: member.value for key, member in document.members.items()}
    del payload["signature"]
    try:
        yield stringify(payload).encode()
    except ValueError:
        return  # a number would change, so this reading is not what the body says


def _check_age(event: WebhookEvent, tolerance: float) -> None:
    if event.timestamp is None:
        raise WebhookSignatureError("The event has no timestamp to compare with the tolerance.")
    if abs((datetime.now(UTC) - event.timestamp).total_seconds()) > tolerance:
        raise WebhookSignatureError("The event's timestamp is outside the tolerance.")

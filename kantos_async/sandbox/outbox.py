"""Webhooks on their way out: signed bodies, attempts, and when to try again."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping
from typing import Any, Literal

import msgspec

__all__ = ["RETRIES", "Outbox", "Parcel", "sign"]

#: Seconds after a failed attempt until the next, as documented; then it is given up.
RETRIES = (60.0, 300.0, 1800.0)


class Parcel(msgspec.Struct):
    """One webhook: where it goes, and how its attempts went."""

    id: str
    url: str
    method: str
    headers: dict[str, str]
    body: bytes
    #: The server's time of the next attempt.
    due: float
    state: Literal["waiting", "sending", "delivered", "failed"] = "waiting"
    #: Each attempt's time and status; 0 where no answer came.
    attempts: list[tuple[float, int]] = []


class Outbox:
    """Holds parcels until somebody with a socket carries them."""

    def __init__(self) -> None:
        self.parcels: list[Parcel] = []

    def add(self, parcel: Parcel) -> None:
        """Post a parcel, due at once."""
        self.parcels.append(parcel)

    def due(self, now: float) -> list[Parcel]:
        """The parcels whose moment has come; they count as being sent."""
        ready = [p for p in self.parcels if p.state == "waiting" and p.due <= now]
        for parcel in ready:
            parcel.state = "sending"
        return ready

    def settle(self, parcel: Parcel, status: int, now: float) -> None:
        """Note how an attempt ended; `status` is 0 without an answer."""
        parcel.attempts.append((now, status))
        if 200 <= status < 300:
            parcel.state = "delivered"
        elif len(parcel.attempts) > len(RETRIES):
            parcel.state = "failed"
        else:
            parcel.state = "waiting"
            parcel.due = now + RETRIES[len(parcel.attempts) - 1]


def sign(event: Mapping[str, Any], secret: str) -> bytes:
    """The JSON of an event with its `signature` member, made over the same bytes without it."""
    body = msgspec.json.encode(event)
    digest = hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()
    return body[:-1] + b',"signature":"sha256=' + digest.encode() + b'"}'

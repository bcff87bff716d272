"""Webhooks on their way out: signed bodies, attempts, and when to try again."""

from __future__ import annotations

import hashlib
import heapq
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
    #: For each attempt why no answer came; empty where one did.
    errors: list[str] = []


class Outbox:
    """Holds parcels until somebody with a socket carries them."""

    def __init__(self) -> None:
        self.parcels: list[Parcel] = []
        #: Whoever waits, by the moment: a look at thousands of parcels must cost next to nothing.
        self._waiting: list[tuple[float, int, Parcel]] = []
        self._count = 0
        self._sending: set[str] = set()

    def add(self, parcel: Parcel) -> None:
        """Post a parcel, due at once."""
        self.parcels.append(parcel)
        self._wait(parcel)

    def _wait(self, parcel: Parcel) -> None:
        self._count += 1
        heapq.heappush(self._waiting, (parcel.due, self._count, parcel))

    def due(self, now: float, limit: int | None = None) -> list[Parcel]:
        """At most `limit` of the parcels whose moment has come; they count as being sent."""
        ready: list[Parcel] = []
        while self._waiting and self._waiting[0][0] <= now and len(ready) != limit:
            ready.append(heapq.heappop(self._waiting)[2])
        for parcel in ready:
            parcel.state = "sending"
            self._sending.add(parcel.id)
        return ready

    def clear(self) -> None:
        """Forget every parcel; one on its way arrives and is not sent again."""
        self.parcels.clear()
        self._waiting.clear()
        self._sending.clear()

    def settle(self, parcel: Parcel, status: int, now: float, error: str = "") -> None:
        """Note how an attempt ended; `status` is 0 without an answer, and `error` says why."""
        known = parcel.id in self._sending
        self._sending.discard(parcel.id)
        parcel.attempts.append((now, status))
        parcel.errors.append(error)
        if 200 <= status < 300:
            parcel.state = "delivered"
        elif len(parcel.attempts) > len(RETRIES):
            parcel.state = "failed"
        else:
            parcel.state = "waiting"
            parcel.due = now + RETRIES[len(parcel.attempts) - 1]
            if known:
                self._wait(parcel)


def sign(event: Mapping[str, Any], secret: str) -> bytes:
    """The JSON of an event with its `signature` member, made over the same bytes without it."""
    body = msgspec.json.encode(event)
    digest = hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()
    return body[:-1] + b',"signature":"sha256=' + digest.encode() + b'"}'

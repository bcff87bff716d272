"""What happened on the way to the wire: counts for everybody, events for whoever listens."""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import datetime
from typing import TypeAlias

import msgspec

__all__ = [
    "AnswerReceived",
    "Event",
    "GaveUp",
    "Listener",
    "QuotaWaited",
    "RequestSent",
    "RetryPlanned",
    "Stats",
    "guarded",
    "log_events",
]

_log = logging.getLogger("kantos_async")


class RequestSent(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A request goes on the wire. `attempt` counts from 1."""

    method: str
    path: str
    attempt: int


class AnswerReceived(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """An attempt ended after `seconds`; `status` is None when no answer came."""

    method: str
    path: str
    attempt: int
    status: int | None
    seconds: float


class RetryPlanned(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """The attempt failed for `reason`, and is repeated after `wait` seconds."""

    method: str
    path: str
    attempt: int
    reason: str
    wait: float


class QuotaWaited(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A call waited `seconds` for quota before it left."""

    seconds: float


class GaveUp(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A call failed for good."""

    method: str
    path: str
    attempts: int
    reason: str


Event: TypeAlias = RequestSent | AnswerReceived | RetryPlanned | QuotaWaited | GaveUp
Listener: TypeAlias = Callable[[Event], object]


class Stats(msgspec.Struct, kw_only=True, gc=False):
    """Counts since the client was made, and the quota as last seen.

    Attributes:
        requests: put on the wire, repeats included.
        retries: repeats among them.
        refused: answers 429.
        failed: calls that ended in an error.
        quota_waits: calls that waited for quota.
        seconds_waited: seconds spent waiting, for quota and before repeats, summed over calls.
        limit, remaining, reset: the quota's last words; `reset` is a time of the server's clock.
        others: requests a second that other programs spend on the same key.
    """

    requests: int = 0
    retries: int = 0
    refused: int = 0
    failed: int = 0
    quota_waits: int = 0
    seconds_waited: float = 0.0
    limit: int | None = None
    remaining: int | None = None
    reset: datetime | None = None
    others: float = 0.0


def guarded(listener: Listener) -> Listener:
    """The listener made harmless: what it raises is logged, the first time, and goes no further."""
    complained = False

    def tell(event: Event) -> None:
        nonlocal complained
        try:
            listener(event)
        except Exception:
            if not complained:
                complained = True
                _log.exception(
                    "the on_event listener %r raised; it will not be logged again", listener
                )

    return tell


def log_events(logger: logging.Logger | str = "kantos_async") -> Listener:
    """A listener for `on_event=` that writes to stdlib logging.

    Requests and answers go to DEBUG, quota waits to INFO, repeats to WARNING, failures to ERROR.
    """
    log = logging.getLogger(logger) if isinstance(logger, str) else logger

    def listener(event: Event) -> None:
        match event:
            case RequestSent():
                log.debug("%s %s (attempt %d)", event.method, event.path, event.attempt)
            case AnswerReceived():
                status = event.status if event.status is not None else "no answer"
                log.debug("%s %s: %s in %.3f s", event.method, event.path, status, event.seconds)
            case QuotaWaited():
                log.info("waited %.1f s for quota", event.seconds)
            case RetryPlanned():
                where = f"{event.method} {event.path}"
                log.warning("%s: %s; again in %.1f s", where, event.reason, event.wait)
            case GaveUp():
                log.error("%s %s: gave up: %s", event.method, event.path, event.reason)

    return listener

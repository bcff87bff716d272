"""What a failed attempt means, and whether to make another.

Two questions decide: what the failure tells of the server's state (`Effect`), and whether another
attempt may end differently. The table in docs/retries.md says the same in words.
"""

from __future__ import annotations

import enum
import random
from collections.abc import Callable
from typing import Any

import attrs
import msgspec

__all__ = ["Effect", "Failure", "RetryBudget", "RetryPolicy", "Verdict", "judge", "of_status"]


class Effect(enum.Enum):
    """What is known of a request that failed."""

    NONE = "none"  # it changed nothing
    UNKNOWN = "unknown"  # it may have been carried out
    DONE = "done"  # it was carried out, only its answer cannot be read


class Verdict(enum.Enum):
    """What to do after a failed attempt."""

    REPEAT = "repeat"
    GIVE_UP = "give up"
    #: A write in doubt that must not be repeated blindly.
    DOUBT = "doubt"


class Failure(msgspec.Struct, frozen=True):
    """One failed attempt.

    `error` is what the caller gets if it was the last.
    """

    effect: Effect
    transient: bool
    error: Exception
    status: int | None = None
    retry_after: float | None = None


def of_status(status: int) -> tuple[Effect, bool]:
    """What a status other than 2xx tells: the effect, and whether it may pass."""
    if status in {425, 429}:
        return Effect.NONE, True
    if status == 408 or status >= 500:
        return Effect.UNKNOWN, True
    # A redirect was not followed, so what stands behind it is not known; nor is a stray 1xx.
    return (Effect.NONE, False) if status >= 400 else (Effect.UNKNOWN, True)


_SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
#: Writes that set a state: carrying them out twice leaves what carrying them out once does.
_SETTING = frozenset({"PATCH", "PUT", "DELETE"})


def is_read(method: str) -> bool:
    """Whether a method changes nothing on the server."""
    return method in _SAFE


def judge(method: str, failure: Failure, policy: RetryPolicy) -> Verdict:
    """Whether to repeat, by what the request was and how it failed; attempts left or not."""
    if not failure.transient:
        return Verdict.GIVE_UP
    if failure.effect is Effect.NONE or method in _SAFE:
        return Verdict.REPEAT
    if failure.effect is Effect.DONE:
        return Verdict.GIVE_UP
    if method in _SETTING and (policy.patch or method != "PATCH"):
        return Verdict.REPEAT
    return Verdict.DOUBT


def _positive(_: object, attribute: attrs.Attribute[Any], value: float | None) -> None:
    if value is not None and not value > 0:
        raise ValueError(f"RetryPolicy({attribute.name}={value!r}): must be above 0 seconds")


def _whole(_: object, attribute: attrs.Attribute[Any], value: int) -> None:
    if not (isinstance(value, int) and value >= 1):
        raise ValueError(f"RetryPolicy({attribute.name}={value!r}): must be a whole number from 1")


@attrs.frozen(kw_only=True)
class RetryPolicy:
    """How often, and how patiently, a failed call is repeated. Times are in seconds.

    Args:
        attempts: how many times a call is put on the wire at most, the first included.
        base: the longest first wait; it doubles with each attempt. Waits are drawn evenly between
            0 and that ("full jitter"). `Retry-After` and the quota's reset win over it.
        cap: the longest wait.
        deadline: bounds a whole call, its waits included. None: no bound.
        patch: whether a PATCH that may have arrived is repeated. It sets values, so the record
            ends the same; but an automation on its change may run twice.
        rng: draws from [0, 1); for tests.

    Raises:
        ValueError: a setting is out of range; it is named.
    """

    attempts: int = attrs.field(default=5, validator=_whole)
    base: float = attrs.field(default=0.5, validator=_positive)
    cap: float = attrs.field(default=20.0, validator=_positive)
    deadline: float | None = attrs.field(default=None, validator=_positive)
    patch: bool = True
    rng: Callable[[], float] = attrs.field(default=random.random, repr=False, eq=False)

    def backoff(self, attempt: int) -> float:
        """The wait after the `attempt`-th attempt failed."""
        return self.rng() * min(self.cap, self.base * 2.0 ** min(attempt - 1, 99))


class RetryBudget:
    """What stops a storm: a bucket of tokens that repeats are paid from.

    Starts full at 500. A repeat costs 5 and gets them back when it succeeds; a call that succeeds
    at its first attempt gives 1. Shared by a client and its copies.
    """

    _FULL = 500
    _COST = 5

    def __init__(self) -> None:
        self._tokens = self._FULL

    def spend(self) -> bool:
        """Pay for one repeat; False when the bucket is empty."""
        if self._tokens < self._COST:
            return False
        self._tokens -= self._COST
        return True

    def succeeded(self, paid: bool) -> None:
        """Take in a success, of a repeat that was paid for or of a first attempt."""
        if self._tokens < self._FULL:
            self._tokens = min(self._FULL, self._tokens + (self._COST if paid else 1))

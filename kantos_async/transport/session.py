"""The one way down to the wire: every call of the package passes through `Session.send`."""

from __future__ import annotations

from types import NoneType
from typing import Any, NoReturn, Protocol, TypeVar

import anyio
import attrs
import msgspec

from ..errors import (
    APIConnectionError,
    APIError,
    APITimeoutError,
    KantosError,
    RateLimitError,
    ReadOnlyError,
    ResponseDecodeError,
    UnknownOutcomeError,
)
from .answers import UNREADABLE, accept, failed, refused, unreadable, without_key
from .budget import Permit
from .call import UNSET, Call, query_string
from .codec import encode
from .engines import EngineFailure, Reply, Request
from .events import AnswerReceived, GaveUp, RequestSent, RetryPlanned
from .retry import Effect, Failure, RetryPolicy, Verdict, is_read, judge
from .wire import Wire
from .words import read_words

__all__ = ["Doubt", "Session", "Settler"]

T = TypeVar("T")


#: How to find out what became of a write in doubt.
_HINTS = {
    "POST": "Look for it by a value that only it has; or create with `unique_by=` on a field that "
    "the server keeps unique, which settles such doubts by itself.",
    "PATCH": "Read the record: if it holds the values sent, it was.",
    "DELETE": "Read the record: if the answer is 404, it was.",
}

#: Refusals that the first attempt would have met as well, so that they speak for all attempts.
_FOR_ALL = frozenset({400, 404, 409, 422})


class Doubt(msgspec.Struct, frozen=True):
    """A create that may have happened.

    `first_sent` is the earliest that the server's clock (Unix time) may have shown when the first
    attempt left that may have arrived; None when nothing is known of that clock. `until` is the
    deadline of the call (our clock).
    """

    call: Call[Any]
    first_sent: float | None
    attempts: int
    until: float | None


class Settler(Protocol):
    """What can tell whether a create in doubt has happened (`unique_by`)."""

    async def may_repeat(self, until: float | None) -> bool:
        """Whether sending again is safe, because the server keeps the field unique.

        `until` is the deadline of the call (our clock).
        """
        ...

    async def resolve(self, doubt: Doubt, conflict: Exception) -> Any:
        """A repeat was answered 409: return the record if it is ours, else raise."""
        ...


class _Effort:
    """What one call has been through so far."""

    __slots__ = ("attempts", "deadline", "doubt", "first_sent", "key_read", "paid", "sent")

    def __init__(self, deadline: float | None) -> None:
        self.attempts = 0
        self.deadline = deadline
        self.sent = 0.0  # the last attempt, on our clock
        self.first_sent = 0.0  # the first attempt in doubt
        self.doubt: Failure | None = None  # the last attempt that may have arrived
        self.paid = False
        self.key_read = False


class _Ended(msgspec.Struct, frozen=True):
    """A call that ended well after all, though its last attempt failed."""

    result: Any


@attrs.define
class Session:
    """Sends calls over a shared `Wire`. Copies with other options are cheap."""

    wire: Wire
    timeout: float
    retry: RetryPolicy
    read_only: bool = False
    settler: Settler | None = None
    until: float | None = None

    def elsewhere(self, base_url: str) -> Session:
        """A session that sends to another host: without the key, and at no cost to its quota."""
        return attrs.evolve(self, wire=self.wire.elsewhere(base_url))

    async def send(self, call: Call[T]) -> T:
        """Carry out one call.

        Raises:
            APIError, APIConnectionError, ResponseDecodeError: it failed.
            UnknownOutcomeError: it is a write that may or may not have happened.
        """
        wire = self.wire
        wire.check()
        if self.read_only and not is_read(call.method):
            raise ReadOnlyError(f"{call.method} {call.path}: this client is read-only")
        url = wire.base_url + call.path
        if call.params:
            url = f"{url}?{query_string(call.params)}"
        body = None if call.body is UNSET else encode(call.body)
        effort = _Effort(self._deadline())
        while True:
            headers = (wire.headers or await wire.read_key())[body is not None]
            result = await self._attempt(call, Request(call.method, url, headers, body), effort)
            if not isinstance(result, Failure):
                wire.retry_budget.succeeded(effort.paid)
                return result
            wait = await self._after(call, effort, result, headers)
            if isinstance(wait, _Ended):
                wire.retry_budget.succeeded(effort.paid)
                return wait.result  # type: ignore[no-any-return]
            if wait > 0:
                wire.counts.seconds_waited += wait
                await self._pause(wait)

    async def _attempt(self, call: Call[T], request: Request, effort: _Effort) -> T | Failure:
        """One request on the wire: its result, or what went wrong."""
        wire = self.wire
        permit = await self._enter(call, effort)
        cut: EngineFailure | None = None
        reply: Reply | None
        try:
            timeout = self.timeout if effort.deadline is None else self._time_left(effort.deadline)
            reply = await wire.engine.send(request, timeout)
            words = read_words(reply.headers)
        except EngineFailure as failure:
            cut, reply = failure, failure.partial
            if reply is None:
                (wire.gate.unreached if failure.sent == "no" else wire.gate.lost)(permit)
                self._tell_answer(call, effort, None, permit)
                return failed(call, failure, effort.attempts)
            words = read_words(reply.headers)
        except BaseException:
            wire.gate.lost(permit)
            raise
        wire.gate.answered(permit, words, reply.status)
        if wire.listener is not None:
            self._tell_answer(call, effort, reply.status, permit)
        if not 200 <= reply.status < 300:
            return refused(call, without_key(reply, request), words, effort.attempts)
        if cut is not None and is_read(call.method):
            return failed(call, cut, effort.attempts)
        try:
            if cut is not None and call.result is not NoneType:
                raise ValueError(str(cut)) from cut
            return accept(call, reply)
        except UNREADABLE as error:
            return unreadable(call, without_key(reply, request), error)

    async def _enter(self, call: Call[Any], effort: _Effort) -> Permit:
        """Pass the gate, and count."""
        wire = self.wire
        try:
            permit = await self._admit(effort.deadline)
        except KantosError as error:
            if isinstance(error, RateLimitError | APIConnectionError):
                error.method, error.path, error.attempts = call.method, call.path, effort.attempts
            self._give_up(call, effort, error)
        effort.attempts += 1
        wire.counts.requests += 1
        effort.sent = permit.sent
        if wire.listener is not None:
            wire.listener(
                RequestSent(method=call.method, path=call.path, attempt=effort.attempts),
            )
        return permit

    async def _after(
        self, call: Call[Any], effort: _Effort, failure: Failure, headers: dict[str, str]
    ) -> float | _Ended:
        """Seconds to wait before the next attempt, or how the call ended after all."""
        wire = self.wire
        if failure.status == 429:
            wire.counts.refused += 1
        if failure.status == 401 and wire.rotates_keys and not effort.key_read:
            effort.key_read = True
            try:
                fresh = await wire.read_key(headers)
            except Exception as error:
                self._give_up(call, effort, error)
            if fresh[0]["X-Api-Key"] != headers["X-Api-Key"]:
                return 0.0
        if effort.doubt is not None and failure.status == 404 and call.method == "DELETE":
            # An earlier attempt has deleted it.
            return _Ended(Reply(404, (), b"") if call.result is Reply else None)
        if effort.doubt is not None and failure.status == 409 and self.settler is not None:
            try:
                return _Ended(await self.settler.resolve(self._doubt(call, effort), failure.error))
            except Exception as error:
                self._give_up(call, effort, error)
        if failure.effect is Effect.UNKNOWN and not is_read(call.method):
            if effort.doubt is None:
                effort.first_sent = effort.sent
            effort.doubt = failure
        verdict = judge(call.method, failure, self.retry)
        if (
            verdict is Verdict.DOUBT
            and self.settler is not None
            and await self.settler.may_repeat(effort.deadline)
        ):
            verdict = Verdict.REPEAT
        if verdict is not Verdict.REPEAT or effort.attempts >= self.retry.attempts:
            self._give_up(call, effort, failure.error)
        return self._plan(call, effort, failure)

    def _plan(self, call: Call[Any], effort: _Effort, failure: Failure) -> float:
        """The wait before a repeat; a call that waits holds neither slot nor permit."""
        wire = self.wire
        wait = self.retry.backoff(effort.attempts)
        if failure.status == 429:
            wait = 0.0  # the gate holds everybody for as long as the server asked
        elif failure.retry_after is not None:
            wait = failure.retry_after
            if wait > wire.max_wait:
                self._give_up(call, effort, failure.error)
        if effort.deadline is not None and wire.now() + wait >= effort.deadline:
            self._give_up(call, effort, failure.error)
        # Neither a refusal, nor a connection that failed, nor the settling of a doubt can feed a
        # storm: the gate holds everybody after the first two, and the third is rare.
        settling = effort.doubt is not None and self.settler is not None
        never_sent = failure.status is None and failure.effect is Effect.NONE
        if failure.status != 429 and not never_sent and not settling:
            effort.paid = wire.retry_budget.spend()
            if not effort.paid:
                self._give_up(call, effort, failure.error)
        wire.counts.retries += 1
        if wire.listener is not None:
            wire.listener(
                RetryPlanned(
                    method=call.method,
                    path=call.path,
                    attempt=effort.attempts,
                    reason=str(failure.error),
                    wait=wait,
                ),
            )
        return wait

    def _give_up(self, call: Call[Any], effort: _Effort, error: Exception) -> NoReturn:
        """Raise what the caller is to know: refused, failed, or unknown."""
        wire = self.wire
        wire.counts.failed += 1
        if wire.listener is not None:
            wire.listener(
                GaveUp(
                    method=call.method,
                    path=call.path,
                    attempts=effort.attempts,
                    reason=str(error),
                ),
            )
        if effort.doubt is None or isinstance(error, UnknownOutcomeError) or _settles(error):
            raise error
        raise UnknownOutcomeError(
            "it may or may not have been carried out.",
            method=call.method,
            path=call.path,
            sent=None if call.body is UNSET else call.body,
            attempts=effort.attempts,
            hint=_HINTS.get(call.method, _HINTS["PATCH"]),
        ) from error

    def _doubt(self, call: Call[Any], effort: _Effort) -> Doubt:
        first_sent = self.wire.server_time(effort.first_sent)
        return Doubt(call, first_sent, effort.attempts, effort.deadline)

    def _deadline(self) -> float | None:
        limit = self.retry.deadline
        if limit is None:
            return self.until
        own = self.wire.now() + limit
        return own if self.until is None else min(own, self.until)

    async def _pause(self, seconds: float) -> None:
        await self.wire.sleep(seconds)

    def _time_left(self, deadline: float) -> float:
        return max(0.001, min(self.timeout, deadline - self.wire.now()))

    async def _admit(self, deadline: float | None) -> Permit:
        """Wait for slot and quota, until the deadline if there is one."""
        if deadline is None:
            return await self.wire.gate.enter()
        permit: Permit | None = None
        with anyio.move_on_at(deadline):
            permit = await self.wire.gate.enter()
        if permit is None:
            raise APITimeoutError(
                "the deadline (RetryPolicy) passed before it could be sent", sent=False
            )
        return permit

    def _tell_answer(
        self, call: Call[Any], effort: _Effort, status: int | None, permit: Permit
    ) -> None:
        if self.wire.listener is not None:
            self.wire.listener(
                AnswerReceived(
                    method=call.method,
                    path=call.path,
                    attempt=effort.attempts,
                    status=status,
                    seconds=self.wire.now() - permit.sent,
                ),
            )


def _settles(error: Exception) -> bool:
    """Whether an error tells the outcome of all attempts, earlier ones in doubt included."""
    if isinstance(error, ResponseDecodeError):
        return error.done
    return isinstance(error, APIError) and error.status in _FOR_ALL

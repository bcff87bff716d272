"""`WebhookReceiver`: an ASGI app that verifies webhooks and hands each event to its handlers once.

A delivery is answered 200 only when its handlers have finished, so that Kantos sends it again
after any failure, a crash included: every event is handled at least once. What was handled is
remembered by what was signed, so that a redelivery is not handled again.
"""

from __future__ import annotations

import inspect
import logging
from collections import defaultdict
from collections.abc import Callable
from typing import Any, Literal, Protocol, TypeAlias, TypeVar, overload

import anyio
import anyio.to_thread

from ..errors import WebhookSignatureError
from .asgi import Answer, Receive, Refused, Scope, Send, header, lifespan, read_body, reply
from .events import (
    AutomationExecuted,
    IntakeReceived,
    RecordCreated,
    RecordDeleted,
    RecordUpdated,
    WebhookEvent,
)
from .signature import Secret, check_tolerance, secret_keys, unwrap
from .store import Claim, DeliveryStore, MemoryStore

__all__ = ["WebhookReceiver"]

log = logging.getLogger("kantos_async.webhooks")

E = TypeVar("E", bound=WebhookEvent)
R = TypeVar("R")
AnyHandler: TypeAlias = Callable[[Any], Any]

#: Bodies above this are verified in a thread: made to be slow, one of a mebibyte takes a second.
_SMALL = 16_384


class _Register(Protocol[E]):
    def __call__(self, handler: Callable[[E], R], /) -> Callable[[E], R]: ...


class WebhookReceiver:
    """An ASGI app for one webhook address; mount it in any framework, or serve it alone.

    It answers 200 when the event has been handled, now or before, or nobody handles it; 503 while
    an earlier delivery of the event is still at work; 500 when a handler fails; 400 for a bad
    signature; 413 and 408 for a body that is too large or too slow; 405 unless the method is POST.
    Kantos repeats what was not answered 2xx within 30 s after 1, 5 and 30 minutes.

    Args:
        secret: the webhook secret; several while they are rotated.
        store: which deliveries have been handled; a `MemoryStore` unless given.
        signature_header: the header that carries the signature, where one does; a request without
            it is judged by the signature in its body.
        tolerance: the greatest age of an event, in seconds; off by default, since a redelivery may
            come 36 minutes later.
        max_body: the largest body read, in bytes.
        body_timeout: the time in which a body must have come, in seconds.

    Raises:
        ValueError: an empty secret, or a tolerance that is not finite or below 0.
    """

    def __init__(
        self,
        secret: Secret,
        *,
        store: DeliveryStore | None = None,
        signature_header: str | None = None,
        tolerance: float | None = None,
        max_body: int = 1_048_576,
        body_timeout: float = 10.0,
    ) -> None:
        self._secret: Secret = secret_keys(secret)
        check_tolerance(tolerance)
        self._store: DeliveryStore = MemoryStore() if store is None else store
        self._signature_header = signature_header
        self._tolerance = tolerance
        self._max_body = max_body
        self._body_timeout = body_timeout
        self._handlers: defaultdict[str, list[AnyHandler]] = defaultdict(list)

    @overload
    def on(self, event: Literal["record.created"]) -> _Register[RecordCreated]: ...
    @overload
    def on(self, event: Literal["record.updated"]) -> _Register[RecordUpdated]: ...
    @overload
    def on(self, event: Literal["record.deleted"]) -> _Register[RecordDeleted]: ...
    @overload
    def on(self, event: Literal["intake.received"]) -> _Register[IntakeReceived]: ...
    @overload
    def on(self, event: Literal["automation.executed"]) -> _Register[AutomationExecuted]: ...
    @overload
    def on(self, event: Literal["*"]) -> _Register[WebhookEvent]: ...
    @overload
    def on(self, event: str) -> _Register[Any]: ...
    def on(self, event: str) -> Any:
        """Register the decorated function for an event's name, or for every event with `"*"`.

        It may be `async`, or plain: then it runs in a thread. Several for one event run one after
        the other, in the order of their registration. When one raises, all of them run again at
        the next delivery, so a handler should bear being run twice.
        """

        def register(handler: AnyHandler) -> AnyHandler:
            self._handlers[event].append(handler)
            return handler

        return register

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """The ASGI app."""
        if scope["type"] == "lifespan":
            await lifespan(receive, send)
        elif scope["type"] == "websocket":
            await send({"type": "websocket.close"})
        else:
            await reply(scope, send, await self._answer(scope, receive))

    async def _answer(self, scope: Scope, receive: Receive) -> Answer:
        if scope["method"] != "POST":
            return Answer(405, "Webhooks are sent with POST.")
        try:
            body = await read_body(scope, receive, limit=self._max_body, timeout=self._body_timeout)
            event = await self._unwrap(scope, body)
        except Refused as refused:
            return refused.answer
        except WebhookSignatureError as error:
            log.warning("a webhook was refused: %s", error)
            return Answer(400, error.message)
        try:
            return await self._handle(event)
        except Exception:
            log.exception("the store of deliveries failed")
            return Answer(500, "The event could not be handled.")

    async def _unwrap(self, scope: Scope, body: bytes) -> WebhookEvent:
        name = self._signature_header
        signature = header(scope, name) if name else None

        def work() -> WebhookEvent:
            return unwrap(body, self._secret, signature, tolerance=self._tolerance)

        return work() if len(body) <= _SMALL else await anyio.to_thread.run_sync(work)

    async def _handle(self, event: WebhookEvent) -> Answer:
        handlers = [*self._handlers.get(event.event, ()), *self._handlers.get("*", ())]
        if not handlers:
            return Answer(200)
        key = event.fingerprint
        claim: Claim = "running"
        # A cancelled claim might be held by nobody, so cancelling waits until it is ours.
        with anyio.CancelScope(shield=True):
            claim = await self._store.claim(key)
        if claim == "done":
            return Answer(200)
        if claim == "running":
            return Answer(503, "An earlier delivery of this event is still being handled.")
        handled = False
        try:
            if await self._run(handlers, event):
                await self._store.done(key)
                handled = True
        finally:
            if not handled:
                with anyio.CancelScope(shield=True):
                    await self._store.release(key)
        return Answer(200) if handled else Answer(500, "The event could not be handled.")

    async def _run(self, handlers: list[AnyHandler], event: WebhookEvent) -> bool:
        """Run the handlers while the claim is renewed; tell whether all went well."""
        failure: Exception | None = None
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(self._renew, event.fingerprint)
            try:
                for handler in handlers:
                    await _call(handler, event)
            except Exception as error:
                failure = error
            tasks.cancel_scope.cancel()
        if failure is not None:
            log.error("a handler of %s failed", event.event, exc_info=failure)
        return failure is None

    async def _renew(self, key: str) -> None:
        while True:
            await anyio.sleep(self._store.lease / 3)
            try:
                await self._store.renew(key)
            except Exception:
                log.exception("a claim could not be renewed")


async def _call(handler: AnyHandler, event: WebhookEvent) -> None:
    if inspect.iscoroutinefunction(handler):
        await handler(event)
        return
    # Within a list, since what a callable object or a lambda gives back may be awaitable, which
    # trio refuses to take out of a thread.
    (result,) = await anyio.to_thread.run_sync(lambda: [handler(event)])
    if inspect.isawaitable(result):
        await result

"""The server without sockets: one call, one answer, and how that answer travels."""

from __future__ import annotations

import heapq
import logging
from collections import deque
from collections.abc import Mapping
from email.utils import formatdate
from itertools import islice
from typing import Any, Unpack

import msgspec

from .account import Account, Settings
from .automations import Automations
from .faults import Delivery, Fault
from .messages import Exchange, Request, decode_json
from .objects import Objects
from .people import People
from .problems import Problem
from .quota import Quota, Usage
from .routing import Routes

__all__ = ["Core", "Entry"]

log = logging.getLogger("kantos_async.sandbox")

_LOG_SIZE = 200_000
_HTML = b"<!doctype html>\n<title>502 Bad Gateway</title>\n<h1>502 Bad Gateway</h1>\n"
#: On Kantos it is on another host.
_INBOUND = "/api/webhooks/automation/"
_JSON = ("Content-Type", "application/json")


class Entry(msgspec.Struct, frozen=True, gc=False):
    """One line of the request log."""

    #: The server's time, Unix seconds.
    time: float
    method: str
    path: str
    query: str
    #: 0 when the request never arrived.
    status: int
    #: The fault that struck, `quota` for a 429, else empty.
    fate: str
    #: Requests left in the window; None without a quota.
    left: int | None


class Core(Account):
    """An account with the door in front of it: keys, quota, endpoints and faults.

    Stamps, `Date`, windows, search lag and late commits all follow `clock`, so it runs on virtual
    time too.
    """

    def __init__(
        self,
        *,
        quota: Quota | None = None,
        most_custom_objects: int | None = None,
        **account: Unpack[Settings],
    ) -> None:
        super().__init__(**account)
        self.quota = quota or Quota()
        #: Requests that arrived, whatever became of them.
        self.arrived = 0
        self._log: deque[Entry] = deque(maxlen=_LOG_SIZE)
        self._logged = 0
        self._late: list[tuple[float, int, Request]] = []
        self._usage: dict[str, Usage] = {}
        self._date = (0, "")
        self._routes = Routes(
            self.records,
            Objects(self.store, most_custom_objects),
            Automations(self.store),
            People(self.store),
        )

    # What tests look at

    @property
    def log(self) -> list[Entry]:
        """The last 200,000 requests, the oldest first."""
        with self._lock:
            return list(self._log)

    def log_since(self, number: int) -> tuple[list[Entry], int]:
        """The requests after the first `number` ever, as far as they are kept, and their count."""
        with self._lock:
            if number > self._logged:  # counted before a reset
                number = 0
            fresh = min(self._logged - number, len(self._log))
            return list(islice(self._log, len(self._log) - fresh, None)), self._logged

    def reset(self) -> None:
        """Back to a fresh account: no records, faults, late commits, usage or log; keys stay."""
        with self._lock:
            super().reset()
            self._late.clear()
            self._usage.clear()
            self._log.clear()
            self._logged = self.arrived = 0

    # One request

    def exchange(
        self,
        method: str,
        target: str,
        headers: Mapping[str, str],
        body: bytes = b"",
        *,
        connected: bool = False,
    ) -> Exchange:
        """Answer one request.

        `target` is the path with its query string, `/api` included. `connected` says that the
        request has come over a connection already, so that `refused` applies by the script alone.
        """
        path, _, query = target.partition("?")
        with self._lock:
            now = self._settle()
            if self.faults.refuses(method, path, connected=connected):
                self._note(now, method, path, query, 0, "refused", None)
                return _REFUSED
            self.arrived += 1
            if path.startswith(_INBOUND):
                return self._inbound(method, path, body, now)
            lowered = {name.lower(): value for name, value in headers.items()}
            caller = self.keys.find(lowered.get("x-api-key", ""))
            if caller is None:
                problem = Problem(401, "The API key is missing or wrong")
                self._note(now, method, path, query, 401, "", None)
                return self._answer(now, 401, problem.body(), (_JSON,), Delivery())
            return self._admit(Request(method, path, query, body, caller, now))

    def _inbound(self, method: str, path: str, body: bytes, now: float) -> Exchange:
        """Start an automation from outside; it needs no key, and has no quota."""
        try:
            if method != "POST":
                raise Problem(405, f"{method} is not allowed here", headers=(("Allow", "POST"),))
            payload: Any = decode_json(body, Any)
            self.runs.call(path.removeprefix(_INBOUND), payload, now)
        except Problem as problem:
            status, answer, extra = problem.status, problem.body(), problem.headers
        except Exception:
            status, answer, extra = 500, _unexpected(method, path), ()
        else:
            status, answer, extra = 200, b'{"status":"accepted"}', ()
        self._note(now, method, path, "", status, "", None)
        return self._answer(now, status, answer, (_JSON, *extra), Delivery())

    def _admit(self, request: Request) -> Exchange:
        now, usage = request.now, self._usage.setdefault(request.caller.key, Usage())
        fate: Fault | None = None
        if self.quota.take(usage, now):
            fate = self.faults.draw(request.method, request.path)
            status, body, extra = self._carry_out(request, fate)
            quota = () if fate in _FROM_A_PROXY else self.quota.headers(usage)
            extra += quota
            note: str = fate or ""
        else:
            status, body = 429, Problem(429, "Too many requests").body()
            extra, note = (_JSON, *self.quota.headers(usage)), "quota"
        left = self.quota.left(usage)
        self._note(now, request.method, request.path, request.query, status, note, left)
        return self._answer(now, status, body, extra, self.faults.delivery(fate, len(body)))

    def _carry_out(
        self, request: Request, fate: Fault | None
    ) -> tuple[int, bytes, tuple[tuple[str, str], ...]]:
        """Do what was asked, or what the fault leaves of it: status, body, further headers."""
        if fate == "late_commit" and request.method != "GET":
            due = request.now + self.faults.lateness()
            heapq.heappush(self._late, (due, self.arrived, request))
        done = self._handle(request) if fate not in _UNDONE else None
        if fate in {"error_before", "error_after"}:
            return 500, Problem(500, "Something went wrong").body(), (_JSON,)
        if fate == "unavailable":
            problem = Problem(503, "Try again later")
            return 503, problem.body(), (_JSON, ("Retry-After", str(self.faults.plan.retry_after)))
        if fate in {"html", "html_after"}:
            return 502, _HTML, (("Content-Type", "text/html; charset=utf-8"),)
        if fate == "redirect":
            return 307, b"", (("Location", self.faults.plan.location),)
        return done or (0, b"", ())

    def _handle(self, request: Request) -> tuple[int, bytes, tuple[tuple[str, str], ...]]:
        try:
            reply = self._routes.answer(request)
        except Problem as problem:
            return problem.status, problem.body(), (_JSON, *problem.headers)
        except Exception:
            return 500, _unexpected(request.method, request.path), (_JSON,)
        return reply.status, reply.body, ((_JSON,) if reply.body else ())

    def _settle(self) -> float:
        now = self.now()
        while self._late and self._late[0][0] <= now:
            due, _, request = heapq.heappop(self._late)
            self._handle(msgspec.structs.replace(request, now=due))
        return super()._settle()

    def _answer(
        self,
        now: float,
        status: int,
        body: bytes,
        extra: tuple[tuple[str, str], ...],
        delivery: Delivery,
    ) -> Exchange:
        second = int(now)
        if self._date[0] != second:
            self._date = (second, formatdate(second, usegmt=True))
        length = ("Content-Length", str(len(body)))
        headers = (("Date", self._date[1]), *extra) + ((length,) if status != 204 else ())
        return Exchange(status, headers, body, delivery)

    def _note(self, *values: Any) -> None:
        self._log.append(Entry(*values))
        self._logged += 1


def _unexpected(method: str, path: str) -> bytes:
    """The body of a 500 that is the sandbox's own fault, and a word to whoever can mend it."""
    log.exception("the sandbox failed at %s %s", method, path)
    return Problem(500, "The sandbox failed; its log says why").body()


_REFUSED = Exchange(0, (), b"", Delivery("refuse"))
#: Faults under which nothing is done (now).
_UNDONE = frozenset(
    {"drop_before", "late_commit", "error_before", "unavailable", "html", "redirect"}
)
#: Answers that the application never saw bear no rate-limit headers.
_FROM_A_PROXY = frozenset({"unavailable", "html", "html_after", "redirect"})

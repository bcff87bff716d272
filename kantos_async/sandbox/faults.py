"""What goes wrong on demand: one vocabulary for tests, the command line and the console."""

from __future__ import annotations

import math
import random
import threading
from collections import deque
from collections.abc import Collection
from typing import Any, Literal, NamedTuple, get_args

import msgspec

__all__ = ["FAULTS", "Delivery", "Fault", "FaultPlan", "Faults"]

Fault = Literal[
    "refused",
    "drop_before",
    "drop_after",
    "late_commit",
    "error_before",
    "error_after",
    "unavailable",
    "slow_headers",
    "slow_body",
    "truncated",
    "html",
    "html_after",
    "redirect",
]
#: Every fault by name. `docs/sandbox.md` says what each one does.
FAULTS: tuple[Fault, ...] = get_args(Fault)


class Delivery(msgspec.Struct, frozen=True):
    """How an answer reaches the client; whoever carries it (a socket, an engine) acts on it.

    `deliver`: whole, after the delays. `drop`: never, the connection breaks. `truncate`: the
    headers and the first `keep` bytes of the body, then the connection breaks. `refuse`: no
    connection came about, so the request was never sent.
    """

    kind: Literal["deliver", "drop", "truncate", "refuse"] = "deliver"
    keep: int = 0
    #: Seconds before the status line and headers leave.
    headers_after: float = 0.0
    #: Further seconds before the body leaves.
    body_after: float = 0.0


class Faults(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A plan: the chance of each fault per request (0 to 1), their measures, and oddities.

    At most one fault strikes a request, so the chances add up to at most 1 (`refused` aside,
    which strikes before there is a request).
    """

    refused: float = 0.0
    drop_before: float = 0.0
    drop_after: float = 0.0
    late_commit: float = 0.0
    error_before: float = 0.0
    error_after: float = 0.0
    unavailable: float = 0.0
    slow_headers: float = 0.0
    slow_body: float = 0.0
    truncated: float = 0.0
    html: float = 0.0
    html_after: float = 0.0
    redirect: float = 0.0

    #: Seconds that the listener stays closed when `refused` strikes.
    refused_for: float = 0.05
    #: A late commit happens up to so many seconds after the connection broke.
    lateness: float = 1.0
    #: The `Retry-After` of `unavailable`, in whole seconds.
    retry_after: int = 1
    #: Bounds, in seconds, of the delays of `slow_headers` and `slow_body`.
    slow: tuple[float, float] = (0.05, 0.2)
    #: Where `redirect` points.
    location: str = "https://elsewhere.invalid/"
    #: Seconds that every answer takes: the median, and the sigma of a log-normal distribution.
    latency: float = 0.0
    jitter: float = 0.0

    #: Queries see each write only after up to so many seconds; a get by id sees it at once.
    search_lag: float = 0.0
    #: Queries sorted by one of these come sorted by `created_at` instead.
    ignore_sort: frozenset[str] = frozenset()
    #: Filters on one of these are ignored.
    ignore_filter: frozenset[str] = frozenset()

    seed: int | None = None

    def __post_init__(self) -> None:
        chances: dict[str, float] = {fault: getattr(self, fault) for fault in FAULTS}
        for fault, chance in chances.items():
            if not (_is_number(chance) and 0 <= chance <= 1):
                raise ValueError(f"{fault} is a chance from 0 to 1, not {chance!r}")
        if sum(chances.values()) - self.refused > 1 + 1e-9:
            raise ValueError("the chances of all faults must add up to at most 1")
        for name in ("refused_for", "lateness", "retry_after", "latency", "jitter", "search_lag"):
            measure = getattr(self, name)
            if not (_is_number(measure) and 0 <= measure < math.inf):
                raise ValueError(f"{name} must be a finite number from 0, not {measure!r}")
        if not 0 <= self.slow[0] <= self.slow[1] < math.inf:
            raise ValueError("slow is a pair of seconds, the smaller first")
        if not self.location.isascii() or not self.location.isprintable():
            raise ValueError("location goes into a header: only printable ASCII")
        for name in ("ignore_sort", "ignore_filter"):
            msgspec.structs.force_setattr(self, name, _names(getattr(self, name)))


class _Scripted(NamedTuple):
    fault: Fault | None
    method: str | None
    path: str


class FaultPlan:
    """The faults of a running sandbox: chances that hold, and a script that comes first.

    Tests script it while a server draws, so the script has a lock of its own; the core draws
    under its lock.
    """

    def __init__(self, plan: Faults | None = None, seed: int | None = None) -> None:
        #: The account's own: a lag repeats by it where the plan has none.
        self._seed = seed
        self._script: deque[_Scripted] = deque()
        self._lock = threading.Lock()
        self._apply(plan or Faults())

    def _apply(self, plan: Faults) -> None:
        self.plan = plan
        self._random = random.Random(plan.seed)
        # Apart from the faults, so that how many are drawn leaves the lag alone.
        seed = self._seed if plan.seed is None else plan.seed
        self._lags = random.Random(None if seed is None else f"lag/{seed}")
        bounds: list[tuple[float, Fault]] = []
        reach = 0.0
        for name in FAULTS[1:]:
            if chance := getattr(plan, name):
                reach += chance
                bounds.append((reach, name))
        self._bounds = bounds

    def set(self, plan: Faults | None = None, /, **changes: Any) -> None:
        """Replace the plan, or change some of its members; the random source starts anew.

        Raises:
            ValueError: for a member that there is not, or a value out of range.
        """
        try:
            self._apply(msgspec.structs.replace(plan or self.plan, **changes))
        except TypeError as error:
            raise ValueError(str(error)) from None

    def clear(self) -> None:
        """No faults, no oddities, no script."""
        with self._lock:
            self._script.clear()
        self._apply(Faults())

    def next(
        self, *faults: Fault | Literal["ok"], method: str | None = None, path: str = ""
    ) -> None:
        """The next requests (of this method, with `path` in their path) get these, in order.

        `ok` lets one pass unharmed. What is scripted comes before what is drawn; requests that
        the quota or the key refuses use nothing up.

        Raises:
            ValueError: for a fault that there is not.
        """
        for fault in faults:
            if fault != "ok" and fault not in FAULTS:
                raise ValueError(f"{fault!r} is not a fault; there are ok, {', '.join(FAULTS)}")
        entries = [_Scripted(None if fault == "ok" else fault, method, path) for fault in faults]
        with self._lock:
            self._script.extend(entries)

    @property
    def scripted(self) -> int:
        """How many scripted faults have not struck yet."""
        return len(self._script)

    # For the core

    def refuses(self, method: str, path: str, *, connected: bool) -> bool:
        """Whether the client of this request finds the door closed.

        One that is connected already does so by the script alone.
        """
        with self._lock:
            entry = self._match(method, path)
            if entry is not None and entry.fault == "refused":
                self._script.remove(entry)
                return True
        return entry is None and not connected and self.closes()

    def closes(self) -> bool:
        """Whether the listener closes for a moment now, by the plan's chance."""
        return self.plan.refused > 0 and self._random.random() < self.plan.refused

    def draw(self, method: str, path: str) -> Fault | None:
        """The fate of a request that has arrived and was admitted."""
        if self._script:
            with self._lock:
                entry = self._match(method, path)
                # One scripted since this request came through the door is for the next.
                if entry is not None and entry.fault != "refused":
                    self._script.remove(entry)
                    return entry.fault
        if not self._bounds:
            return None
        lot = self._random.random()
        return next((fault for reach, fault in self._bounds if lot < reach), None)

    def lateness(self) -> float:
        """Seconds until a late commit."""
        return self._random.uniform(0.0, self.plan.lateness)

    def staleness(self) -> float:
        """Seconds until searches see a write."""
        return self._lags.uniform(0.0, self.plan.search_lag)

    def delivery(self, fault: Fault | None, length: int) -> Delivery:
        """How an answer with a body of `length` bytes leaves under a fault."""
        plan = self.plan
        latency = plan.latency
        if latency and plan.jitter:
            latency *= self._random.lognormvariate(0.0, plan.jitter)
        if fault in {"drop_before", "drop_after", "late_commit"}:
            return Delivery("drop", headers_after=latency)
        if fault == "truncated" and length:
            return Delivery("truncate", keep=self._random.randrange(length), headers_after=latency)
        if fault == "slow_headers":
            return Delivery(headers_after=latency + self._random.uniform(*plan.slow))
        if fault == "slow_body":
            return Delivery(headers_after=latency, body_after=self._random.uniform(*plan.slow))
        return Delivery(headers_after=latency) if latency else _AT_ONCE

    def _match(self, method: str, path: str) -> _Scripted | None:
        for entry in self._script:
            if entry.method in (None, method) and entry.path in path:
                return entry
        return None


_AT_ONCE = Delivery()


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _names(value: str | Collection[str]) -> frozenset[str]:
    return frozenset([value] if isinstance(value, str) else value)

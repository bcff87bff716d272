"""What is measured, and how two things are measured beside each other."""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from statistics import median
from typing import Literal

import msgspec

try:
    import resource
except ImportError:  # Windows
    resource = None  # type: ignore[assignment]

__all__ = ["Figure", "cpu", "drive", "in_turns", "median_ratio", "own_peak", "wall"]

Call = Callable[[], Awaitable[object]]


class Figure(msgspec.Struct, frozen=True, kw_only=True):
    """One line of the table.

    `value` is what `target` speaks of, in `unit`; `sides` are the measurements behind it.
    A figure without a target stands there for comparison.
    """

    name: str
    value: float
    unit: str = "x"
    bound: Literal["at most", "at least"] = "at most"
    target: float | None = None
    sides: dict[str, str] = {}

    @property
    def met(self) -> bool | None:
        if self.target is None:
            return None
        return self.value <= self.target if self.bound == "at most" else self.value >= self.target


async def in_turns(
    sides: Mapping[str, Callable[[], Awaitable[float]]], rounds: int
) -> dict[str, list[float]]:
    """Measure every side once a round, so that what else the machine does hits all alike."""
    measured: dict[str, list[float]] = {name: [] for name in sides}
    for turn in range(rounds + 1):
        for name, measure in sides.items():
            value = await measure()
            if turn:  # the first round warms up
                measured[name].append(value)
    return measured


def median_ratio(over: list[float], under: list[float]) -> float:
    """The median over the rounds of one side's measurement by the other's."""
    return median(a / b for a, b in zip(over, under, strict=True))


async def drive(call: Call, calls: int, in_flight: int) -> None:
    """Make `calls` calls, `in_flight` at a time."""
    left = iter(range(calls))

    async def worker() -> None:
        for _ in left:
            await call()

    await asyncio.gather(*(worker() for _ in range(in_flight)))


async def cpu(call: Call, calls: int, in_flight: int) -> float:
    """Microseconds of this process's CPU time a call."""
    start = time.process_time()
    await drive(call, calls, in_flight)
    return (time.process_time() - start) / calls * 1e6


async def wall(call: Call, calls: int, in_flight: int) -> float:
    """Calls a second."""
    start = time.perf_counter()
    await drive(call, calls, in_flight)
    return calls / (time.perf_counter() - start)


def own_peak() -> float | None:
    """MiB that this process held at most; None where the system does not tell."""
    status = Path("/proc/self/status")
    if status.exists():  # Linux: `ru_maxrss` would start from what the parent held
        lines = status.read_text().splitlines()
        return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM")) / 2**10
    if resource is None:
        return None
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / (2**20 if sys.platform == "darwin" else 2**10)

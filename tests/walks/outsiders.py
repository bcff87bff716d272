"""Somebody else who writes to the account while a walk goes on, and who remembers it all."""

from __future__ import annotations

import math
from random import Random

import anyio
from support.worlds import EPOCH, World

KIND = "obj_companies"


class Outsider:
    """Inserts, updates and deletes, and knows who was there when.

    Args:
        rate: writes a second, on average; some of them are bursts.
        lag: how long a search may not see a write.
    """

    def __init__(self, world: World, *, seed: int, rate: float = 0.0, lag: float = 0.0) -> None:
        self.core = world.core
        self.random = Random(seed)
        self.rate = rate
        self.lag = lag
        self.born: dict[str, float] = {}
        self.died: dict[str, float] = {}
        #: Each write of a record, by the server's time.
        self.written: dict[str, list[float]] = {}
        self._alive: list[str] = []

    def insert(self, number: int, ago: float | None = None) -> list[str]:
        """Create records now, or so many seconds ago."""
        at = self.core.now() - (ago or 0.0)
        rows = [{"name": f"Company {self.random.random()}"} for _ in range(number)]
        ids = self.core.insert(KIND, rows, moment=at)
        for each in ids:
            self.born[each] = at
            self.written[each] = [at]
        self._alive += ids
        return ids

    def update(self, number: int = 1) -> None:
        for each in self._some(number):
            self.core.update(each, {"name": f"Changed {self.random.random()}"})
            self.written[each].append(self.core.now())

    def delete(self, number: int = 1) -> None:
        for each in self._some(number):
            self.core.delete(each)
            self.died[each] = self.core.now()
            self._alive.remove(each)

    def _some(self, number: int) -> list[str]:
        return self.random.sample(self._alive, min(number, len(self._alive)))

    def past(self, number: int, *, a_second: float, ties: int = 0) -> None:
        """A history: records at a rate, and here and there thousands within one second."""
        longest = number / a_second + 60
        while number > 0:
            share = max(1, round(self.random.expovariate(1 / max(a_second, 1))))
            self.insert(min(share, number), ago=self.random.uniform(10, longest))
            number -= share
        for _ in range(ties):
            self.insert(self.random.randint(90, 2000), ago=self.random.uniform(10, longest))
        # Searches have known it for long: a lag counts from the writing, which was just now.
        plan = self.core.faults.plan
        self.core.faults.set(search_lag=0.0)
        self.core.look(KIND)
        self.core.faults.set(plan)

    async def write(self) -> None:
        """Go on until cancelled."""
        while True:
            await anyio.sleep(self.random.expovariate(self.rate))
            (burst,) = self.random.choices((1, 10, 150), (60, 6, 1))
            match self.random.randrange(5):
                case 0 | 1:
                    self.insert(burst)
                case 2:
                    self.update(burst)
                case _:
                    self.delete(min(burst, 1 + len(self._alive) // 10))

    def there(self, start: float, end: float) -> set[str]:
        """Who could be found all the while, from `start` to `end` by the server's time."""
        return {
            each
            for each, born in self.born.items()
            if born + self.lag <= start and self.died.get(each, math.inf) > end
        }


def coarse_world() -> World:
    """A server that keeps finer stamps than it shows."""
    world = World(stamp_digits=6)
    world.core.records._stamps.digits = 0
    return world


__all__ = ["EPOCH", "KIND", "Outsider", "coarse_world"]

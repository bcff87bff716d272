"""Bulk runs in random worlds: the promise is kept; with any of its rules off, it is not."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from typing import Any
from unittest.mock import patch

import attrs
import pytest
from support.rows import ALL, many
from support.sync_worlds import Fault, Variant, live

from kantos_async.bulk.decide import Decision
from kantos_async.bulk.doubts import Doubts
from kantos_async.bulk.mirror import Known, Mirror, micros
from kantos_async.bulk.paths import Paths
from kantos_async.bulk.reads import Reads
from kantos_async.bulk.rules import Verdict
from kantos_async.bulk.writer import Writer

BOTH = frozenset({"sort", "filter"})

#: What kind of world, and how many of them in the long run.
KINDS = {
    "drawn": (Variant(), 700),
    "theirs": (Variant(conflict="theirs"), 100),
    "two machines": (Variant(machines=2), 100),
    "forgetful": (Variant(forgetful=True), 100),
    "ignores the sort": (Variant(ignores=frozenset({"sort"})), 50),
    "ignores the filter": (Variant(ignores=frozenset({"filter"})), 50),
    "ignores both": (Variant(ignores=BOTH), 100),
    "stateless": (Variant(stateless=True), 100),
    "faulty": (Variant(faults=0.1), 100),
    "lags 30 s": (Variant(lag=30.0, margin=60.0), 50),
}
_CHUNK = 25
CHUNKS = [
    pytest.param(name, start, id=f"{name} from {start}")
    for name, (_, count) in KINDS.items()
    for start in (range(0, count, _CHUNK) if ALL else [0])
]


@pytest.mark.parametrize(("name", "start"), CHUNKS)
def test_every_row_is_there_once_and_as_it_is_in_the_input(
    name: str, start: int, tmp_path: Path
) -> None:
    variant, _ = KINDS[name]
    for seed in range(start, start + many(2, _CHUNK)):
        live(seed, variant, tmp_path / f"{seed}")


# ---- with a rule off -------------------------------------------------------------------------


async def _yes(*_: Any) -> bool:
    return True


async def _no(*_: Any) -> bool:
    return False


_wrote, _take_walk = Mirror.wrote, Reads.take_walk


def _own_writes_move_the_watermark(mirror: Mirror, record: Any) -> Known:
    known = _wrote(mirror, record)
    watermark = mirror._state.meta.watermark
    if watermark is not None and known.updated > watermark:
        mirror._state.set(watermark=known.updated)
    return known


async def _walk_moves_the_watermark(reads: Reads, pages: Any, first: Any, now: float) -> None:
    newest, take = 0, reads.take

    async def noted(records: Any) -> None:
        nonlocal newest
        newest = max([newest, *(micros(record.updated_at) for record in records)])
        await take(records)

    with patch.object(reads, "take", noted):
        await _take_walk(reads, pages, first, now)
    reads._state.set(watermark=max(newest, reads._state.meta.watermark or 0))


async def _create_at_once(*_: Any) -> Decision:
    return Decision("create")


RULES = "kantos_async.bulk.rules"
CALM = Variant(ignores=frozenset(), machines=1, forgetful=False, kills=False)
#: So many changes that the newest hundred do not tell all, and few deletions: no walks.
FAST = attrs.evolve(CALM, size=900, rate=25.0, gap=5.0, deletes=0.005, at_once=16, runs=4)

#: rule: what is replaced, and the worlds where it shows soonest.
OFF: dict[str, tuple[dict[Any, Any], Variant]] = {
    "the margin before the watermark": (
        {f"{RULES}.delta_start": lambda watermark, _: watermark},
        FAST,
    ),
    "own writes leave the watermark": (
        {(Mirror, "wrote"): _own_writes_move_the_watermark},
        attrs.evolve(CALM, size=450, rate=5.0, at_once=1),
    ),
    "the walk's watermark is its beginning's": (
        {(Reads, "take_walk"): _walk_moves_the_watermark},
        attrs.evolve(FAST, rate=8.0, deletes=0.001, latency=1.0, runs=2),
    ),
    "counting": (
        {(Reads, "count"): _yes},
        attrs.evolve(CALM, ignores=None),
    ),
    "settled records only, confirmed by a GET": (
        {f"{RULES}.settled_before": lambda *_: 2**50, (Reads, "is_alive"): _no},
        CALM,
    ),
    "the guard against a lagging index": (
        {f"{RULES}.judge": lambda *_: Verdict.TAKE},
        attrs.evolve(CALM, gap=0.1, rate=1.0, size=100, values=2),
    ),
    "waiting for creates after a crash": (
        {(Doubts, "let_appear"): _no},
        attrs.evolve(CALM, kills=True, unique=False, gap=0.1, at_once=16, rate=0.2),
    ),
    "the proofs": (
        {
            f"{RULES}.proves_sort": lambda *_: True,
            f"{RULES}.is_sorted": lambda _: True,
            f"{RULES}.proves_filter": lambda *_: True,
        },
        attrs.evolve(CALM, ignores=BOTH, size=450, kills=None),
    ),
    "waiting after one's last write": (
        {(Paths, "_let_writes_appear"): _no},
        Variant(stateless=True, unique=False, gap=0.1),
    ),
    "the rest of a look-up that is cut off": (
        {f"{RULES}.is_cut_off": lambda *_: False},
        Variant(stateless=True, unique=False, size=450),
    ),
    "looking again where a record is gone": (
        {(Writer, "_decide_again"): _create_at_once},
        attrs.evolve(CALM, unique=False, rate=5.0, size=150),
    ),
}
#: Those that show within a few small worlds.
QUICK = {
    "counting",
    "settled records only, confirmed by a GET",
    "waiting after one's last write",
    "the rest of a look-up that is cut off",
    "looking again where a record is gone",
}


@pytest.mark.parametrize("rule", sorted(OFF if ALL else QUICK))
def test_no_rule_can_be_spared(rule: str, tmp_path: Path) -> None:
    replaced, variant = OFF[rule]
    with ExitStack() as off:
        for place, stand_in in replaced.items():
            if isinstance(place, str):
                off.enter_context(patch(place, stand_in))
            else:
                off.enter_context(patch.object(*place, stand_in))
        for seed in range(10_000, 10_120):
            try:
                live(seed, variant, tmp_path / f"{seed}")
            except Fault:
                return
    pytest.fail(f"{rule}: 120 worlds without a fault; what is this rule for?")

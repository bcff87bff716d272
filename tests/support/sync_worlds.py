"""Small random worlds in which bulk runs must keep their promise, and the judge of it.

The promise: when a run ends, each row of its input is on the server once, with the input's values,
except fields that others changed later than the margin before the run began, or that `conflict`
left to them. A world has outside writers, lagging searches, stamps cut to the second, twins,
deletions, killed runs, several state files, and a server that may ignore what nobody has seen.
"""

from __future__ import annotations

import asyncio
import random
import shutil
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import anyio
import attrs
import msgspec

from kantos_async import (
    EngineFailure,
    KantosAsync,
    KantosError,
    Outcome,
    Reply,
    Report,
    Request,
    RetryPolicy,
    SyncPolicy,
)
from kantos_async.sandbox import Problem

from .virtual import VirtualLoop
from .worlds import CoreEngine, World

__all__ = ["Fault", "SyncWorld", "Variant", "live", "live_all"]


#: Stamps are cut to the second, and so is the server's word of its own time.
SLACK = 2.0


#: What may happen to a request. A late commit is not among them: it would have no author.
FAULTS = ("drop_before", "drop_after", "error_before", "error_after", "unavailable", "truncated")


class Fault(Exception):
    """The promise was broken."""


@attrs.frozen(kw_only=True)
class Variant:
    """What kind of world. Fields that are None are drawn."""

    unique: bool | None = None
    stateless: bool = False
    conflict: str | None = None
    ignores: frozenset[str] | None = None  # of {"sort", "filter"}
    machines: int | None = None
    forgetful: bool | None = None  # the state file is lost, or an old copy of it comes back
    kills: bool | None = None
    at_once: int | None = None  # requests in flight
    lag: float = 1.0
    margin: float = 5.0
    size: int | None = None  # how many keys there are
    rate: float | None = None  # changes by others a second
    gap: float | None = None  # seconds between two runs
    deletes: float = 0.15  # the share of deletions among the changes by others
    latency: float | None = None  # the longest way to the server, in seconds
    values: int = 5  # different values of a field
    faults: float = 0.0  # the share of requests that something happens to
    runs: int = 6


@attrs.define
class RecordStory:
    """What happened to one record. Times are the server's, authors runs; None is an outsider."""

    key: Any
    created: float
    author: Run | None
    keyed: float  # since when it has its key
    gone: float | None = None
    #: field -> when, and who changed it last
    touched: dict[str, tuple[float, Run | None]] = attrs.Factory(dict)


@attrs.define(eq=False)
class Lineage:
    """One state file, and what was agreed by it.

    `agreed` maps key and field to the start of the run that saw, or made, both sides equal, and
    to the value.
    """

    path: Path
    agreed: dict[tuple[Any, str], tuple[float, Any]] = attrs.Factory(dict)

    def copy(self, path: Path) -> Lineage:
        for end in ("", "-wal"):
            source = Path(f"{self.path}{end}")
            if source.exists():
                shutil.copyfile(source, f"{path}{end}")
        return Lineage(path, dict(self.agreed))


@attrs.define(eq=False)
class Run:
    """One run: when it began, and with what."""

    start: float
    conflict: str
    lineage: Lineage | None


class MortalEngine(CoreEngine):
    """Its process may be killed: then nothing more leaves, and no answer comes."""

    def __init__(self, world: SyncWorld, run: Run) -> None:
        super().__init__(world.core, world.latency)
        self.world = world
        self.run = run
        self.dead = False

    async def _carry(self, request: Request) -> Reply:
        if self.dead:
            await anyio.sleep_forever()
        await anyio.sleep(self.latency())
        # What was under way at the kill may arrive, and may not.
        if self.dead and self.world.draw.random() < 0.5:
            await anyio.sleep_forever()
        target = "/" + request.url.split("/", 3)[3]
        self.world.actor = self.run
        try:
            answer = self.core.exchange(
                request.method, target, request.headers, request.body or b""
            )
        finally:
            self.world.actor = None
        await anyio.sleep(self.latency())
        if self.dead:
            await anyio.sleep_forever()
        if answer.delivery.kind == "drop":
            raise EngineFailure("dropped", sent="maybe")
        headers = [(name.encode(), value.encode()) for name, value in answer.headers]
        if answer.delivery.kind == "truncate":
            partial = Reply(answer.status, headers, b"")
            raise EngineFailure("cut off", sent="maybe", partial=partial)
        return Reply(answer.status, headers, answer.body)


class SyncWorld:
    """A server with a history, its outsiders, and the runs that sync with it."""

    def __init__(self, seed: int, variant: Variant, folder: Path) -> None:
        draw = self.draw = random.Random(seed)
        self.variant, self.folder = variant, folder
        unique = draw.random() < 0.3 if variant.unique is None else variant.unique
        self.object_id = "obj_contacts" if unique else "obj_companies"
        self.key = "email" if unique else "name"
        self.fields = ["name", "phone"] if unique else ["website", "industry", "size"]
        self.margin = variant.margin
        self.conflict = variant.conflict or draw.choice(["ours", "ours", "theirs"])
        self.at_once = variant.at_once or draw.choice([1, 16])
        self.rate = variant.rate or draw.choice([0.2, 1.0, 5.0, 25.0])
        self.kills = draw.random() < 0.5 if variant.kills is None else variant.kills
        self.forgets = draw.random() < 0.2 if variant.forgetful is None else variant.forgetful
        machines = variant.machines or draw.choice([1, 1, 1, 2])
        self.lineages = [Lineage(folder / f"state{n}") for n in range(machines)]
        self.copies = 0
        self.actor: Run | None = None
        self.stories: dict[str, RecordStory] = {}
        self.left: dict[Any, float] = {}  # when a record with this key was deleted or renamed
        self.faults: list[str] = []
        self.reads = 0
        self.runs = 0
        size = variant.size
        if size is None:
            large = draw.random() < 0.15
            size = draw.choice([300, 450]) if large else draw.choice([0, 40, 120, 150])
        self.pool = [self._key(n) for n in range(max(20, size))]
        self.rows = [self._row(key) for key in draw.sample(self.pool, max(5, size // 2))]
        self.size = size
        longest = variant.latency or draw.choice([0.03, 0.15])
        self.latency: Callable[[], float] = lambda: draw.uniform(0.01, longest)

    def _key(self, n: int) -> str:
        return f"k{n}@x.org" if self.key == "email" else f"Company {n}"

    def _value(self, field: str) -> str:
        number = self.draw.randrange(self.variant.values)
        return f"+1 555 010{number}" if field == "phone" else f"{field} {number}"

    def _row(self, key: str) -> dict[str, Any]:
        return {self.key: key} | {field: self._value(field) for field in self.fields}

    # ---- the server ------------------------------------------------------------------------

    def build(self) -> None:
        world = World(seed=self.draw.randrange(2**32))
        self.core = world.core
        ignores = self.variant.ignores
        if ignores is None:
            some = [frozenset(), frozenset(), frozenset({"sort"}), frozenset({"filter"})]
            ignores = self.draw.choice([*some, frozenset({"sort", "filter"})])
        stamp = frozenset({"updated_at"})
        self.core.faults.set(
            search_lag=self.variant.lag,
            ignore_sort=stamp if "sort" in ignores else frozenset(),
            ignore_filter=stamp if "filter" in ignores else frozenset(),
            **dict.fromkeys(FAULTS, self.variant.faults / len(FAULTS)),
            seed=self.draw.randrange(2**32),
        )
        records = self.core.records
        self._insert, self._change, self._remove = records._insert, records.change, records.remove
        records._insert = self._on_insert  # type: ignore[method-assign]
        records.change = self._on_change  # type: ignore[method-assign]
        records.remove = self._on_remove  # type: ignore[method-assign]
        self._grow()

    def _grow(self) -> None:
        """The past: records created over some time, often in bursts, some changed later."""
        now = self.core.now()
        given = {row[self.key]: row for row in self.rows}
        for key in self.draw.sample(self.pool, self.size * 4 // 5):
            row = given.get(key) if self.draw.random() < 0.8 else None
            row = row or self._row(key)
            moment = now - self.draw.choice([8.0, 9.0, 50.0, 4_000.0, 90_000.0])
            for _ in range(2 if self.key == "name" and self.draw.random() < 0.05 else 1):
                self.core.insert(self.object_id, [row], moment - self.draw.randrange(3))
        if self.draw.random() < 0.8:
            for record_id in self.draw.sample(sorted(self.stories), len(self.stories) // 20):
                self.core.records.change(record_id, {self.fields[0]: self._value("x")}, now - 7)
        # Searches have known it for long: a lag counts from the writing, which was just now.
        plan = self.core.faults.plan
        self.core.faults.set(plan, search_lag=0.0)
        self.core.look(self.object_id)
        self.core.faults.set(plan)

    def _on_insert(self, object_id: str, values: Any, user: str, now: float, created: float) -> Any:
        key = values.get(self.key)
        row = self._insert(object_id, values, user, now, created)
        self._judge_create(key, created)
        self.stories[row.id] = RecordStory(key, created, self.actor, created)
        return row

    def _on_change(self, record_id: str, values: Any, now: float) -> Any:
        before = (
            msgspec.json.decode(self.core.store.get(record_id).doc)
            if (self.core.store.get(record_id))
            else {}
        )
        row = self._change(record_id, values, now)
        story = self.stories[record_id]
        for field, value in values.items():
            if field == self.key and value != story.key:
                self.left[story.key] = now
                story.key, story.keyed = value, now
            if before.get(field) != value:
                self._judge_change(story, field, before.get(field), now)
                story.touched[field] = (now, self.actor)
        return row

    def _on_remove(self, record_id: str, now: float) -> None:
        self._remove(record_id, now)
        self.stories[record_id].gone = now
        self.left[self.stories[record_id].key] = now
        if self.actor is not None:
            self.faults.append(f"a run deleted {record_id}")

    # ---- the judge -------------------------------------------------------------------------

    def _judge_create(self, key: Any, now: float) -> None:
        run = self.actor
        if run is None:
            return
        for story in self.stories.values():
            if story.key != key or story.gone is not None:
                continue
            seen = run.start - self.margin - SLACK
            own = story.author is not None and story.keyed == story.created
            if own or story.keyed < seen:
                whose = "its own" if own else "a visible"
                self.faults.append(f"duplicate: {key} created beside {whose} record")

    def _judge_change(self, story: RecordStory, field: str, value: Any, now: float) -> None:
        """Under `theirs` an edit that was visible, and made since we agreed, must stay."""
        run = self.actor
        when, author = story.touched.get(field, (0.0, self.actor))
        if run is None or run.conflict != "theirs" or author is not None or run.lineage is None:
            return
        twins = sum(other.key == story.key for other in self.stories.values())
        agreed, base = run.lineage.agreed.get((story.key, field), (None, None))
        if twins > 1 or agreed is None or value == base:
            return
        if agreed < when < run.start - self.margin - SLACK:
            self.faults.append(f"overwritten unseen: {field} of {story.key}")
            self.trace(f"{agreed=} {when=} {run.start=} {now=}", story)

    def judge_run(self, run: Run, outcomes: list[Outcome]) -> None:
        """Every row is on the server, once and as it is in the input."""
        statuses = {outcome.key: outcome.status for outcome in outcomes}
        answered = {outcome.key for outcome in outcomes if outcome.record_id is not None}
        answered -= {key for key, status in statuses.items() if status == "unknown"}
        since = run.start - self.margin - SLACK
        records = {record["id"]: record for record in self.core.look(self.object_id)}
        by_key: dict[Any, list[str]] = {}
        for record_id, record in records.items():
            by_key.setdefault(record["field_values"].get(self.key), []).append(record_id)
        moved = {key for key, when in self.left.items() if when >= since}
        for row in self.rows:
            key = row[self.key]
            found = by_key.get(key, [])
            # What came of a write whose answer is lost the state cannot know.
            if run.lineage is not None and len(found) == 1 and key in answered:
                values = records[found[0]]["field_values"]
                for field in self.fields:
                    if values.get(field) == row[field]:
                        run.lineage.agreed[key, field] = run.start, row[field]
            if key in moved or statuses[key] == "kept":
                continue
            if statuses[key] == "unknown" and self.variant.faults:
                continue  # the caller was told
            if statuses[key] in {"failed", "unknown"}:
                self.faults.append(f"{statuses[key]}: {key}")
            if not found:
                self.faults.append(f"missing: {key}")
            elif not any(self._equals(row, records[name], since) for name in found):
                self.faults.append(f"wrong: {key}")

    def _equals(self, row: dict[str, Any], record: dict[str, Any], since: float) -> bool:
        story = self.stories[record["id"]]
        if story.keyed >= since:
            return True  # what was written to it was meant for the key that it had
        touched = story.touched
        for field in self.fields:
            if record["field_values"].get(field) != row[field]:
                when, author = touched.get(field, (story.created, story.author))
                if author is not None or when < since:
                    return False
        return True

    def trace(self, *what: Any) -> None:
        """For whoever looks into a fault."""

    # ---- outsiders -------------------------------------------------------------------------

    async def meddle(self) -> None:
        """Others create, edit, rename and delete, all the time."""
        while True:
            await anyio.sleep(self.draw.expovariate(self.rate))
            living = [name for name, story in self.stories.items() if story.gone is None]
            lot = self.draw.random()
            try:
                if lot < 0.15 or not living:
                    self.core.insert(self.object_id, [self._row(self.draw.choice(self.pool))])
                elif lot < 0.15 + self.variant.deletes:
                    self.core.delete(self.draw.choice(living))
                elif lot < 0.18 + self.variant.deletes:
                    values = {self.key: self.draw.choice(self.pool)}
                    self.core.update(self.draw.choice(living), values)
                else:
                    field = self.draw.choice(self.fields)
                    self.core.update(self.draw.choice(living), {field: self._value(field)})
            except Problem:
                continue  # the key is taken

    # ---- runs ------------------------------------------------------------------------------

    async def live(self) -> None:
        self.build()
        async with anyio.create_task_group() as group:
            group.start_soon(self.meddle)
            last = -1
            for _ in range(self.variant.runs):
                machine = self.draw.randrange(len(self.lineages))
                gap = self.variant.gap or self.draw.choice([0.1, 0.1, 1.0, 10.0, 60.0])
                forgets = self.forgets and self.draw.random() < 0.5
                if forgets:
                    self._forget(machine)
                if (machine != last and last >= 0) or forgets:
                    # What another file, or none, knows of must have become visible.
                    gap = max(gap, self.margin + self.variant.lag + 1)
                await anyio.sleep(gap)
                self._edit_input()
                await self._run_once(group, machine)
                last = machine
            group.cancel_scope.cancel()

    def _forget(self, machine: int) -> None:
        """The file is lost, or is an old copy of itself."""
        lineage = self.lineages[machine]
        self.copies += 1
        path = self.folder / f"copy{self.copies}"
        old = getattr(self, "old", None)
        if old is not None and self.draw.random() < 0.5:
            self.lineages[machine] = old.copy(path)
        else:
            self.old = lineage.copy(self.folder / f"old{self.copies}")
            self.lineages[machine] = (
                Lineage(path) if self.draw.random() < 0.5 else lineage.copy(path)
            )

    def _edit_input(self) -> None:
        draw = self.draw
        for row in draw.sample(self.rows, len(self.rows) * draw.choice([0, 0, 1, 1, 10]) // 10):
            field = draw.choice(self.fields)
            row[field] = self._value(field)
        if draw.random() < 0.3:
            left = sorted(set(self.pool) - {row[self.key] for row in self.rows})
            self.rows += [self._row(key) for key in draw.sample(left, min(3, len(left)))]

    async def _run_once(self, group: Any, machine: int) -> None:
        lineage = None if self.variant.stateless else self.lineages[machine]
        run = Run(self.core.now(), self.conflict, lineage)
        engine = MortalEngine(self, run)
        ended = anyio.Event()

        async def work() -> None:
            try:
                async with self._client(engine) as k:
                    await self._sync(k, run, engine)
            except KantosError:
                if not engine.dead:  # whatever a killed process says, nobody hears it
                    raise
            ended.set()

        self.runs += 1
        if not (self.kills and lineage is not None and self.draw.random() < 0.5):
            await work()
            return
        group.start_soon(work)
        with anyio.move_on_after(self.draw.choice([0.3, 1.0, 3.0, 8.0]) * self.draw.random()):
            await ended.wait()
        if not ended.is_set():
            engine.dead = True
            self.copies += 1
            self.lineages[machine] = lineage.copy(self.folder / f"killed{self.copies}")

    @asynccontextmanager
    async def _client(self, engine: MortalEngine) -> AsyncIterator[KantosAsync]:
        if self.variant.stateless:
            # One process: it remembers when it wrote last.
            shared = getattr(self, "_shared", None)
            if shared is None:
                shared = self._shared = self._make(engine)
            shared._session.wire.engine = engine
            yield shared
            return
        async with self._make(engine) as k:
            yield k

    def _make(self, engine: MortalEngine) -> KantosAsync:
        return KantosAsync(
            self.core.keys.first.key,
            base_url="http://world.invalid/api",
            engine=engine,
            max_concurrency=self.at_once,
            retry=RetryPolicy(attempts=10, rng=self.draw.random),
        )

    async def _sync(self, k: KantosAsync, run: Run, engine: MortalEngine) -> None:
        policy = SyncPolicy(
            margin=self.margin, max_vanished=1.0, reread=self.draw.choice([10, 500])
        )
        bulk = k.records.upsert_many(
            [dict(row) for row in self.rows],
            object_id=self.object_id,
            key=self.key,
            state=None if run.lineage is None else run.lineage.path,
            conflict=run.conflict,  # type: ignore[arg-type]
            undo=self.draw.random() < 0.5,
            policy=policy,
        )
        async with bulk:
            outcomes = [outcome async for outcome in bulk]
        if engine.dead:
            return  # it was killed between its last answer and its end
        self.trace(*(outcome for outcome in outcomes if outcome.error is not None))
        self.judge_run(run, outcomes)
        self._count(bulk.report)

    def _count(self, report: Report) -> None:
        self.reads += report.reads


def live(seed: int, variant: Variant, folder: Path) -> SyncWorld:
    """Live one world to its end.

    Raises:
        Fault: the promise was broken; the message names the seed.
    """
    folder.mkdir(parents=True, exist_ok=True)
    world = SyncWorld(seed, variant, folder)

    async def main() -> None:
        try:
            await world.live()
        finally:
            shared = getattr(world, "_shared", None)
            if shared is not None:
                await shared.aclose()

    try:
        with asyncio.Runner(loop_factory=VirtualLoop) as runner:
            runner.run(main())
    finally:
        world.core.close()
        shutil.rmtree(folder, ignore_errors=True)
    if world.faults:
        raise Fault(f"seed {seed}, {variant}: {len(world.faults)}: {world.faults[:3]}")
    return world


def live_all(seeds: range, variant: Variant, folder: Path) -> tuple[int, int, list[str]]:
    """Live many worlds: how many, their reads, and their faults."""
    faults: list[str] = []
    reads = 0
    for seed in seeds:
        try:
            reads += live(seed, variant, folder / f"{seed}").reads
        except Fault as fault:
            faults.append(str(fault))
    return len(seeds), reads, faults

"""The stores of deliveries: claims are exclusive, survive what they should, and do not pile up."""

import sqlite3
import subprocess
import sys

import anyio
import pytest

from kantos_async.webhooks import MemoryStore, SQLiteStore


class Now:
    def __init__(self):
        self.time = 1_000_000.0

    def __call__(self):
        return self.time


@pytest.fixture
def now():
    return Now()


@pytest.fixture
def path(tmp_path):
    return tmp_path / "deliveries.db"


@pytest.fixture(params=["memory", "sqlite"])
def store(request, path, now):
    if request.param == "memory":
        yield MemoryStore(keep=100.0, clock=now)
    else:
        sqlite = SQLiteStore(path, keep=100.0, clock=now)
        yield sqlite
        sqlite.close()


@pytest.mark.parametrize("lease", [0, -1, float("inf"), float("nan")])
def test_a_lease_that_nobody_could_renew_is_refused(path, lease):
    with pytest.raises(ValueError, match="lease must be"):
        SQLiteStore(path, lease=lease)


async def test_claim_then_done(store):
    assert await store.claim("a") == "claimed"
    assert await store.claim("a") == "running"
    assert await store.claim("b") == "claimed"
    await store.done("a")
    assert await store.claim("a") == "done"
    assert await store.claim("b") == "running"


async def test_claim_then_release(store):
    assert await store.claim("a") == "claimed"
    await store.release("a")
    assert await store.claim("a") == "claimed"


async def test_what_is_done_stays_done(store):
    await store.claim("a")
    await store.done("a")
    await store.renew("a")
    await store.release("a")
    assert await store.claim("a") == "done"


async def test_what_is_done_is_forgotten_after_a_time(store, now):
    await store.claim("a")
    await store.done("a")
    now.time += 99
    assert await store.claim("a") == "done"
    now.time += 2
    assert await store.claim("a") == "claimed"


async def test_of_many_claims_at_once_one_is_granted(store):
    got = []

    async def claim():
        got.append(await store.claim("a"))

    async with anyio.create_task_group() as tasks:
        for _ in range(30):
            tasks.start_soon(claim)
    assert sorted(got) == ["claimed"] + ["running"] * 29


async def test_memory_does_not_grow_with_time(now):
    store = MemoryStore(keep=100.0, clock=now)
    for number in range(1000):
        now.time += 1
        await store.claim(str(number))
        await store.done(str(number))
    assert len(store._done) <= 102
    assert not store._running


async def test_the_file_does_not_grow_with_time(path, now):
    store = SQLiteStore(path, keep=10.0, clock=now)
    for number in range(50):
        now.time += 1
        await store.claim(str(number))
        await store.done(str(number))
    store.close()
    with sqlite3.connect(path) as db:
        assert db.execute("SELECT count(*) FROM deliveries").fetchone()[0] <= 12
    db.close()


async def test_two_workers_share_a_file(path, now):
    one, other = SQLiteStore(path, clock=now), SQLiteStore(path, clock=now)
    assert await one.claim("a") == "claimed"
    assert await other.claim("a") == "running"
    await other.release("a")
    await other.renew("a")
    assert await other.claim("a") == "running", "only its owner gives a claim back"
    await one.done("a")
    assert await other.claim("a") == "done"
    one.close()
    other.close()


async def test_the_claim_of_a_dead_worker_is_taken_over_after_its_lease(path, now):
    dead, alive = SQLiteStore(path, clock=now), SQLiteStore(path, clock=now)
    await dead.claim("a")
    dead.close()
    now.time += alive.lease - 1
    assert await alive.claim("a") == "running"
    now.time += 2
    assert await alive.claim("a") == "claimed"
    await dead.release("a")
    assert await dead.claim("a") == "running"
    dead.close()
    alive.close()


async def test_a_claim_that_is_renewed_is_not_taken_over(path, now):
    one, other = SQLiteStore(path, clock=now), SQLiteStore(path, clock=now)
    await one.claim("a")
    for _ in range(5):
        now.time += one.lease - 1
        await one.renew("a")
        assert await other.claim("a") == "running"
    one.close()
    other.close()


async def test_it_opens_again_after_close(path):
    store = SQLiteStore(path)
    await store.claim("a")
    await store.done("a")
    store.close()
    assert await store.claim("a") == "done"
    store.close()


async def test_a_file_that_cannot_be_opened_is_tried_again(path):
    path.write_bytes(b"this is no database, and long enough to be read as one" * 30)
    store = SQLiteStore(path)
    with pytest.raises(sqlite3.DatabaseError):
        await store.claim("a")
    path.unlink()
    assert await store.claim("a") == "claimed"
    store.close()


WORKER = """
import sys, anyio
from kantos_async.webhooks import SQLiteStore

async def main():
    store = SQLiteStore(sys.argv[1])
    for number in range(50):
        if await store.claim(str(number)) == "claimed":
            print(number)
            await store.done(str(number))
    store.close()

anyio.run(main)
"""


def test_processes_that_race_for_a_new_file_claim_each_event_once(path):
    workers = [
        subprocess.Popen(
            [sys.executable, "-c", WORKER, str(path)], stdout=subprocess.PIPE, text=True
        )
        for _ in range(3)
    ]
    claimed = []
    for worker in workers:
        output, _ = worker.communicate(timeout=60)
        assert worker.returncode == 0
        claimed += map(int, output.split())
    assert sorted(claimed) == list(range(50))

"""A run that is killed again and again ends with every row there once."""

from __future__ import annotations

import json
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from support.rows import many

from kantos_async.sandbox import Faults, Sandbox

_ROWS = many(600, 2_000)
_KILLS = many(5, 20)

#: What the user runs: the rows come from a generator, which begins anew each time.
_COMMAND = """
import asyncio, json, sys
from kantos_async import KantosAsync, SyncPolicy

url, key, object_id, slug, state, count = sys.argv[1:]

def rows():
    for n in range(int(count)):
        yield {"name": f"Person {n}", slug: f"p{n}@example.com"}

async def main():
    async with KantosAsync(key, base_url=url) as k:
        run = k.records.upsert_many(
            rows(), object_id=object_id, key=slug, state=state, policy=SyncPolicy(margin=1)
        )
        print("ready", flush=True)
        report = await run
        print(json.dumps([report.created, report.updated, report.unchanged, report.failed]))

asyncio.run(main())
"""


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="there is no SIGKILL")
@pytest.mark.parametrize(
    ("object_id", "slug"),
    [("obj_contacts", "email"), ("obj_companies", "website")],
    ids=["unique", "not unique"],
)
def test_killed_at_random_moments_and_started_again(
    tmp_path: Path, object_id: str, slug: str
) -> None:
    draw = random.Random(1)
    moments = sorted(draw.sample(range(_ROWS - 50), _KILLS))
    with Sandbox(faults=Faults(latency=0.02, jitter=0.5, seed=1)) as sb:
        command = [sys.executable, "-c", _COMMAND, sb.url, sb.api_key, object_id, slug]
        command += [str(tmp_path / "state"), str(_ROWS)]
        for moment in moments:
            with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as child:
                assert child.stdout is not None
                assert child.stdout.readline() == "ready\n"
                if len(sb.records(object_id)) >= moment:
                    time.sleep(draw.random())  # before its first write, that is
                while len(sb.records(object_id)) < moment:
                    assert child.poll() is None
                    time.sleep(draw.random() / 200)
                assert child.poll() is None, "it ended before it was killed"
                child.kill()
        assert len(sb.records(object_id)) < _ROWS
        last = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
        assert last.returncode == 0, last.stderr
        created, updated, unchanged, failed = json.loads(last.stdout.splitlines()[-1])
        values = [record["field_values"] for record in sb.records(object_id)]
    assert (created + unchanged, updated, failed) == (_ROWS, 0, 0)
    assert sorted(value[slug] for value in values) == sorted(
        f"p{n}@example.com" for n in range(_ROWS)
    )

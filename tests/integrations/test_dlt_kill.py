"""A load that is killed in the midst of it, and started again."""

from __future__ import annotations

import os
import random
import subprocess
import sys
import time
from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from support.rows import ALL, many

from kantos_async.sandbox import Sandbox

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="no SIGKILL there")

SCRIPT = """
import sys, dlt
from kantos_async.integrations.dlt import kantos_source, load

kind, folder, pages = sys.argv[1:]
if kind == "duckdb":
    destination = dlt.destinations.duckdb(f"{folder}/warehouse.duckdb")
else:
    destination = dlt.destinations.sqlalchemy(f"sqlite:///{folder}/warehouse.db")
pipeline = dlt.pipeline(
    f"crm_{kind}", destination=destination, dataset_name="crm",
    pipelines_dir=f"{folder}/pipelines",
)
print("ready", flush=True)
load(pipeline, kantos_source(["contacts"], deletions=True), pages=int(pages))
"""

RECORDS = many(800, 20_000)
PAGES = many(3, 40)
KILLS = many(1, 10)


def start(pipeline: Any, folder: Path) -> subprocess.Popen[str]:
    kind = pipeline.destination.destination_name.replace("sqlalchemy", "sqlite")
    command = [sys.executable, "-c", SCRIPT, kind, str(folder), str(PAGES)]
    return subprocess.Popen(command, env=os.environ, text=True, stdout=subprocess.PIPE)


@pytest.mark.parametrize("pipeline", ["duckdb", "sqlite"] if ALL else ["duckdb"], indirect=True)
def test_a_killed_load_goes_on_where_its_last_part_ended(
    sandbox: Sandbox, pipeline: Any, query: Any, tmp_path: Path
) -> None:
    for at in range(0, RECORDS, 20):
        people = [{"name": f"P {n}", "email": f"p{n}@x.de"} for n in range(at, at + 20)]
        moment = datetime(2026, 1, 1, tzinfo=UTC) + timedelta(minutes=at)
        sandbox.insert("obj_contacts", people, created_at=moment)
    chance = random.Random(7)
    for _ in range(KILLS):
        process = start(pipeline, tmp_path)
        assert process.stdout is not None
        process.stdout.readline()
        arrived = len(sandbox.log)
        least = chance.randint(PAGES, 2 * PAGES)
        deadline = time.monotonic() + 20
        while len(sandbox.log) < arrived + least and time.monotonic() < deadline:
            time.sleep(0.002)
        time.sleep(chance.uniform(0, 0.3))  # in extraction, or in the load that follows
        process.kill()
        process.communicate()
    process = start(pipeline, tmp_path)
    process.communicate(timeout=120)
    assert process.returncode == 0
    crm = Counter((r["id"], r["field_values"]["name"]) for r in sandbox.records("obj_contacts"))
    pipeline.sync_destination()
    assert Counter(query("id, name from contacts")) == crm
    # A kill costs the part that it hit, and the overlap.
    asked = sum("/crm/records/query" in entry.path for entry in sandbox.log)
    parts = RECORDS / 100 / PAGES + 1
    assert asked <= RECORDS / 80 + KILLS * (PAGES + 4) + 3 * parts + 4

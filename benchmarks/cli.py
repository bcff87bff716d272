"""`kantos import` and `kantos export` as processes of their own, beside dlt's REST source."""

from __future__ import annotations

import csv
import importlib.util
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

from kantos_async.cli import main as kantos
from kantos_async.cli.people import people
from kantos_async.sandbox import Sandbox

from .figures import Figure, own_peak

_PER_SECOND = 20  # records that share a stamp


# ---- processes of their own ------------------------------------------------------------------


def _serve(records: int) -> None:
    """A sandbox without a quota, with contacts of the last months."""
    with Sandbox() as sandbox:
        start = datetime(2024, 1, 1, tzinfo=UTC)
        rows = [
            {key: person[key] for key in ("name", "email", "phone", "status")}
            for person in people(records)
        ]
        for first in range(0, records, _PER_SECOND):
            moment = start + timedelta(seconds=first)
            sandbox.insert("obj_contacts", rows[first : first + _PER_SECOND], created_at=moment)
        print(json.dumps([sandbox.url, sandbox.api_key]), flush=True)
        sys.stdin.read()


def _load_by_dlt(kind: str, folder: str) -> None:
    """What dlt's own REST source makes of the same endpoint, by page number."""
    import dlt  # noqa: PLC0415 - only this process needs it
    from dlt.destinations import filesystem  # noqa: PLC0415
    from dlt.sources.rest_api import rest_api_source  # noqa: PLC0415

    source = rest_api_source(
        {
            "client": {
                "base_url": os.environ["KANTOS_BASE_URL"],
                "headers": {"X-Api-Key": os.environ["KANTOS_API_KEY"]},
                "paginator": {
                    "type": "page_number",
                    "base_page": 1,
                    "total_path": "pagination.total_pages",
                },
            },
            "resources": [
                {
                    "name": "contacts",
                    "endpoint": {
                        "path": "crm/records/query",
                        "params": {"object_id": "obj_contacts", "per_page": 100},
                        "data_selector": "data",
                    },
                }
            ],
        }
    )
    pipeline = dlt.pipeline(
        "contacts",
        destination=filesystem(Path(folder, "out").as_uri()),
        dataset_name="crm",
        pipelines_dir=folder,
    )
    pipeline.run(source, loader_file_format=kind)


def _child(words: list[str]) -> None:
    """Do one of these, and tell the peak of memory, in MiB, on the last line."""
    match words:
        case ["serve", records]:
            return _serve(int(records))
        case ["dlt", kind, folder]:
            _load_by_dlt(kind, folder)
        case _:
            assert kantos(words) == 0
    print(own_peak() or 0)
    return None


# ---- measuring -------------------------------------------------------------------------------


@contextmanager
def _serving(records: int) -> Iterator[dict[str, str]]:
    """The environment in which commands find the sandbox."""
    with subprocess.Popen(
        [sys.executable, "-m", __name__, "serve", str(records)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        url, key = json.loads(process.stdout.readline())
        yield {
            **os.environ,
            "KANTOS_BASE_URL": url,
            "KANTOS_API_KEY": key,
            "RUNTIME__DLTHUB_TELEMETRY": "false",
        }
        process.stdin.close()


def _time(environment: dict[str, str], *words: str) -> tuple[float, float]:
    """Seconds of the whole process, and MiB at its peak."""
    start = time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-m", __name__, *words],
        env=environment,
        capture_output=True,
        encoding="utf-8",
        check=True,
    )
    return time.perf_counter() - start, float(done.stdout.splitlines()[-1])


def _imports(folder: Path, rows: int) -> list[Figure]:
    file = folder / "people.csv"
    columns = ("name", "email", "phone", "status")
    with file.open("w", encoding="utf-8", newline="") as writing:
        writer = csv.DictWriter(writing, columns, extrasaction="ignore")
        writer.writeheader()
        writer.writerows(people(rows))
    words = ("import", "obj_contacts", str(file), "--key", "email", "--quiet")
    with _serving(0) as environment:
        first, peak = _time(environment, *words)
        again, _ = _time(environment, *words)
    return [
        Figure(
            name=f"kantos import, {rows:,} new rows, no quota",
            value=rows / first,
            unit="rows/s",
            sides={"all": f"{first:.1f} s", "peak": f"{peak:.0f} MiB"},
        ),
        Figure(
            name=f"kantos import, the same {rows:,} rows again",
            value=rows / again,
            unit="rows/s",
            sides={"all": f"{again:.1f} s"},
        ),
    ]


def _exports(folder: Path, records: int) -> list[Figure]:
    figures = []
    with _serving(records) as environment:
        for kind in ("parquet", "jsonl"):
            to = folder / f"contacts.{kind}"
            seconds, peak = _time(environment, "export", "obj_contacts", "--to", str(to), "--quiet")
            sides = {"ours": f"{seconds:.1f} s, {peak:.0f} MiB"}
            ratio = seconds
            if importlib.util.find_spec("dlt") is not None:
                home = folder / "dlt"
                theirs, their_peak = _time(environment, "dlt", kind, str(home))
                shutil.rmtree(home)
                sides["dlt's REST source"] = f"{theirs:.1f} s, {their_peak:.0f} MiB"
                ratio = seconds / theirs
            figures.append(
                Figure(
                    name=f"export of {records:,} records to {kind}: ours / dlt's REST source",
                    value=ratio,
                    sides=sides,
                )
            )
    return figures


def measure(quick: bool) -> list[Figure]:
    with tempfile.TemporaryDirectory() as folder:
        imports = _imports(Path(folder), 1_000 if quick else 10_000)
        return imports + _exports(Path(folder), 5_000 if quick else 50_000)


if __name__ == "__main__":
    _child(sys.argv[1:])

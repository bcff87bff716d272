"""A page of 100 records: bytes to typed records, beside dicts and beside generated `from_dict`."""

from __future__ import annotations

import asyncio
import importlib
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

import orjson

from kantos_async.api.models import RecordPage
from kantos_async.transport.codec import decode

from .figures import Figure, in_turns, median_ratio
from .server import page_body

SPEC = Path(__file__).parent.parent / "openapi" / "kantos.yaml"
_STOCK = "kantos_stock"


def _stock_page() -> type[Any]:
    """The page model of the client that stock openapi-python-client generates from our spec."""
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "openapi_python_client", "generate"]
        command += ["--path", str(SPEC), "--output-path", f"{folder}/{_STOCK}", "--meta", "none"]
        subprocess.run(command, check=True, capture_output=True)
        sys.path.insert(0, folder)
        try:
            models = importlib.import_module(f"{_STOCK}.models")
        finally:
            sys.path.remove(folder)
    page: type[Any] = models.RecordPage
    return page


async def _measure(rounds: int, repeats: int) -> list[Figure]:
    body = page_body(1_000_000)
    stock = _stock_page()
    decoders: dict[str, Callable[[], object]] = {
        "ours": lambda: decode(RecordPage, body),
        "orjson to dicts": lambda: orjson.loads(body),
        "stock generated client": lambda: stock.from_dict(json.loads(body)),
    }

    def timed(call: Callable[[], object]) -> Callable[[], Any]:
        async def once() -> float:
            start = time.process_time()
            for _ in range(repeats):
                call()
            return (time.process_time() - start) / repeats * 1e6

        return once

    measured = await in_turns({name: timed(call) for name, call in decoders.items()}, rounds)
    sides = {name: f"{median(times):.0f} us" for name, times in measured.items()}
    ours, dicts, generated = measured.values()
    return [
        Figure(
            name="decode 100 records: ours / orjson.loads to dicts",
            value=median_ratio(ours, dicts),
            target=1.15,
            sides=sides,
        ),
        Figure(
            name="decode 100 records: stock openapi-python-client / ours",
            value=median_ratio(generated, ours),
            bound="at least",
            target=5,
            sides=sides,
        ),
    ]


def measure(quick: bool) -> list[Figure]:
    return asyncio.run(_measure(5 if quick else 15, 100 if quick else 300))

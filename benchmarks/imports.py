"""What the import of the client adds to the `import httpx` that it needs."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from statistics import median

from .figures import Figure, in_turns

# CPU time: what else the machine does takes no part in it.
_CODE = "import time; t = time.process_time(); {}; print(time.process_time() - t)"


async def _milliseconds(imports: str) -> float:
    command = [sys.executable, "-c", _CODE.format(imports)]
    answer = await asyncio.to_thread(subprocess.run, command, capture_output=True, check=True)
    return float(answer.stdout) * 1000


async def _measure(rounds: int) -> list[Figure]:
    sides = {
        "kantos_async": lambda: _milliseconds("import httpx; from kantos_async import KantosAsync"),
        "httpx": lambda: _milliseconds("import httpx"),
    }
    measured = await in_turns(sides, rounds)
    pairs = zip(measured["kantos_async"], measured["httpx"], strict=True)
    return [
        Figure(
            name="import httpx and KantosAsync less import httpx",
            value=median(ours - bare for ours, bare in pairs),
            unit="ms",
            target=40,
            sides={name: f"{median(times):.0f} ms" for name, times in measured.items()},
        )
    ]


def measure(quick: bool) -> list[Figure]:
    return asyncio.run(_measure(3 if quick else 15))

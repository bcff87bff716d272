"""`python -m benchmarks`: measure, print the table, write `bench.json`."""

from __future__ import annotations

import argparse
import importlib
import os
import platform
import sys
import time
import traceback
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import msgspec

from .figures import Figure

SUBJECTS = ("imports", "decode", "wire", "streams", "doubles", "bulk", "cli", "pacing")
_PACKAGES = (
    *("kantos-async", "httpx", "httpcore", "aiohttp", "msgspec", "orjson", "anyio", "uvloop"),
    *("openai", "httpx2", "aiolimiter", "hikari", "openapi-python-client", "uvicorn", "dlt"),
)
_COLUMNS = ("figure", "value", "target", "met", "measured")


def _versions() -> dict[str, str]:
    found = {"python": platform.python_version(), "machine": f"{os.cpu_count()} CPUs"}
    for package in _PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found


def _row(figure: Figure) -> tuple[str, ...]:
    decimals = 0 if abs(figure.value) >= 100 else 1 if abs(figure.value) >= 10 else 2
    unit = "" if figure.unit == "x" else f" {figure.unit}"
    return (
        figure.name,
        f"{figure.value:.{decimals}f}{unit}",
        "" if figure.target is None else f"{figure.bound} {figure.target:g}{unit}",
        {True: "yes", False: "NO", None: ""}[figure.met],
        ", ".join(f"{name} {value}" for name, value in figure.sides.items()),
    )


def _show(figures: list[Figure]) -> None:
    rows = [_row(figure) for figure in figures]
    try:
        from rich.console import Console  # noqa: PLC0415 - a nicety, not a need
        from rich.table import Table  # noqa: PLC0415
    except ImportError:
        widths = [max(map(len, column)) for column in zip(_COLUMNS, *rows, strict=True)]
        for row in (_COLUMNS, *rows):
            print("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)))
        return
    table = Table(*_COLUMNS)
    for row in rows:
        table.add_row(*row)
    console = Console()
    # Where nobody looks at once, such as in a log, 80 columns are too few.
    Console(width=None if console.is_terminal else 160).print(table)


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--only", action="append", choices=SUBJECTS, help="may be given again")
    parser.add_argument("--quick", action="store_true", help="fewer rounds: seconds, and noisier")
    parser.add_argument("--json", type=Path, default=Path("bench.json"), help="%(default)s")
    options = parser.parse_args()
    figures: dict[str, list[Figure]] = {}
    seconds: dict[str, float] = {}
    broken: list[str] = []
    for subject in options.only or SUBJECTS:
        print(f"{subject} ...", file=sys.stderr, flush=True)
        start = time.perf_counter()
        try:
            module = importlib.import_module(f".{subject}", __package__)
            figures[subject] = module.measure(options.quick)
        except Exception:  # what was measured before it is not to be lost
            traceback.print_exc()
            broken.append(subject)
        seconds[subject] = round(time.perf_counter() - start, 1)
    _show([figure for found in figures.values() for figure in found])
    report = {
        "quick": options.quick,
        "versions": _versions(),
        "seconds": seconds,
        "figures": {
            subject: [{**msgspec.to_builtins(figure), "met": figure.met} for figure in found]
            for subject, found in figures.items()
        },
    }
    options.json.write_bytes(msgspec.json.format(msgspec.json.encode(report)) + b"\n")
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main())

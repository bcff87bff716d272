"""Memory does not grow with the number of rows, nor with that of mirrored records."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from support.rows import many

_COUNT = many(20_000, 500_000)
_SCRIPT = Path(__file__).with_name("bulk_memory_child.py")
_MIB = 60


@pytest.mark.skipif(
    not Path("/proc/self/status").exists(), reason="only Linux tells what a process held at most"
)
@pytest.mark.parametrize("with_state", [True, False], ids=["mirrored", "stateless"])
def test_half_a_million_rows_and_records_fit_in_60_mib(tmp_path: Path, with_state: bool) -> None:
    state = str(tmp_path / "state") if with_state else ""
    done = subprocess.run(
        [sys.executable, str(_SCRIPT), str(_COUNT), state],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    before, after = map(float, done.stdout.split())
    print(f"{_COUNT:,} rows: {before:.0f} MiB before, {after:.0f} MiB at most")
    assert after - before <= _MIB

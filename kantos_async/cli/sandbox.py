"""`kantos sandbox`: a Kantos of one's own, until Ctrl-C."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Literal

from cyclopts.types import NonNegativeInt, Port

from ..sandbox import Sandbox
from ..sandbox.console import LOOPBACK
from ..sandbox.plans import read_plan
from .exits import UsageError
from .output import STANDARD, Output

__all__ = ["sandbox"]


def sandbox(
    *,
    host: str = "127.0.0.1",
    port: Port = 0,
    plan: Literal["free", "starter", "professional"] | None = None,
    seed_records: NonNegativeInt = 0,
    db: Path | None = None,
    faults: Path | None = None,
    out: Output = STANDARD,
) -> None:
    """Run an embedded Kantos server until Ctrl-C.

    Once it serves, it prints `KANTOS_BASE_URL=...` and `KANTOS_API_KEY=...`, each on a line of
    its own.

    Example: `kantos sandbox --plan free --seed-records 500`

    Args:
        host: The address to listen on. Beyond loopback, whoever reaches it sees it.
        port: The port to listen on; 0 takes any free one.
        plan: The quota of this plan; without it there is none.
        seed_records: How many invented contacts to start with.
        db: Keep the data in this SQLite file; without it they end with the server.
        faults: What goes wrong, by a plan in a YAML, JSON or TOML file.
        out: What every command shares.
    """
    try:
        wrong = None if faults is None else read_plan(faults)
    except ValueError as error:
        raise UsageError(f"--faults {error}") from None

    def announce(server: Sandbox) -> None:
        print(f"KANTOS_BASE_URL={server.url}\nKANTOS_API_KEY={server.api_key}", flush=True)
        out.remark("The sandbox is ready. Ctrl-C ends it.")
        if host not in LOOPBACK:
            out.remark(f"Others can reach {host}.")

    try:
        Sandbox.run(
            announce,
            host=host,
            port=port,
            plan=plan,
            seed_records=seed_records,
            database=":memory:" if db is None else db,
            faults=wrong,
        )
    except (sqlite3.Error, ValueError) as error:
        raise UsageError(f"--db {db}: {error}") from error
    out.remark("The sandbox has ended.")

"""`kantos undo`: take back what the last import with a state file did."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from cyclopts.types import PositiveInt

from .. import KantosAsync
from ..bulk.report import Outcome
from ..bulk.run import Run
from ..bulk.undo import UndoRun
from .complaints import Complaints
from .connection import connect
from .exits import ExitCode, line_for
from .importing import OUTCOMES, plan_facts, say_where
from .output import STANDARD, Flag, Output
from .progress import Stages, Step
from .quota import Pace

__all__ = ["undo"]


async def undo(
    state: Path,
    /,
    *,
    explain: Flag = False,
    max_requests: PositiveInt | None = None,
    out: Output = STANDARD,
) -> ExitCode:
    """Take back what the last import with this state file did.

    What it created is deleted, what it changed is put back, and what it deleted is created again,
    under a new id. What somebody else changed since is kept as it is. Costs a request for each
    record, and one for each hundred. With `--json` the outcome of each record is listed.

    Example: `kantos undo contacts.state --explain`

    Args:
        state: The file that `--state` named.
        explain: Show what would be done; write nothing.
        max_requests: Stop after so many requests; the same command goes on.
        out: What every command shares.
    """
    async with connect(read_only=explain) as k:
        run = UndoRun(k._session, str(state), max_requests)
        if explain:
            async with run:
                out.counts("plan", plan_facts(await run.explain()))
            return ExitCode.OK
        try:
            outcomes = await _carry_out(k, run, out)
        except BaseException:
            say_where(run, out)
            raise
    report = run.report
    facts: dict[str, Any] = {
        "records": report.rows,
        **{name: getattr(report, name) for name in OUTCOMES},
        "requests": k.stats.requests,
        "seconds": round(report.seconds, 1),
    }
    out.counts("undo", {**facts, "outcomes": outcomes} if out.json else facts)
    if report.stopped is not None:
        say_where(run, out, "--max-requests is reached: ")
        return ExitCode.STOPPED
    return ExitCode.ROWS_FAILED if report.failed or report.unknown else ExitCode.OK


async def _carry_out(k: KantosAsync, run: Run, out: Output) -> list[dict[str, Any]]:
    """Do it, say what is remarkable, and return what became of each record, for `--json`."""
    outcomes: list[dict[str, Any]] = []
    step: Step | None = None
    pace: Pace | None = None
    with out.progress() as display, Stages(display) as stages, Complaints() as complaints:
        async with run:
            async for outcome in run:
                if step is None or pace is None:
                    pace = Pace(k, run.report.rows)
                    step = stages.next("Undoing", run.report.rows)
                    step.note(pace.text)
                pace.done += 1
                step.advance()
                told = _told(outcome)
                if out.json:
                    outcomes.append(told)
                elif told["note"] is not None:
                    name = outcome.key or outcome.record_id
                    complaints.say(outcome.status, f"{name}: {outcome.status}: {told['note']}")
    return outcomes


def _told(outcome: Outcome) -> dict[str, Any]:
    return {
        "key": outcome.key,
        "record_id": outcome.record_id,
        "outcome": outcome.status,
        "note": outcome.note if outcome.error is None else line_for(outcome.error),
    }

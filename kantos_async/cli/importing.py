"""The work of `kantos import`: plan it, rehearse it, or do it."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import attrs

from .. import KantosAsync
from ..bulk.policy import Options
from ..bulk.report import Outcome, Plan
from ..bulk.run import Run
from ..bulk.sync import BulkRun
from .complaints import Complaints
from .exits import ExitCode, UsageError
from .intake import Intake
from .output import Output
from .progress import Stages, Step
from .quota import Pace, quota_left, short_time
from .rehearsal import Rehearsal, show_changes
from .results import Results

__all__ = ["OUTCOMES", "Job", "plan_facts", "say_where"]

#: In the order in which people ask.
OUTCOMES = ("created", "updated", "unchanged", "kept", "deleted", "failed", "unknown")


@attrs.frozen
class Job:
    """One import.

    Args:
        k: the client, read-only unless the job is carried out.
        title: the object's name.
        intake: the rows.
        options: what to do with them.
        complaints: where bad values and failures go.
        out: where the rest goes.
    """

    k: KantosAsync
    title: str
    intake: Intake
    options: Options
    complaints: Complaints
    out: Output

    # ---- the three ways --------------------------------------------------------------------

    async def explain(self) -> ExitCode:
        """Show the plan, and write nothing."""
        with self._stages() as stages:
            async with BulkRun(self.k._session, self._rows(stages), self.options) as run:
                plan = await run.explain()
        self._remark(run)
        self.out.counts("plan", plan_facts(plan))
        return ExitCode.OK

    async def rehearse(self) -> ExitCode:
        """Show what would change, and write nothing."""
        with ExitStack() as shown:
            rows = self._rows(shown.enter_context(self._stages()))
            async with Rehearsal(self.k._session, rows, self.options) as run:
                plan = await run.explain()
                shown.close()  # changes are printed as they are found
                changed = await show_changes(run, self.out, plan_facts(plan))
        self._remark(run)
        if changed:
            return ExitCode.WOULD_CHANGE
        return ExitCode.ROWS_FAILED if run.report.failed else ExitCode.OK

    async def carry_out(self, path: Path | None) -> ExitCode:
        """Do it, and write what became of each row to `path`."""
        with self._stages() as stages, ExitStack() as files:
            results = Results(self.intake, path) if path is not None else None
            if results is not None:
                files.enter_context(results)
            run = BulkRun(self.k._session, self._rows(stages), self.options)
            try:
                async with run:
                    await self._follow(run, stages, results)
            except BaseException:
                # What was under way when the run was left has been done, and is told.
                for outcome in run._untaken():
                    self._take(outcome, results)
                say_where(run, self.out)
                raise
        self._remark(run)
        self._sum_up(run, path)
        report = run.report
        if report.stopped is not None:
            if not report.created + report.updated + report.deleted + report.unknown:
                # The same command would come no further, however often.
                sent = self.k.stats.requests
                raise UsageError(
                    f"--max-requests is reached after {sent} requests, and nothing was written; "
                    f"at least {sent + 1} are needed, and --explain tells how many"
                )
            say_where(run, self.out, "--max-requests is reached: ")
            return ExitCode.STOPPED
        return ExitCode.ROWS_FAILED if report.failed or report.unknown else ExitCode.OK

    # ---- while it runs ---------------------------------------------------------------------

    @contextmanager
    def _stages(self) -> Generator[Stages]:
        with self.out.progress() as display, Stages(display) as stages:
            yield stages

    def _rows(self, stages: Stages) -> Iterator[Any]:
        """The rows, as the run takes them in: all of them before it does anything else."""
        reading = stages.next(f"Reading {self.intake.name}")
        for values, problems in self.intake.rows():
            for place, problem in problems:
                self.complaints.reject(place, problem)
            reading.advance()
            yield values
        comparing = stages.next("Comparing")
        comparing.note(lambda: quota_left(self.k.stats))

    async def _follow(self, run: Run, stages: Stages, results: Results | None) -> None:
        step: Step | None = None
        pace: Pace | None = None
        async for outcome in run:
            if step is None or pace is None:
                pace = Pace(self.k, run.report.rows)
                step = stages.next("Importing", run.report.rows)
                step.note(pace.text)
            if outcome.row:
                pace.done += 1
                step.advance()
            self._take(outcome, results)

    def _take(self, outcome: Outcome, results: Results | None) -> None:
        if outcome.row and results is not None:
            results.take(outcome)
        if outcome.status in {"failed", "unknown"} and not self.intake.is_rejected(outcome):
            self.complaints.say(
                "failed rows", f"{self.intake.about(outcome)}: {self.intake.said(outcome)}"
            )

    # ---- in the end ------------------------------------------------------------------------

    def _remark(self, run: Run) -> None:
        if self.intake.left_out:
            columns = ", ".join(self.intake.left_out)
            self.out.remark(f"left out, since the server sets them: {columns}")
        for warning in run.report.warnings:
            self.out.remark(warning)

    def _sum_up(self, run: Run, path: Path | None) -> None:
        report = run.report
        counts = {name: getattr(report, name) for name in OUTCOMES}
        counts["rejected"] = len(self.intake.rejected)
        counts["failed"] -= counts["rejected"]
        facts: dict[str, Any] = {
            "rows": report.rows,
            **counts,
            "requests": self.k.stats.requests,
            "seconds": round(report.seconds, 1),
            "results": None if path is None else str(path),
        }
        self.out.counts("import", facts)


def say_where(run: Run, out: Output, why: str = "") -> None:
    """Say how far a run came that has not come to its end."""
    report = run.report
    # What `--delete-missing` deletes is none of the rows; it comes after them.
    done = min(report.rows, sum(getattr(report, name) for name in OUTCOMES))
    if done:
        out.remark(
            f"{why}{done:,} of {report.rows:,} rows are done; "
            "the same command goes on with the rest"
        )


def plan_facts(plan: Plan) -> dict[str, Any]:
    """What a plan says, in the order in which people ask."""
    return {
        "rows": plan.rows,
        "would create": plan.created,
        "would update": plan.updated,
        "would delete": plan.deleted,
        "unchanged": plan.unchanged,
        "kept": plan.kept,
        "failing": plan.failed,
        "path": plan.path,
        "why": plan.why,
        "reads": plan.reads,
        "writes": plan.writes,
        "requests": plan.requests,
        "takes about": None if plan.seconds is None else short_time(plan.seconds),
    }

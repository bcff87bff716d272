"""The work of `kantos import`: plan it, rehearse it, or do it."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any

import attrs

from .. import KantosAsync
from ..bulk.policy import Options
from ..bulk.report import Plan
from ..bulk.run import Run
from ..bulk.sync import BulkRun
from .complaints import Complaints
from .exits import ExitCode
from .intake import Intake
from .output import Output
from .progress import Display, Step
from .quota import Pace, quota_left, short_time
from .rehearsal import Rehearsal, show_changes
from .results import Results

__all__ = ["Job"]

_OUTCOMES = ("created", "updated", "unchanged", "kept", "deleted", "failed", "unknown")


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
        self.out.counts("plan", _facts(plan))
        return ExitCode.OK

    async def rehearse(self) -> ExitCode:
        """Show what would change, and write nothing."""
        with ExitStack() as shown:
            rows = self._rows(shown.enter_context(self._stages()))
            async with Rehearsal(self.k._session, rows, self.options) as run:
                plan = await run.explain()
                shown.close()  # changes are printed as they are found
                changed = await show_changes(run, self.out, _facts(plan))
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
                self._say_where(run, "")
                raise
        self._remark(run)
        self._sum_up(run, path)
        report = run.report
        if report.stopped is not None:
            self._say_where(run, "--max-requests is reached: ")
            return ExitCode.STOPPED
        return ExitCode.ROWS_FAILED if report.failed or report.unknown else ExitCode.OK

    # ---- while it runs ---------------------------------------------------------------------

    @contextmanager
    def _stages(self) -> Generator[_Stages]:
        with self.out.progress() as display, _Stages(display) as stages:
            yield stages

    def _rows(self, stages: _Stages) -> Iterator[Any]:
        """The rows, as the run takes them in: all of them before it does anything else."""
        reading = stages.next(f"Reading {self.intake.name}")
        for values, problems in self.intake.rows():
            for place, problem in problems:
                self.complaints.reject(place, problem)
            reading.advance()
            yield values
        comparing = stages.next("Comparing")
        comparing.note(lambda: quota_left(self.k.stats))

    async def _follow(self, run: Run, stages: _Stages, results: Results | None) -> None:
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
                if results is not None:
                    results.take(outcome)
            if outcome.status in {"failed", "unknown"} and not self.intake.is_rejected(outcome):
                self.complaints.fail(f"{self.intake.about(outcome)}: {self.intake.said(outcome)}")

    # ---- in the end ------------------------------------------------------------------------

    def _remark(self, run: Run) -> None:
        if self.intake.left_out:
            columns = ", ".join(self.intake.left_out)
            self.out.remark(f"left out, since the server sets them: {columns}")
        for warning in run.report.warnings:
            self.out.remark(warning)

    def _say_where(self, run: Run, why: str) -> None:
        report = run.report
        if report.done:
            self.out.remark(
                f"{why}{report.done:,} of {report.rows:,} rows are done; "
                "the same command goes on with the rest"
            )

    def _sum_up(self, run: Run, path: Path | None) -> None:
        report = run.report
        counts = {name: getattr(report, name) for name in _OUTCOMES}
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


class _Stages:
    """Steps of which each begins when the one before it has ended."""

    def __init__(self, display: Display) -> None:
        self._display = display
        self._open = ExitStack()

    def next(self, title: str, total: int | None = None) -> Step:
        """End the step before, and begin this one."""
        self._open.close()
        return self._open.enter_context(self._display.step(title, total))

    def __enter__(self) -> _Stages:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        # A step that ends by an error must not look as if it had been done.
        self._open.__exit__(kind, error, trace)


def _facts(plan: Plan) -> dict[str, Any]:
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

"""Progress of long work: bars on a terminal, plain lines in a log, or nothing at all."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from types import TracebackType
from typing import Protocol, Self

from rich.console import Console
from rich.progress import (
    BarColumn,
    Progress,
    ProgressColumn,
    Task,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
)
from rich.table import Column
from rich.text import Text

__all__ = ["Bars", "Display", "Lines", "Silent", "Stages", "Step"]


class Step(Protocol):
    """One stretch of work, counted while it goes on."""

    def advance(self, by: int = 1) -> None:
        """Count `by` more pieces as done."""
        ...

    def note(self, text: Callable[[], str]) -> None:
        """Say something short beside the count, asked for whenever that is shown."""
        ...


class Display(Protocol):
    """Where steps are shown."""

    def step(self, title: str, total: int | None = None) -> AbstractContextManager[Step]:
        """Show a step while the block runs; `total` is None where nobody knows it."""
        ...


class Stages:
    """Steps of which each begins when the one before it has ended."""

    def __init__(self, display: Display) -> None:
        self._display = display
        self._open = ExitStack()

    def next(self, title: str, total: int | None = None) -> Step:
        """End the step before, and begin this one."""
        self._open.close()
        return self._open.enter_context(self._display.step(title, total))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        # A step that ends by an error must not look as if it had been done.
        self._open.__exit__(kind, error, trace)


class Silent:
    """Shows nothing: a display and its steps in one."""

    @contextmanager
    def step(self, title: str, total: int | None = None) -> Generator[Step]:
        """A step that nobody sees."""
        yield self

    def advance(self, by: int = 1) -> None:
        """Count without a word."""

    def note(self, text: Callable[[], str]) -> None:
        """Say nothing."""


class Lines:
    """A line when a step ends, and one every `every` seconds while it lasts."""

    def __init__(
        self, console: Console, *, every: float = 2.0, now: Callable[[], float] = time.monotonic
    ) -> None:
        self.console = console
        self.every = every
        self.now = now

    @contextmanager
    def step(self, title: str, total: int | None = None) -> Generator[Step]:
        """Print how far the step has come, and in the end how long it took."""
        line = _Line(self, title, total)
        yield line
        line.finish()

    def show(self, text: str) -> None:
        """Print one line as it is."""
        self.console.print(text, markup=False, highlight=False, soft_wrap=True)


class _Line:
    def __init__(self, lines: Lines, title: str, total: int | None) -> None:
        self._lines = lines
        self._title = title
        self._of = "" if total is None else f" of {total:,}"
        self._began = self._shown = lines.now()
        self._done = 0
        self._note: Callable[[], str] = str

    def advance(self, by: int = 1) -> None:
        self._done += by
        now = self._lines.now()
        if now - self._shown >= self._lines.every:
            self._shown = now
            text = self._note()
            note = f" ({text})" if text else ""
            self._lines.show(f"{self._title}: {self._done:,}{self._of}{note}")

    def note(self, text: Callable[[], str]) -> None:
        self._note = text

    def finish(self) -> None:
        seconds = self._lines.now() - self._began
        done = f"{self._done:,} in " if self._done else ""
        self._lines.show(f"{self._title}: {done}{seconds:.1f} s")


class Bars:
    """A bar with its rate for each step, drawn while the `with` block of the display runs."""

    def __init__(self, console: Console) -> None:
        self._progress = Progress(
            TextColumn("{task.description}", markup=False),
            BarColumn(bar_width=None),
            _Count(),
            TimeElapsedColumn(),
            _Rate(),
            _Note(),
            console=console,
            # Results are printed when the bars have ended.
            redirect_stdout=False,
        )

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(self, *exc: object) -> None:
        self._progress.stop()

    @contextmanager
    def step(self, title: str, total: int | None = None) -> Generator[Step]:
        """Add a bar below those before it."""
        bar = _Bar(self._progress, self._progress.add_task(title, total=total, note=str))
        try:
            yield bar
        except BaseException:
            bar.halt()
            raise
        bar.finish()


class _Bar:
    def __init__(self, progress: Progress, task: TaskID) -> None:
        self._progress = progress
        self._task = task
        self._done = 0
        self._shown = 0.0

    def advance(self, by: int = 1) -> None:
        self._done += by
        now = time.monotonic()
        if now - self._shown >= _SHOWN_EVERY:
            self._shown = now
            self._progress.update(self._task, completed=self._done)

    def note(self, text: Callable[[], str]) -> None:
        self._progress.update(self._task, note=text)

    def halt(self) -> None:
        self._progress.update(self._task, completed=self._done)

    def finish(self) -> None:
        # A bar whose total nobody knew is full once its work has ended.
        self._progress.update(self._task, total=self._done, completed=self._done, note=str)


#: An update costs more than a row that is only looked at.
_SHOWN_EVERY = 0.05


class _Count(ProgressColumn):
    """How many are done, and of how many; nothing where nobody counts."""

    def render(self, task: Task) -> Text:
        of = f"/{task.total:,.0f}" if task.total else ""
        done = f"{task.completed:,.0f}{of}" if task.completed or of else ""
        return Text(done, style="progress.download", justify="right")

    def get_table_column(self) -> Column:
        return Column(no_wrap=True)


class _Rate(ProgressColumn):
    def render(self, task: Task) -> Text:
        seconds = task.finished_time or task.elapsed
        rate = f"{task.completed / seconds:,.0f}/s" if seconds and task.completed else ""
        return Text(rate, style="dim", justify="right")


class _Note(ProgressColumn):
    def render(self, task: Task) -> Text:
        return Text(task.fields["note"](), style="dim")

    def get_table_column(self) -> Column:
        return Column(no_wrap=True)

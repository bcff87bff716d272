"""A bulk run: iterate for each outcome, await for the sums, leave at any moment."""

from __future__ import annotations

import logging
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Generator, Iterator
from types import TracebackType
from typing import Any, Self

import anyio
import attrs

from ..transport.session import Session
from .errors import SyncStoppedError
from .pipeline import Pipeline
from .report import Outcome, Plan, Report
from .state import State
from .wires import CountedSession, HaltedError, Tally

__all__ = ["Run"]

_log = logging.getLogger("kantos_async")


class Run(ABC, AsyncIterator[Outcome]):
    """Something that is done to many records.

        async with run:
            async for outcome in run: ...    # row by row, in the order of the input
        report = await run                   # or only the sums

    Leaving early, cancelling and Ctrl-C send nothing more and let what is on the wire end, for at
    most as long as one request may take; with a state file, the same run again goes on from there.
    """

    #: Whether a state file that is not there is made.
    _makes_state = True

    def __init__(
        self,
        session: Session,
        state: str | None,
        max_requests: int | None = None,
        stop_after_failures: int | None = None,
    ) -> None:
        self._tally = Tally(max_requests)
        self._session = CountedSession(
            session.wire, session.timeout, session.retry, session.read_only, tally=self._tally
        )
        self._report = Report()
        self._pipeline: Pipeline | None = None
        self._state: State | None = None
        self._state_path = state
        self._most_failures = stop_after_failures
        self._began: float | None = None
        self._waited = 0.0
        self._prepared = False
        self._exhausted = False
        self._ended = False

    # ---- what a kind of run does -----------------------------------------------------------

    @abstractmethod
    async def _prepare(self, state: State) -> None:
        """Read what must be known before the first write."""

    @abstractmethod
    async def _load(self, pipeline: Pipeline) -> bool:
        """Hand the next rows to the pipeline; False when there are no more."""

    @abstractmethod
    async def _plan(self) -> Plan:
        """The plan, once prepared."""

    def _conclude(self) -> None:
        """All is done."""

    def _needs(self) -> str:
        """What must be read before the first write: a smaller `max_requests` gets nowhere."""
        return "raise max_requests, for the next run would read as much"

    # ---- using it --------------------------------------------------------------------------

    async def explain(self) -> Plan:
        """What the run will do, and what that costs. Reads, and writes nothing.

        What it reads is not lost: the run goes on with it. Close the run (`async with`, or
        `aclose()`) if you do not go on.

        Raises:
            SyncStoppedError: `max_requests` is reached before all is read.
            RuntimeError: the run has ended.
        """
        if self._ended:
            raise RuntimeError("the run has ended: its report tells what it did; make a new one")
        try:
            await self._open()
            return await self._plan()
        except HaltedError as error:
            await self.aclose()
            raise SyncStoppedError(self._while_reading(error)) from error
        except BaseException:
            await self.aclose()
            raise

    @property
    def report(self) -> Report:
        """The sums until now."""
        report = self._report
        report.reads, report.writes = self._tally.reads, self._tally.writes
        report.requests = self._tally.requests
        if self._began is not None and not self._ended:
            wire = self._session.wire
            report.seconds = wire.now() - self._began
            report.waited = wire.counts.seconds_waited - self._waited
        if self._state is not None:
            report.lag = self._state.meta.lag
        return report

    def __await__(self) -> Generator[Any, None, Report]:
        return self._to_the_end().__await__()

    async def _to_the_end(self) -> Report:
        async with self:
            async for _ in self:
                pass
        return self.report

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Outcome:
        if self._ended:
            raise StopAsyncIteration
        try:
            outcome = await self._next()
        except BaseException as error:
            await self._leave(error)
            raise
        if outcome is None:
            await self._end()
            raise StopAsyncIteration
        return outcome

    async def _next(self) -> Outcome | None:
        try:
            await self._open()
        except HaltedError as error:
            self._report.stopped = self._while_reading(error)
            return None
        pipeline = self._pipeline
        assert pipeline is not None
        while True:
            if (outcome := pipeline.take()) is not None:
                return outcome
            if not self._exhausted and pipeline.has_room:
                await self._load_more(pipeline)
            elif not pipeline.is_empty:
                await pipeline.changed()
            elif pipeline.error is not None:
                raise pipeline.error
            else:
                return None

    async def _load_more(self, pipeline: Pipeline) -> None:
        try:
            self._exhausted = not await self._load(pipeline)
        except HaltedError as error:
            pipeline.halt(str(error))

    # ---- lifetime --------------------------------------------------------------------------

    async def _open(self) -> None:
        if self._prepared:
            return
        wire = self._session.wire
        wire.check()
        self._began, self._waited = wire.now(), wire.counts.seconds_waited
        self._pipeline = _pipeline(self._session, self._report, self._most_failures)
        self._state = State(self._state_path, make=self._makes_state)
        try:
            await self._prepare(self._state)
        except BaseException:
            self._close()
            raise
        self._prepared = True

    async def _end(self) -> None:
        pipeline = self._pipeline
        if pipeline is not None and self._prepared:
            if pipeline.halted is not None:
                in_vain = self._tally.spent and not self._tally.writes
                how = self._needs() if in_vain else self._how_to_go_on()
                self._report.stopped = f"{pipeline.halted}; {how}"
            elif self._exhausted:
                self._conclude()
        self._close()

    async def _leave(self, error: BaseException | None) -> None:
        """Let the writes that are under way end, and keep what they did."""
        if self._ended:
            return
        pipeline = self._pipeline
        if pipeline is not None and self._prepared:
            pipeline.halt("left early")
            await pipeline.settle(self._session.timeout + 5)
        if self._prepared and self._report.done:
            said = f"stopped after {self._report.done} of {self._report.rows} rows; "
            said += self._how_to_go_on()
            self._report.stopped = said
            if error is not None and not isinstance(error, GeneratorExit):
                error.add_note(said)
            _log.warning("bulk run %s", said)
        self._close()

    def _while_reading(self, error: HaltedError) -> str:
        needs = f"; {self._needs()}" if self._tally.spent else ""
        return f"{error}, while reading; nothing was written{needs}"

    def _untaken(self) -> Iterator[Outcome]:
        """Once the run was left: outcomes that are counted, and that nobody has seen."""
        return iter(()) if self._pipeline is None else self._pipeline.drain()

    def _how_to_go_on(self) -> str:
        if self._state_path is None:
            return "a run with a state file could go on from here"
        return f"run it again with state={str(self._state_path)!r} to go on"

    def _close(self) -> None:
        if not self._ended:
            self._report = attrs.evolve(self.report)
            self._ended = True
            if self._state is not None:
                self._state.close()

    async def aclose(self) -> None:
        """Leave the run; see the class. Closing twice does nothing."""
        await self._leave(None)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        with anyio.CancelScope(shield=True):
            await self._leave(error)

    def __del__(self) -> None:
        pipeline, state = getattr(self, "_pipeline", None), getattr(self, "_state", None)
        runtime = self._session.wire.runtime if pipeline is not None else None
        if not self._ended and pipeline is not None and state is not None and runtime is not None:
            runtime.from_anywhere(lambda: pipeline.abandon(state.close))


def _pipeline(session: CountedSession, report: Report, most_failures: int | None) -> Pipeline:
    """A pipeline whose outcomes are summed up; it knows nothing of the run."""

    def on_outcome(outcome: Outcome) -> None:
        report.count(outcome)
        if most_failures is not None and report.failed >= most_failures:
            pipeline.halt(f"{report.failed} rows failed (stop_after_failures={most_failures})")

    pipeline = Pipeline(session, on_outcome)
    return pipeline

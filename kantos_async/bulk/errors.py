"""Errors of bulk runs that no single request causes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..errors import KantosError

if TYPE_CHECKING:
    from .report import Outcome

__all__ = ["NotKeptError", "RowError", "StateError", "SyncStoppedError"]


class RowError(KantosError, ValueError):
    """A row that cannot be written; nothing was sent for it. The message names what is wrong."""


class StateError(KantosError):
    """The state file cannot be used: locked, full, of another object or account, or none at all."""


class NotKeptError(StateError):
    """A write is done, and the state could not keep that. Never leaves a run.

    Attributes:
        outcome: what became of the row.
        error: what was wrong with the state.
    """

    def __init__(self, outcome: Outcome, error: StateError) -> None:
        super().__init__(str(error))
        self.outcome = outcome
        self.error = error


class SyncStoppedError(KantosError):
    """A safety limit stopped the run before it wrote what the limit guards."""

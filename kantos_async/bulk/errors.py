"""Errors of bulk runs that no single request causes."""

from __future__ import annotations

from ..errors import KantosError

__all__ = ["RowError", "StateError", "SyncStoppedError"]


class RowError(KantosError, ValueError):
    """A row that cannot be written; nothing was sent for it. The message names what is wrong."""


class StateError(KantosError):
    """The state file cannot be used: locked, full, of another object or account, or none at all."""


class SyncStoppedError(KantosError):
    """A safety limit stopped the run before it wrote what the limit guards."""

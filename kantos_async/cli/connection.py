"""The client that commands work with, made from the environment."""

from __future__ import annotations

from .. import KantosAsync
from .exits import UsageError

__all__ = ["connect"]


def connect(*, read_only: bool = False) -> KantosAsync:
    """A client for `KANTOS_API_KEY` and `KANTOS_BASE_URL`.

    The key comes from the environment alone: words of a command line are seen by every user of
    the machine.

    Raises:
        UsageError: without a key, or with a base URL that is none.
    """
    try:
        return KantosAsync(read_only=read_only)
    except ValueError as error:
        raise UsageError(str(error)) from error

"""The client that commands work with, made from the environment."""

from __future__ import annotations

import os

from .. import KantosAsync
from .exits import UsageError

__all__ = ["connect"]


def connect(*, read_only: bool = False) -> KantosAsync:
    """A client for `KANTOS_API_KEY` and `KANTOS_BASE_URL`.

    The key comes from the environment alone: words of a command line are seen by every user of
    the machine.

    Raises:
        UsageError: without a key, or with a key or a base URL that is none.
    """
    key = os.environ.get("KANTOS_API_KEY", "")
    if not key.isascii() or not key.isprintable() or key != key.strip():
        raise UsageError("KANTOS_API_KEY holds what no key does, such as a space or a line break")
    try:
        # Commands run on asyncio, and an import costs a third of the CPU time so.
        return KantosAsync(read_only=read_only, engine="fast")
    except ValueError as error:
        raise UsageError(str(error)) from error

"""What every generated class of the blocking client is built on."""

from __future__ import annotations

from typing import Any, Self

from .portal import Portal

__all__ = ["Blocking"]


class Blocking:
    """An object of the async client, used from blocking code."""

    _portal: Portal
    _async: Any

    @classmethod
    def _of(cls, portal: Portal, twin: Any) -> Self:
        made = cls.__new__(cls)
        made._portal, made._async = portal, twin
        return made

    def __repr__(self) -> str:
        return f"<blocking {self._async!r}>"

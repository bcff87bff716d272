"""An embedded Kantos server on SQLite, with quotas and faults on demand.

`Sandbox` serves over HTTP and needs the extra `sandbox`; `Core` is the same server without
sockets, for tests on virtual time.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .core import Core, Entry
from .faults import FAULTS, Delivery, Fault, FaultPlan, Faults
from .messages import Exchange
from .plans import read_plan
from .problems import Problem
from .quota import PLANS, Quota

if TYPE_CHECKING:
    from .sandbox import Sandbox

__all__ = [
    "FAULTS",
    "PLANS",
    "Core",
    "Delivery",
    "Entry",
    "Exchange",
    "Fault",
    "FaultPlan",
    "Faults",
    "Problem",
    "Quota",
    "Sandbox",
    "read_plan",
]


def __getattr__(name: str) -> Any:
    if name != "Sandbox":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    try:
        from .sandbox import Sandbox  # noqa: PLC0415 - the core runs without uvicorn
    except ImportError as error:
        raise ImportError(
            "the sandbox's HTTP server needs more packages: pip install 'kantos-async[sandbox]'"
        ) from error
    return Sandbox

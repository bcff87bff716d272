"""An async client for the Kantos CRM.

    from kantos_async import KantosAsync, F

    async with KantosAsync() as k:
        async for lead in k.records.query("obj_contacts", F.status == "new"):
            ...

Every public name imports from here; what a first call does not need loads when it is touched.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from ._version import __version__
from .client import KantosAsync
from .errors import (
    APIConnectionError,
    APIError,
    APITimeoutError,
    AuthenticationError,
    BadRequestError,
    ClientClosedError,
    ConflictError,
    InternalServerError,
    KantosError,
    NotFoundError,
    PermissionDeniedError,
    QueryIgnoredError,
    RateLimitError,
    ReadOnlyError,
    ResponseDecodeError,
    UnknownOutcomeError,
    UnprocessableEntityError,
    WebhookSignatureError,
    WrongContextError,
)
from .filters import F
from .paging import Page, RecordStream
from .transport.call import UNSET
from .transport.gate import Quota
from .transport.retry import RetryPolicy

if TYPE_CHECKING:
    from .api.models import (
        Automation,
        AutomationRun,
        Field,
        IntakeReceipt,
        ObjectDefinition,
        Pagination,
        Record,
        User,
    )
    from .bulk.errors import RowError, StateError, SyncStoppedError
    from .bulk.policy import CLEAR, SyncPolicy
    from .bulk.report import Outcome, Plan, Report
    from .filters import Filter
    from .sync import Kantos
    from .transport.engines import Engine, EngineFailure, Reply, Request
    from .transport.events import (
        AnswerReceived,
        Event,
        GaveUp,
        QuotaWaited,
        RequestSent,
        RetryPlanned,
        Stats,
        log_events,
    )

#: Where the names live that load when they are touched.
_LAZY = {
    **dict.fromkeys(
        (
            "Automation",
            "AutomationRun",
            "Field",
            "IntakeReceipt",
            "ObjectDefinition",
            "Pagination",
            "Record",
            "User",
        ),
        ".api.models",
    ),
    **dict.fromkeys(("RowError", "StateError", "SyncStoppedError"), ".bulk.errors"),
    **dict.fromkeys(("CLEAR", "SyncPolicy"), ".bulk.policy"),
    **dict.fromkeys(("Outcome", "Plan", "Report"), ".bulk.report"),
    "Filter": ".filters",
    "Kantos": ".sync",
    **dict.fromkeys(("Engine", "EngineFailure", "Reply", "Request"), ".transport.engines"),
    **dict.fromkeys(
        (
            "AnswerReceived",
            "Event",
            "GaveUp",
            "QuotaWaited",
            "RequestSent",
            "RetryPlanned",
            "Stats",
            "log_events",
        ),
        ".transport.events",
    ),
}

__all__ = [
    "CLEAR",
    "UNSET",
    "APIConnectionError",
    "APIError",
    "APITimeoutError",
    "AnswerReceived",
    "AuthenticationError",
    "Automation",
    "AutomationRun",
    "BadRequestError",
    "ClientClosedError",
    "ConflictError",
    "Engine",
    "EngineFailure",
    "Event",
    "F",
    "Field",
    "Filter",
    "GaveUp",
    "IntakeReceipt",
    "InternalServerError",
    "Kantos",
    "KantosAsync",
    "KantosError",
    "NotFoundError",
    "ObjectDefinition",
    "Outcome",
    "Page",
    "Pagination",
    "PermissionDeniedError",
    "Plan",
    "QueryIgnoredError",
    "Quota",
    "QuotaWaited",
    "RateLimitError",
    "ReadOnlyError",
    "Record",
    "RecordStream",
    "Reply",
    "Report",
    "Request",
    "RequestSent",
    "ResponseDecodeError",
    "RetryPlanned",
    "RetryPolicy",
    "RowError",
    "StateError",
    "Stats",
    "SyncPolicy",
    "SyncStoppedError",
    "UnknownOutcomeError",
    "UnprocessableEntityError",
    "User",
    "WebhookSignatureError",
    "WrongContextError",
    "__version__",
    "log_events",
]


def __getattr__(name: str) -> Any:
    module = _LAZY.get(name)
    if module is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(module, __name__), name)

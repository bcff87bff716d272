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
    from .filters import F, Filter
    from .paging import Page, RecordStream
    from .sync import Kantos
    from .transport.call import UNSET
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
    from .transport.gate import Quota
    from .transport.retry import RetryPolicy

#: Where each name lives; a module loads when one of its names is touched.
_MODULES = {
    ".api.models": (
        "Automation",
        "AutomationRun",
        "Field",
        "IntakeReceipt",
        "ObjectDefinition",
        "Pagination",
        "Record",
        "User",
    ),
    ".bulk.errors": ("RowError", "StateError", "SyncStoppedError"),
    ".bulk.policy": ("CLEAR", "SyncPolicy"),
    ".bulk.report": ("Outcome", "Plan", "Report"),
    ".client": ("KantosAsync",),
    ".errors": (
        "APIConnectionError",
        "APIError",
        "APITimeoutError",
        "AuthenticationError",
        "BadRequestError",
        "ClientClosedError",
        "ConflictError",
        "InternalServerError",
        "KantosError",
        "NotFoundError",
        "PermissionDeniedError",
        "QueryIgnoredError",
        "RateLimitError",
        "ReadOnlyError",
        "ResponseDecodeError",
        "UnknownOutcomeError",
        "UnprocessableEntityError",
        "WebhookSignatureError",
        "WrongContextError",
    ),
    ".filters": ("F", "Filter"),
    ".paging": ("Page", "RecordStream"),
    ".sync": ("Kantos",),
    ".transport.call": ("UNSET",),
    ".transport.engines": ("Engine", "EngineFailure", "Reply", "Request"),
    ".transport.events": (
        "AnswerReceived",
        "Event",
        "GaveUp",
        "QuotaWaited",
        "RequestSent",
        "RetryPlanned",
        "Stats",
        "log_events",
    ),
    ".transport.gate": ("Quota",),
    ".transport.retry": ("RetryPolicy",),
}
_HOME = {name: module for module, names in _MODULES.items() for name in names}

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
    module = _HOME.get(name)
    if module is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = globals()[name] = getattr(import_module(module, __name__), name)
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})

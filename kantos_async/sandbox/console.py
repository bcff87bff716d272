"""The console at `/_sandbox`: a page, what it shows, and the fault switches.

It needs no key, so it is for the machine that the sandbox runs on and for that page alone: the
`Host` must be a loopback name (a web site that has its own name point here is refused), writes
must come from the page itself, and nothing may frame it.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from typing import Any
from urllib.parse import urlsplit

import msgspec

from .core import Core, Entry
from .faults import FAULTS, Delivery, Faults
from .messages import Exchange, decode_json, parse_query
from .problems import Problem

__all__ = ["LOOPBACK", "PREFIX", "Console"]

PREFIX = "/_sandbox"
LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})
_ENTRIES = 300
_RECORDS = 50
_JSON = "application/json"


class Console:
    """Answers the console's requests; they are in no log and cost no quota."""

    def __init__(self, core: Core) -> None:
        self._core = core

    def answer(self, method: str, target: str, headers: Mapping[str, str], body: bytes) -> Exchange:
        """Answer one request below `/_sandbox`."""
        path, _, query = target.partition("?")
        try:
            _check_origin(method, headers)
            match method, path.removeprefix(PREFIX):
                case "GET", "" | "/":
                    return _page()
                case "GET", "/state":
                    return _reply(200, self._state(parse_query(query)))
                case "POST", "/faults":
                    self._core.faults.set(_plan(body))
                    return _reply(200, self._faults())
                case "POST", "/clear":
                    self._core.faults.clear()
                    return _reply(200, self._faults())
                case _:
                    raise Problem(404, "There is no such page")
        except Problem as problem:
            return _reply(problem.status, problem.body())

    def _state(self, given: Mapping[str, str]) -> dict[str, Any]:
        core = self._core
        since = given.get("since", "0")
        number = int(since) if since.isascii() and since.isdigit() and len(since) < 19 else 0
        entries, count = core.log_since(number)
        quota = core.quota
        return {
            "now": core.now(),
            "log": [_shown(entry) for entry in entries[-_ENTRIES:]],
            "count": count,
            "quota": {"limit": quota.limit, "window": quota.window, "daily": quota.daily},
            "objects": [kind.summary() for kind in core.store.objects.values()],
            "records": self._records(given.get("object", "")),
            "faults": self._faults(),
        }

    def _records(self, object_id: str) -> dict[str, Any]:
        """Those of this object, or of the first where there is no such object (any more)."""
        kinds = self._core.store.objects
        if object_id not in kinds:
            object_id = next(iter(kinds), "")
        if not object_id:  # an account without objects
            return {"object": "", "fields": [], "rows": [], "total": 0}
        rows, total = self._core.latest(object_id, _RECORDS)
        fields = [field.slug for field in kinds[object_id].fields.values()]
        return {"object": object_id, "fields": fields, "rows": rows, "total": total}

    def _faults(self) -> dict[str, Any]:
        faults = self._core.faults
        plan = msgspec.to_builtins(faults.plan)
        measures = {name: value for name, value in plan.items() if name not in FAULTS}
        return {
            "chances": {name: plan[name] for name in FAULTS},
            "measures": measures,
            "scripted": faults.scripted,
        }


def _shown(entry: Entry) -> dict[str, Any]:
    shown: dict[str, Any] = msgspec.to_builtins(entry)
    return shown


def _plan(body: bytes) -> Faults:
    plan: Faults = decode_json(body, Faults, "The plan")
    return plan


def _is_loopback(host: str) -> bool:
    try:
        return urlsplit(f"//{host}").hostname in LOOPBACK
    except ValueError:
        return False


def _check_origin(method: str, headers: Mapping[str, str]) -> None:
    host = headers.get("host", "")
    if not _is_loopback(host):
        raise Problem(403, "The console answers only to the machine that it runs on")
    site = headers.get("sec-fetch-site", "none")
    origin = headers.get("origin", f"http://{host}")
    if site not in {"none", "same-origin"} or origin != f"http://{host}":
        raise Problem(403, "The console answers only to its own page")
    # No form of another site can send this type without asking first.
    if method == "POST" and headers.get("content-type") != _JSON:
        raise Problem(403, "The console takes JSON")


@cache
def _source() -> str:
    return files(__package__ or "").joinpath("console.html").read_text(encoding="utf-8")


def _page() -> Exchange:
    nonce = secrets.token_urlsafe(16)
    policy = (
        f"default-src 'none'; script-src 'nonce-{nonce}'; style-src 'nonce-{nonce}'; "
        "connect-src 'self'; img-src data:; frame-ancestors 'none'; base-uri 'none'; "
        "form-action 'none'"
    )
    body = _source().replace("{{nonce}}", nonce).encode()
    return _exchange(200, "text/html; charset=utf-8", body, ("Content-Security-Policy", policy))


def _reply(status: int, content: Any) -> Exchange:
    body = content if isinstance(content, bytes) else msgspec.json.encode(content)
    return _exchange(status, _JSON, body)


def _exchange(status: int, kind: str, body: bytes, *more: tuple[str, str]) -> Exchange:
    headers = (
        ("Content-Type", kind),
        ("Content-Length", str(len(body))),
        ("Cache-Control", "no-store"),
        ("X-Content-Type-Options", "nosniff"),
        ("Cross-Origin-Resource-Policy", "same-origin"),
        *more,
    )
    return Exchange(status, headers, body, Delivery())

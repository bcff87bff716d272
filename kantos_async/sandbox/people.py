"""Users and intake: endpoints that are inferred, not documented."""

from __future__ import annotations

from typing import Any

import msgspec

from .messages import Reply, Request, decode_json
from .problems import Problem
from .store import Store

__all__ = ["People"]


class _Submission(msgspec.Struct):
    source: str
    fields: dict[str, Any]
    metadata: dict[str, Any] = {}


class People:
    """Who works in the account, and who writes to it."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def users(self, request: Request) -> Reply:
        """`GET /crm/users`."""
        return Reply(200, msgspec.json.encode({"data": self._store.documents("users")}))

    def user(self, request: Request, user_id: str) -> Reply:
        """`GET /crm/users/{user_id}`."""
        user = self._store.document("users", user_id)
        if user is None:
            raise Problem(404, "User not found", {"user_id": user_id})
        return Reply(200, msgspec.json.encode(user))

    def ingest(self, request: Request) -> Reply:
        """`POST /intake/ingest`: kept in the table `intake`, and nothing more."""
        submission: _Submission = decode_json(request.body, _Submission)
        key = self._store.new_id("intake")
        self._store.keep("intake", key, {"id": key, **msgspec.to_builtins(submission)})
        return Reply(201, msgspec.json.encode({"id": key, "status": "received"}))

"""The automation endpoints: inferred, not documented."""

from __future__ import annotations

from typing import Any

import msgspec

from .messages import Reply, Request, decode_json
from .problems import Problem
from .recipes import Change, New
from .store import Store

__all__ = ["Automations"]


class Automations:
    """Keeps automations, and shows their runs."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def list(self, request: Request) -> Reply:
        """`GET /crm/automations`."""
        return Reply(200, msgspec.json.encode({"data": self._store.documents("automations")}))

    def get(self, request: Request, automation_id: str) -> Reply:
        """`GET /crm/automations/{automation_id}`."""
        return Reply(200, msgspec.json.encode(self._one(automation_id)))

    def create(self, request: Request) -> Reply:
        """`POST /crm/automations`."""
        new: New = decode_json(request.body, New)
        key = self._store.new_id("auto")
        doc = {"id": key, **msgspec.to_builtins(new), "active": new.active}
        self._store.keep("automations", key, doc)
        return Reply(201, msgspec.json.encode(doc))

    def update(self, request: Request, automation_id: str) -> Reply:
        """`PATCH /crm/automations/{automation_id}`."""
        doc = self._one(automation_id)
        change: Change = decode_json(request.body, Change)
        doc |= msgspec.to_builtins(change)
        self._store.keep("automations", automation_id, doc)
        return Reply(200, msgspec.json.encode(doc))

    def delete(self, request: Request, automation_id: str) -> Reply:
        """`DELETE /crm/automations/{automation_id}`."""
        if not self._store.drop("automations", automation_id):
            raise _unknown(automation_id)
        return Reply(204)

    def runs(self, request: Request, automation_id: str) -> Reply:
        """`GET /crm/automations/{automation_id}/runs`."""
        self._one(automation_id)
        runs = [r for r in self._store.documents("runs") if r["automation_id"] == automation_id]
        return Reply(200, msgspec.json.encode({"data": runs}))

    def _one(self, automation_id: str) -> dict[str, Any]:
        doc = self._store.document("automations", automation_id)
        if doc is None:
            raise _unknown(automation_id)
        return doc


def _unknown(automation_id: str) -> Problem:
    return Problem(404, "Automation not found", {"automation_id": automation_id})

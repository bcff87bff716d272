"""Runs of automations: what starts them, and what they do."""

from __future__ import annotations

import heapq
import logging
from collections import deque
from collections.abc import Callable
from typing import Any

import msgspec

from .outbox import Outbox, Parcel, sign
from .problems import Problem
from .recipes import (
    Action,
    Automation,
    Branch,
    CreateRecord,
    SendEmail,
    UpdateRecord,
    Wait,
    Webhook,
)
from .records import Records
from .rows import Row
from .rules import as_text, holds, render, verdicts
from .stamps import Stamps
from .store import Store

__all__ = ["Runs"]

log = logging.getLogger("kantos_async.sandbox")

#: How deep automations may start each other.
_DEPTH = 5
_SIGNED = frozenset({"record.created", "record.updated", "record.deleted"})


class _Run(msgspec.Struct):
    doc: dict[str, Any]
    automation: Automation
    record: dict[str, Any] | None
    #: What came with an inbound webhook.
    payload: Any
    left: deque[Action]
    #: How many runs led to this one, each by what it did. It outlasts a wait: else two automations
    #: that wait for nothing and then start each other would never end.
    depth: int


class Runs:
    """Starts automations when records change or somebody calls, and carries out their actions.

    E-mails are logged and not sent; schedules never fire.
    """

    def __init__(
        self, store: Store, records: Records, stamps: Stamps, outbox: Outbox, secret: str
    ) -> None:
        self._store = store
        self._records = records
        self._stamps = stamps
        self._outbox = outbox
        self._secret = secret
        self._depth = 0
        self._count = 0
        self._waiting: list[tuple[float, int, _Run]] = []
        self._do: dict[type[Any], Callable[[Any, _Run, float], str]] = {
            SendEmail: lambda _action, _run, _now: "sent",
            UpdateRecord: self._update,
            CreateRecord: self._create,
            Webhook: self._webhook,
        }

    # What starts a run

    def changed(self, before: Row | None, after: Row | None, now: float) -> None:
        """A record was created (no `before`), updated, or deleted (no `after`)."""
        automations = self._store.documents("automations")
        row = after or before
        if not automations or row is None or self._depth >= _DEPTH:
            return
        name = (
            "record.created" if before is None else "record.deleted" if after is None
            else "record.updated"
        )  # fmt: skip
        record = msgspec.json.decode(self._records.text(row))
        old = {} if before is None else msgspec.json.decode(before.doc)
        for doc in automations:
            automation = _read(doc)
            if automation is None:
                continue
            trigger = automation.trigger
            if not automation.active or trigger.object not in (msgspec.UNSET, row.object_id):
                continue
            moved = trigger.type == "field.changed" and name == "record.updated" and (
                old.get(trigger.field) != record["field_values"].get(trigger.field)
            )  # fmt: skip
            if moved or trigger.type == name:
                self._start(automation, record, None, now)

    def call(self, automation_id: str, payload: Any, now: float) -> None:
        """The inbound webhook of an automation was called.

        Raises:
            Problem: 404 when there is no such automation, or it starts otherwise.
        """
        doc = self._store.document("automations", automation_id)
        automation = None if doc is None else _read(doc)
        if automation is None or automation.trigger.type != "webhook" or not automation.active:
            raise Problem(404, "Automation not found", {"automation_id": automation_id})
        self._start(automation, None, payload, now)

    def resume(self, now: float) -> None:
        """Go on with the runs whose wait is over."""
        while self._waiting and self._waiting[0][0] <= now:
            due, _, run = heapq.heappop(self._waiting)
            self._go_on(run, due)

    def clear(self) -> None:
        """Forget the runs that wait."""
        self._waiting.clear()

    # The run

    def _start(
        self, automation: Automation, record: dict[str, Any] | None, payload: Any, now: float
    ) -> None:
        values = {} if record is None else record["field_values"]
        conditions = automation.conditions
        found = verdicts(conditions, values) if conditions else []
        doc = {
            "id": self._store.new_id("run"),
            "automation_id": automation.id,
            "status": "running",
            "trigger": {"type": automation.trigger.type}
            | ({} if record is None else {"record_id": record["id"]}),
            "conditions": found,
            "actions": [],
            "started_at": self._stamps.text(self._stamps.cut(now)),
        }
        run = _Run(doc, automation, record, payload, deque(automation.actions), self._depth)
        if conditions and not holds(conditions, values):
            self._end(run, "skipped", now)
        else:
            self._go_on(run, now)

    def _go_on(self, run: _Run, now: float) -> None:
        above, self._depth = self._depth, run.depth + 1
        try:
            self._act(run, now)
        finally:
            self._depth = above

    def _act(self, run: _Run, now: float) -> None:
        while run.left:
            action = run.left.popleft()
            outcome = {"type": action.__struct_config__.tag}
            run.doc["actions"].append(outcome)
            if isinstance(action, Wait):
                outcome["status"] = "waited"
                self._count += 1
                heapq.heappush(self._waiting, (now + action.config.seconds, self._count, run))
                self._store.keep("runs", run.doc["id"], run.doc | {"status": "waiting"})
                return
            if isinstance(action, Branch):
                outcome["status"] = self._choose(action, run)
                continue
            try:
                outcome["status"] = self._do[type(action)](action, run, now)
            except Problem as problem:
                outcome |= {"status": "failed", "error": problem.message}
                self._end(run, "failed", now)
                return
            except Exception as error:
                # Whoever looks next did not ask for this action, and must get an answer.
                log.exception("the sandbox failed at an action of %s", run.automation.id)
                outcome |= {"status": "failed", "error": repr(error)}
                self._end(run, "failed", now)
                return
        self._end(run, "success", now)

    def _end(self, run: _Run, status: str, now: float) -> None:
        run.doc |= {"status": status, "finished_at": self._stamps.text(self._stamps.cut(now))}
        self._store.keep("runs", run.doc["id"], run.doc)

    # The actions

    def _choose(self, action: Branch, run: _Run) -> str:
        values = {} if run.record is None else run.record["field_values"]
        for branch in action.config.conditions:
            if branch.if_ is None or holds(branch.if_, values):
                run.left.extendleft(reversed(branch.then if branch.if_ else branch.else_))
                return "then" if branch.if_ else "else"
        return "none"

    def _update(self, action: UpdateRecord, run: _Run, now: float) -> str:
        if run.record is None:
            raise Problem(404, "There is no record to update")
        self._records.change(
            run.record["id"], render(action.config.fields, self._context(run, now)), now
        )
        return "done"

    def _create(self, action: CreateRecord, run: _Run, now: float) -> str:
        kind = action.config.object_definition_id or ""
        self._records.add(
            kind, render(action.config.data, self._context(run, now)), "user_789", now
        )
        return "done"

    def _webhook(self, action: Webhook, run: _Run, now: float) -> str:
        config, context = action.config, self._context(run, now)
        if config.body is not msgspec.UNSET:
            body = msgspec.json.encode(render(config.body, context))
        elif run.automation.trigger.type in _SIGNED:
            body = sign(_event(run, context["now"]), self._secret)
        else:
            body = msgspec.json.encode(_executed(run, context["now"]))
        given = {name: as_text(text) for name, text in render(config.headers, context).items()}
        headers = {"Content-Type": "application/json", **given}
        parcel = Parcel(
            self._store.new_id("whk"), config.url or "", config.method, headers, body, due=now
        )
        self._outbox.add(parcel)
        return "queued"

    def _context(self, run: _Run, now: float) -> dict[str, Any]:
        record = run.record or {}
        return {
            "record": {**record, **record.get("field_values", {})},
            "webhook": {"body": run.payload},
            "automation": {"id": run.automation.id, "name": run.automation.name},
            "now": self._stamps.text(self._stamps.cut(now)),
        }


def _read(doc: dict[str, Any]) -> Automation | None:
    """An automation as it is kept; None for one that a file has and the sandbox cannot run."""
    try:
        return msgspec.convert(doc, Automation)
    except msgspec.ValidationError as error:
        log.warning("automation %s is not run: %s", doc.get("id"), error)
        return None


def _event(run: _Run, now: str) -> dict[str, Any]:
    record = run.record or {}
    data = {name: record[name] for name in ("id", "object_id", "field_values")}
    return {"event": run.automation.trigger.type, "timestamp": now, "data": data}


def _executed(run: _Run, now: str) -> dict[str, Any]:
    record = run.record
    shown = record and {
        "id": record["id"],
        "object_id": record["object_id"],
        "data": record["field_values"],
    }
    return {
        "event": "automation.executed",
        "automation_id": run.automation.id,
        "automation_name": run.automation.name,
        "timestamp": now,
        "record": shown,
    }

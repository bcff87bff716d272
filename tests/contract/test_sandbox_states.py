"""Sandbox and a plain model side by side, driven through the client."""

from __future__ import annotations

import os
from collections.abc import Coroutine
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    consumes,
    initialize,
    invariant,
    rule,
)
from support.virtual import VirtualLoop
from support.worlds import CoreEngine

from kantos_async import (
    ConflictError,
    KantosAsync,
    NotFoundError,
    UnprocessableEntityError,
)
from kantos_async.sandbox import Core

EXAMPLES = int(os.environ.get("KANTOS_STATE_EXAMPLES", "40"))
KIND = "obj_contacts"

names = st.sampled_from(["Ann", "ann", "Bob", "Élodie", "x" * 255])
emails = st.sampled_from([None, "a@example.com", "b@example.com", "c@example.com"])
stages = st.sampled_from([None, "New", "new", "lost"])
values = st.fixed_dictionaries({}, optional={"name": names, "email": emails, "status": stages})
bad_values = st.sampled_from(
    [{"name": ""}, {"name": "y" * 256}, {"email": "no"}, {"status": "won"}, {"shoes": 1}]
)
tests = {
    "$gte": lambda have, want: have is not None and have >= want,
    "$lt": lambda have, want: have is not None and have < want,
    "$contains": lambda have, want: have is not None and want.lower() in have.lower(),
    "$in": lambda have, want: have in want,
    "$empty": lambda have, want: (have is None) == want,
}
filters = st.one_of(
    st.just({}),
    st.builds(lambda v: {"name": v}, names),
    st.builds(lambda v: {"name": {"$gte": v}}, names),
    st.builds(lambda v: {"name": {"$lt": v}}, names),
    st.builds(lambda v: {"name": {"$contains": v}}, st.sampled_from(["a", "É", "NN"])),
    st.builds(lambda v: {"email": {"$in": v}}, st.lists(emails.filter(bool), max_size=3)),
    st.builds(lambda v: {"email": {"$empty": v}}, st.booleans()),
)


def holds(record: dict[str, Any], wanted: dict[str, Any]) -> bool:
    for slug, test in wanted.items():
        have = record.get(slug)
        if isinstance(test, dict):
            if not all(tests[name](have, want) for name, want in test.items()):
                return False
        elif have != test:
            return False
    return True


class Side(RuleBasedStateMachine):
    ids = Bundle("ids")

    @initialize()
    def start(self) -> None:
        self.loop = VirtualLoop()
        self.core = Core(clock=self.loop.time, seed=1)
        self.k = KantosAsync(
            self.core.keys.first.key,
            base_url="http://world.invalid/api",
            engine=CoreEngine(self.core),
        )
        self.model: dict[str, dict[str, Any]] = {}

    def teardown(self) -> None:
        if hasattr(self, "loop"):
            self.run(self.k.aclose())
            self.loop.close()
            self.core.close()

    def run(self, call: Coroutine[Any, Any, Any]) -> Any:
        return self.loop.run_until_complete(call)

    def taken(self, email: str | None, by_other_than: str | None = None) -> bool:
        return email is not None and any(
            r.get("email") == email and rid != by_other_than for rid, r in self.model.items()
        )

    @rule(target=ids, name=names, more=values)
    def create(self, name: str, more: dict[str, Any]) -> str:
        sent = {"name": name, **more}
        call = self.k.records.create(object_id=KIND, field_values=sent)
        if self.taken(sent.get("email")):
            with pytest.raises(ConflictError):
                self.run(call)
            return "rec_never"
        made = self.run(call)
        self.model[made.id] = {slug: v for slug, v in sent.items() if v is not None}
        assert made.field_values == self.model[made.id]
        return str(made.id)

    @rule(bad=bad_values)
    def create_what_breaks_a_rule(self, bad: dict[str, Any]) -> None:
        with pytest.raises(UnprocessableEntityError) as caught:
            self.run(self.k.records.create(object_id=KIND, field_values={"name": "A", **bad}))
        assert next(iter(bad)) in caught.value.details["fields"]

    @rule(rid=ids, change=values)
    def update(self, rid: str, change: dict[str, Any]) -> None:
        call = self.k.records.update(rid, change)
        if rid not in self.model:
            with pytest.raises(NotFoundError):
                self.run(call)
        elif self.taken(change.get("email"), by_other_than=rid):
            with pytest.raises(ConflictError):
                self.run(call)
        else:
            after = {**self.model[rid], **change}
            self.model[rid] = {slug: v for slug, v in after.items() if v is not None}
            changed = self.run(call)
            assert changed.field_values == self.model[rid]
            assert changed.updated_at >= changed.created_at

    @rule(rid=consumes(ids))
    def delete(self, rid: str) -> None:
        call = self.k.records.delete(rid)
        if self.model.pop(rid, None) is None:
            with pytest.raises(NotFoundError):
                self.run(call)
        else:
            assert self.run(call) is None

    @rule(wanted=filters, per_page=st.integers(1, 4), order=st.sampled_from(["asc", "desc"]))
    def query(self, wanted: dict[str, Any], per_page: int, order: Any) -> None:
        found = self.k.records.query(
            KIND, filters=wanted, sort="name", order=order, per_page=per_page
        )
        records = self.run(found.all())
        expected = {rid for rid, record in self.model.items() if holds(record, wanted)}
        assert {record.id for record in records} == expected
        assert len(records) == len(expected) == self.run(found.count())
        ordered = [record.field_values["name"] for record in records]
        assert ordered == sorted(ordered, reverse=order == "desc")

    @invariant()
    def the_store_equals_the_model(self) -> None:
        if hasattr(self, "core"):
            stored = {r["id"]: r["field_values"] for r in self.core.look(KIND)}
            assert stored == self.model


TestSide = Side.TestCase
TestSide.settings = settings(
    max_examples=EXAMPLES, stateful_step_count=25, deadline=None, derandomize=True, database=None
)

"""What users of the blocking client write, and what type checkers must see in it."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any, assert_type

from kantos_async import F, Kantos, ObjectDefinition, Page, Record, Reply, Stats
from kantos_async.bulk.report import Outcome, Plan, Report


def records(k: Kantos) -> None:
    assert_type(k.records.get("rec_1"), Record)
    assert_type(k.records.create(object_id="obj_contacts", field_values={"name": "A"}), Record)
    k.records.delete("rec_1")
    leads = k.records.query("obj_contacts", F.status == "new", order="desc")
    assert_type(leads.page(), Page[Record])
    assert_type(leads.all(), list[Record])
    assert_type(leads.first(), Record | None)
    assert_type(leads.count(), int)
    for lead in leads:
        assert_type(lead, Record)
    for page in leads.pages():
        assert_type(page, Page[Record])
    k.records.query("obj_contacts", order="up")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    k.records.create("obj_contacts", {})  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]


def walks(k: Kantos) -> None:
    for record in k.records.scan("obj_contacts"):
        assert_type(record, Record)
    feed = k.records.changes("obj_contacts", since=datetime(2026, 1, 1, tzinfo=UTC))
    for record in feed:
        assert_type(record, Record)
    assert_type(feed.watermark, datetime)
    for record_id in k.records.missing_ids("obj_contacts", {"rec_1"}):
        assert_type(record_id, str)


def bulk(k: Kantos, rows: Iterator[dict[str, Any]]) -> None:
    with k.records.upsert_many(rows, object_id="obj_contacts", key="email") as run:
        assert_type(run.explain(), Plan)
        for outcome in run:
            assert_type(outcome, Outcome)
    assert_type(run.report, Report)
    assert_type(k.records.create_many(rows, object_id="obj_contacts").result(), Report)


def everything_else(k: Kantos) -> None:
    assert_type(k.objects.list(), list[ObjectDefinition])
    assert_type(k.request("GET", "/crm/objects", raw=True), Reply)
    assert_type(k.stats, Stats)
    assert_type(k.with_options(timeout=5), Kantos)
    with k as opened:
        assert_type(opened, Kantos)

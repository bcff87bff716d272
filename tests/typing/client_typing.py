"""What users write, as type checkers see it. Not run: mypy and pyright read it."""

from __future__ import annotations

from datetime import datetime
from typing import Any, assert_type

from kantos_async import (
    ConflictError,
    KantosAsync,
    ObjectDefinition,
    Page,
    Quota,
    Record,
    RecordStream,
    Reply,
    RetryPolicy,
    Stats,
    log_events,
)


async def read_key() -> str:
    return "kantos_x"


async def records() -> None:
    async with KantosAsync(api_key=read_key, on_event=log_events(), engine="fast") as k:
        made = await k.records.create(
            object_id="obj_contacts", field_values={"name": "x"}, unique_by="name"
        )
        assert_type(made, Record)
        assert_type(made.created_at, datetime)
        assert_type(made.created_by, str | None)
        assert_type(await k.records.update(made.id, {"status": "new"}), Record)
        assert_type(await k.records.delete(made.id), None)

        found = k.records.query("obj_contacts", {"status": "new"}, order="desc")
        assert_type(found, RecordStream)
        assert_type(await found, Page[Record])
        async for record in found:
            assert_type(record, Record)
        async for page in found.pages():
            assert_type(page.data, list[Record])
        assert_type(await found.all(), list[Record])
        assert_type(await found.first(), Record | None)
        assert_type(await found.count(), int)
        async for record in k.records.scan("obj_contacts"):
            assert_type(record, Record)
        async for record_id in k.records.missing_ids("obj_contacts", {"rec_1"}):
            assert_type(record_id, str)

        k.records.query("obj_contacts", order="up")  # type: ignore[arg-type]  # pyright: ignore
        await k.records.get(7)  # type: ignore[arg-type]  # pyright: ignore


async def the_rest() -> None:
    k = KantosAsync("kantos_x", retry=RetryPolicy(attempts=3), quota=Quota(share=0.5))
    assert_type(await k.objects.list(), list[ObjectDefinition])
    assert_type(await k.request("GET", "/crm/x"), Any)
    assert_type(await k.request("GET", "/crm/x", raw=True), Reply)
    assert_type(k.with_options(timeout=5), KantosAsync)
    assert_type(k.stats, Stats)
    try:
        await k.aclose()
    except ConflictError as error:
        assert_type(error.status, int)
        assert_type(error.details, dict[str, Any])

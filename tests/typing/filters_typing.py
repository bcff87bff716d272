"""What users write with `F`; the lines that are marked must be found by a type checker."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

from kantos_async import F, KantosAsync, RecordStream
from kantos_async.api.models import Record
from kantos_async.filters import Filter

one: Filter = F.deal_value >= 10_000
several: Filter = (
    one & F.name.contains("Acme") & ~F.phone.empty() & (F["weird name"] == None)  # noqa: E711
)
values: list[Filter] = [
    F.x == "a",
    F.x != 1,
    F.x == True,  # noqa: E712
    F.x > 1.5,
    F.x < Decimal(2),
    F.x >= datetime.now(UTC),
    F.x <= date.today(),
    F.x.is_in(["a", "b"]),
    F.x.is_in({1, 2}),
    F.x.not_in(number for number in range(3)),
    F.x.empty(False),
]

F.x >= object()  # type: ignore[operator]  # noqa: B015
F.x < None  # type: ignore[operator]  # noqa: B015
F.x.contains(1)  # type: ignore[arg-type]
F.x.is_in(1)  # type: ignore[arg-type]
F.x.is_in([object()])  # type: ignore[list-item]
one & {"a": 1}  # type: ignore[operator]
F.a & F.b  # type: ignore[operator]
F.a | F.b  # type: ignore[operator]
F.a == 1 & F.b == 2  # type: ignore[operator]  # noqa: B015
F.a == "x" | F.a == "y"  # type: ignore[operator]  # noqa: B015
~F.a  # type: ignore[operator]  # noqa: B018


async def queries(k: KantosAsync) -> None:
    stream: RecordStream = k.records.query("obj_deals", several, sort="name", order="desc")
    everything: list[Record] = await stream.all()
    first: Record | None = await stream.first()
    number: int = await stream.count()
    page_ids: list[str] = [record.id for record in await stream]
    ids: list[str] = [record.id async for record in stream]
    pages: list[int] = [len(page) async for page in stream.pages()]
    print(everything, first, number, page_ids, ids, pages)

    k.records.query("obj_deals", {"status": "new"})
    k.records.query("obj_deals", F.status)  # type: ignore[arg-type]
    k.records.query("obj_deals", order="down")  # type: ignore[arg-type]


async def walks(k: KantosAsync) -> None:
    known: dict[str, datetime] = {}
    async for record in k.records.scan("obj_deals", F.created_at >= datetime.now(UTC)):
        known[record.id] = record.created_at
    lists: list[list[Record]] = [rows async for rows in k.records.scan("obj_deals").pages()]
    feed = k.records.changes("obj_deals", since=datetime.now(UTC), overlap=timedelta(minutes=1))
    changed: list[Record] = [record async for record in feed]
    since: datetime = feed.watermark
    gone: list[str] = [each async for each in k.records.missing_ids("obj_deals", known)]
    gone += [each async for each in k.records.missing_ids("obj_deals", set(known))]
    print(lists, changed, since, gone)

    k.records.changes("obj_deals", since="2024-01-01")  # type: ignore[arg-type]
    k.records.missing_ids("obj_deals", 5)  # type: ignore[arg-type]

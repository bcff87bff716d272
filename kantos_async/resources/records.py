"""`k.records`: create, read, change, delete, and find records."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from contextlib import suppress
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Literal

from ..api import records as api
from ..api.models import Record
from ..errors import KantosError, ResponseDecodeError
from ..filters import Filter, compile_filters
from ..paging import PER_PAGE, Query, RecordStream
from ..settling import create_record
from .bulk import BulkRecords

if TYPE_CHECKING:
    from ..walks.changes import Changes
    from ..walks.missing import MissingIds
    from ..walks.scan import Scan

__all__ = ["Records"]


class Records(BulkRecords):
    """The records of a Kantos account."""

    async def create(
        self, *, object_id: str, field_values: Mapping[str, Any], unique_by: str | None = None
    ) -> Record:
        """Create a record: `POST /crm/record`.

        A create that may have arrived is not sent again, so that none is doubled; it raises
        `UnknownOutcomeError`. With `unique_by` on a field that the server keeps unique such a
        doubt is settled: the create is sent again, and if that is refused as a duplicate, the
        record found is returned, provided that it was not there before and holds every value sent.

        Args:
            object_id: the object, such as `obj_contacts`.
            field_values: values by field slug.
            unique_by: the slug of a field that the server keeps unique, such as `email`. A field
                that it does not keep unique helps nothing, and harms nothing.

        Raises:
            UnprocessableEntityError: a value was refused; `details` names the field.
            ConflictError: a unique field has this value already. After a doubt, `existing` is
                the record that has it.
            UnknownOutcomeError: it may or may not have been created.
            ResponseDecodeError: it was created, but the answer holds no readable record.
            ValueError: `field_values` has no value for `unique_by`, or NaN or an infinity.
        """
        return await create_record(
            self._session, object_id=object_id, field_values=field_values, unique_by=unique_by
        )

    async def get(self, record_id: str) -> Record:
        """One record: `GET /crm/record/{record_id}`.

        Raises:
            NotFoundError: there is no such record.
        """
        return await api.get_record(self._session, record_id=record_id)

    async def update(self, record_id: str, field_values: Mapping[str, Any]) -> Record:
        """Change the named fields, leave the others: `PATCH /crm/record/{record_id}`.

        Where the answer holds no readable record, the record is read once.

        Raises:
            NotFoundError: there is no such record.
            UnprocessableEntityError: a value was refused; `details` names the field.
            UnknownOutcomeError: every attempt failed, and one may have arrived.
            ResponseDecodeError: it was carried out (`done`), and the record could not be read.
            ValueError: a value is NaN or infinite, which JSON would make null.
        """
        try:
            return await api.update_record(
                self._session, record_id=record_id, field_values=dict(field_values)
            )
        except ResponseDecodeError as error:
            if error.done:
                with suppress(KantosError):
                    return await self.get(record_id)
            raise

    async def delete(self, record_id: str) -> None:
        """Delete a record: `DELETE /crm/record/{record_id}`.

        Raises:
            NotFoundError: there was no such record before the first attempt.
        """
        await api.delete_record(self._session, record_id=record_id)

    def query(
        self,
        object_id: str,
        filters: Filter | Mapping[str, Any] | None = None,
        *,
        sort: str | None = None,
        order: Literal["asc", "desc"] | None = None,
        per_page: int = PER_PAGE,
        prefetch: int = 4,
        limit: int | None = None,
    ) -> RecordStream:
        """Find records: `GET /crm/records/query`. Sends nothing until awaited or iterated.

            page = await k.records.query("obj_contacts", {"status": "new"})
            async for record in k.records.query("obj_contacts", F.status == "new"): ...

        Records that are created or deleted meanwhile shift the pages: one may be missed, or come
        twice. `scan` walks without that fault.

        Args:
            object_id: the object, such as `obj_contacts`.
            filters: `F` conditions, or a mapping in the API's own language, whose words are not
                checked.
            sort: a field's slug, or a system field. None: `created_at`.
            order: `"asc"` (the API's default) or `"desc"`.
            per_page: records a request, 1 to 100.
            prefetch: pages fetched ahead while iterating.
            limit: the most records in all. None: no bound.

        Raises:
            ValueError: a number is out of bounds, or `filters` has NaN or an infinity.
            TypeError: `filters` is neither.
        """
        query = Query(
            object_id=object_id,
            filters=compile_filters(filters),
            sort=sort or "created_at",
            order=order,
        )
        return RecordStream(self._session, query, per_page=per_page, prefetch=prefetch, limit=limit)

    def scan(
        self,
        object_id: str,
        filters: Filter | Mapping[str, Any] | None = None,
        *,
        by: str = "created_at",
    ) -> Scan:
        """Every record, however the data moves meanwhile: `GET /crm/records/query`, by key.

            async for record in k.records.scan("obj_contacts"): ...

        Each record that searches find from the first request to the last comes exactly once, in
        the order of `by`; those created or deleted meanwhile come once or not at all. A walk by
        `created_at` ends with the server's second at its first answer. It costs about one request
        for 100 records, and two more wherever more than 100 share one stamp.
        `scan(...).pages()` gives lists of records, a request's worth each.

        Args:
            object_id: the object, such as `obj_contacts`.
            filters: as for `query`. A range of time on `created_at` (`F.created_at >= when`)
                becomes the walk's start and stop; no other condition on it is taken.
            by: the field to go by, which must never change in a record: `created_at`, or a field
                that every record has, best with a value of its own.

        Raises:
            ValueError: `by` is `updated_at`, or `filters` has another condition on `by`, NaN or an
                infinity.
            BadRequestError: while iterating: the object lacks the field.
            QueryIgnoredError: while iterating: the server does not filter and sort by it, or counts
                records that it does not show.
            KantosError: while iterating: a record has no value there.
        """
        from ..walks.scan import Scan

        return Scan(self._session, object_id, compile_filters(filters), by=by)

    def changes(
        self,
        object_id: str,
        *,
        since: datetime,
        until: datetime | None = None,
        overlap: timedelta = timedelta(seconds=60),
    ) -> Changes:
        """What was created or updated since a moment: `GET /crm/records/query` by `updated_at`.

            feed = k.records.changes("obj_contacts", since=stored)
            async for record in feed: ...
            stored = feed.watermark

        Comes in the order of `updated_at`, and ends at the server's time at its first answer,
        that second included. A run from the last one's `watermark` misses nothing: it repeats
        the `overlap`, since searches lag and a second may still have been filling. A record that
        changes meanwhile may come twice. Deletions do not show; see `missing_ids`.

        That the API filters and sorts by `updated_at` is inferred, not documented. It is checked
        on the way.

        Args:
            object_id: the object, such as `obj_contacts`.
            since: the first moment, with a time zone.
            until: the moment to end at, exclusive. None: the server's present second.
            overlap: how far before the newest stamp the next run starts; more than searches lag.

        Raises:
            ValueError: a time has no zone, `until` is before `since`, or `overlap` is negative.
            QueryIgnoredError: while iterating: the server ignores the filter or the sort, or counts
                records that it does not show, so that some would have been missed.
        """
        from ..walks.changes import Changes

        return Changes(self._session, object_id, since=since, until=until, overlap=overlap)

    def missing_ids(
        self, object_id: str, known: Mapping[str, datetime] | Collection[str]
    ) -> MissingIds:
        """Which of the known records are gone, found by counting: `GET /crm/records/query`.

            async for record_id in k.records.missing_ids("obj_contacts", known): ...

        One request where none is gone, about a dozen for one gone among 100,000. A walk where
        that is cheaper, where the server has records that `known` lacks, or where `known` has no
        times. Gone is what a GET answers with 404: each candidate younger than an hour (without
        times: each) and a sample of 20 of the rest are asked for, all if one of them is there.

        Args:
            object_id: the object, such as `obj_contacts`.
            known: id to `created_at`, holding every record up to its youngest; or only the ids.

        Raises:
            TypeError: `known` is a string.
            ValueError: while iterating: a time has no zone.
            QueryIgnoredError: while iterating: the server does not filter and sort by
                `created_at`.
        """
        from ..walks.missing import MissingIds

        return MissingIds(self._session, object_id, known)

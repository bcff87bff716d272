"""`k.records`: create, read, change, delete, and find records."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from ..api import records as api
from ..api.models import Record
from ..errors import ResponseDecodeError
from ..filters import Filter, compile_filters
from ..paging import PER_PAGE, Query, RecordStream
from ..settling import create_record
from ..transport.session import Session

__all__ = ["Records"]


class Records:
    """The records of a Kantos account."""

    def __init__(self, session: Session) -> None:
        self._session = session

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
            ValueError: `field_values` has no value for `unique_by`.
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
        """
        try:
            return await api.update_record(
                self._session, record_id=record_id, field_values=dict(field_values)
            )
        except ResponseDecodeError as error:
            if not error.done:
                raise
            return await self.get(record_id)

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
            filters: `F` conditions, or a mapping in the API's own language, passed unchecked.
            sort: a field's slug, or a system field. None: `created_at`.
            order: `"asc"` (the API's default) or `"desc"`.
            per_page: records a request, 1 to 100.
            prefetch: pages fetched ahead while iterating.
            limit: the most records in all. None: no bound.

        Raises:
            ValueError: a number is out of bounds.
            TypeError: `filters` is neither.
        """
        query = Query(
            object_id=object_id,
            filters=compile_filters(filters),
            sort=sort or "created_at",
            order=order,
        )
        return RecordStream(self._session, query, per_page=per_page, prefetch=prefetch, limit=limit)

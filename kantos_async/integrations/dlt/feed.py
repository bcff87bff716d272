"""What has changed in one object, as pages of rows, in runs of bounded length."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime
from typing import Any

import anyio.to_thread
import dlt

from ...api.models.objects import ObjectDefinition
from ...api.models.records import Record
from ...client import KantosAsync
from ...paging import PER_PAGE
from .columns import DELETED, rows_of

__all__ = ["Feed"]

Row = dict[str, Any]


class Feed:
    """Reads an object. It lives as long as its source, a client as long as a run (and its loop).

    Attributes:
        ended: nothing was left to read at the end of the last run.
    """

    def __init__(
        self,
        make_client: Callable[[], KantosAsync],
        definition: ObjectDefinition,
        *,
        deletions: bool,
        history: bool,
    ) -> None:
        self.deletions = deletions
        self.history = history
        self.table = definition.slug or definition.name
        self.ended = False
        self._make_client = make_client
        self._object_id = definition.id
        self._most: int | None = None
        self._reached: datetime | None = None

    def begin(self, pages: int | None) -> None:
        """Start a series of runs, of so many pages each."""
        self.ended, self._most, self._reached = False, pages, None

    async def pages(self, start: datetime) -> AsyncIterator[list[Row]]:
        """What was updated from `start` on, and at the end what was deleted.

        Within a series a run goes on exactly where the last one stopped: the overlap that
        `start` holds is for what may have been missed before the series.
        """
        async with self._make_client() as k:
            async for page in self._changes(k, self._reached or start):
                yield page
            if self._reached is not None:
                return
            if self.deletions:
                async for page in self._gone(k):
                    yield page
        self.ended = True

    async def _changes(self, k: KantosAsync, start: datetime) -> AsyncIterator[list[Row]]:
        self._reached = None
        page: list[Record] = []
        given = 0
        seen: set[str] = set()
        async for record in k.records.changes(self._object_id, since=start):
            if len(page) == PER_PAGE:
                yield rows_of(page)
                given += 1
                newest = page[-1].updated_at
                # Only past `start`, or the next run would be this one again.
                if self._most is not None and given >= self._most and newest > start:
                    self._reached = newest
                    return
                page = []
            if self.history:
                # A record that changes meanwhile comes twice, and two versions would be current.
                # The second one lies in the last moments, which the next run reads again.
                if record.id in seen:
                    continue
                seen.add(record.id)
            page.append(record)
        if page:
            yield rows_of(page)

    async def _gone(self, k: KantosAsync) -> AsyncIterator[list[Row]]:
        known = await anyio.to_thread.run_sync(
            self._known, dlt.current.pipeline(), dlt.current.source_schema().name
        )
        gone = [
            {"id": record_id, DELETED: True}
            async for record_id in k.records.missing_ids(self._object_id, known)
        ]
        for at in range(0, len(gone), PER_PAGE):
            yield gone[at : at + PER_PAGE]

    def _known(self, pipeline: Any, schema_name: str) -> dict[str, datetime]:
        """The records in the table, with their `created_at`."""
        if schema_name not in pipeline.schema_names:
            return {}
        schema = pipeline.schemas[schema_name]
        table = schema.naming.normalize_table_identifier(self.table)
        if table not in schema.data_table_names(seen_data_only=True):
            return {}
        with pipeline.sql_client(schema_name) as client:
            column = client.escape_column_name
            names = ["id", "created_at", *([DELETED] if self.history else [])]
            query = f"SELECT {', '.join(map(column, names))} FROM "
            query += client.make_qualified_table_name(table)
            if self.history:
                query += f" WHERE {column('_dlt_valid_to')} IS NULL"
            with client.execute_query(query) as cursor:
                return {row[0]: _time(row[1]) for row in cursor.fetchall() if not any(row[2:])}


def _time(value: datetime | str) -> datetime:
    """A time as a destination has it: some know no zones, some no times."""
    moment = datetime.fromisoformat(value) if isinstance(value, str) else value
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment

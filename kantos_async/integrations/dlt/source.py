"""An account as a dlt source, and how it is loaded."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from functools import partial
from importlib.util import find_spec
from typing import Any

import dlt
from dlt.common.pipeline import LoadInfo
from dlt.common.schema import Schema
from dlt.extract import DltResource
from dlt.extract.source import DltSource

from ...api.models.objects import ObjectDefinition
from ...bulk.schema import did_you_mean
from ...client import KantosAsync
from ...sync import Kantos
from .columns import DELETED, columns_of
from .feed import Feed

__all__ = ["KantosSource", "kantos_source", "load"]

_EVER = datetime(1970, 1, 1, tzinfo=UTC)


class KantosSource(DltSource):
    """A dlt source that can be loaded in bounded runs; see `load`."""

    feeds: dict[str, Feed]

    def clone(self, with_name: Any = None) -> KantosSource:
        """A copy for another run."""
        copied = super().clone(with_name)
        copy = KantosSource(copied.schema, self.section, list(copied.resources.values()))
        copy.feeds = self.feeds
        return copy


def kantos_source(
    objects: Iterable[str] | None = None,
    *,
    since: datetime | None = None,
    deletions: bool = False,
    history: bool = False,
    overlap: timedelta = timedelta(seconds=60),
    api_key: str | None = None,
    base_url: str | None = None,
    **client: Any,
) -> KantosSource:
    """The objects of an account as a dlt source: one resource, and one table, for each.

    A run reads what was created or updated since the last one (`records.changes`, by
    `updated_at`), and merges it by `id`: `GET /crm/records/query`. Making the source reads the
    schema: `GET /crm/objects`, and `GET /crm/objects/{object_id}` for each object.

    Args:
        objects: slugs, names or ids; one that is named twice counts once. None: all.
        since: the first run reads what was updated from then on. None: everything.
        deletions: at the end of a run, find the records that are gone (`records.missing_ids`,
            against the ids in the table) and delete their rows.
        history: keep every version that a run meets (dlt's `scd2`: `_dlt_valid_from`,
            `_dlt_valid_to`). With `deletions`, a deletion is a version whose `_deleted` is true.
        overlap: how far before the newest stamp read the next run starts; more than searches lag.
        api_key: None: `sources.kantos.api_key` of dlt's secrets, else `KANTOS_API_KEY`.
        base_url: None: `KANTOS_BASE_URL`, else `https://kantos.ai/api`.
        client: further settings of `KantosAsync`, such as `quota` or `timeout`.

    Raises:
        ValueError: there is no such object; `since` has no time zone; `overlap` is negative.
        AuthenticationError: the key was refused.
    """
    if since is not None and since.tzinfo is None:
        raise ValueError(f"since={since!r} has no time zone; add one, e.g. .replace(tzinfo=UTC)")
    if overlap < timedelta(0):
        raise ValueError(f"overlap={overlap!r}: must not be negative, or changes would be missed")
    key = api_key or dlt.secrets.get("sources.kantos.api_key", str)
    settings: dict[str, Any] = {"base_url": base_url, "read_only": True, **client}
    with Kantos(key, **settings) as k:
        definitions = [k.objects.get(object_id) for object_id in _chosen(k, objects)]
    make = partial(KantosAsync, key, **settings)
    resources: list[DltResource] = []
    feeds: dict[str, Feed] = {}
    for definition in definitions:
        feed = Feed(make, definition, deletions=deletions, history=history)
        resource = _resource(feed, definition, since or _EVER, overlap)
        resources.append(resource)
        feeds[resource.name] = feed
    source = KantosSource(Schema("kantos"), "kantos", resources)
    source.max_table_nesting = 0  # a list is a JSON column, not a table
    source.feeds = feeds
    return source


def load(
    pipeline: dlt.Pipeline, source: KantosSource, *, pages: int = 200, **run: Any
) -> list[LoadInfo]:
    """Run a pipeline again and again until nothing is left to load; what each run loaded.

    Each run commits its part and how far it came, so that a failure or a kill costs at most one
    part: `load` again goes on from there. (`pipeline.run(source)` does it all in one run, and one
    that fails loads nothing.) Loads Parquet where pyarrow is installed and the destination reads
    it well, which is several times faster.

    Args:
        source: made by `kantos_source`.
        pages: requests a run and object, about; a hundred records each.
        run: further arguments of `pipeline.run`.

    Raises:
        ValueError: `pages` is below 1.
    """
    if pages < 1:
        raise ValueError(f"pages={pages!r}: must be 1 or more")
    run.setdefault("loader_file_format", _file_format(pipeline))
    feeds = [source.feeds[name] for name in source.selected_resources]
    for feed in feeds:
        feed.begin(pages)
    loaded: list[LoadInfo] = []
    try:
        while not all(feed.ended for feed in feeds):
            # A run that finds parts of a killed one loads those, and reads nothing.
            loaded.append(pipeline.run(source.clone(), **run))
    finally:
        for feed in feeds:
            feed.begin(None)
    return loaded


def _chosen(k: Kantos, wanted: Iterable[str] | None) -> Sequence[str]:
    listed = k.objects.list()
    if wanted is None:
        return [each.id for each in listed]
    if isinstance(wanted, str):
        raise TypeError(f"objects={wanted!r}: must be a list of names")
    return list(dict.fromkeys(_find(name, listed) for name in wanted))


def _find(name: str, listed: Sequence[ObjectDefinition]) -> str:
    by_name = {known: each.id for each in listed for known in (each.name, each.slug) if known}
    by_name |= {each.id: each.id for each in listed}
    folded = {known.casefold(): found for known, found in by_name.items()}
    found = by_name.get(name) or folded.get(name.casefold())
    if found is None:
        raise ValueError(f"there is no object {name!r}{did_you_mean(name, by_name)}")
    return found


def _resource(
    feed: Feed, definition: ObjectDefinition, since: datetime, overlap: timedelta
) -> DltResource:
    cursor: dlt.sources.incremental[datetime] = dlt.sources.incremental(
        "updated_at",
        initial_value=since,
        lag=overlap.total_seconds(),
        primary_key=(),  # merging drops what comes twice
        on_cursor_value_missing="include",  # as in deletions
    )

    async def pages(updated_at: dlt.sources.incremental[datetime] = cursor) -> Any:
        start = updated_at.start_value
        assert start is not None
        async for page in feed.pages(start):
            yield page

    columns = columns_of(definition)
    if feed.deletions:
        columns[DELETED] = {"data_type": "bool", "hard_delete": not feed.history}
    hints: dict[str, Any] = {"primary_key": "id", "write_disposition": "merge"}
    if feed.history:
        # By the merge key a version ends only where a newer one comes, not where none does.
        scd2 = {"disposition": "merge", "strategy": "scd2"}
        hints = {"merge_key": "id", "write_disposition": scd2}
    return dlt.resource(pages, name=feed.table, columns=columns, **hints)


def _file_format(pipeline: dlt.Pipeline) -> Any:
    """Parquet, or the destination's own choice (None)."""
    destination: Any = pipeline.destination  # None until there is one
    if destination is None or find_spec("pyarrow") is None:
        return None
    # By SQLAlchemy, dlt 1.31 loads JSON from Parquet as a string of JSON.
    if destination.destination_name == "sqlalchemy":
        return None
    formats = destination.capabilities().supported_loader_file_formats or ()
    return "parquet" if "parquet" in formats else None

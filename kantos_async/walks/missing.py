"""`missing_ids`: known records that are gone."""

from __future__ import annotations

import random
from bisect import bisect_left
from collections.abc import AsyncIterator, Collection, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from itertools import islice

import anyio

from ..api import records as api
from ..errors import NotFoundError
from ..transport.session import Session
from .bounds import TICK, moment
from .counting import find_gone
from .keyset import KeysetPages

__all__ = ["MissingIds", "confirm_gone"]

#: Searches of so young records may lag.
_YOUNG = timedelta(hours=1)
#: How many of the older candidates are asked for.
_SAMPLE = 20
#: How many are asked for at once.
_AT_ONCE = 50


class MissingIds(AsyncIterator[str]):
    """The ids of known records that are gone. All requests fall into the first step."""

    def __init__(
        self, session: Session, object_id: str, known: Mapping[str, datetime] | Collection[str]
    ) -> None:
        if isinstance(known, (str, bytes)):
            raise TypeError(f"known={known!r}: takes a mapping or a set of ids")
        self._session = session
        self._object_id = object_id
        self._known = known
        self._gone: Iterator[str] | None = None

    def __aiter__(self) -> MissingIds:
        return self

    async def __anext__(self) -> str:
        if self._gone is None:
            self._gone = iter(await confirm_gone(self._session, await self._candidates()))
        for record_id in self._gone:
            return record_id
        raise StopAsyncIteration

    async def _candidates(self) -> Mapping[str, datetime | None]:
        known = self._known
        if not known:
            return {}
        if not isinstance(known, Mapping):
            return await self._walk(dict.fromkeys(known), None, None)
        ledger = _Sorted(known)
        found = await find_gone(self._session, self._object_id, ledger, ledger.stop)
        if found is not None:
            return found
        return await self._walk(dict(known), ledger.at(0), ledger.stop)

    async def _walk(
        self, left: dict[str, datetime | None], start: datetime | None, stop: datetime | None
    ) -> dict[str, datetime | None]:
        async for rows in KeysetPages(self._session, self._object_id, start=start, stop=stop):
            for row in rows:
                left.pop(row.id, None)
        return left


class _Sorted:
    """A mapping of ids to creation times as a `Ledger`."""

    def __init__(self, known: Mapping[str, datetime]) -> None:
        pairs = sorted((moment("known", created), each) for each, created in known.items())
        self._stamps = [created for created, _ in pairs]
        self._ids = [each for _, each in pairs]

    @property
    def stop(self) -> datetime:
        """Just after the youngest, by the resolution in which the stamps are shown."""
        micros = {stamp.microsecond for stamp in self._stamps}
        if micros == {0}:
            step = timedelta(seconds=1)
        elif all(micro % 1000 == 0 for micro in micros):
            step = timedelta(milliseconds=1)
        else:
            step = TICK
        return self._stamps[-1] + step

    def before(self, moment: datetime) -> int:
        return bisect_left(self._stamps, moment)

    def at(self, index: int) -> datetime:
        return self._stamps[index]

    def between(self, start: datetime, stop: datetime) -> dict[str, datetime]:
        low, high = self.before(start), self.before(stop)
        return dict(zip(self._ids[low:high], self._stamps[low:high], strict=True))


async def confirm_gone(session: Session, candidates: Mapping[str, datetime | None]) -> list[str]:
    """Those of the candidates (id to `created_at`) that are gone, since a GET answers 404.

    Asked for are all that are younger than an hour or of unknown age, and a sample of 20 of the
    rest. One found alive means that the search index is ill, and then all are asked for.
    """
    server_time = session.wire.server_time(session.wire.now()) if candidates else None
    if server_time is None:
        doubted = list(candidates)
    else:
        young = datetime.fromtimestamp(server_time, UTC) - _YOUNG
        doubted = [each for each, at in candidates.items() if at is None or at > young]
        rest = [each for each, at in candidates.items() if at is not None and at <= young]
        doubted += random.sample(rest, min(_SAMPLE, len(rest)))
    alive = await _alive(session, doubted)
    if alive:
        alive |= await _alive(session, candidates.keys() - set(doubted))
    return [each for each in candidates if each not in alive]


async def _alive(session: Session, ids: Collection[str]) -> set[str]:
    """Those that a GET finds."""
    alive: set[str] = set()
    failures: list[Exception] = []

    async def ask(record_id: str) -> None:
        try:
            await api.get_record(session, record_id=record_id)
        except NotFoundError:
            return
        except Exception as error:
            failures.append(error)
            group.cancel_scope.cancel()
            return
        alive.add(record_id)

    left = iter(ids)
    while chunk := list(islice(left, _AT_ONCE)):
        async with anyio.create_task_group() as group:
            for record_id in chunk:
                group.start_soon(ask, record_id)
        if failures:
            raise failures[0]
    return alive

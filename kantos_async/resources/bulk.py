"""Many records at once: `k.records.upsert_many` and its relatives."""

from __future__ import annotations

import os
from collections.abc import AsyncIterable, Callable, Collection, Iterable, Mapping
from typing import TYPE_CHECKING, Any, Literal

from ..transport.session import Session

if TYPE_CHECKING:
    from ..bulk.policy import SyncPolicy
    from ..bulk.rows import Rows
    from ..bulk.sync import BulkRun
    from ..bulk.undo import UndoRun

__all__ = ["BulkRecords"]


class BulkRecords:
    """The part of `Records` that works on many records. Loads what it needs when it is used."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def upsert_many(
        self,
        rows: Rows,
        *,
        object_id: str,
        key: str,
        state: str | os.PathLike[str] | None = None,
        mode: Literal["upsert", "update_only", "create_only"] = "upsert",
        only: Collection[str] | None = None,
        ignore: Collection[str] = (),
        map: Callable[[Mapping[str, Any]], Mapping[str, Any]] | None = None,  # noqa: A002
        empty: Literal["skip", "clear"] = "skip",
        conflict: Literal["ours", "theirs", "fail"] = "ours",
        delete_missing: bool = False,
        max_deletes: float = 0.1,
        undo: bool = True,
        on_duplicate: Literal["last", "error"] = "last",
        stop_after_failures: int | None = None,
        max_requests: int | None = None,
        policy: SyncPolicy | None = None,
    ) -> BulkRun:
        """Make records equal to rows: create what is missing, update what differs.

            report = await k.records.upsert_many(
                rows, object_id="obj_contacts", key="email", state="contacts.state"
            )

        There is no batch endpoint, so each record that differs costs a request; knowing which do
        costs few. With a `state` file a run that finds nothing to do costs one request, once the
        server was seen to sort by `updated_at`. `await run.explain()` tells path, requests and
        reasons beforehand; iterating gives an outcome a row, in their order. A row that fails is
        an outcome, not an error. A create that may have arrived is not sent again: on a key that
        the server keeps unique it is settled, else its outcome is `unknown`, and the next run
        with the same state finds out.

        Endpoints: `GET /crm/objects/{object_id}`, `GET /crm/records/query`, `POST /crm/record`,
        `PATCH /crm/record/{record_id}`, `GET` and `DELETE` of the latter where needed.

        Args:
            rows: mappings from field slug to value; any iterable, also an asynchronous one. All
                are read, into a temporary file, before the first write.
            object_id: the object, such as `obj_contacts`.
            key: the slug of the field that tells rows apart.
            state: a file that makes runs resumable, cheap and undoable. It holds fingerprints of
                the object's values, not the values. One file for each object and input.
            mode: `"update_only"` fails rows without a record, `"create_only"` leaves records be.
            only, ignore: the fields to write, or not to write. Fields that the server sets are
                left out by themselves.
            map: makes of each row the one to write.
            empty: whether None, NaN, NaT and "" leave a field alone or clear it. `CLEAR` in a
                cell always clears.
            conflict: what becomes of a field that somebody else changed since the last run with
                this state: written anyway, left to them, or the row fails.
            delete_missing: delete the records whose key no row has. Needs a unique key. Each is
                asked for once more before.
            max_deletes: the most that may be deleted so, as a number, or a share of the object
                (a float). More is an error, before anything is written.
            undo: keep the values that the run replaces in the state, for `undo`. Costs one read
                for 100 updates where they are not known anyway.
            on_duplicate: of two rows with one key the last wins, or all but the first fail.
            stop_after_failures: end the run after so many failed rows.
            max_requests: end the run after so many requests; the next one goes on.
            policy: margins of safety; see `SyncPolicy`.

        Raises:
            ValueError: an argument is out of range; while running: the object lacks a field.
            StateError: while running: the state file is another sync's, in use, or full.
            SyncStoppedError: while running: a limit (`max_deletes`, `max_vanished`) was met.
            AuthenticationError, PermissionDeniedError, RateLimitError: while running: no further
                request would do better.
        """
        return self._run(
            rows,
            object_id=object_id,
            key=key,
            mode=mode,
            state=state,
            only=only,
            ignore=ignore,
            map=map,
            empty=empty,
            conflict=conflict,
            delete_missing=delete_missing,
            max_deletes=max_deletes,
            undo=undo,
            on_duplicate=on_duplicate,
            stop_after_failures=stop_after_failures,
            max_requests=max_requests,
            policy=policy,
        )

    def create_many(
        self,
        rows: Rows,
        *,
        object_id: str,
        key: str | None = None,
        state: str | os.PathLike[str] | None = None,
        only: Collection[str] | None = None,
        ignore: Collection[str] = (),
        map: Callable[[Mapping[str, Any]], Mapping[str, Any]] | None = None,  # noqa: A002
        undo: bool = True,
        on_duplicate: Literal["last", "error"] = "last",
        stop_after_failures: int | None = None,
        max_requests: int | None = None,
        policy: SyncPolicy | None = None,
    ) -> BulkRun:
        """Create a record for each row: `POST /crm/record`.

        With a `key`, rows whose record exists are `unchanged`, so that the same call again
        creates only the rest. Without one, each row is a new record, whatever there is.

        For arguments and errors see `upsert_many`; `state` needs a `key`.
        """
        return self._run(
            rows,
            object_id=object_id,
            key=key,
            mode="create_only",
            state=state,
            only=only,
            ignore=ignore,
            map=map,
            undo=undo,
            on_duplicate=on_duplicate,
            stop_after_failures=stop_after_failures,
            max_requests=max_requests,
            policy=policy,
        )

    def update_many(
        self,
        rows: Rows,
        *,
        object_id: str,
        key: str = "id",
        state: str | os.PathLike[str] | None = None,
        only: Collection[str] | None = None,
        ignore: Collection[str] = (),
        map: Callable[[Mapping[str, Any]], Mapping[str, Any]] | None = None,  # noqa: A002
        empty: Literal["skip", "clear"] = "skip",
        conflict: Literal["ours", "theirs", "fail"] = "ours",
        undo: bool = True,
        on_duplicate: Literal["last", "error"] = "last",
        stop_after_failures: int | None = None,
        max_requests: int | None = None,
        policy: SyncPolicy | None = None,
    ) -> BulkRun:
        """Update the record of each row: `PATCH /crm/record/{record_id}`.

        A row without a record fails. With `key="id"` and no state nothing is read, and every row
        is written; otherwise only what differs.

        For arguments and errors see `upsert_many`; `key` may also be `id`.
        """
        return self._run(
            rows,
            object_id=object_id,
            key=key,
            mode="update_only",
            state=state,
            only=only,
            ignore=ignore,
            map=map,
            empty=empty,
            conflict=conflict,
            undo=undo,
            on_duplicate=on_duplicate,
            stop_after_failures=stop_after_failures,
            max_requests=max_requests,
            policy=policy,
        )

    def delete_many(
        self,
        rows: Rows | Iterable[str] | AsyncIterable[str],
        *,
        object_id: str,
        key: str = "id",
        state: str | os.PathLike[str] | None = None,
        undo: bool = True,
        stop_after_failures: int | None = None,
        max_requests: int | None = None,
        policy: SyncPolicy | None = None,
    ) -> BulkRun:
        """Delete the record of each row: `DELETE /crm/record/{record_id}`.

        What is gone already is `unchanged`. A row whose key several records have fails. With
        `key="id"` and no state nothing is read.

        Args:
            rows: keys, or mappings that hold them under `key`.
            object_id, key, state, undo, stop_after_failures, max_requests, policy: see
                `upsert_many`; `key` may also be `id`.
        """
        return self._run(
            rows,
            object_id=object_id,
            key=key,
            mode="delete",
            state=state,
            undo=undo,
            stop_after_failures=stop_after_failures,
            max_requests=max_requests,
            policy=policy,
        )

    def undo(self, state: str | os.PathLike[str], *, max_requests: int | None = None) -> UndoRun:
        """Take back what the last run with a state file wrote.

            report = await k.records.undo("contacts.state")

        Deletes what was created, puts back the values that were changed, and creates what was
        deleted, under a new id. What somebody changed since stays as it is: those outcomes are
        `kept`. A run that was interrupted and went on counts as one. Costs one read for 100
        changes, and a write for each. `explain`, iterating and leaving work as for `upsert_many`.

        Endpoints: `GET /crm/records/query`, `DELETE` and `PATCH /crm/record/{record_id}`,
        `POST /crm/record`, `GET /crm/record/{record_id}`.

        Args:
            state: the file that the run was given as `state=`. The run must not have had
                `undo=False`.
            max_requests: end after so many requests; the same call again goes on.

        Raises:
            StateError: while running: there is no such file, it is in use, or another account's.
        """
        from ..bulk.undo import UndoRun

        return UndoRun(self._session, os.fspath(state), max_requests)

    def _run(self, rows: Any, **options: Any) -> BulkRun:
        from ..bulk.policy import Options, SyncPolicy
        from ..bulk.sync import BulkRun

        if options["policy"] is None:
            options["policy"] = SyncPolicy()
        if options["state"] is not None:
            options["state"] = os.fspath(options["state"])
        return BulkRun(self._session, rows, Options(**options))

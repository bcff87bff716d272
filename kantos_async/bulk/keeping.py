"""Keeps that a write is done, and what the server made of it."""

from __future__ import annotations

import contextlib
from collections.abc import Generator

import attrs

from .decide import merge
from .errors import NotKeptError, StateError
from .mirror import Known
from .parts import Parts
from .reads import Reads
from .report import Outcome
from .rows import Input

__all__ = ["Keeper"]


class Keeper:
    """Writes to the state what came of a write."""

    def __init__(self, parts: Parts, reads: Reads) -> None:
        self._session = parts.session
        self._options = parts.options
        self._state = parts.state
        self._mirror = parts.mirror
        self._reads = reads

    @contextlib.contextmanager
    def keeping(self, outcome: Outcome) -> Generator[None]:
        """All that is kept within the block belongs to a write that is done.

        Raises:
            NotKeptError: the state could not keep it, which must not hide the outcome.
        """
        try:
            with self._state.whole():
                yield
                self._wrote()
        except StateError as error:
            note = f"{outcome.note or 'it is done'}; the state could not keep that"
            raise NotKeptError(attrs.evolve(outcome, note=note), error) from error

    def _wrote(self) -> None:
        wire = self._session.wire
        wire.kept[f"bulk:{self._options.object_id}"] = (wire.now(), None)
        if self._state.path is not None:
            self._state.set(wrote_at=self.latest())

    def latest(self) -> float:
        """The server's time, at the latest: the clock's lower bound may be a second behind."""
        return self._reads.server_time(self._session.wire.now()) + 1

    def agree(self, row: Input, known: Known, before: bytes, fields: set[int]) -> None:
        """Keep what was sent for a row's key, and what the server made of it.

        Args:
            row: the row.
            known: the record, as the write's answer shows it.
            before: its fingerprints when the row was decided; empty for a create.
            fields: the places that were written.
        """
        if row.key is None:
            return
        base = merge(self._mirror.base(row.key), row.hashes, before, known.seen, fields)
        if not before:
            # What a create's key came back as is the server's way of writing it. That an update
            # comes back with another key is somebody's renaming.
            base = base._replace(answered=known.key if known.key != row.key else None)
        self._mirror.agree(row.key, base)

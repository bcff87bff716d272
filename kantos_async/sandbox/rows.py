"""A record as the store keeps it."""

from __future__ import annotations

from typing import NamedTuple

__all__ = ["COLUMNS", "Row"]

COLUMNS = "id, object_id, created, updated, created_by, doc"


class Row(NamedTuple):
    """One line of the table `records`, in the order of its columns."""

    id: str
    object_id: str
    #: Microseconds since 1970, cut to the server's resolution.
    created: int
    updated: int
    created_by: str
    #: The field values, a JSON object.
    doc: str

"""`kantos objects`: what the account holds."""

from __future__ import annotations

from .connection import connect
from .output import STANDARD, Output

__all__ = ["objects"]


async def objects(*, out: Output = STANDARD) -> None:
    """List the objects of the account: `GET /crm/objects`.

    Args:
        out: What every command shares.
    """
    async with connect(read_only=True) as k:
        found = await k.objects.list()
    rows = [{"id": o.id, "name": o.name, "slug": o.slug, "fields": o.field_count} for o in found]
    out.table("objects", rows)

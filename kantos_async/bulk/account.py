"""Whose object it is: the state's owner, the object's schema, and the key's field."""

from __future__ import annotations

from ..api.objects import get_object
from .policy import Options
from .report import Report
from .schema import SYSTEM, Schema, did_you_mean
from .state import State
from .wires import CountedSession

__all__ = ["check_key", "claim", "read_schema"]


async def claim(session: CountedSession, state: State, object_id: str, key: str) -> None:
    """Make a new state this account's and this sync's.

    Raises:
        StateError: it is another one's.
    """
    wire = session.wire
    headers = wire.headers or await wire.read_key()
    state.claim(
        base_url=wire.base_url,
        api_key=headers[0]["X-Api-Key"],
        object_id=object_id,
        key=key,
    )


async def read_schema(session: CountedSession, state: State, object_id: str) -> Schema:
    """Read the object's schema, and keep it: `GET /crm/objects/{object_id}`."""
    answer = await get_object(session, object_id=object_id)
    wire = session.wire
    wire.kept[object_id] = (wire.now(), answer.fields or [])
    schema = Schema.of(answer)
    state.set(schema=schema)
    return schema


def check_key(schema: Schema, options: Options, report: Report) -> None:
    """Whether rows can be told apart by the key.

    Raises:
        ValueError: the object has no such field, or `delete_missing` needs a unique one.
    """
    key, object_id = options.key, options.object_id
    if key is None or key == "id":
        return
    if schema.lacks(key) or key in SYSTEM:
        hint = did_you_mean(key, schema.fields)
        raise ValueError(f"key={key!r}: {object_id} has no such field{hint}")
    if schema.is_unique(key) or not schema.fields:
        return
    if options.delete_missing:
        raise ValueError(
            f"delete_missing=True needs a key that the server keeps unique; {key!r} of "
            f"{object_id} is not"
        )
    if options.mode in {"upsert", "create_only"}:
        report.warn(
            f"the server does not keep {key!r} unique: a create in doubt stays unknown, "
            "and what others create meanwhile may be a duplicate"
        )

"""What a caller may decide about a bulk run."""

from __future__ import annotations

import enum
from collections.abc import Callable, Collection, Mapping
from datetime import timedelta
from typing import Any, Final, Literal, TypeAlias

import attrs

__all__ = ["CLEAR", "ClearType", "Conflict", "Mode", "Options", "SyncPolicy"]

Mode: TypeAlias = Literal["upsert", "update_only", "create_only", "delete"]
Conflict: TypeAlias = Literal["ours", "theirs", "fail"]
Row: TypeAlias = Mapping[str, Any]


class ClearType(enum.Enum):
    """The type of `CLEAR`."""

    CLEAR = "CLEAR"

    def __repr__(self) -> str:
        return "CLEAR"


#: In a cell: clear this field, whatever `empty=` says.
CLEAR: Final = ClearType.CLEAR


def _at_least(least: float) -> Callable[[Any, attrs.Attribute[Any], float], None]:
    def check(_: Any, attribute: attrs.Attribute[Any], value: float) -> None:
        if isinstance(value, bool) or not value >= least:
            raise ValueError(f"{attribute.name}={value!r}: must be {least:g} or more")

    return check


def _time(value: timedelta | float | None) -> timedelta | None:
    if value is None or isinstance(value, timedelta):
        return value
    return timedelta(seconds=value)


def _not_negative(_: Any, attribute: attrs.Attribute[Any], value: timedelta | None) -> None:
    if value is not None and value < timedelta(0):
        raise ValueError(f"{attribute.name}={value!r}: must not be negative")


@attrs.frozen(kw_only=True)
class SyncPolicy:
    """The safety margins of a bulk run. The defaults suit a server whose searches lag a second.

    Args:
        margin: seconds by which a search may lag behind a write. Must exceed the real lag: a run
            measures it (`Report.lag`) and warns past half of this.
        reread: rows that are about to be written are looked up again, so many at once, where
            what is known of them is older than 5 minutes, or must be known whole for `undo`.
        payback: a new state file first reads the whole object if that costs at most so many
            times what looking the rows up costs.
        sample: how many of the records that seem to be deleted are asked for by id, beside
            those younger than an hour. If one is alive, all are.
        max_vanished: the share of the known records that may be gone before a run stops.
        reconcile: with a state file, the whole object is read again when that was done longer
            ago than this: a timedelta, or seconds. 0: now. None: never.

    Raises:
        ValueError: a setting is out of range; it is named.
    """

    margin: float = attrs.field(default=5.0, validator=_at_least(0))
    reread: int = attrs.field(default=500, validator=_at_least(1))
    payback: float = attrs.field(default=10.0, validator=_at_least(0))
    sample: int = attrs.field(default=20, validator=_at_least(1))
    max_vanished: float = attrs.field(default=0.5, validator=_at_least(0))
    reconcile: timedelta | None = attrs.field(
        default=timedelta(days=7), converter=_time, validator=_not_negative
    )


@attrs.frozen(kw_only=True)
class Options:
    """The arguments of `upsert_many` and its relatives, checked."""

    object_id: str
    key: str | None
    mode: Mode
    state: str | None = None
    only: Collection[str] | None = None
    ignore: Collection[str] = ()
    map: Callable[[Row], Row] | None = None
    empty: Literal["skip", "clear"] = attrs.field(
        default="skip", validator=attrs.validators.in_(("skip", "clear"))
    )
    conflict: Conflict = attrs.field(
        default="ours", validator=attrs.validators.in_(("ours", "theirs", "fail"))
    )
    delete_missing: bool = False
    max_deletes: float = attrs.field(default=0.1, validator=_at_least(0))
    undo: bool = True
    on_duplicate: Literal["last", "error"] = attrs.field(
        default="last", validator=attrs.validators.in_(("last", "error"))
    )
    stop_after_failures: int | None = attrs.field(
        default=None, validator=attrs.validators.optional(_at_least(1))
    )
    max_requests: int | None = attrs.field(
        default=None, validator=attrs.validators.optional(_at_least(1))
    )
    policy: SyncPolicy = attrs.field(factory=SyncPolicy)

    def __attrs_post_init__(self) -> None:
        for name in ("only", "ignore"):
            if isinstance(getattr(self, name), str):
                raise TypeError(f"{name}= takes several field slugs, not one string")
        if self.key is None and (self.mode != "create_only" or self.state is not None):
            raise ValueError("key= is needed: the slug of the field that tells rows apart")
        if self.key == "id" and self.mode in {"upsert", "create_only"}:
            raise ValueError("key='id' cannot create: the server chooses ids")
        if self.delete_missing and self.mode != "upsert":
            raise ValueError("delete_missing= goes with mode='upsert' only")

    @property
    def keeps_old_values(self) -> bool:
        """Whether the values that the run replaces must be known."""
        return self.undo and self.state is not None

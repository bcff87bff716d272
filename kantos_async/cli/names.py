"""Objects and fields by the names that people type: slug, name or id."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence
from contextlib import suppress

from .. import KantosAsync
from ..api.models import Field, ObjectDefinition
from ..errors import NotFoundError
from .exits import UsageError

__all__ = ["find_field", "find_object", "near"]


async def find_object(k: KantosAsync, name: str) -> ObjectDefinition:
    """The object with its fields: `GET /crm/objects/{object_id}`, its id by `GET /crm/objects`.

    Raises:
        UsageError: there is none, or several have this name; the near ones are named.
    """
    if name.startswith("obj_"):
        # Most likely an id, which need not be looked for.
        with suppress(NotFoundError):
            return await k.objects.get(name)
    known = await k.objects.list()
    found = (
        [o for o in known if name in (o.id, o.slug)]
        or [o for o in known if o.name == name]
        or [
            o
            for o in known
            if name.strip().casefold() in (o.name.casefold(), (o.slug or "").casefold())
        ]
    )
    if not found:
        names = [o.slug or o.name for o in known]
        raise UsageError(f"there is no object {name!r}{near(name, names)}")
    if len(found) > 1:
        raise UsageError(f"several objects are called {name!r}: say {_either(o.id for o in found)}")
    return await k.objects.get(found[0].id)


def find_field(fields: Sequence[Field], name: str) -> Field | None:
    """The field with this slug, else with this name, case ignored; None where that is not one."""
    for field in fields:
        if field.slug == name:
            return field
    folded = name.strip().casefold()
    found = [f for f in fields if folded in (f.slug.casefold(), f.name.casefold())]
    return found[0] if len(found) == 1 else None


def near(name: str, names: Iterable[str]) -> str:
    """`; did you mean 'email'?` by up to three near names, or all that there are."""
    folded = {known.casefold(): known for known in names}
    matches = difflib.get_close_matches(name.casefold(), folded, n=3)
    if matches:
        return f"; did you mean {_either(folded[match] for match in matches)}?"
    return f"; there are {', '.join(folded.values())}" if folded else ""


def _either(names: Iterable[str]) -> str:
    *others, last = map(repr, names)
    return f"{', '.join(others)} or {last}" if others else last

"""The rules of each field type: what a value must be, and how it is kept."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any, Protocol

from .problems import Problem
from .schema import Field, ObjectType, stages
from .stamps import parse_date

__all__ = ["Known", "check_value", "checked", "fold_stage"]

_EMAIL = re.compile(r"[^\s@<>,;]+@[^\s@<>,;.]+(\.[^\s@<>,;.]+)+")
_PHONE = re.compile(r"\+?[\d\s().\-/]{3,40}(x\d{1,6})?", re.ASCII)
_TEXT_LIMIT = 255
#: Whole numbers past this cannot be told apart once a client reads them as doubles.
_NUMBER_LIMIT = 10**15


class Known(Protocol):
    """What the rules ask of the store."""

    def has_record(self, record_id: str, object_id: str | None) -> bool:
        """Whether a record exists (in the given object)."""
        ...

    def has_user(self, user_id: str) -> bool:
        """Whether a user exists."""
        ...


def fold_stage(value: str) -> str:
    """A stage's name and its slug compare equal: `Closed Won`, `closed won`, `closed_won`."""
    return value.lower().replace(" ", "_")


def _string(value: Any) -> str:
    if not isinstance(value, str):
        raise ValueError("must be a string")
    if "\0" in value:
        raise ValueError("must not contain a NUL character")
    return value


def _text(_field: Field, value: Any, _known: Known) -> str:
    if len(_string(value)) > _TEXT_LIMIT:
        raise ValueError(f"must be at most {_TEXT_LIMIT} characters")
    return _string(value)


def _long_text(_field: Field, value: Any, _known: Known) -> str:
    return _string(value)


def _number(_field: Field, value: Any, _known: Known) -> int | float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError("must be a number")
    if abs(value) > _NUMBER_LIMIT:
        raise ValueError(f"must be between -{_NUMBER_LIMIT} and {_NUMBER_LIMIT}")
    return value


def _email(field: Field, value: Any, known: Known) -> str:
    if not _EMAIL.fullmatch(_text(field, value, known)):
        raise ValueError("must be an e-mail address")
    return _string(value)


def _phone(_field: Field, value: Any, _known: Known) -> str:
    if not _PHONE.fullmatch(_string(value)):
        raise ValueError("must be a phone number")
    return _string(value)


def _date(_field: Field, value: Any, _known: Known) -> str:
    return parse_date(_string(value))


def _boolean(_field: Field, value: Any, _known: Known) -> bool:
    if not isinstance(value, bool):
        raise ValueError("must be true or false")
    return value


def _status(field: Field, value: Any, _known: Known) -> str:
    names = stages(field.options)
    if fold_stage(_string(value)) not in {fold_stage(name) for name in names}:
        raise ValueError(f"must be one of {', '.join(names)}")
    return _string(value)


def _reference(field: Field, value: Any, known: Known) -> str:
    target = (field.options or {}).get("object_id")
    if not known.has_record(_string(value), target):
        raise ValueError(f"must be the id of a record of {target or 'some object'}")
    return _string(value)


def _user(_field: Field, value: Any, known: Known) -> str:
    if not known.has_user(_string(value)):
        raise ValueError("must be the id of a user")
    return _string(value)


def _anything(_field: Field, value: Any, _known: Known) -> Any:
    return value


_RULES: dict[str, Callable[[Field, Any, Known], Any]] = {
    "text": _text,
    "long_text": _long_text,
    "number": _number,
    "currency": _number,
    "email": _email,
    "phone": _phone,
    "date": _date,
    "boolean": _boolean,
    "status": _status,
    "reference": _reference,
    "user": _user,
    "image": _long_text,
}


def check_value(field: Field, value: Any, known: Known) -> Any:
    """The value as it is kept.

    Raises:
        ValueError: in words that follow the field's name.
    """
    # The file of a real account may have types that the API's documentation does not.
    return _RULES.get(field.type, _anything)(field, value, known)


def checked(
    kind: ObjectType, values: Mapping[str, Any], known: Known, *, before: dict[str, Any] | None
) -> dict[str, Any]:
    """The fields of a record once `values` are set: `before` for an update, None for a create.

    A null clears a field, which is then absent.

    Raises:
        Problem: 422 with every field at fault in `details`.
    """
    faults: dict[str, str] = {}
    after = dict(before or {})
    if before is None:
        given = {
            f.slug: f.default_value for f in kind.fields.values() if f.default_value is not None
        }
        given.update(values)
    else:
        given = dict(values)
    for slug, value in given.items():
        field = kind.fields.get(slug)
        if field is None:
            faults[slug] = f"is not a field of {kind.name}"
        elif value is None:
            after.pop(slug, None)
        else:
            try:
                after[slug] = check_value(field, value, known)
            except ValueError as error:
                faults[slug] = str(error)
    for field in kind.fields.values():
        # An update answers for what it touches: a field may have become required since.
        touched = before is None or field.slug in given
        if (
            field.required
            and touched
            and field.slug not in faults
            and after.get(field.slug) in (None, "")
        ):
            faults[field.slug] = "is required"
    if faults:
        first, why = next(iter(faults.items()))
        raise Problem(422, f"{first} {why}", {"object_id": kind.id, "fields": faults})
    return after

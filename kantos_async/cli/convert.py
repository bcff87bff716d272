"""Cells become values by the type of their field, by stated rules: nothing is guessed."""

from __future__ import annotations

import math
import re
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from decimal import Decimal
from typing import Annotated, Any, Literal
from zoneinfo import ZoneInfo

import msgspec
from cyclopts import Parameter

from ..api.models import Field, ObjectDefinition
from ..bulk.schema import Schema
from ..bulk.values import fingerprint
from .exits import UsageError
from .names import near

__all__ = ["Converter", "Rules"]

#: What a `text` field holds, by the documentation.
_TEXT_LIMIT = 255


def _zone(_: Any, tokens: Sequence[Any]) -> ZoneInfo:
    name = tokens[0].value
    try:
        return ZoneInfo(name)
    except (OSError, ValueError, KeyError) as error:
        from zoneinfo import available_timezones

        hint = near(name, available_timezones()) if available_timezones() else ""
        text = hint if hint.startswith("; did") else ", such as Europe/Berlin"
        raise ValueError(f"{name!r} is no time zone{text}") from error


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class Rules:
    """How numbers and dates are written."""

    decimal: Literal[".", ","] | None = None
    """The decimal mark. Given, it also allows groups of three digits, set apart by the other \
mark, a space or an apostrophe. Without it, it is a point, and there are no groups."""

    date_format: str | None = None
    """How dates are written, such as `%d.%m.%Y`. Without it: `2024-01-31`."""

    tz: Annotated[ZoneInfo | None, Parameter(converter=_zone, n_tokens=1)] = None
    """The time zone of times that name none, such as `Europe/Berlin`. A date has no zone."""

    def __post_init__(self) -> None:
        if self.date_format is None:
            return
        try:
            day = datetime(2024, 12, 31)
            with warnings.catch_warnings():  # 3.13 warns of a format without a year; we refuse it
                warnings.simplefilter("ignore", DeprecationWarning)
                read = datetime.strptime(day.strftime(self.date_format), self.date_format)
        except (ValueError, re.error) as error:
            raise UsageError(f"--date-format {self.date_format!r}: {error}") from None
        if read.date() != day.date():
            raise UsageError(
                f"--date-format {self.date_format!r} does not tell day, month and year"
            )


class Converter:
    """Makes values for the fields of one object."""

    def __init__(self, definition: ObjectDefinition, rules: Rules | None = None) -> None:
        self.fields: Sequence[Field] = definition.fields or ()
        self._schema = Schema.of(definition)
        self._rules = rules or Rules()

    def __call__(self, slug: str, cell: Any) -> Any:
        """The value that the API takes; None for an empty cell.

        Raises:
            ValueError: the field has no such value; the message says why, and follows the cell.
        """
        kind = self._schema.type_of(slug).replace("-", "_")
        if isinstance(cell, str) and kind not in _AS_WRITTEN:
            cell = cell.strip()
        if cell is None or cell == "" or (isinstance(cell, float) and math.isnan(cell)):
            return None
        value = _BY_TYPE.get(kind, _other)(cell, self._rules)
        self._check_choice(slug, value)
        return value

    def _check_choice(self, slug: str, value: Any) -> None:
        field = self._schema.fields.get(slug)
        if field is None or not field.choices:
            return
        for item in value if isinstance(value, list) else [value]:
            if fingerprint(field.type, item) not in field.marks:
                raise ValueError(f"is no choice of {slug!r}{near(str(item), field.choices)}")


def _text(cell: Any, rules: Rules) -> str:
    match cell:
        case str():
            return cell
        case bool():
            return "true" if cell else "false"
        case float() if cell.is_integer():
            return str(int(cell))
        case int() | float():
            return str(cell)
        case Decimal():
            return f"{cell:f}"
        case date() | time():
            return cell.isoformat()
        case _:
            raise ValueError(f"is a {type(cell).__name__}, where the field holds text")


def _short_text(cell: Any, rules: Rules) -> str:
    text = _text(cell, rules)
    if len(text) > _TEXT_LIMIT:
        raise ValueError(f"has {len(text):,} characters, and the field holds {_TEXT_LIMIT}")
    return text


def _email(cell: Any, rules: Rules) -> str:
    text = _short_text(cell, rules)
    if not re.fullmatch(r"[^@\s]+@[^@\s]+", text):
        raise ValueError("is no e-mail address")
    return text


# ---- numbers -------------------------------------------------------------------------------

_NUMBER = re.compile(r"[+-]?\d+(\.\d+)?([eE][+-]?\d+)?", re.ASCII)
_GROUPED = re.compile(r"[+-]?\d{1,3}([.,'’ \u00a0\u202f])\d{3}(\1\d{3})*", re.ASCII)


def _number(cell: Any, rules: Rules) -> int | float:
    if isinstance(cell, str):
        return _read_number(cell, rules.decimal)
    if isinstance(cell, bool) or not isinstance(cell, int | float | Decimal):
        raise ValueError("is no number")
    if isinstance(cell, Decimal) and not cell.is_finite():
        raise ValueError("is no number")
    if not _is_finite(cell):
        raise ValueError("is too large a number")
    if isinstance(cell, Decimal):
        return int(cell) if cell == cell.to_integral_value() else float(cell)
    return cell


def _is_finite(number: float | Decimal) -> bool:
    try:
        return math.isfinite(float(number))
    except OverflowError:
        return False


def _read_number(text: str, decimal: str | None) -> int | float:
    if decimal is None:
        if "," in text:
            raise ValueError("is no number with a decimal point; say --decimal , or --decimal .")
        plain = text
    else:
        whole, _, fraction = text.partition(decimal)
        grouped = _GROUPED.fullmatch(whole)
        if grouped and grouped[1] != decimal:
            whole = whole.replace(grouped[1], "")
        # A mark that is left in it is neither: `1.5` under a decimal comma.
        plain = "" if "." in whole else f"{whole}.{fraction}" if fraction else whole
    if not _NUMBER.fullmatch(plain):
        mark = "comma" if decimal == "," else "point"
        raise ValueError(f"is no number with a decimal {mark}")
    value = float(plain)
    if not math.isfinite(value):
        raise ValueError("is too large a number")
    return value if set(".eE") & set(plain) else int(plain)


# ---- dates ---------------------------------------------------------------------------------

_ISO_DAY = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)


def _date(cell: Any, rules: Rules) -> str:
    moment = _moment(cell, rules)
    if isinstance(moment, datetime):
        # The day as it is written: a zone would move it.
        if moment.replace(tzinfo=None).time() != time.min:
            raise ValueError("has a time of day, and the field holds a date")
        moment = moment.date()
    return moment.isoformat()


def _datetime(cell: Any, rules: Rules) -> str:
    moment = _moment(cell, rules)
    if not isinstance(moment, datetime):
        moment = datetime.combine(moment, time.min)
    if moment.tzinfo is None:
        if rules.tz is None:
            raise ValueError("has no time zone; say --tz, such as --tz Europe/Berlin")
        moment = _placed(moment, rules.tz)
    try:
        return moment.astimezone(UTC).isoformat().replace("+00:00", "Z")
    except OverflowError:
        raise ValueError("is beyond the years 1 to 9999 in UTC") from None


def _placed(moment: datetime, zone: ZoneInfo) -> datetime:
    """A clock's time in its zone, if that tells which moment it is."""
    early, late = moment.replace(tzinfo=zone), moment.replace(tzinfo=zone, fold=1)
    if early.utcoffset() != late.utcoffset():
        exists = early.astimezone(UTC).astimezone(zone).replace(tzinfo=None) == moment
        why = "twice" if exists else "never"
        raise ValueError(f"happens {why} in {zone.key}, where clocks change; write its offset")
    return early


def _moment(cell: Any, rules: Rules) -> date:
    """A date, or a datetime where a time is given."""
    if isinstance(cell, date):
        return cell
    if not isinstance(cell, str):
        raise ValueError("is no date")
    if rules.date_format is not None:
        try:
            return datetime.strptime(cell, rules.date_format)
        except ValueError:
            raise ValueError(f"is no date like {rules.date_format}") from None
    try:
        if _ISO_DAY.match(cell):
            return date.fromisoformat(cell) if len(cell) == 10 else datetime.fromisoformat(cell)
    except ValueError:
        pass
    raise ValueError("is no date like 2024-01-31; say --date-format, such as %d.%m.%Y")


# ---- the rest ------------------------------------------------------------------------------

_BOOLEANS = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}


def _boolean(cell: Any, rules: Rules) -> bool:
    found = _BOOLEANS.get(_text(cell, rules).casefold())
    if found is None:
        raise ValueError("is not true or false (yes or no, 1 or 0)")
    return found


def _list(cell: Any, rules: Rules) -> list[Any]:
    if isinstance(cell, str):
        try:
            cell = msgspec.json.decode(cell)
        except (msgspec.DecodeError, RecursionError):
            raise ValueError('is no JSON list, such as ["a", "b"]') from None
    if not isinstance(cell, list):
        raise ValueError("is no list")
    return cell


def _other(cell: Any, rules: Rules) -> Any:
    """A type that the documentation does not name: what JSON has passes as it is."""
    return cell if isinstance(cell, str | bool | int | float | list | dict) else _text(cell, rules)


#: White space around these is part of the value.
_AS_WRITTEN = frozenset({"text", "long_text"})

_BY_TYPE: dict[str, Callable[[Any, Rules], Any]] = {
    "text": _short_text,
    "long_text": _text,
    "email": _email,
    "phone": _text,
    "status": _text,
    "dropdown": _text,
    "reference": _text,
    "user": _text,
    "image": _text,
    "url": _text,
    "number": _number,
    "currency": _number,
    "date": _date,
    "datetime": _datetime,
    "boolean": _boolean,
    "multi_select": _list,
    "multi_lookup": _list,
}

from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest

from kantos_async import Field, ObjectDefinition
from kantos_async.api.models import FieldType
from kantos_async.cli import main
from kantos_async.cli.convert import Converter, Rules

BERLIN = ZoneInfo("Europe/Berlin")


def converter(kind, rules=None, **more):
    field = Field(id="fld_1", name="It", slug="it", type=FieldType(kind), **more)
    convert = Converter(ObjectDefinition(id="obj_1", name="One", fields=[field]), rules)
    return lambda cell: convert("it", cell)


def refusal(convert, cell):
    with pytest.raises(ValueError, match=r".") as caught:
        convert(cell)
    return str(caught.value)


# ---- numbers -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("decimal", "cell", "value"),
    [
        (None, "42", 42),
        (None, " -42.50 ", -42.5),
        (None, "+1e3", 1000.0),
        (None, "9007199254740993", 9007199254740993),
        (".", "1,234,567.89", 1234567.89),
        (".", "1'234", 1234),
        (",", "1.234,5", 1234.5),
        (",", "1.234", 1234),
        (",", "12\u202f345,00", 12345.0),
        (",", "-0,5", -0.5),
        (None, 42, 42),
        (None, 4.5, 4.5),
        (None, Decimal("4.5"), 4.5),
        (None, Decimal("42"), 42),
    ],
)
@pytest.mark.parametrize("kind", ["number", "currency"])
def test_numbers(kind, decimal, cell, value):
    found = converter(kind, Rules(decimal=decimal))(cell)
    assert found == value
    assert type(found) is type(value)


@pytest.mark.parametrize(
    ("decimal", "cell"),
    [
        (None, "1,234"),  # a thousand and more, or one and a bit: nobody knows
        (None, "1,5"),
        (".", "1,5"),
        (".", "1,2345"),
        (".", "1,234 567"),
        (",", "1.5"),
        (",", "1,234,5"),
        (None, "€ 5"),
        (None, "5 %"),
        (None, "1_000"),
        (None, "٣"),
        (None, "nan"),
        (None, "1e999"),
        (None, True),
        (None, float("inf")),
        (None, date(2024, 1, 1)),
    ],
)
def test_what_is_no_number_is_never_guessed(decimal, cell):
    assert "number" in refusal(converter("number", Rules(decimal=decimal)), cell)


def test_a_comma_asks_for_the_option():
    assert "--decimal ," in refusal(converter("number"), "1,5")


# ---- dates ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("date_format", "cell"),
    [
        (None, "2024-02-29"),
        (None, "2024-02-29T00:00:00"),
        (None, "2024-02-29 00:00:00+14:00"),
        ("%d.%m.%Y", "29.02.2024"),
        ("%m/%d/%y", " 02/29/24 "),
        (None, date(2024, 2, 29)),
        (None, datetime(2024, 2, 29)),
        (None, datetime(2024, 2, 29, tzinfo=timezone(timedelta(hours=-12)))),
    ],
)
@pytest.mark.parametrize("tz", [None, BERLIN])
def test_a_date_is_the_day_that_is_written(date_format, cell, tz):
    rules = Rules(date_format=date_format, tz=tz)
    assert converter("date", rules)(cell) == "2024-02-29"


@pytest.mark.parametrize(
    ("cell", "said"),
    [
        ("29.02.2024", "say --date-format"),
        ("2023-02-29", "no date"),
        ("20240229", "no date"),
        ("2024-02-29T10:00:00Z", "has a time of day"),
        (45_351, "is no date"),
    ],
)
def test_what_is_no_date(cell, said):
    assert said in refusal(converter("date"), cell)


def test_with_a_format_nothing_else_is_a_date():
    convert = converter("date", Rules(date_format="%d.%m.%Y"))
    assert "%d.%m.%Y" in refusal(convert, "2024-02-29")


@pytest.mark.parametrize(
    ("cell", "value"),
    [
        ("2024-07-01T12:00:00+05:00", "2024-07-01T07:00:00Z"),
        ("2024-07-01T12:00:00", "2024-07-01T10:00:00Z"),
        ("2024-01-01 12:00", "2024-01-01T11:00:00Z"),
        ("2024-01-01", "2023-12-31T23:00:00Z"),
        (datetime(2024, 7, 1, 12, tzinfo=UTC), "2024-07-01T12:00:00Z"),
    ],
)
def test_times_take_the_zone_that_is_said(cell, value):
    assert converter("datetime", Rules(tz=BERLIN))(cell) == value


@pytest.mark.parametrize(
    ("rules", "cell", "said"),
    [
        (Rules(), "2024-07-01T12:00:00", "say --tz"),
        (Rules(tz=BERLIN), "2024-03-31T02:30:00", "never in Europe/Berlin"),
        (Rules(tz=BERLIN), "2024-10-27T02:30:00", "twice in Europe/Berlin"),
    ],
)
def test_a_time_that_is_no_moment(rules, cell, said):
    assert said in refusal(converter("datetime", rules), cell)


# ---- the rest ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "cell", "value"),
    [
        ("text", " as written ", " as written "),
        ("text", 42, "42"),
        ("text", 42.0, "42"),
        ("text", 4.5, "4.5"),
        ("text", True, "true"),
        ("text", Decimal("4.50"), "4.50"),
        ("text", date(2024, 1, 31), "2024-01-31"),
        ("phone", 49301234567, "49301234567"),
        ("email", " a@b.example ", "a@b.example"),
        ("boolean", "Yes", True),
        ("boolean", "0", False),
        ("boolean", 1, True),
        ("boolean", 0.0, False),
        ("multi_select", '["a", "b"]', ["a", "b"]),
        ("multi-select", ["a"], ["a"]),
        ("something_new", "as it is", "as it is"),
        ("something_new", {"a": 1}, {"a": 1}),
        ("something_new", date(2024, 1, 31), "2024-01-31"),
    ],
)
def test_other_types(kind, cell, value):
    found = converter(kind)(cell)
    assert found == value
    assert type(found) is type(value)


@pytest.mark.parametrize(
    ("kind", "cell", "said"),
    [
        ("text", "x" * 256, "256 characters"),
        ("text", ["a"], "list"),
        ("email", "nobody", "no e-mail address"),
        ("email", "a@b, c@d", "no e-mail address"),
        ("boolean", "maybe", "true or false"),
        ("boolean", 2, "true or false"),
        ("multi_select", "a;b", "JSON list"),
    ],
)
def test_what_is_none_of_its_type(kind, cell, said):
    assert said in refusal(converter(kind), cell)


@pytest.mark.parametrize("kind", ["text", "number", "date", "boolean", "status", "anything"])
@pytest.mark.parametrize("cell", ["", None, float("nan")])
def test_an_empty_cell_is_none(kind, cell):
    assert converter(kind)(cell) is None


@pytest.mark.parametrize("kind", ["number", "date", "email"])
def test_white_space_is_an_empty_cell(kind):
    assert converter(kind)("  ") is None


def test_stages_are_compared_as_the_api_does():
    convert = converter("status", options={"stages": [{"name": "Closed Won"}, {"name": "New"}]})
    assert convert("closed_won") == "closed_won"
    assert convert("NEW") == "NEW"
    assert refusal(convert, "Close Won") == "is no choice of 'it'; did you mean 'Closed Won'?"
    assert refusal(convert, "zzz") == "is no choice of 'it'; there are Closed Won, New"


# ---- the options ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("option", "value", "said"),
    [
        ("--tz", "Europe/Berlni", "'Europe/Berlin'"),
        ("--tz", "../etc/passwd", "no time zone"),
        ("--date-format", "%d.%m", "does not tell day, month and year"),
        ("--date-format", "DD.MM.YYYY", "does not tell day, month and year"),
        ("--date-format", "%", "--date-format '%'"),
        ("--decimal", ";", "--decimal"),
    ],
)
def test_an_option_that_cannot_be_read_is_named(capsys, option, value, said):
    assert main(["import", "contacts", "a.csv", "--key", "email", option, value]) == 2
    err = capsys.readouterr().err
    assert said in err
    assert err.count("\n") == 1


# ---- values beyond what Python counts ------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "cell", "said"),
    [
        ("number", Decimal("1E+500"), "too large"),
        ("number", Decimal("NaN"), "no number"),
        ("number", 10**400, "too large"),
        ("datetime", "0001-01-01T00:00:00+05:00", "beyond the years"),
        ("datetime", "9999-12-31T23:00:00-05:00", "beyond the years"),
        ("multi_select", "[" * 100_000, "no JSON list"),
    ],
)
def test_what_overflows_is_a_bad_value(kind, cell, said):
    assert said in refusal(converter(kind), cell)


def test_a_time_that_its_zone_moves_out_of_the_calendar():
    assert "beyond" in refusal(converter("datetime", Rules(tz=BERLIN)), "0001-01-01T00:00:00")

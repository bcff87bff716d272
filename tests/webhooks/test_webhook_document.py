"""The strict reader: what it accepts means one thing, and nothing makes it raise but ValueError."""

import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kantos_async.webhooks.document import MAX_DEPTH, parse

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
NUMBERS = st.integers() | st.floats(allow_nan=False, allow_infinity=False)
VALUES = st.recursive(
    st.none() | st.booleans() | NUMBERS | TEXT,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXT, inner, max_size=4),
    max_leaves=12,
)
OBJECTS = st.dictionaries(TEXT, VALUES, max_size=5)
STYLES = st.fixed_dictionaries(
    {},
    optional={
        "indent": st.sampled_from([0, 1, 4, "\t"]),
        "ensure_ascii": st.booleans(),
        "separators": st.sampled_from([(",", ":"), (" ,", " :"), (", ", ": "), (" , ", "\n: ")]),
    },
)


def values(body: bytes) -> dict:
    return {key: member.value for key, member in parse(body).members.items()}


@given(OBJECTS, STYLES)
def test_reads_whatever_a_printer_writes(members, style):
    text = json.dumps(members, **style)
    assert values(text.encode()) == json.loads(text, parse_int=str, parse_float=str)


@given(OBJECTS, STYLES, st.data())
def test_cutting_a_member_leaves_what_a_printer_writes_without_it(members, style, data):
    members.pop("signature", None)
    items = list(members.items())
    place = data.draw(st.integers(0, len(items)))
    items.insert(place, ("signature", data.draw(VALUES)))
    whole = json.dumps(dict(items), **style)
    readings = list(parse(whole.encode()).without("signature"))
    if members:
        assert readings[0] == json.dumps(members, **style)
    for reading in readings:
        assert json.loads(reading) == members


@pytest.mark.parametrize(
    ("whole", "readings"),
    [
        ('{"a":1,"signature":"s"}', ['{"a":1}']),
        ('{"signature":"s","a":1}', ['{"a":1}']),
        ('{"a":1,"signature":"s","b":2}', ['{"a":1,"b":2}']),
        ('{"signature":"s"}', ["{}"]),
        ('{ "a": 1 , "signature" : "s" }\n', ['{ "a": 1 }\n', '{ "a": 1}\n']),
        ('{ "signature" : "s" , "a": 1 }', ['{ "a": 1 }', '{"a": 1 }']),
        (
            '{"a": {"signature": "x"}, "signature": "s", "b": ",\\"signature\\":"}',
            ['{"a": {"signature": "x"}, "b": ",\\"signature\\":"}'],
        ),
        ('{"a":1,"sign\\u0061ture":"s"}', ['{"a":1}']),
    ],
)
def test_one_member_its_comma_and_the_space_beside_it_are_cut(whole, readings):
    assert list(parse(whole.encode()).without("signature")) == readings


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b" ",
        b"[]",
        b"1",
        b'"a"',
        b"null",
        b"{",
        b"{}}",
        b"{} {}",
        b"{,}",
        b'{"a":1,}',
        b'{"a" 1}',
        b'{"a":}',
        b"{a:1}",
        b"{1:1}",
        b"{'a':1}",
        b'{"a":1 "b":2}',
        b'{"a":01}',
        b'{"a":+1}',
        b'{"a":1.}',
        b'{"a":.5}',
        b'{"a":"\t"}',
        b'{"a":"\\x41"}',
        b'{"a":"\\u12"}',
        b'{"a":1/*c*/}',
        b'{"a":\xa01}',
        b'{"a":\x0b1}',
        b'\xef\xbb\xbf{"a":1}',
        '{"a":1}'.encode("utf-16"),
        b'{"a":"\xff"}',
        b'{"a":"\xed\xa0\x80"}',
        b'{"a":"\xc0\x80"}',
        b'{"a":1}\x00',
    ],
)
def test_what_is_not_json_is_refused(body):
    with pytest.raises(ValueError):  # noqa: PT011 - the message is the standard library's
        parse(body)


@pytest.mark.parametrize(
    ("body", "why"),
    [
        (b'{"a":1,"a":1}', "twice"),
        (b'{"a":1,"\\u0061":1}', "twice"),
        (b'{"x":[{"a":1,"b":2,"a":3}]}', "twice"),
        (b'{"a":NaN}', "NaN"),
        (b'{"a":[-Infinity]}', "Infinity"),
        (b'{"a":1e400}', "range"),
        (b'{"a":-1e400}', "range"),
        (b'{"a":' + b"9" * 5000 + b"}", "range"),
        (b'{"a":"\\ud800"}', "surrogates"),
        (b'{"a":["x",{"b":"\\udc00\\ud800"}]}', "surrogates"),
        (b'{"\\udfff":1}', "surrogates"),
        (b'{"a":{"\\ud83d":1}}', "surrogates"),
    ],
)
def test_what_two_readers_could_read_in_two_ways_is_refused(body, why):
    with pytest.raises(ValueError, match=why):
        parse(body)


def test_a_pair_of_escaped_surrogates_is_one_character():
    assert values(b'{"a":"\\ud83d\\ude00"}') == {"a": "😀"}


@pytest.mark.parametrize(("opening", "closing"), [("[", "]"), ('{"a":', "}")])
def test_depth_is_bounded_and_brackets_in_strings_do_not_count(opening, closing):
    def nested(levels: int) -> bytes:
        return f'{{"a":{opening * levels}"[[[{{{{\\"[["{closing * levels}}}'.encode()

    assert values(nested(MAX_DEPTH - 1))
    for levels in (MAX_DEPTH, 100_000):
        with pytest.raises(ValueError, match="deep"):
            parse(nested(levels))


@pytest.mark.parametrize(
    "body",
    [
        b'{"a":"' + b'\\"' * 300_000,
        b'"' * 300_000,
        b"\\" * 300_000,
        b'{"a":' + b"[" * 300_000,
        b'{"a":1' + b" " * 300_000,
        b'{"a":0.' + b"1" * 300_000,
    ],
    ids=["escaped quotes", "quotes", "backslashes", "brackets", "spaces", "digits"],
)
def test_no_input_takes_more_than_linear_time(body):
    # Quadratic work on any of these would take minutes, not milliseconds.
    with pytest.raises(ValueError):  # noqa: PT011
        parse(body)


FRAGMENTS = st.sampled_from(
    [
        *("{", "}", "[", "]", ",", ":", '"', "\\", " ", "\n", "\x00", "é", "\\ud800", "\\u0061"),
        *('"a"', '"b"', '"signature"', '"x":1', "1", "-0", "1.5", "1e9", "1e999", "NaN", "null"),
    ]
)


@given(st.binary(max_size=40) | st.lists(FRAGMENTS, max_size=16).map(lambda p: "".join(p).encode()))
def test_agrees_with_the_standard_library_on_anything(body):
    _agrees(body)


@given(OBJECTS, st.data())
def test_agrees_with_the_standard_library_after_a_change(members, data):
    body = bytearray(json.dumps(members).encode())
    at = data.draw(st.integers(0, len(body) - 1))
    body[at : at + data.draw(st.integers(0, 2))] = data.draw(
        st.binary(max_size=2) | FRAGMENTS.map(str.encode)
    )
    _agrees(bytes(body))


def _agrees(body: bytes) -> None:
    try:
        mine = values(body)
    except ValueError:
        mine = None
    assert mine == _by_the_standard_library(body)


def _by_the_standard_library(body: bytes):
    """An object by `json.loads`, or None where that, or a plain check of ours, refuses it."""
    twice = []

    def pairs(members):
        twice.append(len({key for key, _ in members}) < len(members))
        return dict(members)

    try:
        text = body.decode("utf-8")
        value = json.loads(text, object_pairs_hook=pairs, parse_int=str, parse_float=str)
        json.dumps(value, ensure_ascii=False).encode()
    except (ValueError, RecursionError):
        return None
    numbers = []
    json.loads(
        text, parse_int=numbers.append, parse_float=numbers.append, parse_constant=numbers.append
    )
    wrong = any(twice) or any(not math.isfinite(float(number)) for number in numbers)
    return None if wrong or not isinstance(value, dict) else value

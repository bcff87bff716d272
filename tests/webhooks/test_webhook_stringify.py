"""JSON as JavaScript writes it, against answers that Node.js gave."""

import json
import math
import struct
from pathlib import Path

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from kantos_async.webhooks.document import parse
from kantos_async.webhooks.stringify import stringify

ANSWERS = json.loads(Path(__file__).with_name("javascript.json").read_text("utf-8"))


def rewrite(text: str) -> str:
    return stringify({key: member.value for key, member in parse(text.encode()).members.items()})


@pytest.mark.parametrize(("written", "answer"), ANSWERS["numbers"])
def test_numbers(written, answer):
    assert rewrite(f'{{"n":{written}}}') == f'{{"n":{answer}}}'


@pytest.mark.parametrize(("written", "answer"), ANSWERS["documents"])
def test_documents(written, answer):
    assert rewrite(written) == answer


@pytest.mark.parametrize(
    "written",
    [
        "9007199254740993",
        "12345678901234567890",
        "0.1000000000000000055511151231257827",
        "1e-400",
        "-0",
        "-0.0",
        "-0e3",
        "1.00000000000000000001",
        "1e-" + "9" * 5000,
    ],
)
def test_a_number_that_would_change_is_refused(written):
    with pytest.raises(ValueError):  # noqa: PT011
        rewrite(f'{{"n":[{written}]}}')


@example(3.876059521529601e16)
@given(st.integers(0, 2**64 - 1).map(lambda bits: struct.unpack("<d", struct.pack("<Q", bits))[0]))
def test_every_double_survives_its_own_shortest_form(number):
    assume(math.isfinite(number) and str(number) != "-0.0")
    written = rewrite(f'{{"n":{number!r}}}')
    # JavaScript writes up to 21 digits without an exponent, which Python reads as an integer.
    assert float(json.loads(written)["n"]) == number
    assert rewrite(written) == written

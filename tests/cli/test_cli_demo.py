import json
import re

import pytest

from kantos_async.cli import main
from kantos_async.cli.demo import invent
from kantos_async.resources.records import Records


def test_it_reads_back_what_it_wrote(capfdbinary):
    assert main(["demo", "--rows", "120", "--json"]) == 0
    out, err = capfdbinary.readouterr()
    said = json.loads(out)
    assert said["records_created"] == 120
    assert said["records_changed"] == 12
    assert said["records_deleted"] == 6
    assert said["records_read_back"] == 120 + 114
    # The schema, every write, and four pages.
    assert said["requests"] == 1 + 120 + 12 + 6 + 4
    assert said["retries"] == said["refusals"] == said["differences"] == 0
    assert re.search(rb"(?m)^Pushing in: 120 in [0-9.]+ s$", err)


def test_the_table_is_for_people(capsys):
    assert main(["demo", "--rows", "20", "--quiet"]) == 0
    out, err = capsys.readouterr()
    assert err == ""
    assert re.search(r"records created\W+20\b", out)


@pytest.mark.parametrize("method", ["update", "delete"])
def test_a_write_that_was_lost_is_noticed(monkeypatch, capfdbinary, method):
    async def lose(*_: object) -> None:
        """Say that it was done."""

    monkeypatch.setattr(Records, method, lose)
    assert main(["demo", "--rows", "40", "--json", "--quiet"]) == 1
    assert json.loads(capfdbinary.readouterr().out)["differences"] > 0


def test_values_have_the_types_of_their_fields_and_empty_cells_are_left_out():
    people = invent(300, seed=1)
    assert {type(person["deal_value"]) for person in people} == {float}
    assert {person["vip"] for person in people} == {True, False}
    assert any("notes" not in person for person in people)
    assert all(value != "" for person in people for value in person.values())

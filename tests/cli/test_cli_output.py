import json

import pytest

from kantos_async.cli.output import Output
from kantos_async.cli.progress import Lines, Silent

ROWS = [
    {"id": "rec_1", "name": "Zoë [bold]", "value": 12_345, "vip": True},
    {"id": "rec_2", "name": None, "value": 7, "vip": False},
]


def test_a_table_has_a_line_for_each_row(capsys):
    Output().table("People", ROWS)
    out, err = capsys.readouterr()
    assert err == ""
    lines = out.splitlines()
    assert "People" in lines[0]
    (zoe,) = (line for line in lines if "rec_1" in line)
    assert "Zoë [bold]" in zoe
    assert "12,345" in zoe
    assert "yes" in zoe
    assert sum("rec_" in line for line in lines) == 2


def test_no_rows_is_said(capsys):
    Output().table("People", [])
    assert capsys.readouterr().out == "People: none\n"


def test_control_characters_never_reach_the_terminal(capsys):
    Output().facts("Lead", {"name": "a\x1b[2Jb\nc\x9b1m"})
    out = capsys.readouterr().out
    assert "a [2Jb c 1m" in out
    assert not any(c in out for c in "\x1b\x9b")


def test_json_is_one_document_on_standard_output(capfdbinary):
    Output(json=True).table("People", ROWS)
    out, err = capfdbinary.readouterr()
    assert json.loads(out) == ROWS
    assert err == b""


def test_json_facts_are_an_object_with_plain_names(capfdbinary):
    Output(json=True).facts("Done", {"quota used": 7, "name": "Zoë"})
    assert json.loads(capfdbinary.readouterr().out.decode("utf-8")) == {
        "quota_used": 7,
        "name": "Zoë",
    }


def test_remarks_go_to_standard_error_and_quiet_drops_them(capsys):
    Output().remark("by the way")
    Output(quiet=True).remark("never mind")
    assert capsys.readouterr() == ("", "by the way\n")


@pytest.mark.parametrize(("quiet", "kind"), [(False, Lines), (True, Silent)])
def test_progress_without_a_terminal_is_lines_or_nothing(quiet, kind):
    with Output(quiet=quiet).progress() as display:
        assert isinstance(display, kind)


def test_progress_on_a_terminal_is_bars(monkeypatch, capsys):
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("TERM", "xterm")
    with Output().progress() as display, display.step("Pushing", 2) as step:
        step.advance(2)
    assert "2/2" in capsys.readouterr().err

import json
from collections.abc import Iterator

import pytest

from kantos_async.cli import main
from kantos_async.sandbox import Sandbox


@pytest.fixture
def sandbox(monkeypatch) -> Iterator[Sandbox]:
    """A sandbox that the environment points to."""
    with Sandbox() as sandbox:
        monkeypatch.setenv("KANTOS_BASE_URL", sandbox.url)
        monkeypatch.setenv("KANTOS_API_KEY", sandbox.api_key)
        yield sandbox


@pytest.mark.usefixtures("sandbox")
def test_lists_the_objects_of_the_account(capfdbinary):
    assert main(["objects", "--json"]) == 0
    said = json.loads(capfdbinary.readouterr().out)
    assert {"obj_contacts", "obj_companies", "obj_deals"} <= {row["id"] for row in said}
    assert all(row["fields"] > 0 for row in said)


def test_a_key_that_is_refused_ends_with_3_and_one_line(sandbox, monkeypatch, capsys):
    monkeypatch.setenv("KANTOS_API_KEY", "kantos_wrong")
    assert main(["objects"]) == 3
    out, err = capsys.readouterr()
    assert out == ""
    assert err.count("\n") == 1
    assert "401" in err
    assert "KANTOS_API_KEY" in err
    assert "kantos_wrong" not in err


@pytest.mark.parametrize(
    ("name", "value"), [("KANTOS_API_KEY", ""), ("KANTOS_BASE_URL", "kantos.ai/api")]
)
def test_a_missing_or_wrong_setting_is_named_before_anything_is_sent(
    sandbox, monkeypatch, capsys, name, value
):
    monkeypatch.setenv(name, value)
    assert main(["objects"]) == 2
    err = capsys.readouterr().err
    assert err.count("\n") == 1
    assert name.removeprefix("KANTOS_").lower() in err.lower()
    assert sandbox.log == []

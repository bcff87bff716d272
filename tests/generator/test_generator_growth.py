"""A document that grew comes out whole, and runs."""

from __future__ import annotations

import importlib
import json
import sys
from collections.abc import Iterator
from datetime import UTC, date, datetime
from pathlib import Path
from types import ModuleType
from typing import Any

import msgspec
import pytest

from generator.__main__ import main
from kantos_async.transport.call import Call
from kantos_async.transport.unions import dec_hook

GROWN = Path(__file__).with_name("grown.yaml")


class Recorder:
    """Stands in for a session: keeps the call, and answers what it was told to."""

    def __init__(self, answer: Any = None) -> None:
        self.answer = answer
        self.calls: list[Call[Any]] = []

    async def send(self, call: Call[Any], /) -> Any:
        self.calls.append(call)
        return self.answer

    @property
    def body(self) -> Any:
        return json.loads(msgspec.json.encode(self.calls[-1].body))


@pytest.fixture(scope="module")
def grown(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    root = tmp_path_factory.mktemp("grown")
    package = root / "grown_client"
    (package / "transport").mkdir(parents=True)
    for name in ("__init__", "transport/__init__"):
        (package / f"{name}.py").touch()
    for name in ("call", "unions"):
        source = f"from kantos_async.transport.{name} import *\n"
        (package / "transport" / f"{name}.py").write_text(source, encoding="utf-8")
    assert main(["--spec", str(GROWN), "--output", str(package / "api")]) == 0
    sys.path.insert(0, str(root))
    yield package / "api"
    sys.path.remove(str(root))


@pytest.fixture
def notes(grown: Path) -> ModuleType:
    return importlib.import_module("grown_client.api.deal_notes")


@pytest.fixture
def models(grown: Path) -> ModuleType:
    return importlib.import_module("grown_client.api.models")


def test_a_module_a_tag(grown: Path) -> None:
    names = {path.relative_to(grown).as_posix() for path in grown.rglob("*.py")}
    assert names == {
        "__init__.py",
        "deal_notes.py",
        "models/__init__.py",
        "models/common.py",
        "models/deal_notes.py",
    }


async def test_every_parameter_is_sent(notes: ModuleType, models: ModuleType) -> None:
    recorder = Recorder()
    await notes.find_notes(
        recorder,
        deal_id="a/b",
        where={"x": {"$gte": 1}},
        since=date(2024, 1, 15),
        a="A",
        pinned=False,
        weight=0.5,
        kind=models.Kind.CALL,
        from_="Ada",
        shape="long",
    )
    (call,) = recorder.calls
    assert (call.method, call.path) == ("GET", "/crm/a%2Fb/notes")
    assert list(call.params) == [
        ("where", '{"x":{"$gte":1}}'),
        ("since", "2024-01-15"),
        ('a"\\\n', "A"),
        ("pinned", "false"),
        ("weight", "0.5"),
        ("kind", "call"),
        ("from", "Ada"),
        ("shape", "long"),
    ]


async def test_what_is_not_given_is_not_sent(notes: ModuleType) -> None:
    recorder = Recorder()
    await notes.find_notes(recorder, deal_id="d", where={})
    assert list(recorder.calls[0].params) == [("where", "{}")]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"weight": 0.25}, "weight must be at least 0.5, not 0.25"),
        ({"from_": ""}, "from_ must be from 1 to 3 characters, not ''"),
        ({"from_": "long"}, "from_ must be from 1 to 3 characters, not 'long'"),
    ],
)
async def test_out_of_bounds(notes: ModuleType, arguments: dict[str, Any], said: str) -> None:
    recorder = Recorder()
    with pytest.raises(ValueError, match=said):
        await notes.find_notes(recorder, deal_id="d", where={}, **arguments)
    assert recorder.calls == []


async def test_the_resource_class(notes: ModuleType, models: ModuleType) -> None:
    answer = models.NoteList(data=[])
    recorder = Recorder(answer)
    resource = notes.DealNotes(recorder)
    assert await resource.list("d", where={}) is answer.data
    await resource.add_note("d", body=None, class_="a")
    assert recorder.body == {"body": None, "class": "a"}
    assert recorder.calls[-1].result is models.Note


async def test_a_body_holds_models_and_mappings(notes: ModuleType, models: ModuleType) -> None:
    recorder = Recorder()
    await notes.add_note(
        recorder,
        deal_id="d",
        body="x",
        class_="b",
        size=2,
        shape=models.Group(shapes=[models.Circle(radius=1), models.UnknownShape({"kind": "?"})]),
        parts=[models.Draft(text="t"), models.Draft(text="u", note=None), {"text": "v"}],
    )
    assert recorder.body == {
        "body": "x",
        "class": "b",
        "size": 2,
        "shape": {"kind": "group", "shapes": [{"kind": "circle", "radius": 1}, {"kind": "?"}]},
        "parts": [{"text": "t"}, {"text": "u", "note": None}, {"text": "v"}],
    }
    with pytest.raises(ValueError, match="size must be at least 1, not 0"):
        await notes.add_note(recorder, deal_id="d", body="x", class_="b", size=0)


async def test_bounds_of_what_may_be_null(notes: ModuleType) -> None:
    recorder = Recorder()
    await notes.add_note(recorder, deal_id="d", body="x", class_="b", rank=None, code=None)
    assert recorder.body == {"body": "x", "class": "b", "rank": None, "code": None}
    for out, said in [({"rank": 0}, "rank must be at least 1"), ({"code": "long"}, "code must be")]:
        with pytest.raises(ValueError, match=said):
            await notes.add_note(recorder, deal_id="d", body="x", class_="b", **out)


async def test_a_list_as_a_body_and_any_answer(notes: ModuleType, models: ModuleType) -> None:
    recorder = Recorder()
    note = models.Note(at=datetime(2024, 1, 15, tzinfo=UTC), body=None)
    await notes.import_notes(recorder, body=[note])
    assert recorder.body == [{"at": "2024-01-15T00:00:00Z", "body": None}]
    assert recorder.calls[0].result is object


def test_answers_decode(models: ModuleType) -> None:
    body = b"""{"data": [{"at": "2024-01-15T10:30:00Z", "day": "2024-01-15", "body": null,
        "kind": "fax", "answers": [{"at": "2024-01-15T10:30:00Z", "body": "yes"}],
        "mood": "up", "by": {"id": "u", "new": 1}, "counts": {"a": 1}, "score": "high",
        "shape": {"kind": "group", "shapes": [{"kind": "circle", "radius": 2}, {"kind": "star"}]}
    }]}"""
    (note,) = msgspec.json.decode(body, type=models.NoteList, dec_hook=dec_hook).data
    assert note.at == datetime(2024, 1, 15, 10, 30, tzinfo=UTC)
    assert (note.day, note.body, note.kind, note.score) == (date(2024, 1, 15), None, "fax", "high")
    assert note.answers[0].body == "yes"
    assert note.answers[0].answers is None
    assert note.by.id == "u"
    assert note.counts == {"a": 1}
    circle, star = note.shape.shapes
    assert circle == models.Circle(radius=2.0)
    assert star == models.UnknownShape({"kind": "star"})
    assert star.kind == "star"


async def test_parameters_called_like_what_the_function_uses(
    notes: ModuleType, models: ModuleType
) -> None:
    recorder = Recorder()
    arguments: dict[str, Any] = {"len_": "l", "Call_": "c", "Day_": 1, "ValueError_": 2}
    await notes.DealNotes(recorder).find_day("d", **arguments, list_="x")
    (call,) = recorder.calls
    assert (call.path, call.result) == ("/crm/days/d", list[models.Day])
    sent = [("len", "l"), ("Call", "c"), ("Day", "1"), ("ValueError", "2"), ("list", "x")]
    assert list(call.params) == sent
    with pytest.raises(ValueError, match="len_ must be at least 1 characters"):
        await notes.find_day(recorder, find_day_="d", len_="")


def test_members_called_like_types(models: ModuleType) -> None:
    body = b"""{"str": "s", "date": "2024-01-15", "until": null, "int": "date",
        "next": {"str": "t"}, "counts": {"a": 1}}"""
    day = msgspec.json.decode(body, type=models.Day, dec_hook=dec_hook)
    assert (day.str, day.date, day.until, day.int) == ("s", date(2024, 1, 15), None, "date")
    assert (day.next, day.counts) == (models.Day(str="t"), {"a": 1})
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert({"str": "s", "date": "today"}, models.Day)


def test_literals_are_what_the_document_says(models: ModuleType) -> None:
    quote = "q\"\\\n\u2028'"
    assert models.Author().quote == quote
    assert {member.value for member in models.NoteSign} == {'"', "c\\d"}
    assert msgspec.convert({"quote": quote}, models.Author).quote == quote
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert({"quote": quote[1:]}, models.Author)


def test_docstrings_say_what_the_document_says(notes: ModuleType) -> None:
    doc = notes.find_notes.__doc__
    assert doc.startswith("Notes that match.\n")
    for said in (
        "Preview: inferred",
        "`GET /crm/{deal-id}/notes` (inferred)",
        "where: Conditions.",
        "weight: At least 0.5.",
        "from_: From 1 to 3 characters.",
        "shape: The server's default is `short`. Deprecated.",
        "ValueError: Out of bounds, before anything is sent: weight, from_.",
        "APIError: 418. A teapot.",
    ):
        assert said in doc
    assert "UnknownOutcomeError" in notes.add_note.__doc__
    assert "session" not in notes.DealNotes.list.__doc__

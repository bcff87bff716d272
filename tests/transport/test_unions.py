"""Open enums, tagged unions, and bodies without what was not given."""

from __future__ import annotations

import copy
import pickle
from collections import UserDict
from types import MappingProxyType
from typing import Any

import msgspec
import pytest

from kantos_async.api.models import (
    Action,
    Automation,
    FieldType,
    NewField,
    Rule,
    UnknownAction,
    WaitAction,
    WaitConfig,
)
from kantos_async.transport.codec import decode, encode
from kantos_async.transport.unions import UNSET, json_body

STRANGE = {"type": "call_agent", "config": {"prompt": "Hi"}, "retries": 2}


def test_an_enum_takes_a_value_that_it_does_not_list() -> None:
    known, new = decode(list[FieldType], b'["currency", "formula"]')
    assert known is FieldType.CURRENCY
    assert isinstance(new, FieldType)
    assert new == "formula"
    assert new in {"formula"}
    assert (new.value, new.name, f"{new}") == ("formula", "formula", "formula")
    assert encode([known, new]) == b'["currency","formula"]'


def test_a_new_value_survives_copies_and_does_not_stay() -> None:
    new = FieldType("rollup")
    assert pickle.loads(pickle.dumps(new)) == new == copy.deepcopy(new)
    assert "rollup" not in set(FieldType)


def test_an_enum_of_strings_takes_strings_only() -> None:
    with pytest.raises(ValueError, match="3 is not a valid FieldType"):
        FieldType(3)


def test_a_member_is_chosen_by_its_tag() -> None:
    action = decode(Action, b'{"type": "wait", "config": {"duration": 3, "unit": "days"}}')
    assert action == WaitAction(config=WaitConfig(duration=3, unit="days"))
    assert isinstance(action, Action)


@pytest.mark.parametrize(
    "raw", [STRANGE, {"config": {}}, {"type": None}, {"type": 3}, {"type": ["wait"]}, {}], ids=repr
)
def test_another_tag_is_kept_as_it_came(raw: dict[str, Any]) -> None:
    action = decode(Action, encode(raw))
    assert action == UnknownAction(raw)
    assert isinstance(action, Action)
    assert action.type == raw.get("type")
    assert decode(dict[str, Any], encode(action)) == raw
    assert pickle.loads(pickle.dumps(action)) == action


def test_unknown_members_are_equal_only_to_their_like() -> None:
    assert UnknownAction({"a": 1}) != UnknownAction({"a": 2})
    assert UnknownAction({}) != {}
    assert repr(UnknownAction({"a": 1})) == "UnknownAction(raw={'a': 1})"
    with pytest.raises(TypeError, match="unhashable"):
        hash(UnknownAction({}))


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b"[3]", r"\$\[0\]"),
        (b'[{"type": "wait", "config": []}]', r"\$\[0\]"),
        (b'[{"type": "wait"}]', "`config`.*[$]"),
    ],
)
def test_a_member_of_another_shape_is_refused(body: bytes, said: str) -> None:
    with pytest.raises(msgspec.ValidationError, match=said):
        decode(list[Action], body)


def test_a_type_without_a_decoding_is_an_error() -> None:
    with pytest.raises(NotImplementedError, match="complex"):
        decode(complex, b"1")


def test_mappings_are_sent_and_other_objects_are_not() -> None:
    assert encode({"a": MappingProxyType({"b": UserDict({"c": 1})})}) == b'{"a":{"b":{"c":1}}}'
    with pytest.raises(NotImplementedError, match="cannot send complex values as JSON"):
        encode({"a": 1j})


def test_an_answer_sent_back_has_no_nulls_that_it_did_not_have() -> None:
    raw = {
        "id": "auto_1",
        "trigger": {"type": "record.created"},
        "conditions": {"match": "all", "rules": [{"field": "email", "operator": "is_empty"}]},
        "actions": [STRANGE, {"type": "wait", "config": {"duration": 1.0}}],
    }
    assert decode(dict[str, Any], encode(json_body(decode(Automation, encode(raw))))) == raw


def test_null_and_absent_differ_in_what_only_requests_hold() -> None:
    fields = [
        NewField(name="A", type=FieldType.TEXT),
        NewField(name="B", type=FieldType.TEXT, default_value=None),
    ]
    body = json_body({"icon": UNSET, "name": None, "fields": tuple(fields)})
    assert body == {
        "name": None,
        "fields": [
            {"name": "A", "type": "text"},
            {"name": "B", "type": "text", "default_value": None},
        ],
    }


def test_models_are_found_in_plain_mappings() -> None:
    branch = {"conditions": [{"if": Rule(field="a"), "then": [UnknownAction(STRANGE)]}]}
    assert json_body(branch) == {"conditions": [{"if": {"field": "a"}, "then": [STRANGE]}]}

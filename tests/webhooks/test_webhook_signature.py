"""`verify` and `unwrap`: who is believed, and what is decoded."""

import hashlib
import hmac
import importlib.util
import json
import pickle
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kantos_async import webhooks
from kantos_async.webhooks import WebhookReceiver, WebhookSignatureError, unwrap, verify

SECRET = "whsec_test"
EVENT = {
    "event": "record.created",
    "timestamp": "2024-01-15T10:30:00Z",
    "data": {
        "id": "rec_abc123",
        "object_id": "obj_contacts",
        "field_values": {"name": "Zoë", "value": 1200.5},
    },
}


def sign(covered: bytes, secret: str = SECRET) -> str:
    return "sha256=" + hmac.new(secret.encode(), covered, hashlib.sha256).hexdigest()


def signed(event: dict, *, secret: str = SECRET, **style) -> bytes:
    """A body whose signature covers the same text without it."""
    signature = sign(json.dumps(event, **style).encode(), secret)
    return json.dumps({**event, "signature": signature}, **style).encode()


def test_the_documented_body():
    covered = json.dumps(EVENT, separators=(",", ":")).encode()
    body = signed(EVENT, separators=(",", ":"))
    assert verify(body, SECRET) == covered
    event = unwrap(body, SECRET)
    assert isinstance(event, webhooks.RecordCreated)
    assert event.event == "record.created"
    assert event.timestamp == datetime(2024, 1, 15, 10, 30, tzinfo=UTC)
    assert event.data == EVENT["data"]
    assert event.payload == EVENT
    assert (event.record_id, event.object_id) == ("rec_abc123", "obj_contacts")
    assert event.field_values == {"name": "Zoë", "value": 1200.5}
    assert event.fingerprint == hashlib.sha256(covered).hexdigest()
    assert pickle.loads(pickle.dumps(event)) == event


@pytest.mark.parametrize("style", [{}, {"indent": 2}, {"indent": "\t", "ensure_ascii": False}])
def test_the_raw_reading_keeps_every_other_byte(style):
    assert verify(signed(EVENT, **style), SECRET) == json.dumps(EVENT, **style).encode()


def test_the_stringified_reading():
    stringified = b'{"10":1,"a":1e+21,"name":"Zo\xc3\xab","half":0.5}'
    body = json.dumps(
        {"a": 1e21, "name": "Zoë", "half": 0.5, "10": 1, "signature": sign(stringified)}, indent=3
    ).encode()
    assert verify(body, SECRET) == stringified
    assert unwrap(body, SECRET).payload == {"10": 1, "a": 1e21, "name": "Zoë", "half": 0.5}


def test_the_stringified_reading_needs_numbers_that_survive():
    stringified = b'{"a":12345678901234567000}'
    for written, accepted in [("12345678901234567000", True), ("12345678901234567890", False)]:
        body = f'{{ "a": {written}, "signature": "{sign(stringified)}" }}'.encode()
        if accepted:
            assert verify(body, SECRET) == stringified
        else:
            with pytest.raises(WebhookSignatureError):
                verify(body, SECRET)


def test_a_signature_from_a_header_covers_the_whole_body():
    body = json.dumps(EVENT).encode()
    assert verify(body, SECRET, sign(body)) == body
    assert isinstance(unwrap(body, SECRET, sign(body)), webhooks.RecordCreated)
    with pytest.raises(WebhookSignatureError):
        verify(body + b" ", SECRET, sign(body))


def test_a_given_signature_is_the_only_one_that_counts():
    body = signed(EVENT)
    for given_signature in ("", sign(b"other"), json.loads(body)["signature"]):
        with pytest.raises(WebhookSignatureError):
            verify(body, SECRET, given_signature)
    event = unwrap(body, SECRET, sign(body))
    assert event.payload == EVENT


def test_several_secrets_during_a_rotation():
    for old_or_new in ("old", "new"):
        assert verify(signed(EVENT, secret=old_or_new), ["new", "old"])
        assert verify(signed(EVENT, secret=old_or_new), (b"new", "old"))
    with pytest.raises(WebhookSignatureError):
        verify(signed(EVENT, secret="third"), ["new", "old"])


@pytest.mark.parametrize("secret", ["", b"", [], (), ["good", ""], [b""], None, [None], [3]])
@pytest.mark.parametrize("body", [signed(EVENT), b"junk"])
def test_an_empty_secret_is_a_value_error(secret, body):
    with pytest.raises(ValueError, match="secret"):
        verify(body, secret)
    with pytest.raises(ValueError, match="secret"):
        unwrap(body, secret)


@pytest.mark.parametrize(
    "signature",
    [
        None,
        1,
        {},
        [],
        "",
        "sha256=",
        "sha256=" + "0" * 64,
        "sha256=" + "0" * 63,
        "SHA256=" + sign(json.dumps(EVENT).encode())[7:],
        sign(json.dumps(EVENT).encode()).upper(),
        "sha256=" + sign(json.dumps(EVENT).encode())[7:].upper(),
        sign(json.dumps(EVENT).encode())[7:],
        sign(json.dumps(EVENT).encode()) + "\n",
        " " + sign(json.dumps(EVENT).encode()),
        "sha1=" + "0" * 40,
        "sha256=" + "٠" * 64,
    ],
)
def test_any_other_form_of_signature_is_refused(signature):
    body = json.dumps({**EVENT, "signature": signature}).encode()
    with pytest.raises(WebhookSignatureError):
        verify(body, SECRET)
    if signature is not None:
        with pytest.raises(WebhookSignatureError):
            verify(json.dumps(EVENT).encode(), SECRET, signature)


def test_only_the_one_at_the_top_is_the_signature():
    hidden = {**EVENT, "data": {"field_values": {"signature": sign(b"{}")}}}
    with pytest.raises(WebhookSignatureError, match="no signature"):
        verify(json.dumps(hidden).encode(), SECRET)
    event = unwrap(signed(hidden), SECRET)
    assert event.data == hidden["data"]


def test_a_second_signature_is_refused():
    body = signed(EVENT)
    signature = json.loads(body)["signature"]
    for second in ('"signature"', '"sign\\u0061ture"'):
        twice = body[:-1] + f', {second}: "{signature}"}}'.encode()
        with pytest.raises(WebhookSignatureError, match="twice"):
            verify(twice, SECRET)


@pytest.mark.parametrize("body", [None, "text", json.dumps(EVENT), 5, [], bytearray(b"{}")])
def test_a_body_that_is_not_bytes_is_refused_with_the_reason(body):
    with pytest.raises(WebhookSignatureError, match="bytes"):
        unwrap(body, SECRET)


JUNK = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["event", "data", "timestamp", "signature", "record"])
            | st.text(max_size=3),
            inner,
            max_size=4,
        )
    ),
    max_leaves=8,
)


@given(st.binary(max_size=60) | JUNK.map(lambda value: json.dumps(value).encode()), st.booleans())
def test_nothing_raises_anything_else(body, in_header):
    """With a right signature beside the body, so that its content is looked at too."""
    try:
        event = unwrap(body, SECRET, sign(body) if in_header else None, tolerance=None)
    except WebhookSignatureError:
        return
    assert event.payload == {k: v for k, v in json.loads(body).items() if k != "signature"}


@given(JUNK.filter(lambda value: isinstance(value, dict)))
def test_an_event_of_any_shape_has_its_properties(payload):
    payload["event"] = "automation.executed"
    body = json.dumps(payload).encode()
    try:
        event = unwrap(body, SECRET, sign(body))
    except WebhookSignatureError:
        return  # NaN and its like
    assert isinstance(event, webhooks.AutomationExecuted)
    assert isinstance(event.field_values, dict)
    for text in (event.record_id, event.object_id, event.automation_id, event.automation_name):
        assert text is None or isinstance(text, str)


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("record.created", webhooks.RecordCreated),
        ("record.updated", webhooks.RecordUpdated),
        ("record.deleted", webhooks.RecordDeleted),
        ("intake.received", webhooks.IntakeReceived),
        ("automation.executed", webhooks.AutomationExecuted),
        ("record.merged", webhooks.UnknownEvent),
        ("", webhooks.UnknownEvent),
        (None, webhooks.UnknownEvent),
        (["record.created"], webhooks.UnknownEvent),
    ],
)
def test_events_are_typed_by_their_name(name, kind):
    event = unwrap(signed({"event": name, "extra": [1]}), SECRET)
    assert type(event) is kind
    assert event.event == (name if isinstance(name, str) else "")
    assert event.payload["extra"] == [1]
    assert event.data == {}
    assert event.timestamp is None


def test_the_body_of_an_automation():
    event = unwrap(
        signed(
            {
                "event": "automation.executed",
                "automation_id": "auto_abc123",
                "automation_name": "Welcome",
                "timestamp": "2024-01-15T10:30:00Z",
                "record": {"id": "rec_1", "object_id": "obj_contacts", "data": {"name": "Zoë"}},
            }
        ),
        SECRET,
    )
    assert isinstance(event, webhooks.AutomationExecuted)
    assert (event.automation_id, event.automation_name) == ("auto_abc123", "Welcome")
    assert (event.record_id, event.object_id) == ("rec_1", "obj_contacts")
    assert event.field_values == {"name": "Zoë"}


@pytest.mark.parametrize("written", [None, 5, "soon", "", [], "2024-13-01T00:00:00Z"])
def test_a_timestamp_that_cannot_be_read_is_none(written):
    assert unwrap(signed({"event": "x", "timestamp": written}), SECRET).timestamp is None


def test_a_timestamp_without_a_zone_is_utc():
    event = unwrap(signed({"event": "x", "timestamp": "2024-01-15T10:30:00"}), SECRET)
    assert event.timestamp == datetime(2024, 1, 15, 10, 30, tzinfo=UTC)


def test_tolerance_is_off_unless_asked_for():
    now = datetime.now(UTC)
    for age in (timedelta(hours=2), timedelta(hours=-2)):
        old = signed({**EVENT, "timestamp": (now - age).isoformat()})
        assert verify(old, SECRET)
        assert verify(old, SECRET, tolerance=3 * 3600)
        for check in (verify, unwrap):
            with pytest.raises(WebhookSignatureError, match="tolerance"):
                check(old, SECRET, tolerance=3600)
    for never in (None, "0001-01-01T00:00:00+23:59", "9999-12-31T23:59:59-23:59"):
        with pytest.raises(WebhookSignatureError, match="tolerance"):
            verify(signed({**EVENT, "timestamp": never}), SECRET, tolerance=3600)


@pytest.mark.parametrize("tolerance", [float("nan"), float("inf"), -1])
def test_a_tolerance_that_checks_nothing_is_refused(tolerance):
    for check in (verify, unwrap):
        with pytest.raises(ValueError, match="tolerance must be"):
            check(signed(EVENT), SECRET, tolerance=tolerance)
    with pytest.raises(ValueError, match="tolerance must be"):
        WebhookReceiver(SECRET, tolerance=tolerance)


def test_a_tolerance_may_be_longer_than_any_calendar():
    assert verify(signed({**EVENT, "timestamp": "0001-01-01T00:00:00Z"}), SECRET, tolerance=1e300)


def test_errors_show_neither_secret_nor_the_right_signature():
    body = json.dumps({**EVENT, "signature": "sha256=" + "0" * 64}).encode()
    with pytest.raises(WebhookSignatureError) as caught:
        verify(body, SECRET)
    right = sign(json.dumps(EVENT).encode())[7:]
    assert SECRET not in repr(caught.value)
    assert right not in repr(caught.value)


def test_no_random_change_makes_a_forgery():
    found = _forgery_benchmark().measure(4_000, seed=20240115)
    assert found["forged"] == found["crashed"] == 0
    assert found["accepted"] > 40, "the changes must reach the part that accepts"


def _forgery_benchmark():
    path = Path(__file__).parents[2] / "benchmarks" / "webhook_forgery.py"
    spec = importlib.util.spec_from_file_location("webhook_forgery", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module

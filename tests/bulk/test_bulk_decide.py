"""The decision about one row."""

from __future__ import annotations

import pytest

from kantos_async.bulk.decide import decide, merge
from kantos_async.bulk.mirror import Base, Known
from kantos_async.bulk.values import ABSENT


def marks(text: str) -> bytes:
    """One letter a field; a dash is a field of which nothing is said."""
    return b"".join(ABSENT if letter == "-" else letter.encode() * 8 for letter in text)


def known(seen: str, record_id: str = "rec_1") -> Known:
    return Known(record_id, "k", 0, 0, marks(seen), None)


@pytest.mark.parametrize(
    ("wanted", "seen", "base", "conflict", "action", "fields", "kept"),
    [
        ("ab", "ab", None, "ours", "nothing", (), False),
        ("ab", "ax", None, "ours", "update", (1,), False),
        ("-b", "ax", None, "ours", "update", (1,), False),
        ("a", "ax", None, "ours", "nothing", (), False),
        # Nobody else touched it since: ours.
        ("ab", "ax", ("ax", "ax"), "theirs", "update", (1,), False),
        # First contact has no base: ours.
        ("ab", "ax", None, "theirs", "update", (1,), False),
        ("ab", "ax", ("a", "a"), "theirs", "update", (1,), False),
        # Somebody changed it, we did not.
        ("ab", "ax", ("ab", "ab"), "ours", "update", (1,), False),
        ("ab", "ax", ("ab", "ab"), "theirs", "nothing", (), True),
        ("ab", "ax", ("ab", "ab"), "fail", "fail", (), False),
        # Both changed it, to the same, and to something else.
        ("ab", "ab", ("ax", "ax"), "theirs", "nothing", (), False),
        ("ab", "ay", ("ax", "ax"), "theirs", "nothing", (), True),
        ("cb", "ay", ("ax", "ax"), "theirs", "update", (0,), True),
        ("cb", "ay", ("ax", "ax"), "fail", "fail", (), False),
        # The server writes what we sent in its own way.
        ("ab", "aB", ("ab", "aB"), "ours", "nothing", (), False),
        ("ab", "aB", ("ax", "aB"), "ours", "update", (1,), False),
        ("ab", "ay", ("ab", "aB"), "theirs", "nothing", (), True),
    ],
)
def test_three_ways(  # noqa: PLR0917 - the columns of the table
    wanted: str,
    seen: str,
    base: tuple[str, str] | None,
    conflict: str,
    action: str,
    fields: tuple[int, ...],
    kept: bool,
) -> None:
    agreed = None if base is None else Base(None, marks(base[0]), marks(base[1]))
    decision = decide("upsert", conflict, marks(wanted), [known(seen)], agreed)  # type: ignore[arg-type]
    assert (decision.action, decision.fields, decision.kept) == (action, fields, kept)


def test_without_a_record_and_with_several() -> None:
    twins = [known("a"), known("b", "rec_2")]
    for mode, none, several in (
        ("upsert", "create", "nothing"),
        ("update_only", "fail", "nothing"),
        ("create_only", "create", "nothing"),
        ("delete", "nothing", "fail"),
    ):
        assert decide(mode, "ours", marks("a"), [], None).action == none  # type: ignore[arg-type]
        decision = decide(mode, "ours", marks("a"), twins, None)  # type: ignore[arg-type]
        assert (decision.action, decision.twins, decision.target) == (several, True, twins[0])


def test_what_is_agreed_after_a_write() -> None:
    # Written: the answer. Equal before: that. Kept, or not given: as it was.
    base = merge(
        Base(None, marks("xy"), marks("xy")), marks("abc-"), marks("aqcd"), marks("aBcd"), {1}
    )
    assert (base.sent, base.echo) == (marks("abc-"), marks("aBc-"))
    kept = merge(Base(None, marks("ab"), marks("ab")), marks("ab"), marks("ax"), marks("ax"), ())
    assert (kept.sent, kept.echo) == (marks("ab"), marks("ab"))
    shorter = merge(Base("A", marks("abc"), marks("abc")), marks("z"), marks("z"), marks("z"), ())
    assert shorter == Base("A", marks("zbc"), marks("zbc"))

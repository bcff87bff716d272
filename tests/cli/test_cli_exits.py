from datetime import UTC, datetime

import pytest

from kantos_async.bulk.errors import StateError, SyncStoppedError
from kantos_async.cli.exits import ExitCode, UsageError, explain
from kantos_async.errors import (
    APIConnectionError,
    AuthenticationError,
    KantosError,
    NotFoundError,
    RateLimitError,
    ReadOnlyError,
    UnknownOutcomeError,
)


def limited() -> RateLimitError:
    error = RateLimitError("quota spent", status=429, method="GET", path="/crm/objects")
    error.retry_at = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
    return error


@pytest.mark.parametrize(
    ("error", "code", "said"),
    [
        (UsageError("no such file"), ExitCode.USAGE, "no such file"),
        (ReadOnlyError("nothing was sent"), ExitCode.USAGE, "nothing was sent"),
        (StateError("a.state is in use"), ExitCode.USAGE, "a.state is in use"),
        (SyncStoppedError("too many deletions"), ExitCode.USAGE, "too many deletions"),
        (FileNotFoundError(2, "No such file", "a.csv"), ExitCode.USAGE, "a.csv: No such file"),
        (OSError("address in use"), ExitCode.USAGE, "address in use"),
        (
            NotFoundError("Record not found", status=404, method="GET", path="/crm/record/rec_1"),
            ExitCode.REFUSED,
            "GET /crm/record/rec_1: 404: Record not found",
        ),
        (AuthenticationError("bad key", status=401), ExitCode.REFUSED, "KANTOS_API_KEY"),
        (APIConnectionError("refused"), ExitCode.REFUSED, "KANTOS_BASE_URL"),
        (limited(), ExitCode.REFUSED, "2026-01-02 03:04:05 UTC"),
        (
            UnknownOutcomeError(
                "in doubt.", method="POST", path="/crm/record", sent={}, attempts=1, hint="Look."
            ),
            ExitCode.REFUSED,
            "POST /crm/record: in doubt. Look.",
        ),
        (KeyboardInterrupt(), ExitCode.INTERRUPTED, "interrupted"),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, BaseException) else "",
)
def test_an_expected_failure_has_a_line_and_a_code(error, code, said):
    line, got = explain(error)
    assert got is code
    assert said in line


def test_a_message_of_many_lines_is_said_on_one():
    line, _ = explain(KantosError("<html>\n  <body>\n502"))
    assert line == "<html> <body> 502"


def test_a_group_is_told_by_its_first_error():
    group = ExceptionGroup("workers", [ExceptionGroup("one", [KantosError("first")])])
    assert explain(group) == ("first", ExitCode.REFUSED)


def test_a_bug_is_not_explained_away():
    assert explain(TypeError("ours")) is None

from functools import partial

import pytest

from kantos_async.cli.quota import short_time, time_to_go
from kantos_async.sandbox import Sandbox
from kantos_async.transport.events import Stats
from kantos_async.transport.retry import RetryPolicy


@pytest.fixture
def at_plan(monkeypatch):
    with Sandbox(plan="professional", clock_offset=100) as sandbox:
        monkeypatch.setenv("KANTOS_BASE_URL", sandbox.url)
        monkeypatch.setenv("KANTOS_API_KEY", sandbox.api_key)
        yield sandbox


def test_it_tells_what_it_found(kantos, at_plan):
    done = kantos("doctor", "--seconds", "0", "--json")
    assert done.code == 0
    said = done.json
    assert said["server"] == at_plan.url
    assert (said["limit"], said["remaining"]) == (1000, 992)
    assert (said["plan"], said["daily"]) == ("Professional", 100_000)
    assert 98.5 < said["clock_offset"] < 101.5
    assert said["others"] == 0
    assert 0 <= said["reset_in"] <= 61
    assert at_plan.api_key not in done.out


def test_it_tells_people_in_words(kantos, at_plan):
    out = kantos("doctor", "--seconds", "0").out
    assert "992 of 1,000 a minute left" in out
    assert "none seen" in out
    assert at_plan.api_key not in out


def test_without_a_quota_it_says_so(kantos):
    out = kantos("doctor", "--seconds", "0").out
    assert "the server does not tell" in out


def test_it_sees_others_on_the_key(kantos, at_plan, monkeypatch):
    from kantos_async.cli import doctor

    monkeypatch.setattr(doctor, "_others", lambda words: 120.0)
    assert "about 120 requests a minute" in kantos("doctor", "--seconds", "0").out


def test_what_others_spent_is_what_remaining_lost_beyond_our_own():
    from kantos_async.cli.doctor import _others
    from kantos_async.transport.words import Words

    def said(remaining, reset=60):
        return Words(limit=100, remaining=remaining, reset=reset)

    assert _others([(0, said(99)), (1, said(98)), (2, said(97))]) == 0
    assert _others([(0, said(99)), (1, said(88)), (2, said(87))]) == 10 / 2 * 60
    # A new window says nothing of the old one.
    assert _others([(0, said(9)), (1, said(99, 120)), (2, said(98, 120))]) == 0
    assert _others([(0, Words())]) is None


@pytest.mark.parametrize(
    ("setting", "code", "said"),
    [
        ("KANTOS_API_KEY=", 2, "KANTOS_API_KEY"),
        ("KANTOS_API_KEY=key\n", 2, "a line break"),
        ("KANTOS_API_KEY=wrong", 3, "is KANTOS_API_KEY right?"),
        ("KANTOS_BASE_URL=http://127.0.0.1:1/api", 3, "is KANTOS_BASE_URL right?"),
        ("KANTOS_BASE_URL=kantos.ai", 2, "base_url='kantos.ai'"),
    ],
)
def test_what_is_wrong_is_one_line(kantos, monkeypatch, setting, code, said):
    monkeypatch.setenv(*setting.split("=", 1))
    monkeypatch.setattr("kantos_async.client.RetryPolicy", partial(RetryPolicy, attempts=1))
    done = kantos("doctor", "--seconds", "0")
    assert done.code == code
    assert said in done.err
    assert done.err.count("\n") == 1
    assert "wrong" not in done.out


# ---- time to go ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("requests", "remaining", "until_reset", "others", "seconds"),
    [
        (100, 500, 30, 0, 10),  # within this window
        (100, 10, 30, 0, 30 + 9),  # the rest in the next
        (1_010, 10, 30, 0, 30 + 60 + 50),  # one whole window of 500 waited out, and one more
        (510, 10, 30, 5, 30 + 60 + 60 + 10),  # of which others take 300
        (400, 390, 20, 0, 40),  # the window turns before the quota is spent
    ],
)
def test_time_to_go_knows_the_windows(requests, remaining, until_reset, others, seconds):
    stats = Stats(limit=500, remaining=remaining, others=others)
    assert time_to_go(requests, 10, stats, until_reset) == pytest.approx(seconds)


def test_without_a_quota_only_the_rate_counts():
    assert time_to_go(100, 10, Stats(), None) == 10


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.4, "0 s"), (59.4, "59 s"), (59.6, "1:00 min"), (185, "3:05 min"), (7_800, "2:10 h")],
)
def test_times_are_short(seconds, text):
    assert short_time(seconds) == text

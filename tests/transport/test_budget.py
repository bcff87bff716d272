"""The quota's bookkeeping, fed with words as servers say them, well or badly."""

from __future__ import annotations

import math
from email.utils import formatdate
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kantos_async import RetryPolicy
from kantos_async.transport.budget import Budget, Permit
from kantos_async.transport.words import Words, read_words, retry_after_seconds

SERVER = 1_700_000_000.0  # the server's clock when ours shows 0


class Server:
    """Says words about a window, at times of our clock."""

    def __init__(self, offset: float = SERVER) -> None:
        self.offset = offset

    def words(
        self, now: float, remaining: int, reset: float, limit: int = 100, **more: Any
    ) -> Words:
        date = math.floor(now + self.offset)
        return Words(limit, remaining, math.floor(reset + self.offset), float(date), **more)


def told(
    budget: Budget, remaining: int = 50, reset: float = 60, now: float = 0.01, **more: Any
) -> Permit:
    """A budget that has heard of its window."""
    permit = budget.take(now - 0.01)
    budget.answered(permit, Server().words(now, remaining, reset, **more), 200, now)
    return permit


def room(budget: Budget, now: float, most: int = 1000) -> int:
    """How many may leave now, once nothing is held back to learn of the server's clock."""
    budget._aim._relaxed = True
    count = 0
    while count < most and budget.admit(now, 1) == 0:
        budget.take(now)
        count += 1
    return count


def test_at_the_start_one_leaves_and_the_rest_wait_for_its_answer() -> None:
    budget = Budget()
    assert room(budget, 0.0) == 1
    assert budget.admit(0.5, 9) == 1.0, "a probe of over a second hands over"


def test_the_first_answer_opens_the_window() -> None:
    budget = Budget()
    told(budget, remaining=50)
    assert room(budget, 0.02) == 50


def test_a_probe_that_fails_hands_over_at_once() -> None:
    budget = Budget()
    for end in (budget.unused, lambda permit: budget.unreached(permit, 0.1), budget.lost):
        permit = budget.take(0.0)
        assert budget.admit(0.1, 1) > 0
        end(permit)
        assert budget.admit(0.1, 1) == 0


def test_a_slow_probe_hands_over_to_one_more_each_second() -> None:
    budget = Budget()
    budget.take(0.0)
    assert room(budget, 1.0) == 1
    assert budget.admit(1.5, 1) == 2.0


def test_where_nobody_gets_through_one_tries_for_all_and_less_often() -> None:
    budget = Budget()
    told(budget)
    burst = [budget.take(1.0) for _ in range(8)]
    for permit in burst:
        budget.unreached(permit, 1.1)
    assert budget.admit(1.1, 9) == 0, "a burst that fails is one failure"
    now, pauses = 1.1, []
    for _ in range(8):
        budget.unreached(budget.take(now), now)
        pauses.append(budget.admit(now, 9) - now)
        now += pauses[-1]
        assert room(budget, now, most=2) == 1
        budget.unused(Permit(0, 0))
        budget._probe = None
    assert pauses == pytest.approx([0.08, 0.16, 0.32, 0.64, 1, 1, 1, 1])
    budget.answered(budget.take(now), Server().words(now, 49, 60), 200, now)
    assert room(budget, now) == 49


def test_after_the_reset_one_probes_again() -> None:
    budget = Budget()
    told(budget, remaining=0, reset=60)
    turn = budget.turn
    assert budget.admit(30, 1) == turn
    assert room(budget, turn) == 1


def test_a_reset_is_never_taken_early() -> None:
    budget = Budget()
    told(budget, remaining=0, reset=60)
    # The date was cut to the second, so the server's clock may be up to a second further.
    assert 60.0 <= budget.turn <= 61.1


def test_what_is_in_flight_counts_and_what_is_lost_is_spent_until_the_reset() -> None:
    budget = Budget()
    told(budget, remaining=10)
    out = [budget.take(0.02) for _ in range(10)]
    assert budget.admit(0.02, 1) == budget.turn
    budget.lost(out[0])
    assert room(budget, 0.03) == 0
    budget.unused(out[1])
    assert room(budget, 0.03) == 1


def test_answers_in_inverse_order_keep_the_lowest_word() -> None:
    budget, server = Budget(), Server()
    told(budget, remaining=10)
    out = [budget.take(0.02) for _ in range(3)]
    for permit, remaining in zip(out, (7, 8, 9), strict=True):
        budget.answered(permit, server.words(0.1, remaining, 60), 200, 0.1)
    assert room(budget, 0.2) == 7


def test_an_answer_of_the_window_before_changes_nothing() -> None:
    budget, server = Budget(), Server()
    told(budget, remaining=90)
    late = budget.take(0.02)
    new = budget.take(0.02)
    budget.answered(new, server.words(60.2, 99, 120), 200, 60.2)
    budget.answered(late, server.words(60.2, 3, 60), 200, 60.3)
    assert budget.remaining == 99


def test_resets_a_second_apart_are_one_window() -> None:
    budget, server = Budget(), Server()
    told(budget, remaining=10)
    permit = budget.take(0.02)
    budget.answered(permit, server.words(0.1, 5, 61), 200, 0.1)
    assert budget.remaining == 5


def test_a_changed_limit_replaces_the_old_whatever_the_order_of_answers() -> None:
    budget, server = Budget(), Server()
    told(budget, remaining=10)
    first, second = budget.take(0.02), budget.take(0.02)
    budget.answered(second, server.words(0.1, 498, 60, limit=500), 200, 0.1)
    assert (budget.limit, budget.remaining) == (500, 498)
    budget.answered(first, server.words(0.1, 9, 60), 200, 0.2)
    assert (budget.limit, budget.remaining) == (500, 498)


def test_a_window_that_rolls_over_with_requests_in_flight() -> None:
    budget, server = Budget(), Server()
    told(budget, remaining=20)
    out = [budget.take(0.02) for _ in range(5)]
    turn = budget.turn
    probe = budget.take(turn)
    budget.answered(probe, server.words(turn, 99, 120), 200, turn + 0.01)
    assert room(budget, turn + 0.02) == 94, "the five may count in the new window"
    for permit in out:
        budget.answered(permit, server.words(59, 15, 60), 200, turn + 0.03)
    assert room(budget, turn + 0.04) == 5


@pytest.mark.parametrize(
    "headers",
    [
        [],
        [(b"X-RateLimit-Limit", b"100"), (b"X-RateLimit-Remaining", b"5")],
        [(b"X-RateLimit-Limit", b"100"), (b"X-RateLimit-Limit", b"100")],
        [(b"x-ratelimit-limit", b"a"), (b"x-ratelimit-remaining", b"b"), (b"date", b"never")],
        [
            (b"X-RateLimit-Limit", b"100"),
            (b"X-RateLimit-Remaining", b"101"),
            (b"X-RateLimit-Reset", b"1700000060"),
        ],
        [
            (b"X-RateLimit-Limit", b"0"),
            (b"X-RateLimit-Remaining", b"0"),
            (b"X-RateLimit-Reset", b"1700000060"),
        ],
        [
            (b"X-RateLimit-Limit", b"100"),
            (b"X-RateLimit-Remaining", b"5"),
            (b"X-RateLimit-Remaining", b"5"),
            (b"X-RateLimit-Reset", b"1700000060"),
        ],
        [
            (b"X-RateLimit-Limit", b"100"),
            (b"X-RateLimit-Remaining", b"5"),
            (b"X-RateLimit-Reset", b"1600000060"),  # long past
        ],
    ],
)
def test_without_usable_headers_only_slots_and_refusals_steer(
    headers: list[tuple[bytes, bytes]],
) -> None:
    budget = Budget()
    dated = [*headers, (b"Date", formatdate(SERVER, usegmt=True).encode())]
    budget.answered(budget.take(0.0), read_words(dated), 200, 0.1)
    assert room(budget, 0.2) == 1000
    budget.answered(Permit(1, 0.2), read_words(headers), 429, 0.3)
    assert budget.admit(0.4, 1) == pytest.approx(1.3)


def test_a_proxys_answer_without_headers_counts_as_spent() -> None:
    budget = Budget()
    told(budget, remaining=10)
    budget.answered(budget.take(0.02), Words(), 502, 0.1)
    assert room(budget, 0.2) == 9


def test_a_reset_that_always_equals_date_stops_nobody() -> None:
    budget, now = Budget(), 0.0
    for _ in range(4):
        assert budget.admit(now, 1) == 0
        permit = budget.take(now)
        date = math.floor(now + SERVER)
        budget.answered(permit, Words(100, 50, date, float(date)), 200, now + 0.01)
        now += 3
    assert room(budget, now) == 1000, "headers that are over as they come are not believed"


def test_a_refusal_with_something_remaining_waits_longer_each_time() -> None:
    budget, server = Budget(), Server()
    told(budget, remaining=50, reset=300)
    now = 1.0
    for pause in (1, 2, 4, 8):
        permit = budget.take(now)
        budget.answered(permit, server.words(now, 40, 300), 429, now + 0.01)
        assert budget.admit(now + 0.02, 1) == pytest.approx(now + 0.01 + pause)
        now += 0.01 + pause
        assert room(budget, now + 0.01, most=2) == 1, "one at a time until it is over"
        budget.unused(Permit(0, 0))


def test_refusals_of_one_burst_count_once() -> None:
    budget, server = Budget(), Server()
    told(budget, remaining=50, reset=300)
    out = [budget.take(1.0) for _ in range(16)]
    for permit in out:
        budget.answered(permit, server.words(1.1, 40, 300), 429, 1.1)
    assert budget.admit(1.2, 1) == pytest.approx(2.1)


def test_retry_after_wins_over_the_guess() -> None:
    budget, server = Budget(), Server()
    told(budget, remaining=50, reset=300)
    words = server.words(1.0, 40, 300, retry_after="17")
    budget.answered(budget.take(1.0), words, 429, 1.0)
    assert budget.admit(1.1, 1) == pytest.approx(18.0)


def test_a_refusal_with_nothing_remaining_waits_for_the_reset() -> None:
    budget, server = Budget(), Server()
    budget.answered(budget.take(0.0), server.words(0.0, 0, 60), 429, 0.1)
    assert budget.admit(0.2, 1) == pytest.approx(budget.turn)
    assert not budget.spent


def test_refusals_that_outlast_resets_tell_a_longer_quota() -> None:
    budget, server = Budget(), Server()
    now = 0.1
    for _ in range(3):
        reset = (now // 60 + 1) * 60
        budget.answered(budget.take(now), server.words(now, 0, reset), 429, now)
        now = budget.admit(now, 1)
    assert budget.spent


def test_one_refusal_past_the_reset_is_enough_where_something_remains() -> None:
    budget, server = Budget(), Server()
    now = 0.1
    while now < 61:
        reset = (now // 60 + 1) * 60
        budget.answered(budget.take(now), server.words(now, 40, reset), 429, now)
        now = budget.admit(now, 1)
    budget.answered(budget.take(now), server.words(now, 40, 120), 429, now)
    assert budget.spent
    budget.answered(budget.take(now + 61), server.words(now + 61, 40, 180), 200, now + 61)
    assert not budget.spent


@pytest.mark.parametrize("offset", [SERVER + 3600, SERVER - 3600, 12345.0])
def test_only_the_servers_own_clock_counts(offset: float) -> None:
    budget = Budget()
    words = Server(offset).words(0.01, 0, 60)
    budget.answered(budget.take(0.0), words, 200, 0.01)
    assert 59.9 <= budget.turn <= 61.1


@pytest.mark.parametrize("step", [3600, -3600, 90, -90])
def test_a_server_clock_that_is_stepped_is_learned_again(step: float) -> None:
    budget = Budget()
    told(budget, remaining=50)
    stepped = Server(SERVER + step)
    # By the clock as it was stepped, a window of sixty seconds is in its middle.
    reset = 31.0
    budget.answered(budget.take(1.0), stepped.words(1.0, 40, reset), 200, 1.01)
    assert budget.clock.restarts == 1
    assert budget.remaining == 40
    assert 30.9 <= budget.turn <= 33


def test_share_leaves_others_their_part() -> None:
    budget = Budget(share=0.8)
    told(budget, remaining=99)
    assert room(budget, 0.02) == 79


def test_others_on_the_key_are_seen_and_their_rate_subtracted() -> None:
    budget, server = Budget(), Server()
    told(budget, remaining=99)
    now, remaining = 0.1, 99
    for _ in range(10):
        now, remaining = now + 0.5, remaining - 3  # ours, and two of theirs
        permit = budget.take(now - 0.01)
        budget.answered(permit, server.words(now, remaining, 60), 200, now)
    assert budget.others == pytest.approx(4.0, rel=0.1)
    assert room(budget, now) < remaining
    assert budget.admit(now + 10, 1) == budget.turn, "an old word leaves less room"


def test_ours_alone_are_nobody_elses() -> None:
    budget, server = Budget(), Server()
    told(budget, remaining=99)
    out = [budget.take(0.02) for _ in range(16)]
    for n, permit in enumerate(out):
        budget.answered(permit, server.words(2.0, 99 - n - 1, 60), 200, 2.0)
    assert budget.others == 0


def test_spent_before_we_came_is_nobody_elses_now() -> None:
    budget = Budget()
    told(budget, remaining=8)
    assert budget.others == 0
    assert room(budget, 0.02) == 8


def test_the_last_requests_are_aimed_at_the_turn_of_the_servers_second() -> None:
    budget, server = Budget(), Server(SERVER + 0.4)
    permit = budget.take(0.0)
    budget.answered(permit, server.words(0.01, 12, 59.6), 200, 0.01)
    assert budget.clock.doubt > 0.9
    now, sent = 0.02, []
    while budget.clock.doubt > 0.03:
        now = max(now, budget.admit(now, 99))
        sent.append(now)
        left = 12 - len(sent)
        budget.answered(budget.take(now), server.words(now, left, 59.6), 200, now + 0.001)
        now += 0.001
    assert len(sent) <= 11
    assert now < 5
    assert room(budget, now) == 12 - len(sent), "the rest is held back no longer"


def test_a_server_whose_headers_run_early_is_found_out_by_one_refusal() -> None:
    budget, server = Budget(), Server(SERVER + 0.4)
    budget.answered(budget.take(0.0), server.words(0.01, 0, 59.6), 200, 0.01)
    early = budget.admit(57.0, 99)
    assert 59.6 <= early <= 60.7
    budget.answered(budget.take(early), server.words(early, 0, 59.6), 429, early + 0.001)
    later = budget.admit(early + 0.01, 99)
    assert early + 0.2 < later < early + 1.1
    budget.answered(budget.take(later), server.words(later, 99, 120.4), 200, later)
    assert 120.6 <= budget.turn <= 122.1, "from now on a second late"


def test_nothing_is_aimed_where_nobody_waits() -> None:
    budget = Budget()
    told(budget, remaining=5)
    assert budget.admit(0.02, 4) == 0


def test_others_on_the_key_end_the_aiming() -> None:
    budget = Budget()
    told(budget, remaining=5)
    budget.others = 1.0
    assert room(budget, 0.02) < 5


@pytest.mark.parametrize(
    ("value", "date", "seconds"),
    [("5", None, 5), ("-3", None, 0), ("soon", None, None), ("1.5", None, 1.5)],
)
def test_retry_after_is_read_as_it_comes(value: str, date: float | None, seconds: Any) -> None:
    assert retry_after_seconds(Words(date=date, retry_after=value)) == seconds


header_values = st.one_of(
    st.binary(max_size=8),
    st.integers(-5, 10**12).map(lambda n: str(n).encode()),
    st.floats(0, 4e9, allow_nan=False).map(lambda t: formatdate(t, usegmt=True).encode()),
)
header_names = st.sampled_from(
    [b"X-RateLimit-Limit", b"X-RateLimit-Remaining", b"x-ratelimit-reset", b"Date", b"Retry-After"]
)
answers = st.lists(st.tuples(header_names, header_values), max_size=8)


@settings(max_examples=300)
@given(
    st.lists(
        st.tuples(
            answers,
            st.sampled_from([200, 404, 429, 500]),
            st.sampled_from(["answered", "lost", "unused", "unreached"]),
            st.floats(0, 90, allow_nan=False),
        ),
        max_size=30,
    )
)
def test_whatever_a_server_says_the_books_balance_and_time_goes_on(
    steps: list[tuple[list[tuple[bytes, bytes]], int, str, float]],
) -> None:
    budget, now = Budget(), 0.0
    for headers, status, end, pause in steps:
        for _ in range(100):
            when = budget.admit(now, 20)
            if when <= now:
                break
            assert when < math.inf
            assert when > now
            now = when
        else:
            raise AssertionError("time passes, and nothing is ever admitted")
        permit = budget.take(now)
        now += pause
        if end == "answered":
            budget.answered(permit, read_words(headers), status, now)
        elif end == "unreached":
            budget.unreached(permit, now)
        else:
            getattr(budget, end)(permit)
        assert budget.in_flight == 0


def test_a_night_of_failures_is_still_only_a_pause() -> None:
    away, refusing = Budget(), Budget()
    for second in range(2_000):
        away.unreached(away.take(second), second)
        refusing.answered(refusing.take(second), Words(), 429, second)
    assert away.admit(1_999, 1) == 2_000
    assert refusing.admit(1_999, 1) <= 2_059
    assert RetryPolicy(attempts=5_000, rng=lambda: 1.0).backoff(4_999) == 20

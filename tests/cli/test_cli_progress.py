import io

import pytest
from rich.console import Console

from kantos_async.cli.progress import Bars, Lines, Silent


class Clock:
    time = 0.0

    def __call__(self) -> float:
        return self.time


@pytest.fixture
def file() -> io.StringIO:
    return io.StringIO()


def test_lines_tell_the_count_now_and_then_and_the_time_at_the_end(file):
    clock = Clock()
    with Lines(Console(file=file), every=2.0, now=clock).step("Pushing", 3_000) as step:
        for clock.time in (0.5, 1.9, 2.1, 3.0):
            step.advance(400)
        step.note(lambda: "12 left")
        clock.time = 4.5
        step.advance()
    assert file.getvalue().splitlines() == [
        "Pushing: 1,200 of 3,000",
        "Pushing: 1,601 of 3,000 (12 left)",
        "Pushing: 1,601 in 4.5 s",
    ]


def test_lines_of_a_step_without_a_total(file):
    clock = Clock()
    with Lines(Console(file=file), now=clock).step("Reading") as step:
        clock.time = 3.0
        step.advance(7)
    assert file.getvalue().splitlines() == ["Reading: 7", "Reading: 7 in 3.0 s"]


def test_lines_are_not_wrapped_and_their_brackets_are_text(file):
    title = "[bold]" + "long " * 40
    with Lines(Console(file=file, width=40)).step(title):
        pass
    assert file.getvalue() == f"{title}: 0.0 s\n"


def test_a_step_that_fails_is_not_reported_as_finished(file):
    def interrupted() -> None:
        with Lines(Console(file=file)).step("Pushing", 10) as step:
            step.advance()
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert file.getvalue() == ""


@pytest.fixture
def terminal(file) -> Console:
    return Console(file=file, force_terminal=True, width=120, color_system=None)


def test_bars_end_full_whether_their_total_was_known_or_not(file, terminal):
    with Bars(terminal) as bars:
        with bars.step("Pushing [in]", 20) as step:
            step.advance(20)
        with bars.step("Reading") as step:
            step.advance(3)
    pushing, reading = [line for line in file.getvalue().splitlines() if "/" in line][-2:]
    assert "Pushing [in]" in pushing
    assert "20/20" in pushing
    assert "3/3" in reading


def test_an_interrupted_bar_stays_where_it_was(file, terminal):
    def interrupted() -> None:
        with Bars(terminal) as bars, bars.step("Pushing", 20) as step:
            step.advance(5)
            step.note(lambda: "95 left")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    last = [line for line in file.getvalue().splitlines() if "Pushing" in line][-1]
    assert "5/20" in last
    assert "95 left" in last


def test_silence_counts_without_a_word(capsys):
    with Silent().step("Pushing", 3) as step:
        step.advance()
        step.note(lambda: "…")
    assert capsys.readouterr() == ("", "")

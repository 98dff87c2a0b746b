"""The line of progress: parts that fit, a rate, the time left; nothing that floods a log."""

import pytest

from vector_tl import progress
from vector_tl.plain import CLEAR_LINE
from vector_tl.progress import SECONDS, Progress, in_words, track

pytestmark = pytest.mark.fast


@pytest.fixture
def clock(monkeypatch):
    """A clock that stands until it is set: `clock[0] = 12.0`."""
    now_s = [0.0]
    monkeypatch.setattr(progress.time, "monotonic", lambda: now_s[0])
    return now_s


def in_terminal(monkeypatch, columns):
    monkeypatch.setenv("COLUMNS", str(columns))
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setattr("sys.stderr.isatty", lambda: True, raising=False)


@pytest.mark.parametrize(
    ("columns", "line"),
    [
        (40, "evaluate: 120 of 480 images, 30 s left"),
        (80, "evaluate: 120 of 480 images, 30 s left, 12 images/s, AP50 0.71"),
        (200, "evaluate: 120 of 480 images, 30 s left, 12 images/s, AP50 0.71"),
        (20, "evaluate: 120 of 48"),
    ],
)
def test_as_many_parts_as_fit_into_the_terminal(columns, line, monkeypatch, clock, capsys):
    in_terminal(monkeypatch, columns)
    with Progress("evaluate", 480) as shown:
        clock[0] = 10.0
        shown.reach(120, "AP50 0.71")
        clock[0] = 10.1
        shown.reach(121)  # sooner than anybody could read
    assert capsys.readouterr().err == f"{CLEAR_LINE}{line}{CLEAR_LINE}"


@pytest.mark.parametrize("dumb", [False, True])
def test_a_log_gets_whole_lines_ever_more_rarely(dumb, monkeypatch, clock, capsys):
    monkeypatch.setenv("TERM", "dumb")
    monkeypatch.setattr("sys.stderr.isatty", lambda: dumb, raising=False)
    for _ in track(range(7200), "label check", 7200):
        clock[0] += 1.0  # two hours
    lines = capsys.readouterr().err.splitlines(keepends=True)
    assert lines[0] == "label check: 5 of 7200 images, 2 h 0 min left, 1 images/s\n"
    assert 10 < len(lines) < 40 and all(line.endswith("\n") and "\x1b" not in line for line in lines)


def test_what_is_over_soon_says_nothing(monkeypatch, clock, capsys):
    in_terminal(monkeypatch, 80)
    for _ in track(range(5), "evaluate", 5):
        clock[0] += 0.05
    assert capsys.readouterr().err == ""


def test_what_was_done_before_counts_as_done_but_not_for_the_rate(clock):
    shown = Progress("capture", 200, done=100)
    shown.done = 150
    assert shown.line(50.0) == "capture: 150 of 200 images, 50 s left, 1 images/s"


@pytest.mark.parametrize(
    ("shown", "line"),
    [
        (Progress("detect", done=1), "detect: 1 image"),
        (Progress("detect", 1), "detect: 0 of 1 image"),
        (Progress("train", 2, "steps", done=1), "train: 1 of 2 steps"),
        (Progress("download", 1, "MB", done=1), "download: 1 of 1 MB"),
    ],
)
def test_one_thing_is_not_several(shown, line):
    assert shown.line(0.0) == line


def test_of_a_film_the_rate_is_by_real_time(clock):
    shown = Progress("film", 40.0, SECONDS)
    shown.done = 10.0
    assert shown.line(20.0) == "film: 10 of 40 s, 60 s left, 0.5 times real time"
    assert Progress("poll", None, SECONDS).line(0.0) == "poll: 0 s"


def test_the_line_is_taken_away_when_the_work_fails(monkeypatch, clock, capsys):
    in_terminal(monkeypatch, 80)
    with pytest.raises(ValueError, match="broken"), Progress("evaluate", 10) as shown:
        clock[0] = 1.0
        shown.advance()
        raise ValueError("broken")
    assert capsys.readouterr().err.endswith(CLEAR_LINE)


def test_times_as_a_person_says_them():
    assert [in_words(s) for s in (0.4, 89, 90, 3600, 5400)] == [
        "0 s",
        "89 s",
        "2 min",
        "60 min",
        "1 h 30 min",
    ]

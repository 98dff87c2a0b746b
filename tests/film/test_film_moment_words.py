"""The line under a film: true at its moment, from the recording's own commands and detections."""

from dataclasses import dataclass

import cv2
import numpy as np
import pytest

from vector_tl.data.recording import RecordingWriter
from vector_tl.film.footage import open_footage
from vector_tl.film.moment_words import EVENT_S, caption_words, moment_words
from vector_tl.robot.base import Frame

pytestmark = pytest.mark.fast
JPEG = cv2.imencode(".jpg", np.full((90, 160, 3), 90, np.uint8))[1].tobytes()
NOTHING = np.zeros((0, 4), np.float32)
BOX = np.array([[10, 10, 40, 40]], np.float32)


@pytest.mark.parametrize(
    "mode, held, target, in_sight, expected",
    [
        ("search", False, None, False, "searching"),
        (
            "approach",
            False,
            (418.6, -31.2),
            True,
            "found, measured 419 mm away, 31 degrees right; approaching",
        ),
        (
            "approach",
            False,
            (300, 0.8),
            False,
            "unsure in this frame: about 300 mm away, 1 degree left; approaching",
        ),
        (
            "hold",
            False,
            (155, -0.3),
            True,
            "found, measured 155 mm away, straight ahead; reached: staying in place",
        ),
        ("done", False, None, False, "reached: stopped"),
        ("stopped", False, None, False, "stopped by a person"),
        ("approach", True, None, False, "approaching, wheels not driven"),
        ("a mode of later versions", False, None, False, "a mode of later versions"),
    ],
)
def test_words_of_a_moment(mode, held, target, in_sight, expected):
    assert moment_words(mode, held, target, in_sight) == expected


@dataclass
class Step:
    """One frame of a recording and what followed it."""

    boxes_xyxy: np.ndarray
    why: str | None  # no command where None
    target: tuple[float, float] | None = None
    event: str = ""


def lines(path, steps: list[Step], fps=10) -> list[str]:
    with RecordingWriter(path) as writer:
        for index, step in enumerate(steps):
            frame = Frame(index, index * 1000 // fps, index / fps, JPEG)
            writer.frame(frame)
            writer.detections(frame, step.boxes_xyxy, np.full(len(step.boxes_xyxy), 0.9, np.float32))
            if step.why is not None:
                writer.wheels(index / fps, 40, 40, True, step.why, step.target)
            if step.event:
                writer.event(index / fps, step.event)
    return [shown.line for shown in open_footage(path).images()]


def test_the_line_changes_with_the_recording_and_not_with_its_log(tmp_path):
    steps = [
        Step(NOTHING, "search"),
        Step(
            BOX, "approach", (419.0, -31.0), event="saw a Vector 419 mm away, 31 degrees right: approaching"
        ),
        Step(BOX, "approach", (402.0, -12.0)),
        Step(NOTHING, "approach", (390.0, -10.0)),
        Step(NOTHING, "search"),
    ]
    assert lines(tmp_path / "run.mcap", steps) == [
        "searching",
        "found, measured 419 mm away, 31 degrees right; approaching",
        "found, measured 402 mm away, 12 degrees right; approaching",
        "unsure in this frame: about 390 mm away, 10 degrees right; approaching",
        "searching",
    ]


def test_a_line_of_the_log_does_not_outlast_its_moment(tmp_path):
    """In a recording without commands nothing says how long it stays true."""
    steps = [Step(NOTHING, None, event="it has started"), *[Step(NOTHING, None)] * 40]
    shown = lines(tmp_path / "run.mcap", steps)
    assert shown[0] == shown[10] == "it has started"
    assert set(shown[int(EVENT_S * 10) + 2 :]) == {""}


@pytest.mark.parametrize(
    "mode, target, expected",
    [
        ("search", None, "searching"),
        ("approach", (419.0, -31.0), "approaching, about 40 cm away by its own estimate"),
        ("hold", (155.0, 2.0), "reached: staying in place, about 15 cm away by its own estimate"),
        ("approach", (4.0, 2.0), "approaching, about 5 cm away by its own estimate"),
    ],
)
def test_captions_change_more_seldom(mode, target, expected):
    assert caption_words(mode, False, target) == expected

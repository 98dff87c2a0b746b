"""Figures by kind of image."""

import numpy as np
import pytest

from vector_tl.evaluate.kind_table import kind_rows
from vector_tl.evaluate.kinds import figures_by_kind
from vector_tl.evaluate.metrics import Outcome

pytestmark = pytest.mark.fast

BOX = np.float32([[100, 100, 300, 300]])
NOTHING = np.zeros((0, 4), np.float32)


def outcome(there: bool, score: float | None) -> Outcome:
    """An image with or without a Vector, and a box there with a score."""
    found = NOTHING if score is None else BOX
    return Outcome((640, 360), BOX if there else NOTHING, found, np.float32([] if score is None else [score]))


# an image: a Vector in it?, score of the box found, kinds
IMAGES = [
    (True, 0.9, ("ordinary",)),
    (True, 0.9, ("ordinary", "far")),
    (True, 0.2, ("far", "screen-off")),
    (True, None, ("screen-off",)),
    (False, 0.9, ("none", "cube")),
    (False, None, ("none",)),
    (False, None, ()),
] * 6


@pytest.fixture
def rows():
    outcomes = [outcome(there, score) for there, score, _ in IMAGES]
    sessions = [f"session {number // 7}" for number in range(len(IMAGES))]
    return figures_by_kind(outcomes, [kinds for *_, kinds in IMAGES], sessions, 0.5)


def test_each_kind_has_its_own_figures_worst_first(rows):
    assert [row["kind"] for row in rows] == ["screen-off", "far", "ordinary", "cube", "none"]
    off, far, ordinary, cube, none = rows
    assert (off["images"], off["boxes"], off["recall"]) == (12, 12, 0.0) and 0.49 < off["ap50"] < 0.51
    assert (far["ap50"], far["recall"]) == (pytest.approx(1.0), 0.5)
    assert (ordinary["ap50_95"], ordinary["recall"]) == (pytest.approx(1.0), 1.0)
    assert [row["false_positives_per_image"] for row in rows] == [0.0, 0.0, 0.0, 1.0, 0.5]
    assert (
        cube["boxes"] == 0 and cube["ap50"] is cube["ap50_ci"] is cube["recall"] is cube["recall_ci"] is None
    )


def test_an_interval_holds_the_value_and_needs_five_sessions(rows):
    for row in rows[:3]:
        for key in ("ap50", "recall"):
            low, high = row[f"{key}_ci"]
            assert low - 1e-9 <= row[key] <= high + 1e-9
    outcomes = [outcome(there, score) for there, score, _ in IMAGES]
    few = figures_by_kind(outcomes, [kinds for *_, kinds in IMAGES], ["one"] * len(IMAGES), 0.5)
    assert all(row["ap50_ci"] is row["recall_ci"] is None for row in few)


def test_sessions_that_differ_widen_the_interval():
    outcomes = [outcome(True, 0.9 if number < 5 else None) for number in range(10)]
    (row,) = figures_by_kind(outcomes, [("far",)] * 10, [str(number) for number in range(10)], 0.5)
    low, high = row["recall_ci"]
    assert row["recall"] == 0.5 and 0.0 < low < 0.35 and 0.65 < high < 1.0


def test_images_without_kinds_give_no_rows():
    assert figures_by_kind([outcome(True, 0.9)], [()], ["a"], 0.5) == []
    assert figures_by_kind([], [], [], 0.5) == [] == kind_rows({}) == kind_rows({"best": []})


def test_models_stand_beside_each_other(rows):
    head, first, *_ = kind_rows({"best": rows, "scratch": rows[::-1]})
    assert head[:4] == ("kind", "images", "Vectors", "best: AP50") and len(head) == 9
    assert first[:3] == ("screen-off", 12, 12) and first[3:6] == first[6:9]
    assert first[3].startswith("0.50 (") and first[4] == "0.00 (0.00 to 0.00)"
    assert len(kind_rows({"best": rows})) == 6 and kind_rows({"best": rows})[0][3] == "AP50"

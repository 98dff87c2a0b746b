"""What a report counts, shows and advises."""

import cv2
import numpy as np
import pytest

from vector_tl.errors import UsageError, UserError
from vector_tl.evaluate.evaluate import describe, evaluate
from vector_tl.evaluate.metrics import Outcome, measure
from vector_tl.evaluate.report import cases, next_pictures, write_report
from vector_tl.evaluate.settings import EvaluateSettings
from vector_tl.labels.dataset import DataSet, Item

NEAR, FAR = [200, 100, 400, 300], [300, 180, 330, 210]  # 200 and 30 px high


@pytest.fixture
def pictures(tmp_path):
    """Twenty pictures of two sessions, each with a near Vector or a far one."""
    items = []
    for number in range(20):
        path = tmp_path / f"{number}.png"
        cv2.imwrite(str(path), np.full((360, 640, 3), 40 if number % 2 else 200, np.uint8))
        items.append(Item("a" if number < 10 else "b", f"{number:03d}", path, np.array([NEAR if number % 2 else FAR]) / [640, 360, 640, 360]))
    return DataSet(tmp_path, "test", items, 0, "")


def outcomes(dataset, found_far=False):
    """All near ones are found well, the far ones with a low score; session b has a false box in each picture."""
    seen = []
    for number, item in enumerate(dataset.items):
        predicted, scores = [NEAR if number % 2 else FAR], [0.9 if number % 2 or found_far else 0.2]
        if item.session == "b":
            predicted, scores = [*predicted, [10, 10, 60, 110]], [*scores, 0.8]
        order = np.argsort(-np.array(scores))
        seen.append(Outcome((640, 360), item.boxes_xyxy((640, 360)), np.float32(predicted)[order], np.float32(scores)[order]))
    return seen


def test_cases_are_counted_where_they_belong(pictures):
    vectors, alarms = cases(pictures, outcomes(pictures), 0.5)
    assert len(vectors) == 20 and len(alarms) == 10
    missed = [case for case in vectors if case.score <= 0.5]
    assert {case.bins["height"] for case in missed} == {"24 to 48 px"} and {case.bins["brightness"] for case in missed} == {"bright"}
    assert {case.bins["height"] for case in vectors if case.score > 0.5} == {"192 px and more"}
    assert {case.item.session for case in alarms} == {"b"} and all(case.iou is None and case.height_px == 100 for case in alarms)
    assert all(case.iou == pytest.approx(1.0) for case in vectors if case.score > 0.5)


def test_advice_follows_from_the_figures(pictures):
    vectors, alarms = cases(pictures, outcomes(pictures), 0.5)
    advice = "\n".join(next_pictures(vectors, alarms, 0.5))
    assert "24 to 48 px high: 0% of 10 found, 50% of all" in advice and "in bright light" in advice and "surroundings of b" in advice
    assert "192" not in advice and "surroundings of a" not in advice
    vectors, alarms = cases(pictures, outcomes(pictures, found_far=True), 0.5)
    assert [line for line in next_pictures(vectors, alarms, 0.5) if "surroundings" not in line] == []


def test_page_shows_every_miss_and_false_box(pictures, tmp_path):
    seen = outcomes(pictures)
    figures = {"model": "made", "arch": "none", "init": "scratch"} | measure(seen, 0.5)
    told = write_report(tmp_path / "r.html", figures, pictures, seen)
    page = (tmp_path / "r.html").read_text()
    assert (told["misses"], told["false_boxes"], told["loose_boxes"]) == (10, 10, 0)
    assert page.count("<img") == 20 and "Missed: 10" in page and "False boxes: 10" in page and "http" not in page.replace("http-equiv", "")
    assert "a/000: 30 px high, score 0.20" in page
    assert "10 missed, 10 false boxes" in describe(figures | told)


def test_a_report_is_not_overwritten(tmp_path):
    with pytest.raises(UsageError, match="must end in .html"):
        evaluate(EvaluateSettings("transfer", report=tmp_path / "r.txt"))
    (tmp_path / "r.html").write_text("mine")
    with pytest.raises(UserError, match="--overwrite"):
        evaluate(EvaluateSettings("transfer", report=tmp_path / "r.html"))
    assert (tmp_path / "r.html").read_text() == "mine"

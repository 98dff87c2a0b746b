"""What a report counts, shows and advises."""

import cv2
import numpy as np
import pytest

from vector_tl.data.coverage import BINS
from vector_tl.data.dataset import Dataset, Item
from vector_tl.errors import UsageError, UserError
from vector_tl.evaluate import report
from vector_tl.evaluate.evaluate import describe, evaluate
from vector_tl.evaluate.kinds import figures_by_kind
from vector_tl.evaluate.metrics import Outcome, measure
from vector_tl.evaluate.report import Case, cases, next_images, write_report
from vector_tl.evaluate.settings import EvaluateSettings

pytestmark = pytest.mark.fast

NEAR, FAR = [200, 100, 400, 300], [300, 180, 330, 210]  # 200 and 30 px high


@pytest.fixture
def images(tmp_path):
    """Twenty images of two sessions, each with a near Vector or a far one."""
    items = []
    for number in range(20):
        path = tmp_path / f"{number}.png"
        cv2.imwrite(str(path), np.full((360, 640, 3), 40 if number % 2 else 200, np.uint8))
        items.append(
            Item(
                "a" if number < 10 else "b",
                f"{number:03d}",
                path,
                np.array([NEAR if number % 2 else FAR]) / [640, 360, 640, 360],
            )
        )
    return Dataset(tmp_path, "test", items, 0)


def outcomes(dataset, found_far=False):
    """Near ones are found, far ones with a low score; session b has a false positive in each image."""
    seen = []
    for number, item in enumerate(dataset.items):
        predicted, scores = [NEAR if number % 2 else FAR], [0.9 if number % 2 or found_far else 0.2]
        if item.session == "b":
            predicted, scores = [*predicted, [10, 10, 60, 110]], [*scores, 0.8]
        order = np.argsort(-np.array(scores))
        seen.append(
            Outcome(
                (640, 360),
                item.boxes_xyxy((640, 360)),
                np.float32(predicted)[order],
                np.float32(scores)[order],
            )
        )
    return seen


def test_cases_are_counted_where_they_belong(images):
    vectors, false_positives = cases(images, outcomes(images), 0.5)
    assert len(vectors) == 20 and len(false_positives) == 10
    missed = [case for case in vectors if case.score <= 0.5]
    assert {case.bins["height"] for case in missed} == {"24 to 48 px"} and {
        case.bins["brightness"] for case in missed
    } == {"bright"}
    assert {case.bins["height"] for case in vectors if case.score > 0.5} == {"192 px and more"}
    assert {case.item.session for case in false_positives} == {"b"} and all(
        case.false_positive and case.height_px == 100 for case in false_positives
    )
    assert all(case.iou == pytest.approx(1.0) for case in vectors if case.score > 0.5)


def test_advice_follows_from_the_figures(images):
    vectors, false_positives = cases(images, outcomes(images), 0.5)
    advice = "\n".join(next_images(vectors, false_positives, 0.5))
    assert (
        "24 to 48 px high: 0% of 10 found, 50% of all" in advice
        and "in bright light" in advice
        and "surroundings of session b" in advice
    )
    assert "192" not in advice and "surroundings of session a" not in advice
    vectors, false_positives = cases(images, outcomes(images, found_far=True), 0.5)
    assert [line for line in next_images(vectors, false_positives, 0.5) if "surroundings" not in line] == []


def vectors_of(images, scores):
    """A Vector for each score (-1: no box fits it), all of one kind."""
    box = np.float32([100, 100, 300, 300])
    bins = {
        "height": "192 px and more",
        "place": next(iter(BINS["place"])),
        "brightness": next(iter(BINS["brightness"])),
        "session": "a",
    }
    return [Case(images.items[0], None, box, bins, score, 1.0 if score > 0 else 0.0) for score in scores]


HIDDEN = "and scores 0.72 to 0.97, below the confidence threshold of 0.98"
ADVICE = {  # scores of the Vectors; what is said at threshold .98, and what is not
    "nothing is found": ([-1.0] * 21, ["more of everything: only 0 of 21 Vectors found"], ["scores"]),
    "half is found, the threshold hides the others": (
        [0.99] * 11 + [-1, 0.03, 0.1, 0.2, 0.5, 0.72, 0.8, 0.9, 0.95, 0.97],
        [f"nothing for 5 of 10 missed Vectors: a box fits (IoU 0.5 or more) {HIDDEN}"],
        ["everything"],
    ),
    "few are found, one is hidden": (
        [0.99] * 3 + [-1.0] * 7 + [0.6],
        [
            "more of everything: only 3 of 11",
            "1 of 8 missed Vectors: a box fits (IoU 0.5 or more) and scores 0.60,",
        ],
        [],
    ),
    "too few to say": (
        [0.99] * 6 + [-1.0],
        ["fewer than 8 Vectors of a kind say little", "192 px and more high (7)"],
        ["everything", "scores"],
    ),
    "all is found": ([0.99] * 8, [], ["everything", "scores", "fewer"]),
    "no Vector is there": ([], [], ["everything", "scores", "fewer"]),
}


@pytest.mark.parametrize("name", list(ADVICE))
def test_a_poor_model_is_not_said_to_stand_out_nowhere(name, images):
    scores, said, unsaid = ADVICE[name]
    advice = "\n".join(next_images(vectors_of(images, scores), [], 0.98))
    assert all(words in advice for words in said) and not [words for words in unsaid if words in advice]
    assert (advice == "") == (not said)


def test_page_shows_every_missed_vector_and_false_positive(images, tmp_path):
    seen = outcomes(images)
    kinds = figures_by_kind(seen, [("far", "desk"), ()] * 10, [item.session for item in images.items], 0.5)
    figures = {"model": "made", "arch": "none", "init": "scratch"} | measure(seen, 0.5) | {"kinds": kinds}
    result = write_report(tmp_path / "r.html", figures, images, seen)
    page = (tmp_path / "r.html").read_text()
    assert (result["missed"], result["false_positives"], result["badly_fitting"]) == (10, 10, 0)
    assert (
        page.count("<img") == 21
        and "Missed: 10" in page
        and "False positives: 10" in page
        and "://" not in page
    )
    assert "a/000: 30 px high, score 0.20" in page
    assert "By kind of image" in page and page.index("<td>desk") < page.index("<td>far")
    assert "10 missed, 10 false positives" in describe(figures | result)


def test_a_table_of_some_sessions_says_so(images, tmp_path, monkeypatch):
    seen = outcomes(images)
    figures = measure(seen, 0.5) | {"model": "m", "kinds": []}
    for shown, heading in ((1, "By session, the worst 1 of 2"), (2, "By session")):
        monkeypatch.setattr(report, "MAX_SESSIONS", shown)
        write_report(tmp_path / "page.html", figures, images, seen)
        assert f"<h3>{heading}</h3>" in (tmp_path / "page.html").read_text()


def test_a_report_is_not_overwritten(tmp_path):
    with pytest.raises(UsageError, match="must end in .html"):
        evaluate(EvaluateSettings("transfer", report=tmp_path / "r.txt"))
    (tmp_path / "r.html").write_text("mine")
    with pytest.raises(UserError, match="--overwrite"):
        evaluate(EvaluateSettings("transfer", report=tmp_path / "r.html"))
    assert (tmp_path / "r.html").read_text() == "mine"

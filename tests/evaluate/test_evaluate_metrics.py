"""Metrics against pycocotools and against cases counted by hand."""

import contextlib
import io
import json
from types import SimpleNamespace

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vector_tl.data import dataset
from vector_tl.errors import UsageError, UserError
from vector_tl.evaluate.evaluate import describe, evaluate, evaluate_detector
from vector_tl.evaluate.metrics import Outcome, average_precision, match, measure
from vector_tl.evaluate.outcomes import run_detector
from vector_tl.evaluate.settings import EvaluateSettings
from vector_tl.nets.calibration import Calibration

pytestmark = pytest.mark.fast

NONE = np.zeros((0, 4), np.float32)


def outcome(boxes, predicted=(), scores=(), size_wh=(640, 360)):
    return Outcome(
        size_wh, np.float32(boxes).reshape(-1, 4), np.float32(predicted).reshape(-1, 4), np.float32(scores)
    )


def made_outcomes(seed, images=40):
    """Images with 0 to 3 boxes; predictions that are near, doubled, nowhere near, or missing."""
    rng = np.random.default_rng(seed)
    result = []
    for _ in range(images):
        corner, size = rng.uniform(0, 300, (rng.integers(0, 4), 2)), rng.uniform(5, 200, (1, 2))
        boxes = np.concatenate([corner, corner + size], axis=1)
        near = [
            box + rng.normal(0, rng.choice([1, 8, 30]), 4) for box in boxes for _ in range(rng.integers(0, 3))
        ]
        far = [[x, y, x + 40, y + 60] for x, y in rng.uniform(0, 280, (rng.integers(0, 3), 2))]
        predicted = np.float32([*near, *far]).reshape(-1, 4)
        predicted[:, 2:] = np.maximum(predicted[:, 2:], predicted[:, :2] + 1)
        scores = -np.sort(-rng.uniform(0.011, 1, len(predicted)))
        result.append(outcome(boxes, predicted, scores))
    return result


@pytest.mark.parametrize("seed", range(5))
def test_ap_is_that_of_pycocotools(seed):
    pytest.importorskip("pycocotools")
    from pycocotools.coco import COCO
    from pycocotools.cocoeval import COCOeval

    made = made_outcomes(seed)
    wide = [
        [float(v) for v in (x1, y1, x2 - x1, y2 - y1)]
        for o in made
        for x1, y1, x2, y2 in o.boxes_xyxy.astype(float)
    ]
    where = [i for i, o in enumerate(made) for _ in o.boxes_xyxy]
    with contextlib.redirect_stdout(io.StringIO()):
        truth = COCO()
        truth.dataset = {
            "images": [{"id": i} for i in range(len(made))], "categories": [{"id": 1}],
            "annotations": [
                {"id": n + 1, "image_id": i, "category_id": 1, "bbox": b, "area": b[2] * b[3], "iscrowd": 0}
                for n, (i, b) in enumerate(zip(where, wide, strict=True))
            ],
        }  # fmt: skip
        truth.createIndex()
        found = truth.loadRes([
            {"image_id": i, "category_id": 1, "bbox": [*b[:2], *(b[2:] - b[:2])], "score": float(s)}
            for i, o in enumerate(made) for b, s in zip(o.predicted_xyxy.astype(float), o.scores, strict=True)
        ])  # fmt: skip
        oracle = COCOeval(truth, found, "bbox")
        oracle.evaluate(), oracle.accumulate(), oracle.summarize()
    assert average_precision(made) == pytest.approx((oracle.stats[1], oracle.stats[0]), abs=1e-9)


@pytest.mark.parametrize(("made", "expected"), [
    ([], (None, None)),
    ([outcome(NONE)], (None, None)),
    ([outcome(NONE, [[0, 0, 9, 9]], [0.9])], (None, None)),
    ([outcome([[0, 0, 9, 9]])], (0.0, 0.0)),
    ([outcome([[0, 0, 9, 9]], [[0, 0, 9, 9]], [0.005])], (0.0, 0.0)),
    ([outcome([[0, 0, 9, 9]], [[0, 0, 9, 9]], [0.02]), outcome(NONE)], (1.0, 1.0)),
])  # fmt: skip
def test_ap_at_the_edges(made, expected):
    got = average_precision(made)
    assert got == (pytest.approx(expected) if expected[0] is not None else expected)


def test_figures_at_a_threshold():
    two = outcome(
        [[0, 0, 100, 20], [200, 0, 300, 200]],
        [[0, 0, 100, 20], [0, 0, 100, 20], [200, 0, 300, 200]],
        [0.9, 0.8, 0.3],
    )
    empty = outcome(NONE, [[5, 5, 50, 50]], [0.7])
    figures = measure([two, empty], 0.5)
    assert (figures["images"], figures["boxes"]) == (2, 2)
    assert (
        figures["precision"] == pytest.approx(1 / 3)
        and figures["recall"] == 0.5
        and figures["false_positives_per_image"] == 1.0
    )
    assert [(r["min"], r["max"], r["boxes"], r["recall"]) for r in figures["recall_by_height_px"]] == [
        (0, 24, 1, 1.0), (24, 48, 0, None), (48, 96, 0, None), (96, 192, 0, None), (192, None, 1, 0.0),
    ]  # fmt: skip
    assert measure([two, empty], 0.2)["recall"] == 1.0
    json.dumps(figures, allow_nan=False)


@pytest.mark.parametrize("size_wh", [(640, 360), (1280, 720), (320, 180), (360, 360)])
def test_heights_are_scaled_to_360_lines(size_wh):
    scale = size_wh[1] / 360
    box = np.array([[0, 0, 50, 100]]) * scale
    rows = measure([outcome(box, box, [0.9], size_wh)], 0.5)["recall_by_height_px"]
    assert [r["boxes"] for r in rows] == [0, 0, 0, 1, 0]


def test_undefined_is_none():
    figures = measure([outcome(NONE)], 0.5)
    assert [figures[k] for k in ("ap50", "ap50_95", "precision", "recall")] == [None] * 4 and figures[
        "false_positives_per_image"
    ] == 0.0


def test_greedy_match_takes_the_best_score_first():
    found_at, matched = match(outcome([[0, 0, 10, 10]], [[0, 0, 10, 9], [0, 0, 10, 10]], [0.4, 0.6]))
    assert found_at.tolist() == pytest.approx([0.6]) and matched.tolist() == [False, True]


BOXES = st.lists(
    st.tuples(st.floats(0, 50), st.floats(0, 50), st.floats(1, 50), st.floats(1, 50)), max_size=4
)


@given(BOXES, BOXES, st.floats(0, 1))
def test_a_threshold_only_cuts_the_list(truth, guess, threshold):
    def corners(boxes):
        return np.array([[x, y, x + w, y + h] for x, y, w, h in boxes], np.float32).reshape(-1, 4)

    scores = np.linspace(1, 0.05, len(guess), dtype=np.float32)
    whole = outcome(corners(truth), corners(guess), scores)
    above = scores > threshold
    cut = outcome(corners(truth), corners(guess)[above], scores[above])
    assert ((match(whole)[0] > threshold) == (match(cut)[0] > 0)).all()
    assert (match(whole)[1][above] == match(cut)[1]).all()


class DarkestCorner:
    """A detector that detects everything dark as a Vector."""

    name, arch, init, threshold = "dark", "none", "scratch", 0.5

    def __call__(self, image, threshold=None):
        y, x = np.nonzero(image[..., 0] < 50)
        boxes = [[x.min(), y.min(), x.max() + 1, y.max() + 1]] if len(x) else NONE
        return SimpleNamespace(
            boxes_xyxy=np.float32(boxes).reshape(-1, 4), scores=np.full(min(len(x), 1), 0.9, np.float32)
        )


def made_folder(folder):
    for i in range(4):
        image = np.full((90, 160, 3), 200, np.uint8)
        if i:
            image[20:60, 30 * i : 30 * i + 25] = 10
        boxes = np.array([[30 * i, 20, 30 * i + 25, 60]]) if i else NONE
        dataset.write_item(
            folder, "made", str(i), cv2.imencode(".png", image)[1].tobytes(), boxes, (160, 90), ".png"
        )
    return folder


def test_a_detector_on_a_folder(tmp_path, capsys):
    figures = evaluate_detector(DarkestCorner(), dataset.load_dataset(made_folder(tmp_path)))
    assert list(figures) == [
        "model", "arch", "init", "images", "boxes", "ap50", "ap50_95", "threshold", "precision", "recall",
        "false_positives_per_image", "recall_by_height_px", "kinds",
    ]  # fmt: skip
    assert (figures["images"], figures["boxes"], figures["recall"], figures["threshold"]) == (4, 3, 1.0, 0.5)
    assert figures["ap50_95"] == pytest.approx(1.0)
    assert "AP50 1.000" in describe(figures)
    assert capsys.readouterr().out == ""


class Calibrated(DarkestCorner):
    """The same with a sure and an unsure box, and scores that are calibrated far down."""

    calibration = Calibration(1.0, -4.0)
    own_scores = np.float32([0.9, 0.02])

    def __call__(self, image, threshold=None):
        found = super().__call__(image)
        boxes = (
            np.repeat(found.boxes_xyxy, 2, axis=0)
            + np.float32([[0, 0, 0, 0], [50, 0, 50, 0]])[: 2 * len(found.scores)]
        )
        scores = self.calibration(self.own_scores[: len(boxes)]).astype(np.float32)
        above = scores > threshold
        return SimpleNamespace(boxes_xyxy=boxes[above], scores=scores[above])


def test_calibrated_scores_are_compared_with_the_threshold_and_ap_takes_the_networks_own(tmp_path):
    """.02 becomes .0004, and that box still counts for AP; .9 becomes .14, above .1 but not above .5."""
    data = dataset.load_dataset(made_folder(tmp_path))
    outcomes = run_detector(Calibrated(), data)
    assert [len(o.scores) for o in outcomes] == [0, 2, 2, 2]
    assert outcomes[1].own_scores == pytest.approx([0.9, 0.02], abs=1e-5)
    assert [evaluate_detector(Calibrated(), data, at)["recall"] for at in (0.1, 0.5)] == [1.0, 0.0]
    assert evaluate_detector(Calibrated(), data)["ap50_95"] == pytest.approx(1.0)


class Shortsighted(DarkestCorner):
    """Sure of what is dark in an image no larger than 80 x 45, and doubtful in a larger one."""

    engine, calibration = "none", Calibration()

    def batch(self, images, threshold):
        return [self._found(image, threshold) for image in images]

    def __call__(self, image, threshold=None):
        return self._found(image, threshold)

    def _found(self, image, threshold):
        boxes = super().__call__(image).boxes_xyxy
        scores = np.full(len(boxes), 0.99 if image.shape[1] <= 80 else 0.3, np.float32)
        return SimpleNamespace(boxes_xyxy=boxes[scores > threshold], scores=scores[scores > threshold])


@pytest.mark.parametrize(("tiles", "recall"), [(False, 0.0), (True, 1.0)])
def test_with_tiles_it_looks_twice(tmp_path, monkeypatch, tiles, recall):
    image = np.full((90, 160, 3), 200, np.uint8)
    image[35:50, 60:90] = 10
    data = cv2.imencode(".png", image)[1].tobytes()
    dataset.write_item(tmp_path, "made", "0", data, np.array([[60, 35, 90, 50]]), (160, 90), ".png")
    monkeypatch.setattr("vector_tl.detect.detector.load", lambda *_, **__: Shortsighted())
    assert evaluate(EvaluateSettings("any", tmp_path, tiles=tiles))["recall"] == recall


@pytest.mark.parametrize("threshold", [-0.1, 1.1, float("nan")])
def test_bad_threshold(tmp_path, threshold):
    with pytest.raises(UsageError, match="--threshold"):
        evaluate(EvaluateSettings("any", tmp_path, threshold=threshold))


def test_folder_without_images(tmp_path):
    with pytest.raises(UserError, match="images"):
        evaluate(EvaluateSettings("any", tmp_path))

"""What a model says of its scores: threshold, calibration, and whether it is hardly trained."""

import json

import numpy as np
import pytest
import torch

from support.outcomes import BOX, with_vector, without
from vector_tl.evaluate.metrics import Outcome
from vector_tl.nets.calibration import calibration_of
from vector_tl.train.batches import Images
from vector_tl.train.threshold import (
    VIEWS,
    choose_threshold,
    judge_scores,
    views,
)

pytestmark = pytest.mark.fast


@pytest.mark.parametrize(
    ("render", "photo", "expected"),
    [(0.3, 0.3, 0.5), (0.3, 0.6214, 0.622), (0.6214, 0.3, 0.622), (0.9999, 0.9999, 0.999)],
)
def test_threshold_lies_above_the_false_positives(render, photo, expected):
    assert choose_threshold([without(render)] * 10, [[without(photo)] * 10]) == pytest.approx(expected)


@pytest.mark.parametrize(("wrong", "expected"), [(1, 0.5), (2, 0.5), (3, 0.9)])
def test_one_false_positive_in_a_hundred_images_is_allowed(wrong, expected):
    photos = [without(0.9)] * wrong + [without()] * (200 - wrong)
    assert choose_threshold([], [photos]) == pytest.approx(expected, abs=1e-3)


def test_a_model_that_finds_something_has_that_threshold():
    said = judge_scores([with_vector(0.9)] * 30, [[without(0.7)] * 10])
    assert said == {"thresholds": {"fp32": pytest.approx(0.7, abs=1e-3)}, "calibration": None} | {
        "hardly_trained": None
    }


def test_a_hardly_trained_model_shows_its_best_boxes_and_says_so():
    """Ten Vectors, of which five have the best boxes; false positives as sure as those are everywhere."""
    validation = [with_vector(0.3, 0.05)] * 5 + [with_vector(0.1, 0.28)] * 5
    said = judge_scores(validation, [[without(0.29)] * 50])
    threshold = said["thresholds"]["fp32"]
    shown = [float(score) for outcome in validation for score in outcome.scores if score > threshold]
    assert sorted(shown) == pytest.approx([0.28] * 5 + [0.3] * 5)
    assert said["hardly_trained"].startswith("This model is hardly trained: with few false alarms it finds 0")
    assert "train it longer, with" in said["hardly_trained"]


def test_a_model_that_has_found_nothing_yet_shows_whatever_it_has():
    nothing = judge_scores([Outcome((64, 36), BOX, np.zeros((0, 4)), np.zeros(0))], [])
    assert nothing["thresholds"]["fp32"] == 0.01 and nothing["hardly_trained"]


def test_the_threshold_is_one_of_calibrated_scores():
    validation, photos = [with_vector(0.9, 0.3)] * 60, [without(0.8)] * 50 + [without(0.2)] * 50
    said = judge_scores(validation, [photos])
    own, calibration = choose_threshold(validation, [photos]), calibration_of(said)
    assert said["thresholds"]["fp32"] == pytest.approx(float(calibration(np.float64(own))))
    assert own == pytest.approx(0.801) and abs(said["thresholds"]["fp32"] - own) > 0.1
    json.dumps(said, allow_nan=False)


def test_views_show_all_of_an_image_and_parts_of_it_nearer():
    across = np.linspace(0, 255, 64).round().astype(np.uint8)
    down = np.linspace(0, 255, 36).round().astype(np.uint8)
    one = np.stack([np.tile(across, (36, 1)), np.tile(down[:, None], (1, 64)), np.zeros((36, 64), np.uint8)])
    images = Images(torch.from_numpy(one)[None], [np.zeros((0, 4))])
    seen = list(views(images))
    assert len(seen) == len(VIEWS) == 8
    assert all(
        view.pixels.shape == images.pixels.shape and view.pixels.dtype == torch.uint8 and len(view) == 1
        for view in seen
    )
    assert torch.equal(seen[0].pixels, images.pixels)
    assert torch.equal(seen[1].pixels.flip(3), images.pixels)
    ranges = [
        (
            v.pixels[0, 0].min().item(),
            v.pixels[0, 0].max().item(),
            v.pixels[0, 1].min().item(),
            v.pixels[0, 1].max().item(),
        )
        for v in seen
    ]
    for seen_range, wanted in zip(
        ranges[2:],
        [(25, 230, 25, 230)] * 2
        + [(0, 204, 0, 204), (51, 255, 0, 204), (0, 204, 51, 255), (51, 255, 51, 255)],
        strict=True,
    ):
        assert seen_range == pytest.approx(wanted, abs=5)  # four fifths of each way
    assert (
        seen[2].pixels[0, 0, 0, 0] < seen[2].pixels[0, 0, 0, -1]
        and seen[3].pixels[0, 0, 0, 0] > seen[3].pixels[0, 0, 0, -1]
    )  # mirrored

"""The threshold that a model carries."""

import numpy as np
import pytest
import torch

from vector_tl.evaluate.metrics import Outcome
from vector_tl.train.batches import Images
from vector_tl.train.threshold import VIEWS, choose_threshold, views

pytestmark = pytest.mark.fast


@pytest.mark.parametrize(
    ("render", "photo", "expected"),
    [(0.3, 0.3, 0.5), (0.3, 0.62, 0.65), (0.62, 0.3, 0.65), (0.999, 0.999, 0.99)],
)
def test_threshold_lies_above_the_false_positives(render, photo, expected):
    def images(score):
        return [Outcome((64, 36), np.zeros((0, 4)), np.float32([[0, 0, 9, 9]]), np.float32([score]))] * 10

    assert choose_threshold(images(render), [images(photo)]) == pytest.approx(expected)


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

"""Mosaics of four: boxes lie on what they mark, and nothing else about an image is made up."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from vector_tl.data.boxes import sides
from vector_tl.train.augment import MIN_VISIBLE
from vector_tl.train.mosaic import HALF, MAX_JITTER, draw_part, make_mosaic, quarters

pytestmark = pytest.mark.fast
WIDTH, HEIGHT = 160, 90
SIZE_WH = np.array([WIDTH, HEIGHT])
RECTANGLE = st.tuples(st.integers(0, 120), st.integers(0, 60), st.integers(16, 40), st.integers(16, 30)).map(
    lambda r: (r[0], r[1], r[0] + r[2], r[1] + r[3])
)


COLOURS = torch.tensor([[1, 0, 0], [0, 1, 0], [0, 0, 1], [1, 1, 0]], dtype=torch.uint8) * 200


def image_with(rectangle, colour):
    """A black image (3, H, W) with a rectangle of a colour, and its box (1, 4); without one: no box."""
    image = torch.zeros((3, HEIGHT, WIDTH), dtype=torch.uint8)
    if rectangle is None:
        return image, np.zeros((0, 4))
    x1, y1, x2, y2 = rectangle
    image[:, y1:y2, x1:x2] = colour[:, None, None]
    return image, np.array([rectangle]) / np.tile(SIZE_WH, 2)


@settings(deadline=None, max_examples=60)
@given(st.lists(st.none() | RECTANGLE, min_size=4, max_size=4), st.integers(0, 10_000))
def test_boxes_cover_the_same_pixels_as_before(rectangles, seed):
    """Each rectangle has its own colour, and is found again in the mosaic where its box says."""
    images, boxes = zip(*map(image_with, rectangles, COLOURS), strict=True)
    mosaic, moved = make_mosaic(torch.stack(images), list(boxes), np.random.default_rng(seed))
    assert mosaic.shape == images[0].shape and mosaic.dtype == torch.uint8
    seen = []
    for colour in COLOURS:
        y, x = torch.nonzero(((mosaic > 100) == (colour > 100)[:, None, None]).all(dim=0), as_tuple=True)
        if len(x):
            seen.append([int(x.min()), int(y.min()), int(x.max()) + 1, int(y.max()) + 1])
    pixels = moved * np.tile(SIZE_WH, 2)
    assert len(pixels) <= sum(rectangle is not None for rectangle in rectangles)
    for box in pixels[(sides(pixels) > 3).all(axis=1)]:
        assert any(np.abs(np.array(one) - box).max() <= 1.0 for one in seen), (box, seen)


@settings(deadline=None)
@given(RECTANGLE, st.floats(-MAX_JITTER, MAX_JITTER), st.floats(-MAX_JITTER, MAX_JITTER), st.integers(0, 999))
def test_a_part_cuts_no_box_by_half_and_keeps_its_shape(rectangle, across, down, seed):
    box = np.array([rectangle]) / np.tile(SIZE_WH, 2)
    quarter = np.array([HALF + across, HALF + down])
    x1, y1, x2, y2 = draw_part(box, quarter, SIZE_WH, np.random.default_rng(seed))
    assert 0 <= x1 < x2 <= WIDTH and 0 <= y1 < y2 <= HEIGHT
    left, top = max(x1, rectangle[0]), max(y1, rectangle[1])
    right, bottom = min(x2, rectangle[2]), min(y2, rectangle[3])
    whole = (rectangle[2] - rectangle[0]) * (rectangle[3] - rectangle[1])
    visible = max(right - left, 0) * max(bottom - top, 0) / whole
    assert visible >= MIN_VISIBLE or visible <= 0.05
    scale = quarter * SIZE_WH / [x2 - x1, y2 - y1]
    if (x2 - x1, y2 - y1) != (WIDTH, HEIGHT):
        assert scale == pytest.approx(max(HALF, *quarter), rel=0.06)  # whole pixels


@given(st.integers(1, WIDTH - 1), st.integers(1, HEIGHT - 1))
def test_the_quarters_cover_an_image_once(x, y):
    count = np.zeros((HEIGHT, WIDTH), int)
    for x1, y1, x2, y2 in quarters(np.array([x, y]), SIZE_WH):
        count[y1:y2, x1:x2] += 1
    assert (count == 1).all()


def test_all_four_images_are_shown():
    levels = torch.tensor([20, 90, 160, 230], dtype=torch.uint8)
    pixels = levels[:, None, None, None].expand(4, 3, HEIGHT, WIDTH)
    mosaic, boxes = make_mosaic(pixels, [np.zeros((0, 4))] * 4, np.random.default_rng(0))
    corners = mosaic[0][[0, 0, -1, -1], [0, -1, 0, -1]]
    assert corners.tolist() == levels.tolist() and boxes.shape == (0, 4)
    assert set(mosaic.unique().tolist()) == set(levels.tolist())

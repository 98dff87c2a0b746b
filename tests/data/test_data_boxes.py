"""Boxes: areas, overlap, clipping and forms; each also of no boxes at all."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vector_tl.data import boxes

pytestmark = pytest.mark.fast

NONE = np.zeros((0, 4), np.float32)
CORNERS = [[0, 0, 10, 10], [5, 0, 15, 10], [20, 20, 30, 50]]


def test_sides_and_areas():
    assert boxes.sides(CORNERS).tolist() == [[10, 10], [10, 10], [10, 30]]
    assert boxes.areas(CORNERS).tolist() == [100, 100, 300]
    assert boxes.sides(NONE).shape == (0, 2) and boxes.areas([]).shape == (0,)


def test_iou_matrix():
    iou = boxes.iou_matrix([[0, 0, 10, 10]], CORNERS)
    assert iou[0].tolist() == pytest.approx([1, 1 / 3, 0])
    assert boxes.iou_matrix(NONE, NONE).shape == (0, 0)
    assert boxes.iou_matrix(NONE, np.ones((2, 4))).shape == (0, 2)


def test_share_inside():
    assert boxes.share_inside(CORNERS, [[0, 0, 10, 35]]).tolist() == [[1], [0.5], [0]]
    assert boxes.share_inside(NONE, CORNERS).shape == (0, 3)
    assert boxes.share_inside([[3, 3, 3, 3]], CORNERS).tolist() == [
        [0, 0, 0]
    ]  # without an area: no division by 0


def test_clip_boxes():
    clipped = boxes.clip_boxes([[-3, 2, 70, 99], [10, 10, 20, 20]], (64, 48))
    assert clipped.tolist() == [[0, 2, 64, 48], [10, 10, 20, 20]]
    assert boxes.clip_boxes(NONE, (64, 48)).shape == (0, 4)


def test_pixels_and_shares_of_the_image():
    norm = boxes.to_norm(CORNERS, (40, 80))
    assert norm[2].tolist() == [0.5, 0.25, 0.75, 0.625]
    assert np.array_equal(boxes.to_pixels(norm, (40, 80)), CORNERS)
    assert boxes.to_pixels([], (40, 80)).shape == (0, 4)


@pytest.mark.parametrize(
    ("there", "back", "expected"),
    [
        (boxes.to_cxcywh, boxes.from_cxcywh, [25, 35, 10, 30]),
        (boxes.to_xywh, boxes.from_xywh, [20, 20, 10, 30]),
    ],
)
def test_forms(there, back, expected):
    assert there(CORNERS)[2].tolist() == expected
    assert np.array_equal(back(there(CORNERS)), CORNERS)
    assert there([]).shape == back(NONE).shape == (0, 4)


BOX = st.tuples(*[st.floats(0, 100), st.floats(0, 100), st.floats(1, 50), st.floats(1, 50)])


@settings(deadline=None)
@given(st.lists(BOX, min_size=1, max_size=5), st.lists(BOX, max_size=5))
def test_iou_is_that_of_torchvision(a, b):
    torch = pytest.importorskip("torch")
    ops = pytest.importorskip("torchvision.ops")
    a, b = boxes.from_xywh(a), boxes.from_xywh(b)
    theirs = ops.box_iou(torch.from_numpy(a), torch.from_numpy(b)).numpy()
    assert boxes.iou_matrix(a, b) == pytest.approx(theirs, abs=1e-9)

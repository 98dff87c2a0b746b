"""Vectors pasted by their masks: boxes are of what stays visible, and nothing else changes."""

import cv2
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from vector_tl.data.dataset import load_dataset, mask_path, write_item
from vector_tl.data.images import encode_mask
from vector_tl.errors import UserError
from vector_tl.train.batches import Batches, Images
from vector_tl.train.paste import MIN_LEFT, Cutout, Layer, cut_out, paste, visible_box
from vector_tl.train.ranks import Ranks
from vector_tl.train.settings import TrainSettings, Variety
from vector_tl.train.training_data import load_training_data

pytestmark = pytest.mark.fast
SIZE_WH = np.array([640, 360])


def disc(radius=50):
    """A white disc, which covers less than its box."""
    alpha = cv2.circle(np.zeros((2 * radius + 1,) * 2, np.uint8), (radius, radius), radius, 255, -1)
    return Cutout(np.full((*alpha.shape, 3), 255, np.uint8), alpha)


@settings(deadline=None, max_examples=60)
@given(st.integers(0, 100_000))
def test_boxes_hold_all_that_was_pasted_and_no_more(seed):
    image = torch.zeros(3, 360, 640, dtype=torch.uint8)
    boxes = paste(image, np.zeros((0, 4)), [disc()], np.random.default_rng(seed))
    assert boxes.shape[1] == 4 and len(boxes) <= 3 and (boxes >= 0).all() and (boxes <= 1).all()
    y, x = torch.nonzero(image[0] > 60, as_tuple=True)
    assert (len(x) > 0) == (len(boxes) > 0)
    if len(boxes):
        pixels = boxes * np.tile(SIZE_WH, 2)
        around = [*pixels[:, :2].min(axis=0), *pixels[:, 2:].max(axis=0)]
        np.testing.assert_allclose(around, [x.min(), y.min(), x.max() + 1, y.max() + 1], atol=1.5)


@settings(deadline=None, max_examples=60)
@given(st.integers(0, 100_000))
def test_what_was_there_before_keeps_enough_in_sight(seed):
    """Its box may shrink where a Vector stands before it, and never grows."""
    box = np.array([[0.3, 0.3, 0.6, 0.9]])
    image = torch.zeros(3, 360, 640, dtype=torch.uint8)
    first, *_ = paste(image, box, [disc()], np.random.default_rng(seed))
    assert (first[:2] >= box[0, :2] - 1e-3).all() and (first[2:] <= box[0, 2:] + 2e-3).all()
    part = image[0, 108:324, 192:384]
    assert float((part < 128).float().mean()) >= MIN_LEFT - 0.05


def test_a_box_is_of_what_others_leave_of_a_vector():
    below = Layer(10, 10, np.ones((20, 30), bool))
    left_half, whole_row = Layer(5, 5, np.ones((40, 20), bool)), Layer(0, 10, np.ones((5, 100), bool))
    assert visible_box([below], 0, SIZE_WH) == (10, 10, 40, 30)
    assert visible_box([below, left_half], 0, SIZE_WH) == (25, 10, 40, 30)
    assert visible_box([below, left_half, whole_row], 0, SIZE_WH) == (25, 15, 40, 30)
    assert visible_box([left_half, below], 1, SIZE_WH) == (10, 10, 40, 30)
    assert visible_box([Layer(630, 350, np.ones((30, 30), bool))], 0, SIZE_WH) == (630, 350, 640, 360)


@pytest.fixture
def data(tmp_path):
    """An image with a whole Vector (1), one cut by the edge (2) and a small one (3); one without a mask."""
    image, mask = np.full((360, 640, 3), 90, np.uint8), np.zeros((360, 640), np.uint8)
    for number, (x1, y1, x2, y2) in enumerate(
        ((100, 100, 180, 160), (0, 50, 60, 150), (300, 300, 320, 320)), 1
    ):
        mask[y1:y2, x1:x2], image[y1:y2, x1:x2] = number, 40 * number
    data = cv2.imencode(".png", image)[1].tobytes()
    for name in ("a", "b"):
        write_item(tmp_path, "one", name, data, np.array([[100, 100, 180, 160]]), (640, 360), ".png")
    mask_path(tmp_path, "one", "a").parent.mkdir(parents=True)
    mask_path(tmp_path, "one", "a").write_bytes(encode_mask(mask))
    return tmp_path


def test_whole_vectors_are_cut_out(data):
    (cutout,) = cut_out(data, load_dataset(data, "all").items, 0)
    assert cutout.rgb.shape == (60, 80, 3) and (cutout.rgb == 40).all() and (cutout.alpha == 255).all()


def test_a_broken_mask_is_named(data):
    mask_path(data, "one", "a").write_bytes(b"no mask")
    with pytest.raises(UserError, match=r"a\.png"):
        cut_out(data, load_dataset(data, "all").items, 0)


def test_without_masks_pasting_is_refused_with_the_remedy(data):
    mask_path(data, "one", "a").unlink()
    items = load_dataset(data, "all").items
    asked = TrainSettings(data=data, out=data / "m.safetensors", paste=0.5)
    with pytest.raises(UserError, match="capture --robot sim --masks"):
        load_training_data(asked, (items, items), Ranks())
    assert load_training_data(TrainSettings(data=data, out=asked.out), (items, items), Ranks()).cutouts == []


def test_backgrounds_get_vectors_too():
    grey = Images(torch.full((4, 3, 360, 640), 60, dtype=torch.uint8), [np.zeros((0, 4))] * 4)
    batches = Batches(
        grey, grey, 8, (64, 64), 0, torch.device("cpu"), 0.5, variety=Variety(paste=1.0), cutouts=[disc()]
    )
    pixels, boxes = batches._with_pasted(grey.pixels.repeat(2, 1, 1, 1), grey.boxes * 2)
    assert all(len(of_image) for of_image in boxes) and (pixels.amax(dim=(1, 2, 3)) > 100).all()
    assert (grey.pixels == 60).all(), "the kept images stay as they are"

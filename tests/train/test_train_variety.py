"""Casts, grey images, patches over Vectors: each changes its share, and only what it says."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from vector_tl.train.augment import draw_window
from vector_tl.train.settings import MAX_ZOOM_OUT, Variety
from vector_tl.train.variety import MAX_HIDDEN, cast_colours, draw_patch, hide_parts, remove_colours

pytestmark = pytest.mark.fast


@pytest.fixture
def batch():
    return torch.rand(200, 3, 12, 12, generator=torch.Generator().manual_seed(0)) * 0.6 + 0.2


@pytest.mark.parametrize("share", [0.0, 0.25, 1.0])
@pytest.mark.parametrize("change", [cast_colours, remove_colours])
def test_a_share_of_the_images_is_changed_and_the_others_are_not(batch, change, share):
    after = change(batch, share, np.random.default_rng(0))
    moved = (after - batch).abs().amax(dim=(1, 2, 3)) > 1e-3
    assert float(moved.float().mean()) == pytest.approx(share, abs=0.08)
    assert torch.equal(after[~moved], batch[~moved])


def test_a_cast_is_stronger_than_the_usual_white_balance_and_keeps_the_brightness(batch):
    after = cast_colours(batch, 1.0, np.random.default_rng(0))
    gains = (after / batch).mean(dim=(2, 3))  # (B, 3)
    torch.testing.assert_close(gains.mean(dim=1), torch.ones(200), atol=1e-4, rtol=0)
    assert 0.15 < float(gains.log().std()) < 0.35


def test_an_image_without_colour_has_equal_channels(batch):
    after = remove_colours(batch, 1.0, np.random.default_rng(0))
    assert torch.equal(after[:, 0], after[:, 1]) and torch.equal(after[:, 0], after[:, 2])


@settings(deadline=None)
@given(st.floats(0, 200), st.floats(0, 200), st.floats(5, 100), st.floats(5, 100), st.integers(0, 10_000))
def test_a_patch_hides_part_of_a_box_and_none_of_its_edges_whole(x, y, width, height, seed):
    x1, y1, x2, y2 = draw_patch(np.array([x, y, x + width, y + height]), np.random.default_rng(seed))
    assert x <= x1 <= x2 <= x + width and y <= y1 <= y2 <= y + height
    assert (x2 - x1) * (y2 - y1) <= MAX_HIDDEN * width * height + 1e-6
    assert x2 - x1 < 0.99 * width and y2 - y1 < 0.99 * height


def test_patches_lie_on_boxes_and_show_no_other_vector():
    """White Vectors on black: a patch is never white, and nothing outside of the boxes changes."""
    batch, box = torch.zeros(8, 3, 60, 60), np.array([[10.0, 10, 40, 40]])
    batch[:, :, 10:40, 10:40] = 1.0
    after = hide_parts(batch, [box] * 8, 1.0, np.random.default_rng(0))
    hidden = 1 - after[:, 0, 10:40, 10:40].mean(dim=(1, 2))
    assert (hidden <= MAX_HIDDEN + 1e-6).all() and (hidden > 0).any()
    after[:, :, 10:40, 10:40] = 1.0
    assert torch.equal(after, batch)
    untouched = hide_parts(batch, [np.zeros((0, 4))] * 8, 1.0, np.random.default_rng(0))
    assert torch.equal(untouched, batch)


def test_zooming_out_further_makes_vectors_smaller():
    box = np.array([[0.4, 0.4, 0.6, 0.6]])

    def widest(**options):
        rng = np.random.default_rng(0)
        windows = np.array([draw_window(box, rng, **options) for _ in range(400)])
        return (windows[:, 2] - windows[:, 0]).max()

    assert widest() <= MAX_ZOOM_OUT * np.exp(0.15) < 3.2 < widest(max_zoom_out=3.5) <= 3.5 * np.exp(0.15)


def test_only_what_was_asked_for_counts_as_changed():
    assert Variety().changed() == {}
    assert Variety(mosaic=0.25, max_zoom_out=3.5).changed() == {"mosaic": 0.25, "max_zoom_out": 3.5}

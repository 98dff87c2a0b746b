"""Augmentation: boxes follow the images, and everything follows from the seed."""

import importlib.util
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from vector_tl.data.boxes import share_inside
from vector_tl.train.augment import (
    LIGHT,
    MAX_LEFT_OVER,
    MIN_VISIBLE,
    boxes_in_window,
    compress_jpeg,
    draw_window,
    relight,
    resample_windows,
    white_balance,
)
from vector_tl.train.batches import Batches, Images

BOX = st.tuples(st.floats(0, 0.7), st.floats(0, 0.7), st.floats(0.05, 0.3), st.floats(0.05, 0.3)).map(
    lambda b: [b[0], b[1], b[0] + b[2], b[1] + b[3]]
)


@pytest.mark.fast
@settings(deadline=None)
@given(st.lists(BOX, max_size=3), st.integers(0, 10_000))
def test_windows_never_leave_a_box_half_cut(boxes, seed):
    boxes = np.array(boxes).reshape(-1, 4)
    window = draw_window(boxes, np.random.default_rng(seed))
    share = share_inside(boxes, window)[:, 0]
    assert (window[2:] > window[:2]).all()
    assert ((share >= MIN_VISIBLE - 1e-9) | (share <= MAX_LEFT_OVER)).all()
    assert len(boxes) == 0 or (share >= MIN_VISIBLE - 1e-9).any()


@pytest.mark.fast
@pytest.mark.parametrize("mirrored", [False, True])
@pytest.mark.parametrize("window", [[0, 0, 1, 1], [0.1, 0.05, 0.9, 0.8], [-0.5, -0.2, 1.2, 1.3]])
def test_boxes_lie_on_what_they_mark(window, mirrored):
    image = torch.full((1, 3, 180, 320), 255, dtype=torch.uint8)
    image[:, :, 60:120, 100:220] = 0
    box = np.array([[100 / 320, 60 / 180, 220 / 320, 120 / 180]])
    window = np.array(window, float)
    seen = resample_windows(image, window[None], np.array([mirrored]), (300, 300), torch.ones(1, 3))[
        0, 0
    ]  # (h, w)
    y, x = torch.nonzero(seen < 0.5, as_tuple=True)
    drawn = [x.min(), y.min(), x.max() + 1, y.max() + 1]
    np.testing.assert_allclose(
        boxes_in_window(box, window, mirrored, (300, 300))[0], [float(v) for v in drawn], atol=1.5
    )


@pytest.mark.fast
def test_outside_the_image_is_fill():
    seen = resample_windows(
        torch.zeros(1, 3, 20, 20, dtype=torch.uint8),
        np.array([[0.0, 0, 2, 2]]),
        np.array([False]),
        (40, 40),
        torch.tensor([[0.2, 0.4, 0.6]]),
    )
    assert (
        seen[0, :, 39, 39].tolist() == pytest.approx([0.2, 0.4, 0.6])
        and float(seen[0, :, :19, :19].abs().max()) == 0
    )


@pytest.mark.fast
@pytest.mark.parametrize("boxes", [np.zeros((0, 4)), np.array([[0.0, 0, 0.01, 0.01]])])
def test_empty_and_tiny_boxes(boxes):
    assert boxes_in_window(boxes, np.array([0.0, 0, 1, 1]), False, (300, 300)).shape == (0, 4)


@pytest.mark.fast
def test_light_stays_in_range_and_changes():
    before = torch.rand(8, 3, 40, 40, generator=torch.Generator().manual_seed(0))
    after = relight(before.clone(), np.random.default_rng(0))
    assert (
        after.shape == before.shape
        and float(after.min()) >= 0
        and float(after.max()) <= 1
        and torch.isfinite(after).all()
    )
    assert all(float((a - b).abs().mean()) > 0.005 for a, b in zip(after, before, strict=True))


@pytest.mark.fast
def test_light_is_drawn_as_ever():
    """Seeds reproduce models and comparisons; steps in another order, or one more draw, would change them."""
    rng = np.random.default_rng(0)
    after = relight(torch.rand(8, 3, 40, 40, generator=torch.Generator().manual_seed(0)), rng)
    np.testing.assert_allclose(
        after.mean(dim=(1, 2, 3)),
        [0.60668, 0.3816, 0.43086, 0.79772, 0.51704, 0.58113, 0.48995, 0.59434],
        atol=1e-4,
    )
    np.testing.assert_allclose(
        after.std(dim=(1, 2, 3)),
        [0.05888, 0.19502, 0.34485, 0.10224, 0.32541, 0.23873, 0.08528, 0.37725],
        atol=1e-4,
    )
    assert rng.integers(10**6) == 209618


@pytest.mark.fast
@pytest.mark.parametrize("change", LIGHT)
def test_each_change_of_light_does_something_to_some_and_harms_no_input(change):
    before = torch.rand(24, 3, 20, 20, generator=torch.Generator().manual_seed(0)) * 0.8 + 0.1
    given = before.clone()
    after = change(given, np.random.default_rng(0))
    moved = (after - before).abs().mean(dim=(1, 2, 3)) > 1e-3
    assert (
        after.shape == before.shape
        and torch.equal(given, before)
        and moved.any()
        and (change is white_balance or not moved.all())
    )


def images(count, value):
    return Images(
        torch.full((count, 3, 36, 64), value, dtype=torch.uint8), [np.array([[0.2, 0.2, 0.8, 0.8]])] * count
    )


def test_batches_follow_from_the_seed_and_continue_where_they_were():
    def fresh(seed):
        return Batches(images(5, 90), None, 4, (32, 32), seed, torch.device("cpu"))

    one, other, third = fresh(1), fresh(1), fresh(2)
    first, _ = one.next_batch()
    assert torch.equal(first, other.next_batch()[0]) and not torch.equal(first, third.next_batch()[0])
    third.restore(one.state())
    assert torch.equal(one.next_batch()[0], third.next_batch()[0])


@pytest.mark.fast
def test_one_image_in_eight_is_a_background():
    empty = Images(torch.zeros((3, 3, 36, 64), dtype=torch.uint8), [np.zeros((0, 4))] * 3)
    _, targets = Batches(images(20, 90), empty, 16, (32, 32), 0, torch.device("cpu")).next_batch()
    assert targets.boxes.shape == (16, 1, 4) and targets.labels.tolist() == [[1]] * 14 + [[0]] * 2


@pytest.mark.fast
def test_an_epoch_has_every_image_once():
    numbered = Images(
        torch.arange(8, dtype=torch.uint8).repeat_interleave(3 * 4 * 4).view(8, 3, 4, 4),
        [np.zeros((0, 4))] * 8,
    )
    batches = Batches(numbered, None, 4, (4, 4), 0, torch.device("cpu"))
    batches.next_batch()
    order = batches._order.tolist()
    assert len(order) == 4 and len(set(order)) == 4


@pytest.mark.fast
@pytest.mark.parametrize("quality", [15, 40, 75])
def test_jpeg_is_that_of_a_library(quality):
    """Equal to a few levels: libraries round and spread chroma differently; no size is a multiple of 16."""
    noise = np.random.default_rng(quality).integers(0, 256, (13, 19, 3), dtype=np.uint8)
    images = [
        cv2.resize(noise, (150, 101), interpolation=cv2.INTER_CUBIC),
        cv2.resize(noise[::-1], (150, 101), interpolation=cv2.INTER_LINEAR),
    ]
    batch = torch.from_numpy(np.stack(images)).permute(0, 3, 1, 2).float() / 255
    ours = compress_jpeg(batch, np.full(2, float(quality)))
    for image, mine in zip(images, ours.permute(0, 2, 3, 1).numpy() * 255, strict=True):
        theirs = cv2.imdecode(
            cv2.imencode(".jpg", image[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, quality])[1], cv2.IMREAD_COLOR
        )[..., ::-1]
        lost = np.abs(theirs.astype(float) - image).mean()
        assert np.abs(mine - theirs).mean() < 0.35 * lost + 0.6
    assert (compress_jpeg(batch, np.array([15.0, 95.0])) - batch).abs().mean(dim=(1, 2, 3))[0] > 2 * (
        compress_jpeg(batch, np.array([95.0, 95.0])) - batch
    ).abs().mean()


def test_the_sheet_shows_each_change_alone():
    spec = importlib.util.spec_from_file_location(
        "augmentation_sheet", Path(__file__).parents[2] / "scripts" / "trials" / "augmentation_sheet.py"
    )
    sheet = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(sheet)
    captions = []
    sheet.draw_tile, draw = (
        lambda image, boxes, caption: captions.append(caption) or draw(image, boxes, caption),
        sheet.draw_tile,
    )
    noise = np.random.default_rng(0).integers(40, 216, (90, 160, 3), dtype=np.uint8)
    pixels = torch.from_numpy(cv2.resize(noise, (640, 360), interpolation=cv2.INTER_CUBIC)).permute(2, 0, 1)[
        None
    ]
    first, *tiles = [
        tile.astype(float)
        for tile in sheet.one_at_a_time(Images(pixels, [np.array([[0.3, 0.3, 0.6, 0.7]])]), 0)
    ]
    changes = [
        "gamma",
        "saturation",
        "white balance",
        "contrast",
        "brightness",
        "noise",
        "jpeg",
        "blur",
        "motion blur",
    ]
    assert captions[:4] == ["as it is", "crop", "zoomed out", "mirrored"] and captions[4:13] == changes
    assert captions[13:] == [f"all together, draw {k}" for k in (1, 2, 3)]
    assert all(np.abs(tile - first)[:300].mean() > 1 for tile in tiles), "each can be seen"
    assert first.shape == (300 + sheet.CAPTION_PX, 300, 3) and (first[300:] > 128).any()

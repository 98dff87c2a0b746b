"""The choice of boxes."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torchvision.ops import box_iou, nms

from vector_tl.nets.build import build
from vector_tl.nets.ssd import NMS_IOU, vote

pytestmark = pytest.mark.fast

MODEL = build("ssd300_mobilenet_v1", "scratch")
BIG, HEAD, BESIDE = (0.1, 0.1, 0.7, 0.7), (0.2, 0.15, 0.4, 0.35), (0.72, 0.1, 0.95, 0.5)


@pytest.mark.parametrize(
    ("name", "boxes", "scores", "kept"),
    [
        ("nothing", [], [], []),
        ("below the threshold", [BIG], [0.4], []),
        ("two robots, best first", [BIG, BESIDE], [0.6, 0.9], [1, 0]),
        ("the same robot twice", [BIG, (0.12, 0.1, 0.72, 0.7)], [0.9, 0.8], [0]),
        ("a head inside its robot", [BIG, HEAD], [0.9, 0.8], [0]),
        ("a better head keeps its robot", [BIG, HEAD], [0.8, 0.9], [1, 0]),
        ("half inside stays", [BIG, (0.55, 0.2, 0.9, 0.6)], [0.9, 0.8], [0, 1]),
        (
            "inside one that was dropped",
            [(0.1, 0.1, 0.5, 0.5), (0.2, 0.15, 0.5, 0.5), HEAD],
            [0.9, 0.8, 0.7],
            [0],
        ),
    ],
)
def test_select(name, boxes, scores, kept):
    boxes, scores = torch.tensor(boxes).reshape(-1, 4), torch.tensor(scores).reshape(-1)
    ((chosen, found),) = MODEL.select(scores[None], boxes[None], 0.5)
    assert torch.allclose(chosen, vote(boxes[kept].reshape(-1, 4), scores[kept], boxes, scores))
    assert torch.equal(found, scores[kept].reshape(-1))


def test_no_more_than_max_boxes():
    cells = torch.arange(100)
    corner = torch.stack([cells % 10, cells // 10], 1) / 10
    boxes = torch.cat([corner, corner + 0.08], 1)
    ((chosen, scores),) = MODEL.select(torch.linspace(0.1, 0.9, 100)[None], boxes[None], 0.05, max_boxes=7)
    assert len(chosen) == 7
    assert scores.tolist() == sorted(scores.tolist(), reverse=True)
    assert scores[0].item() == pytest.approx(0.9)


def test_an_empty_batch():
    assert MODEL.select(torch.zeros(0, 5), torch.zeros(0, 5, 4), 0.5) == []


def test_neighbours_move_a_box_and_strangers_do_not():
    boxes = torch.tensor([BIG, (0.12, 0.1, 0.72, 0.7), HEAD, BESIDE])
    scores = torch.tensor([0.9, 0.8, 0.8, 0.9])
    shifted = vote(boxes[[0, 3]], scores[[0, 3]], boxes, scores)
    iou = 0.58 / 0.62
    weights = torch.tensor([1, (0.8 / 0.9) ** 4 * math.exp(-((1 - iou) ** 2) / 0.05)])
    by = 0.02 * weights[1] / weights.sum()
    assert torch.allclose(shifted[0], boxes[0] + torch.tensor([1, 0, 1, 0]) * by, atol=1e-4)
    assert torch.allclose(shifted[1], boxes[3], atol=1e-5)


def test_a_box_without_an_area_stays():
    boxes = torch.tensor([BIG, (0.2, 0.0, 0.4, 0.0)])
    scores = torch.tensor([0.9, 0.8])
    assert torch.equal(vote(boxes, scores, boxes, scores)[1], boxes[1])


def test_a_better_neighbour_does_not_move_a_box_away():
    """Two robots side by side, the one seen much better: their boxes overlap by less than half."""
    boxes, scores = torch.tensor([BIG, (0.35, 0.1, 0.95, 0.7)]), torch.tensor([0.99, 0.05])
    assert torch.allclose(vote(boxes, scores, boxes, scores), boxes, atol=0.005)


def test_a_box_does_not_depend_on_the_threshold():
    """Those below it vote, too."""
    boxes = torch.tensor([BIG, (0.12, 0.1, 0.72, 0.7), BESIDE])
    scores = torch.tensor([0.9, 0.6, 0.7])
    drawn = [MODEL.select(scores[None], boxes[None], threshold)[0][0][0] for threshold in (0.1, 0.65, 0.85)]
    assert torch.equal(drawn[0], drawn[1]) and torch.equal(drawn[1], drawn[2])


@given(st.integers(0, 2**32 - 1), st.integers(1, 40), st.floats(1e-6, 1))
def test_a_voted_box_is_one(seed, count, best):
    """However small the scores: finite, corners in order, inside the image; no shown box jumps away."""
    rng = np.random.default_rng(seed)
    low = rng.uniform(0, 0.7, (count, 2))
    boxes = torch.from_numpy(
        np.concatenate([low, low + rng.uniform(0.01, 0.3, (count, 2))], axis=1).astype(np.float32)
    )
    scores = torch.from_numpy((rng.uniform(0.1, 1, count) * best).astype(np.float32))
    kept = nms(boxes, scores, NMS_IOU)
    drawn = vote(boxes[kept], scores[kept], boxes, scores)
    assert torch.isfinite(drawn).all() and (drawn[:, 2:] > drawn[:, :2]).all()
    assert drawn.min() >= 0 and drawn.max() <= 1 + 1e-6
    assert (box_iou(drawn, boxes[kept]).diagonal() > 0.5).all()

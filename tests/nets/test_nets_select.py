"""The choice of boxes."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torchvision.ops import box_iou, nms

from vector_tl.nets.build import build
from vector_tl.nets.suppression import MAX_IOU, drop_matrix, keep_again, keep_greedily, select_boxes, vote

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
    voted = vote(boxes[kept].reshape(-1, 4).numpy(), scores[kept].numpy(), boxes.numpy(), scores.numpy())
    assert np.allclose(chosen, voted)
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
    boxes = np.array([BIG, (0.12, 0.1, 0.72, 0.7), HEAD, BESIDE], np.float32)
    scores = np.array([0.9, 0.8, 0.8, 0.9], np.float32)
    shifted = vote(boxes[[0, 3]], scores[[0, 3]], boxes, scores)
    iou = 0.58 / 0.62
    weight = (0.8 / 0.9) ** 4 * math.exp(-((1 - iou) ** 2) / 0.05)
    by = 0.02 * weight / (1 + weight)
    assert np.allclose(shifted[0], boxes[0] + np.array([1, 0, 1, 0]) * by, atol=1e-4)
    assert np.allclose(shifted[1], boxes[3], atol=1e-5)


def test_a_box_without_an_area_stays():
    boxes, scores = np.array([BIG, (0.2, 0.0, 0.4, 0.0)], np.float32), np.array([0.9, 0.8], np.float32)
    assert np.array_equal(vote(boxes, scores, boxes, scores)[1], boxes[1])


def test_a_better_neighbour_does_not_move_a_box_away():
    """Two robots side by side, the one seen much better: their boxes overlap by less than half."""
    boxes, scores = np.array([BIG, (0.35, 0.1, 0.95, 0.7)], np.float32), np.array([0.99, 0.05], np.float32)
    assert np.allclose(vote(boxes, scores, boxes, scores), boxes, atol=0.005)


def test_a_box_does_not_depend_on_the_threshold():
    """Those below it vote, too."""
    boxes = torch.tensor([BIG, (0.12, 0.1, 0.72, 0.7), BESIDE])
    scores = torch.tensor([0.9, 0.6, 0.7])
    drawn = [MODEL.select(scores[None], boxes[None], threshold)[0][0][0] for threshold in (0.1, 0.65, 0.85)]
    assert torch.equal(drawn[0], drawn[1]) and torch.equal(drawn[1], drawn[2])


def crowd(seed: int, count: int, spread: float) -> tuple[np.ndarray, np.ndarray]:
    """Boxes (count, 4) from all over the image to one heap, and their scores, no two alike, best first."""
    rng = np.random.default_rng(seed)
    center, size = 0.5 + rng.normal(0, spread, (count, 2)), rng.uniform(0.02, 0.5, (count, 2))
    boxes = np.concatenate([center - size / 2, center + size / 2], axis=1).clip(0, 1)
    return boxes.astype(np.float32), np.sort(rng.permutation(1000)[:count] + 1)[::-1].astype(
        np.float32
    ) / 1001


crowds = given(st.integers(0, 2**32 - 1), st.integers(1, 60), st.floats(0.02, 0.6))


@settings(deadline=None)
@given(
    st.integers(0, 2**32 - 1),
    st.integers(1, 60),
    st.floats(0.02, 0.6),
    st.sampled_from([0.3, 0.45, 0.5, 0.7]),
)
def test_without_the_rule_for_nested_boxes_it_is_greedy_nms(seed, count, spread, max_iou):
    boxes, scores = crowd(seed, count, spread)
    kept = np.flatnonzero(keep_greedily(drop_matrix(boxes, max_iou, 2.0)))
    assert kept.tolist() == nms(torch.from_numpy(boxes), torch.from_numpy(scores), max_iou).tolist()


@settings(deadline=None)
@crowds
def test_one_after_another_gives_the_same(seed, count, spread):
    drops, kept = drop_matrix(crowd(seed, count, spread)[0]), []
    for number in range(count):
        kept += [number] * (not any(drops[better, number] for better in kept))
    assert np.flatnonzero(keep_greedily(drops)).tolist() == kept


@settings(deadline=None)
@crowds
def test_tensors_follow_the_same_rule(seed, count, spread):
    """Several images at once, too."""
    boxes = np.stack([crowd(seed + i, count, spread)[0] for i in range(3)])
    drops = drop_matrix(torch.from_numpy(boxes), xp=torch)
    kept = candidates = torch.ones(3, count, dtype=torch.bool)
    for _ in range(count):
        kept = keep_again(drops, candidates, kept)
    for i in range(3):
        assert np.array_equal(drops[i], drop_matrix(boxes[i]))
        assert np.array_equal(kept[i], keep_greedily(drop_matrix(boxes[i])))


@settings(deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(1, 60), st.floats(0.02, 0.6), st.floats(0, 1))
def test_the_order_of_the_boxes_changes_nothing(seed, count, spread, threshold):
    """And what is chosen are scores that were given, best first, above the threshold."""
    boxes, scores = crowd(seed, count, spread)
    order = np.random.default_rng(seed).permutation(count)
    chosen, found = select_boxes(scores, boxes, threshold)
    shuffled, also_found = select_boxes(scores[order], boxes[order], threshold)
    assert np.array_equal(found, also_found) and np.allclose(chosen, shuffled, atol=1e-6)
    assert set(found) <= set(scores) and (np.diff(found) < 0).all() and (found > threshold).all()
    assert len(found) == len(chosen) and (len(found) > 0) == (scores[0] > threshold)


@settings(deadline=None)
@crowds
def test_what_is_kept_neither_overlaps_nor_nests(seed, count, spread):
    """And everything else is dropped by something that is kept."""
    drops = drop_matrix(crowd(seed, count, spread)[0])
    kept = keep_greedily(drops)
    assert kept[0] and not drops[np.ix_(kept, kept)].any()
    assert np.array_equal(~kept, drops[kept].any(axis=0))


def test_two_touching_robots_outlive_the_box_around_both():
    """The box around both scores lower than the one and higher than the other."""
    left, right, both = (0.2, 0.3, 0.42, 0.6), (0.4, 0.3, 0.6, 0.57), (0.2, 0.3, 0.55, 0.6)
    boxes, scores = np.array([left, both, right], np.float32), np.array([0.9, 0.5, 0.4], np.float32)
    assert select_boxes(scores, boxes, 0.1)[1].tolist() == scores[[0, 2]].tolist()


@settings(deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(1, 40), st.floats(1e-6, 1))
def test_a_voted_box_is_one(seed, count, best):
    """However small the scores: finite, corners in order, inside the image; no shown box jumps away."""
    rng = np.random.default_rng(seed)
    low = rng.uniform(0, 0.7, (count, 2))
    boxes = np.concatenate([low, low + rng.uniform(0.01, 0.3, (count, 2))], axis=1).astype(np.float32)
    scores = (rng.uniform(0.1, 1, count) * best).astype(np.float32)
    kept = nms(torch.from_numpy(boxes), torch.from_numpy(scores), MAX_IOU).numpy()
    drawn = vote(boxes[kept], scores[kept], boxes, scores)
    assert np.isfinite(drawn).all() and (drawn[:, 2:] > drawn[:, :2]).all()
    assert drawn.min() >= 0 and drawn.max() <= 1 + 1e-6
    assert (box_iou(torch.from_numpy(drawn), torch.from_numpy(boxes[kept])).diagonal() > 0.5).all()

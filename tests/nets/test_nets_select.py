"""The choice of boxes."""

import pytest
import torch

from vector_tl.nets.build import build

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
        ("inside one that was dropped", [(0.1, 0.1, 0.5, 0.5), (0.2, 0.15, 0.5, 0.5), HEAD], [0.9, 0.8, 0.7], [0]),
    ],
)
def test_select(name, boxes, scores, kept):
    boxes, scores = torch.tensor(boxes).reshape(-1, 4), torch.tensor(scores).reshape(-1)
    (chosen, found), = MODEL.select(scores[None], boxes[None], 0.5)
    assert torch.equal(chosen, boxes[kept].reshape(-1, 4))
    assert torch.equal(found, scores[kept].reshape(-1))


def test_no_more_than_max_boxes():
    cells = torch.arange(100)
    corner = torch.stack([cells % 10, cells // 10], 1) / 10
    boxes = torch.cat([corner, corner + 0.08], 1)
    (chosen, scores), = MODEL.select(torch.linspace(0.1, 0.9, 100)[None], boxes[None], 0.05, max_boxes=7)
    assert len(chosen) == 7
    assert scores.tolist() == sorted(scores.tolist(), reverse=True)
    assert scores[0].item() == pytest.approx(0.9)


def test_an_empty_batch():
    assert MODEL.select(torch.zeros(0, 5), torch.zeros(0, 5, 4), 0.5) == []

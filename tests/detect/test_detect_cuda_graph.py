"""The steps that a CUDA graph replays give the same boxes, on the CPU; with a GPU, the graph itself does."""

import copy
from unittest.mock import patch

import cv2
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torchvision.ops import box_iou

from support.lively import image, lively
from vector_tl.detect import cuda_graph
from vector_tl.detect.cuda_graph import CudaGraphEngine, ImageToBoxes
from vector_tl.detect.detector import Detector
from vector_tl.detect.engines import make_engine
from vector_tl.detect.torch_engine import TorchEngine, fold_batch_norm
from vector_tl.errors import UserError
from vector_tl.nets.archs import ARCHS
from vector_tl.nets.build import build
from vector_tl.nets.checkpoint import weights_of
from vector_tl.nets.suppression import select_boxes, vote

CPU = torch.device("cpu")
MODEL = fold_batch_norm(build(ARCHS[0], "scratch").eval())


@settings(deadline=None, max_examples=200)
@given(
    st.integers(0, 2**32 - 1), st.integers(1, 60), st.floats(0.02, 0.6), st.sampled_from([0.0, 0.3, 0.9, 1.0])
)
def test_chooses_what_select_chooses(seed, count, spread, threshold):
    """Crowds of boxes from all over the image to one heap."""
    rng = np.random.default_rng(seed)
    center, size = 0.5 + rng.normal(0, spread, (count, 2)), rng.uniform(0.02, 0.5, (count, 2))
    boxes = np.concatenate([center - size / 2, center + size / 2], axis=1).clip(0, 1).astype(np.float32)
    scores = np.sort(rng.permutation(1000)[:count])[::-1].astype(np.float32) / 1000
    expected, expected_scores = select_boxes(scores, boxes, threshold)
    with patch.object(cuda_graph, "ROUNDS", count + 1):  # enough for any chain
        marks = cuda_graph._mark_boxes(torch.tensor(scores), torch.tensor(boxes), torch.tensor(threshold))
    marks = marks.numpy()
    assert (marks >= 0).all()
    shown = marks > 0
    assert np.array_equal(vote(boxes[shown], scores[shown], boxes, scores), expected)
    assert np.array_equal(scores[shown], expected_scores)


@pytest.mark.fast
def test_a_chain_that_is_too_long_is_marked(monkeypatch):
    """Boxes in a row, each of which drops the next: every other one stays."""
    at = torch.arange(20) * 0.01
    boxes = torch.stack([at, torch.zeros(20), at + 0.05, torch.full((20,), 0.1)], dim=1)
    scores = torch.linspace(0.9, 0.5, 20)
    monkeypatch.setattr(cuda_graph, "ROUNDS", 24)
    assert (cuda_graph._mark_boxes(scores, boxes, torch.tensor(0.1)) >= 0).all()
    monkeypatch.setattr(cuda_graph, "ROUNDS", 3)
    assert (cuda_graph._mark_boxes(scores, boxes, torch.tensor(0.1)) == -1).all()
    engine = CudaGraphEngine.__new__(CudaGraphEngine)  # what it does then needs no device
    answer = torch.cat([boxes, scores[:, None], torch.full((20, 1), -1.0)], dim=1).numpy()
    ((expected, _),) = MODEL.select(scores[None], boxes[None], 0.1)
    assert np.array_equal(engine._shown_boxes(answer, 0.1)[0], expected.numpy())
    answer[:, 5] = scores > 0.89  # settled
    assert np.array_equal(
        engine._shown_boxes(answer, 0.89)[0], MODEL.select(scores[None], boxes[None], 0.89)[0][0].numpy()
    )


@pytest.mark.fast
def test_images_of_a_batch_do_not_drop_each_others_boxes():
    rng = np.random.default_rng(0)
    low = rng.uniform(0, 0.7, (3, 40, 2))
    boxes = torch.from_numpy(np.concatenate([low, low + rng.uniform(0.05, 0.3, (3, 40, 2))], axis=2)).float()
    scores = torch.from_numpy(rng.random((3, 40))).float().sort(dim=1, descending=True).values
    together = cuda_graph._mark_boxes(scores, boxes, torch.tensor(0.2))
    alone = [cuda_graph._mark_boxes(*image, torch.tensor(0.2)) for image in zip(scores, boxes, strict=True)]
    assert torch.equal(together, torch.stack(alone)) and set(together.unique().tolist()) == {0.0, 1.0}


@pytest.mark.parametrize("arch", ARCHS)
@pytest.mark.parametrize("threshold", [0.01, 0.3, 0.999999])
def test_the_steps_find_what_pytorch_finds(arch, threshold):
    """Many boxes, some, none."""
    network = fold_batch_norm(lively(arch))
    one = image(*network.size_wh)
    ((boxes, scores),) = TorchEngine(network, CPU)([one], threshold)
    with torch.inference_mode():
        answer = ImageToBoxes(copy.deepcopy(network))(torch.from_numpy(one[None]), torch.tensor(threshold))[
            0
        ].numpy()
    shown = answer[answer[:, 5] > 0]
    assert len(shown) == len(boxes)
    assert np.allclose(shown[:, 4], scores, atol=1e-5)
    # in any order: some score alike
    for box in vote(shown[:, :4], shown[:, 4], answer[:, :4], answer[:, 4]):
        assert np.abs(boxes - box).max(axis=1).min() < 1e-5


@pytest.mark.fast
def test_resizing_is_that_of_the_other_engines():
    """They round to whole grey levels, the graph does not."""
    one = image(640, 360)
    theirs = cv2.resize(one, MODEL.size_wh, interpolation=cv2.INTER_LINEAR)
    seen = []

    class ListeningNetwork(torch.nn.Module):
        size_wh = MODEL.size_wh

        def predict(self, pixels):
            seen.append(pixels)
            return torch.zeros(1, 500), torch.zeros(1, 500, 4)

    ImageToBoxes(ListeningNetwork())(torch.from_numpy(one[None]), torch.tensor(0.5))
    assert np.abs(seen[0][0].permute(1, 2, 0).numpy() * 255 - theirs).max() < 1.01


def test_half_precision_leaves_the_anchors_alone():
    network = copy.deepcopy(MODEL)
    steps = ImageToBoxes(network, torch.float16)
    assert network.anchors_xyxy.dtype == torch.float32 and next(steps.parameters()).dtype == torch.float16
    with torch.inference_mode():
        answer = steps(torch.from_numpy(image(640, 360)[None]), torch.tensor(0.0))
        exact = ImageToBoxes(copy.deepcopy(MODEL))(torch.from_numpy(image(640, 360)[None]), torch.tensor(0.0))
    assert (answer[..., 4] - exact[..., 4]).abs().max() < cuda_graph.TOLERANCE


@pytest.mark.fast
def test_needs_a_gpu():
    with pytest.raises(UserError, match="--engine auto"):
        make_engine(weights_of(build(ARCHS[0], "scratch")), "cpu", "cudagraph")


@pytest.mark.fast
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
@pytest.mark.parametrize("arch", ARCHS)
def test_the_graph_on_a_gpu(arch):
    """One image and many, of the robot's size and of others, more than a batch holds."""
    reference, fast = (
        Detector(weights_of(lively(arch)), "test", 0.3, "cuda", "torch"),
        Detector(weights_of(lively(arch)), "test", 0.3, "cuda", "cudagraph"),
    )
    for images in (
        [image(640, 360)],
        [image(640, 360, seed) for seed in range(11)],
        [image(200, 90), image(1, 1)],
    ):
        for theirs, ours in zip(reference.batch(images), fast.batch(images), strict=True):
            assert abs(len(theirs) - len(ours)) <= 3
            assert np.allclose(theirs.scores[:1], ours.scores[:1], atol=cuda_graph.TOLERANCE)
            if len(theirs):
                best, near = (
                    torch.from_numpy(theirs.boxes_xyxy[:1]),
                    torch.from_numpy(ours.boxes_xyxy[:3]),
                )  # those that score alike may change places
                assert box_iou(best, near).max() > 0.8

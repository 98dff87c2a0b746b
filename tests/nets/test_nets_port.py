"""The port of TensorFlow's release, against the TFLite runtime on real photographs."""

import copy
import os
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from torch import nn
from torchvision.ops import box_iou

from vector_tl.nets.build import build
from vector_tl.nets.coco_file import FILE
from vector_tl.nets.tflite import COCO_CLASSES, read_convolutions

SHARED = Path(os.environ.get("VECTOR_TL_SHARED") or Path(__file__).parents[2] / "../shared")
WEIGHTS, ROOMS = SHARED / "coco" / FILE, SHARED / "real_negatives/images/rooms"

pytestmark = pytest.mark.skipif(not WEIGHTS.is_file(), reason="TensorFlow's COCO weights are not at hand")


@pytest.fixture(scope="module")
def network():
    return build("ssd300_mobilenet_v1", "coco", coco=WEIGHTS, classes=COCO_CLASSES).eval()


@pytest.fixture(scope="module")
def photographs() -> np.ndarray:
    """(20, 300, 300, 3) uint8 RGB."""
    if not ROOMS.is_dir():
        pytest.skip("the photographs of rooms are not at hand")
    return np.stack(
        [cv2.resize(cv2.imread(str(p)), (300, 300))[..., ::-1] for p in sorted(ROOMS.iterdir())[:20]]
    )


def as_batch(images: np.ndarray) -> torch.Tensor:
    return torch.from_numpy(np.ascontiguousarray(images)).permute(0, 3, 1, 2).float() / 255


@torch.inference_mode()
def test_every_clear_detection_of_the_reference_has_a_partner(network, photographs):
    """Compared before NMS: the reference computes in uint8, and its rounding decides between neighbours."""
    litert = pytest.importorskip("ai_edge_litert.interpreter", reason="ai-edge-litert is not installed")
    reference = litert.Interpreter(str(WEIGHTS))
    reference.allocate_tensors()
    outputs = network.raw(as_batch(photographs))
    all_scores = outputs["cls_logits"].sigmoid()  # (B, A, 90)
    _, all_boxes = network.scores_and_boxes(outputs)
    ious = []
    for image, scores, boxes in zip(photographs, all_scores, all_boxes, strict=True):
        reference.set_tensor(reference.get_input_details()[0]["index"], image[None])
        reference.invoke()
        corners, classes, found = (
            torch.from_numpy(reference.get_tensor(o["index"])[0]) for o in reference.get_output_details()[:3]
        )
        for box, label, score in zip(
            corners[:, [1, 0, 3, 2]].clamp(0, 1), classes.long(), found, strict=True
        ):
            if score <= 0.6 or ((box[2:] - box[:2]) * 300).min() < 32:
                continue
            partner = (scores.argmax(1) == label) & ((scores[:, label] - score).abs() <= 0.06)
            assert partner.any()
            ious.append(box_iou(box[None], boxes[partner]).max().item())
    assert len(ious) >= 15
    assert min(ious) >= 0.85
    assert np.median(ious) >= 0.95


@torch.inference_mode()
def test_inserted_batch_norm_changes_nothing(network, photographs):
    folded = copy.deepcopy(network)
    for block, (_, bias) in zip(folded.backbone.blocks(), read_convolutions(WEIGHTS), strict=False):
        block.conv.bias, block.norm = nn.Parameter(torch.from_numpy(bias.copy())), nn.Identity()
    batch = as_batch(photographs[:4])
    ours, plain = network.raw(batch), folded.raw(batch)
    for name in ours:
        assert (ours[name] - plain[name]).abs().max() < 1e-3


def test_anchors_are_those_of_the_file(network):
    tflite = pytest.importorskip("tflite")
    model = tflite.Model.GetRootAs(WEIGHTS.read_bytes(), 0)
    graph = model.Subgraphs(0)
    tensor = next(t for t in map(graph.Tensors, range(graph.TensorsLength())) if t.Name() == b"anchors")
    step = tensor.Quantization().ScaleAsNumpy()[0]
    cy, cx, height, width = (model.Buffers(tensor.Buffer()).DataAsNumpy().reshape(-1, 4) * step).T
    ours = network.anchors_xyxy.numpy()
    centres, sizes = (ours[:, :2] + ours[:, 2:]) / 2, ours[:, 2:] - ours[:, :2]
    assert np.abs(centres - np.stack([cx, cy], 1)).max() < step
    assert np.abs(sizes - np.stack([width, height], 1)).max() < step


@pytest.mark.parametrize("as_folder", [False, True])
def test_initial_weights_keep_the_box_head_and_score_low(as_folder, monkeypatch, network):
    monkeypatch.setenv("VECTOR_TL_COCO", str(WEIGHTS.parent if as_folder else WEIGHTS))
    model = build("ssd300_mobilenet_v1", "coco", images=torch.rand(2, 3, 300, 300)).eval()
    assert (model.init, model.classes) == ("coco", ("vector",))
    for ours, whole in zip(
        model.head.regression_head.module_list, network.head.regression_head.module_list, strict=True
    ):
        assert torch.equal(ours.weight, whole.weight)
    assert all((conv.bias == -3).all() for conv in model.head.classification_head.module_list)

"""OpenVINO's form of a network is PyTorch's: both are made from one description."""

import cv2
import numpy as np
import pytest
import torch

from support.lively import image, lively
from vector_tl.detect.openvino_engine import OpenVinoEngine
from vector_tl.nets import mobilenet_v1_layers, mobilenet_v3_layers
from vector_tl.nets.archs import ARCHS, VECTOR, describe
from vector_tl.nets.checkpoint import load, weights_of
from vector_tl.nets.model_file import MODELS, read_weights
from vector_tl.nets.networks import make_network

MAX_SCORE, MAX_PX = 1e-4, 0.05  # how far the two forms may be apart


def differences(weights, network, images):
    """The greatest of any score and, in pixels, of any corner, over all anchors of all images."""
    engine = OpenVinoEngine(weights)
    batch = np.stack([cv2.resize(one, network.size_wh) for one in images])  # (B, h, w, 3)
    scores, boxes = engine.scores_and_boxes(batch)
    with torch.inference_mode():
        exact = [network.predict(torch.from_numpy(one[None]).permute(0, 3, 1, 2) / 255) for one in batch]
    off_px = boxes - np.concatenate([each[1].numpy() for each in exact])
    off_scores = scores - np.concatenate([each[0].numpy() for each in exact])
    return np.abs(off_scores).max(), (np.abs(off_px) * np.tile(network.size_wh, 2)).max()


@pytest.mark.parametrize("arch", ARCHS)
def test_50_images_give_the_same_scores_and_boxes(arch):
    network = lively(arch)
    images = [image(640 - 5 * seed, 360 + seed, seed) for seed in range(50)]
    score, px = differences(weights_of(network), network, images)
    assert score < MAX_SCORE and px < MAX_PX


@pytest.mark.parametrize("path", sorted(MODELS.glob("*.safetensors")), ids=lambda path: path.stem)
def test_shipped_models_give_the_same_scores_and_boxes(path):
    score, px = differences(
        read_weights(path)[0], load(path)[0], [image(640, 360, seed) for seed in range(5)]
    )
    assert score < MAX_SCORE and px < MAX_PX


@pytest.mark.fast
@pytest.mark.parametrize("arch", ARCHS)
@pytest.mark.parametrize("classes", [VECTOR, ("a", "b", "c")])
def test_the_description_names_all_tensors(arch, classes):
    described = describe(arch).tensors(len(classes))
    network = make_network(arch, classes=classes)
    assert {name: tuple(v.shape) for name, v in network.state_dict().items()} == described


def test_a_stride_that_is_changed_changes_both_forms(monkeypatch):
    """The second stride of each network left out: maps twice as large, and both forms still agree."""
    plain = {arch: describe(arch).map_sizes_wh[0] for arch in ARCHS}
    separable = [(channels, 1) if i == 1 else (channels, stride)
                 for i, (channels, stride) in enumerate(mobilenet_v1_layers.SEPARABLE)]  # fmt: skip
    residuals = list(mobilenet_v3_layers.RESIDUALS)
    residuals[1] = residuals[1]._replace(stride=1)
    monkeypatch.setattr(mobilenet_v1_layers, "SEPARABLE", separable)
    monkeypatch.setattr(mobilenet_v3_layers, "RESIDUALS", residuals)
    for arch in ARCHS:
        network = lively(arch)
        width, height = describe(arch).map_sizes_wh[0]
        assert (width, height) >= (2 * plain[arch][0] - 1, 2 * plain[arch][1] - 1)
        with torch.inference_mode():
            maps = list(network.backbone(torch.zeros(1, 3, *network.size_wh[::-1])).values())
        assert maps[0].shape[2:] == (height, width)
        score, px = differences(weights_of(network), network, [image(640, 360)])
        assert score < MAX_SCORE and px < MAX_PX

"""Image in, boxes out."""

import copy
import subprocess
import sys

import numpy as np
import pytest
import torch

from support.lively import image, lively
from vector_tl.detect import engines, openvino_engine
from vector_tl.detect.detector import Detector, load
from vector_tl.detect.torch_engine import fold_batch_norm
from vector_tl.errors import UsageError, UserError
from vector_tl.nets import checkpoint
from vector_tl.nets.archs import ARCHS
from vector_tl.nets.build import build
from vector_tl.nets.calibration import Calibration
from vector_tl.nets.checkpoint import weights_of
from vector_tl.nets.devices import pick_device

CPU = "cpu"


@pytest.fixture(scope="module", params=ARCHS)
def network(request):
    return lively(request.param)


@torch.inference_mode()
def test_folding_changes_no_output(network):
    batch = torch.rand(2, 3, *network.size_wh)
    folded = fold_batch_norm(copy.deepcopy(network))
    assert not any(isinstance(m, torch.nn.BatchNorm2d) for m in folded.modules())
    plain, fast = network.raw(batch), folded.raw(batch)
    for name in plain:
        assert (plain[name] - fast[name]).abs().max() < 1e-3


def test_batch_is_the_same_as_one_by_one(network):
    detector = Detector(weights_of(network), "test", 0.05, CPU)
    images = [image(640, 360), image(90, 200, 1), image(*network.size_wh, 2)]
    together = detector.batch(images)
    for one, found in zip(images, together, strict=True):
        alone = detector(one)
        assert len(alone) == len(found)
        assert np.allclose(alone.boxes_xyxy, found.boxes_xyxy, atol=0.1)
        assert np.allclose(alone.scores, found.scores, atol=1e-3)
    assert detector.batch([]) == []


def test_scores_are_calibrated_alike_in_every_engine(network):
    """The same boxes, with calibrated scores, above a threshold of such scores."""
    plain = Detector(weights_of(network), "test", 0.001, CPU, "torch")(image(640, 360))
    assert len(plain)
    calibration = Calibration(0.7, -0.5)
    threshold = float(calibration(np.float64(0.001)))
    for engine in ("torch", "openvino"):
        detector = Detector(weights_of(network), "test", threshold, CPU, engine, calibration)
        found = detector(image(640, 360))
        assert abs(len(found) - len(plain)) <= 1  # a score may lie on the threshold
        count = min(len(found), len(plain))
        assert found.scores.dtype == np.float32 and (found.scores > threshold).all()
        assert np.allclose(found.scores[:count], calibration(plain.scores[:count]), atol=2e-3)


def test_a_hardly_trained_model_says_so_when_it_is_loaded(tmp_path, caplog):
    path = tmp_path / "young.safetensors"
    about = {"thresholds": {"fp32": 0.1}, "calibration": {"scale": 2.0, "shift": 0.5}}
    checkpoint.save(path, build(ARCHS[0], "scratch"), about | {"hardly_trained": "It is hardly trained."})
    detector = load(path)
    assert (detector.threshold, detector.calibration) == (0.1, Calibration(2.0, 0.5))
    assert "It is hardly trained." in caplog.text


def test_boxes_are_pixels_of_the_image_best_first(network):
    detector = Detector(weights_of(network), "test", 0.05, CPU)
    for width, height in ((640, 360), (61, 400), (1, 1)):
        found = detector(image(width, height), threshold=0.001)
        assert found.boxes_xyxy.dtype == found.scores.dtype == np.float32
        assert found.boxes_xyxy.shape == (len(found), 4) and found.scores.shape == (len(found),)
        assert (found.boxes_xyxy >= 0).all() and (found.boxes_xyxy <= [width, height, width, height]).all()
        assert (np.diff(found.scores) <= 0).all()
    assert len(found) > 0


def test_threshold(network):
    detector = Detector(weights_of(network), "test", 0.999999, CPU)
    nothing = detector(image(64, 48))
    assert nothing.boxes_xyxy.shape == (0, 4) and nothing.boxes_xyxy.dtype == np.float32
    some = detector(image(64, 48), threshold=0.01)
    assert len(some) > 0 and some.scores.min() > 0.01


def test_agrees_with_torchvisions_own_call(network):
    detector = Detector(weights_of(network), "test", 0.01, CPU)
    one = image(*network.size_wh)  # no resizing, in which the two differ
    with torch.inference_mode():
        (theirs,) = network([torch.from_numpy(one).permute(2, 0, 1).float() / 255])
    ours = detector(one, threshold=network.score_thresh)
    assert np.allclose(ours.scores[:5], theirs["scores"][:5].numpy(), atol=1e-3)
    for box in ours.boxes_xyxy[:5]:  # in any order: from random weights some score alike
        assert np.abs(theirs["boxes"].numpy() - box).max(axis=1).min() < 0.1


@pytest.mark.parametrize("threshold", [0.01, 0.3, 0.999999])
def test_engines_find_the_same_boxes(network, threshold):
    """Many boxes, some, none; images of several shapes."""
    pytest.importorskip("openvino")
    reference = Detector(weights_of(network), "test", threshold, CPU, "torch")
    fast = Detector(weights_of(network), "test", threshold, CPU, "openvino")
    assert (reference.engine, fast.engine) == ("torch (cpu)", "openvino (cpu, fp32)")
    images = [
        image(640, 360),
        image(90, 200, 1),
        image(*network.size_wh, 2),
        np.zeros((1, 1, 3), np.uint8),
    ]
    for one, theirs, ours in zip(images, reference.batch(images), fast.batch(images), strict=True):
        assert abs(len(theirs) - len(ours)) <= 1  # a score may lie on the threshold
        same = min(len(theirs), len(ours), 10)
        assert np.allclose(theirs.scores[:same], ours.scores[:same], atol=1e-3)
        for box in ours.boxes_xyxy[:same]:
            assert np.abs(theirs.boxes_xyxy - box).max(axis=1).min() < 0.001 * max(one.shape)


def test_without_openvino_pytorch_runs_the_network(network, monkeypatch):
    monkeypatch.setattr(engines.importlib.util, "find_spec", lambda name: None)
    assert Detector(weights_of(network), "test", 0.5, CPU).engine == "torch (cpu)"
    with pytest.raises(UserError, match="not installed"):
        Detector(weights_of(network), "test", 0.5, CPU, "openvino")


def test_a_network_that_openvino_cannot_run(network, monkeypatch, caplog):
    pytest.importorskip("openvino")
    monkeypatch.setattr(openvino_engine, "OpenVinoEngine", lambda *_: 1 / 0)
    assert (
        Detector(weights_of(network), "test", 0.5, CPU).engine == "torch (cpu)"
        and "PyTorch runs it instead" in caplog.text
    )
    with pytest.raises(UserError, match="--engine torch"):
        Detector(weights_of(network), "test", 0.5, CPU, "openvino")


def test_load(tmp_path):
    model = build(ARCHS[0], "scratch")
    checkpoint.save(tmp_path / "mine.safetensors", model, {"threshold": 0.03})
    detector = load(tmp_path / "mine", device="cpu")
    assert (detector.name, detector.threshold, detector.arch, detector.init, detector.device) == (
        "mine",
        0.03,
        ARCHS[0],
        "scratch",
        CPU,
    )
    assert len(detector(image(64, 48))) > 0
    checkpoint.save(tmp_path / "without.safetensors", model, {"threshold": None})
    assert load(tmp_path / "without").threshold == 0.5


def test_no_cuda_is_refused(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert pick_device("auto") == CPU
    with pytest.raises(UserError, match="--device cpu"):
        pick_device("cuda")


@pytest.mark.parametrize("device", ["gpu", "mps", "cuda:x", ""])
def test_no_device_at_all_is_refused(device):
    with pytest.raises(UsageError, match="--device is auto, cpu, cuda"):
        pick_device(device)


def test_a_device_beyond_the_last_is_refused(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    assert pick_device("cuda:1") == "cuda:1"
    with pytest.raises(UserError, match="2 CUDA devices"):
        pick_device("cuda:2")


def test_a_signal_is_heard_after_another_thread_dropped_the_detector():
    """OpenVINO's signal stack must survive it: else Ctrl-C ends the process without stopping the wheels."""
    pytest.importorskip("openvino")
    code = """
import gc, os, signal, threading
from vector_tl.detect.openvino_engine import OpenVinoEngine
from vector_tl.nets.archs import ARCHS
from vector_tl.nets.build import build
from vector_tl.nets.checkpoint import weights_of

signal.signal(signal.SIGINT, lambda *_: print("heard"))
kept = [OpenVinoEngine(weights_of(build(ARCHS[0], "scratch")))]
thread = threading.Thread(target=lambda: (kept.clear(), gc.collect()))
thread.start()
thread.join()
blocks = [bytearray(500_000) for _ in range(50)]  # where the stack was
os.kill(os.getpid(), signal.SIGINT)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120)
    assert (done.returncode, done.stdout) == (0, "heard\n"), done.stderr

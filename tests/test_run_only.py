"""What an installation without PyTorch does: all but training, and that says what to type.

It is tried in a process that does not find what is left out.
"""

import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import pytest

from vector_tl.detect.detector import load
from vector_tl.errors import FOR_TRAINING, install_training

ROOT = Path(__file__).parents[1]
LOW = 0.0  # a threshold that even noise exceeds
# Of these alone PyTorch is a part; see the contract in setup.cfg.
WITH_PYTORCH = (
    "vector_tl.train.",
    "vector_tl.experiments.",
    "vector_tl.bench.",
    "vector_tl.detect.cuda_graph.",
    "vector_tl.detect.torch_engine.",
    "vector_tl.nets.build.",
    "vector_tl.nets.checkpoint.",
    "vector_tl.nets.loss.",
    "vector_tl.nets.mobilenet_v1.",
    "vector_tl.nets.mobilenet_v3.",
    "vector_tl.nets.networks.",
    "vector_tl.nets.ssd.",
    "vector_tl.nets.state_dict.",
    "vector_tl.nets.tflite.",
)
CODE = f"""
import contextlib, importlib, io, json, pkgutil, sys
from importlib.machinery import PathFinder

class Without:
    def find_spec(name, path=None, target=None):
        return None if name.partition(".")[0] in {FOR_TRAINING} else PathFinder.find_spec(name, path, target)

sys.meta_path[sys.meta_path.index(PathFinder)] = Without
import vector_tl
from vector_tl import cli

ended = []
for words in json.loads(sys.argv[1]):
    with contextlib.redirect_stderr(io.StringIO()) as said:
        ended.append((cli.main(words), said.getvalue()))
names = [module.name for module in pkgutil.walk_packages(vector_tl.__path__, "vector_tl.")]
names = [name for name in names if not (name + ".").startswith({WITH_PYTORCH}) and "__main__" not in name]
for name in names:
    importlib.import_module(name)
print(json.dumps([ended, names]))
"""


@dataclass(frozen=True)
class Ran:
    """What was run without PyTorch: boxes found, commands that need PyTorch with what they said, imports."""

    image_rgb: np.ndarray
    boxes: list
    refused: list
    imported: set


@pytest.fixture(scope="module")
def ran(tmp_path_factory):
    """All in one process, as the start takes the time."""
    folder = tmp_path_factory.mktemp("run-only")
    blocks = np.random.default_rng(0).integers(0, 256, (18, 32, 3), dtype=np.uint8)
    image = cv2.resize(blocks, (640, 360), interpolation=cv2.INTER_CUBIC)
    cv2.imwrite(str(folder / "noise.png"), image)
    data, out = str(folder), str(folder / "out")
    commands = [
        ["detect", "transfer", data, "--threshold", str(LOW), "--json"],
        ["train", "--data", data, "--init", "scratch", "--out", out + ".safetensors"],
        ["compare", "--data", data, "--out", out],
        ["retrain", "transfer", "--data", data, "--out", out],
        ["bench", "detect"],
        ["detect", "transfer", data, "--device", "cuda"],
        ["detect", "transfer", data, "--engine", "torch"],
    ]
    done = subprocess.run(
        [sys.executable, "-c", CODE, json.dumps(commands)], capture_output=True, text=True, cwd=ROOT
    )
    assert done.returncode == 0, done.stderr[-2000:]
    found, (ended, names) = map(json.loads, done.stdout.splitlines())
    assert ended[0][0] == 0 and not Path(out).exists()
    return Ran(image[:, :, ::-1], found["boxes"], list(zip(commands[1:], ended[1:])), set(names))


def test_a_model_detects_the_same(ran):
    here = load("transfer", "cpu")(ran.image_rgb, LOW)
    assert len(here.scores) > 3
    np.testing.assert_allclose([box["score"] for box in ran.boxes], here.scores, atol=1e-3)
    np.testing.assert_allclose([box["xyxy"] for box in ran.boxes], here.boxes_xyxy, atol=0.1)


def test_what_needs_pytorch_says_what_to_type(ran):
    for words, (code, said) in ran.refused:
        (sentence,) = said.splitlines()
        assert code == 1 and "This needs torch" in sentence, (words, sentence)
        assert sentence.endswith(install_training())


def test_everything_else_can_be_imported(ran):
    assert {
        "vector_tl.find.loop",
        "vector_tl.evaluate.report",
        "vector_tl.sim.server.serving",
    } <= ran.imported

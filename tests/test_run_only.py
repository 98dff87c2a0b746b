"""What an installation without PyTorch does: all but training, and that says what to type.

It is tried in a process that does not find what is left out.
"""

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import pytest

from support.lesson import fill_cache, own_comparison
from vector_tl.detect.detector import load
from vector_tl.errors import FOR_TRAINING, install_training

ROOT = Path(__file__).parents[1]
LOW = 0.0  # a threshold that even noise exceeds
# Of these alone PyTorch is a part, but for what `lesson` needs; see the contract in setup.cfg.
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
OF_LESSON = (
    "vector_tl.experiments.lesson.",
    "vector_tl.experiments.compare_settings.",
    "vector_tl.experiments.experiment.",
    "vector_tl.experiments.run_forms.",
    "vector_tl.experiments.runs.",
    "vector_tl.train.curve.",
    "vector_tl.train.settings.",
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
of_pytorch = {{name for name in names if (name + ".").startswith({WITH_PYTORCH})}}
of_lesson = {{name for name in names if (name + ".").startswith({OF_LESSON})}}
names = [name for name in names if name not in of_pytorch - of_lesson and "__main__" not in name]
for name in names:
    importlib.import_module(name)
print(json.dumps([ended, names]))
"""


@dataclass(frozen=True)
class Ran:
    """What was run without PyTorch: boxes, what commands that need it said, pages of lessons, imports."""

    image_rgb: np.ndarray
    boxes: list
    refused: list
    lessons: list
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
    lesson = tmp_path_factory.mktemp("lesson")
    fill_cache(lesson / "cache")
    compare, of_compare = own_comparison(lesson / "own")
    own = ["--compare", str(compare), "--data", str(of_compare)]
    lessons = [["lesson", *words, "--out", f"{lesson}/{len(words)}.html"] for words in ([], own)]
    done = subprocess.run(
        [sys.executable, "-c", CODE, json.dumps([*commands, *lessons])],
        capture_output=True,
        text=True,
        cwd=ROOT,
        env=os.environ | {"XDG_CACHE_HOME": str(lesson / "cache")},
    )
    assert done.returncode == 0, done.stderr[-2000:]
    lines = done.stdout.splitlines()
    found, (ended, names) = json.loads(lines[0]), json.loads(lines[-1])
    assert ended[0][0] == 0 and not Path(out).exists()
    assert [code for code, _ in ended[-2:]] == [0, 0], ended[-2:]
    pages = [Path(words[-1]).read_text(encoding="utf-8") for words in lessons]
    return Ran(image[:, :, ::-1], found["boxes"], list(zip(commands[1:], ended[1:-2])), pages, set(names))


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


def test_a_lesson_needs_no_pytorch(ran):
    ready, own = ran.lessons
    assert 'id="network-coco"' in ready and 'id="network-scratch"' in ready
    assert "Made from your own comparison" in own


def test_everything_else_can_be_imported(ran):
    assert {
        "vector_tl.find.loop",
        "vector_tl.evaluate.report",
        "vector_tl.sim.server.serving",
    } <= ran.imported

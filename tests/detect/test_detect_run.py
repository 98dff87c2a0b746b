"""`vector-tl detect`: one JSON-able dict for each image."""

import json
import os
import subprocess
import sys

import cv2
import numpy as np
import pytest

from vector_tl.detect.run import detect
from vector_tl.detect.settings import DetectSettings
from vector_tl.errors import UsageError, UserError
from vector_tl.nets import checkpoint
from vector_tl.nets.build import build


@pytest.fixture(scope="module")
def model(tmp_path_factory) -> str:
    path = tmp_path_factory.mktemp("models") / "mine.safetensors"
    checkpoint.save(path, build("ssd300_mobilenet_v1", "scratch"), {"threshold": 0.9})
    return str(path)


@pytest.fixture
def folder(tmp_path):
    """Eleven images, more than a batch, the fourth of them broken."""
    for i in range(11):
        cv2.imwrite(
            str(tmp_path / f"{i:02}.png"),
            np.random.default_rng(i).integers(0, 256, (36, 64 + i, 3), dtype=np.uint8),
        )
    (tmp_path / "03.png").write_bytes(b"broken")
    return tmp_path


def test_every_image_in_order(model, folder):
    rows = list(detect(DetectSettings(model, (folder,), threshold=0.02)))
    assert [row["source"] for row in rows] == [str(folder / f"{i:02}.png") for i in range(11)]
    assert set(rows.pop(3)) == {"source", "error"}
    for row in rows:
        assert set(row) == {"source", "frame", "size_wh", "boxes"} and row["frame"] == 0
        assert row["size_wh"] == [64 + int(row["source"][-6:-4]), 36]
        assert row["boxes"] and all(set(box) == {"xyxy", "score"} for box in row["boxes"])
        scores = [box["score"] for box in row["boxes"]]
        assert scores == sorted(scores, reverse=True) and min(scores) >= 0.02
        json.dumps(row, allow_nan=False)


def test_the_models_own_threshold_by_default(model, folder):
    assert [row["boxes"] for row in detect(DetectSettings(model, (folder / "00.png",)))] == [[]]


@pytest.mark.parametrize(
    ("settings", "error"),
    [
        (lambda model, folder: DetectSettings(model, ()), UsageError),
        (lambda model, folder: DetectSettings(model, (folder / "none.jpg",)), UserError),
        (lambda model, folder: DetectSettings(str(folder / "none"), (folder,)), UserError),
        (lambda model, folder: DetectSettings(str(folder / "00.png"), (folder,)), UserError),
        (lambda model, folder: DetectSettings(model, (folder,), threshold=80), UsageError),
        (lambda model, folder: DetectSettings(model, (folder,), threshold=float("nan")), UsageError),
    ],
    ids=["no input", "missing input", "missing model", "an image as model", "percent", "no number"],
)
def test_what_is_refused(settings, error, model, folder):
    with pytest.raises(error):
        list(detect(settings(model, folder)))


def test_the_first_start_on_one_image_does_no_more_than_it_must(folder, tmp_path):
    """No film's reader is imported, and of all precisions of a model only one is compiled."""
    lines = (
        "import sys; from vector_tl.detect.run import detect; "
        "from vector_tl.detect.settings import DetectSettings; from pathlib import Path; "
        "rows = list(detect(DetectSettings('transfer', (Path(sys.argv[1]),)))); "
        "print(len(rows), [name for name in ('av', 'mcap', 'torch') if name in sys.modules])"
    )
    cache = tmp_path / "cache"
    ran = subprocess.run(
        [sys.executable, "-c", lines, str(folder / "00.png")],
        capture_output=True,
        text=True,
        check=True,
        env=os.environ | {"XDG_CACHE_HOME": str(cache)},
    )
    assert ran.stdout == "1 []\n"
    assert len(list(cache.rglob("*.blob"))) == 1

"""The notebook `docs/lesson.ipynb` runs from its first cell to its last: 20 steps on a few made images."""

import json
import os
from pathlib import Path

import cv2
import matplotlib
import numpy as np
import pytest

from vector_tl.data import dataset

ROOT = Path(__file__).parents[2]
NOTEBOOK = ROOT / "docs" / "lesson.ipynb"


def made_data(folder: Path) -> None:
    """Dark boxes on noise in two sessions, instead of the simulator's rooms."""
    rng = np.random.default_rng(0)
    for session, count in (("one", 8), ("two", 2)):
        for number in range(count):
            image = rng.integers(120, 200, (90, 160, 3)).astype(np.uint8)
            image[20:70, 40:100] = 15
            png = cv2.imencode(".png", image)[1].tobytes()
            dataset.write_item(
                folder, session, str(number), png, np.array([[40, 20, 100, 70]]), (160, 90), ".png"
            )
    dataset.write_splits(folder, {"one": "train", "two": "val"})


def test_every_cell_runs(tmp_path, monkeypatch, capsys):
    coco = Path(os.environ.get("VECTOR_TL_COCO", ROOT / "../shared/coco"))
    if not coco.exists():
        pytest.skip("the COCO weights are not here; name them with VECTOR_TL_COCO")
    for name, value in {"STEPS": 20, "BATCH": 2, "FOLDER": tmp_path}.items():
        monkeypatch.setenv(f"LESSON_{name}", str(value))
    monkeypatch.setenv("VECTOR_TL_COCO", str(coco))
    matplotlib.use("Agg")
    made_data(tmp_path / "data")
    space: dict = {}
    for cell in json.loads(NOTEBOOK.read_text(encoding="utf-8"))["cells"]:
        if cell["cell_type"] == "code":
            assert not cell["outputs"]  # nothing of a run is kept in the repository
            exec(compile("".join(cell["source"]), cell["id"], "exec"), space)
    said = capsys.readouterr().out
    assert "8 images to learn from, 2 to test with" in said and "scratch AP50" in said
    assert {twin: result["images_seen"] for twin, result in space["results"].items()} == {
        "coco": 40,
        "scratch": 40,
    }

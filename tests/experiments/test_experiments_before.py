"""Folders of experiments that version 0.1 wrote can be opened and continued (tests/fixtures/before)."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from vector_tl.cli import parse
from vector_tl.data.dataset import digest
from vector_tl.evaluate.metrics import Outcome
from vector_tl.experiments import retrain as retraining
from vector_tl.experiments import training_runs
from vector_tl.experiments.compare import compare
from vector_tl.experiments.compare_settings import CompareSettings
from vector_tl.experiments.comparison_data import gather
from vector_tl.experiments.retrain_data import claim
from vector_tl.experiments.retrain_settings import RetrainSettings
from vector_tl.experiments.runs import Training
from vector_tl.experiments.training_runs import finish
from vector_tl.nets import checkpoint
from vector_tl.nets.build import build

BEFORE = Path(__file__).parents[1] / "fixtures" / "before"
OLD_OPTIONS = ["--seen", "16", "--most-seen", "32", "--batch-size", "4", "--evaluations", "4", "--seeds", "1"]


@pytest.fixture
def data(tmp_path):
    """The dataset that the comparison was made of; the digest is of labels and splits, so any images do."""
    folder = shutil.copytree(BEFORE / "compare-data", tmp_path / "data")
    for label in folder.glob("labels/*/*.txt"):
        image = folder / "images" / label.parent.name / f"{label.stem}.png"
        image.parent.mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(image), np.full((90, 160, 3), 120, np.uint8))
    return folder


@pytest.fixture
def experiment(tmp_path, monkeypatch):
    def trains(*_):
        raise AssertionError("this is trained already")

    monkeypatch.setattr(training_runs, "train", trains)
    return shutil.copytree(BEFORE / "compare", tmp_path / "out")


def test_the_page_of_a_comparison_is_made_again(data, experiment):
    result = compare(CompareSettings(data=data, out=experiment, page_only=True))
    assert result["runs"] == 14 and "AP50-95 on sessions that neither had seen is 0.73" in result["answer"][0]
    transfer, scratch = result["transfer"], result["scratch"]
    assert (transfer["images"], transfer["images_seen"], transfer["long"]["images_seen"]) == (4, 16, 32)
    assert transfer["ap50_95"] == pytest.approx(0.7336633663366336)
    assert scratch["ap50_95"] == pytest.approx(0.0002015770439319381)
    assert transfer["real"]["boxes"] == 3 and transfer["false_positives"] == {"images": 3, "boxes": 0}
    page = (experiment / "index.html").read_text()
    assert "--max-images-seen 32" in page and "Real images" in page and "The worst" in page
    kept = (experiment / "results.json").read_text()
    assert "images_seen" in kept and "pictures" not in kept and '"seen"' not in kept


def test_a_comparison_goes_on_with_the_old_names_of_options(data, experiment, capsys):
    words = ["--data", str(data), "--out", str(experiment), "--sizes", "all", "--lrs", "8e-4", "1.6e-3"]
    settings, _ = parse("compare", [*words, "--device", "cpu", *OLD_OPTIONS])
    assert "--seen is now called --images-seen" in capsys.readouterr().err
    assert compare(settings)["runs"] == 14
    noted = json.loads((experiment / "experiment.json").read_text())
    assert noted["max_images_seen"] == "32" and "most_seen" not in noted


def test_a_training_that_was_not_measured_is_not_trained_again(data, experiment, monkeypatch):
    folder = experiment / "runs" / "equal-coco-all-seed0"
    (folder / "result.json").unlink()
    checkpoint.save(folder / "model.safetensors", build("ssd300_mobilenet_v1", "scratch"), {"threshold": 0.5})
    box = np.float32([[20, 30, 60, 70]])
    outcome = Outcome((640, 360), box, box, np.float32([0.9]))
    monkeypatch.setattr(training_runs, "run_model", lambda _network, images: [outcome] * len(images))
    settings = CompareSettings(data=data, out=experiment, images_seen=16, batch_size=4, evaluations=4)
    result = finish(Training("equal", "coco", "all", 0, 16, 0.0032), settings, gather(settings))
    assert [point["images_seen"] for point in result["curve"]] == [4, 8, 12, 16]
    assert result["val_ap50_95"] == pytest.approx(0.7554455445544555) and result["test"]["recall"] == 1.0


def test_a_retraining_is_not_trained_again(data, tmp_path, monkeypatch):
    out = shutil.copytree(BEFORE / "retrain", tmp_path / "retrain")
    model = tmp_path / "mine.safetensors"
    checkpoint.save(
        model, build("ssd300_mobilenet_v1", "scratch"), {"threshold": 0.5, "sessions": ["tiny-val"]}
    )
    for name in ("after", "coco"):
        checkpoint.save(
            out / f"{name}.safetensors",
            build("ssd300_mobilenet_v1", "scratch"),
            {"threshold": 0.5, "steps": 2},
        )
    settings = RetrainSettings(str(model), data, out, epochs=1.0, batch_size=4, device="cpu")
    noted = json.loads((out / "retrain.json").read_text())
    claim(replace(settings, out=tmp_path / "other"), {"tiny-test", "tiny-train"}, retraining.MARK, ("after",))
    own = json.loads((tmp_path / "other" / "retrain.json").read_text())
    assert noted.keys() == own.keys()
    moved = ("model", "data", "new", "contents of its model", "digest")
    (out / "retrain.json").write_text(json.dumps(noted | {key: own[key] for key in moved}))
    assert own["digest"] == digest(data)
    monkeypatch.setattr(retraining, "train", lambda _: pytest.fail("this is trained already"))
    result = retraining.retrain(settings)
    assert result["new_sessions"] == ["tiny-test", "tiny-train"] and result["after"]["new"]["boxes"] == 3

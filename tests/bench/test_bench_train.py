"""`vector-tl bench train`, and the plain form that it is measured against."""

import json
import shutil

import numpy as np
import pytest
import torch
from torchvision.transforms import v2

from vector_tl.bench import measure
from vector_tl.bench import train as train_bench
from vector_tl.bench.reference import Reference, ReferenceDataset
from vector_tl.bench.run import bench
from vector_tl.bench.settings import BenchSettings
from vector_tl.errors import UserError
from vector_tl.nets import checkpoint, model_file
from vector_tl.nets.archs import ARCHS
from vector_tl.nets.build import build


def test_rows(tmp_path, monkeypatch):
    monkeypatch.setattr(train_bench, "BATCH", 2)
    monkeypatch.setattr(train_bench, "EXAMPLES", 4)
    monkeypatch.setattr(train_bench, "COUNTED", 1)
    monkeypatch.setitem(measure.MATRIX_SIDE, "cpu", 256)
    monkeypatch.setattr(train_bench, "WORKERS", 0)  # they take seconds to start
    checkpoint.save(tmp_path / "m.safetensors", build(ARCHS[0], "scratch"), {})
    answer = bench(
        BenchSettings(what="train", model=str(tmp_path / "m.safetensors"), device="cpu", seconds=0.1)
    )
    rows = {row["what"]: row for row in answer["rows"]}
    assert {
        "train_images_per_s",
        "train_images_per_s_of_peak",
        "batch_ms",
        "forward_ms",
        "backward_ms",
        "update_ms",
    } <= rows.keys() and "CPU" in answer["device"]
    assert rows["train_images_per_s"]["ratio"] > 0 and 0 < rows["train_images_per_s_of_peak"]["ratio"] < 1.5
    assert (
        rows["memory_while_training_mib"]["value"] > 100
        and rows["memory_while_training_mib"]["baseline_value"] > 100
    )  # PyTorch alone is more
    json.dumps(answer, allow_nan=False)


def test_both_arms_are_trained_side_by_side(tmp_path, monkeypatch):
    monkeypatch.setattr(train_bench, "EXAMPLES", 4)
    seconds = train_bench.both_arms_s(tmp_path, torch.device("cpu"), images=12, epochs=0.5, batch_size=4)
    assert [model_file.read_metadata(tmp_path / f"{seed}.safetensors")["steps"] for seed in range(2)] == [
        2,
        2,
    ]
    assert seconds > 0


def test_a_training_that_fails_is_no_time(tmp_path, monkeypatch):
    monkeypatch.setattr(train_bench.sys, "executable", shutil.which("false"))
    with pytest.raises(UserError, match="failed"):
        train_bench.both_arms_s(tmp_path, torch.device("cpu"), images=2, epochs=0.5, batch_size=4)


def test_the_plain_form_keeps_boxes_on_the_image_and_learns(monkeypatch):
    examples = train_bench.made_examples(8)
    images = ReferenceDataset(examples[:8])
    for index in range(8):
        image, target = images[index]
        assert image.dtype == torch.float32 and image.min() >= 0 and image.max() <= 1
        boxes = target["boxes"].numpy().reshape(-1, 4)
        assert (
            (boxes >= 0).all()
            and (boxes <= np.tile([image.shape[2], image.shape[1]], 2)).all()
            and len(target["labels"]) == len(boxes)
        )
    monkeypatch.setattr(
        v2, "Compose", lambda transforms: lambda image, target: (image.float() / 255, target)
    )  # the same images again and again
    reference = Reference(
        build(ARCHS[0], "scratch", seed=0), examples[:1], 4, 2e-3, torch.device("cpu"), workers=0
    )
    losses = [reference.step() for _ in range(12)]
    assert np.isfinite(losses).all() and np.mean(losses[-3:]) < 0.7 * losses[0]

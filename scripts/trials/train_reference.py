"""Measures whether the training loop learns as well as torchvision's reference loop, both from COCO.

    .venv/bin/python scripts/trials/train_reference.py [--data data] [--steps 160] [--seed 0]

Both take the same number of steps; AP is that on the validation and on the test sessions. The reference loop
has its own augmentation and reads the images again in every epoch; network, loss, batch size, learning rate
and schedule are the same. Prints one JSON object.
"""

import json
import os
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import torch
import tyro

from vector_tl.bench.reference import Reference
from vector_tl.data.dataset import load_dataset
from vector_tl.errors import UserError
from vector_tl.evaluate.metrics import average_precision
from vector_tl.nets import checkpoint
from vector_tl.train.batches import keep_images
from vector_tl.train.inference import run_model
from vector_tl.train.loop import initial_model, lr_share, train
from vector_tl.train.settings import TrainSettings


@dataclass(frozen=True)
class Both:
    """Train with both loops."""

    data: Path = Path("data")
    """Dataset."""
    steps: int = 160
    """Steps, in batches of 16."""
    seed: int = 0
    """Seed of both trainings."""


def main(asked: Both) -> dict:
    """AP50 and AP50-95 of both, and how long they took."""
    splits = {split: load_dataset(asked.data, split).items for split in ("train", "val", "test")}
    result = {}
    with tempfile.TemporaryDirectory() as folder:
        settings = TrainSettings(
            asked.data,
            Path(folder) / "loop.safetensors",
            steps=asked.steps,
            seed=asked.seed,
            device="cpu",
            evaluations=1,
        )
        begin_s = time.monotonic()
        train(settings)
        loop, result["loop_s"] = checkpoint.load(settings.out)[0], round(time.monotonic() - begin_s, 1)
        begin_s = time.monotonic()
        examples = [(item.image_path.read_bytes(), item.boxes_norm) for item in splits["train"]]
        start = initial_model(settings, keep_images(splits["train"]))
        reference = Reference(
            start,
            examples,
            settings.batch_size,
            settings.learning_rate,
            torch.device("cpu"),
            os.cpu_count() or 1,
            asked.seed,
        )
        for step in range(asked.steps):
            reference.step(lr_share(step, asked.steps))
        reference.close()
        result["reference_s"] = round(time.monotonic() - begin_s, 1)
    for split in ("val", "test"):
        images = keep_images(splits[split])
        for name, network in (("loop", loop), ("reference", reference.network)):
            ap50, ap50_95 = average_precision(run_model(network, images))
            result[f"{name}_{split}"] = {"ap50": round(ap50, 3), "ap50_95": round(ap50_95, 3)}
    return result


if __name__ == "__main__":
    try:
        print(json.dumps(main(tyro.cli(Both))))
    except UserError as error:
        sys.exit(str(error))

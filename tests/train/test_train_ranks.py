"""Two processes under torchrun, on the CPU with gloo: one training, the same weights in both."""

import csv
import json
import os
import subprocess
import sys

import cv2
import numpy as np
import pytest
import torch

from vector_tl.data import dataset
from vector_tl.errors import UsageError
from vector_tl.nets import checkpoint
from vector_tl.train.batches import Images
from vector_tl.train.ranks import Ranks

# What `vector-tl train` does, and a line for each step: sum of all weights, first numbers of the batch.
HELPER = """
import os, sys
from vector_tl.cli import main
from vector_tl.train import average, batches

lines = open(sys.argv.pop(1) + os.environ["RANK"], "a")
update, take = average.Average.update, batches.Batches.next_batch

def noted(self):
    update(self)
    if os.environ["DIES"] and os.environ["RANK"] == "1":
        noted.steps += 1
        if noted.steps == 3:
            os._exit(9)
    print(float(sum(p.double().sum() for p in self._model.parameters())), file=lines, flush=True)

def looked(self):
    batch, targets = take(self)
    print("batch", len(batch), float(batch.double().sum()), file=lines, flush=True)
    return batch, targets

noted.steps = 0
average.Average.update, batches.Batches.next_batch = noted, looked
sys.exit(main(sys.argv[1:]))
"""


def made_data(folder):
    rng = np.random.default_rng(0)
    for session in ("one", "two"):
        for i in range(8):
            image = rng.integers(90, 255, (90, 160, 3)).astype(np.uint8)
            image[20:60, 10 * i : 10 * i + 50] = 15
            box = np.array([[10 * i, 20, 10 * i + 50, 60]])
            dataset.write_item(
                folder, session, f"{i}", cv2.imencode(".png", image)[1].tobytes(), box, (160, 90), ".png"
            )
    dataset.write_splits(folder, {"one": "train", "two": "val"})
    return folder


def start(tmp_path, *more, dies="", out="m"):
    helper = tmp_path / "helper.py"
    helper.write_text(HELPER)
    command = [
        sys.executable,
        "-m",
        "torch.distributed.run",
        "--standalone",
        "--nproc-per-node",
        "2",
        str(helper),
        str(tmp_path / "rank"),
        "train",
    ]
    command += [
        "--data",
        str(tmp_path / "data"),
        "--out",
        str(tmp_path / f"{out}.safetensors"),
        "--init",
        "scratch",
        "--device",
        "cpu",
        "--threads",
        "1",
    ]
    command += ["--batch-size", "4", "--evaluations", "2", "--json", *more]
    return subprocess.run(
        command, capture_output=True, text=True, timeout=200, env=os.environ | {"DIES": dies}
    )


def test_two_processes_train_one_model(tmp_path):
    made_data(tmp_path / "data")
    done = start(tmp_path, "--steps", "4")
    assert done.returncode == 0, done.stderr[-2000:]
    result = json.loads(done.stdout)  # one result, though both ran
    assert (result["steps"], result["images_seen"]) == (4, 16) and checkpoint.load(
        tmp_path / "m.safetensors"
    )[1]["steps"] == 4
    ranks = [(tmp_path / f"rank{rank}").read_text().split("\n")[:-1] for rank in (0, 1)]
    weights = [[line for line in lines if not line.startswith("batch")] for lines in ranks]
    assert weights[0] == weights[1] and len(set(weights[0])) == 4, (
        "the same weights everywhere, other ones after each step"
    )
    batches = [[line.split() for line in lines if line.startswith("batch")] for lines in ranks]
    assert {size for lines in batches for _, size, _ in lines} == {"2"} and not {b[2] for b in batches[0]} & {
        b[2] for b in batches[1]
    }
    assert (
        len(list(csv.DictReader((tmp_path / "m.csv").open()))) == 2 and not (tmp_path / "m.resume").exists()
    )

    assert start(tmp_path, "--steps", "4", "--resume", dies="in the third step", out="killed").returncode != 0
    alone = train_alone(tmp_path)
    assert alone.returncode != 0 and "2 processes" in alone.stderr
    assert start(tmp_path, "--steps", "4", "--resume", out="killed").returncode == 0
    one, other = (
        checkpoint.load(tmp_path / f"{name}.safetensors")[0].state_dict() for name in ("m", "killed")
    )
    assert all(torch.equal(one[name], other[name]) for name in one)


def train_alone(tmp_path):
    command = [
        sys.executable,
        "-m",
        "vector_tl",
        "train",
        "--data",
        str(tmp_path / "data"),
        "--out",
        str(tmp_path / "killed.safetensors"),
        "--init",
        "scratch",
    ]
    command += ["--device", "cpu", "--batch-size", "4", "--evaluations", "2", "--steps", "4", "--resume"]
    return subprocess.run(command, capture_output=True, text=True, timeout=100)


def test_fewer_images_than_processes_are_refused_by_each_of_them():
    """Where only the one without an image ended, the others would wait for it."""
    images = Images(torch.zeros(2, 3, 4, 4, dtype=torch.uint8), [np.zeros((0, 4))] * 2)
    assert [len(Ranks(rank, 2).part(images)) for rank in (0, 1)] == [1, 1] and len(Ranks().part(images)) == 2
    for rank in range(3):
        with pytest.raises(UsageError, match="2 training images cannot be shared by 3 processes"):
            Ranks(rank, 3).part(images)


def test_a_batch_that_cannot_be_shared():
    assert Ranks(1, 4).share(16) == 4 and not Ranks(1, 4).first and Ranks().share(2) == 2
    for size, world in ((10, 4), (4, 4)):
        with pytest.raises(UsageError, match="shared by 4"):
            Ranks(0, world).share(size)

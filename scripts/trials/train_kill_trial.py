"""Measures whether a training ends with the same weights when it is killed (SIGKILL) and resumed.

    .venv/bin/python scripts/trials/train_kill_trial.py [--kills 20] [--seed 0] [--data data]

The kills come at random moments; a training without kills is the reference. Meanwhile the best checkpoint of
the killed one is read again and again: once it exists it must be readable at every moment. Prints one JSON
object.
"""

import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import threading
import time
from dataclasses import dataclass
from pathlib import Path

import torch
import tyro
from safetensors import SafetensorError
from safetensors.torch import load_file

from vector_tl.errors import UserError
from vector_tl.nets.checkpoint import load
from vector_tl.nets.model_file import read_metadata

STEPS, EVALUATIONS, BATCH = 36, 9, 4


@dataclass(frozen=True)
class KillTrial:
    """Kill a training and resume it, again and again."""

    kills: int = 20
    """How often to kill."""
    seed: int = 0
    """Seed of the moments at which to kill."""
    data: Path = Path("data")
    """Dataset."""
    images: int = 48
    """How many of its images to train on."""


def command(settings: KillTrial, out: Path) -> list[str]:
    """A training of about a minute."""
    options = f"--init scratch --device cpu --threads 1 --steps {STEPS} --batch-size {BATCH}"
    options += f" --evaluations {EVALUATIONS}"
    paths = ["--data", str(settings.data), "--out", str(out), "--images", str(settings.images)]
    return [sys.executable, "-m", "vector_tl", "train", *paths, *options.split(), "--resume", "--overwrite"]


class Reader(threading.Thread):
    """Reads a checkpoint without a pause."""

    def __init__(self, path: Path):
        super().__init__(daemon=True)
        self.path, self.over, self.read, self.failed = path, threading.Event(), 0, []

    def run(self) -> None:
        """Read until `over` is set; `read` counts successes, `failed` lists errors."""
        while not self.over.wait(0.1):
            if self.path.exists():
                try:
                    load_file(self.path)
                    read_metadata(self.path)
                    self.read += 1
                except (SafetensorError, OSError, UserError) as error:
                    self.failed.append(str(error))


def main(settings: KillTrial) -> dict:
    """Run both trainings and compare their weights and curves."""
    rng = random.Random(settings.seed)
    with tempfile.TemporaryDirectory() as folder:
        whole, killed = Path(folder) / "whole.safetensors", Path(folder) / "killed.safetensors"
        begin_s = time.monotonic()
        subprocess.run(command(settings, whole), check=True, capture_output=True)
        lasts_s = time.monotonic() - begin_s
        reader = Reader(killed)
        reader.start()
        moments, starts = [], 0
        while True:
            starts += 1
            process = subprocess.Popen(
                command(settings, killed), stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
            )
            try:
                _, errors = process.communicate(
                    timeout=rng.uniform(0.25, 0.5) * lasts_s if len(moments) < settings.kills else None
                )
            except subprocess.TimeoutExpired:
                os.kill(process.pid, signal.SIGKILL)
                process.communicate()
                moments.append(round(time.monotonic() - begin_s, 1))
                continue
            if process.returncode:
                raise SystemExit(errors.decode()[-2000:])
            if len(moments) >= settings.kills:
                break
            killed.unlink()  # it ended before all kills were done: start from the beginning
        reader.over.set()
        reader.join()
        one, other = load(whole)[0].state_dict(), load(killed)[0].state_dict()
        same = one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)
        curves = whole.with_suffix(".csv").read_text() == killed.with_suffix(".csv").read_text()
        left = sorted(path.name for path in Path(folder).iterdir())
    return {
        "kills": len(moments),
        "starts": starts,
        "undisturbed_s": round(lasts_s, 1),
        "same_weights": same,
        "same_curve": curves,
        "checkpoint_read": reader.read,
        "unreadable": reader.failed,
        "left": left,
    }


if __name__ == "__main__":
    print(json.dumps(main(tyro.cli(KillTrial))))

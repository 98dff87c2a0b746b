"""Measures what each part of the simulator's images is worth on real images: one short training without it.

    .venv/bin/python scripts/trials/ablation.py runs/ablation --stills STILLS --rooms ROOMS
        [--photographs PHOTOGRAPHS] [--seeds 0 1]
    .venv/bin/python scripts/trials/ablation.py runs/ablation --table

Every variant is the standard capture (same seeds, same rooms, every Vector at the same place) with one thing
left out, and the same training from COCO. STILLS is a dataset of real images with Vectors, ROOMS one of real
images without (its first 54 images are used); neither is trained on, and neither chooses anything.
PHOTOGRAPHS, a folder of images without a Vector, adds a variant: the standard images with those as
background images. Each row of RUNS/ablation.jsonl is a training; a training that has a row is not run again.
"""

import json
import time
from collections import defaultdict
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import tyro

from vector_tl.capture.run import capture
from vector_tl.capture.settings import CaptureSettings
from vector_tl.data.boxes import iou_matrix
from vector_tl.data.dataset import Dataset, load_dataset
from vector_tl.detect.detector import load
from vector_tl.evaluate.metrics import Outcome, average_precision, count_false_positives
from vector_tl.evaluate.outcomes import run_detector
from vector_tl.robot.sim_features import FEATURES
from vector_tl.train.curve import finished
from vector_tl.train.loop import train
from vector_tl.train.settings import TrainSettings

THRESHOLD = 0.7
FULL, PHOTOGRAPHS = "everything", "photographs beside"
ROOMS = 54


@dataclass(frozen=True)
class Ablation:
    """Train without one thing after another, or (--table) show the results."""

    runs: tyro.conf.Positional[Path]
    """Folder for images, models and results."""
    stills: Path | None = None
    """Dataset of real images with Vectors."""
    rooms: Path | None = None
    """Dataset of real images without a Vector."""
    photographs: Path | None = None
    """Folder of photographs without a Vector, for a variant that also trains on them."""
    seeds: tuple[int, ...] = (0,)
    """Seeds of the trainings."""
    count: int = 685
    """Images in each capture."""
    steps: int = 160
    """Steps of each training, in batches of 16."""
    name: str = ""
    """Goes before the variants' names, to keep rows of different versions of the simulator apart."""
    only: tuple[str, ...] = ()
    """Run only these variants."""
    table: bool = False
    """Only print the table."""


def run(settings: Ablation) -> None:
    """Run the trainings that have no row yet, one after another."""
    results = settings.runs / "ablation.jsonl"
    done = {(row["variant"], row["seed"]) for row in read_rows(results)}
    rooms = load_dataset(settings.rooms, "test")
    rooms = replace(rooms, items=rooms.items[:ROOMS])
    stills = load_dataset(settings.stills, "test")
    for seed in settings.seeds:
        for variant in (FULL, *FEATURES, *([PHOTOGRAPHS] if settings.photographs else [])):
            name = settings.name + variant
            if (name, seed) in done or settings.only and variant not in settings.only:
                continue
            begin_s = time.monotonic()
            left_out = (variant,) if variant in FEATURES else ()
            data = settings.runs / (settings.name + (variant if left_out else FULL))
            capture(CaptureSettings(data=data, robot="sim", count=settings.count, without=left_out))
            out = settings.runs / f"{name}-{seed}.safetensors"
            photographs = settings.photographs if variant == PHOTOGRAPHS else None
            if not finished(out):
                schedule = TrainSettings(
                    data,
                    out,
                    steps=settings.steps,
                    seed=seed,
                    evaluations=2,
                    threads=1,
                    device="cpu",
                    resume=True,
                )
                train(replace(schedule, backgrounds=photographs))
            row = {"variant": name, "seed": seed, "images_seen": settings.steps * 16} | judge(
                out, stills, rooms
            )
            with results.open("a") as file:
                file.write(json.dumps(row | {"minutes": round((time.monotonic() - begin_s) / 60, 1)}) + "\n")
            print(row, flush=True)


def judge(model: Path, stills: Dataset, rooms: Dataset) -> dict:
    """Measure a model on real images; `false_...` are counts of false positives."""
    detector = load(str(model), "cpu")
    with_vector, without = run_detector(detector, stills), run_detector(detector, rooms)
    ap50, ap50_95 = average_precision(with_vector)
    return {
        "ap50": ap50,
        "ap50_95": ap50_95,
        "iou": float(np.mean([best_iou(outcome) for outcome in with_vector])),
        "threshold": detector.threshold,
        "false_on_stills": count_false_positives(with_vector, THRESHOLD),
        "false_in_rooms": count_false_positives(without, THRESHOLD),
        "false_at_threshold": count_false_positives(without, detector.threshold),
    }


def best_iou(outcome: Outcome) -> float:
    """IoU of the box with the highest score, 0 where there is none."""
    return float(iou_matrix(outcome.predicted_xyxy[:1], outcome.boxes_xyxy).max(initial=0.0))


def read_rows(results: Path) -> list[dict]:
    return [json.loads(line) for line in results.read_text().splitlines()] if results.exists() else []


def table(rows: list[dict]) -> str:
    """Markdown: a row for each variant, with means over its seeds."""
    groups = defaultdict(list)
    for row in rows:
        groups[row["variant"]].append(row)
    lines = [
        "| variant | seeds | stills AP50 | AP50-95 | mean IoU "
        "| false positives on stills, in rooms (threshold .7) |",
        "|---|---|---|---|---|---|",
    ]
    for variant, group in groups.items():

        def mean(key: str, group=group) -> float:
            return float(np.mean([row[key] for row in group]))

        label = f"without {variant}" if variant in FEATURES else variant
        lines.append(
            f"| {label} | {len(group)} | {mean('ap50'):.2f} | {mean('ap50_95'):.3f} | {mean('iou'):.3f} "
            f"| {mean('false_on_stills'):.1f}, {mean('false_in_rooms'):.1f} |"
        )
    return "\n".join(lines)


if __name__ == "__main__":
    asked = tyro.cli(Ablation)
    if not asked.table:
        run(asked)
    print(table(read_rows(asked.runs / "ablation.jsonl")))

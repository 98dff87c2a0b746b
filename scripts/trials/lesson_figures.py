"""Make `experiments/lesson/ready.json`: figures and boxes of the comparison that `vector-tl lesson` ships.

    python scripts/trials/lesson_figures.py --data DATA --work FOLDER [--images-seen 960]

The boxes: a short comparison of one seed, trained here by `vector-tl compare`'s own code at the learning
rates that the full comparison chose (docs/training.md), which keeps what the models see as they learn; and,
with all images, `transfer` and `scratch` of models/ as its end. The curves: the trainings of these two,
docs/trials/twins.jsonl. What is finished in FOLDER is not trained again. DATA holds the standard images
(`vector-tl capture --remake --data data`).
"""

import argparse
import json
import logging
import sys
from pathlib import Path

from vector_tl.capture.plan import SessionPlan
from vector_tl.data.dataset import load_dataset, read_session
from vector_tl.evaluate.metrics import calibrate
from vector_tl.experiments.compare_settings import CompareSettings
from vector_tl.experiments.comparison_data import gather
from vector_tl.experiments.lesson import figures as lesson
from vector_tl.experiments.lesson.lesson import READY, SHIPPED
from vector_tl.experiments.lesson.scenes import room_of
from vector_tl.experiments.runs import ARMS, Training, learned
from vector_tl.experiments.training_runs import finish
from vector_tl.files import write_atomic
from vector_tl.nets import checkpoint, model_file
from vector_tl.nets.calibration import calibration_of
from vector_tl.train.batches import keep_images
from vector_tl.train.inference import run_model

ROOT = Path(__file__).parents[2]
RATES = {"coco": 1.6e-3, "scratch": 6.4e-3}  # chosen by the full comparison
SHIPPED_IMAGES_SEEN = 40_000
# Of the validation split, whose images a page shows.
SESSIONS = ("sim-everyday-0-022", "sim-everyday-0-042", "sim-everyday-0-048")


def short_comparison(asked: argparse.Namespace) -> None:
    """Train what is missing of the short comparison."""
    settings = CompareSettings(
        data=asked.data,
        out=asked.work,
        seeds=1,
        sizes=tuple(asked.sizes),
        images_seen=asked.images_seen,
        max_images_seen=0,
        evaluations=asked.evaluations,
        coco=asked.coco,
        device="cpu",
        threads=asked.threads,
    )
    material = gather(settings)
    for size in asked.sizes:
        for arm in ARMS:
            finish(Training("equal", arm, size, 0, asked.images_seen, RATES[arm]), settings, material)


def long_curves() -> list[dict]:
    """The trainings of the shipped twins; their file has each point of a curve as a list."""
    lines = (ROOT / "docs/trials/twins.jsonl").read_text(encoding="utf-8").splitlines()
    runs = [json.loads(line) for line in lines]
    names = ("images_seen", "ap50", "ap50_95")
    return [run | {"curve": [dict(zip(names, place, strict=True)) for place in run["curve"]]} for run in runs]


def in_common(
    kept: dict[tuple[str, int], lesson.Seen], everything: int
) -> dict[tuple[str, int], lesson.Seen]:
    """The sizes that both arms were trained with, as far as both have come."""
    times = {key: {n for n, _ in seen} for key, seen in kept.items()}
    both = {(arm, size): set.intersection(*(times[each, size] for each in ARMS)) for arm, size in kept}
    return {
        key: [some for some in seen if some[0] in both[key]]
        for key, seen in kept.items()
        if len(both[key]) > 1 or key[1] == everything
    }


def main() -> int:
    """Write the file."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--sizes", nargs="+", default=["all", "25", "70", "200"])
    parser.add_argument("--images-seen", type=int, default=960)
    parser.add_argument("--evaluations", type=int, default=6)
    parser.add_argument("--coco", type=Path)
    parser.add_argument("--threads", type=int)
    parser.add_argument("--no-training", action="store_true", help="use what FOLDER holds")
    asked = parser.parse_args()
    logging.basicConfig(level=logging.INFO)
    if not asked.no_training:
        short_comparison(asked)
    items = load_dataset(asked.data, "val").items
    chosen = lesson.choose_scenes(items, SESSIONS)
    everything = len(load_dataset(asked.data, "train").items)
    kept = {
        (arm, everything if size == "all" else int(size)): learned(
            asked.work / "runs" / f"equal-{arm}-{size}-seed0"
        )
        for size in asked.sizes
        for arm in ARMS
    }
    figures = lesson.figures_from(in_common(kept, everything), lesson.curves(long_curves()), items, chosen)
    images = keep_images(items)
    for training in figures["trainings"]:
        if training["images"] == everything:
            model, about = checkpoint.load(model_file.resolve(SHIPPED[training["arm"]]))
            outcomes = calibrate(run_model(model, images), calibration_of(about))
            end = lesson.point(SHIPPED_IMAGES_SEEN, outcomes, chosen, calibrated=True)
            training["points"].append(end | {"model": SHIPPED[training["arm"]]})
    used = sorted({scene["name"].split("/")[0] for scene in figures["scenes"]})
    plans = [SessionPlan.of(name, read_session(ROOT / "data", name)) for name in used]
    figures |= {"rooms": [room_of(plan) for plan in plans]}
    write_atomic(READY, json.dumps(figures, separators=(",", ":")) + "\n")
    print(READY, READY.stat().st_size, "bytes")
    return 0


if __name__ == "__main__":
    sys.exit(main())

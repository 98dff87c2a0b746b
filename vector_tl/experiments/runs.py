"""The trainings of a comparison as they lie on disk, a folder each, named after its kind, arm, size and seed.

runs/<name>/result.json     figures of a finished training; a training without it is resumed
runs/<name>/trained.json    what `train` returned, written before anything is measured
runs/<name>/model.*         the model and its learning curve
runs/<name>/test.npz        labels and boxes found on the test images; real.npz and rooms.npz likewise
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from vector_tl import files
from vector_tl.data.dataset import Item
from vector_tl.evaluate.metrics import Outcome
from vector_tl.train.batches import Images

ARMS = ("coco", "scratch")
MIN_LEARNED = 0.05  # AP50-95; below it a model is at the start of training, and its AP is chance
STILL_RISING = 0.01  # a gain in AP50-95 on the validation sessions, in the last quarter of a training
# Of files that version 0.1 wrote.
RENAMED_KEYS = {
    "pictures": "images",  # old name
    "pictures_seen": "images_seen",  # old name
    "seen": "images_seen",  # old name
    "most_seen": "max_images_seen",  # old name
    "false_alarms": "false_positives",  # old name
    "false_alarms_per_image": "false_positives_per_image",  # old name
}
Result = dict[str, Any]  # of one training, as in its result.json


@dataclass(frozen=True)
class Training:
    """One training of a comparison.

    `kind` is lr (to choose the learning rate), equal (as many images seen by both arms), long (until it
    stops gaining) or random (split by image, not by session); `size` a number of training images or `all`.
    """

    kind: str
    arm: str
    size: str
    seed: int
    images_seen: int
    lr: float

    @property
    def name(self) -> str:
        """Its folder's name."""
        return folder_name(asdict(self))


@dataclass(frozen=True)
class ComparisonData:
    """What is trained on and measured: the dataset's images by split, and what is only measured."""

    splits: dict[str, list[Item]]
    real_items: tuple[Item, ...] = ()
    real: Images | None = None
    rooms: Images | None = None


def folder_name(result: Result) -> str:
    """The name of a training's folder, by its result."""
    name = f"{result['kind']}-{result['arm']}-{result['size']}-seed{result['seed']}"
    return f"{name}-lr{result['lr']:g}" if result["kind"] == "lr" else name


def with_new_keys(value: Any) -> Any:
    """The same JSON value with the keys of version 0.1 renamed."""
    if isinstance(value, dict):
        return {RENAMED_KEYS.get(key, key): with_new_keys(part) for key, part in value.items()}
    return [with_new_keys(part) for part in value] if isinstance(value, list) else value


def read_json(path: Path) -> dict[str, Any]:
    """A JSON file of an experiment, with the keys of this version; empty where it does not exist."""
    return with_new_keys(files.read_json(path, missing={}))


def finished_trainings(out: Path) -> list[Result]:
    """The results in an experiment's folder."""
    return [read_json(path) for path in sorted((out / "runs").glob("*/result.json"))]


def late_loss(curve: list[dict[str, Any]]) -> float | None:
    """Mean training loss over the last quarter of a curve, as one point may be that of one batch.

    None for a training that diverged.
    """
    late = [
        p["loss"]
        for p in curve
        if p["images_seen"] > 0.75 * curve[-1]["images_seen"] and p["loss"] is not None
    ]
    return float(np.mean(late)) if late else None


def still_rising(curve: list[dict[str, Any]]) -> bool:
    """Whether the last quarter of a training still brought `STILL_RISING` on the validation sessions.

    A curve that stays below `MIN_LEARNED` counts as rising: it is at the start of training, not on a plateau.
    """
    heights = [(point["images_seen"], point["ap50_95"] or 0.0) for point in curve]
    best = max((height for _, height in heights), default=0.0)
    if best < MIN_LEARNED:
        return True
    before = [height for seen, height in heights if seen <= 0.75 * heights[-1][0]]
    return best - max(before, default=0.0) >= STILL_RISING


def read_outcomes(path: Path) -> list[Outcome]:
    """The outcomes that `write_outcomes` wrote."""
    with np.load(path) as file:
        columns = [
            np.split(file[name], np.cumsum(file[f"{name}_n"])[:-1])
            for name in ("truth", "predicted", "scores", "own_scores")
            if name in file  # an earlier version kept no scores of the network's own
        ]
        width, height = file["size_wh"].tolist()
    return [Outcome((width, height), *parts) for parts in zip(*columns, strict=True)]


def write_outcomes(path: Path, outcomes: Sequence[Outcome]) -> None:
    """Keep labels and detections of images of one size, to show them later without running the model."""
    columns = {
        "truth": [o.boxes_xyxy for o in outcomes],
        "predicted": [o.predicted_xyxy for o in outcomes],
        "scores": [o.scores for o in outcomes],
        "own_scores": [o.ap_scores for o in outcomes],
    }
    arrays: dict[str, Any] = {name: np.concatenate(rows) for name, rows in columns.items()}
    arrays |= {f"{name}_n": np.array([len(row) for row in rows]) for name, rows in columns.items()}
    np.savez_compressed(path, size_wh=np.array(outcomes[0].size_wh), **arrays)

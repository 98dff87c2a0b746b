"""The trainings of a comparison as they lie on disk, a folder each, named after its kind, arm, size and seed.

runs/<name>/result.json     figures of a finished training; a training without it is resumed
runs/<name>/trained.json    what `train` returned, written before anything is measured
runs/<name>/model.*         the model and its learning curve
runs/<name>/test.npz        labels and boxes found on the test images; real.npz and rooms.npz likewise
runs/<name>/val/<N>.npz     the same on the validation images after N images seen, at each point of the curve
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from vector_tl import files
from vector_tl.errors import UserError
from vector_tl.evaluate.metrics import Outcome
from vector_tl.experiments.run_forms import Measured, Tried
from vector_tl.forms import check_form
from vector_tl.zips import refuse_damaged_zip

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

    @property
    def is_final(self) -> bool:
        """Whether its model is one to use: trained on all images of the train sessions."""
        return self.size == "all" and self.kind in ("equal", "long")


def folder_name(result: Result) -> str:
    """The name of a training's folder, by its result."""
    name = f"{result['kind']}-{result['arm']}-{result['size']}-seed{result['seed']}"
    return f"{name}-lr{result['lr']:g}" if result["kind"] == "lr" else name


def with_new_keys(value: Any) -> Any:
    """The same JSON value with the keys of version 0.1 renamed."""
    if isinstance(value, dict):
        return {RENAMED_KEYS.get(key, key): with_new_keys(part) for key, part in value.items()}
    return [with_new_keys(part) for part in value] if isinstance(value, list) else value


def read_json(path: Path, form: Any) -> dict[str, Any]:
    """A JSON file of an experiment, with the keys of this version; empty where it does not exist.

    Raises:
        UserError: it cannot be read, or is not of that form.
    """
    remedy = f"remove the folder {path.parent} and run vector-tl compare again"
    if not path.exists():
        return {}
    try:
        value = with_new_keys(files.read_json(path, remedy=remedy))
    except RecursionError as error:
        raise UserError(f"{path} is nested too deeply, at its top level; {remedy}.") from error
    about: dict[str, Any] = check_form(value, form, str(path), remedy)
    return about


def read_result(path: Path) -> Result:
    """The result of a training.

    Raises:
        UserError: it cannot be read, is not of its form, or is that of another training.
    """
    tried = path.parent.name.startswith("lr-")
    result = read_json(path, Tried if tried else Measured)
    if folder_name(result) != path.parent.name:
        raise UserError(
            f"{path} has a key that is not that of its folder: it is of the training {folder_name(result)}; "
            f"remove the folder {path.parent} and run vector-tl compare again."
        )
    return result


def finished_trainings(out: Path) -> list[Result]:
    """The results in an experiment's folder.

    Raises:
        UserError: see `read_result`.
    """
    return [read_result(path) for path in sorted((out / "runs").glob("*/result.json"))]


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
    """The outcomes that `write_outcomes` wrote.

    Raises:
        FileNotFoundError: there is no such file.
        UserError: it is damaged, or holds something else; the message names the array.
    """
    refuse_damaged_zip(path, f"remove the folder {path.parent} and run vector-tl compare again")
    with np.load(path) as file:
        names = ["truth", "predicted", "scores"]
        names += ["own_scores"] * ("own_scores" in file)  # an earlier version kept none
        size_wh = _array(path, file, "size_wh", "iu", (2,), 1)
        counts = {name: _array(path, file, f"{name}_n", "iu", (-1,), 0) for name in names}
        sides = {"truth": (-1, 4), "predicted": (-1, 4)}
        arrays = {name: _array(path, file, name, "f", sides.get(name, (-1,))) for name in names}
    images = len(counts["truth"])
    for name, array in arrays.items():
        like = counts["truth" if name == "truth" else "predicted"]
        if len(like) != images or not np.array_equal(counts[name], like) or like.sum() != len(array):
            raise _odd_array(path, name, "it has other numbers of boxes than the rest")
    columns = [np.split(array, np.cumsum(counts[name])[:-1]) for name, array in arrays.items()]
    width, height = size_wh.tolist()
    return [Outcome((width, height), *parts) for parts in zip(*columns, strict=True)]


def _array(
    path: Path,
    file: Mapping[str, np.ndarray],
    name: str,
    kinds: str,
    shape: tuple[int, ...],
    least: float = -1e9,
) -> np.ndarray:
    """An array of finite numbers of some kinds, of a shape (-1: of any length), none below `least`."""
    try:
        array = file[name]
    except (KeyError, ValueError) as error:
        raise _odd_array(path, name, str(error)) from None
    like = len(array.shape) == len(shape) and all(
        s in (-1, n) for s, n in zip(shape, array.shape, strict=True)
    )
    if array.dtype.kind not in kinds or not like:
        raise _odd_array(path, name, f"it holds {array.dtype} of the shape {array.shape}")
    if not ((array >= least) & (array <= 1e9)).all():  # NaN is neither
        raise _odd_array(path, name, "it holds numbers out of their range")
    return array


def _odd_array(path: Path, name: str, why: str) -> UserError:
    remedy = f"remove the folder {path.parent} and run vector-tl compare again"
    return UserError(f"{path} does not have its form, at the array {name!r}: {why}; {remedy}.")


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


def keep_outcomes(folder: Path, images_seen: int, outcomes: Sequence[Outcome]) -> None:
    """Keep what a model in training sees in the validation images, for `vector-tl lesson`."""
    (folder / "val").mkdir(parents=True, exist_ok=True)
    write_outcomes(folder / "val" / f"{images_seen}.npz", outcomes)


def learned(folder: Path) -> list[tuple[int, list[Outcome]]]:
    """What `keep_outcomes` kept of a training, in order of the images seen; empty of one that kept nothing.

    Raises:
        UserError: a file is damaged.
    """
    paths = (path for path in (folder / "val").glob("*.npz") if path.stem.isdigit())
    return [(int(path.stem), read_outcomes(path)) for path in sorted(paths, key=lambda path: int(path.stem))]

"""In which precisions a model finds as much as in single precision: `evaluate --check-precisions`, `train`.

A CPU runs a model only in those, each with a confidence threshold of its own: scores near the threshold move
when numbers are rounded, so the threshold moves with them.
"""

import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from vector_tl.data.dataset import Dataset, load_dataset
from vector_tl.detect.engine import OnCpu
from vector_tl.errors import UserError
from vector_tl.evaluate.metrics import Outcome, match, measure
from vector_tl.evaluate.outcomes import run_detector
from vector_tl.evaluate.settings import EvaluateSettings
from vector_tl.nets.calibration import calibration_of
from vector_tl.nets.model_file import (
    Weights,
    read_weights,
    resolve,
    threshold_of,
    thresholds_of,
    write_metadata,
)
from vector_tl.plain import counted

# what may be lost against single precision, in each split
MAX_AP_LOSS, MAX_RECALL_LOSS, MAX_LOST_OF_KIND = 0.005, 0.01, 2
MAX_MORE_FALSE_POSITIVES = 0.01  # per image
SPLITS = ("val", "test")
# of the val split after a training: fewer Vectors say too little, more images take too long
MIN_VECTORS, MAX_IMAGES = 20, 1000
PLAIN = "of no kind"
log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Seen:
    """What a model in one precision found on the images of a split, and its figures at a threshold."""

    dataset: Dataset
    outcomes: list[Outcome]

    def figures(self, threshold: float) -> dict[str, Any]:
        """{"ap50_95", "recall", "false_positives_per_image"}."""
        all_figures = measure(self.outcomes, threshold)
        return {key: all_figures[key] for key in ("ap50_95", "recall", "false_positives_per_image")}

    def found_by_kind(self, threshold: float) -> dict[str, int]:
        """How many Vectors are found in images of each kind."""
        found: dict[str, int] = {}
        for item, outcome in zip(self.dataset.items, self.outcomes, strict=True):
            count = int((match(outcome)[0] > threshold).sum())
            for kind in item.kinds or (PLAIN,):
                found[kind] = found.get(kind, 0) + count
        return found


def check_precisions(settings: EvaluateSettings) -> dict[str, Any]:
    """Evaluate a model in each precision of this CPU; write the thresholds of those that pass to its file.

    Thresholds of precisions that this CPU has not stay as they are.

    Returns:
        {"model", "thresholds": as they are now, "precisions": [{"precision", "threshold", "passed", "why",
        "val", "test", "lost": {kind: boxes}}]}; `val` and `test` are as in `Seen.figures`, `why` is null or
        says what fails, `lost` is against fp32, below 0 where more are found.

    Raises:
        UserError: model, data or labels are missing or broken; OpenVINO is not installed.
    """
    from vector_tl.detect.engines import has_openvino

    if not has_openvino():
        raise UserError("--check-precisions needs OpenVINO; run scripts/setup.")
    path = resolve(settings.model)
    thresholds, rows = _check(path, [load_dataset(settings.data, split) for split in SPLITS])
    return {"model": path.stem, "thresholds": thresholds, "precisions": rows}


def settle_precisions(path: Path, val: Dataset, threads: int | None = None) -> str:
    """The same for a model that was just trained, on its val images alone, as its threshold comes from them.

    Its test images stay unseen until it is evaluated. Of many images `MAX_IMAGES` at most count.

    Args:
        path: of the model.
        val: the images that chose it.
        threads: of the CPU; one for each core when None.

    Returns:
        A sentence on what came out.

    Raises:
        UserError: an image cannot be read, the model cannot be written, or OpenVINO cannot run it.
    """
    from vector_tl.detect.precision import precisions_of  # brings OpenVINO

    name, (weights, _) = path.stem, read_weights(path)
    if precisions_of(weights) == ("fp32",):
        return f"{name} runs in fp32: this processor, or this network, has no faster precision to check."
    vectors = sum(len(item.boxes_norm) for item in val.items if item.boxes_norm is not None)
    if vectors < MIN_VECTORS:
        return (
            f"{name} was checked in no faster precision than fp32: the val sessions show "
            f"{counted(vectors, 'Vector')}, and {MIN_VECTORS} are needed."
        )
    some = replace(val, items=val.items[:: -(-len(val) // MAX_IMAGES)])
    _, rows = _check(path, [some], threads)
    return " ".join([_in_words(name, rows), f"Checked on {counted(len(some), 'val image')}."])


def _in_words(name: str, rows: list[dict[str, Any]]) -> str:
    faster = rows[1:]  # fp32 is the first
    passed = [row["precision"] for row in faster if row["passed"]]
    refused = [f"{row['precision']} ({row['why']})" for row in faster if not row["passed"]]
    here = f"{name} finds as much in {' and in '.join(passed)} as in fp32, so a CPU may run it so" * bool(
        passed
    )
    not_here = f"it finds less in {' and in '.join(refused)}, so no CPU runs it so" * bool(refused)
    return (f"{here}; {not_here}" if passed and refused else here or f"{name}: {not_here}") + "."


def _check(
    path: Path, datasets: list[Dataset], threads: int | None = None
) -> tuple[dict[str, float], list[dict[str, Any]]]:
    """Write the thresholds of what passes; these, and a row for each precision, fp32 first."""
    from vector_tl.detect.precision import precisions_of  # brings OpenVINO

    weights, metadata = read_weights(path)
    single_threshold = threshold_of(metadata)
    thresholds = thresholds_of(metadata) | {"fp32": single_threshold}
    rows: list[dict[str, Any]] = []
    single: list[Seen] = []
    for precision in precisions_of(weights):
        seen = _seen(weights, metadata, OnCpu(threads, precision, side_by_side=True), datasets)
        if seen is None:
            continue
        single = single or seen  # fp32 is the first
        threshold = choose_like(single[0].outcomes, seen[0].outcomes, single_threshold)
        row = compare(single, seen, single_threshold, threshold)
        rows.append({"precision": precision, "threshold": threshold} | row)
        thresholds.pop(precision, None)
        if row["passed"]:
            thresholds[precision] = threshold
    write_metadata(path, {"thresholds": thresholds})
    return thresholds, rows


def _seen(
    weights: Weights, metadata: dict[str, Any], how: OnCpu, datasets: list[Dataset]
) -> list[Seen] | None:
    """What the model finds on each split; None where this CPU cannot run it so."""
    from vector_tl.detect.detector import Detector  # slow to import: only once the data are there

    # of no file: its metadata are about to change, and what was compiled of it would serve nobody
    weights, threshold = replace(weights, digest=""), threshold_of(metadata)
    try:
        detector = Detector(weights, "", threshold, "cpu", "openvino", calibration_of(metadata), how)
    except UserError as error:
        if how.precision == "fp32":
            raise
        log.info("%s", error)
        return None
    return [Seen(dataset, run_detector(detector, dataset)) for dataset in datasets]


def choose_like(single: Sequence[Outcome], other: Sequence[Outcome], threshold: float) -> float:
    """The threshold at which rounded numbers find as many Vectors of the val images as exact ones do.

    Of all such thresholds it is the one nearest to the exact numbers'; where none finds just as many, the
    nearest at which no fewer are found.

    Args:
        single: outcomes in single precision.
        other: in another one, of the same images.
        threshold: of single precision.
    """
    wanted = int((_found_at(single) > threshold).sum())
    found_at = np.sort(_found_at(other))[::-1].astype(float)  # best first
    if wanted == 0 or int((found_at > threshold).sum()) == wanted:
        return threshold
    # between the last that is to be found and the first that is not
    above = found_at[wanted - 1] if wanted <= len(found_at) else 0.0
    below = found_at[wanted] if wanted < len(found_at) else 0.0
    if above <= below:  # equal scores
        return float(np.nextafter(np.float32(above), np.float32(0)))
    margin = (above - below) / 1000
    return float(np.clip(threshold, max(below, 0.0), above - margin))


def _found_at(outcomes: Sequence[Outcome]) -> np.ndarray:
    """The score at which each ground-truth box is found; -1 where it is not."""
    return np.concatenate([match(outcome)[0] for outcome in outcomes] or [np.zeros(0)])


def compare(
    single: Sequence[Seen], other: Sequence[Seen], single_threshold: float, threshold: float
) -> dict[str, Any]:
    """Whether another precision finds as much as single precision, in each split; by kind in the last one.

    Returns:
        {"passed", "why", figures of each split by its name, "lost"}, see `check_precisions`.
    """
    figures, reasons = {}, []
    for before, now in zip(single, other, strict=True):
        split = before.dataset.split
        exact, rounded = before.figures(single_threshold), now.figures(threshold)
        figures[split] = rounded
        for key, most in (("ap50_95", MAX_AP_LOSS), ("recall", MAX_RECALL_LOSS)):
            if exact[key] is not None and not rounded[key] >= exact[key] - most:
                reasons.append(f"{split} {key} {rounded[key]:.3f}, in fp32 {exact[key]:.3f}")
        more = rounded["false_positives_per_image"] - exact["false_positives_per_image"]
        if more > MAX_MORE_FALSE_POSITIVES:
            reasons.append(f"{split}: {more:.3f} more false positives per image")
    before_by_kind, now_by_kind = (
        seen[-1].found_by_kind(limit) for seen, limit in ((single, single_threshold), (other, threshold))
    )
    lost = {kind: count - now_by_kind[kind] for kind, count in before_by_kind.items()}
    for kind, count in lost.items():
        if count > MAX_LOST_OF_KIND:
            reasons.append(f"{counted(count, 'Vector')} lost in {split} images {kind}")
    return {"passed": not reasons, "why": "; ".join(reasons) or None} | figures | {"lost": lost}


def describe(result: dict[str, Any]) -> str:
    """The result as lines for a person."""
    lines = []
    for row in result["precisions"]:
        verdict = "passed" if row["passed"] else f"not used: {row['why']}"
        shown = [
            f"{split} AP50-95 {row[split]['ap50_95'] or 0:.3f} recall {row[split]['recall'] or 0:.3f}"
            for split in SPLITS
        ]
        lines.append(
            f"{result['model']} in {row['precision']}: threshold {row['threshold']:.3f}, "
            f"{', '.join(shown)}; {verdict}"
        )
    return "\n".join(lines)

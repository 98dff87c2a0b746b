"""`vector-tl evaluate`: a model against labelled images."""

import sys
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.progress import track

from vector_tl.data.dataset import Dataset, load_dataset
from vector_tl.detect.interface import ImageDetector
from vector_tl.errors import UsageError
from vector_tl.evaluate.metrics import AP_SCORE, Outcome, measure
from vector_tl.evaluate.settings import EvaluateSettings
from vector_tl.files import refuse_existing


def evaluate(settings: EvaluateSettings) -> dict:
    """Measure a model on one split of a dataset; unlabelled images are left out, and their number is logged.

    Returns:
        {"model", "arch", "init", "images", "boxes", "ap50", "ap50_95", "threshold", "precision", "recall", "false_positives_per_image",
        "recall_by_height_px": [{"min", "max", "boxes", "recall"}]}; what is undefined is None. With --report also {"report", "missed", "false_positives",
        "badly_fitting", "capture_next"}.

    Raises:
        UsageError: a threshold outside 0..1 or an unknown split.
        UserError: model, data or labels are missing or broken.
    """
    if settings.threshold is not None and not 0 <= settings.threshold <= 1:  # NaN too
        raise UsageError(f"--threshold {settings.threshold} is no score; give a number from 0 to 1.")
    if settings.report is not None:
        if settings.report.suffix not in (".html", ".htm"):
            raise UsageError(f"--report {settings.report} must end in .html.")
        refuse_existing(settings.report, settings.overwrite)
    dataset = _recorded(settings.data) or load_dataset(settings.data, settings.split)
    from vector_tl.detect.engine import load  # PyTorch: only once the data are known to be there

    detector = load(settings.model, settings.device)
    if settings.report is None:
        return evaluate_detector(detector, dataset, settings.threshold)
    from vector_tl.evaluate.report import write_report

    seen = outcomes(detector, dataset)
    figures = _figures(detector, seen, settings.threshold)
    return figures | write_report(settings.report, figures, dataset, seen)


def _recorded(data: Path) -> Dataset | None:
    """The frames of a recording, all of them whatever the split; None for a dataset's folder."""
    if not data.is_file():
        return None
    from vector_tl.evaluate.recorded import recorded_dataset

    return recorded_dataset(data)


def evaluate_detector(detector: ImageDetector, dataset: Dataset, threshold: float | None = None) -> dict:
    """The figures of `evaluate` for a detector at hand, at its own threshold unless another is given."""
    return _figures(detector, outcomes(detector, dataset), threshold)


def _figures(detector: ImageDetector, seen: list[Outcome], threshold: float | None) -> dict:
    figures = measure(seen, detector.threshold if threshold is None else threshold)
    return {"model": detector.name, "arch": detector.arch, "init": detector.init} | figures


def outcomes(detector: ImageDetector, dataset: Dataset) -> list[Outcome]:
    """What the detector says on every image, with all boxes that AP needs, beside the truth."""
    console = Console(stderr=True)
    result = []
    for item in track(
        dataset.items, "evaluate", console=console, disable=not sys.stderr.isatty(), transient=True
    ):
        image = item.image()
        size_wh = (image.shape[1], image.shape[0])
        found = detector(image, threshold=AP_SCORE)
        finite = np.isfinite(found.boxes_xyxy).all(axis=1) & np.isfinite(found.scores)
        result.append(
            Outcome(size_wh, item.boxes_xyxy(size_wh), found.boxes_xyxy[finite], found.scores[finite])
        )
    return result


def describe(figures: dict) -> str:
    """The figures of `evaluate` as lines for a person."""

    def show(value: float | None) -> str:
        return "-" if value is None else f"{value:.3f}"

    lines = [
        f"{figures['model']} ({figures['arch']} from {figures['init']}) on {figures['images']} images with {figures['boxes']} Vectors",
        f"AP50 {show(figures['ap50'])}   AP50-95 {show(figures['ap50_95'])}",
        f"above score {figures['threshold']:.2f}: precision {show(figures['precision'])}   recall {show(figures['recall'])}",
        f"false positives per image {show(figures['false_positives_per_image'])}",
    ]
    for row in figures["recall_by_height_px"]:
        until = "and more" if row["max"] is None else f"to {row['max']:g}"
        lines.append(
            f"  {row['min']:g} {until} px high: {row['boxes']} Vectors, recall {show(row['recall'])}"
        )
    if "report" in figures:
        lines.append(
            f"{figures['missed']} missed, {figures['false_positives']} false positives, {figures['badly_fitting']} badly fitting boxes: {figures['report']}"
        )
        lines += [f"  to capture next: {line}" for line in figures["capture_next"]]
    return "\n".join(lines)

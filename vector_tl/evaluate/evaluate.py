"""`vector-tl evaluate`: a model against labelled images."""

from typing import Any

from vector_tl.data.dataset import Dataset, load_dataset
from vector_tl.detect.interface import ImageDetector
from vector_tl.detect.settings import check_threshold
from vector_tl.errors import UsageError
from vector_tl.evaluate import precisions
from vector_tl.evaluate.kinds import figures_by_kind
from vector_tl.evaluate.metrics import Outcome, measure
from vector_tl.evaluate.outcomes import run_detector
from vector_tl.evaluate.recorded import RecordedDataset, recorded_dataset
from vector_tl.evaluate.settings import EvaluateSettings
from vector_tl.files import refuse_existing
from vector_tl.plain import counted, one_line


def evaluate(settings: EvaluateSettings) -> dict[str, Any]:
    """Evaluate a model on one split of a dataset; unlabelled images are left out, and their number is logged.

    Returns:
        {"model", "arch", "init", "images", "boxes", "ap50", "ap50_95", "threshold", "precision", "recall",
        "false_positives_per_image", "recall_by_height_px": [{"min", "max", "boxes", "recall"}], "kinds":
        [a row of `figures_by_kind`, worst first]}; what is undefined is None. With --report also {"report",
        "missed", "false_positives", "badly_fitting", "capture_next"}. With --check-precisions what
        `check_precisions` gives.

    Raises:
        UsageError: a threshold outside 0..1 or an unknown split.
        UserError: model, data or labels are missing or broken.
    """
    check_threshold(settings.threshold)
    settings.check_work()
    if settings.report is not None:
        if settings.report.suffix not in (".html", ".htm"):
            raise UsageError(f"--report {settings.report} must end in .html.")
        refuse_existing(settings.report, settings.overwrite)
    if settings.check_precisions:
        return precisions.check_precisions(settings)
    # of a recording all frames, whatever the split
    recorded = settings.data.is_file()
    dataset: Dataset | RecordedDataset = (
        recorded_dataset(settings.data) if recorded else load_dataset(settings.data, settings.split)
    )
    from vector_tl.detect.detector import load  # slow to import (PyTorch): only once the data are there
    from vector_tl.detect.second_look import SecondLook

    alike = settings.cluster is not None and settings.precision == "auto"
    precision = "fp32" if alike else settings.precision
    once = load(settings.model, settings.device, precision=precision, side_by_side=True)
    detector = SecondLook(once) if settings.tiles else once
    if settings.is_divided:
        from vector_tl.evaluate.divided import run_divided  # rarely asked for

        outcomes = run_divided(settings, once, dataset)
    else:
        outcomes = run_detector(detector, dataset)
    figures = _figures(detector, dataset, outcomes, settings.threshold)
    if settings.report is None:
        return figures
    from vector_tl.evaluate.report import write_report  # slow to import, and rarely asked for

    return figures | write_report(settings.report, figures, dataset, outcomes)


def evaluate_detector(
    detector: ImageDetector, dataset: Dataset | RecordedDataset, threshold: float | None = None
) -> dict[str, Any]:
    """The figures of `evaluate` for a detector at hand, at its own threshold unless another is given."""
    return _figures(detector, dataset, run_detector(detector, dataset), threshold)


def _figures(
    detector: ImageDetector,
    dataset: Dataset | RecordedDataset,
    outcomes: list[Outcome],
    threshold: float | None,
) -> dict[str, Any]:
    figures = measure(outcomes, detector.threshold if threshold is None else threshold)
    kinds, sessions = [item.kinds for item in dataset.items], [item.session for item in dataset.items]
    return (
        {"model": detector.name, "arch": detector.arch, "init": detector.init}
        | figures
        | {"kinds": figures_by_kind(outcomes, kinds, sessions, figures["threshold"])}
    )


def describe(figures: dict[str, Any]) -> str:
    """The figures of `evaluate` as lines for a person."""
    if "precisions" in figures:
        return precisions.describe(figures)

    def show(value: float | None) -> str:
        return "-" if value is None else f"{value:.3f}"

    lines = [
        f"{figures['model']} ({figures['arch']} from {figures['init']}) "
        f"on {counted(figures['images'], 'image')} with {counted(figures['boxes'], 'Vector')}",
        f"AP50 {show(figures['ap50'])}   AP50-95 {show(figures['ap50_95'])}",
        f"boxes that the model is at least {figures['threshold']:.0%} sure of: "
        f"precision {show(figures['precision'])}   recall {show(figures['recall'])}",
        f"false positives per image {show(figures['false_positives_per_image'])}",
    ]
    for row in (row for row in figures["recall_by_height_px"] if row["boxes"]):
        until = "and more" if row["max"] is None else f"to {row['max']:g}"
        size = f"{row['min']:g} {until} px high"
        lines.append(f"  {size}: {counted(row['boxes'], 'Vector')}, recall {show(row['recall'])}")
    lines += ["  by kind, worst first:"] * bool(figures["kinds"])
    for row in figures["kinds"]:
        lines.append(
            f"  {row['kind']}: {counted(row['images'], 'image')}, {counted(row['boxes'], 'Vector')}, "
            f"AP50 {show(row['ap50'])}, recall {show(row['recall'])}, "
            f"false positives per image {show(row['false_positives_per_image'])}"
        )
    if "report" in figures:
        lines.append(
            f"{figures['missed']} missed, {counted(figures['false_positives'], 'false positive')}, "
            f"{counted(figures['badly_fitting'], 'badly fitting box', 'badly fitting boxes')}: "
            f"{figures['report']}"
        )
        lines += [f"  to capture next: {line}" for line in figures["capture_next"]]
    return "\n".join(map(one_line, lines))

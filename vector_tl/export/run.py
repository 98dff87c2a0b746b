"""`vector-tl export`: a model for other programs, compared with the original before it is given out."""

from typing import Any

from vector_tl.errors import UserError
from vector_tl.export.compare import Original, images_to_compare
from vector_tl.export.runtimes import open_runtime
from vector_tl.export.settings import ExportSettings
from vector_tl.export.write import facts_of, write
from vector_tl.files import refuse_existing
from vector_tl.nets.calibration import calibration_of
from vector_tl.nets.model_file import read_weights, resolve, threshold_of
from vector_tl.plain import counted

MAX_SCORE, MAX_PX = 1e-3, 0.5  # by how much an exported model may differ


def export(settings: ExportSettings) -> dict[str, Any]:
    """Write a model, run the file, and compare it with the original.

    Returns:
        {"file", "format", "size_mb", "max_score_difference", "max_box_difference_px", "images",
        "images_from", "runtime", "threshold", "labels", "suppression"}: the differences are the largest
        of any score, and of any side of a box in pixels of its image, over all boxes, or with suppression
        over the chosen ones.

    Raises:
        UsageError: a setting that makes no sense.
        UserError: no such model, a file that exists, a package that is missing, or a file that sees something
            else than the original, which is removed.
    """
    settings.check()
    for path in settings.files:
        refuse_existing(path, settings.overwrite)
    weights, metadata = read_weights(settings.model)
    threshold = threshold_of(metadata) if settings.threshold is None else settings.threshold
    facts = facts_of(weights, resolve(settings.model).stem, threshold, settings.suppression)
    write(settings.out, settings.format, weights, metadata, facts, settings.suppression)
    runtime, run = open_runtime(settings.out, settings.format)
    asked = facts["threshold"] if settings.suppression else None
    original = Original(weights, calibration_of(metadata), asked)
    images_from, images = images_to_compare(settings.data)
    found = [original.differences(run, image) for image in images]
    score, px = max((pair[0] for pair in found), default=0.0), max((pair[1] for pair in found), default=0.0)
    if score > MAX_SCORE or px > MAX_PX:
        for path in settings.files:
            path.unlink(missing_ok=True)
        raise UserError(
            f"The exported file sees something else than the original (by {score:.2g} in a score, {px:.2g} "
            f"pixels in a box, run by {runtime}), and was removed; choose another --format."
        )
    size_mb = sum(path.stat().st_size for path in settings.files) / 1e6
    return {
        "file": str(settings.out),
        "format": settings.format,
        "size_mb": round(size_mb, 2),
        "max_score_difference": score,
        "max_box_difference_px": px,
        "images": len(found),
        "images_from": images_from,
        "runtime": runtime,
        "threshold": facts["threshold"],
        "labels": facts["labels"],
        "suppression": settings.suppression,
    }


def describe(result: dict[str, Any]) -> str:
    """The result of `export` for a person."""
    boxes = (
        "It chooses the boxes itself" if result["suppression"] else "It gives every box with its confidence"
    )
    return (
        f"{result['file']}, {result['size_mb']:.1f} MB. {boxes}; those of {result['threshold']:.3f} or more "
        f"count.\nRun by {result['runtime']} on {counted(result['images'], 'image')} "
        f"({result['images_from']}), it differs from the original by {result['max_score_difference']:.1g} in "
        f"a confidence and by {result['max_box_difference_px']:.1g} pixels in a box, at most."
    )

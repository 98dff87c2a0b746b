"""`vector-tl detect`: boxes for every image of the inputs."""

import logging
from collections.abc import Iterator
from functools import partial
from itertools import islice
from typing import Any

from vector_tl.data.images import is_image_file
from vector_tl.data.media import MediaFrame, read_frames
from vector_tl.detect.detector import Detector, load
from vector_tl.detect.interface import Detections
from vector_tl.detect.many import in_order
from vector_tl.detect.second_look import SecondLook
from vector_tl.detect.settings import DetectSettings, check_threshold
from vector_tl.errors import UsageError

BATCH = 8
log = logging.getLogger(__name__)


def detect(settings: DetectSettings) -> Iterator[dict[str, Any]]:
    """Detect Vectors in all inputs, one image after another.

    Yields:
        For each image `{"source", "frame", "size_wh", "boxes"}`, or `{"source", "error"}` for one that cannot
        be read.

    Raises:
        UsageError: no input at all, or a threshold outside 0..1.
        UserError: no such model or input.
    """
    if not settings.inputs:
        raise UsageError("Name at least one image, folder, video or recording.")
    check_threshold(settings.threshold)
    frames = read_frames(settings.inputs)
    many = len(settings.inputs) > 1 or not is_image_file(settings.inputs[0])
    once = load(
        settings.model,
        settings.device,
        settings.engine,
        precision=settings.precision,
        side_by_side=many,
        measure=many,  # for one image that would take longer than the detection itself
    )
    detector = SecondLook(once) if settings.tiles else once
    log.info("%s on %s", detector.name, detector.engine)
    batches = _batches(frames, BATCH if once.lanes == 1 else 1)
    work = partial(_detect_frames, detector, threshold=settings.threshold)
    for results in in_order(work, batches, once.lanes):
        yield from results


def _batches(frames: Iterator[MediaFrame], size: int) -> Iterator[list[MediaFrame]]:
    while batch := list(islice(frames, size)):
        yield batch


def _detect_frames(
    detector: Detector | SecondLook, frames: list[MediaFrame], threshold: float | None
) -> list[dict[str, Any]]:
    """One batch through the network; the results of all frames, in their order."""
    results: list[dict[str, Any]] = []
    images = [frame.image for frame in frames if frame.image is not None]
    found = iter(detector.batch(images, threshold))
    for frame in frames:
        if frame.image is None:
            results.append({"source": str(frame.path), "error": frame.error})
        else:
            height, width = frame.image.shape[:2]
            about = {"source": str(frame.path), "frame": frame.index, "size_wh": [width, height]}
            results.append(about | {"boxes": _as_json(next(found))})
    return results


def _as_json(detections: Detections) -> list[dict[str, Any]]:
    return [
        {"xyxy": [round(float(v), 2) for v in box], "score": round(float(score), 4)}
        for box, score in zip(detections.boxes_xyxy, detections.scores, strict=True)
    ]

"""`vector-tl detect`: boxes for every image of the inputs."""

import logging
from collections.abc import Iterator
from typing import Any

from vector_tl.data.media import MediaFrame, read_frames
from vector_tl.detect.detector import Detector, load
from vector_tl.detect.interface import Detections
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
    once = load(settings.model, settings.device, settings.engine)
    detector = SecondLook(once) if settings.tiles else once
    log.info("%s on %s", detector.name, detector.engine)
    waiting: list[MediaFrame] = []
    for frame in frames:
        waiting.append(frame)
        if len(waiting) == BATCH:
            yield from _detect_frames(detector, waiting, settings.threshold)
            waiting.clear()
    yield from _detect_frames(detector, waiting, settings.threshold)


def _detect_frames(
    detector: Detector | SecondLook, frames: list[MediaFrame], threshold: float | None
) -> Iterator[dict[str, Any]]:
    """One batch through the network; the results of all frames, in their order."""
    images = [frame.image for frame in frames if frame.image is not None]
    found = iter(detector.batch(images, threshold))
    for frame in frames:
        if frame.image is None:
            yield {"source": str(frame.path), "error": frame.error}
        else:
            height, width = frame.image.shape[:2]
            about = {"source": str(frame.path), "frame": frame.index, "size_wh": [width, height]}
            yield about | {"boxes": _as_json(next(found))}


def _as_json(detections: Detections) -> list[dict[str, Any]]:
    return [
        {"xyxy": [round(float(v), 2) for v in box], "score": round(float(score), 4)}
        for box, score in zip(detections.boxes_xyxy, detections.scores, strict=True)
    ]

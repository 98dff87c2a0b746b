"""`vector-tl detect`: boxes for every image of the inputs."""

import logging
from collections.abc import Iterator

from vector_tl.data.media import MediaFrame, read_frames
from vector_tl.detect.engine import load
from vector_tl.detect.settings import DetectSettings
from vector_tl.errors import UsageError

BATCH = 8
log = logging.getLogger(__name__)


def detect(settings: DetectSettings) -> Iterator[dict]:
    """For each image `{"source", "frame", "size_wh", "boxes"}`, or `{"source", "error"}` for one that cannot
    be read.

    Raises:
        UserError: no such model or input; UsageError: no input at all, or a threshold outside 0..1.
    """
    if not settings.inputs:
        raise UsageError("Name at least one image, folder, video or recording.")
    if settings.threshold is not None and not 0 <= settings.threshold <= 1:  # NaN too
        raise UsageError(f"--threshold {settings.threshold} is no score; give a number from 0 to 1.")
    frames = read_frames(settings.inputs)
    detector = load(settings.model, settings.device, settings.engine)
    log.info("%s on %s", detector.name, detector.engine)
    waiting: list[MediaFrame] = []

    def flush() -> Iterator[dict]:
        readable = [frame.image for frame in waiting if frame.image is not None]
        found = iter(detector.batch(readable, settings.threshold))
        for frame in waiting:
            if frame.image is None:
                yield {"source": str(frame.path), "error": frame.error}
                continue
            detections = next(found)
            boxes = [
                {"xyxy": [round(float(v), 2) for v in box], "score": round(float(score), 4)}
                for box, score in zip(detections.boxes_xyxy, detections.scores, strict=True)
            ]
            yield {
                "source": str(frame.path),
                "frame": frame.index,
                "size_wh": [frame.image.shape[1], frame.image.shape[0]],
                "boxes": boxes,
            }
        waiting.clear()

    for frame in frames:
        waiting.append(frame)
        if len(waiting) == BATCH:
            yield from flush()
    yield from flush()

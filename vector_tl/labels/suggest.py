"""`vector-tl label suggest`: boxes from a model or copied from labelled images, for a person to decide on."""

import hashlib
import logging
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from vector_tl.data import dataset
from vector_tl.data.boxes import clip_boxes, to_pixels
from vector_tl.data.images import read_image
from vector_tl.errors import UserError
from vector_tl.labels.review_settings import SuggestSettings
from vector_tl.labels.suggest_carry import carry
from vector_tl.labels.suggestions import CARRIED, MODEL, Suggestion, doubt, put_suggestion, suggestion
from vector_tl.plain import counted, few
from vector_tl.progress import track

BATCH = 8
WEAK = 0.3  # boxes with at least this score are noted as weak ones, which a key press takes
FLOOR = 0.05  # lower scores say nothing on how sure a model was that there is no Vector
log = logging.getLogger(__name__)

Key = tuple[str, str]  # session and name
Images = dict[Key, Path]


@dataclass
class SuggestionCounts:
    """What was suggested."""

    images: int = 0
    boxes: int = 0
    answered: int = 0
    unreadable: list[str] = field(default_factory=list)

    def put(self, folder: Path, key: Key, new: Suggestion, size_wh: tuple[int, int]) -> None:
        """Write a suggestion and count it."""
        if put_suggestion(folder, *key, new, size_wh):
            self.images += 1
            self.boxes += len(new.boxes_xyxy)
        else:
            self.answered += 1


def suggest(settings: SuggestSettings) -> dict[str, Any]:
    """Write suggestions beside the labels; the same command again replaces only its own undecided ones.

    Returns:
        {"model", "digest", "images", "boxes", "answered", "unreadable", "seconds"}: images with a suggestion
        (also one that says there is no Vector), its boxes, and images left alone because a person has
        answered the same suggestion before.

    Raises:
        UsageError: a setting out of its range.
        UserError: no such data, session or model.
    """
    settings.check()
    started_s = time.monotonic()
    images = chosen_images(settings.data, settings.session)
    counts, digest = SuggestionCounts(), None
    if settings.model is not None:
        digest = _suggest_by_model(settings.model, settings, images, counts)
    if settings.carry is not None:
        _suggest_by_carrying(settings.carry, settings.data, images, counts)
    for path in counts.unreadable:
        log.warning("%s cannot be read as an image and is left out.", path)
    return {
        "model": settings.model,
        "digest": digest,
        "images": counts.images,
        "boxes": counts.boxes,
        "answered": counts.answered,
        "unreadable": len(counts.unreadable),
        "seconds": round(time.monotonic() - started_s, 1),
    }


def describe(result: dict[str, Any]) -> str:
    """What was suggested, for a person."""
    boxes = counted(result["boxes"], "box", "boxes")
    words = [
        f"{counted(result['images'], 'image')} looked at in {result['seconds']:.0f} s: {boxes} suggested"
    ]
    if result["answered"]:
        words.append(f"in {counted(result['answered'], 'image')} the same was answered before")
    if result["unreadable"]:
        words.append(f"{counted(result['unreadable'], 'file')} could not be read")
    return "; ".join(words) + "."


def chosen_images(folder: Path, session: str | None) -> Images:
    """All images of a dataset or of one session, (session, name) -> path, sorted.

    Raises:
        UserError: no such session.
    """
    images = dataset.list_images(folder)
    chosen = {key: path for key, path in images.items() if session in (None, key[0])}
    if not chosen:
        there = sorted({s for s, _ in images})
        raise UserError(f"There is no session {session!r} in {folder}; there is {few(there)}.")
    return chosen


def _suggest_by_model(model: str, settings: SuggestSettings, images: Images, counts: SuggestionCounts) -> str:
    """Suggest what a model finds, and give the digest of its file."""
    from vector_tl.detect.detector import load  # torch is slow to import, and carrying does without
    from vector_tl.nets.model_file import resolve

    detector = load(model, settings.device)
    digest = hashlib.sha256(resolve(model).read_bytes()).hexdigest()
    threshold = detector.threshold if settings.threshold is None else settings.threshold
    for batch in _batches(images, counts):
        found = detector.batch([image for _, image in batch], min(FLOOR, threshold))
        for (key, image), detections in zip(batch, found, strict=True):
            size_wh = image.shape[1], image.shape[0]
            noted = detections.scores >= min(WEAK, threshold)
            unsure = doubt(detections.scores.tolist(), threshold)
            boxes_xyxy = clip_boxes(detections.boxes_xyxy[noted], size_wh)
            scores = detections.scores[noted]
            new = suggestion(MODEL, detector.name, digest, threshold, unsure, boxes_xyxy, scores)
            counts.put(settings.data, key, new, size_wh)
    return digest


def _batches(images: Images, counts: SuggestionCounts) -> Iterator[list[tuple[Key, np.ndarray]]]:
    batch = []
    for key, path in track(images.items(), "label suggest", len(images)):
        try:
            batch.append((key, read_image(path)))
        except UserError:
            counts.unreadable.append(str(path))
        if len(batch) == BATCH:
            yield batch
            batch = []
    if batch:
        yield batch


def _suggest_by_carrying(frames: int, folder: Path, images: Images, counts: SuggestionCounts) -> None:
    """Copy boxes from each labelled image to the unlabelled ones on both sides, up to the next labelled one.

    Where two labelled images reach the same frame, the surer suggestion wins.
    """
    keys = list(images)
    labels = {key: dataset.read_labels(dataset.label_path(folder, *key)) for key in keys}
    best: dict[Key, tuple[Suggestion, tuple[int, int]]] = {}
    for index, key in enumerate(track(keys, "label suggest", len(keys))):
        boxes_norm = labels[key]
        if boxes_norm is None or not len(boxes_norm):
            continue
        for side in (keys[index + 1 : index + 1 + frames], keys[max(0, index - frames) : index][::-1]):
            following: Images = {}
            for other in side:
                if other[0] != key[0] or labels[other] is not None:
                    break
                following[other] = images[other]
            try:
                carried = list(carried_suggestions(key[1], images[key], boxes_norm, following))
            except UserError:
                counts.unreadable.append(str(images[key]))
                break
            for other, new, size_wh in carried:
                if other not in best or new.doubt < best[other][0].doubt:
                    best[other] = (new, size_wh)
    for key, (new, size_wh) in sorted(best.items()):
        counts.put(folder, key, new, size_wh)


def _readable(paths: Iterable[Path]) -> Iterator[np.ndarray]:
    """The images (H, W, 3) before the first that cannot be read."""
    for path in paths:
        try:
            yield read_image(path)
        except UserError as error:
            log.warning("%s", error)
            return


def carried_suggestions(
    name: str, path: Path, boxes_norm: np.ndarray, following: Images
) -> Iterator[tuple[Key, Suggestion, tuple[int, int]]]:
    """Boxes (N, 4), in 0..1, of image `name` copied to `following`, as far as the Vectors are found there.

    They are not carried over an image that cannot be read.

    Yields:
        For each image its key, the suggestion and the image's width and height.

    Raises:
        UserError: the image `name` itself cannot be read.
    """
    first = read_image(path)
    size_wh = first.shape[1], first.shape[0]
    frames = _readable(following.values())
    for key, at in zip(following, carry(first, to_pixels(boxes_norm, size_wh), frames), strict=False):
        unsure = 1 - float(at.confidence.min())
        yield key, suggestion(CARRIED, name, "", 0.0, unsure, at.boxes_xyxy, at.confidence), size_wh

"""`vector-tl label suggest`: boxes from a model, or carried from labelled images, for a person to decide on."""

import hashlib
import logging
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from vector_tl.data import dataset
from vector_tl.data.boxes import clip_boxes, to_pixels
from vector_tl.data.images import read_image
from vector_tl.errors import UserError
from vector_tl.labels.review_settings import SuggestSettings
from vector_tl.labels.suggest_carry import carry
from vector_tl.labels.suggestions import CARRIED, MODEL, Suggestion, doubt, put_suggestion, suggestion

BATCH = 8
WEAK = 0.3  # boxes from this score on are noted as weak ones, to be taken at the press of a key
FLOOR = 0.05  # scores from here on tell how sure a model was that there is nothing
log = logging.getLogger(__name__)


@dataclass
class SuggestionCounts:
    """What a run came to."""

    images: int = 0
    boxes: int = 0
    answered: int = 0
    unreadable: list[str] = field(default_factory=list)

    def put(self, folder: Path, key: tuple[str, str], new: Suggestion, size_wh: tuple[int, int]) -> None:
        """Write a suggestion and count it."""
        if put_suggestion(folder, *key, new, size_wh):
            self.images += 1
            self.boxes += len(new.boxes_xyxy)
        else:
            self.answered += 1


def suggest(settings: SuggestSettings) -> dict:
    """Write suggestions beside the labels; a run again replaces only its own undecided ones.

    Returns:
        {"model", "digest", "images", "boxes", "answered", "unreadable", "seconds"}: images with a suggestion (also one that says there is no
        Vector), its boxes, and images left alone because a person has answered the same suggestion before.

    Raises:
        UsageError: a setting out of its range.
        UserError: no such data, session or model.
    """
    settings.check()
    started_s = time.monotonic()
    images = chosen_images(settings.data, settings.session)
    tally, digest = SuggestionCounts(), None
    if settings.model is not None:
        digest = _suggest_by_model(settings, images, tally)
    if settings.carry is not None:
        _suggest_by_carrying(settings, images, tally)
    for path in tally.unreadable:
        log.warning("%s cannot be read as an image and is left out.", path)
    return {
        "model": settings.model, "digest": digest, "images": tally.images, "boxes": tally.boxes, "answered": tally.answered,
        "unreadable": len(tally.unreadable), "seconds": round(time.monotonic() - started_s, 1),
    }  # fmt: skip


def chosen_images(folder: Path, session: str | None) -> dict[tuple[str, str], Path]:
    """All images of a dataset or of one session, (session, name) -> path, sorted.

    Raises:
        UserError: no such session.
    """
    images = dataset.list_images(folder)
    chosen = {key: path for key, path in images.items() if session in (None, key[0])}
    if not chosen:
        there = sorted({s for s, _ in images})
        raise UserError(
            f"There is no session {session!r} in {folder}; there is {', '.join(there[:8])}{' and more' if len(there) > 8 else ''}."
        )
    return chosen


def _suggest_by_model(
    settings: SuggestSettings, images: dict[tuple[str, str], Path], tally: SuggestionCounts
) -> str:
    from vector_tl.detect.engine import load  # torch is slow to import, and carrying does without
    from vector_tl.nets.checkpoint import resolve

    detector = load(settings.model, settings.device)
    digest = hashlib.sha256(resolve(settings.model).read_bytes()).hexdigest()
    threshold = detector.threshold if settings.threshold is None else settings.threshold
    for batch in _batches(images, tally):
        found = detector.batch([image for _, image in batch], min(FLOOR, threshold))
        for (key, image), detections in zip(batch, found, strict=True):
            height, width = image.shape[:2]
            noted = detections.scores >= min(WEAK, threshold)
            unsure = doubt(detections.scores.tolist(), threshold)
            boxes_xyxy = clip_boxes(detections.boxes_xyxy[noted], (width, height))
            tally.put(
                settings.data,
                key,
                suggestion(
                    MODEL, detector.name, digest, threshold, unsure, boxes_xyxy, detections.scores[noted]
                ),
                (width, height),
            )
    return digest


def _batches(
    images: dict[tuple[str, str], Path], tally: SuggestionCounts
) -> Iterator[list[tuple[tuple[str, str], np.ndarray]]]:
    batch = []
    for key, path in images.items():
        try:
            batch.append((key, read_image(path)))
        except UserError:
            tally.unreadable.append(str(path))
        if len(batch) == BATCH:
            yield batch
            batch = []
    if batch:
        yield batch


def _suggest_by_carrying(
    settings: SuggestSettings, images: dict[tuple[str, str], Path], tally: SuggestionCounts
) -> None:
    """From each labelled image to the unlabelled ones on both sides, up to the next labelled one; the surer of two wins."""
    keys = list(images)
    labels = {key: dataset.read_labels(dataset.label_path(settings.data, *key)) for key in keys}
    best: dict[tuple[str, str], tuple[float, tuple]] = {}
    for index, key in enumerate(keys):
        if labels[key] is None or not len(labels[key]):
            continue
        for way in (keys[index + 1 :], keys[:index][::-1]):
            following = _until_labelled(way, key[0], labels, settings.carry)
            for other, new, size_wh in carried_suggestions(
                key[1], images[key], labels[key], {k: images[k] for k in following}
            ):
                sure = 1 - new.doubt
                if sure > best.get(other, (0.0, ()))[0]:
                    best[other] = (sure, (new, size_wh))
    for key, (_, (new, size_wh)) in sorted(best.items()):
        tally.put(settings.data, key, new, size_wh)


def _until_labelled(
    keys: list[tuple[str, str]], session: str, labels: dict, most: int
) -> list[tuple[str, str]]:
    following = []
    for key in keys[:most]:
        if key[0] != session or labels[key] is not None:
            break
        following.append(key)
    return following


def carried_suggestions(
    name: str, path: Path, boxes_norm: np.ndarray, following: dict[tuple[str, str], Path]
) -> Iterator[tuple[tuple[str, str], Suggestion, tuple[int, int]]]:
    """Boxes (N, 4, in 0..1) of image `name` carried through `following`: (key, suggestion, size_wh) for as many as they are found in."""
    first = read_image(path)
    height, width = first.shape[:2]
    frames = (read_image(path) for path in following.values())
    boxes_xyxy = to_pixels(boxes_norm, (width, height))
    for key, at in zip(following, carry(first, boxes_xyxy, frames), strict=False):
        unsure = 1 - float(at.confidence.min())
        yield key, suggestion(CARRIED, name, "", 0.0, unsure, at.boxes_xyxy, at.confidence), (width, height)

"""`vector-tl label mine`: what a model wrongly sees in one's own rooms, as background images.

Whoever calls it says that no Vector is in the images, so every box is a false positive. After one look at
them, the images become a session of labelled images without a box, which `train` and `retrain` use like any
other session.
"""

import logging
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import numpy as np
from msgspec import Meta

from vector_tl import __version__
from vector_tl.data import dataset
from vector_tl.data.images import (
    SUFFIX_OF,
    SUFFIXES,
    bits_apart,
    encode_jpeg,
    image_about,
    image_bytes,
    is_image_file,
    perceptual_hash,
    read_image,
)
from vector_tl.data.media import MediaFrame, read_frames
from vector_tl.detect.interface import Detections, ImageDetector
from vector_tl.errors import UsageError, UserError, cannot_write
from vector_tl.files import read_json, write_json
from vector_tl.labels.mine_look import look
from vector_tl.labels.mine_settings import MineSettings
from vector_tl.plain import counted
from vector_tl.progress import track
from vector_tl.web.report import Illustration, draw_boxes

THRESHOLD_SHARE = 0.5  # of the model's own threshold
SAME_BITS = 3  # of a perceptual hash's 64: images that differ by no more show the same
BOX_COLOR = "#ff5a4f"
THUMB_PX = 320
log = logging.getLogger(__name__)


@dataclass(frozen=True)
class FalseSight:
    """An image in which the model sees a Vector that is not there.

    Attributes:
        source: its file.
        frame: its number in a video or recording, 0 for an image.
        encoded: a frame as JPEG; None for an image, whose file is copied as it is.
        size_wh: of the image.
        bits: its perceptual hash.
        score: of its surest box.
        shown: the image with its boxes, small.
    """

    source: Path
    frame: int
    encoded: bytes | None
    size_wh: tuple[int, int]
    bits: np.uint64
    score: float
    shown: Illustration


def mine(settings: MineSettings) -> dict[str, Any]:
    """Look through the inputs, show what the model sees there, add what is kept.

    Returns:
        {"looked_at", "candidates", "kept"}: images looked at, those shown because the model sees something in
        them that is new to the dataset, and those added.

    Raises:
        UsageError: a setting out of its range, or an input that is part of the dataset.
        UserError: no such model or input, or the session is there already.
    """
    settings.check()
    _refuse_own_images(settings)
    session = _free_session(settings.data, settings.session)
    frames = read_frames(settings.inputs)
    from vector_tl.detect.detector import load  # torch is slow to import: only once the inputs are there

    detector = load(settings.model, settings.device)
    looked_at, sights = _look_through(detector, frames, settings)
    candidates = choose_new(sights, known_hashes(settings.data), settings.novelty, settings.count)
    kept = _ask(candidates, detector.name, settings)
    if kept:
        _add(settings, session, detector.name, kept)
    return {"looked_at": looked_at, "candidates": len(candidates), "kept": len(kept)}


# -- looking ---------------------------------------------------------------------------------------------


def _look_through(
    detector: ImageDetector, frames: Iterator[MediaFrame], settings: MineSettings
) -> tuple[int, list[FalseSight]]:
    """How many images were looked at, and those in which the model sees something."""
    threshold = THRESHOLD_SHARE * detector.threshold if settings.threshold is None else settings.threshold
    looked_at, sights = 0, []
    for frame in track(apart(frames, settings.every_s), "label mine"):
        if frame.image is None:
            log.warning("%s", frame.error)
            continue
        looked_at += 1
        found = detector(frame.image, threshold)
        if len(found):
            sights.append(_false_sight(frame, frame.image, found))
    return looked_at, sights


def apart(frames: Iterator[MediaFrame], every_s: float) -> Iterator[MediaFrame]:
    """The frames without those of a video that follow the one before too soon; images all come."""
    path, next_s = None, 0.0
    for frame in frames:
        if frame.image is None or frame.path != path or frame.t_s >= next_s:
            path, next_s = frame.path, frame.t_s + every_s
            yield frame


def _false_sight(frame: MediaFrame, image: np.ndarray, found: Detections) -> FalseSight:
    score, still = float(found.scores.max()), is_image_file(frame.path)
    where = frame.path.name if still else f"{frame.path.name}, frame {frame.index}"
    return FalseSight(
        frame.path,
        frame.index,
        None if still else encode_jpeg(image),
        (image.shape[1], image.shape[0]),
        perceptual_hash(image),
        score,
        draw_boxes(image, [(found.boxes_xyxy, BOX_COLOR)], f"{where}: score {score:.2f}", THUMB_PX),
    )


def choose_new(
    sights: Sequence[FalseSight], known: Sequence[np.uint64], novelty: int, count: int
) -> list[FalseSight]:
    """The `count` surest sights that differ enough from each other and from the known ones.

    Args:
        sights: in the order in which they were seen.
        known: hashes of images that were added or refused before.
        novelty: bits of the hash that must differ.
        count: how many at most.
    """
    chosen, hashes = [], list(known)
    for sight in sorted(sights, key=lambda sight: -sight.score):
        near = int(bits_apart(np.array(hashes, np.uint64), sight.bits).min(initial=64))
        if near >= max(novelty, SAME_BITS + 1):
            chosen.append(sight)
            hashes.append(sight.bits)
    return chosen[:count]


def _ask(candidates: list[FalseSight], model: str, settings: MineSettings) -> list[FalseSight]:
    """Those that a person keeps; what was refused is noted, so that it is not shown again."""
    if settings.yes or not candidates:
        return candidates
    kept = look([sight.shown for sight in candidates], model, settings.port, settings.open)
    if kept is None:
        log.warning("Nothing was decided, so nothing is added.")
        return []
    refused = [sight.bits for number, sight in enumerate(candidates) if number not in kept]
    if refused:
        path = _refused_path(settings.data)
        write_json(path, [*_refused_before(path), *map(int, refused)])
    return [sight for number, sight in enumerate(candidates) if number in kept]


# -- the dataset -----------------------------------------------------------------------------------------


def known_hashes(data: Path) -> list[np.uint64]:
    """The perceptual hashes of all images that were mined for this dataset before, added or refused."""
    known = [np.uint64(bits) for bits in _refused_before(_refused_path(data))]
    for path in sorted((data / "sessions").glob("*.json")):
        about = dataset.read_session(data, path.stem)
        if about.get("form") == dataset.MINED:
            images = sorted((data / "images" / path.stem).glob("*"))
            known += [perceptual_hash(read_image(image)) for image in images if is_image_file(image)]
    return known


def _refused_path(data: Path) -> Path:
    return data / "review" / "mined-refused.json"


def _refused_before(path: Path) -> list[int]:
    """The hashes of images that were refused before, 64 bits each."""
    hashes: list[int] = read_json(path, missing=[], form=list[Annotated[int, Meta(ge=0)]])
    if too_long := [place for place, bits in enumerate(hashes) if bits >= 2**64]:
        raise UserError(
            f"{path} has a number of more than 64 bits, at `[{too_long[0]}]`; correct or delete it."
        )
    return hashes


def _refuse_own_images(settings: MineSettings) -> None:
    images = (settings.data / "images").resolve()
    for path in settings.inputs:
        if path.resolve().is_relative_to(images):
            raise UsageError(
                f"{path} is part of the dataset {settings.data} already; name images that are not, or use "
                "vector-tl label suggest."
            )


def _free_session(data: Path, wanted: str | None) -> str:
    """The session's name: the one asked for, or the first of mined, mined-2, ... that is free.

    Raises:
        UserError: the one asked for is taken.
    """
    splits = dataset.read_splits(data)

    def taken(name: str) -> bool:
        image, label = dataset.image_path(data, name, "x"), dataset.label_path(data, name, "x")
        return (
            name in splits
            or image.parent.exists()
            or label.parent.exists()
            or dataset.session_path(data, name).exists()
        )

    if wanted is not None:
        if taken(wanted):
            raise UserError(f"{data} has a session {wanted} already; choose another --session.")
        return wanted
    number = 1
    while taken(name := "mined" if number == 1 else f"mined-{number}"):
        number += 1
    return name


def _add(settings: MineSettings, session: str, model: str, kept: list[FalseSight]) -> None:
    """Write the session: where it comes from first and its split, so that a crash leaves nothing astray."""
    names = [f"{number:04d}" for number in range(1, len(kept) + 1)]
    about = {
        "form": dataset.MINED,
        "model": model,
        "mined": time.strftime("%Y-%m-%dT%H:%M:%S%z"),
        "vector_tl": __version__,
        "images": {
            name: {"source": sight.source.name, "frame": sight.frame, "score": round(sight.score, 3)}
            for name, sight in zip(names, kept, strict=True)
        },
    }
    try:
        dataset.write_session(settings.data, session, about)
        with dataset.changing_splits(settings.data) as splits:
            splits[session] = settings.split
        for name, sight in zip(names, kept, strict=True):
            encoded, suffix = _encoded(sight)
            dataset.write_item(settings.data, session, name, encoded, np.zeros((0, 4)), sight.size_wh, suffix)
    except OSError as error:
        raise cannot_write(settings.data, error) from error
    added = counted(len(kept), "image")
    log.info(
        "%s without a Vector added as session %s of %s, in the %s split.",
        added,
        session,
        settings.data,
        settings.split,
    )


def _encoded(sight: FalseSight) -> tuple[bytes, str]:
    """The bytes of the image and how its file should end."""
    if sight.encoded is not None:
        return sight.encoded, ".jpg"
    data, suffix = image_bytes(sight.source), sight.source.suffix.lower()
    return data, suffix if suffix in SUFFIXES else SUFFIX_OF.get(image_about(data, "")[0], ".jpg")


def describe(result: dict[str, Any]) -> str:
    """The result of `label mine` for a person."""
    return (
        f"{counted(result['looked_at'], 'image')} looked at: the model sees a Vector in "
        f"{result['candidates']} new to the dataset; added as images without a Vector: {result['kept']}."
    )

"""Suggestions on disk: boxes that nobody has accepted yet, kept apart from the labels.

    suggestions/<session>/<name>.json    {"size_wh", "suggestions": [{"id", "source", "by", "digest",
                                         "threshold", "doubt", "decided", "boxes"}]}

Each model, and each image that boxes were carried from, has one suggestion for an image. It is decided once a
person has decided on the image while it was there; decided ones stay, so that nothing a person has answered
is asked again.
"""

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, TypedDict

import numpy as np
from numpy.typing import ArrayLike

from vector_tl.data.boxes import as_boxes
from vector_tl.data.dataset import label_path
from vector_tl.data.session_forms import Box
from vector_tl.errors import UserError
from vector_tl.files import claimed, read_json, write_json
from vector_tl.forms import Finite, Share, Size

MODEL, CARRIED = "model", "carried"
REMEDY = "delete it and run vector-tl label suggest again"


@dataclass
class _ScoredBox:
    xyxy: Box
    score: Finite

    def __post_init__(self) -> None:
        x1, y1, x2, y2 = self.xyxy
        if not (x1 < x2 and y1 < y2):
            raise ValueError("the second corner of a box is not right of and below the first")


class _Entry(TypedDict):
    source: str
    by: str
    digest: str
    threshold: Share
    doubt: Finite
    decided: bool
    boxes: list[_ScoredBox]


class _File(TypedDict):
    size_wh: tuple[Size, Size]
    suggestions: list[_Entry]


@dataclass(frozen=True)
class Suggestion:
    """Boxes for one image from one source.

    Attributes:
        source: `model` or `carried`.
        by: the model's name, or the name of the image the boxes were carried from.
        digest: SHA-256 of the model's file; empty for carried ones.
        threshold: score above which a box was suggested.
        doubt: 0 (sure) to 1 (could be either way).
        boxes: ((x1, y1, x2, y2, score), ...) in pixels of the image, also weak ones with scores below the
            threshold.
        decided: a person has decided on the image since.
    """

    source: str
    by: str
    digest: str
    threshold: float
    doubt: float
    boxes: tuple[tuple[float, ...], ...] = ()
    decided: bool = False

    @property
    def id(self) -> str:
        """The same for the same source: a model by its content, not only by its name."""
        return f"{self.source}:{self.by}:{self.digest[:12]}"

    @property
    def boxes_xyxy(self) -> np.ndarray:
        """The boxes suggested, without the weak ones: (N, 4) in pixels; (0, 4): no Vector."""
        return as_boxes([box[:4] for box in self.boxes if box[4] >= self.threshold])


def suggestion(
    source: str,
    by: str,
    digest: str,
    threshold: float,
    doubt: float,
    boxes_xyxy: ArrayLike,
    scores: ArrayLike,
) -> Suggestion:
    """A suggestion from arrays: boxes (N, 4) in pixels and scores (N,)."""
    rows = zip(as_boxes(boxes_xyxy).tolist(), np.asarray(scores).tolist(), strict=True)
    boxes = tuple((*(round(value, 2) for value in box), round(score, 4)) for box, score in rows)
    return Suggestion(source, by, digest, float(threshold), round(float(doubt), 4), boxes)


def doubt(scores: Sequence[float], threshold: float) -> float:
    """How near to the threshold the least certain score is: 1 on it, 0 for scores of 0 and 1, or none."""
    away = ((s - threshold) / ((1 - threshold) if s >= threshold else -threshold) for s in scores)
    return 1 - min(away, default=1.0)


def suggestions_path(folder: Path, session: str, name: str) -> Path:
    """Where an image's suggestions lie."""
    label = label_path(folder, session, name)  # refuses what cannot be a name
    return Path(folder) / "suggestions" / label.parent.name / (label.stem + ".json")


def read_suggestions(folder: Path, session: str, name: str) -> tuple[list[Suggestion], tuple[int, int]]:
    """The suggestions for an image, oldest first, and its width and height; ([], (1, 1)) without any.

    Raises:
        UserError: the file is not a list of suggestions.
    """
    content = read_json(suggestions_path(folder, session, name), remedy=REMEDY, form=_File)
    if content is None:
        return [], (1, 1)
    width, height = content["size_wh"]
    return [_parse(entry) for entry in content["suggestions"]], (width, height)


def _parse(entry: dict[str, Any]) -> Suggestion:
    boxes = tuple((*map(float, box["xyxy"]), float(box["score"])) for box in entry["boxes"])
    source, by, digest = (entry[key] for key in ("source", "by", "digest"))
    threshold, unsure = float(entry["threshold"]), float(entry["doubt"])
    return Suggestion(source, by, digest, threshold, unsure, boxes, entry["decided"])


def put_suggestion(folder: Path, session: str, name: str, new: Suggestion, size_wh: tuple[int, int]) -> bool:
    """Add a suggestion, in place of an undecided one of the same source.

    Returns:
        False when a person has answered this very suggestion before; nothing is written then.
    """
    with locked(folder):
        kept, _ = read_suggestions(folder, session, name)
        if any(old.id == new.id and old.decided for old in kept):
            return False
        other = [
            old
            for old in kept
            if old.decided or old.source != new.source or (new.source == MODEL and old.by != new.by)
        ]
        _write(folder, session, name, [*other, new], size_wh)
        return True


def drop_carried(folder: Path, session: str, name: str, by: str) -> None:
    """Take back an undecided suggestion that was carried from image `by`."""
    with locked(folder):
        before, size_wh = read_suggestions(folder, session, name)
        kept = [s for s in before if s.decided or s.source != CARRIED or s.by != by]
        if len(kept) < len(before):
            _write(folder, session, name, kept, size_wh)


def drop_all_carried(folder: Path, session: str, by: str) -> None:
    """Take back all undecided suggestions of a session that were carried from image `by`.

    There may be thousands of files, so that only those that name it are looked at closely; broken ones stay.
    """
    named = json.dumps(by).encode()
    for path in suggestions_path(folder, session, by).parent.glob("*.json"):
        with suppress(UserError, OSError):
            if named in path.read_bytes():
                drop_carried(folder, session, path.stem, by)


def mark(folder: Path, session: str, name: str, ids: Sequence[str], decided: bool) -> None:
    """Note on the suggestions with these ids whether a person has decided on the image."""
    if not ids:
        return
    with locked(folder):
        before, size_wh = read_suggestions(folder, session, name)
        after = [replace(s, decided=decided) if s.id in ids else s for s in before]
        if after != before:
            _write(folder, session, name, after, size_wh)


def _write(
    folder: Path, session: str, name: str, suggestions: list[Suggestion], size_wh: tuple[int, int]
) -> None:
    path = suggestions_path(folder, session, name)
    entries = [
        {"id": s.id} | asdict(s) | {"boxes": [{"xyxy": box[:4], "score": box[4]} for box in s.boxes]}
        for s in suggestions
    ]
    write_json(path, {"size_wh": size_wh, "suggestions": entries})


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """One writer of suggestions at a time, whatever process it is in."""
    with claimed(Path(folder) / "suggestions" / ".lock", wait=True):
        yield

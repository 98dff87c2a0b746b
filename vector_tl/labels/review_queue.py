"""Which images the review shows, and in which order: the most doubtful first."""

import logging
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar, cast

import numpy as np

from vector_tl.data import dataset
from vector_tl.data.boxes import iou_matrix, to_norm
from vector_tl.data.yolo import parse_label
from vector_tl.errors import UserError
from vector_tl.labels.suggestions import MODEL, Suggestion, read_suggestions, suggestions_path

FILTERS = ("unlabelled", "suggested", "disagreement", "all", "bin")
AGREE_IOU = 0.7  # a model and a label whose boxes overlap less disagree
T = TypeVar("T")
log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Row:
    """An image in the queue.

    Attributes:
        session: the image's session.
        name: the image's name.
        labelled: it has a label file.
        suggested: it has a suggestion that nobody has answered.
        doubt: of its suggestions, from 0 (sure) to 1.
        differs: how far model and label are apart, 0 to 1; 0 where one of them is missing.
        broken: its label file cannot be read.
    """

    session: str
    name: str
    labelled: bool = False
    suggested: bool = False
    doubt: float = 0.0
    differs: float = 0.0
    broken: bool = False

    def passes(self, which: str) -> bool:
        """Whether a filter shows it."""
        return {
            "unlabelled": not self.labelled or self.broken,
            "suggested": self.suggested and not self.labelled,
            "disagreement": 1 - self.differs < AGREE_IOU,
        }.get(which, True)


class Queue:
    """The images of a dataset with what is known of each; a file is read again only when it has changed."""

    def __init__(self, folder: Path):
        self.folder = Path(folder)
        self._known: dict[Path, tuple[tuple[int, ...], object]] = {}

    def listed(self, which: str, session: str | None) -> dict[str, Any]:
        """The images that a filter shows.

        Returns:
            {"images": the filter's, most doubtful first, "counts": of each filter in this session,
            "sessions"}
        """
        rows = [self._row(*key) for key in _list_images(self.folder)]
        binned = [Row(*key) for key in _list_images(self.folder / "bin")]
        of_session = [row for row in rows if session in (None, row.session)]
        in_bin = [row for row in binned if session in (None, row.session)]
        chosen = in_bin if which == "bin" else [row for row in of_session if row.passes(which)]
        doubts = {row: row.differs if which == "disagreement" else row.doubt for row in chosen}
        counts = {name: sum(row.passes(name) for row in of_session) for name in FILTERS}
        return {
            "images": [
                {"session": row.session, "name": row.name, "doubt": round(doubts[row], 4)}
                for row in sorted(chosen, key=lambda row: -doubts[row])  # stable: else in order of names
            ],
            "counts": counts | {"bin": len(in_bin)},
            "sessions": sorted({row.session for row in rows + binned}),
        }

    def _row(self, session: str, name: str) -> Row:
        label = dataset.label_path(self.folder, session, name)
        boxes_norm = self._read(label, lambda: parse_label(label.read_bytes(), label))
        path = suggestions_path(self.folder, session, name)
        read = self._read(path, lambda: read_suggestions(self.folder, session, name))
        suggestions, size_wh = ([], (1, 1)) if read is None or isinstance(read, UserError) else read
        waiting: list[Suggestion] = [suggestion for suggestion in suggestions if not suggestion.decided]
        broken, differs = isinstance(boxes_norm, UserError), 0.0
        models = [suggestion for suggestion in waiting if suggestion.source == MODEL]
        if models and isinstance(boxes_norm, np.ndarray):
            differs = 1 - agreement(boxes_norm, to_norm(models[-1].boxes_xyxy, size_wh))
        doubt = 1.0 if broken else max((suggestion.doubt for suggestion in waiting), default=0.0)
        return Row(session, name, boxes_norm is not None, bool(waiting), doubt, differs, broken)

    def _read(self, path: Path, parse: Callable[[], T]) -> T | UserError | None:
        """What `parse` makes of a file, or its error, remembered until the file changes; None without one."""
        try:
            about = path.stat()
        except OSError:
            return None
        stamp = (about.st_mtime_ns, about.st_size, about.st_ino)
        known = self._known.get(path)
        if known is not None and known[0] == stamp:
            return cast("T | UserError", known[1])
        value: T | UserError
        try:
            value = parse()
        except FileNotFoundError:
            return None
        except UserError as error:
            log.warning("%s", error)
            value = error
        self._known[path] = (stamp, value)
        return value


def agreement(a: np.ndarray, b: np.ndarray) -> float:
    """The lowest IoU of boxes (N, 4) and (M, 4) matched greedily; 0 if N differs from M, 1 if both are 0."""
    if len(a) != len(b):
        return 0.0
    iou, worst = iou_matrix(a, b), 1.0
    for _ in range(len(a)):
        row, column = np.unravel_index(iou.argmax(), iou.shape)
        worst = min(worst, float(iou[row, column]))
        iou[row], iou[:, column] = -1, -1
    return worst


def _list_images(folder: Path) -> list[tuple[str, str]]:
    with suppress(UserError):  # no images here: all of them are in the bin, or none
        return list(dataset.list_images(folder))
    return []

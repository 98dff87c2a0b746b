"""Which images a person is asked about, and in which order: the most doubtful first."""

import logging
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from vector_tl.data import dataset
from vector_tl.data.boxes import iou_matrix, to_norm
from vector_tl.data.yolo import parse_label
from vector_tl.errors import UserError
from vector_tl.labels.suggestions import MODEL, Suggestion, read_suggestions, suggestions_path

FILTERS = ("unlabelled", "suggested", "disagreement", "all", "bin")
AGREE_IOU = 0.7  # boxes that share less than this are said to disagree
log = logging.getLogger(__name__)


@dataclass(frozen=True)
class QueuedImage:
    """An image in the queue; `doubt` 0 (sure) to 1; `differs` is how far model and label are apart, None where one of them is missing."""

    session: str
    name: str
    labelled: bool
    suggested: bool
    doubt: float
    differs: float | None
    broken: bool = False

    def wanted(self, which: str) -> bool:
        """Whether a filter lets it through."""
        return {
            "unlabelled": not self.labelled or self.broken,
            "suggested": self.suggested and not self.labelled,
            "disagreement": self.differs is not None and 1 - self.differs < AGREE_IOU,
        }.get(which, True)


class Queue:
    """The images of a dataset with what is known of each; files are read again only when they have changed."""

    def __init__(self, folder: Path):
        self.folder = Path(folder)
        self._known: dict[Path, tuple[tuple, object]] = {}

    def listed(self, which: str, session: str | None) -> dict:
        """{"images": rows of filter `which`, most doubtful first, "counts": of each filter in this session, "sessions": all of them}."""
        rows = [self._row(*key) for key in _images(self.folder)]
        binned = [
            QueuedImage(*key, labelled=False, suggested=False, doubt=0.0, differs=None)
            for key in _images(self.folder / "bin")
        ]
        of_session = [row for row in rows if session in (None, row.session)]
        in_bin = [row for row in binned if session in (None, row.session)]
        chosen = in_bin if which == "bin" else [row for row in of_session if row.wanted(which)]
        doubtful = sorted(
            chosen, key=lambda row: -(row.differs if which == "disagreement" else row.doubt)
        )  # stable: else in order of names
        counts = {name: sum(row.wanted(name) for row in of_session) for name in FILTERS} | {
            "bin": len(in_bin)
        }
        return {
            "images": [
                {"session": r.session, "name": r.name, "doubt": round(r.differs if which == "disagreement" else r.doubt, 4)} for r in doubtful
            ],
            "counts": counts,
            "sessions": sorted({row.session for row in rows + binned}),
        }  # fmt: skip

    def _row(self, session: str, name: str) -> QueuedImage:
        label = dataset.label_path(self.folder, session, name)
        boxes_norm = self._read(label, lambda: parse_label(label.read_bytes(), label))
        waiting, size_wh = self._read(
            suggestions_path(self.folder, session, name), lambda: self._waiting(session, name)
        ) or ([], None)
        broken = isinstance(boxes_norm, UserError)
        labelled = boxes_norm is not None
        models = [s for s in waiting if s.source == MODEL]
        differs = None
        if labelled and not broken and models:
            differs = 1 - agreement(boxes_norm, to_norm(models[-1].boxes_xyxy, size_wh))
        doubt = 1.0 if broken else max((s.doubt for s in waiting), default=0.0)
        return QueuedImage(session, name, labelled, bool(waiting), doubt, differs, broken)

    def _waiting(self, session: str, name: str) -> tuple[list[Suggestion], tuple[int, int]] | None:
        try:
            found, size_wh = read_suggestions(self.folder, session, name)
        except UserError as error:
            log.warning("%s", error)
            return None
        return [s for s in found if not s.decided], size_wh

    def _read(self, path: Path, parse: Callable[[], object]) -> object:
        """What `parse` makes of a file, remembered until the file changes; None without the file, the error for a broken one."""
        try:
            about = path.stat()
        except OSError:
            return None
        stamp = (about.st_mtime_ns, about.st_size, about.st_ino)
        known = self._known.get(path)
        if known is None or known[0] != stamp:
            try:
                value = parse()
            except FileNotFoundError:
                return None
            except UserError as error:
                value = error
            known = self._known[path] = (stamp, value)
        return known[1]


def agreement(a: np.ndarray, b: np.ndarray) -> float:
    """The lowest IoU among boxes (N, 4) and (M, 4) matched greedily; 0 if their numbers differ, 1 if both are empty."""
    if len(a) != len(b):
        return 0.0
    if not len(a):
        return 1.0
    iou, worst = iou_matrix(a, b), 1.0
    for _ in range(len(a)):
        row, column = np.unravel_index(iou.argmax(), iou.shape)
        worst = min(worst, float(iou[row, column]))
        iou[row], iou[:, column] = -1, -1
    return worst


def _images(folder: Path) -> list[tuple[str, str]]:
    with suppress(UserError):  # none there: all in the bin, or none in it
        return list(dataset.list_images(folder))
    return []

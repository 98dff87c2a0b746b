"""What each detector saw, image by image, for strips, the end card and the page of a run."""

from array import array
from dataclasses import dataclass, field

import numpy as np

from vector_tl.evaluate.metrics import Outcome, match
from vector_tl.plain import counted

NO_BOXES = np.zeros((0, 4), np.float32)


@dataclass(frozen=True)
class Seen:
    """What a detector saw in one image, compared with its label where there is one."""

    boxes_xyxy: np.ndarray  # (N, 4)
    scores: np.ndarray  # (N,)
    true: np.ndarray | None = None  # (N,) bool, whether each box is a true positive; None: no label
    missed_xyxy: np.ndarray = field(default_factory=lambda: NO_BOXES)  # (M, 4), false negatives

    @property
    def best(self) -> float:
        """The best score; 0 where nothing was seen."""
        return float(self.scores.max(initial=0.0))

    @property
    def false_alarms(self) -> int:
        """How many boxes are false positives by the label."""
        return 0 if self.true is None else int((~self.true).sum())


def judge(
    boxes_xyxy: np.ndarray, scores: np.ndarray, truth_xyxy: np.ndarray | None, size_wh: tuple[int, int]
) -> Seen:
    """Compare boxes with the ground truth as `vector-tl evaluate` does: greedily, best first, at IoU >= .5.

    Args:
        boxes_xyxy: (N, 4) in pixels.
        scores: (N,).
        truth_xyxy: (M, 4) in pixels, None without a label.
        size_wh: of the image.
    """
    if truth_xyxy is None:
        return Seen(boxes_xyxy, scores)
    found_at, true = match(Outcome(size_wh, truth_xyxy, boxes_xyxy, scores))
    return Seen(boxes_xyxy, scores, true, truth_xyxy[found_at < 0])


class Tally:
    """Counts of one detector over the images of a film; a few bytes for each."""

    def __init__(self) -> None:
        self.images = self.seen_in = self.labelled = self.found = self.missed = self.false_alarms = 0
        # When it first saw a Vector; in labelled images, one that is there.
        self.first_s: float | None = None
        self.times_s, self.best = array("d"), array("f")
        self.found_each, self.there_each = array("H"), array("H")  # Vectors in each image
        self._found_in = self._there_in = 0  # images

    def add(self, t_s: float, seen: Seen) -> None:
        """Count an image, shown at `t_s` of the film."""
        self.images += 1
        self.times_s.append(t_s)
        self.best.append(seen.best)
        self.seen_in += len(seen.scores) > 0
        if self.first_s is None and (len(seen.scores) if seen.true is None else seen.true.any()):
            self.first_s = t_s
        if seen.true is not None:
            self.labelled += 1
            self.found += int(seen.true.sum())
            self.false_alarms += seen.false_alarms
            self.missed += len(seen.missed_xyxy)
        found, missed = (0, 0) if seen.true is None else (int(seen.true.sum()), len(seen.missed_xyxy))
        self.found_each.append(found)
        self.there_each.append(found + missed)
        self._found_in += found > 0
        self._there_in += found + missed > 0

    @property
    def recall(self) -> float | None:
        """The share of the labelled Vectors that it found; None without any."""
        there = self.found + self.missed
        return self.found / there if there else None

    def figures(self) -> dict:
        """The counts, JSON-able; those that need labels are None without."""
        known = self.labelled > 0
        return {
            "images": self.images,
            "seen_in": self.seen_in,
            "first_seen_s": None if self.first_s is None else round(self.first_s, 3),
            "labelled_images": self.labelled,
            "true_positives": self.found if known else None,
            "false_negatives": self.missed if known else None,
            "false_positives": self.false_alarms if known else None,
            "recall": None if self.recall is None else round(self.recall, 4),
        }

    def words(self) -> str:
        """The line under an image."""
        if not self.labelled:  # it may have taken something else for one
            return f"reported a robot in {_percent(self.seen_in, self.images)} of the frames so far"
        if not self._there_in:
            return "the other robot was in no frame so far"
        which = "frames" if self._there_in == self.images else "frames that show it"
        share = _percent(self._found_in, self._there_in)
        return f"found the other robot in {share} of the {which} so far"

    def words_judged(self) -> str:
        """A second line, from labels; empty without."""
        if not self.labelled:
            return ""
        return f"{self.found} found, {self.missed} missed, {alarms(self.false_alarms)}"


def _percent(part: int, whole: int) -> str:
    return f"{100 * part / max(whole, 1):.0f} %"


def alarms(count: int) -> str:
    """The words for so many false positives."""
    return counted(count, "false alarm")

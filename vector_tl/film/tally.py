"""What each detector saw, frame by frame: what the strips, the end card and the page of a run are made of."""

from array import array
from dataclasses import dataclass, field

import numpy as np

from vector_tl.evaluate.metrics import Outcome, match

NO_BOXES = np.zeros((0, 4), np.float32)


@dataclass(frozen=True)
class Seen:
    """What a detector saw in one image, beside what is there where that is known."""

    boxes_xyxy: np.ndarray  # (N, 4)
    scores: np.ndarray  # (N,)
    hits: np.ndarray | None = None  # (N,) bool; None: nothing is known of this image
    missed_xyxy: np.ndarray = field(default_factory=lambda: NO_BOXES)  # (M, 4)

    @property
    def best(self) -> float:
        """The best score; 0 where nothing was seen."""
        return float(self.scores.max(initial=0.0))


def judge(
    boxes_xyxy: np.ndarray, scores: np.ndarray, truth_xyxy: np.ndarray | None, size_wh: tuple[int, int]
) -> Seen:
    """Tell hits from false positives as `vector-tl evaluate` does: greedily, the best first, at IoU >= .5."""
    if truth_xyxy is None:
        return Seen(boxes_xyxy, scores)
    found_at, hits = match(Outcome(size_wh, truth_xyxy, boxes_xyxy, scores))
    return Seen(boxes_xyxy, scores, hits, truth_xyxy[found_at < 0])


class Tally:
    """Counts of one detector over the images of a film; a few bytes for each."""

    def __init__(self):
        self.images = self.seen = self.labelled = self.hits = self.missed = self.false = 0
        self.first_s: float | None = (
            None  # when it first saw a Vector; where it is known what is there, one that is there
        )
        self.times_s, self.best = array("d"), array("f")

    def add(self, t_s: float, seen: Seen) -> None:
        """Count an image, shown at `t_s` of the film."""
        self.images += 1
        self.times_s.append(t_s)
        self.best.append(seen.best)
        if len(seen.scores):
            self.seen += 1
        if self.first_s is None and (len(seen.scores) if seen.hits is None else seen.hits.any()):
            self.first_s = t_s
        if seen.hits is not None:
            self.labelled += 1
            self.hits += int(seen.hits.sum())
            self.false += int((~seen.hits).sum())
            self.missed += len(seen.missed_xyxy)

    def figures(self) -> dict:
        """The counts, JSON-able; those that need labels are None without."""
        known = self.labelled > 0
        there = self.hits + self.missed
        return {
            "images": self.images, "seen_in": self.seen, "first_seen_s": None if self.first_s is None else round(self.first_s, 3),
            "labelled_images": self.labelled, "hits": self.hits if known else None, "missed": self.missed if known else None,
            "false_boxes": self.false if known else None, "recall": round(self.hits / there, 4) if there else None,
        }  # fmt: skip

    def words(self) -> str:
        """The line under an image."""
        return f"saw a Vector in {self.seen} of {self.images} frames"

    def words_judged(self) -> str:
        """A second line, where labels tell; else nothing."""
        return f"{self.hits} hits, {self.missed} missed, {self.false} false" if self.labelled else ""

"""How much of the time a Vector was kept near, by the simulator's ground truth."""

from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from vector_tl.errors import UserError
from vector_tl.robot.base import Frame, GroundTruth
from vector_tl.robot.recorded import TruthAsker

KEPT_MM = (100.0, 400.0)  # origin to origin; so near it counts as followed


@dataclass
class Following:
    """Notes the distance at each frame, by the simulator's ground truth; none on a robot.

    Args:
        ground_truth: the simulator's, or None.
        serial: the finder's.
        lockstep: ask at once, as the world waits; else a thread asks, and the loop does not wait.
    """

    ground_truth: GroundTruth | None
    serial: str
    lockstep: bool
    reached_frame: int | None = None  # the first frame after it was reached
    distances_mm: dict[int, float] = field(default_factory=dict)
    losses: int = 0
    _asker: TruthAsker | None = None

    def __post_init__(self) -> None:
        if self.ground_truth is not None and not self.lockstep:
            self._asker = TruthAsker(self.ground_truth, self.serial, self)

    def note(self, frame: Frame, reached: bool, lost: bool) -> None:
        """Take in a frame: whether the target has been reached by now, and whether it was lost just now."""
        if reached and self.reached_frame is None:
            self.reached_frame = frame.image_id
        self.losses += lost and self.reached_frame is not None
        if self._asker:
            self._asker.ask(frame)
        elif self.ground_truth is not None:
            with suppress(UserError):  # it knows nothing of an image that was sent twice
                answer = self.ground_truth.truth(frame.image_id, self.serial)
                self._take(frame, answer["distance_mm"])

    def result(self) -> dict[str, Any]:
        """Shares of the time within KEPT_MM, once reached and from the start; null without ground truth.

        Returns:
            {"followed_share", "followed_share_all", "followed_mm": {"p5", "p50", "p95"}, "losses"}
        """
        if self._asker:
            self._asker.end()
        reached = [
            distance
            for image_id, distance in self.distances_mm.items()
            if self.reached_frame is not None and image_id >= self.reached_frame
        ]
        middle = np.percentile(reached, [5, 50, 95]).round(1).tolist() if reached else [None] * 3
        return {
            "followed_share": _share(reached),
            "followed_share_all": _share(list(self.distances_mm.values())),
            "followed_mm": dict(zip(("p5", "p50", "p95"), middle, strict=True)),
            "losses": self.losses,
        }

    def truth(
        self, frame: Frame, boxes_xyxy: np.ndarray, distance_mm: float | None, bearing_deg: float | None
    ) -> None:
        """Take in what the simulator says of a frame; see `TruthWriter`."""
        self._take(frame, distance_mm)

    def _take(self, frame: Frame, distance_mm: float | None) -> None:
        if distance_mm is not None:
            self.distances_mm[frame.image_id] = distance_mm


def _share(distances_mm: list[float]) -> float | None:
    if not distances_mm:
        return None
    return round(sum(KEPT_MM[0] <= mm <= KEPT_MM[1] for mm in distances_mm) / len(distances_mm), 4)

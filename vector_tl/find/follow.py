"""How much of the time a Vector was kept near, by the simulator's truth."""

from contextlib import suppress
from dataclasses import dataclass, field

import numpy as np

from vector_tl.errors import UserError
from vector_tl.robot.base import Frame
from vector_tl.robot.recorded import TruthAsker

KEPT_MM = (100.0, 400.0)  # origin to origin; so near it counts as followed


@dataclass
class Following:
    """Notes the distance at each frame, by the simulator's truth; none on a robot.

    Args:
        client: of the simulator's truth, or None.
        serial: the finder's.
        lockstep: ask at once, the world waits; else a thread asks, and the loop does not wait.
    """

    client: object | None
    serial: str
    lockstep: bool
    reached_frame: int | None = None  # the first of those after it was reached
    distances_mm: dict[int, float] = field(default_factory=dict)
    losses: int = 0
    _asker: TruthAsker | None = None

    def __post_init__(self):
        if self.client is not None and not self.lockstep:
            self._asker = TruthAsker(self.client, self.serial)

    def note(self, frame: Frame, reached: bool, lost: bool) -> None:
        """Take in a frame: whether the target has been reached by now, and whether it was lost just now."""
        if reached and self.reached_frame is None:
            self.reached_frame = frame.image_id
        self.losses += lost and self.reached_frame is not None
        if self._asker:
            self._asker.ask(frame)
        elif self.client is not None:
            with suppress(UserError):  # it knows nothing of an image that was sent twice
                told = self.client.truth(image_id=frame.image_id, serial=self.serial)
                self._take(frame, told["distance_mm"])

    def result(self) -> dict:
        """What is told of it: shares of the time within KEPT_MM, once reached and from the start; null where there is no truth."""
        if self._asker:
            self._asker.end()
            self._asker.write(self)
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
        """What the simulator says of a frame."""
        self._take(frame, distance_mm)

    def _take(self, frame: Frame, distance_mm: float | None) -> None:
        if distance_mm is not None:
            self.distances_mm[frame.image_id] = distance_mm


def _share(distances_mm: list[float]) -> float | None:
    return (
        round(sum(KEPT_MM[0] <= distance <= KEPT_MM[1] for distance in distances_mm) / len(distances_mm), 4)
        if distances_mm
        else None
    )

"""One arrangement after another for a simulated image, until one of them works out in its room."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from vector_tl.capture.arrange import (
    Arrangement,
    Pose,
    arrange,
    draw_distance_mm,
    draw_wheels_mmps,
    is_negative,
    spread,
)
from vector_tl.capture.harder import arrange_harder
from vector_tl.capture.plan import SessionPlan

ARRANGEMENTS = 150  # tried for one image; most impossible ones are refused without taking a frame
# So many are tried before another distance is drawn, else the rooms' walls would leave near ones only; and so
# many for the first distance, which is spread evenly over all images: far ones are refused most often.
SAME_DISTANCE, FIRST_DISTANCE = 30, 90


@dataclass(frozen=True)
class Place:
    """What an arrangement has to know of a room.

    Attributes:
        start: where the viewer wakes up, which is free.
        targets: how many other Vectors there are.
        things: of a room with kinds, see `GroundTruth.world`.
        ground_mm: half of its ground's size, x and y.
    """

    start: Pose
    targets: int
    things: Sequence[dict[str, Any]] = field(default_factory=list)
    ground_mm: tuple[float, float] = (math.inf, math.inf)


class Proposals:
    """The arrangements for image `number` of a session.

    Attributes:
        rng: what they are drawn with, from nothing but the seed, the room and the number; between two of them
            others may draw with it.
        negative: whether no Vector is to be in view.
        moving: whether the viewer drives.
    """

    def __init__(self, plan: SessionPlan, number: int, place: Place):
        self._plan, self._number, self._place = plan, number, place
        self.rng = np.random.default_rng([plan.seed, plan.world, number])
        self.negative = is_negative(plan.first + number, plan.negatives)
        self.moving = bool(self.rng.random() < plan.moving) or "blur" in plan.kinds

    def __iter__(self) -> Iterator[tuple[int, Arrangement]]:
        """The arrangements with their numbers, each drawn when it is asked for."""
        distance_mm = draw_distance_mm(spread(self._plan.first + self._number))
        for attempt in range(ARRANGEMENTS):
            if attempt >= FIRST_DISTANCE and attempt % SAME_DISTANCE == 0:
                distance_mm = draw_distance_mm(self.rng.random())
            yield attempt, self._arrange(distance_mm)

    def _arrange(self, distance_mm: float) -> Arrangement:
        rng, place, kinds = self.rng, self._place, self._plan.kinds
        if not kinds:
            return arrange(rng, place.start, place.targets, distance_mm, self.negative, self.moving)
        wheels_mmps = draw_wheels_mmps(rng) if self.moving else None
        return arrange_harder(
            rng,
            place.start,
            place.targets,
            self.negative,
            wheels_mmps,
            kinds,
            place.things,
            place.ground_mm,
        )

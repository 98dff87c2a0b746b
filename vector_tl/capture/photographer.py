"""Takes simulated images.

A hand puts the Vectors somewhere, the robot's camera takes an image, and the ground truth is its label.
"""

import math
from collections.abc import Sequence
from dataclasses import replace

from vector_tl.capture.arrange import Arrangement
from vector_tl.capture.ground_truth import LabelledImage, all_boxes, label_image, pose_of, truth_of
from vector_tl.capture.plan import SessionPlan
from vector_tl.capture.proposals import Place, Proposals
from vector_tl.errors import UserError
from vector_tl.robot.base import Frame, Robot
from vector_tl.robot.simulator_client import SimulatorGone

SETTLE_FRAMES = 3  # 1 to so many, drawn for each image, until it is taken: the exposure control lags behind
MAX_SETTLE_FRAMES = 8  # while head and lift are on their way
HEAD_REACHED_RAD, LIFT_REACHED_MM = math.radians(1.5), 3.0


class Photographer:
    """Takes the images of one session, in that session's room.

    Each depends on nothing but the seed, the room and its number, so that any of them can be taken again.

    Attributes:
        seen: how many frames were looked at.
    """

    def __init__(self, robot: Robot, plan: SessionPlan):
        self.robot, self.plan, self.truth = robot, plan, truth_of(robot)
        self.seen = 0
        self._last_id: int | None = None
        answer = self.truth.world(plan.world, plan.kinds)
        vectors = self.truth.truth()["vectors"]
        start, targets = pose_of(vectors[0]), len(vectors) - 1
        if plan.kinds:
            self._room = Place(start, targets, answer["things"], tuple(answer["ground_mm"]))
        else:
            self._room = Place(start, targets)

    def take_image(self, number: int, attempts: Sequence[int] = ()) -> LabelledImage | None:
        """Image `number` of the session; None when no arrangement worked out in this room.

        Args:
            number: of the image in its session.
            attempts: the arrangements that were seen when it was taken before. The same are seen now and the
                last one is taken: what an image shows is not judged again, as a pixel that another computer
                draws otherwise might then decide.
        """
        proposals = Proposals(self.plan, number, self._room)
        rng, moving = proposals.rng, proposals.moving
        seen: list[int] = []
        for attempt, wanted in proposals:
            if (attempts and attempt not in attempts) or not self._place(wanted):
                continue
            frame = self._take_frame(wanted, settle=int(rng.integers(1, SETTLE_FRAMES + 1)), moving=moving)
            seen.append(attempt)
            if self.robot.state().picked_up:  # over the table's edge
                continue
            truth = self.truth.truth(frame.image_id)
            if attempts:
                if attempt == attempts[-1]:
                    return LabelledImage(frame, all_boxes(truth["boxes"]), truth, tuple(seen))
                continue
            image = label_image(frame, truth)
            if image is not None and (len(image.boxes_xyxy) == 0) == proposals.negative:
                return replace(image, attempts=tuple(seen))
        return None

    def _place(self, wanted: Arrangement) -> bool:
        """Put everybody where the arrangement says; False where something stands, or the ground ends."""
        places = [
            {"vector": i, "x_mm": x_mm, "y_mm": y_mm, "heading_rad": heading_rad}
            for i, (x_mm, y_mm, heading_rad) in enumerate(wanted.poses)
        ]
        try:
            self.truth.place(places)
        except SimulatorGone:
            raise
        except UserError:
            return False
        return True

    def _take_frame(self, wanted: Arrangement, settle: int, moving: bool) -> Frame:
        """The frame once head and lift are where they should be, frame `settle` at the earliest.

        When `moving`, the next one, while it drives.
        """
        robot = self.robot
        arrived = False
        for count in range(1, MAX_SETTLE_FRAMES + 1):
            if not arrived:  # again: while it backs off from an edge by itself, it takes no commands
                robot.set_head(wanted.head_rad)
                robot.set_lift(wanted.lift_mm)
            frame = self._next_frame()
            state = robot.state()
            arrived = (
                abs(state.head_angle_rad - wanted.head_rad) < HEAD_REACHED_RAD
                and abs(state.lift_height_mm - wanted.lift_mm) < LIFT_REACHED_MM
            )
            if arrived and count >= settle:
                break
        if moving:
            robot.drive(*wanted.wheels_mmps)
            frame = self._next_frame()
            robot.stop()
        return frame

    def _next_frame(self) -> Frame:
        frame = self.robot.next_frame(self._last_id, timeout_s=5.0)
        self._last_id = frame.image_id
        self.seen += 1
        return frame

"""A simulated room and its camera in this process: it takes labelled images, one frame for each.

Like `capture.photographer`, which takes them through a robot's protocol, but head and lift are where they
shall be at once, and an arrangement that cannot give what is asked for is refused before anything is drawn.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np

from vector_tl.capture.arrange import Arrangement
from vector_tl.capture.ground_truth import MAX_INSIDE, MIN_SIDE_PX, LabelledImage, label_image
from vector_tl.capture.photographer import SETTLE_FRAMES
from vector_tl.capture.plan import SessionPlan
from vector_tl.capture.proposals import Place, Proposals
from vector_tl.capture.simulated_session import CAMERA_FPS, TARGETS, TARGETS_OF_KINDS
from vector_tl.data.boxes import share_inside, sides
from vector_tl.robot.base import Frame
from vector_tl.robot.body import TRACK_MM
from vector_tl.sim.render.backdrop import BackdropCamera
from vector_tl.sim.render.camera import VectorCamera
from vector_tl.sim.render.cameras import SIZE_WH
from vector_tl.sim.render.stock import Stock
from vector_tl.sim.world.body import LIFT_RANGE_MM, SLIP_FORWARD, SLIP_TURN, lift_angle_rad
from vector_tl.sim.world.scene import CameraMotion, Moment, Shot
from vector_tl.sim.world.world import STEP_MS, World

DAY_MS = 60_000  # the moments of the robots' moods and blinks from which images are drawn
RIB_MM = 4.2  # the treads' ribs look the same after so much way
# By how much a box may be larger than it was foreseen, and a smaller share of it in another one.
OFF_PX, OFF_SHARE = 1.0, 0.1


class Studio:
    """Takes the images of one session after another.

    It owns an OpenGL context: make and use it in one thread. Each image depends on nothing but the seed, the
    room and its number, and on the images of the room before it: the exposure control lags behind.

    Attributes:
        drawn: how many frames were drawn.
    """

    def __init__(self, seed: int, of_kinds: bool, backgrounds: Path | None = None, held_out: bool = False):
        """Make the camera.

        Args:
            seed: of the textures of which the rooms are furnished.
            of_kinds: whether the rooms have kinds.
            backgrounds: folder of photographs before which the Vectors are drawn.
            held_out: whether the rooms are held out.

        Raises:
            UserError: nothing can be drawn here, or there are no photographs.
        """
        self._camera: VectorCamera | BackdropCamera
        if backgrounds is None:
            self._camera = VectorCamera(SIZE_WH, stock=Stock(seed, held_out))
        else:
            self._camera = BackdropCamera(backgrounds, SIZE_WH)
        self._world = World(0, robots=1, targets=TARGETS_OF_KINDS if of_kinds else TARGETS)
        self.drawn = 0

    def enter(self, plan: SessionPlan) -> None:
        """Furnish the room of a session."""
        world = self._world
        world.t_ms = 0
        world.enter(plan.world, plan.kinds)
        self._camera.enter(world.room)
        self._plan = plan
        self._place = Place(world.bodies[0].pose, world.count - 1)
        if plan.kinds:
            things = [asdict(thing) for thing in (*world.room.obstacles, *world.room.loose)]
            ground_mm = (world.room.half_x_mm, world.room.half_y_mm)
            self._place = replace(self._place, things=things, ground_mm=ground_mm)

    def take_image(self, number: int) -> tuple[LabelledImage, np.ndarray] | None:
        """Image `number` of the session and its instance mask (H, W), as `GroundTruth.mask` has it.

        None when no arrangement worked out in this room.
        """
        proposals = Proposals(self._plan, number, self._place)
        rng, seen = proposals.rng, []
        for attempt, wanted in proposals:
            if self._world.place(dict(enumerate(wanted.poses))):
                continue
            moment = self._moment(wanted, rng, proposals.moving)
            if not self._may_work_out(moment, proposals.negative):
                continue
            seed = [self._plan.seed, self._plan.world, number, attempt]
            shot = self._camera.shoot(moment, np.random.default_rng(seed))
            self.drawn += 1
            seen.append(attempt)
            image = label_image(Frame(number, self._world.t_ms, 0.0, shot.jpeg), self._truth(shot))
            if image is not None and (len(image.boxes_xyxy) == 0) == proposals.negative:
                return replace(image, attempts=tuple(seen)), _mask(shot)
        return None

    def _moment(self, wanted: Arrangement, rng: np.random.Generator, moving: bool) -> Moment:
        """What the camera takes an image of, once head and lift have moved.

        The exposure control has had as many frames for it as capture's, one more while it drives.
        """
        world, viewer = self._world, self._world.bodies[0]
        frames = int(rng.integers(1, SETTLE_FRAMES + 1)) + moving
        world.t_ms = STEP_MS * int(rng.integers(DAY_MS // STEP_MS))
        viewer.head.put(wanted.head_rad)
        viewer.lift.put(lift_angle_rad(float(np.clip(wanted.lift_mm, *LIFT_RANGE_MM))))
        for body in world.bodies:
            body.left_tread_mm, body.right_tread_mm = rng.uniform(0, RIB_MM, 2)
        left, right = wanted.wheels_mmps
        motion = CameraMotion(
            (left + right) / 2 * (1 - SLIP_FORWARD), (right - left) / TRACK_MM * (1 - SLIP_TURN)
        )
        vectors = tuple(map(world.pose, range(world.count)))
        return Moment(vectors, motion=motion, dt_s=frames / CAMERA_FPS)

    def _may_work_out(self, moment: Moment, negative: bool) -> bool:
        """Whether an image can have what is asked for, as far as is known before it is drawn.

        No Vector in view of a negative one; else at least one, of none only a sliver, none behind another.
        """
        boxes = np.array(list(self._camera.foresee(moment).values())).reshape(-1, 4)
        if negative or not len(boxes):
            return negative and not len(boxes)
        inside = share_inside(boxes, boxes)
        np.fill_diagonal(inside, 0)
        return bool((sides(boxes) > MIN_SIDE_PX - OFF_PX).all() and (inside < MAX_INSIDE + OFF_SHARE).all())

    def _truth(self, shot: Shot) -> dict[str, Any]:
        """What the ground-truth channel would say of an image, as far as capture asks."""
        assert shot.ids is not None
        vectors = [
            {"vector": number, "x_mm": body.x_mm, "y_mm": body.y_mm, "heading_rad": body.heading_rad}
            for number, body in enumerate(self._world.bodies)
        ]
        return {
            "size_wh": list(shot.ids.shape[::-1]),
            "boxes": [asdict(box) for box in shot.boxes],
            "vectors": vectors,
            "background": shot.background,
            "seen": asdict(shot.seen) if shot.seen else None,
        }

    def close(self) -> None:
        """Release the camera."""
        self._camera.close()


@contextmanager
def open_studio(
    seed: int, of_kinds: bool, backgrounds: Path | None = None, held_out: bool = False
) -> Iterator[Studio]:
    """A studio, closed at the end of the block."""
    studio = Studio(seed, of_kinds, backgrounds, held_out)
    try:
        yield studio
    finally:
        studio.close()


def _mask(shot: Shot) -> np.ndarray:
    """Where the Vectors are seen that have a box, uint8 (H, W): number n as n + 1."""
    assert shot.ids is not None
    kept = np.zeros(256, np.uint8)
    for box in shot.boxes:
        kept[box.vector + 1] = box.vector + 1
    return kept[shot.ids]

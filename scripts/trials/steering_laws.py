"""Other projects' steering laws, and ours with the ground truth, for `find_trials.py`.

`oracle` is the behaviour of vector_tl.find with the target's place from the ground truth. `jetbot`: the
detection nearest to the centre, constant speed with a proportional turn, as in JetBot's object following.
`pid`: the published gains of a Vector follower (bearing .12/.002/.025, clipped, times 10; distance .4/0/.1),
its distance by the box's height. The last two have no search and no stop of their own: here they turn slowly
while they see nothing, and stop where the distance by the box's height is 150 mm (from origin to origin).
"""

import math
from dataclasses import dataclass, field

import numpy as np

from vector_tl.data.images import decode_image
from vector_tl.find.behaviour import decide
from vector_tl.find.memory import Observation, begin
from vector_tl.find.perception import known_range_mm, pose_of, speeds_of
from vector_tl.find.track import Target
from vector_tl.robot.base import NoFreshFrame

SECONDS = 60.0
STOP_MM, TURN_MMPS = 150.0, 30.0
LENS_MM = 40.0  # from the lens to both origins, in sum: without it these laws would stop too early


@dataclass
class Pid:
    """Discrete PID on an error, as those projects write it."""

    p: float
    i: float
    d: float
    total: float = 0.0
    last: float | None = field(default=None)

    def __call__(self, error: float) -> float:
        """The output for the next error."""
        self.total += error
        slope = 0.0 if self.last is None else error - self.last
        self.last = error
        return self.p * error + self.i * self.total + self.d * slope


class JetBot:
    """Wheels = speed -+ gain x offset (-.5 to .5 of the image's width), of a Vector's full 220 mm/s."""

    def wheels(self, offset: float, distance_mm: float) -> tuple[float, float]:
        """Left and right, mm/s."""
        return 220 * (0.4 + 0.8 * offset) * 0.5, 220 * (0.4 - 0.8 * offset) * 0.5


class PidFollower:
    """Bearing and distance by PID with the published gains and limits."""

    def __init__(self):
        self.turn, self.drive = Pid(0.12, 0.002, 0.025), Pid(0.4, 0.0, 0.1)

    def wheels(self, offset: float, distance_mm: float) -> tuple[float, float]:
        """Left and right, mm/s."""
        turn = max(-5.0, min(5.0, self.turn(offset * 90))) * 10
        drive = max(-150.0, min(150.0, self.drive(distance_mm - STOP_MM)))
        return max(-200.0, min(200.0, drive + turn)), max(-200.0, min(200.0, drive - turn))


def run_law(law: str, robot, detector, threshold: float | None) -> dict:
    """Steer by another project's law, frame by frame, until it has stopped at the target."""
    steer = JetBot() if law == "jetbot" else PidFollower()
    last_id, since_s, start_s, frames = None, None, robot.now_s(), 0
    robot.set_lift(32.0)
    robot.set_head(0.0)
    while robot.now_s() - start_s < SECONDS:
        try:
            frame = robot.next_frame(last_id)
        except NoFreshFrame:
            continue
        last_id, frames = frame.image_id, frames + 1
        image = decode_image(frame.jpeg, "the frame")
        boxes = detector(image, threshold=threshold).boxes_xyxy
        if len(boxes) == 0:
            robot.drive(-TURN_MMPS, TURN_MMPS)
            continue
        middle = (boxes[:, 0] + boxes[:, 2]) / 2 / image.shape[1] - 0.5
        nearest = int(np.argmin(np.abs(middle)))
        height = boxes[nearest, 3] - boxes[nearest, 1]
        distance = robot.intrinsics.focal_xy_px[1] * 66.6 / max(height, 1.0) + LENS_MM
        if distance <= STOP_MM + 10 and abs(middle[nearest]) < 0.1:
            robot.drive(0.0, 0.0)
            since_s = robot.now_s() if since_s is None else since_s
            if robot.now_s() - since_s >= 1.0:
                return {"found": True, "time_to_found_s": robot.now_s() - start_s, "frames": frames}
            continue
        since_s = None
        robot.drive(*map(float, steer.wheels(float(middle[nearest]), float(distance))))
    return {"found": False, "time_to_found_s": None, "frames": frames}


def run_oracle(robot) -> dict:
    """Our behaviour with the ground truth instead of a detector: the difference is what detection costs."""
    start_s, last_id, memory, frames = robot.now_s(), None, None, 0
    while robot.now_s() - start_s < SECONDS:
        try:
            frame = robot.next_frame(last_id)
        except NoFreshFrame:
            continue
        last_id, frames, state = frame.image_id, frames + 1, robot.state()
        truth = robot.ground_truth().truth(serial=robot.serial)
        now_s, pose = robot.now_s(), pose_of(state)
        memory = memory or begin(now_s, pose)
        distance, bearing = truth["distance_mm"], math.radians(truth["bearing_deg"])
        x = pose.x_mm + distance * math.cos(pose.heading_rad + bearing)
        y = pose.y_mm + distance * math.sin(pose.heading_rad + bearing)
        target = Target(bearing, distance, 0.01, 5.0, x, y, 0.0, 9)
        seen = Observation(now_s, pose, *speeds_of(state), known_range_mm(state), target, cliff=state.cliff)
        memory, command = decide(memory, seen)
        robot.drive(command.left_mmps, command.right_mmps)
        if command.done:
            return {"found": True, "time_to_found_s": now_s - start_s, "frames": frames}
    return {"found": False, "time_to_found_s": None, "frames": frames}

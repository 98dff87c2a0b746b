"""What a robot does with a light cube that it has seen: drive to it, dock, lift, set down, roll, wheelie."""

import math
from dataclasses import dataclass

from vector_tl.sim.engine import navigation, routine
from vector_tl.sim.engine.cubes import GRIP_MM, combine
from vector_tl.sim.engine.routine import Steps
from vector_tl.sim.engine.virtual import VirtualVector
from vector_tl.sim.world.body import LIFT_RANGE_RAD
from vector_tl.sim.world.cubes import CUBE_MM
from vector_tl.sim.world.scene import Pose

BEFORE_MM = 130.0  # from here it drives straight onto the cube
DOCK_MMPS, BACK_MM = 60.0, 60.0
LOOK_DOWN_RAD = -0.2
LOOK_MS, WHEELIE_MS = 300, 1500


@dataclass(frozen=True)
class Pace:
    """How fast it drives and turns."""

    mmps: float = 100.0
    radps: float = 2.0


def go_to(robot: VirtualVector, object_id: int, stop_mm: float, pace: Pace) -> Steps:
    """Drive to a cube, square to its nearest side, until its middle is `stop_mm` from the robot's origin."""
    cube = robot.cubes.known_pose(object_id)
    if cube is None:
        return "bad object"
    body, blocks = robot.body, list(robot.map.objects.values())
    before = _before(cube, body.odometry, max(BEFORE_MM, stop_mm))
    how = yield from navigation.go_to(lambda: body.odometry, before, blocks, pace.mmps, pace.radps)
    if how not in (None, "reached"):
        return how
    yield routine.head(LOOK_DOWN_RAD)
    yield routine.wait(LOOK_MS)
    cube = robot.cubes.known_pose(object_id) or cube  # seen again from here
    x, y, heading = body.odometry
    how = yield routine.turn_to(math.atan2(cube[1] - y, cube[0] - x), heading, pace.radps)
    if how == "reached":
        left_mm = math.dist(body.odometry[:2], cube[:2]) - stop_mm
        how = yield routine.drive(left_mm, min(DOCK_MMPS, pace.mmps))
    return how


def _before(cube: Pose, here: Pose, distance_mm: float) -> Pose:
    """The place before the side of a cube that is nearest to `here`, and the heading there."""
    towards = math.atan2(here[1] - cube[1], here[0] - cube[0])
    quarter = round((towards - cube[2]) / (math.pi / 2))
    x, y, normal = combine((cube[0], cube[1], cube[2] + quarter * math.pi / 2), (distance_mm, 0.0, 0.0))
    return x, y, math.remainder(normal + math.pi, math.tau)


def dock(robot: VirtualVector, object_id: int, pace: Pace) -> Steps:
    """Drive to a cube until it touches the lift, which is low."""
    if robot.cubes.carried:
        return "still carrying"
    if robot.cubes.known_pose(object_id) is None:
        return "bad object"
    yield routine.lift(LIFT_RANGE_RAD[0])
    how = yield from go_to(robot, object_id, GRIP_MM, pace)
    if how not in (None, "reached"):
        return how
    cube = robot.cubes.by_id(object_id)
    return None if cube and robot.cubes.grips(cube) else "missed"


def pick_up(robot: VirtualVector, object_id: int, pace: Pace) -> Steps:
    """Dock with a cube and lift it."""
    how = yield from dock(robot, object_id, pace)
    if how:
        return how
    cube = robot.cubes.by_id(object_id)
    if cube is None or cube.carried_by is not None:
        return "missed"
    cube.carried_by = robot.index
    robot.log("cube", state="picked up", factory_id=cube.factory_id)
    return (yield routine.lift(LIFT_RANGE_RAD[1]))


def set_down(robot: VirtualVector) -> Steps:
    """Set the cube on the lift down, and back off."""
    cube = robot.cubes.carried
    if cube is None:
        return "not carrying"
    how = yield routine.lift(LIFT_RANGE_RAD[0])
    if how != "reached":
        return how
    cube.lie(*combine(robot.body.pose, (GRIP_MM, 0.0, 0.0)))
    robot.log("cube", state="set down", factory_id=cube.factory_id)
    return (yield routine.drive(-BACK_MM, DOCK_MMPS))


def roll(robot: VirtualVector, object_id: int, pace: Pace) -> Steps:
    """Dock with a cube, and pull it over onto its next side."""
    how = yield from dock(robot, object_id, pace)
    cube = robot.cubes.by_id(object_id)
    if how or cube is None:
        return how
    yield routine.lift(sum(LIFT_RANGE_RAD) / 2)
    how = yield routine.drive(-BACK_MM, DOCK_MMPS)
    cube.tip_over()
    ahead = combine(robot.body.pose, (GRIP_MM + BACK_MM - CUBE_MM, 0.0, 0.0))
    cube.lie(*ahead)
    robot.log("cube", state="rolled", factory_id=cube.factory_id)
    yield routine.lift(LIFT_RANGE_RAD[0])
    return how


def wheelie(robot: VirtualVector, object_id: int, pace: Pace) -> Steps:
    """Dock with a cube, and stand up on it for a moment."""
    how = yield from dock(robot, object_id, pace)
    if how:
        return how
    robot.log("cube", state="wheelie")
    yield routine.lift(LIFT_RANGE_RAD[0])
    yield routine.wait(WHEELIE_MS)
    return (yield routine.drive(-BACK_MM, DOCK_MMPS))

"""Light cubes: where they lie, what the camera sees of them, and what a robot does with one. No server."""

import math

import pytest

from vector_tl.errors import UserError
from vector_tl.sim.engine import cube_actions
from vector_tl.sim.engine.animation_names import (
    ANIMATIONS,
    KNOWN_ANIMATIONS,
    KNOWN_TRIGGERS,
    TRIGGERS,
    is_animations_form,
    is_triggers_form,
)
from vector_tl.sim.engine.cube_actions import Pace
from vector_tl.sim.engine.cube_view import marker_rectangle
from vector_tl.sim.engine.cubes import GRIP_MM, combine, relative
from vector_tl.sim.render.cameras import CameraThread
from vector_tl.sim.render.plain_camera import PlainCamera
from vector_tl.sim.server.simulator import Simulator
from vector_tl.sim.settings import SimSettings
from vector_tl.sim.world import footprint as fp

pytestmark = pytest.mark.fast
TABLE = 44


@pytest.fixture
def robot(tmp_path):
    """A robot with a cube before it; `robot.events` gets what it sends."""
    cameras = CameraThread(PlainCamera)
    made = Simulator(SimSettings(home=tmp_path, world=TABLE, cubes=1, lockstep=True), cameras)
    robot = made.robots[0]
    robot.advance = lambda ms: made._advance(made.world.t_ms + ms)
    robot.events = []
    robot.send_event = lambda to=None, **event: robot.events.append(event)
    yield robot
    cameras.close()


def sent(robot, kind: str) -> list:
    """The object events of a kind."""
    events = [event["object_event"] for event in robot.events if "object_event" in event]
    return [getattr(event, kind) for event in events if event.HasField(kind)]


def perform(robot, steps, ms: float = 20_000) -> str:
    ended = []
    robot.perform(steps, ended.append)
    robot.advance(ms)
    return ended[0]


def test_a_cube_lies_free_before_the_robot_in_every_room(tmp_path):
    for seed in range(20):
        cameras = CameraThread(PlainCamera)
        world = Simulator(SimSettings(home=tmp_path, world=seed, cubes=4), cameras).world
        shapes = [fp.of_obstacle(thing) for thing in world.room.obstacles]
        shapes += [fp.of_vector(*body.pose) for body in world.bodies]
        shapes += [cube.footprint for cube in world.cubes]
        for number, cube in enumerate(world.cubes):
            others = [shape for shape in shapes if shape != cube.footprint]
            assert min(fp.gap_mm(cube.footprint, other) for other in others) > 0, (seed, number)
            corners = cube.footprint.corners()
            assert all(abs(x) < world.room.half_x_mm and abs(y) < world.room.half_y_mm for x, y in corners)
        cameras.close()


def test_a_marker_is_seen_where_the_camera_looks_and_only_there(robot):
    world, (cube,) = robot.world, robot.world.cubes
    body = robot.body
    cube.lie(*combine(body.pose, (200.0, 0.0, 0.0)))
    x, y, width, height = marker_rectangle(world, 0, cube)
    assert abs(x + width / 2 - 320) < 2 and y > 100  # ahead, and below the camera
    assert 353 * 44 / 200 < width < 353 * 44 / 150 and height == pytest.approx(width, rel=0.3)
    body.head.put(math.radians(45))
    assert marker_rectangle(world, 0, cube) is None  # it looks over it
    body.head.put(0.0)
    cube.lie(*combine(body.pose, (-200.0, 0.0, 0.0)))
    assert marker_rectangle(world, 0, cube) is None  # behind it


def test_a_seen_cube_is_reported_with_its_place_by_the_robots_own_odometry(robot):
    robot.advance(120)
    seen = sent(robot, "robot_observed_object")[-1]
    (cube,) = robot.world.cubes
    ahead, left, _ = relative(robot.body.pose, (cube.x_mm, cube.y_mm, cube.heading_rad))
    assert (seen.pose.x, seen.pose.y) == pytest.approx((ahead, left), abs=1e-3)
    assert seen.object_id == 1 and robot.cubes.known_pose(1)[:2] == pytest.approx((ahead, left))
    robot.world.lift_up(0, True)
    robot.world.lift_up(0, False)
    assert robot.cubes.known_pose(1) is None  # it does not know where it is


def test_a_connected_cube_is_tapped_moved_and_lost(robot):
    with pytest.raises(UserError, match="ConnectCube"):
        robot.cubes.suffer("cube_tapped")
    cube = robot.cubes.connect()
    assert sent(robot, "object_available")[0].factory_id == cube.factory_id
    assert sent(robot, "object_connection_state")[0].connected
    robot.advance(60)
    robot.cubes.suffer("cube_tapped")
    assert len(sent(robot, "object_tapped")) == 1
    robot.cubes.suffer("cube_moved")
    robot.advance(180)
    assert len(sent(robot, "object_moved")) == len(sent(robot, "object_stopped_moving")) == 1
    robot.cubes.suffer("cube_lost")
    assert sent(robot, "cube_connection_lost") and robot.cubes.connected is None
    assert robot.cubes.connect() is cube  # and again


def test_a_robot_picks_a_cube_up_carries_it_sets_it_down_and_rolls_it(robot):
    assert perform(robot, cube_actions.pick_up(robot, 1, Pace()), 100) == "bad object"  # not seen yet
    assert perform(robot, cube_actions.set_down(robot), 100) == "not carrying"
    robot.advance(120)
    (cube,) = robot.world.cubes
    assert perform(robot, cube_actions.pick_up(robot, 1, Pace())) == "reached"
    assert cube.carried_by == 0 and robot.cubes.carried_id == 1 and cube.z_mm > 50
    assert robot.state().carrying_object_id == 1
    assert perform(robot, cube_actions.pick_up(robot, 1, Pace()), 100) == "still carrying"
    assert perform(robot, cube_actions.set_down(robot)) == "reached"
    assert cube.z_mm == 0 and cube.carried_by is None and robot.state().carrying_object_id == -1
    robot.advance(120)
    up = cube.up
    assert perform(robot, cube_actions.roll(robot, 1, Pace())) == "reached"
    assert cube.up != up


def test_a_robot_drives_up_to_a_distance_from_a_cube(robot):
    robot.advance(120)
    (cube,) = robot.world.cubes
    assert perform(robot, cube_actions.go_to(robot, 1, 100.0, Pace())) == "reached"
    body = robot.body
    assert math.dist((body.x_mm, body.y_mm), (cube.x_mm, cube.y_mm)) == pytest.approx(100, abs=4)


def test_a_cube_gives_way_to_a_robot_that_drives_into_it(robot):
    (cube,) = robot.world.cubes
    robot.cubes.suffer("cube_moved")
    robot.body.drive(100, 100)
    robot.advance(1200)
    body = robot.body
    ahead, left, _ = relative(body.pose, (cube.x_mm, cube.y_mm, 0.0))
    assert ahead == pytest.approx(GRIP_MM, abs=2) and abs(left) < 1 and body.collisions == 0


def test_lists_of_animations_have_a_robots_size_and_the_known_names():
    assert (len(ANIMATIONS), len(TRIGGERS)) == (980, 520)
    assert set(KNOWN_ANIMATIONS) < set(ANIMATIONS) and set(KNOWN_TRIGGERS) < set(TRIGGERS)
    assert all(map(is_animations_form, ANIMATIONS)) and all(map(is_triggers_form, TRIGGERS))
    wrong = {"DanceBeat", "GreetingHello", "WheelieSuccess", "anim_wheelie_01"}
    assert not wrong & {*ANIMATIONS, *TRIGGERS}
    assert not is_animations_form("waltz") and not is_triggers_form("anim_pounce_03")

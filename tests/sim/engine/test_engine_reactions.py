"""What the robot does by itself: which of it takes control, when, and what the wheels do meanwhile."""

import math

import pytest
from anki_vector.messaging import protocol

from support.stops import still_since_ms
from vector_tl.sim.render.cameras import CameraThread
from vector_tl.sim.render.plain_camera import PlainCamera
from vector_tl.sim.server.simulator import Simulator
from vector_tl.sim.settings import SimSettings

pytestmark = pytest.mark.fast

DEFAULT, OVERRIDE = protocol.ControlRequest.DEFAULT, protocol.ControlRequest.OVERRIDE_BEHAVIORS
TABLE = 44
LOSES_CONTROL = {
    "cliff": "cliff",
    "falling": "falling",
    "turned_by_hand": "unexpected movement",
    "bumped": "unexpected movement",
    "low_battery": "low battery",
    "on_charger": "put onto its charger",
    "wake_word": "wake word",
    "control_lost": "the robot's own behaviour",
}


@pytest.fixture
def simulator(tmp_path):
    """A simulator in lockstep without its server; a client has control and drives straight."""
    cameras = CameraThread(PlainCamera)
    made = Simulator(SimSettings(home=tmp_path, world=TABLE, targets=0, lockstep=True), cameras)
    robot = made.robots[0]
    ask(robot)
    robot.motors.drive(30, 30)
    advance(made, 300)
    yield made
    cameras.close()


def ask(robot, priority=DEFAULT):
    claim = robot.open_control()
    request = protocol.BehaviorControlRequest(control_request=protocol.ControlRequest(priority=priority))
    robot.ask_control(claim, request)
    return claim


def advance(simulator, ms):
    simulator._advance(simulator.world.t_ms + ms)


def lost(simulator) -> list[str]:
    entries = simulator.journal.since(0)
    return [e["reason"] for e in entries if e["kind"] == "control" and e["event"] == "lost"]


@pytest.mark.parametrize(("fault", "reason"), LOSES_CONTROL.items())
def test_what_takes_control_from_a_client(simulator, fault, reason):
    robot = simulator.robots[0]
    simulator.fault({"fault": fault})
    advance(simulator, 360)
    assert robot.control.active is None and lost(simulator) == [reason]
    robot.motors.drive(0, 0)
    assert not simulator.journal.since(0)[-1]["applied"]
    simulator.fault({"fault": "clear"})
    advance(simulator, 4000)
    assert robot.control.active == DEFAULT  # by itself: the client's wish has stayed


@pytest.mark.parametrize("fault", ["cliff", "turned_by_hand", "low_battery", "wake_word"])
def test_nothing_takes_it_from_the_highest_priority(simulator, fault):
    robot = simulator.robots[0]
    ask(robot, OVERRIDE)
    simulator.fault({"fault": fault})
    advance(simulator, 400)
    assert robot.control.active == OVERRIDE and robot.body.left_mmps == 30 and not lost(simulator)


@pytest.mark.parametrize("fault", ["picked_up", "on_side", "touched", "camera_off"])
def test_what_takes_no_control(simulator, fault):
    robot = simulator.robots[0]
    simulator.fault({"fault": fault})
    advance(simulator, 400)
    assert robot.control.active == DEFAULT and robot.body.left_mmps == 30


def test_an_edge_stops_the_wheels_and_it_backs_off_by_itself(simulator):
    robot = simulator.robots[0]
    since_ms = simulator.world.t_ms
    simulator.fault({"fault": "cliff", "ms": 100})
    advance(simulator, 100)
    assert still_since_ms(simulator.journal.since(0), since_ms) == pytest.approx(since_ms + 40, abs=20)
    x_mm = robot.body.odometry[0]
    advance(simulator, 2000)
    assert robot.body.odometry[0] - x_mm == pytest.approx(-50, abs=3)


def test_wheels_that_nobody_controls_run_until_the_robot_itself_moves_them(simulator):
    robot = simulator.robots[0]
    robot.close_control(robot.control.claims[0])
    advance(simulator, 1000)
    assert robot.body.left_mmps == 30
    simulator.fault({"fault": "turned_by_hand"})
    advance(simulator, 3000)
    assert robot.body.left_mmps == 0


def test_what_runs_into_it_from_behind_leaves_the_wheels_as_they_are(simulator):
    robot = simulator.robots[0]
    robot.motors.drive(-30, -30)
    advance(simulator, 300)
    simulator.fault({"fault": "turned_by_hand", "ms": 300})
    advance(simulator, 900)
    assert lost(simulator) == ["unexpected movement"] and robot.body.left_mmps == -30


@pytest.mark.parametrize("deg_per_s", [90, -90])
def test_a_hand_that_turns_it_is_felt_by_the_gyro_and_reported(simulator, deg_per_s):
    robot, heard = simulator.robots[0], robot_events(simulator)
    heading = robot.body.heading_rad
    simulator.fault({"fault": "turned_by_hand", "deg_per_s": deg_per_s, "ms": 500})
    advance(simulator, 250)
    assert robot.state().gyro.z == pytest.approx(math.radians(deg_per_s), abs=0.1)
    advance(simulator, 250)
    turned = math.remainder(robot.body.heading_rad - heading, math.tau)
    assert turned == pytest.approx(math.radians(deg_per_s) / 2, abs=0.02)
    (event,) = [event.unexpected_movement for event in heard() if event.HasField("unexpected_movement")]
    kinds = event.DESCRIPTOR.fields_by_name["movement_type"].enum_type.values_by_name
    assert event.movement_type == kinds["TURNED_IN_OPPOSITE_DIRECTION"].number


def robot_events(simulator):
    outbox = simulator.robots[0].open_events(lambda kind: True)
    return lambda: [message.event for message in outbox._items]


def test_turns_of_its_own_are_not_unexpected(simulator):
    robot = simulator.robots[0]
    for left, right in ((10, -10), (60, -60), (-5, 25), (200, -200), (0, 0), (-12, 9)):
        robot.motors.drive(left, right)
        advance(simulator, 300)
    assert not lost(simulator)


@pytest.mark.parametrize("fault", ["wake_word", "control_lost", "cliff", "falling"])
def test_what_takes_control_moves_head_and_lift_and_leaves_them_there(simulator, fault):
    robot = simulator.robots[0]
    simulator.fault({"fault": fault, "ms": 1000})
    advance(simulator, 6000)
    braced = fault == "falling"
    assert robot.control.active == DEFAULT and lost(simulator)
    assert robot.state().head_angle_rad == pytest.approx(math.radians(-22) if braced else 0.35, abs=0.01)
    assert robot.state().lift_height_mm == pytest.approx(32 if braced else 50, abs=0.1)


def test_at_the_highest_priority_head_and_lift_stay(simulator):
    robot = simulator.robots[0]
    ask(robot, OVERRIDE)
    advance(simulator, 200)
    simulator.fault({"fault": "control_lost", "ms": 500})
    advance(simulator, 2000)
    assert robot.state().lift_height_mm == pytest.approx(32, abs=0.1)


def test_an_sdk_behaviour_that_ends_takes_its_settings_along(simulator):
    robot, heard = simulator.robots[0], robot_events(simulator)
    robot.set_eye_color(0.5, 0.0, for_good=True)
    white = dict(simulator.world.eyes_rgb)
    robot.set_eye_color(0.0, 1.0)
    robot.auto_exposure = False
    robot.close_control(robot.control.claims[0])
    assert robot.auto_exposure and simulator.world.eyes_rgb == white
    assert any(event.HasField("vision_modes_auto_disabled") for event in heard())


def test_a_low_battery_drives_it_home(simulator):
    robot = simulator.robots[0]
    robot.motors.stop()
    simulator.fault({"fault": "low_battery"})
    advance(simulator, 15_000)
    assert robot.body.on_charger and robot.control.active == DEFAULT

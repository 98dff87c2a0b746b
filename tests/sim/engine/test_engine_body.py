"""What a Vector does by itself and senses: routines, ways around things, charger, battery, map, noise."""

import math
from types import SimpleNamespace

import pytest
from anki_vector.messaging import protocol
from hypothesis import given, settings
from hypothesis import strategies as st

from vector_tl.sim.engine import animations, navigation, routine
from vector_tl.sim.engine.animation_names import KNOWN_ANIMATIONS, KNOWN_TRIGGERS
from vector_tl.sim.render.cameras import CameraThread
from vector_tl.sim.render.plain_camera import PlainCamera
from vector_tl.sim.server.simulator import Simulator
from vector_tl.sim.settings import SimSettings
from vector_tl.sim.world import footprint as fp
from vector_tl.sim.world.battery import CHARGE_S, FULL_VOLTS, LOW_VOLTS, OFF_VOLTS, RUN_S, Battery
from vector_tl.sim.world.body import Joint, lift_angle_rad

pytestmark = pytest.mark.fast

TABLE = 44
HERE = (0.0, 0.0)


@pytest.fixture
def simulator(tmp_path):
    """A simulator without its server, and a client that has control."""
    cameras = CameraThread(PlainCamera)
    made = Simulator(SimSettings(home=tmp_path, world=TABLE), cameras)
    robot = made.robots[0]
    robot.control.request(robot.control.open(), protocol.ControlRequest.DEFAULT)
    robot.control.update()
    yield made
    cameras.close()


def advance(simulator, ms):
    simulator._advance(simulator.world.t_ms + ms)


def ended(robot, steps):
    outcomes = []
    robot.perform(steps, outcomes.append)
    return outcomes


def test_a_routine_advances_in_the_worlds_time_however_large_the_steps(simulator):
    robot = simulator.robots[0]
    poses = []
    for step_ms in (5, 4000):
        simulator.enter(TABLE)
        outcomes = ended(
            robot,
            routine.only(
                routine.drive(60, 80),
                routine.turn(1.0, 2.0),
                routine.wait(200),
                routine.head(0.3),
                routine.drive(-20, 80),
            ),
        )
        for _ in range(4000 // step_ms):
            advance(simulator, step_ms)
        assert outcomes == ["reached"] and not robot.routines
        poses.append((robot.body.x_mm, robot.body.y_mm, robot.body.heading_rad, robot.body.head.angle_rad))
    assert poses[0] == poses[1]


def test_a_routine_is_cancelled_by_itself_by_wheels_and_by_loss_of_control(simulator):
    robot = simulator.robots[0]
    steps = (routine.wait(100), routine.drive(200, 50), routine.drive(200, 50))
    for interrupt in (
        lambda running: running.cancel(),
        lambda running: robot.body.drive(10, 10),
        lambda running: (robot.control.take("a test"), robot.control.update()),
    ):
        outcomes = []
        running = robot.perform(routine.only(*steps), outcomes.append)
        advance(simulator, 500)
        assert robot.body.motion is not None and not outcomes
        interrupt(running)
        assert outcomes == ["cancelled"] and robot.body.motion is None and not robot.routines
        robot.body.stop()
        advance(simulator, 500)


def test_nothing_of_a_routine_comes_after_its_end(simulator):
    robot = simulator.robots[0]
    outcomes = []
    running = robot.perform(routine.only(routine.wait(300), routine.drive(50, 50)), outcomes.append)
    running.cancel()
    advance(simulator, 1000)
    assert outcomes == ["cancelled"] and robot.body.left_mmps == 0 and robot.body.motion is None


@pytest.mark.parametrize("name", [*KNOWN_ANIMATIONS[:3], "anim_turn_left_01", KNOWN_TRIGGERS[0]])
def test_an_animation_moves_and_ends_where_it_began(simulator, name):
    robot, body = simulator.robots[0], simulator.robots[0].body
    body.head.put(0.1)
    before = (body.head.angle_rad, body.lift.angle_rad, body.heading_rad)
    outcomes, heads = ended(robot, animations.play(robot, name, 1)), set()
    for _ in range(100):
        advance(simulator, 50)
        heads.add(round(body.head.angle_rad, 3))
    assert outcomes == ["reached"] and len(heads) > 5
    turned = animations.TURNS.get(name, 0.0)
    assert (body.head.angle_rad, body.lift.angle_rad) == pytest.approx(before[:2])
    assert math.remainder(body.heading_rad - before[2] - turned, math.tau) == pytest.approx(0, abs=0.05)


def test_tracks_of_an_animation_can_be_left_out(simulator):
    robot, body = simulator.robots[0], simulator.robots[0].body
    before = (body.head.angle_rad, body.lift.angle_rad, body.pose)
    steps = animations.play(robot, "anim_turn_left_01", 2, head=False, lift=False, body=False)
    outcomes = ended(robot, steps)
    advance(simulator, 2 * animations.DURATION_MS - 50)
    assert (body.head.angle_rad, body.lift.angle_rad, body.pose) == before and outcomes == []
    advance(simulator, 100)
    assert outcomes == ["reached"]


def test_a_behaviour_that_a_client_asked_for_is_not_stopped_by_direct_commands(simulator):
    robot, begun_ms = simulator.robots[0], simulator.world.t_ms
    outcomes = []
    robot.perform(navigation.look_around(), outcomes.append, animates=True, delegated=True)
    advance(simulator, 240)
    robot.motors.stop()
    robot.motors.drive(0, 0)
    advance(simulator, 120)
    assert robot.body.right_mmps > 0
    commands = [entry for entry in simulator.journal.since(begun_ms) if entry["kind"] == "wheels"]
    assert len(commands) == 2 and not any(entry["applied"] for entry in commands)
    robot.control.request(robot.control.claims[0], protocol.ControlRequest.OVERRIDE_BEHAVIORS)
    advance(simulator, 240)
    assert outcomes == ["cancelled"] and robot.body.right_mmps == 0
    robot.motors.drive(30, 30)
    advance(simulator, 120)
    assert robot.body.right_mmps == 30


def test_it_drives_off_its_charger_and_back_onto_it(simulator):
    robot, body = simulator.robots[0], simulator.robots[0].body
    start = body.charger
    simulator.fault({"fault": "on_charger"})
    assert body.on_charger and robot.state().status & protocol.RobotStatus.Value("ROBOT_STATUS_IS_CHARGING")
    advance(simulator, 2000)  # its own reaction to that
    off = ended(robot, navigation.off_charger(robot))
    advance(simulator, 3000)
    assert off == ["reached"] and not body.on_charger
    assert math.dist((body.x_mm, body.y_mm), start[:2]) == pytest.approx(navigation.CHARGER_OFF_MM, abs=4)
    ended(robot, routine.only(routine.turn(1.0, 2.0), routine.drive(60, 80)))
    advance(simulator, 3000)
    on = ended(robot, navigation.on_charger(robot))
    advance(simulator, 15_000)
    assert on == ["reached"] and body.on_charger
    assert math.dist((body.x_mm, body.y_mm), start[:2]) < 10
    body.drive(60, 60)
    advance(simulator, 1000)
    assert not body.on_charger
    assert [entry["state"] for entry in simulator.journal.since(0) if entry["kind"] == "charger"] == [
        "on",
        "off",
        "on",
    ]


def test_the_battery_runs_down_and_is_charged():
    battery, levels, volts = Battery(), [], []
    for second in range(0, 60 * 60):
        battery.update(second * 1000, on_charger=False)
        volts.append(battery.volts)
        levels.append("OFF" if battery.off else battery.level)
    assert volts == sorted(volts, reverse=True) and volts[-1] == OFF_VOLTS
    low, off = levels.index("LOW"), levels.index("OFF")
    below = next(second for second, volt in enumerate(volts) if volt < LOW_VOLTS)
    assert set(levels) == {"NOMINAL", "LOW", "OFF"}
    assert low - below == pytest.approx(45, abs=1) and off - low == 240  # as the firmware has it
    assert battery.charger_s > 0
    battery.update(60 * 60_000 + int(1000 * CHARGE_S), on_charger=True)
    assert battery.volts == FULL_VOLTS and battery.level == "FULL" and battery.charger_s == 0
    battery.update(60 * 60_000 + int(1000 * CHARGE_S) + 60, on_charger=False)
    assert battery.level == "NOMINAL"  # FULL only on the charger
    battery.update(60 * 60_000 + int(1000 * (CHARGE_S + RUN_S)) + 60, on_charger=False)
    assert battery.volts == pytest.approx(OFF_VOLTS) and battery.off


def test_a_fault_sets_the_battery():
    battery = Battery()
    battery.set_volts(3.6, low_for_s=45.0)
    assert battery.level == "LOW" and not battery.off
    battery.update(1000, on_charger=True)
    assert battery.level == "NOMINAL"


def test_a_world_begins_with_a_charged_battery(simulator):
    robot = simulator.robots[0]
    robot.battery.set_volts(OFF_VOLTS)
    simulator.enter(TABLE)
    advance(simulator, 100)
    assert robot.battery.volts == pytest.approx(Battery().volts, abs=1e-3)


blocks = st.builds(
    fp.Footprint,
    st.floats(-250, 250),
    st.floats(-250, 250),
    st.floats(-3, 3),
    st.floats(5, 60),
    st.floats(5, 60),
    st.booleans(),
)


@settings(max_examples=60, deadline=None)
@given(st.lists(blocks, max_size=4), st.floats(-400, 400), st.floats(-400, 400))
def test_a_way_keeps_off_everything_and_is_not_shorter_than_straight(things, x, y):
    way = navigation.route(HERE, (x, y), things)
    if way is None:
        return
    assert way[-1] == (x, y)
    points = [HERE, *way]
    assert sum(map(math.dist, points, points[1:])) >= math.dist(HERE, (x, y)) - 1e-6
    for a, b in zip(points, points[1:], strict=False):
        for share in (0.0, 0.3, 0.6, 1.0):
            spot = fp.Footprint(
                a[0] + share * (b[0] - a[0]), a[1] + share * (b[1] - a[1]), 0.0, 1.0, 1.0, round=True
            )
            assert all(
                fp.gap_mm(spot, thing) > 0
                or navigation.free_mm((spot.x_mm, spot.y_mm), (spot.x_mm, spot.y_mm), thing) > 1
                for thing in things
            )


def test_ways_around_a_wall_and_no_way_into_a_thing():
    wall = fp.Footprint(100.0, 0.0, 0.0, 5.0, 50.0)
    way = navigation.route(HERE, (200.0, 0.0), [wall])
    assert len(way) > 1 and max(abs(y) for _, y in way) > 100
    assert navigation.route(HERE, (200.0, 0.0), []) == [(200.0, 0.0)]
    assert navigation.route(HERE, (100.0, 0.0), [wall]) is None


@settings(max_examples=60, deadline=None)
@given(
    st.tuples(st.floats(-200, 200), st.floats(-200, 200)),
    st.tuples(st.floats(-200, 200), st.floats(-200, 200)),
    blocks,
)
def test_the_clearance_along_a_line_is_the_least_of_its_points(a, b, block):
    points = [(a[0] + k / 400 * (b[0] - a[0]), a[1] + k / 400 * (b[1] - a[1])) for k in range(401)]
    least = min(navigation.free_mm(point, point, block) for point in points)
    assert least - 1.0 <= navigation.free_mm(a, b, block) <= least + 1e-6


def test_it_drives_to_a_pose_around_an_object_of_its_map(simulator):
    robot, body = simulator.robots[0], simulator.robots[0].body
    robot.map.add_object(fp.Footprint(100.0, 0.0, 0.0, 5.0, 50.0))
    outcomes = ended(
        robot,
        navigation.go_to(
            lambda: body.odometry, (200.0, 0.0, 0.5), list(robot.map.objects.values()), 100.0, 2.0
        ),
    )
    sides = []
    for _ in range(200):
        advance(simulator, 100)
        sides.append(abs(body.odometry[1]))
    assert outcomes == ["reached"] and max(sides) > 100
    assert body.odometry == pytest.approx((200.0, 0.0, 0.5), abs=3)


def grid(robot):
    from anki_vector.nav_map import NavMapGrid

    errors = []
    made = NavMapGrid(robot.map.message(), SimpleNamespace(error=lambda *words: errors.append(words)))
    assert not errors
    return made


def test_the_map_is_what_the_sdk_can_read_and_knows_ways_and_edges(simulator):
    from anki_vector.nav_map import NavNodeContentTypes as Content

    robot, body = simulator.robots[0], simulator.robots[0].body
    robot.map.add_object(fp.Footprint(0.0, -200.0, 0.0, 40.0, 40.0))
    body.drive(80, 80)
    while not any(body.cliffs):
        advance(simulator, 50)
    x = body.odometry[0]
    advance(simulator, 50)
    made = grid(robot)
    assert made.size >= 800
    assert made.get_content(x / 2, 0.0) == Content.ClearOfCliff.value
    assert made.get_content(0.0, -200.0) == Content.ObstacleCube.value
    assert any(
        made.get_content(x + ahead, side) == Content.Cliff.value
        for ahead in (10, 20, 30)
        for side in (-14, 14)
    )
    assert made.get_content(-300.0, 300.0) == Content.Unknown.value
    simulator.enter(TABLE)
    advance(simulator, 100)
    assert grid(robot).get_content(x / 2, 0.0) in (
        Content.Unknown,
        Content.Unknown.value,
    )  # the SDK's word for outside of the map


def test_senses_have_noise_that_the_same_moment_repeats(simulator):
    robot = simulator.robots[0]
    states = []
    for _ in range(40):
        advance(simulator, 35)
        assert robot.state() == robot.state()
        states.append(robot.state())
    z = [state.accel.z for state in states]
    tilted = 9810 * math.cos(robot.body.head.angle_rad)
    assert tilted - 60 < sum(z) / len(z) < tilted + 60 and max(z) - min(z) > 20
    assert max(abs(state.gyro.z) for state in states) < 0.02
    raw = [state.touch_data.raw_touch_value for state in states]
    assert 4400 < min(raw) < max(raw) < 4600 and not any(
        state.touch_data.is_being_touched for state in states
    )
    simulator.fault({"fault": "touched", "ms": 200})
    assert robot.state().touch_data.is_being_touched and robot.state().touch_data.raw_touch_value > 5000
    advance(simulator, 300)
    assert not robot.state().touch_data.is_being_touched


def test_wheels_are_measured_in_whole_mm_a_second_and_do_not_creep(simulator):
    robot = simulator.robots[0]
    robot.motors.drive(30.7, -30.7)
    advance(simulator, 300)
    state = robot.state()
    assert (state.left_wheel_speed_mmps, state.right_wheel_speed_mmps) == (30, -30)
    robot.motors.drive(1.9, -1.9)
    advance(simulator, 500)
    assert robot.body.left_mmps == robot.body.right_mmps == 0
    assert not robot.state().status & protocol.RobotStatus.Value("ROBOT_STATUS_ARE_WHEELS_MOVING")


def test_the_accelerometer_tilts_with_the_head(simulator):
    robot, body = simulator.robots[0], simulator.robots[0].body
    for angle in (-0.3, 0.0, 0.7):
        body.head.put(angle)
        accel = robot.state().accel
        wanted = (9810 * math.sin(angle), 0.0, 9810 * math.cos(angle))
        assert (accel.x, accel.y, accel.z) == pytest.approx(wanted, abs=120)


@pytest.mark.parametrize(
    ("seen_mm", "unobstructed", "quality"),
    [
        (None, True, 0.006),
        (10.0, False, 11.7),
        (200.0, False, 1.05),
        (395.0, False, 0.27),
        (420.0, True, 0.24),
    ],
)
def test_the_range_sensor_reports_what_it_knows(seen_mm, unobstructed, quality):
    """A robot never sets found_object; with nothing ahead it reads some 244 mm, unobstructed."""
    from vector_tl.sim.engine.sensors import proximity

    reads = [proximity(seen_mm, noise, False) for noise in (-1.0, 0.0, 1.0)]
    assert all((read.unobstructed, read.found_object) == (unobstructed, False) for read in reads)
    assert all(read.signal_quality == pytest.approx(quality, abs=0.01) for read in reads)
    real_mm = seen_mm or 244.0
    assert reads[0].distance_mm < real_mm < reads[2].distance_mm and reads[1].distance_mm == round(real_mm)


def test_the_lift_hides_what_is_ahead(simulator):
    robot, body = simulator.robots[0], simulator.robots[0].body
    for height_mm, hidden in ((32.0, False), (36.0, True), (54.0, True), (60.0, False)):
        body.lift.put(lift_angle_rad(height_mm))
        prox = robot.state().prox_data
        assert prox.is_lift_in_fov == hidden and (prox.distance_mm < 30) == hidden


@pytest.mark.parametrize("priority", ["DEFAULT", "OVERRIDE_BEHAVIORS"])
def test_an_edge_takes_control_but_from_the_highest_priority(simulator, priority):
    robot, body = simulator.robots[0], simulator.robots[0].body
    control = robot.control
    control.request(control.claims[0], protocol.ControlRequest.Priority.Value(priority))
    control.update()
    outcomes = ended(robot, routine.only(routine.drive(3000, 100)))
    while not any(body.cliffs):
        advance(simulator, 50)
    advance(simulator, 100)
    if priority == "DEFAULT":
        at = (body.x_mm, body.y_mm)
        assert outcomes == ["cancelled"] and control.active is None
        control.request(control.claims[0], protocol.ControlRequest.DEFAULT)
        advance(simulator, 500)
        assert control.active is None  # not before it is away from the edge
        advance(simulator, 2000)
        assert control.active == protocol.ControlRequest.DEFAULT and not any(body.cliffs) and body.falls == 0
        assert math.dist(at, (body.x_mm, body.y_mm)) == pytest.approx(50, abs=12)
    else:
        advance(simulator, 3000)
        assert control.active == protocol.ControlRequest.OVERRIDE_BEHAVIORS and body.falls == 1


def test_a_hand_that_lifts_it_takes_no_control(simulator):
    robot = simulator.robots[0]
    simulator.fault({"fault": "picked_up", "ms": 400})
    advance(simulator, 300)
    assert robot.control.active == protocol.ControlRequest.DEFAULT
    assert robot.state().status & protocol.RobotStatus.Value("ROBOT_STATUS_IS_PICKED_UP")


@pytest.mark.parametrize("steps", range(1, 40))
def test_a_joint_turns_back_however_near_its_end_it_is_asked_to(steps):
    """Still rising at that moment, it may touch the end before it turns; a command back is kept then."""
    for back in (lambda joint: joint.move(-9.0), lambda joint: joint.go_to(0.0, 9.0, 20.0)):
        joint = Joint(0.0, 0.7, 0.0)
        joint.move(9.0)
        for _ in range(steps):
            joint.step(0.01)
        back(joint)
        for _ in range(200):
            joint.step(0.01)
        assert joint.angle_rad == 0.0 and not joint.moving

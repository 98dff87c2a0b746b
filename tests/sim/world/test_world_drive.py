"""How a Vector moves: drive, joints, edges, walls, contacts, range."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vector_tl.robot.body import DRIVE_CENTER_X_MM, ahead, arc, driven
from vector_tl.sim.world import footprint as fp
from vector_tl.sim.world import starts
from vector_tl.sim.world import world as world_module
from vector_tl.sim.world.body import (
    HEAD_RANGE_RAD,
    LIFT_RANGE_MM,
    SLIP_FORWARD,
    SLIP_TURN,
    Motion,
    lift_angle_rad,
    lift_height_mm,
)
from vector_tl.sim.world.scene import Obstacle, Room
from vector_tl.sim.world.world import World

pytestmark = pytest.mark.fast

speeds = st.floats(-220, 220)
angles = st.floats(-math.pi, math.pi)
FAR_AWAY = ((-800.0, 800.0, 0.0), 0.0)


def world_in(monkeypatch, poses, surface="floor", obstacles=(), half=1000.0, robots=1):
    """A world in a made room with everybody where the test wants them."""
    room = Room(seed=0, surface=surface, half_x_mm=half, half_y_mm=half, obstacles=tuple(obstacles))
    monkeypatch.setattr(world_module, "make_room", lambda seed, kinds: room)
    monkeypatch.setattr(
        world_module,
        "start_poses",
        lambda room, count, standing=(), salt=0: [(pose, 0.0) for pose in poses][:count],
    )
    events = []
    world = World(
        0, robots, len(poses) - robots, lambda kind, vector, **details: events.append((kind, vector, details))
    )
    world.events = events
    return world


@given(angles, st.floats(-300, 300), st.floats(-3, 3), st.integers(1, 40))
def test_an_arc_does_not_depend_on_how_it_is_cut(heading, forward, turn, pieces):
    whole = arc(10.0, -20.0, heading, forward, turn)
    pose = (10.0, -20.0, heading)
    for _ in range(pieces):
        pose = arc(*pose, forward / pieces, turn / pieces)
    assert pose[:2] == pytest.approx(whole[:2], abs=1e-6)
    assert math.remainder(pose[2] - whole[2], math.tau) == pytest.approx(0, abs=1e-9)


@given(angles, st.floats(-200, 200), st.floats(-3, 3))
def test_an_arc_driven_back_returns(heading, forward, turn):
    there = arc(0.0, 0.0, heading, forward, turn)
    back = arc(*there, -forward, -turn)
    assert back[:2] == pytest.approx((0, 0), abs=1e-6)


@given(angles, st.floats(-300, 300), st.floats(-3, 3))
def test_the_wheels_move_the_drive_centre_along_the_arc(heading, forward, turn):
    pose = driven((30.0, -20.0, heading), forward, turn)
    there = arc(*ahead((30.0, -20.0, heading), DRIVE_CENTER_X_MM), forward, turn)
    assert ahead(pose, DRIVE_CENTER_X_MM) == pytest.approx(there)


def test_it_turns_about_a_point_behind_its_origin(monkeypatch):
    """The firmware's DRIVE_CENTER_OFFSET: the origin, in the state's pose too, swings about it."""
    world = world_in(monkeypatch, [(0.0, 0.0, 0.0)])
    body = world.bodies[0]
    body.drive(-40, 40)
    world.advance(900)
    assert body.heading_rad > 1.0
    for pose in (body.pose, body.odometry):
        assert ahead(pose, -25.0)[:2] == pytest.approx((-25.0, 0.0), abs=1e-6)
        assert math.dist(pose[:2], (-25.0, 0.0)) == pytest.approx(25.0)


def test_wheels_make_the_circle_that_their_speeds_and_track_give(monkeypatch):
    world = world_in(monkeypatch, [(0.0, 0.0, 0.0)])
    body = world.bodies[0]
    body.drive(60.0, 100.0)
    world.advance(200)  # up to speed
    assert body.turn_radps == pytest.approx((100 - 60) / 46.0 * (1 - SLIP_TURN))
    assert body.forward_mmps == pytest.approx(80.0 * (1 - SLIP_FORWARD))
    way, counted = (math.dist(ahead(p, -25.0)[:2], (-25.0, 0.0)) for p in (body.pose, body.odometry))
    assert way == pytest.approx(counted * (1 - SLIP_FORWARD))  # encoders count what slips
    assert body.odometry[2] == pytest.approx(body.heading_rad)  # the gyro does not


@pytest.mark.parametrize(
    ("left", "right", "expected"),
    [(500, 500, 220), (-500, -500, -220), (0, 0, 0), (float("nan"), float("inf"), 0)],
)
def test_speeds_are_limited(monkeypatch, left, right, expected):
    world = world_in(monkeypatch, [(0.0, 0.0, 0.0)])
    world.bodies[0].drive(left, right)
    world.advance(1000)
    assert world.bodies[0].left_mmps == world.bodies[0].right_mmps == expected


def test_wheels_need_time_to_speed_up_and_to_stop(monkeypatch):
    world = world_in(monkeypatch, [(0.0, 0.0, 0.0)])
    body = world.bodies[0]
    body.drive(200, 200)
    world.advance(100)
    assert body.left_mmps == pytest.approx(100)
    world.advance(300)
    body.drive(0, 0)
    world.advance(400)
    assert 0 < body.left_mmps < 200
    world.advance(600)
    assert body.left_mmps == 0


@pytest.mark.parametrize(
    "turn, length", [(False, 150.0), (False, -80.0), (True, math.pi / 2), (True, -3.0), (True, 0.02)]
)
def test_motions_of_given_length_arrive(monkeypatch, turn, length):
    world = world_in(monkeypatch, [(0.0, 0.0, 0.5)])
    outcomes = []
    world.bodies[0].run_motion(
        Motion(turn, length, 2.0 if turn else 100.0, 10.0 if turn else 200.0, outcomes.append)
    )
    world.advance(6000)
    body = world.bodies[0]
    assert outcomes == ["reached"]
    got = (
        math.remainder(body.heading_rad - 0.5, math.tau)
        if turn
        else math.copysign(math.hypot(body.x_mm, body.y_mm), length)
    )
    assert got == pytest.approx(length if turn else length * (1 - SLIP_FORWARD), abs=0.02 if turn else 1.5)
    assert body.left_mmps == body.right_mmps == 0


def test_a_motion_that_gets_nowhere_gives_up_and_a_new_command_cancels_one(monkeypatch):
    wall = Obstacle(x_mm=100, y_mm=0, heading_rad=0, half_x_mm=20, half_y_mm=200, height_mm=100, kind="box")
    world = world_in(monkeypatch, [(0.0, 0.0, 0.0)], obstacles=[wall])
    outcomes = []
    world.bodies[0].run_motion(Motion(False, 300.0, 100.0, 200.0, outcomes.append))
    world.advance(5000)
    assert outcomes == ["stalled"]
    world.bodies[0].run_motion(Motion(False, -300.0, 100.0, 200.0, outcomes.append))
    world.advance(5200)
    world.bodies[0].drive(0, 0)
    assert outcomes == ["stalled", "cancelled"]


@given(st.floats(LIFT_RANGE_MM[0], LIFT_RANGE_MM[1]))
def test_lift_height_and_angle_are_inverse(height):
    assert lift_height_mm(lift_angle_rad(height)) == pytest.approx(height)


@pytest.mark.parametrize(
    "goal, expected",
    [(0.3, 0.3), (-0.2, -0.2), (2.0, HEAD_RANGE_RAD[1]), (-2.0, HEAD_RANGE_RAD[0]), (0.0, 0.0)],
)
def test_the_head_reaches_its_goal_within_its_range(monkeypatch, goal, expected):
    world = world_in(monkeypatch, [(0.0, 0.0, 0.0)])
    outcomes = []
    world.bodies[0].head.go_to(goal, 10.0, 10.0, outcomes.append)
    world.advance(2000)
    assert outcomes == ["reached"]
    assert world.bodies[0].head.angle_rad == pytest.approx(expected)


def test_the_head_moves_at_a_speed_until_its_range_ends(monkeypatch):
    world = world_in(monkeypatch, [(0.0, 0.0, 0.0)])
    head = world.bodies[0].head
    head.move(1.0)
    world.advance(300)
    assert 0.1 < head.angle_rad < 0.4
    world.advance(3000)
    assert head.angle_rad == HEAD_RANGE_RAD[1]
    assert not head.moving


@pytest.mark.parametrize("number", [math.nan, math.inf, -math.inf])
def test_a_joint_stays_where_it_is_for_a_number_that_is_not_finite(monkeypatch, number):
    world = world_in(monkeypatch, [(0.0, 0.0, 0.0)])
    head = world.bodies[0].head
    head.put(0.25)
    outcomes = []
    for command in (
        lambda: head.move(number),
        lambda: head.go_to(number, number, number, outcomes.append),
        lambda: head.go_to(0.25, 1.0, number),
    ):
        command()
        world.advance(world.t_ms + 500)
        assert head.angle_rad == 0.25 and not head.moving
    assert outcomes == ["reached"]
    head.go_to(0.1, 10.0, 10.0, outcomes.append)
    world.advance(world.t_ms + 1000)
    assert head.angle_rad == 0.1 and outcomes == ["reached"] * 2


def test_a_thing_blocks_and_counts_once_per_contact(monkeypatch):
    thing = Obstacle(x_mm=120, y_mm=0, heading_rad=0.3, half_x_mm=30, half_y_mm=60, height_mm=100, kind="box")
    world = world_in(monkeypatch, [(0.0, 0.0, 0.0)], obstacles=[thing])
    body = world.bodies[0]
    body.drive(100, 100)
    world.advance(4000)
    assert body.collisions == 1
    assert fp.gap_mm(fp.of_vector(body.x_mm, body.y_mm, body.heading_rad), fp.of_obstacle(thing)) >= 0
    assert body.odometry[0] > body.x_mm + 100  # the treads went on
    body.drive(-100, -100)
    world.advance(4600)
    body.drive(100, 100)
    world.advance(6000)
    assert body.collisions == 2
    assert [event[0] for event in world.events] == ["collision", "collision"]


def test_vectors_and_walls_block_too(monkeypatch):
    world = world_in(monkeypatch, [(0.0, 0.0, 0.0), (250.0, 0.0, 0.0)])
    world.bodies[0].drive(200, 200)
    world.advance(3000)
    assert world.bodies[0].x_mm == pytest.approx(250 - 59 - 39, abs=2)
    world.place({0: (800.0, 300.0, 0.0)})
    world.bodies[0].drive(200, 200)
    world.advance(6000)
    assert world.bodies[0].x_mm == pytest.approx(1000 - 39, abs=2)
    assert world.bodies[0].collisions == 2
    assert {event[2]["with"] for event in world.events} == {"vector 1", "wall +x"}


@given(st.lists(st.tuples(speeds, speeds), min_size=1, max_size=8), st.integers(0, 40))
def test_nobody_ever_enters_anything(commands, seed):
    world = World(seed, 1, 1)
    for index, (left, right) in enumerate(commands):
        world.bodies[0].drive(left, right)
        world.advance(600 * (index + 1))
    me, other = (fp.of_vector(b.x_mm, b.y_mm, b.heading_rad) for b in world.bodies)
    if world.bodies[0].off_treads:
        return
    assert fp.gap_mm(me, other) >= -1e-6
    assert all(fp.gap_mm(me, fp.of_obstacle(thing)) >= -1e-6 for thing in world.room.obstacles)
    if world.room.surface == "floor":
        assert all(
            abs(x) <= world.room.half_x_mm + 1e-6 and abs(y) <= world.room.half_y_mm + 1e-6
            for x, y in me.corners()
        )


@pytest.mark.parametrize("speed", [40, 170, -40, -170])
def test_the_firmware_stops_once_at_an_edge(monkeypatch, speed):
    world = world_in(monkeypatch, [(0.0, 0.0, 0.7)], surface="table", half=300.0)
    body = world.bodies[0]
    body.drive(speed, speed)
    world.advance(12_000)
    assert body.falls == 0 and any(body.cliffs)
    assert body.left_mmps == body.right_mmps == 0
    assert world.events == [("stop", 0, {"reason": "cliff"})]
    reached = math.hypot(body.x_mm, body.y_mm)
    body.drive(-speed, -speed)
    world.advance(13_500)
    assert math.hypot(body.x_mm, body.y_mm) < reached - 10 and not any(body.cliffs)  # back is free
    body.drive(speed, speed)
    world.advance(16_000)
    assert len(world.events) == 2 and body.falls == 0  # once more, as all sensors have seen ground meanwhile


def test_whoever_drives_on_after_the_stop_falls(monkeypatch):
    """The firmware does not stop again for an edge that it has stopped for, in any direction."""
    world = world_in(monkeypatch, [(0.0, 0.0, 0.0)], surface="table", half=300.0)
    body = world.bodies[0]
    body.drive(60, 60)
    while not any(body.cliffs):
        world.advance(world.t_ms + 5)
    body.drive(60, 60)
    assert body.wanted_mmps == (0.0, 0.0)  # until the engine's answer, at its next tick
    world.advance(world.t_ms + 60)
    body.drive(60, 60)
    world.advance(world.t_ms + 1500)
    assert [event[0] for event in world.events][:2] == ["stop", "fall"]


def test_faster_than_the_firmware_calls_safe_it_falls(monkeypatch):
    world = world_in(monkeypatch, [(-100.0, 0.0, 0.0)], surface="table", half=300.0)
    world.bodies[0].drive(220, 220)
    world.advance(4000)
    assert [event[0] for event in world.events][:2] == ["stop", "fall"]


def test_an_edge_is_seen_where_the_sensors_are(monkeypatch):
    """Front pair 2 mm before the axle, back pair 50 mm behind it (cozmoConfig.h)."""
    for speed, edge_x in ((50, 2.0), (-50, -50.0)):
        world = world_in(monkeypatch, [(0.0, 0.0, 0.0)], surface="table", half=300.0)
        body = world.bodies[0]
        body.drive(speed, speed)
        while not any(body.cliffs):
            world.advance(world.t_ms + 5)
        assert abs(body.x_mm + edge_x) == pytest.approx(300.0, abs=0.5)


def test_turning_stops_too_when_a_sensor_comes_over_an_edge(monkeypatch):
    world = world_in(monkeypatch, [(295.0, 0.0, math.pi / 2)], surface="table", half=300.0)
    body = world.bodies[0]
    body.drive(30, -30)
    world.advance(1000)
    assert any(body.cliffs) and body.left_mmps == 0 and body.falls == 0


def test_without_the_firmware_it_falls_once_and_is_put_back(monkeypatch):
    world = world_in(monkeypatch, [(0.0, 0.0, 0.0)], surface="table", half=300.0)
    body = world.bodies[0]
    body.cliff_stop = False
    body.drive(150, 150)
    world.advance(2400)
    assert body.falls == 1 and body.falling
    world.advance(6000)
    assert body.falls == 1 and not body.off_treads and body.origin_id == 2
    assert (body.x_mm, body.y_mm) == (0.0, 0.0)


def test_a_hand_lifts_and_sets_down(monkeypatch):
    world = world_in(monkeypatch, [(0.0, 0.0, 0.0)])
    body = world.bodies[0]
    world.lift_up(0, True)
    body.drive(100, 100)
    world.advance(1000)
    assert (body.x_mm, body.off_treads) == (0.0, True)
    body.drive(0, 0)
    world.advance(1500)
    world.lift_up(0, False)
    world.advance(2000)
    assert (body.x_mm, body.off_treads, body.origin_id) == (0.0, False, 2)


@pytest.mark.parametrize(
    "spot, stays", [((0.0, 0.0, 0.0), False), ((80.0, 0.0, 1.0), False), ((400.0, 0.0, 0.0), True)]
)
def test_a_hand_sets_it_down_elsewhere_where_somebody_came_to_stand(monkeypatch, spot, stays):
    world = world_in(monkeypatch, [(0.0, 0.0, 0.0), (600.0, 0.0, 0.0)])
    monkeypatch.setattr(world_module, "start_poses", starts.start_poses)
    body, other = world.bodies
    world.lift_up(0, True)
    other.x_mm, other.y_mm, other.heading_rad = spot  # it drove there: one that is held blocks nobody
    world.lift_up(0, False)
    assert ((body.x_mm, body.y_mm) == (0.0, 0.0)) == stays and not body.off_treads
    assert fp.gap_mm(*(fp.of_vector(b.x_mm, b.y_mm, b.heading_rad) for b in (body, other))) > 0
    assert [event[0] for event in world.events] == ([] if stays else ["put elsewhere"])


def test_a_hand_sets_down_at_an_edge_only_what_stands_there(monkeypatch):
    for x_mm, stays in ((290.0, True), (330.0, False)):  # its weight lies 18 mm behind its origin
        world = world_in(monkeypatch, [(x_mm, 0.0, 0.0)], surface="table", half=300.0)
        monkeypatch.setattr(world_module, "start_poses", starts.start_poses)
        world.lift_up(0, True)
        world.lift_up(0, False)
        assert (world.bodies[0].x_mm == x_mm) == stays and world._stands(0)


@pytest.mark.parametrize(
    "pose, why", [((990, 0, 0), "ground"), ((300, 0, 0), "obstacle 0"), ((-795, 790, 1), "Vector 1")]
)
def test_a_hand_cannot_put_it_where_something_is(monkeypatch, pose, why):
    thing = Obstacle(
        x_mm=300, y_mm=0, heading_rad=0, half_x_mm=30, half_y_mm=30, height_mm=50, kind="box", round=True
    )
    world = world_in(monkeypatch, [(0.0, 0.0, 0.0), FAR_AWAY[0]], obstacles=[thing])
    assert why in world.place({0: pose})
    assert (world.bodies[0].x_mm, world.bodies[0].y_mm) == (0.0, 0.0)


def test_range_is_the_way_to_the_nearest_thing_in_the_cone(monkeypatch):
    world = world_in(monkeypatch, [(0.0, 0.0, 0.0), (400.0, 0.0, math.pi)])
    assert world.range_mm(0) == pytest.approx(400 - 39 - 20, abs=1)
    world.place({1: (0.0, 500.0, 0.0)})
    assert world.range_mm(0) == pytest.approx(980, abs=1)  # the wall
    table = world_in(monkeypatch, [(0.0, 0.0, 0.0)], surface="table")
    assert table.range_mm(0) is None


def test_time_moves_on_a_grid_however_it_is_asked_to():
    one, many = World(3, 1, 1), World(3, 1, 1)
    one.bodies[0].drive(80, 120)
    many.bodies[0].drive(80, 120)
    one.advance(2001)
    for ms in range(7, 2002, 7):
        many.advance(ms)
    many.advance(2001)
    assert one.t_ms == many.t_ms == 2000
    assert one.pose(0) == many.pose(0)


def test_in_a_hand_and_back_on_the_ground_the_wheels_go_on(monkeypatch):
    world = world_in(monkeypatch, [(0.0, 0.0, 0.0)])
    body = world.bodies[0]
    body.drive(60, 60)
    world.advance(200)
    world.lift_up(0, True)
    world.advance(1000)
    world.lift_up(0, False)
    x_mm = body.x_mm
    world.advance(2000)
    assert body.x_mm > x_mm + 50


def test_put_down_on_an_edge_nothing_stops_it_until_it_has_seen_ground(monkeypatch):
    half = 300.0
    stops = []
    world = world_in(monkeypatch, [(half - 1.0, 0.0, 0.0)], surface="table", half=half)
    world.report = lambda kind, *_args, **_details: stops.append(kind)
    body = world.bodies[0]
    world.lift_up(0, True)
    world.lift_up(0, False)
    world.advance(100)
    assert body.cliffs == (True, False)
    body.drive(-60, -60)
    world.advance(1000)
    assert (stops, body.cliffs) == ([], (False, False))
    body.drive(60, 60)
    world.advance(2500)
    assert stops == ["stop"]
    world.lift_up(0, True)
    world.lift_up(0, False)
    body.drive(60, 60)
    world.advance(4000)
    assert stops == ["stop", "fall"]

"""Targets that move by themselves, and several robots in one world."""

import math

import pytest

from support.simulation import drive, in_control, simulate, wait_for  # noqa: F401
from vector_tl.robot.body import DRIVE_CENTER_X_MM, ahead
from vector_tl.robot.open import open_robot
from vector_tl.robot.simulator_client import SimulatorProcess
from vector_tl.sim.world.targets import Manoeuvre, Mover
from vector_tl.sim.world.world import World

MOVING = ("wander", "spin", "flee")


def poses(world: World) -> list[tuple[float, float, float]]:
    return [(body.x_mm, body.y_mm, body.heading_rad) for body in world.bodies]


def chase(world: World) -> None:
    """The robot drives towards the first target."""
    me, other = world.bodies[0], world.bodies[1]
    off = math.remainder(math.atan2(other.y_mm - me.y_mm, other.x_mm - me.x_mm) - me.heading_rad, math.tau)
    speed = min(110.0, max(0.0, math.dist((me.x_mm, me.y_mm), (other.x_mm, other.y_mm)) - 150)) * max(
        0.0, 1 - abs(off)
    )
    me.drive(speed - 48 * off, speed + 48 * off)


@pytest.mark.fast
@pytest.mark.parametrize("motion", MOVING)
def test_the_same_seed_and_commands_give_the_same_ways_however_time_is_cut(motion):
    ends = []
    for step_ms in (50, 250):
        world = World(2031, 1, 2, target_motion=motion)
        for t_ms in range(step_ms, 10_001, step_ms):
            world.advance(t_ms)
            if t_ms % 500 == 0:
                chase(world)
        ends.append(poses(world))
    assert ends[0] == ends[1] != poses(World(2031, 1, 2, target_motion=motion))


@pytest.mark.fast
@pytest.mark.parametrize("motion", MOVING)
@pytest.mark.parametrize("seed", [2000, 2003, 2007])
def test_they_keep_off_edges_walls_things_and_each_other(motion, seed):
    world = World(seed, 1, 3, target_motion=motion)
    for t_ms in range(100, 30_001, 100):
        chase(world)
        world.advance(t_ms)
    assert [body.collisions + body.falls for body in world.bodies[1:]] == [0, 0, 0]


@pytest.mark.fast
def test_wandering_is_at_a_vectors_pace_with_pauses():
    speeds, far = [], 0.0
    world = World(2001, 1, 1, target_motion="wander")
    start = poses(world)[1]
    for t_ms in range(100, 60_001, 100):
        world.advance(t_ms)
        speeds.append(abs(world.bodies[1].forward_mmps))
        far = max(far, math.dist(start[:2], poses(world)[1][:2]))
    moving = [speed for speed in speeds if speed > 0]
    assert far > 100 and max(moving) < 80.1 and 0.1 < 1 - len(moving) / len(speeds) < 0.8
    assert sum(speed >= 29.9 for speed in moving) > 0.8 * len(moving)


@pytest.mark.fast
def test_spinning_stays_in_its_place_and_goes_about():
    world = World(2001, 1, 1, target_motion="spin")
    start, turned = ahead(poses(world)[1], DRIVE_CENTER_X_MM), 0.0
    for t_ms in range(100, 30_001, 100):
        world.advance(t_ms)
        turned += abs(world.bodies[1].turn_radps) * 0.1
    now = ahead(poses(world)[1], DRIVE_CENTER_X_MM)
    assert math.dist(start[:2], now[:2]) < 0.01 and turned > 2 * math.tau


@pytest.mark.fast
def test_fleeing_leads_away_from_the_robot_until_it_is_far_enough():
    world = World(2001, 1, 1, target_motion="flee")
    world._things, world.room = (), world.room.__class__(2001, "floor", 3000.0, 3000.0, ())
    world.place({0: (0.0, 0.0, 0.0), 1: (200.0, 0.0, math.pi)})
    world.advance(8000)
    assert math.dist(*(pose[:2] for pose in poses(world))) >= 300


@pytest.mark.fast
def test_a_target_whose_motion_is_stand_stands():
    world = World(2001, 1, 2)
    before = poses(world)
    world.advance(5000)
    assert poses(world) == before


@pytest.mark.fast
def test_in_a_hand_it_does_not_drive_and_afterwards_it_continues():
    world = World(2001, 1, 1, target_motion="wander")
    world.lift_up(1, True)
    before = poses(world)[1][:2]
    world.advance(4000)
    assert poses(world)[1][:2] == before and world.bodies[1].wanted_mmps == (0.0, 0.0)
    world.lift_up(1, False)
    world.advance(14_000)
    assert poses(world)[1][:2] != before


@pytest.mark.fast
def test_hemmed_in_it_stands_still():
    mover, body = Mover("wander", 1, 1), World(0, 1, 1).bodies[1]
    for t_ms in range(0, 20_000, 100):  # nothing but standing still keeps these margins
        here = (body.x_mm, body.y_mm, body.heading_rad)
        mover.think(t_ms, body, lambda pose, here=here: (5.0, 5.0) if pose == here else (1.0, 1.0), [])
        assert body.wanted_mmps == (0.0, 0.0)


@pytest.mark.fast
def test_where_a_manoeuvre_leads():
    assert Manoeuvre(50.0, 50.0, 0).after((0.0, 0.0, 0.0), 2.0) == pytest.approx((100.0, 0.0, 0.0))
    turned = Manoeuvre(-23.0, 23.0, 0).after((25.0, 5.0, 0.0), 1.0)
    assert ahead(turned, DRIVE_CENTER_X_MM) == pytest.approx((0.0, 5.0, 1.0))


def test_lockstep_over_the_sockets_is_the_same_each_time():
    seen = []
    for _ in range(2):
        with open_robot("sim", world=2002, lockstep=True, camera="plain", target_motion="wander") as robot:
            for _ in range(20):
                frame = robot.next_frame()
            seen.append((frame.jpeg, robot.ground_truth().truth()["vectors"]))
    assert seen[0] == seen[1] and seen[0][1][1]["role"] == "target"


def test_four_robots_each_with_serial_and_port_each_drivable(simulate):  # noqa: F811
    simulation = simulate(robots=4, targets=0, world=2005)
    assert len({serial for serial, _ in simulation.ready}) == len({port for _, port in simulation.ready}) == 4
    for index, (serial, _) in enumerate(simulation.ready):
        with simulation.stub(index) as stub:
            control = in_control(stub)
            before = simulation.get(f"/truth?serial={serial}")["vectors"]
            side = 1 if index % 2 else -1
            drive(stub, -40 * side, 40 * side)

            def turned(before=before, serial=serial, index=index):
                now = simulation.get(f"/truth?serial={serial}")["vectors"]
                return (
                    now
                    if abs(math.remainder(now[index]["heading_rad"] - before[index]["heading_rad"], math.tau))
                    > 0.2
                    else None
                )

            after = wait_for(turned)
            drive(stub, 0, 0)
            control.release()
        still = [
            (b["x_mm"], b["y_mm"]) == (a["x_mm"], a["y_mm"])
            for i, (b, a) in enumerate(zip(before, after, strict=True))
            if i != index
        ]
        assert all(still), "the others do not move with it"
    assert {entry["serial"] for entry in simulation.log("wheels")} == {
        serial for serial, _ in simulation.ready
    }


def test_four_robots_through_the_sdk_at_once():
    with SimulatorProcess(robots=4, targets=0, world=2006, camera="plain") as simulator:
        links = []
        try:
            for serial in simulator.serials:
                opened = open_robot(serial, home=simulator.home)
                links.append((opened, opened.__enter__()))
            for _, robot in links:
                assert (
                    robot.next_frame(timeout_s=5.0).jpeg[:2] == b"\xff\xd8"
                    and robot.ground_truth().truth(serial=robot.serial)["viewer"] is not None
                )
            assert len({robot.ground_truth().truth(serial=robot.serial)["viewer"] for _, robot in links}) == 4
        finally:
            for opened, _ in reversed(links):
                opened.__exit__(None, None, None)

"""The rule of stopping, against a robot in memory that ignores what a real one ignores."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from support.strict_robot import Cable, StrictRobot
from vector_tl.robot.evidence import WheelState, explained_by
from vector_tl.robot.stopping import (
    AT_LEVEL_HELD,
    AT_OVERRIDE,
    GIVEN_UP,
    NEW_CONNECTION,
    NOT_OURS,
    NOT_WANTED,
    Stopping,
)

pytestmark = pytest.mark.fast

OURS = (120.0, 80.0)


def stop(robot, *cables, ours=OURS, wanted=lambda: True, give_up_s=30.0, shout=lambda: None, first=True):
    """Run the rule: the first cable is there already, the others are new connections in turn."""
    cables = list(cables)
    stopping = Stopping(
        lambda: cables.pop(0) if len(cables) > 1 else cables[0],
        cables.pop(0) if first else None,
        (lambda *seen: explained_by([ours], *seen)) if ours else None,
        give_up_s,
        shout,
        robot.clock,
        robot.wait,
    )
    result = stopping.run(wanted)
    robot.wait(3.0)  # what was sent arrives
    return result


def assert_left_alone(robot):
    """Nobody may be left in control at OVERRIDE, which switches the stop at edges off."""
    assert not robot.override
    if robot.override_asked:
        assert robot.released


@pytest.mark.parametrize("odd", [float("nan"), float("inf"), -1.0])
def test_wheels_stand_only_where_both_speeds_are_0(odd):
    assert WheelState(0.0, 0.0, 0.4).stands
    assert not WheelState(0.0, 0.0, odd).stands and not WheelState(0.0, odd, 0.0).stands


@pytest.mark.parametrize(
    ("active", "cable", "how", "within_s"),
    [
        (True, {}, AT_LEVEL_HELD, 0.35),
        (False, {}, AT_OVERRIDE, 0.5),
        (True, {"up_s": 0.1, "down_s": 0.1}, AT_LEVEL_HELD, 0.4),
        (True, {"up_s": 0.5, "down_s": 0.5}, f"{AT_LEVEL_HELD}, {NEW_CONNECTION}", 0.6),
        (False, {"up_s": 0.05, "down_s": 0.05}, AT_OVERRIDE, 0.7),
        (False, {"up_s": 0.5, "down_s": 0.5}, f"{AT_OVERRIDE}, {NEW_CONNECTION}", 0.9),
        (True, {"events_s": 0.3}, AT_LEVEL_HELD, 0.35),
        (True, {"broken_s": 0.05}, f"{AT_LEVEL_HELD}, {NEW_CONNECTION}", 0.35),
        (False, {"broken_s": 0.05}, f"{AT_OVERRIDE}, {NEW_CONNECTION}", 0.9),
        (False, {"stalled": ((0.0, 5.0),)}, f"{AT_OVERRIDE}, {NEW_CONNECTION}", 0.9),
        (False, {"stalled": ((0.1, 5.0),)}, f"{AT_OVERRIDE}, {NEW_CONNECTION}", 0.9),
        (False, {"deaf": True}, AT_OVERRIDE, 1.0),
    ],
)
def test_wheels_stop_and_nobody_is_left_in_control(active, cable, how, within_s):
    robot = StrictRobot(OURS, active, phase_s=0.03)
    result = stop(robot, Cable(robot, **cable), *(Cable(robot) for _ in range(9)), give_up_s=6.0)
    assert robot.speeds == (0.0, 0.0)
    assert robot.stood_s <= within_s
    assert_left_alone(robot)
    if not cable.get("deaf"):
        assert result.stopped
        assert result.how == how
        assert result.confirmed_ms >= robot.stood_s * 1000


def test_late_states_of_wheels_at_rest_confirm_nothing():
    robot = StrictRobot((0.0, 0.0), active=True)
    cable = Cable(robot, events_s=0.3)
    cable.hear_anew()
    robot.wait(0.5)
    robot.drive(*OURS)
    robot.wait(0.13)
    robot.receive(lambda: setattr(robot, "active", False))  # control is lost: stops are ignored from now on
    robot.receive(robot.release)
    robot.wait(0.13)  # the wheels turn; the states that arrive now are of wheels at rest
    result = stop(robot, cable)
    assert result.stopped
    assert result.control_taken
    assert robot.stood_s is not None
    assert_left_alone(robot)


def test_the_robots_own_retreat_is_left_to_it():
    robot = StrictRobot(OURS, active=True)
    robot.own_speeds = (-90.0, -90.0)
    robot.wait(0.3)
    result = stop(robot, Cable(robot))
    assert result.how == NOT_OURS
    assert result.foreign
    assert not result.stopped
    assert robot.override_asked == 0
    assert robot.speeds == (-90.0, -90.0)


def test_a_person_stops_whatever_drives():
    robot = StrictRobot(OURS, active=True)
    robot.own_speeds = (-90.0, -90.0)
    robot.wait(0.3)
    robot.at(0.8, lambda: setattr(robot, "own_speeds", None))
    result = stop(robot, Cable(robot), ours=None, first=False)
    assert result.stopped
    assert result.how == AT_OVERRIDE
    assert_left_alone(robot)


def test_a_stop_that_works_asks_for_no_control():
    for phase_ms in range(60):
        robot = StrictRobot((220.0, 220.0), active=True, phase_s=phase_ms / 1000)
        result = stop(robot, Cable(robot), ours=(220.0, 220.0))
        assert result.how == AT_LEVEL_HELD
        assert robot.override_asked == 0


def test_no_longer_wanted_ends_at_once_without_control_and_gives_it_back_with():
    robot = StrictRobot(OURS, active=True)
    assert stop(robot, Cable(robot, broken_s=0.0), Cable(robot), wanted=lambda: False).how == NOT_WANTED
    robot = StrictRobot(OURS, active=False)
    result = stop(robot, Cable(robot), wanted=lambda: robot.override_asked == 0)
    assert result.stopped
    assert_left_alone(robot)


def test_where_nothing_reaches_the_robot_it_shouts_and_goes_on_trying():
    robot = StrictRobot(OURS, active=False)
    cries = []
    cables = [Cable(robot, broken_s=0.0) for _ in range(100)]
    result = stop(robot, *cables, give_up_s=12.5, shout=lambda: cries.append(robot.now_s))
    assert result.how == GIVEN_UP
    assert not result.stopped
    assert [round(cry, 1) for cry in cries] == [1.5, 11.5]
    robot = StrictRobot(OURS, active=False)
    cables = [Cable(robot, stalled=((0.0, 8.0),)) for _ in range(100)]
    assert stop(robot, *cables).stopped
    assert robot.stood_s < 9.0
    assert_left_alone(robot)


def test_control_is_given_back_over_a_new_connection_when_its_own_stalls():
    robot = StrictRobot(OURS, active=False, phase_s=0.03)
    first = Cable(robot, stalled=((0.33, 20.0),))  # just after control was granted and the stop obeyed
    result = stop(robot, first, *(Cable(robot) for _ in range(9)))
    assert result.stopped
    assert result.control_taken
    assert_left_alone(robot)
    assert robot.now_s < 6.0  # long before the stalled connection lets its own release through


spans = st.tuples(st.floats(0.0, 3.0), st.floats(0.05, 2.0)).map(lambda span: (span[0], span[0] + span[1]))
delays = st.floats(0.001, 0.5)


@st.composite
def cables(draw):
    """Delays, stalls and an end of a connection, as keywords of `Cable`."""
    return {
        "up_s": draw(delays),
        "down_s": draw(delays),
        "events_s": draw(st.sampled_from([0.0, 0.0, 0.3])),
        "stalled": tuple(draw(st.lists(spans, max_size=2))),
        "broken_s": draw(st.one_of(st.just(float("inf")), st.floats(0.0, 3.0))),
    }


@settings(deadline=None, max_examples=60)
@given(st.booleans(), st.floats(0, 0.06), st.lists(cables(), min_size=1, max_size=6), st.booleans())
def test_whenever_a_command_can_reach_the_robot_it_stops(active, phase_s, ways, is_moving):
    """After all the losses there is one way to the robot; whatever happened before, it stops at last."""
    robot = StrictRobot(OURS if is_moving else (0.0, 0.0), active, phase_s)
    last = [Cable(robot, up_s=0.1, down_s=0.1) for _ in range(50)]
    result = stop(robot, *(Cable(robot, **way) for way in ways), *last)
    assert result.stopped
    assert robot.speeds == (0.0, 0.0)
    assert robot.stood_s * 1000 <= result.confirmed_ms
    robot.wait(5.0)
    assert_left_alone(robot)


@settings(deadline=None, max_examples=30)
@given(delays, delays, st.sampled_from([0.0, 0.3]), st.booleans(), st.floats(-200, -40))
def test_control_is_never_asked_for_while_the_speeds_are_not_ours(up_s, down_s, events_s, active, speed):
    robot = StrictRobot((speed, speed), active)
    robot.own_speeds = (speed, speed)
    result = stop(robot, *(Cable(robot, up_s, down_s, events_s) for _ in range(50)))
    assert result.foreign
    assert robot.override_asked == 0

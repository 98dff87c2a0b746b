"""Wheels, head and lift belong to one action or direct command at a time, as on a robot."""

import contextlib

import pytest
from anki_vector.messaging import protocol

from support.simulation import drive, in_control, wait_for

RESULT = protocol.ActionResult
TAGS = iter(range(protocol.FIRST_SDK_TAG, protocol.LAST_SDK_TAG))


@pytest.fixture
def robot(simulate):
    sim = simulate(lockstep=True, targets=0)
    with sim.stub() as stub, contextlib.closing(in_control(stub)) as control:
        yield sim, stub, control


def straight(stub, tag=None):
    request = protocol.DriveStraightRequest(speed_mmps=60, dist_mm=40, id_tag=tag or next(TAGS))
    return stub.DriveStraight.future(request)


def head(stub, angle_rad, tag=None):
    request = protocol.SetHeadAngleRequest(angle_rad=angle_rad, id_tag=tag or next(TAGS))
    return stub.SetHeadAngle.future(request)


def lift(stub, height_mm):
    return stub.SetLiftHeight.future(protocol.SetLiftHeightRequest(height_mm=height_mm, id_tag=next(TAGS)))


def begun(sim, call, number: int):
    """An action that the robot has begun, as its log says."""
    wait_for(lambda: len(sim.log("action")) == number)
    return call


def ends(sim, call) -> int:
    """Let the world go on until the action is over: its result."""
    for _ in range(50):
        if call.done():
            break
        sim.post("/step", ms=60)
    return call.result(timeout=2).result.code


def ended(sim, tag: int) -> str:
    """How an action ended, by the log."""
    return [entry["ended"] for entry in sim.log("action_end") if entry["id_tag"] == tag][-1]


def wheels(sim) -> tuple[float, float]:
    me = sim.me()
    return me["left_mmps"], me["right_mmps"]


def test_what_a_direct_command_moves_no_action_takes(robot):
    sim, stub, control = robot
    drive(stub, 40, 50)
    sim.post("/step", ms=120)
    assert straight(stub).result(timeout=2).result.code == RESULT.TRACKS_LOCKED
    animation = protocol.PlayAnimationRequest(animation={"name": "anim_turn_left_01"}, loops=1)
    playing = stub.PlayAnimation.future(animation)
    wait_for(lambda: sim.log("animation"))
    sim.post("/step", ms=600)
    assert wheels(sim) == (40, 50)  # neither has them
    assert not playing.done()
    stub.CancelBehavior(protocol.CancelBehaviorRequest())
    drive(stub, 0, 0)
    assert ends(sim, straight(stub)) == RESULT.ACTION_RESULT_SUCCESS
    stub.MoveHead(protocol.MoveHeadRequest(speed_rad_per_sec=1.0))
    assert head(stub, 0.2).result(timeout=2).result.code == RESULT.TRACKS_LOCKED
    assert ends(sim, lift(stub, 60)) == RESULT.ACTION_RESULT_SUCCESS
    stub.StopAllMotors(protocol.StopAllMotorsRequest())
    assert ends(sim, head(stub, 0.2)) == RESULT.ACTION_RESULT_SUCCESS


def test_what_an_action_moves_nothing_else_takes(robot):
    sim, stub, _ = robot
    tag = next(TAGS)
    begun(sim, head(stub, 0.6, tag), 1)
    assert head(stub, -0.2).result(timeout=2).result.code == RESULT.TRACKS_LOCKED
    assert head(stub, -0.2, tag).result(timeout=2).result.code == RESULT.BAD_TAG  # it is in use
    stub.MoveHead(protocol.MoveHeadRequest(speed_rad_per_sec=-1.0))
    assert sim.log("joint")[-1]["applied"] is False
    sim.post("/step", ms=1500)
    assert ended(sim, tag) == "reached"
    assert sim.me()["head_angle_rad"] == pytest.approx(0.6, abs=1e-3)
    tag = next(TAGS)
    begun(sim, straight(stub, tag), 4)
    assert straight(stub).result(timeout=2).result.code == RESULT.TRACKS_LOCKED
    sim.post("/step", ms=3000)
    assert ended(sim, tag) == "reached"


def test_whoever_waits_for_an_answer_gets_the_first_of_its_kind(robot):
    """The robot's gateway knows answers by their kind only."""
    sim, stub, _ = robot
    tag = next(TAGS)
    first = begun(sim, head(stub, 0.6, tag), 1)
    with sim.stub() as other:
        assert head(other, -0.2).result(timeout=2).result.code == RESULT.TRACKS_LOCKED
    assert first.result(timeout=2).result.code == RESULT.TRACKS_LOCKED  # and goes on
    raised = begun(sim, lift(stub, 60), 3)
    sim.post("/step", ms=1500)
    assert (
        ended(sim, tag) == "reached" and raised.result(timeout=2).result.code == RESULT.ACTION_RESULT_SUCCESS
    )


def test_the_end_of_control_leaves_wheels_turning_and_nothing_locked(robot):
    sim, stub, control = robot
    drive(stub, 40, 50)
    sim.post("/step", ms=120)
    control.release()
    control.wait("control_granted_response", "control_lost_event")
    assert wheels(sim) == (40, 50)
    control.request()
    control.wait("control_granted_response", "control_lost_event", "control_granted_response")
    assert ends(sim, straight(stub)) == RESULT.ACTION_RESULT_SUCCESS


def test_a_request_for_control_that_asks_for_nothing_ends_its_stream(robot):
    _, stub, control = robot
    control.put(protocol.BehaviorControlRequest())
    wait_for(lambda: control.answers[-1] == "end")
    with contextlib.closing(in_control(stub)):
        pass

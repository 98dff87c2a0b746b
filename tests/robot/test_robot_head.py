"""Head and lift go to the newest goal, though a robot refuses an action while another one moves the same."""

import asyncio
import time

import pytest
from anki_vector.messaging import protocol

from vector_tl.robot.open import open_robot
from vector_tl.robot.session import CANCEL, Session
from vector_tl.robot.simulator_client import SimulatorProcess


@pytest.mark.parametrize("lockstep", [False, True])
def test_the_newest_goal_counts(lockstep):
    with (
        SimulatorProcess(camera="plain", targets=0, lockstep=lockstep) as sim,
        open_robot(sim.serials[0], home=sim.home, lockstep=lockstep) as robot,
    ):
        frame = robot.next_frame()
        for number in range(12):  # as a finder does that keeps its target in the middle
            robot.set_head(0.3 - 0.05 * number)
            if number == 0:
                robot.set_lift(70)  # which has a motor of its own
            frame = robot.next_frame(frame.image_id)
        robot.set_head(0.6)
        robot.set_head(-0.1)
        until_s = time.monotonic() + 5.0
        while abs(robot.state().head_angle_rad + 0.1) > 0.01 or abs(robot.state().lift_height_mm - 70) > 1:
            assert time.monotonic() < until_s, robot.state()
            frame = robot.next_frame(frame.image_id)
        ends = {entry["ended"] for entry in sim.truth.log()["entries"] if entry["kind"] == "action_end"}
        # In real time a call may overtake another: then the goal is refused once and sent again.
        assert ends - {"reached", "cancelled"} <= (set() if lockstep else {"tracks locked"})


def test_a_goal_waits_for_what_another_program_does_with_the_head():
    with (
        SimulatorProcess(camera="plain", targets=0) as sim,
        open_robot(sim.serials[0], home=sim.home) as robot,
    ):
        robot.next_frame()
        session = robot._wheels.session
        session.call("MoveHead", "MoveHeadRequest", speed_rad_per_sec=0.5).result(2.0)
        robot.set_head(-0.1)
        time.sleep(0.5)
        assert robot.state().head_angle_rad > 0.1
        session.call("MoveHead", "MoveHeadRequest").result(2.0)
        until_s = time.monotonic() + 5.0
        while abs(robot.state().head_angle_rad + 0.1) > 0.01:
            assert time.monotonic() < until_s, robot.state()
            time.sleep(0.05)


@pytest.mark.fast
def test_an_older_goal_is_cancelled_unless_it_is_known_to_be_reached():
    """A robot gives an answer to whoever waits for one of its kind: "cancelled" may be another action's."""
    codes = protocol.ActionResult
    answers = [codes.ACTION_RESULT_CANCELLED_WHILE_RUNNING, codes.TRACKS_LOCKED, codes.ACTION_RESULT_SUCCESS]
    answers.append(codes.ACTION_RESULT_SUCCESS)
    session, sent = Session.__new__(Session), []
    session._wanted, session._running = {}, {}

    async def send(rpc, request, deadline_s, until_s, fields):
        sent.append((rpc, fields["id_tag"]))
        if rpc != CANCEL:
            return protocol.SetHeadAngleResponse(result=protocol.ActionResult(code=answers.pop(0)))

    async def ask():
        for tag in (1, 2, 3):
            await session._act("SetHeadAngle", tag, time.monotonic() + 5.0, {})

    session._send = send
    asyncio.run(ask())
    head = "SetHeadAngle"
    assert sent == [(head, 1), (CANCEL, 1), (head, 2), (head, 2), (head, 3)]

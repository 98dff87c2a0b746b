"""The link to a simulator in lockstep: `next_frame` alone moves the world, and all times are the world's.

The same commands then give the same frames and states, however slow the computer is. The guard reads the same
clock.
"""

import contextlib
import logging
import time
from collections.abc import Callable
from concurrent.futures import Future
from concurrent.futures import wait as wait_for_all
from dataclasses import replace
from pathlib import Path
from typing import Any

from vector_tl.robot.base import Frame, LinkLost, NoFreshFrame, RobotState
from vector_tl.robot.jpeg import is_whole
from vector_tl.robot.link import WATCH_S, VectorLink
from vector_tl.robot.reading import STILL
from vector_tl.robot.session import CANCEL, Session
from vector_tl.robot.simulator_client import SimulatorGone, TruthClient
from vector_tl.robot.wheels import Wheels

log = logging.getLogger(__name__)
ANSWER_S = 10.0  # wall time that the world waits for an answer
OVERRIDE_AFTER = 3  # states of wheels that turn though they are to stop
ARRIVE_S = 10.0  # wall time within which the frame and the state that a step has sent must arrive
BEGIN_S = 5.0  # wall time within which the robot takes in a call
HEAR_S = 1.0  # wall time within which the robot says that it has taken control, or given it back


class SteppedWheels(Wheels):
    """Wheels in a world that waits: each call waits for the robot's answer, and steps confirm a stop."""

    in_lockstep = True

    def __init__(self, *args: Any):
        super().__init__(*args)
        self._zeros, self._waited = 0, 0  # states since the stop that show it, in a row, and that do not
        self._is_stopping = False

    def use(self, session: Session) -> None:
        """See `Wheels.use`; there is no connection beside it."""
        with self._changed:
            self.session, self.silent_s = session, None
            self._under_way.clear()
            self._is_stopping, self._guard.may_turn = False, True
            self._guard.stop()

    def saw_state(self, state: RobotState) -> None:
        """Note the state at the end of a step."""
        if not self._is_stopping:
            return
        stands = state.left_wheel_mmps == state.right_wheel_mmps == 0
        self._zeros = self._zeros + 1 if stands else 0
        self._waited += not stands
        if self._zeros == 2:
            self._is_stopping = False
            self.confirmed()
        elif self._waited == OVERRIDE_AFTER:
            self._stop_in_control()

    def stop_and_wait(self, wait_s: float, anew: bool = True) -> bool:
        """See `Wheels.stop_and_wait`. While the world stands still wheels do not turn; steps confirm it."""
        with self._changed:
            self._guard.stop()
            self.turn()
            return self.wait_for_answers(wait_s)

    def wait_for_answers(self, wait_s: float) -> bool:
        """Wait until the robot has answered all commands; whether it has."""
        wait_for_all([answer for _, answer in list(self._under_way)], wait_s)
        return all(answer.done() for _, answer in list(self._under_way))

    def _stop_in_control(self) -> None:
        """Stop as the rule of stopping has it where a stop at the level held had no effect."""
        session = self.session
        if session is None or not self._guard.reading.is_ours(self._guard.reading.seen):
            return
        log.warning("%s: the stop has no effect; stopping it with control at OVERRIDE", self._serial)
        self.control_spent = self._guard.stopping = True
        with contextlib.suppress(Exception):
            session.ask_control(override=True).result(ARRIVE_S)
            session.stop_motors().result(ARRIVE_S)
            session.release_control().result(ARRIVE_S)

    def _begin_stop(self) -> None:
        self.asked = False
        if not self._is_stopping and self.session is not None:
            self._is_stopping, self._zeros, self._waited = True, 0, 0
            self._send(STILL)

    def _supersede(self) -> None:
        self._is_stopping = False

    def _is_time(self) -> bool:
        return True

    def _patience_s(self) -> float:
        return ANSWER_S

    def _measure(self, rtt_s: float) -> None:
        """Do not: wall time means nothing."""


class LockstepLink(VectorLink):
    """A `VectorLink` whose `next_frame` moves the simulated world on to the next camera frame."""

    _wheels_kind = SteppedWheels
    _wheels: SteppedWheels

    def __init__(
        self, serial: str, home: Path, reconnect_s: float, stepper: TruthClient, take_control: bool = False
    ):
        self._stepper = stepper
        self._world_s: float = stepper.log(since_ms=1e15)["t_ms"] / 1000
        # As they come; what `state` and `next_frame` return changes with a step only.
        self._arrived_frame: Frame | None = None
        self._arrived_state: RobotState | None = None
        self._was_active = True  # the SDK behaviour, after the last step
        self._sent_id: int | None = None  # of the newest image that the robot had sent after the last step
        super().__init__(serial, home, reconnect_s, stepper, take_control=take_control)

    def now_s(self) -> float:
        """The world's time."""
        return self._world_s

    def next_frame(self, after_id: int | None = None, timeout_s: float = 1.0) -> Frame:
        """See `Robot.next_frame`.

        The world moves on by one frame, whether or not the camera then gives one; `timeout_s` plays no part.
        """
        self._raise_if_lost()
        self._keep_to_guard()
        try:
            answer = self._stepper.step(frames=1)
        except SimulatorGone as error:
            self._on_lost("the simulator no longer answers")
            self._raise_if_lost()
            raise LinkLost(str(error)) from error
        frame = self._receive(answer)
        self._hear_of_control(answer)
        self._keep_to_guard()
        if frame is None:
            self._raise_if_lost()
            raise NoFreshFrame(f"The simulated camera of {self.serial} gave no new frame.")
        return frame

    def drive(self, left_mmps: float, right_mmps: float) -> bool:
        """See `Robot.drive`. The world stands still until the robot has answered."""
        granted = super().drive(left_mmps, right_mmps)
        return self._keep_to_guard() and granted

    def _keep_to_guard(self) -> bool:
        """Bring the wheels to what the guard allows; whether the robot has answered."""
        self._wheels.turn()
        answered = self._wheels.wait_for_answers(ANSWER_S)
        if (session := self._wheels.session) is not None and self._lost is None:
            self._mind_control(session)
        return answered

    def _hear_of_control(self, answer: dict[str, Any]) -> None:
        """Wait for the robot's word where a step has cost us control, or where it has ended what did."""
        active, before = answer["sdk_active"].get(self.serial, True), self._was_active
        self._was_active = active
        with self._changed:
            if not active and not self._changed.wait_for(lambda: not self._guard.control, HEAR_S):
                self._on_control(False)
            if active and not before:
                self._changed.wait_for(lambda: self._guard.control, HEAR_S)

    def _receive(self, answer: dict[str, Any]) -> Frame | None:
        """Take in what a step has sent, by its answer: state and frame of its end; the frame if it is new.

        What was sent is waited for, and nothing else: how slow this computer is decides nothing.
        """
        t_ms, image_id = answer["t_ms"], answer["image_ids"].get(self.serial)
        state_is_due = answer["states"].get(self.serial) == t_ms
        frame_is_due, self._sent_id = bool(image_id) and image_id != self._sent_id, image_id
        with self._changed:

            def over() -> bool:
                return self._dead is not None or self._lost is not None

            def state_came() -> bool:
                return self._arrived_state is not None and self._arrived_state.image_time_ms == t_ms

            def frame_came() -> bool:
                return self._arrived_frame is not None and self._arrived_frame.image_id == image_id

            def all_came() -> bool:
                return (state_came() or not state_is_due) and (frame_came() or not frame_is_due)

            self._changed.wait_for(lambda: over() or all_came(), ARRIVE_S)
            self._world_s = t_ms / 1000
            if over():
                return None
            if self._arrived_state is not None and state_came():
                self._show_state(self._arrived_state)
            frame, before = self._arrived_frame, self._frame
            if frame is None or (before is not None and frame.image_id == before.image_id):
                return None
            self._frame = replace(frame, received_s=self._world_s)
            if is_whole(frame.jpeg):
                self._guard.saw_frame(frame.image_id, self._world_s)
            return self._frame

    def _show_state(self, state: RobotState) -> None:
        super()._show_state(replace(state, received_s=self._world_s))
        self._wheels.saw_state(state)

    def _raise_if_lost(self) -> None:
        with self._changed:
            self._changed.wait_for(lambda: self._dead or self._lost is None or self._closing.is_set())
            if self._dead:
                raise self._dead

    def _begin(self, start: Callable[[Session], Future[Any]]) -> Future[Any] | None:
        """Make sure that the robot has begun with it before the world moves on, as its log then says."""
        with contextlib.suppress(SimulatorGone):
            before, begun = self._count_calls(), super()._begin(start)
            until_s = time.monotonic() + BEGIN_S
            while begun is not None and not begun.done() and time.monotonic() < until_s:
                if self._count_calls() > before:
                    break
                time.sleep(0.001)
            return begun
        return None

    def _count_calls(self) -> int:
        """How many calls, other than cancellations, the robot has taken in at this moment of the world."""
        entries = self._stepper.log(since_ms=self._world_s * 1000)["entries"]
        calls = [each["rpc"] for each in entries if each["kind"] == "call" and each["serial"] == self.serial]
        return sum(rpc != CANCEL for rpc in calls)

    def _wait_for_speech(self) -> None:
        """Do not wait: the world stands still."""

    def _control(self) -> None:
        """Notice only streams that end.

        Silence means nothing while the world stands still, and each step takes care of the wheels.
        """
        while not self._closing.wait(WATCH_S):
            session = self._wheels.session
            if self._lost is not None:
                self._mind_reconnecting()
            elif session is not None and session.control_stream_ended:
                self._on_lost("the control stream ended")

    def _take(self, session: Session) -> None:
        session.wait_for_camera()  # or nobody would receive the first step's frame
        super()._take(session)

    def _wait_until_ready(self) -> None:
        """See the wheels stand in the state of this moment, as the world stands still."""
        with self._changed:
            self._changed.wait_for(lambda: self._state is not None, ARRIVE_S)
            state = self._state
            if state is not None and state.left_wheel_mmps == state.right_wheel_mmps == 0:
                self._guard.confirm_standing()

    def _on_frame(self, image_id: int, robot_time_ms: int, jpeg: bytes) -> None:
        with self._changed:
            self._arrived_frame = Frame(image_id, robot_time_ms, self._world_s, jpeg)
            self._frame_heard_s = time.monotonic()
            self._changed.notify_all()

    def _on_state(self, state: RobotState) -> None:
        with self._changed:
            self._arrived_state = state
            if self._state is None:
                self._show_state(state)
            self._changed.notify_all()

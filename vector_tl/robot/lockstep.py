"""The link to a simulator in lockstep: `next_frame` alone moves the world, and all times are the world's.

The same commands then give the same frames and states, however slow the computer is. The guard reads the same
clock.
"""

import contextlib
import time
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import replace
from pathlib import Path
from typing import Any

from vector_tl.robot.base import Frame, LinkLost, NoFreshFrame, RobotState
from vector_tl.robot.link import JPEG_START, WATCH_S, VectorLink
from vector_tl.robot.session import Session
from vector_tl.robot.simulator_client import SimulatorGone, TruthClient

ARRIVE_S = 5.0  # wall time within which something of a step must arrive
STRAGGLE_S = (
    1.0  # wall time that the frame may come after the state of its step, or the state after the frame
)


class LockstepLink(VectorLink):
    """A `VectorLink` whose `next_frame` moves the simulated world on to the next camera frame."""

    _command_s = 10.0  # the world waits

    def __init__(self, serial: str, home: Path, reconnect_s: float, stepper: TruthClient):
        self._stepper = stepper
        self._world_s: float = stepper.log(since_ms=1e15)["t_ms"] / 1000
        # As they come; what `state` and `next_frame` return changes with a step only.
        self._arrived_frame: Frame | None = None
        self._arrived_state: RobotState | None = None
        super().__init__(serial, home, reconnect_s, stepper)

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
        frame = self._receive(answer["t_ms"], answer["image_ids"].get(self.serial))
        self._keep_to_guard()
        if frame is None:
            self._raise_if_lost()
            raise NoFreshFrame(f"The simulated camera of {self.serial} gave no new frame.")
        return frame

    def drive(self, left_mmps: float, right_mmps: float) -> bool:
        """See `Robot.drive`. The world stands still until the robot has confirmed."""
        granted = super().drive(left_mmps, right_mmps)
        return self._keep_to_guard() and granted

    def _receive(self, t_ms: int, image_id: int | None) -> Frame | None:
        """Take in the state and the frame of the moment at which the step ended; the frame if it is new."""
        with self._changed:

            def over() -> bool:
                return self._dead is not None or self._lost is not None

            def state_came() -> bool:
                return self._arrived_state is not None and self._arrived_state.image_time_ms == t_ms

            def frame_came() -> bool:
                return self._arrived_frame is not None and self._arrived_frame.image_id == image_id

            self._changed.wait_for(lambda: over() or state_came() or frame_came(), ARRIVE_S)
            self._changed.wait_for(lambda: over() or (state_came() and frame_came()), STRAGGLE_S)
            self._world_s = t_ms / 1000
            if over():
                return None
            if self._arrived_state is not None and state_came():
                self._show_state(self._arrived_state)
            frame, before = self._arrived_frame, self._frame
            if frame is None or (before is not None and frame.image_id == before.image_id):
                return None
            self._frame = replace(frame, received_s=self._world_s)
            if frame.jpeg.startswith(JPEG_START):
                self._guard.saw_frame(frame.image_id, self._world_s)
            return self._frame

    def _show_state(self, state: RobotState) -> None:
        self._state = replace(state, received_s=self._world_s)
        self._guard.saw_state(self._state)

    def _raise_if_lost(self) -> None:
        with self._changed:
            self._changed.wait_for(lambda: self._dead or self._lost is None or self._closing.is_set())
            if self._dead:
                raise self._dead

    def _begin(self, start: Callable[[Session], Future[Any]]) -> Future[Any] | None:
        """Make sure that the request has arrived before the world moves on."""
        begun, session = super()._begin(start), self._session
        if session is not None:
            with contextlib.suppress(Exception):
                session.beat().result(5.0)
        return begun

    def _wait_for_speech(self) -> None:
        """Do not wait: the world stands still."""

    def _too_early(self, speeds: tuple[float, float]) -> bool:
        return False

    def _tend(self) -> None:
        """Notice only streams that end.

        Silence means nothing while the world stands still, and each step takes care of the wheels.
        """
        if self._session is not None and self._session.control_stream_ended:
            self._on_lost("the control stream ended")
        self._closing.wait(WATCH_S)

    def _take(self, session: Session) -> None:
        session.wait_for_camera()  # or nobody would receive the first step's frame
        super()._take(session)

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

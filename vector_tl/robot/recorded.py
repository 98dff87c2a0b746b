"""A robot whose frames, states and wheel commands are written down, whoever drives it; and the simulator's truth of each frame."""

import threading
from collections import deque
from contextlib import suppress
from queue import SimpleQueue
from typing import Protocol

import numpy as np

from vector_tl.errors import UserError
from vector_tl.robot.base import ForwardingRobot, Frame, GroundTruth, Robot, RobotState

END_S = 2.0


class Writer(Protocol):
    """Where it is written: film/recording.py's `RecordingWriter`."""

    def frame(self, frame: Frame) -> None: ...

    def state(self, state: RobotState) -> None: ...

    def wheels(self, t_s: float, left_mmps: float, right_mmps: float, sent: bool, why: str = "") -> None: ...

    def truth(
        self, frame: Frame, boxes_xyxy: np.ndarray, distance_mm: float | None, bearing_deg: float | None
    ) -> None: ...


class TruthAsker:
    """Asks the simulator what is in each frame, in a thread of its own: an answer may be slow, and the robot's loop goes on."""

    def __init__(self, truth: GroundTruth, serial: str):
        self._client, self._serial = truth, serial
        self._wanted: SimpleQueue[Frame | None] = SimpleQueue()
        self._answers: deque[tuple[Frame, dict]] = deque()
        self._thread = threading.Thread(target=self._work, name="truth", daemon=True)
        self._thread.start()

    def ask(self, frame: Frame) -> None:
        """Ask for a frame's truth."""
        self._wanted.put(frame)

    def write(self, writer: Writer) -> None:
        """Write down what has come since the last call."""
        for frame, told in [self._answers.popleft() for _ in range(len(self._answers))]:
            boxes = np.array([box["xyxy"] for box in told.get("boxes", ())], np.float32).reshape(-1, 4)
            writer.truth(frame, boxes, told.get("distance_mm"), told.get("bearing_deg"))

    def end(self) -> None:
        """Wait for the last answers, a moment at most."""
        self._wanted.put(None)
        self._thread.join(END_S)

    def _work(self) -> None:
        while (frame := self._wanted.get()) is not None:
            with suppress(UserError):  # a simulator that is gone, or that forgot the image
                self._answers.append(
                    (frame, self._client.truth(image_id=frame.image_id, serial=self._serial))
                )


class RecordedRobot(ForwardingRobot):
    """The robot itself, but for what is written down. To be used from one thread, as the robot's own loop is; `close` ends the writing only."""

    def __init__(self, robot: Robot, writer: Writer):
        super().__init__(robot)
        self._writer = writer
        truth = robot.ground_truth()
        self._asker = TruthAsker(truth, robot.serial) if truth is not None else None

    def next_frame(self, after_id: int | None = None, timeout_s: float = 1.0) -> Frame:
        """See `Robot`; each frame and the state then are kept."""
        frame = self._robot.next_frame(after_id, timeout_s)
        self._writer.frame(frame)
        self._writer.state(self._robot.state())
        if self._asker:
            self._asker.ask(frame)
            self._asker.write(self._writer)
        return frame

    def drive(self, left_mmps: float, right_mmps: float) -> bool:
        """See `Robot`; each command is kept."""
        sent = self._robot.drive(left_mmps, right_mmps)
        self._writer.wheels(self._robot.now_s(), left_mmps, right_mmps, sent, "capture")
        return sent

    def __enter__(self) -> "RecordedRobot":
        return self

    def __exit__(self, *_exc) -> None:
        if self._asker:
            self._asker.end()
            self._asker.write(self._writer)

"""A robot whose frames, states and wheel commands are written down, with the ground truth of each frame."""

import threading
from collections import deque
from contextlib import suppress
from queue import SimpleQueue
from typing import Any, Protocol, Self

import numpy as np

from vector_tl.errors import UserError
from vector_tl.robot.base import ForwardingRobot, Frame, GroundTruth, Robot, RobotState

END_S = 2.0  # how long the last answers may take
MAX_WAITING = 64  # frames


class TruthWriter(Protocol):
    """Takes in the ground truth of frames."""

    def truth(
        self, frame: Frame, boxes_xyxy: np.ndarray, distance_mm: float | None, bearing_deg: float | None
    ) -> None:
        """Boxes (N, 4) in a frame, and how the nearest Vector stood."""


class Writer(TruthWriter, Protocol):
    """Where it is written: the `RecordingWriter` of data/recording.py."""

    def frame(self, frame: Frame) -> None:
        """A camera frame."""

    def state(self, state: RobotState) -> None:
        """The robot's report of itself."""

    def wheels(self, t_s: float, left_mmps: float, right_mmps: float, sent: bool, why: str = "") -> None:
        """A wheel command."""


class TruthAsker:
    """Asks the simulator what is in each frame.

    A thread of its own asks: an answer may be slow, and the robot's loop does not wait for it.
    """

    def __init__(self, truth: GroundTruth, serial: str, writer: TruthWriter):
        self._truth, self._serial, self._writer = truth, serial, writer
        self._wanted: SimpleQueue[Frame | None] = SimpleQueue()
        self._answers: deque[tuple[Frame, dict[str, Any]]] = deque()
        self._thread = threading.Thread(target=self._work, name="truth", daemon=True)
        self._thread.start()

    def ask(self, frame: Frame) -> None:
        """Ask for a frame's ground truth, and write down what has come since the last call.

        A frame is left out where so many wait already that answers seem not to come.
        """
        if self._wanted.qsize() < MAX_WAITING:
            self._wanted.put(frame)
        self._write_answers()

    def _write_answers(self) -> None:
        for frame, answer in [self._answers.popleft() for _ in range(len(self._answers))]:
            boxes = np.array([box["xyxy"] for box in answer.get("boxes", ())], np.float32).reshape(-1, 4)
            self._writer.truth(frame, boxes, answer.get("distance_mm"), answer.get("bearing_deg"))

    def end(self) -> None:
        """Wait for the last answers, a moment at most, and write them down."""
        self._wanted.put(None)
        self._thread.join(END_S)
        self._write_answers()

    def _work(self) -> None:
        while (frame := self._wanted.get()) is not None:
            with suppress(UserError):  # a simulator that is gone, or that forgot the image
                self._answers.append((frame, self._truth.truth(frame.image_id, self._serial)))


class RecordedRobot(ForwardingRobot):
    """The robot itself, and a writer of what it does.

    Use it from one thread, as the robot's own loop is. The end of the `with` block ends the writing only.
    """

    def __init__(self, robot: Robot, writer: Writer):
        super().__init__(robot)
        truth = robot.ground_truth()
        self._writer = writer
        self._asker = TruthAsker(truth, robot.serial, writer) if truth is not None else None

    def next_frame(self, after_id: int | None = None, timeout_s: float = 1.0) -> Frame:
        """See `Robot.next_frame`; each frame and the state then are kept."""
        frame = self._robot.next_frame(after_id, timeout_s)
        self._writer.frame(frame)
        self._writer.state(self._robot.state())
        if self._asker:
            self._asker.ask(frame)
        return frame

    def drive(self, left_mmps: float, right_mmps: float) -> bool:
        """See `Robot.drive`; each command is kept."""
        sent = self._robot.drive(left_mmps, right_mmps)
        self._writer.wheels(self._robot.now_s(), left_mmps, right_mmps, sent, "capture")
        return sent

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exc: object) -> None:
        if self._asker:
            self._asker.end()

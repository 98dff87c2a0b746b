"""What other programs use of this one: `vector_tl.load`, `vector_tl.Robot`, `vector_tl.record`.

`import vector_tl` takes no time; what stands behind these names is imported when they are first used.
"""

from contextlib import ExitStack
from pathlib import Path
from typing import Any, Self

import numpy as np

from vector_tl.data.images import decode_image
from vector_tl.data.recording import RecordingWriter
from vector_tl.detect.detector import Detector, load
from vector_tl.detect.interface import Detections
from vector_tl.robot.base import ForwardingRobot, Frame
from vector_tl.robot.base import Robot as RobotProtocol
from vector_tl.robot.open import open_robot

__all__ = ["Detections", "Detector", "Robot", "load", "record"]


class Robot(ForwardingRobot):
    """A guarded Vector, or a simulated one, for a `with` block; its wheels stop however the block ends.

    The methods are those of `vector_tl.robot.base.Robot`: `drive`, `stop`, `set_head`, `set_lift`, `say`,
    `state`, `battery`, `next_frame`. Whatever is sent, the guard keeps the wheels still at edges, when held,
    and without fresh images or states.

    Args:
        robot: `sim` starts and ends a simulator of its own; a serial number means that robot of the
            `sdk_config.ini` under HOME.
        options: those of `vector_tl.robot.open.open_robot`, such as `world=12` or `drives=False`.

    Raises:
        UserError: it cannot be reached, or another program here has it; the sentence names the remedy.
    """

    def __init__(self, robot: str = "sim", **options: Any):
        self._open = ExitStack()
        self._frame: Frame | None = None
        super().__init__(self._open.enter_context(open_robot(robot, **options)))

    def image(self, timeout_s: float = 2.0) -> np.ndarray:
        """The next camera image, uint8 (H, W, 3) RGB.

        Raises:
            NoFreshFrame: none came within `timeout_s`.
            UserError: it is damaged.
        """
        self._frame = self.next_frame(self._frame.image_id if self._frame else None, timeout_s)
        return decode_image(self._frame.jpeg, f"An image of {self.serial}")

    def close(self) -> None:
        """Stop the wheels and end the connection; safe to call twice."""
        self._open.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        self.close()


def record(robot: RobotProtocol, path: str | Path, seconds: float, detector: Detector | None = None) -> int:
    """Record what a robot's camera sees, with the robot's state, for `detect`, `film` and `find`'s page.

    It neither drives nor stops the robot: another thread may.

    Args:
        robot: a `Robot`.
        path: the recording, FILE.mcap; an existing one is refused.
        seconds: how long, by the robot's clock.
        detector: its boxes are stored, too.

    Returns:
        How many frames were recorded.

    Raises:
        UserError: the file exists, or cannot be written, or the robot is gone.
    """
    facts = {"robot": robot.serial, "model": detector.name if detector else None}
    frames, last_id = 0, None
    until_s = robot.now_s() + seconds
    with RecordingWriter(Path(path), facts, robot.intrinsics) as writer:
        while robot.now_s() < until_s:
            frame = robot.next_frame(last_id)
            last_id = frame.image_id
            writer.frame(frame)
            writer.state(robot.state())
            if detector is not None:
                found = detector(decode_image(frame.jpeg, f"An image of {robot.serial}"))
                writer.detections(frame, found.boxes_xyxy, found.scores)
            frames += 1
    return frames

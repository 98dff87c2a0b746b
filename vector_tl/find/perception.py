"""From a frame's boxes and the robot's states to what a decision may use."""

import numpy as np

from vector_tl.data.boxes import rescaled
from vector_tl.find.geometry import locate
from vector_tl.find.memory import Observation
from vector_tl.find.track import CameraClock, Pose, PoseHistory, Tracker
from vector_tl.robot.base import Frame, Robot, RobotState
from vector_tl.robot.body import RANGE_MAX_MM, TRACK_MM

CAMERA_DELAY_S = 0.03  # from the shutter to a frame's arrival


class Perception:
    """Follows the finder's own motion, the camera's delay and the other Vector through a run.

    Args:
        robot: the finder.
        threshold: boxes with higher scores are sure ones.
    """

    def __init__(self, robot: Robot, threshold: float):
        self._robot = robot
        self._tracker, self._poses, self._clock = Tracker(threshold), PoseHistory(), CameraClock()
        self._lifted = False

    def read_state(self) -> RobotState:
        """The newest state, noted in the history; the odometry of a lifted robot begins anew.

        Raises:
            LinkLost: there is none.
        """
        state = self._robot.state()
        lifted = state.picked_up or state.falling or state.being_held
        if lifted != self._lifted:
            self._lifted = lifted
            self._tracker.reset()
            self._poses = PoseHistory()
        self._clock.note(state.received_s, state.image_time_ms)
        tilt_rad = state.head_angle_rad + state.pitch_rad
        self._poses.add(state.received_s, pose_of(state), tilt_rad, *speeds_of(state))
        return state

    def observe(
        self,
        frame: Frame,
        boxes_xyxy: np.ndarray,
        scores: np.ndarray,
        state: RobotState,
        size_wh: tuple[int, int],
    ) -> Observation:
        """Place a frame's boxes (N, 4) where and when the frame was taken, and track them until now.

        Args:
            frame: the frame.
            boxes_xyxy: (N, 4) in pixels of its image.
            scores: (N,) of the boxes.
            state: the newest.
            size_wh: of the image, which need not be the size that the robot's intrinsics are for: another
                program may have switched the camera to high resolution.
        """
        now_s, (forward_mmps, turn_radps) = self._robot.now_s(), speeds_of(state)
        pose = pose_of(state).after(now_s - state.received_s, forward_mmps, turn_radps)
        self._clock.note(frame.received_s, frame.robot_time_ms)
        delay_s = max(0.0, self._clock.delay_s(frame.received_s, frame.robot_time_ms) - CAMERA_DELAY_S)
        taken_s = frame.received_s - CAMERA_DELAY_S - delay_s
        taken_from, tilt_rad = self._poses.at(taken_s)
        intrinsics = self._robot.intrinsics
        boxes_px = rescaled(boxes_xyxy, size_wh, intrinsics.size_wh)
        sightings = [
            locate(box, intrinsics, tilt_rad, score=float(score))
            for box, score in zip(boxes_px, scores, strict=True)
        ]
        self._tracker.update(taken_s, taken_from, [s for s in sightings if s is not None], delay_s)
        return Observation(
            now_s=now_s,
            pose=pose,
            forward_mmps=forward_mmps,
            turn_radps=turn_radps,
            range_mm=known_range_mm(state),
            target=self._tracker.target(now_s, pose),
            candidate=self._tracker.candidate(now_s),
            frame_age_s=max(0.0, now_s - frame.received_s),
            delay_s=delay_s,
            cliff=state.cliff,
            lifted=self._lifted,
        )


def speeds_of(state: RobotState) -> tuple[float, float]:
    """How it moves, by its wheels: forward (mm/s, of the drive centre), turning (rad/s, left-positive)."""
    left, right = state.left_wheel_mmps, state.right_wheel_mmps
    return (left + right) / 2, (right - left) / TRACK_MM


def known_range_mm(state: RobotState) -> float | None:
    """How far something is ahead; None is unknown, not free: nothing, something far, dark or low."""
    range_mm = state.range_mm
    return None if range_mm is None or range_mm >= RANGE_MAX_MM else range_mm


def pose_of(state: RobotState) -> Pose:
    """Where the finder is, by its odometry."""
    return Pose(state.x_mm, state.y_mm, state.heading_rad)

"""`vector-tl doctor --camera`: whether what a robot reports of its camera fits what is seen through it.

Distances are estimated from sizes in the image by the focal length. With another Vector put at a known
distance, the one is checked against the other.
"""

import math
import time
from collections.abc import Callable, Iterator, Sequence

import numpy as np

from vector_tl.data.images import decode_or_none
from vector_tl.doctor.check import MIN_FPS, RESTART, SHORT_OF_FRAMES, Check
from vector_tl.errors import UserError
from vector_tl.find.geometry import HEIGHT_NEARER_MM, Distortion, camera_position_mm, rays
from vector_tl.find.track import CameraClock
from vector_tl.plain import counted
from vector_tl.robot.base import Frame, Intrinsics, Robot, RobotState
from vector_tl.robot.body import HEIGHT_MM

LOOK_S, FRAMES = 4.0, 30
NOMINAL = Intrinsics()
# By how much one camera differs from another: of the nominal focal length, and of the image's width.
FOCAL_SHARE, CENTER_SHARE = 0.15, 0.08
LATE_S = 0.25
BORDER_PX = 3.0
CORRECT_SHARE = 0.08  # one Vector's unknown heading alone moves its height by some hundredths
MIN_BOXES = 5
STOP_MM = 150.0


def camera_checks(
    robot: Robot, distance_mm: float | None, model: str, detector: Callable | None = None
) -> Iterator[Check]:
    """The checks of one robot's camera, which must stand still meanwhile.

    Args:
        robot: an open one.
        distance_mm: how far away the other Vector stands, front axle to front axle; None to leave the sizes
            out.
        model: what finds it, for `distance_mm`.
        detector: used instead of the model: image (H, W, 3) uint8 RGB -> `boxes_xyxy` (N, 4).
    """
    frames: list[Frame] = []
    clock = CameraClock()
    try:
        until_s = time.monotonic() + LOOK_S
        while len(frames) < FRAMES and (not frames or time.monotonic() < until_s):
            frame = robot.next_frame(frames[-1].image_id if frames else None, 3.0)
            state = robot.state()
            clock.note(state.received_s, state.image_time_ms)
            clock.note(frame.received_s, frame.robot_time_ms)
            frames.append(frame)
    except UserError as error:
        yield Check("camera images", False, str(error), RESTART)
        return
    yield images(frames, robot.intrinsics)
    yield intrinsics(robot.intrinsics)
    yield arrival(frames, clock)
    if distance_mm is not None:
        if detector is None:
            from vector_tl.detect.detector import load  # here: only this check needs it, and it takes seconds

            detector = load(model, "cpu")
        yield sizes(frames, robot.intrinsics, robot.state(), detector, distance_mm)


def images(frames: list[Frame], reported: Intrinsics) -> Check:
    """Images that can be read, of the size that the intrinsics are of."""
    found = {
        None if image is None else image.shape[1::-1]
        for image in (decode_or_none(frame.jpeg) for frame in frames)
    }
    words = ", ".join(sorted("unreadable" if size is None else f"{size[0]} x {size[1]}" for size in found))
    width, height = reported.size_wh
    remedy = f"the focal length is for {width} x {height}: with other images distances are wrong; {RESTART}"
    return Check("camera images", found == {reported.size_wh}, f"{words} pixels", remedy)


def intrinsics(reported: Intrinsics) -> Check:
    """What the robot reports is near what every Vector's camera is like."""
    (fx, fy), (cx, cy), (width, height) = reported.focal_xy_px, reported.center_xy_px, reported.size_wh
    ends = np.array([[0, cy], [width, cy], [cx, 0], [cx, height]])
    across, down = (math.degrees(float(angle)) for angle in _view_angles(ends, reported))
    near = all(
        abs(f / nominal - 1) <= FOCAL_SHARE
        for f, nominal in zip(reported.focal_xy_px, NOMINAL.focal_xy_px, strict=True)
    )
    middle = abs(cx - width / 2) <= CENTER_SHARE * width and abs(cy - height / 2) <= CENTER_SHARE * width
    detail = f"focal lengths {fx:.1f} and {fy:.1f} px, centre {cx:.1f}, {cy:.1f}, "
    detail += f"sees {across:.0f} degrees across and {down:.0f} down"
    if reported == NOMINAL:
        detail += " (the usual values: also used when a robot does not report its own)"
    remedy = (
        "far from other Vectors' cameras: check it with --distance-mm before letting it drive to anything"
    )
    return Check("camera intrinsics", near and middle, detail, remedy)


def arrival(frames: list[Frame], clock: CameraClock) -> Check:
    """How often images come, and how late compared with the fastest messages."""
    seconds = frames[-1].received_s - frames[0].received_s
    fps = (len(frames) - 1) / seconds if seconds > 0 else 0.0
    delays_s = [clock.delay_s(frame.received_s, frame.robot_time_ms) for frame in frames]
    p50, p95 = np.percentile(delays_s, (50, 95))
    detail = f"{fps:.1f} images per second, delay {p50 * 1000:.0f} ms in the median, "
    detail += f"{p95 * 1000:.0f} ms for the slowest of twenty"
    return Check("camera arrival", bool(fps >= MIN_FPS and p95 <= LATE_S), detail, SHORT_OF_FRAMES)


def sizes(
    frames: list[Frame], reported: Intrinsics, state: RobotState, detector: Callable, distance_mm: float
) -> Check:
    """The distance by the other Vector's height in the image, against the measured one."""
    name = "camera distance"
    decoded = (decode_or_none(frame.jpeg) for frame in frames)
    boxes = [detector(image).boxes_xyxy[:1] for image in decoded if image is not None]
    estimates_mm = [
        distance_by_height_mm(box, reported, state.head_angle_rad, state.pitch_rad)
        for best in boxes
        for box in best
    ]
    seen_mm = [estimate for estimate in estimates_mm if estimate is not None]
    if len(seen_mm) < min(MIN_BOXES, len(frames)):
        seen = f"a whole Vector was seen in {len(seen_mm)} of {counted(len(frames), 'image')}"
        remedy = "put the other Vector before it on the same table, in the middle of its view, "
        return Check(name, False, seen, f"{remedy}200 to 500 mm away, side on, in good light")
    estimate_mm = float(np.median(seen_mm))
    # The part of the distance that is not in proportion to the size.
    ahead_mm = camera_position_mm(state.head_angle_rad, state.pitch_rad)[0] + HEIGHT_NEARER_MM
    factor = (distance_mm - ahead_mm) / (estimate_mm - ahead_mm)
    detail = (
        f"{estimate_mm:.0f} mm by its height in {counted(len(seen_mm), 'image')}, measured "
        f"{distance_mm:.0f} mm: "
    )
    detail += f"correction factor {factor:.2f}"
    stop_mm = min(600.0, max(110.0, ahead_mm + (STOP_MM - ahead_mm) / factor))
    remedy = (
        "measure again, from front axle to front axle, lift down, head level, side on; if it stays so, its "
    )
    remedy += (
        f"focal length is about {reported.focal_xy_px[1] * factor:.0f} px, and vector-tl find --stop-mm "
    )
    remedy += f"{stop_mm:.0f} stops it at {STOP_MM:.0f} mm"
    return Check(name, abs(factor - 1) <= CORRECT_SHARE, detail, remedy)


def distance_by_height_mm(
    box_xyxy: Sequence[float] | np.ndarray,
    reported: Intrinsics,
    head_angle_rad: float,
    pitch_rad: float = 0.0,
) -> float | None:
    """Origin to origin, by the height of a box (4,) alone.

    None when its upper or lower edge may be cut off.
    """
    x1, y1, x2, y2 = (float(side) for side in box_xyxy)
    if y1 <= BORDER_PX or y2 >= reported.size_wh[1] - BORDER_PX:
        return None
    middle = (x1 + x2) / 2
    bearings, slopes = rays(np.array([[middle, y1], [middle, y2]]), reported, head_angle_rad + pitch_rad)
    reach_mm, bearing = HEIGHT_MM / (slopes[0] - slopes[1]) + HEIGHT_NEARER_MM, bearings.mean()
    ahead_mm = camera_position_mm(head_angle_rad, pitch_rad)[0]
    return float(math.hypot(ahead_mm + reach_mm * math.cos(bearing), reach_mm * math.sin(bearing)))


def _view_angles(ends_px: np.ndarray, reported: Intrinsics) -> tuple[float, float]:
    """Angles between the rays through the left and right, and the upper and lower ends of the image."""
    tangents = np.arctan(Distortion().undistort(ends_px, reported))  # (4, 2)
    return tangents[1, 0] - tangents[0, 0], tangents[3, 1] - tangents[2, 1]

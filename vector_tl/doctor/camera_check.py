"""`vector-tl doctor --camera`: whether what a robot says of its camera fits what is seen through it.

Distances come from sizes in the image by the focal length. With another Vector put at a known distance, the one is checked against the other.
"""

import math
import time
from collections.abc import Iterator

import numpy as np

from vector_tl.data.images import decode_or_none
from vector_tl.doctor.check import FEW_FPS, RESTART, SHORT_OF_FRAMES, Check
from vector_tl.errors import UserError
from vector_tl.find.geometry import HEIGHT_MM, HEIGHT_NEARER_MM, Distortion, camera_position_mm, rays
from vector_tl.find.track import CameraClock
from vector_tl.robot.base import Frame, Intrinsics

LOOK_S, FRAMES = 4.0, 30
NOMINAL = Intrinsics()
FOCAL_SHARE, CENTER_SHARE = (
    0.15,
    0.08,
)  # of the nominal focal length, and of the image's width: what one camera differs from another
LATE_S = 0.25
BORDER_PX = 3.0
CORRECT_SHARE = 0.08  # one Vector's unknown heading alone moves its height by some hundredths
MIN_BOXES = 5
STOP_MM = 150.0


def camera_checks(link, distance_mm: float | None, model: str, detector=None) -> Iterator[Check]:
    """The checks of one robot's camera, which must stand still meanwhile.

    Args:
        link: an open robot.
        distance_mm: how far the other Vector stands, front axle to front axle; None to leave the sizes out.
        model: what finds it, for `distance_mm`.
        detector: in its stead.
    """
    frames, clock = [], CameraClock()
    try:
        frame, until_s = None, time.monotonic() + LOOK_S
        while len(frames) < FRAMES and (not frames or time.monotonic() < until_s):
            frame = link.next_frame(frame and frame.image_id, 3.0)
            state = link.state()
            clock.note(state.received_s, state.image_time_ms)
            clock.note(frame.received_s, frame.robot_time_ms)
            frames.append(frame)
    except UserError as error:
        yield Check("camera images", False, str(error), RESTART)
        return
    yield images(frames, link.intrinsics)
    yield intrinsics(link.intrinsics)
    yield arrival(frames, clock)
    if distance_mm is not None:
        if detector is None:
            from vector_tl.detect.engine import load

            detector = load(model, "cpu")
        yield sizes(frames, link.intrinsics, link.state(), detector, distance_mm)


def images(frames: list[Frame], told: Intrinsics) -> Check:
    """Images that can be read, of the size that the intrinsics are of."""
    decoded = [decode_or_none(frame.jpeg) for frame in frames]
    sizes = {None if image is None else image.shape[1::-1] for image in decoded}
    words = ", ".join(sorted("unreadable" if size is None else f"{size[0]} x {size[1]}" for size in sizes))
    remedy = f"the focal length told is for {told.size_wh[0]} x {told.size_wh[1]}: with other images distances are wrong; {RESTART}"
    return Check("camera images", sizes == {told.size_wh}, f"{words} pixels", remedy)


def intrinsics(told: Intrinsics) -> Check:
    """What the robot tells, near what every Vector's camera is like."""
    (fx, fy), (cx, cy), (width, height) = told.focal_xy_px, told.center_xy_px, told.size_wh
    ends = np.array([[0, cy], [width, cy], [cx, 0], [cx, height]])
    across, down = (math.degrees(float(angle)) for angle in _view_angles(ends, told))
    near = all(
        abs(f / nominal - 1) <= FOCAL_SHARE
        for f, nominal in zip(told.focal_xy_px, NOMINAL.focal_xy_px, strict=True)
    )
    middle = abs(cx - width / 2) <= CENTER_SHARE * width and abs(cy - height / 2) <= CENTER_SHARE * width
    detail = f"focal lengths {fx:.1f} and {fy:.1f} px, centre {cx:.1f}, {cy:.1f}, sees {across:.0f} degrees across and {down:.0f} down"
    if told == NOMINAL:
        detail += " (the nominal ones: also used when a robot does not tell its own)"
    remedy = "that is far from other Vectors' cameras: check it with --distance-mm before letting it drive to anything"
    return Check("camera intrinsics", near and middle, detail, remedy)


def arrival(frames: list[Frame], clock: CameraClock) -> Check:
    """How often images come, and how late beside the quickest news."""
    seconds = frames[-1].received_s - frames[0].received_s
    fps = (len(frames) - 1) / seconds if seconds > 0 else 0.0
    lags_s = [clock.lag_s(frame.received_s, frame.robot_time_ms) for frame in frames]
    p50, p95 = np.percentile(lags_s, (50, 95))
    detail = f"{fps:.1f} images a second, {p50 * 1000:.0f} ms under way in the median and {p95 * 1000:.0f} ms at most but for one in twenty"
    return Check("camera arrival", bool(fps >= FEW_FPS and p95 <= LATE_S), detail, SHORT_OF_FRAMES)


def sizes(frames: list[Frame], told: Intrinsics, state, detector, distance_mm: float) -> Check:
    """The distance by the other Vector's height in the image, against the measured one."""
    name, found = "camera distance", []
    for frame in frames:
        image = decode_or_none(frame.jpeg)
        boxes = detector(image).boxes_xyxy if image is not None else []
        if len(boxes):
            found.append(distance_by_height_mm(boxes[0], told, state.head_angle_rad, state.pitch_rad))
    found = [reach for reach in found if reach is not None]
    if len(found) < min(MIN_BOXES, len(frames)):
        seen = f"a whole Vector was seen in {len(found)} of {len(frames)} images"
        remedy = "put the other Vector before it on the same table, in the middle of its view, 200 to 500 mm away, side on, in good light"
        return Check(name, False, seen, remedy)
    seen_mm = float(np.median(found))
    ahead_mm = (
        camera_position_mm(state.head_angle_rad, state.pitch_rad)[0] + HEIGHT_NEARER_MM
    )  # not in proportion to the size
    factor = (distance_mm - ahead_mm) / (seen_mm - ahead_mm)
    detail = f"{seen_mm:.0f} mm by its height in {len(found)} images, measured {distance_mm:.0f} mm: correction factor {factor:.2f}"
    fits = abs(factor - 1) <= CORRECT_SHARE
    stop_mm = ahead_mm + (STOP_MM - ahead_mm) / factor
    remedy = "measure again, from front axle to front axle, lift down, head level, side on; if it stays so, its focal length is about "
    remedy += f"{told.focal_xy_px[1] * factor:.0f} px, and vector-tl find --stop-mm {min(600.0, max(110.0, stop_mm)):.0f} stops it at {STOP_MM:.0f} mm"
    return Check(name, fits, detail, remedy)


def distance_by_height_mm(
    box_xyxy, told: Intrinsics, head_angle_rad: float, pitch_rad: float = 0.0
) -> float | None:
    """Origin to origin, by the height of a box alone; None when its upper or lower edge may be cut by the image's."""
    x1, y1, x2, y2 = (float(side) for side in box_xyxy)
    if y1 <= BORDER_PX or y2 >= told.size_wh[1] - BORDER_PX:
        return None
    middle = (x1 + x2) / 2
    bearings, slopes = rays(np.array([[middle, y1], [middle, y2]]), told, head_angle_rad + pitch_rad)
    reach_mm, bearing = HEIGHT_MM / (slopes[0] - slopes[1]) + HEIGHT_NEARER_MM, bearings.mean()
    ahead_mm = camera_position_mm(head_angle_rad, pitch_rad)[0]
    return float(math.hypot(ahead_mm + reach_mm * math.cos(bearing), reach_mm * math.sin(bearing)))


def _view_angles(ends_px: np.ndarray, told: Intrinsics) -> tuple[float, float]:
    """Angles between the rays through the left and right, and the upper and lower ends of the image."""
    tangents = np.arctan(Distortion().undistort(ends_px, told))  # (4, 2)
    return tangents[1, 0] - tangents[0, 0], tangents[3, 1] - tangents[2, 1]

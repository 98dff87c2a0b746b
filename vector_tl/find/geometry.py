"""From a box in the image to where the other Vector stands: bearing and distance with their uncertainties.

Both are from origin to origin: a Vector's origin is its front axle on the ground; x forward, y left, z up.
The camera sits in the head and turns with it about the head's pivot. Two measures of distance are fused. The
box's height against the robot's own is good when it is far; the ground plane, the ray through the box's lower
edge that meets the table, is good when it is near. Which way the other one faces is unknown, so its visible
edges stand nearer than its origin by a mean amount, and the spread of that amount limits how certain the
distance can be.
"""

import math
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from vector_tl.robot.base import Intrinsics
from vector_tl.robot.body import HEIGHT_MM

HEAD_PIVOT_XZ_MM = (-11.0, 47.5)
LENS_FROM_PIVOT_XZ_MM = (18.0, -7.5)  # at head angle 0: the lens is at x 7, z 40
# How much nearer than its origin a target is measured, as mean and standard deviation over all headings and
# head angles, 100 to 900 mm away: from the extents of the SDK's mesh (39 mm before the origin, 59 behind, 29
# beside), projected through the lens below.
HEIGHT_NEARER_MM, GROUND_NEARER_MM, TOP_NEARER_MM, HEADING_SIGMA_MM = 27.0, 37.0, 10.0, 11.0
APPARENT_WIDTH_MM, APPARENT_WIDTH_SIGMA_MM = 95.0, 16.0
PIXEL_SIGMA = 2.0  # of a box's edge, in a 360-line image
RELATIVE_SIGMA = 0.04  # of a box's height: what detectors add on top
TILT_SIGMA_RAD = math.radians(1.0)  # of head angle, body pitch and the camera's seat together
BORDER_PX = 3.0  # an edge so near the image's border counts as cut, in a 360-line image


@dataclass(frozen=True)
class Distortion:
    """Radial distortion u = d (1 + k1 d^2 + k2 d^4).

    d is the distance from the centre in pixels over f, u the tangent of the ray's angle to the axis. No
    calibration of Vector's camera is published. These coefficients, with f = 353 px, give its 90 degrees
    across and about 55 down, and the curved edges of real stills; the simulator's lens has the same.
    """

    k1: float = 0.10
    k2: float = 0.03

    def undistort(self, points_px: np.ndarray, intrinsics: Intrinsics) -> np.ndarray:
        """Pixels (N, 2) -> tangents (N, 2) of an ideal pinhole, x right and y down."""
        offset = np.asarray(points_px, float).reshape(-1, 2) - np.asarray(intrinsics.center_xy_px)
        d = offset / np.asarray(intrinsics.focal_xy_px)
        r2 = np.sum(d * d, axis=1, keepdims=True)
        tangents: np.ndarray = d * (1 + self.k1 * r2 + self.k2 * r2 * r2)
        return tangents

    def distort(self, tangents: np.ndarray, intrinsics: Intrinsics) -> np.ndarray:
        """The inverse of `undistort`: tangents (N, 2) -> pixels (N, 2), by Newton's method."""
        u = np.asarray(tangents, float).reshape(-1, 2)
        goal = np.linalg.norm(u, axis=1, keepdims=True)
        d = goal.copy()
        for _ in range(12):
            d -= (d * (1 + self.k1 * d**2 + self.k2 * d**4) - goal) / (
                1 + 3 * self.k1 * d**2 + 5 * self.k2 * d**4
            )
        scaled = u * np.divide(d, goal, out=np.ones_like(d), where=goal > 0)
        pixels: np.ndarray = scaled * np.asarray(intrinsics.focal_xy_px) + np.asarray(intrinsics.center_xy_px)
        return pixels


@dataclass(frozen=True)
class Sighting:
    """Where one box says that a Vector stands, seen from the finder's origin. Bearing is left-positive."""

    bearing_rad: float
    distance_mm: float
    bearing_sigma_rad: float
    distance_sigma_mm: float
    score: float = 1.0


def camera_position_mm(head_angle_rad: float, pitch_rad: float = 0.0) -> tuple[float, float]:
    """Where the lens is, (x, z) from the origin.

    The head angle is up-positive, and so is the pitch of the body (nose up).
    """
    x, z = _turned(*LENS_FROM_PIVOT_XZ_MM, head_angle_rad)
    return _turned(HEAD_PIVOT_XZ_MM[0] + x, HEAD_PIVOT_XZ_MM[1] + z, pitch_rad)


def rays(
    points_px: np.ndarray, intrinsics: Intrinsics, tilt_rad: float, lens: Distortion = Distortion()
) -> tuple[np.ndarray, np.ndarray]:
    """The rays through pixels (N, 2): bearings (N,) in radians, left-positive, and slopes (N,).

    A slope is the rise over the horizontal distance; `tilt_rad` is how far the camera looks up, head angle +
    body pitch.
    """
    tangents = lens.undistort(points_px, intrinsics)
    left, up = -tangents[:, 0], -tangents[:, 1]
    c, s = math.cos(tilt_rad), math.sin(tilt_rad)
    forward, rise = c - up * s, s + up * c
    return np.arctan2(left, forward), rise / np.hypot(left, forward)


def locate(
    box_xyxy: np.ndarray,
    intrinsics: Intrinsics,
    head_angle_rad: float,
    pitch_rad: float = 0.0,
    lens: Distortion = Distortion(),
    score: float = 1.0,
) -> Sighting | None:
    """Where the Vector in a box stands.

    Args:
        box_xyxy: (4,) pixels of the image that `intrinsics` describes.
        intrinsics: of the camera.
        head_angle_rad: up-positive, when the image was taken.
        pitch_rad: of the body then, likewise.
        lens: of the camera.
        score: of the box.

    Returns:
        None when the box is empty, or cannot be a Vector on the ground that the finder stands on (its height
        and its foot contradict each other).
    """
    x1, y1, x2, y2 = (float(side) for side in box_xyxy)
    if not (x2 - x1 >= 1 and y2 - y1 >= 1):
        return None
    width, height = intrinsics.size_wh
    border = BORDER_PX * height / 360
    cut = _Cut(x1 <= border, y1 <= border, x2 >= width - border, y2 >= height - border)
    lens_x, lens_z = camera_position_mm(head_angle_rad, pitch_rad)
    middle = ((x1 + x2) / 2, (y1 + y2) / 2)
    points = np.array([[middle[0], y1], [middle[0], y2], [x1, middle[1]], [x2, middle[1]], middle])
    bearings, slopes = rays(points, intrinsics, head_angle_rad + pitch_rad, lens)
    edge_sigma = PIXEL_SIGMA * (height / 360) / intrinsics.focal_xy_px[1]
    wide = bearings[2] - bearings[3]  # the angle between left and right edge
    estimates = _distances(slopes[0], slopes[1], wide, lens_z, edge_sigma, cut)
    if estimates is None:
        return None
    weights = np.array([1 / max(sigma, 1.0) ** 2 for _, sigma in estimates])
    reach = float(np.dot(weights, [distance for distance, _ in estimates]) / weights.sum())
    sigma = math.hypot(float(weights.sum()) ** -0.5, HEADING_SIGMA_MM)

    bearing, bearing_sigma = float(bearings[4]), math.hypot(edge_sigma, HEADING_SIGMA_MM / reach)
    half_width = math.atan(APPARENT_WIDTH_MM / 2 / reach)
    if cut.left != cut.right and wide < 2 * half_width:  # its middle lies towards, or beyond, the border
        bearing = float(bearings[3]) + half_width if cut.left else float(bearings[2]) - half_width
        bearing_sigma = math.hypot(bearing_sigma, half_width / 3)
    x_mm, y_mm = lens_x + reach * math.cos(bearing), reach * math.sin(bearing)
    return Sighting(math.atan2(y_mm, x_mm), math.hypot(x_mm, y_mm), bearing_sigma, sigma, float(score))


class _Cut(NamedTuple):
    """Which edges of a box the image's border cuts off."""

    left: bool
    top: bool
    right: bool
    bottom: bool


def _distances(
    top: float, bottom: float, wide_rad: float, lens_z: float, edge_sigma: float, cut: _Cut
) -> list[tuple[float, float]] | None:
    """Estimates of the distance (mm) from the lens to the target's origin, each with its standard deviation.

    The unknown heading is not in the latter. None when height and foot contradict each other.

    Args:
        top: slope of the box's upper edge; `bottom` of its lower one.
        bottom: see `top`.
        wide_rad: angle between the box's left and right edge.
        lens_z: the lens's height (mm).
        edge_sigma: standard deviation of an edge's slope.
        cut: which edges the image's border cuts off.
    """
    estimates = []
    if not (cut.top or cut.bottom):
        tall = top - bottom
        by_height = HEIGHT_MM / tall
        height_sigma = by_height * math.hypot(edge_sigma * math.sqrt(2) / tall, RELATIVE_SIGMA)
        foot = -lens_z / by_height  # the slope at which a Vector of this size stands on the ground
        foot_sigma = math.sqrt(TILT_SIGMA_RAD**2 + edge_sigma**2 + (0.25 * foot) ** 2)
        if abs(bottom - foot) > 4 * foot_sigma:
            return None
        estimates.append((by_height + HEIGHT_NEARER_MM, height_sigma))
    ray_sigma = math.hypot(edge_sigma, TILT_SIGMA_RAD)
    if not cut.bottom and bottom < -0.02:
        by_ground = -lens_z / bottom
        estimates.append((by_ground + GROUND_NEARER_MM, by_ground**2 / lens_z * ray_sigma))
    if cut.bottom and not cut.top and top > 0.05 and lens_z < HEIGHT_MM - 10:
        by_top = (HEIGHT_MM - lens_z) / top
        estimates.append((by_top + TOP_NEARER_MM, by_top**2 / (HEIGHT_MM - lens_z) * ray_sigma))
    if not (cut.left or cut.right) and (cut.bottom or not estimates):
        by_width = APPARENT_WIDTH_MM / (2 * math.tan(wide_rad / 2))
        estimates.append((by_width, by_width * APPARENT_WIDTH_SIGMA_MM / APPARENT_WIDTH_MM))
    return estimates or [(80.0, 30.0)]  # cut on all sides: it fills the image


def _turned(x: float, z: float, angle_rad: float) -> tuple[float, float]:
    c, s = math.cos(angle_rad), math.sin(angle_rad)
    return x * c - z * s, x * s + z * c

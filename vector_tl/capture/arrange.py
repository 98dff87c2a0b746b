"""Where a person's hand puts the Vectors for one simulated image.

Distances, bearings, headings, head angles and motion vary from image to image.
"""

import math
from dataclasses import dataclass

import numpy as np

HALF_VIEW_RAD = math.radians(45)
LENS_AHEAD_MM = 6.0  # of the origin
DISTANCE_MM = (90.0, 900.0)
HIDDEN_MM = (110.0, 350.0)  # of those out of view: near, so that small rooms have place for them
HALF_WIDTH_MM = 30.0  # a Vector's half width: how far from its middle the image's edge may cut it

Pose = tuple[float, float, float]  # x_mm, y_mm, heading_rad


@dataclass(frozen=True)
class Arrangement:
    """One image to be taken. The first pose is the viewer's, the others the targets'."""

    poses: tuple[Pose, ...]
    head_rad: float
    lift_mm: float
    wheels_mmps: tuple[float, float]  # left, right; zeros: the image is taken standing


def draw_distance_mm(share: float) -> float:
    """The distance that `share` (0 to 1) of all are below, even in the logarithm.

    As many lie from 90 to 285 mm as from 285 to 900 mm.
    """
    near, far = np.log(DISTANCE_MM)
    return math.exp(near + share * (far - near))


def spread(number: int) -> float:
    """Numbers from 0 on, spread over 0 to 1: multiples of the golden ratio, so that no run leaves a gap."""
    return (0.5 + number * (math.sqrt(5) - 1) / 2) % 1.0


def arrange(
    rng: np.random.Generator, start: Pose, targets: int, distance_mm: float, negative: bool, moving: bool
) -> Arrangement:
    """Draw an arrangement. It may be impossible in its room: the caller then draws another one.

    Args:
        rng: what it is drawn with.
        start: a place that is known to be free; the viewer stands somewhere round it.
        targets: how many other Vectors there are.
        distance_mm: from the viewer's lens to the first of them, when it is in view.
        negative: none of them is to be in view.
        moving: the viewer drives.
    """
    about_mm = 220.0 if rng.random() < 0.6 else 600.0
    x_mm, y_mm = start[0] + rng.normal(0, about_mm), start[1] + rng.normal(0, about_mm)
    heading_rad = rng.uniform(-math.pi, math.pi)
    poses = [(x_mm, y_mm, heading_rad)]
    for target in range(targets):
        if not negative and (target == 0 or rng.random() < 0.15):
            away_mm = distance_mm if target == 0 else draw_distance_mm(rng.random())
            bearing_rad = _bearing_in_view(rng, away_mm)
        else:
            away_mm = rng.uniform(*HIDDEN_MM)
            bearing_rad = math.pi + rng.uniform(-1, 1) * math.radians(115)
        direction = heading_rad + bearing_rad
        poses.append(
            (
                x_mm + LENS_AHEAD_MM * math.cos(heading_rad) + away_mm * math.cos(direction),
                y_mm + LENS_AHEAD_MM * math.sin(heading_rad) + away_mm * math.sin(direction),
                rng.uniform(-math.pi, math.pi),
            )
        )
    return Arrangement(
        poses=tuple(poses),
        head_rad=math.radians(float(np.clip(rng.normal(4, 9), -20, 32))),
        lift_mm=float(rng.uniform(32, 92)) if rng.random() < 0.15 else 32.0,
        wheels_mmps=draw_wheels_mmps(rng) if moving else (0.0, 0.0),
    )


def _bearing_in_view(rng: np.random.Generator, distance_mm: float) -> float:
    """Mostly anywhere across the image; in one of four cases cut by its left or right edge."""
    if rng.random() < 0.75:
        return rng.uniform(-0.95, 0.95) * HALF_VIEW_RAD
    side = -1 if rng.random() < 0.5 else 1
    return side * (HALF_VIEW_RAD + rng.uniform(-0.7, 1.0) * math.atan(HALF_WIDTH_MM / distance_mm))


def draw_wheels_mmps(rng: np.random.Generator) -> tuple[float, float]:
    """Turning on the spot, a bend, or straight."""
    speed = rng.uniform(30, 150) * (1 if rng.random() < 0.7 else -1)
    kind = rng.random()
    if kind < 0.4:
        return -speed / 2, speed / 2
    if kind < 0.7:
        left_is_outside = rng.random() < 0.5
        slower = speed * rng.uniform(0.2, 0.8)
        return (speed, slower) if left_is_outside else (slower, speed)
    return speed, speed


def is_negative(number: int, share: float) -> bool:
    """Whether image `number` (from 0) is one without a Vector: evenly spread, so any count has the share."""
    return math.floor((number + 1) * share) > math.floor(number * share)

"""Harder images: where a hand puts the Vectors in rooms of certain kinds (see `data.kinds.KNOWN_KINDS`).

The camera looks at one of the room's things, and a Vector stands beside or behind that thing. How things,
robots and the view itself look is the simulator's part.
"""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from vector_tl.capture.arrange import HALF_VIEW_RAD, HIDDEN_MM, LENS_AHEAD_MM, Arrangement, Pose

MIXED, EVERYDAY = "mixed", "everyday"
# Kind -> in how many sessions of --kinds mixed. Not drawn together: those of another viewer's own body.
MIXED_SHARES = {
    "screen-off": 0.5,
    "touching": 0.35,
    "clutter": 0.6,
    "occluded": 0.3,
    "cube": 0.35,
    "charger": 0.2,
    "hand": 0.12,
    "person": 0.1,
    "toy": 0.15,
    "other-robot": 0.12,
    "far": 0.12,
    "edge": 0.12,
    "from-behind": 0.12,
    "own-body": 0.2,
    "low-light": 0.12,
    "blur": 0.12,
    "third-person": 0.15,
    "from-above": 0.08,
}
# The same of --kinds everyday: what a careful person would take at home.
EVERYDAY_SHARES = {
    "screen-off": 0.2,
    "touching": 0.15,
    "clutter": 0.3,
    "occluded": 0.1,
    "cube": 0.2,
    "charger": 0.15,
    "hand": 0.06,
    "far": 0.15,
    "edge": 0.1,
    "from-behind": 0.1,
    "own-body": 0.08,
    "low-light": 0.06,
    "blur": 0.06,
}
DRAWN = {MIXED: MIXED_SHARES, EVERYDAY: EVERYDAY_SHARES}
ELSEWHERE = {"third-person", "from-above", "room"}  # the camera is none of a Vector
OF_A_VECTOR = {"own-body", "blur"}
MAX_DRAWN = 5
ABOUT_VECTORS = {"screen-off", "touching", "occluded", "far", "edge", "from-behind"}

ORDINARY_MM = (140.0, 350.0)
NEAR_MM, FAR_MM, ELSEWHERE_MM = (95.0, 700.0), (450.0, 1100.0), (200.0, 700.0)
ASIDE_MM = (38.0, 150.0)  # of a Vector from the edge of the thing beside it
BESIDE_MM, INLINE_MM = (58.0, 68.0), (62.0, 105.0)  # of touching Vectors, from origin to origin
SHOWN = 0.6  # of the Vectors with a dark screen show it, the others stand anyhow
TRIES = 60  # to find a clear place
CLEAR_MM, FLAT_MM = 42.0, 3.0  # from a Vector's origin to the rim of a thing; lower things lie flat


def kinds_of_room(named: tuple[str, ...], seed: int, world: int) -> tuple[str, ...]:
    """The kinds of one session's room: those named, or with mixed or everyday the room's own."""
    if not named or named[0] not in DRAWN:
        return named
    return draw_kinds(np.random.default_rng([seed, world, 6]), DRAWN[named[0]])


def draw_kinds(rng: np.random.Generator, shares: Mapping[str, float]) -> tuple[str, ...]:
    """The kinds of one session, by the share of the sessions that have each; at least one."""
    drawn = [kind for kind, share in shares.items() if rng.random() < share]
    if ELSEWHERE & set(drawn):
        drawn = [kind for kind in drawn if kind not in OF_A_VECTOR]
    kept = sorted(rng.permutation(len(drawn))[:MAX_DRAWN])
    return tuple(drawn[number] for number in kept) or ("ordinary",)


def arrange_harder(
    rng: np.random.Generator,
    start: Pose,
    targets: int,
    negative: bool,
    moving: tuple[float, float] | None,
    kinds: Sequence[str],
    things: Sequence[dict[str, Any]],
    ground_mm: tuple[float, float] = (math.inf, math.inf),
) -> Arrangement:
    """Draw an arrangement. It may be impossible in its room: the caller then draws another one.

    Args:
        rng: what it is drawn with.
        start: a place that is known to be free.
        targets: how many other Vectors there are.
        negative: none of them is to be in view.
        moving: treads' speeds (mm/s) with which the viewer drives; None: it stands.
        kinds: of the room.
        things: of the room, see `GroundTruth.world`.
        ground_mm: half of the ground's size, x and y.
    """
    standing = [thing for thing in things if thing["height_mm"] > FLAT_MM]
    for _ in range(TRIES):
        subject, viewer, direction = _subject_and_viewer(rng, start, kinds, things)
        if _is_clear(viewer, standing, ground_mm) and (negative or _is_clear(subject, standing, ground_mm)):
            break
    poses = [viewer]
    if not negative:
        poses.append((*subject, _facing(rng, kinds, direction)))
    together = 0 if negative else _together(rng, kinds, targets)
    while len(poses) <= targets:
        in_group = not negative and len(poses) <= together
        for _ in range(TRIES):
            pose = _next_to(rng, poses[-1], direction) if in_group else _hidden(rng, viewer)
            if _is_clear(pose, standing, ground_mm):
                break
        poses.append(pose)
    own_body = "own-body" in kinds
    return Arrangement(
        poses=tuple(poses),
        head_rad=math.radians(float(rng.uniform(-20, 8) if own_body else np.clip(rng.normal(4, 9), -20, 32))),
        lift_mm=float(rng.uniform(45, 92)) if own_body or rng.random() < 0.15 else 32.0,
        wheels_mmps=moving or (0.0, 0.0),
    )


def _subject_and_viewer(
    rng: np.random.Generator, start: Pose, kinds: Sequence[str], things: Sequence[dict[str, Any]]
) -> tuple[tuple[float, float], Pose, float]:
    """Where a Vector is to stand, the camera that looks there, and the direction from here to there."""
    thing = things[int(rng.integers(len(things)))] if things else None
    subject = _beside(rng, thing) if thing else (start[0] + rng.normal(0, 150), start[1] + rng.normal(0, 150))
    away_mm = _distance_mm(rng, kinds)
    direction = rng.uniform(-math.pi, math.pi)  # from the camera to the subject
    if thing and "occluded" in kinds:
        across = math.atan2(subject[1] - thing["y_mm"], subject[0] - thing["x_mm"])
        direction = across + rng.normal(0, 0.3)
    bearing = _bearing(rng, kinds, away_mm)
    heading = direction - bearing
    lens = (subject[0] - away_mm * math.cos(direction), subject[1] - away_mm * math.sin(direction))
    viewer = (
        lens[0] - LENS_AHEAD_MM * math.cos(heading),
        lens[1] - LENS_AHEAD_MM * math.sin(heading),
        heading,
    )
    return subject, viewer, direction


def _facing(rng: np.random.Generator, kinds: Sequence[str], direction: float) -> float:
    """Away from the camera, or so that its screen is seen; else anywhere."""
    anywhere = rng.uniform(-math.pi, math.pi)
    if "from-behind" in kinds:
        return direction + rng.normal(0, 0.6)
    if "ordinary" in kinds or ("screen-off" in kinds and rng.random() < SHOWN):
        return direction + math.pi + rng.normal(0, 0.6)
    return anywhere


def _beside(rng: np.random.Generator, thing: dict[str, Any]) -> tuple[float, float]:
    """A place at the side of a thing."""
    away_mm = max(thing["half_x_mm"], thing["half_y_mm"]) + rng.uniform(*ASIDE_MM)
    direction = rng.uniform(-math.pi, math.pi)
    return thing["x_mm"] + away_mm * math.cos(direction), thing["y_mm"] + away_mm * math.sin(direction)


def _distance_mm(rng: np.random.Generator, kinds: Sequence[str]) -> float:
    """From the camera to the subject, even in the logarithm."""
    if "ordinary" in kinds:
        return float(rng.uniform(*ORDINARY_MM))
    low, high = FAR_MM if "far" in kinds else ELSEWHERE_MM if ELSEWHERE & set(kinds) else NEAR_MM
    return float(math.exp(rng.uniform(math.log(low), math.log(high))))


def _bearing(rng: np.random.Generator, kinds: Sequence[str], away_mm: float) -> float:
    """Left positive, from the middle of the view."""
    if "edge" in kinds:
        side = -1 if rng.random() < 0.5 else 1
        return side * (HALF_VIEW_RAD + rng.uniform(-0.7, 1.0) * math.atan(30.0 / away_mm))
    if "ordinary" in kinds:
        return rng.uniform(-0.5, 0.5) * HALF_VIEW_RAD
    reach = 0.3 if ELSEWHERE & set(kinds) else 0.9
    return rng.uniform(-reach, reach) * HALF_VIEW_RAD


def _together(rng: np.random.Generator, kinds: Sequence[str], targets: int) -> int:
    """How many Vectors are in view: side by side where they are to touch, now and then elsewhere."""
    if "ordinary" in kinds:
        return 1
    most = targets if "touching" in kinds or rng.random() < 0.15 else 1
    return min(most, 2 if rng.random() < 0.7 else 3)


def _next_to(rng: np.random.Generator, other: Pose, direction: float) -> Pose:
    """A Vector that touches another one or nearly so: beside it, or in line with the camera."""
    x_mm, y_mm, heading = other
    case = rng.random()
    if case < 0.45:  # flank to flank
        side = heading + (math.pi / 2 if rng.random() < 0.5 else -math.pi / 2)
        turned = heading + rng.normal(0, 0.15) + (math.pi if rng.random() < 0.3 else 0.0)
        return (*_from(x_mm, y_mm, side + rng.normal(0, 0.1), rng.uniform(*BESIDE_MM)), turned)
    along = direction + rng.normal(0, 0.6) if case < 0.8 else rng.uniform(-math.pi, math.pi)
    return (*_from(x_mm, y_mm, along, rng.uniform(*INLINE_MM)), rng.uniform(-math.pi, math.pi))


def _hidden(rng: np.random.Generator, viewer: Pose) -> Pose:
    """Behind the camera."""
    direction = viewer[2] + math.pi + rng.uniform(-1, 1) * math.radians(115)
    return (*_from(viewer[0], viewer[1], direction, rng.uniform(*HIDDEN_MM)), rng.uniform(-math.pi, math.pi))


def _is_clear(
    place: Sequence[float], things: Sequence[dict[str, Any]], ground_mm: tuple[float, float]
) -> bool:
    """Whether a Vector at a place (x, y, ...) is on the ground and stands in no thing, or only just."""
    on_ground = all(abs(at) < half - CLEAR_MM for at, half in zip(place, ground_mm))
    return on_ground and all(_gap_mm(place, thing) > CLEAR_MM for thing in things)


def _gap_mm(place: Sequence[float], thing: dict[str, Any]) -> float:
    """From a place (x, y, ...) to a thing's rim; 0 inside it."""
    dx, dy = place[0] - thing["x_mm"], place[1] - thing["y_mm"]
    if thing["round"]:
        return max(math.hypot(dx, dy) - thing["half_x_mm"], 0.0)
    c, s = math.cos(thing["heading_rad"]), math.sin(thing["heading_rad"])
    along, across = abs(c * dx + s * dy) - thing["half_x_mm"], abs(c * dy - s * dx) - thing["half_y_mm"]
    return math.hypot(max(along, 0.0), max(across, 0.0))


def _from(x_mm: float, y_mm: float, direction: float, away_mm: float) -> tuple[float, float]:
    return x_mm + away_mm * math.cos(direction), y_mm + away_mm * math.sin(direction)

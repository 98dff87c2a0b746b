"""A Vector's body: its measures, and where its wheels take it.

Lengths in mm, angles in radians, forward, left and up positive, from the origin of the SDK's poses: the front
axle on the ground. `sim` and `find` read the same figures here. Most of them are from the firmware
(os-vector/wire-os-victor at e3417d1, `cozmoConfig.h`); docs/simulator.md names the lines.
"""

import math

Pose = tuple[float, float, float]  # x (mm), y (mm), heading (rad) on the ground

# Measured on the SDK's mesh, lift down: how far it reaches around the origin.
REACH_BEHIND_MM, REACH_BEFORE_MM, HALF_WIDTH_MM, HEIGHT_MM = 59.0, 39.0, 29.0, 67.5
DRIVE_CENTER_X_MM = -25.0  # it turns about this point (DRIVE_CENTER_OFFSET)
TRACK_MM = 46.0  # between the treads' middle lines (WHEEL_DIST_MM)
MAX_WHEEL_MMPS = 220.0
# x, y under the body: front pair, back pair.
CLIFF_SENSORS_MM = ((2.0, 14.0), (2.0, -14.0), (-50.0, 14.0), (-50.0, -14.0))
# It falls once this point is over an edge: an assumption. At the fastest at which the firmware calls driving
# towards an edge safe, it then stops just in time (see `WHEEL_ACCEL_MMPS2`).
BALANCE_X_MM = -18.0
SAFE_EDGE_MMPS = 170.0  # "safe" by the firmware's own word (proxSensors.cpp)
# How fast a wheel itself speeds up and slows down. The firmware takes a new speed at once as what the wheel
# is to do, and a controller (PI, 200 times a second) brings the wheel there; how soon is not published. With
# this figure 170 mm/s are gone within 14.5 of the 20 mm from the front cliff sensors to `BALANCE_X_MM`, and
# 220 mm/s are not gone within them, as the firmware's limit has it.
WHEEL_ACCEL_MMPS2 = 1000.0
TICK_MS = 60  # of the engine: it sends a state, takes in calls, and answers a stop at a cliff
# Time-of-flight sensor in the chest: where it sits, and between which distances it reports an obstacle.
RANGE_X_MM, RANGE_MIN_MM, RANGE_MAX_MM = 20.0, 30.0, 400.0
# From a sensor's place over an edge to where it falls, driving forward and backward.
EDGE_ROOM_MM = (CLIFF_SENSORS_MM[0][0] - BALANCE_X_MM, BALANCE_X_MM - CLIFF_SENSORS_MM[2][0])


def arc(x: float, y: float, heading: float, forward: float, turn: float) -> Pose:
    """The pose at the end of a circular arc, `forward` (mm) long, that turns left by `turn` (rad); exact."""
    half = turn / 2
    chord = forward * (math.sin(half) / half if abs(half) > 1e-9 else 1.0)
    return (
        x + chord * math.cos(heading + half),
        y + chord * math.sin(heading + half),
        math.remainder(heading + turn, math.tau),
    )


def ahead(pose: Pose, x_mm: float) -> Pose:
    """The pose of a point on the body's middle line, `x_mm` before the origin."""
    x, y, heading = pose
    return x + x_mm * math.cos(heading), y + x_mm * math.sin(heading), heading


def fastest_before_edge_mmps(reaction_s: float, room_mm: float = EDGE_ROOM_MM[0]) -> float:
    """The speed v at which v t + v^2 / 2a, reaction and braking, just use up the room to an edge.

    Args:
        reaction_s: from a sensor over the edge to wheels that begin to slow down.
        room_mm: from there to where it falls.
    """
    a = WHEEL_ACCEL_MMPS2
    return a * (math.sqrt(reaction_s**2 + 2 * room_mm / a) - reaction_s)


def driven(pose: Pose, forward: float, turn: float) -> Pose:
    """Where the origin comes when the treads move the drive centre on by an arc.

    Args:
        pose: of the origin.
        forward: length of the drive centre's arc (mm).
        turn: how far it turns left (rad).
    """
    return ahead(arc(*ahead(pose, DRIVE_CENTER_X_MM), forward, turn), -DRIVE_CENTER_X_MM)

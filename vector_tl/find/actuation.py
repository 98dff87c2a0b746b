"""From a mode to speeds: how fast to approach, how fast speeds may rise, and where the head looks."""

import math
from dataclasses import replace

from vector_tl.find.geometry import camera_position_mm
from vector_tl.find.memory import Law, Memory, Observation
from vector_tl.find.track import Target, aim_rad
from vector_tl.robot.body import DRIVE_CENTER_X_MM, HEIGHT_MM, TRACK_MM

HALF_TRACK_MM = TRACK_MM / 2


def approach(seen: Observation, target: Target, law: Law, backing: bool = True) -> tuple[float, float]:
    """Forward speed (mm/s) and turning speed (rad/s, left-positive) towards the stop distance.

    Both are proportional to what will be left of distance, and of the turn that faces the target, once the
    command takes effect: until then the finder moves on as it does, about its drive centre. When following,
    the target's own speed is added, so that at the stop distance both drive alike.
    """
    away, across = 0.0, 0.0
    if law.follow:
        away, across = target.lead(seen.heading_rad, law.quiet_mmps, law.lead_mmps)
    then = seen.pose.after(law.dead_time_s, seen.forward_mmps, seen.turn_radps)
    distance_mm, bearing_rad = then.polar(target.x_mm, target.y_mm)
    left_mm, left_rad = distance_mm - law.stop_mm, aim_rad(distance_mm, bearing_rad)
    swing_radps = across / (max(target.distance_mm, law.stop_mm) - DRIVE_CENTER_X_MM)

    turn = 0.0
    if abs(left_rad) >= 0.6 * law.tight_rad or swing_radps:
        turn = limited(law.turn_gain_per_s * left_rad + swing_radps, law.top_radps)
    forward = 0.0
    if abs(left_mm) > 0.6 * law.tight_mm or away:
        back_mmps = law.back_mmps if backing else 0.0
        forward = min(max(law.gain_per_s * left_mm + away, -back_mmps), law.top_mmps)
        forward *= max(0.0, 1 - abs(left_rad) / math.radians(30))  # turn, then drive
        if abs(left_rad) < math.radians(15) and abs(forward) < law.min_mmps and (left_mm > 0 or backing):
            forward = math.copysign(law.min_mmps, left_mm)
    if turn and abs(turn) * HALF_TRACK_MM < law.min_mmps and not forward:
        turn = math.copysign(law.min_mmps / HALF_TRACK_MM, turn)

    fresh = freshness(seen) * min(max((0.5 - target.age_s) / 0.3, 0.0), 1.0)
    return forward * fresh, turn * fresh


def smooth(memory: Memory, seen: Observation, law: Law, forward: float, turn: float) -> Memory:
    """Remember the speeds to command.

    They rise no faster than the law allows; slowing down is never delayed.
    """
    rise = law.accel_mmps2 * min(max(seen.now_s - memory.last_s, 0.0), 0.2)
    forward = _rising(memory.forward_mmps, forward, rise)
    turn = _rising(memory.turn_radps, turn, rise / HALF_TRACK_MM)
    clear_rad = memory.clear_rad if seen.cliff else seen.heading_rad
    return replace(memory, last_s=seen.now_s, forward_mmps=forward, turn_radps=turn, clear_rad=clear_rad)


def _rising(now: float, wanted: float, rise: float) -> float:
    base = now if now * wanted > 0 else 0.0
    return wanted if abs(wanted) <= abs(base) else limited(wanted, abs(base) + rise)


def freshness(seen: Observation) -> float:
    """1 while frames are fresh, down to 0 at the age at which the guard would stop the wheels (350 ms).

    Less, too, with the frames' latency: 0 from a second on.
    """
    return min(max((0.35 - seen.frame_age_s) / 0.2, 0.0), 1.0) * min(max(1.0 - seen.delay_s, 0.0), 1.0)


def head_angle(seen: Observation, law: Law) -> float:
    """The head angle (rad) that keeps the target in the image's middle; level while there is no target."""
    if seen.target is None:
        return 0.0
    reach = max(seen.target.distance_mm - 45.0, 30.0)
    lens_z = camera_position_mm(0.0)[1]
    middle = (math.atan2(HEIGHT_MM - lens_z, reach) + math.atan2(-lens_z, reach)) / 2
    return min(max(middle, law.head_limits_rad[0]), law.head_limits_rad[1])


def limited(value: float, limit: float) -> float:
    """`value`, but not farther from 0 than `limit`."""
    return min(max(value, -limit), limit)

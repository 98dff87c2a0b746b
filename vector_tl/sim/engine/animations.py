"""How the body moves while an animation plays.

The robot's own are made by artists and are not public; here each name stands for a gesture drawn from the
name.
"""

import math
import zlib

import numpy as np

from vector_tl.sim.engine import routine
from vector_tl.sim.world.body import HEAD_RANGE_RAD, LIFT_RANGE_RAD

DURATION_MS = 2000
GESTURES = 3
HEAD_RAD, LIFT_RAD, TURN_RAD = 0.25, 0.4, 0.12  # how far a gesture goes at most
TURNS = {"anim_turn_left_01": math.pi / 2, "anim_turn_right_01": -math.pi / 2}


def play(
    robot: routine.Performer, name: str, loops: int, head: bool = True, lift: bool = True, body: bool = True
) -> routine.Steps:
    """The gesture of an animation, `loops` times; head and lift end where they were.

    Args:
        robot: what moves.
        name: of the animation.
        loops: how often; once for less than 1.
        head: whether the head moves.
        lift: whether the lift moves.
        body: whether the treads move.
    """
    for _ in range(max(loops, 1)):
        start_ms = robot.world.t_ms
        head_rad, lift_rad = robot.body.head.angle_rad, robot.body.lift.angle_rad
        rng = np.random.default_rng(zlib.crc32(name.encode()))
        turns = body and not robot.body.on_charger and not robot.body.off_treads
        if turns and name in TURNS:
            yield routine.turn(TURNS[name], 2.0)
        for _ in range(GESTURES):
            draws = rng.uniform(-1.0, 1.0, 3)
            if head:
                yield routine.head(float(np.clip(head_rad + HEAD_RAD * draws[0], *HEAD_RANGE_RAD)), 4.0)
            if lift:
                yield routine.lift(float(np.clip(lift_rad + LIFT_RAD * abs(draws[1]), *LIFT_RANGE_RAD)), 6.0)
            if turns:
                yield routine.turn(TURN_RAD * float(draws[2]), 2.0)
                yield routine.turn(-TURN_RAD * float(draws[2]), 2.0)
        if head:
            yield routine.head(head_rad, 4.0)
        if lift:
            yield routine.lift(lift_rad, 6.0)
        yield routine.wait(max(DURATION_MS - (robot.world.t_ms - start_ms), 0))
    return None

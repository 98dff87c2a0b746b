"""Targets that move by themselves: they wander, spin or flee, and keep off edges, walls, things and Vectors.

A mover thinks ten times a second of the world's time. It continues its manoeuvre while the way ahead is
clear, else it draws another one. All draws come from the world's seed, so that the same world with the same
finder moves the same way.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from vector_tl.robot.body import TRACK_MM, driven
from vector_tl.sim.world.body import Body
from vector_tl.sim.world.scene import Pose

THINK_MS = 100
ACCEL_MMPS2 = 300.0
SPEED_MMPS = (30.0, 80.0)  # how fast a real Vector drives by itself
TREADS_MMPS = (24.0, 55.0)  # while it turns on the spot: 1 to 2.3 rad/s
DRIVE_MARGINS_MM = (40.0, 60.0)  # kept from edges, walls and things; from other Vectors
TURN_MARGINS_MM = (8.0, 15.0)  # a turn on the spot swings the nose only
AHEAD_S, STEP_S = 0.6, 0.2  # how far it looks ahead on its way, and in which steps
TRIES = 12
ALARM_MM, CALM_MM = 300.0, 420.0  # it flees from a robot nearer than this, until the robot is so far away

# How much is free around a pose (mm): to edges, walls and things; to other Vectors.
Clearance = Callable[[Pose], tuple[float, float]]


@dataclass(frozen=True)
class Manoeuvre:
    """Tread speeds until a time of the world."""

    left_mmps: float
    right_mmps: float
    until_ms: float

    @property
    def still(self) -> bool:
        """Whether it is a pause."""
        return self.left_mmps == self.right_mmps == 0.0

    def after(self, pose: Pose, s: float) -> Pose:
        """The pose that it leads to within `s` seconds."""
        forward_mmps = (self.left_mmps + self.right_mmps) / 2
        turn_radps = (self.right_mmps - self.left_mmps) / TRACK_MM
        return driven(pose, forward_mmps * s, turn_radps * s)


def _pause(until_ms: float) -> Manoeuvre:
    return Manoeuvre(0.0, 0.0, until_ms)


def _spot_turn(treads_mmps: float, until_ms: float) -> Manoeuvre:
    """A turn on the spot, to the left when positive."""
    return Manoeuvre(-treads_mmps, treads_mmps, until_ms)


class Mover:
    """Drives one target's body."""

    def __init__(self, motion: str, seed: int, index: int):
        """`motion` is wander, spin or flee; a target that stands needs no mover."""
        self._rng = np.random.default_rng([seed, 5, index])
        self._draw = {"wander": self._wander, "spin": self._spin, "flee": self._wander}[motion]
        self._flees, self._afraid = motion == "flee", False
        self._now = _pause(0.0)

    def think(self, t_ms: int, body: Body, clearance: Clearance, robots: list[Pose]) -> None:
        """Set the treads for the next moment.

        Args:
            t_ms: the world's time.
            body: whose treads.
            clearance: how much is free around a pose.
            robots: poses of those that it may flee from.
        """
        if body.off_treads:
            self._now = _pause(0.0)
            return
        pose = body.pose
        if self._flees and self._alarmed(pose, robots):
            self._now = self._away(t_ms, pose, clearance, robots)
        elif t_ms >= self._now.until_ms or not _clear(self._now, pose, clearance):
            drawn = (self._draw(t_ms) for _ in range(TRIES))
            self._now = next((one for one in drawn if _clear(one, pose, clearance)), _pause(t_ms + 300))
        wanted = (self._now.left_mmps, self._now.right_mmps)
        if body.wanted_mmps != wanted:
            body.drive(*wanted, ACCEL_MMPS2, ACCEL_MMPS2)

    def _wander(self, t_ms: int) -> Manoeuvre:
        """A stretch of way, straight or bent; or a turn; or a pause."""
        kind = self._rng.random()
        if kind < 0.25:
            return _pause(t_ms + self._rng.uniform(400, 2000))
        if kind < 0.5:
            return self._turn(t_ms, self._rng.uniform(0.5, 2.5))
        speed, bend = self._rng.uniform(*SPEED_MMPS), self._rng.uniform(-0.5, 0.5) * TRACK_MM / 2
        return Manoeuvre(speed - bend, speed + bend, t_ms + self._rng.uniform(1000, 5000))

    def _spin(self, t_ms: int) -> Manoeuvre:
        """A turn on the spot, up to twice round; or a pause."""
        if self._rng.random() < 0.3:
            return _pause(t_ms + self._rng.uniform(300, 1500))
        return self._turn(t_ms, self._rng.uniform(1.5, 12.0))

    def _turn(self, t_ms: int, angle_rad: float) -> Manoeuvre:
        treads = self._rng.uniform(*TREADS_MMPS)
        side = 1.0 if self._rng.random() < 0.5 else -1.0
        return _spot_turn(side * treads, t_ms + 1000 * angle_rad * TRACK_MM / 2 / treads)

    def _alarmed(self, pose: Pose, robots: list[Pose]) -> bool:
        """Whether a robot is too near; it calms down only when the robot is well away."""
        nearest = min((math.dist(pose[:2], robot[:2]) for robot in robots), default=math.inf)
        was, self._afraid = self._afraid, nearest < (CALM_MM if self._afraid else ALARM_MM)
        if was and not self._afraid:
            self._now = _pause(0.0)  # the next manoeuvre is drawn anew
        return self._afraid

    def _away(self, t_ms: int, pose: Pose, clearance: Clearance, robots: list[Pose]) -> Manoeuvre:
        """The way that leads farthest from the robots within the next moments; cornered, it stands still."""
        top = SPEED_MMPS[1]
        ways = [Manoeuvre(top - bend, top + bend, t_ms) for bend in (0.0, -15.0, 15.0, -30.0, 30.0)]
        ways += [_spot_turn(side * TREADS_MMPS[1], t_ms) for side in (1.0, -1.0)]

        def away_mm(place: Pose) -> float:
            return min(math.dist(place[:2], robot[:2]) for robot in robots)

        def gain(way: Manoeuvre) -> float:
            spot = way.left_mmps + way.right_mmps == 0
            # The worth of a turn is where it then lets it drive.
            there = driven(way.after(pose, (2 if spot else 1) * AHEAD_S), top * AHEAD_S, 0.0)
            if not all(free >= least for free, least in zip(clearance(there), TURN_MARGINS_MM, strict=True)):
                return -math.inf
            same = (way.left_mmps, way.right_mmps) == (self._now.left_mmps, self._now.right_mmps)
            return away_mm(there) + (10.0 if same else 0.0)  # a bonus against dithering

        best = max((way for way in ways if _clear(way, pose, clearance)), key=gain, default=None)
        return best if best is not None and gain(best) > away_mm(pose) else _pause(t_ms)


def _clear(manoeuvre: Manoeuvre, pose: Pose, clearance: Clearance) -> bool:
    """Whether the way ahead keeps its margins or, where they are not kept already, comes no nearer."""
    if manoeuvre.still:
        return True
    margins = DRIVE_MARGINS_MM if manoeuvre.left_mmps + manoeuvre.right_mmps else TURN_MARGINS_MM
    least = [min(margin, free) for margin, free in zip(margins, clearance(pose), strict=True)]
    steps = range(1, round(AHEAD_S / STEP_S) + 1)
    return all(
        free >= kept
        for step in steps
        for free, kept in zip(clearance(manoeuvre.after(pose, step * STEP_S)), least, strict=True)
    )

"""One Vector followed through noise, missed frames and the finder's own motion.

Sightings are turned into points of the odometry's frame, the one in which the finder knows its own pose;
there a standing target stands still however the finder turns. Each track is a Kalman filter with constant
velocity. A track is confirmed after two sure sightings, with scores above the threshold, or as much evidence
of weak ones, and kept by either through misses: by time, not by number of frames (so does ByteTrack, Zhang et
al., 2022, which keeps tracks by boxes below the threshold). Whether it was sure lately, the target says.
"""

import math
from dataclasses import dataclass

import numpy as np

from vector_tl.find.geometry import Sighting
from vector_tl.robot.body import DRIVE_CENTER_X_MM, driven

CONFIRM_EVIDENCE = 2.0  # a sure sighting counts 1
WEAK_EVIDENCE = 0.5  # a weak one: images that follow one another err alike
WEAK_ODDS = 1 / 6  # of a weak score at least, as a share of the threshold's odds
HOLD_S = 0.5  # a track that was not seen for so long is lost
GATE_SIGMA = 3.5  # a sighting farther from the prediction belongs to somebody else
ACCELERATION_MMPS2 = 40.0  # how briskly a target is expected to change its speed
START_SPEED_MMPS = 30.0
MAX_DELAY_S = 5.0  # no image takes longer from the camera
MAX_AHEAD_S = 0.12  # two states: no motion is carried on for longer


@dataclass(frozen=True)
class Pose:
    """Where the finder is, by its odometry."""

    x_mm: float
    y_mm: float
    heading_rad: float

    @property
    def triple(self) -> tuple[float, float, float]:
        """The same as x, y, heading."""
        return self.x_mm, self.y_mm, self.heading_rad

    def after(self, s: float, forward_mmps: float, turn_radps: float) -> "Pose":
        """Where it is `s` seconds on, at these speeds of its drive centre (25 mm behind the origin)."""
        if s <= 0.0:
            return self
        s = min(s, MAX_AHEAD_S)
        return Pose(*driven(self.triple, forward_mmps * s, turn_radps * s))

    def polar(self, x_mm: float, y_mm: float) -> tuple[float, float]:
        """Distance (mm) and bearing (rad, left-positive) of a place, from the origin."""
        dx, dy = x_mm - self.x_mm, y_mm - self.y_mm
        return math.hypot(dx, dy), math.remainder(math.atan2(dy, dx) - self.heading_rad, math.tau)


@dataclass(frozen=True)
class Target:
    """The followed Vector as seen from the finder now: bearing left-positive, distance origin to origin."""

    bearing_rad: float
    distance_mm: float
    bearing_sigma_rad: float
    distance_sigma_mm: float
    x_mm: float  # in the odometry's frame
    y_mm: float
    age_s: float  # since an image came that showed it
    sightings: int  # so far
    vx_mmps: float = 0.0  # its own speed, in the same frame
    vy_mmps: float = 0.0
    sure: bool = True  # whether a score was above the threshold within the last `HOLD_S`

    def lead(self, heading_rad: float, quiet_mmps: float, max_mmps: float) -> tuple[float, float]:
        """Its own speed, away from a finder of that heading and across to the finder's left (mm/s).

        `quiet_mmps` of noise are taken off, and no more than `max_mmps` is left.
        """
        along = heading_rad + self.bearing_rad
        c, s = math.cos(along), math.sin(along)
        ways = c * self.vx_mmps + s * self.vy_mmps, c * self.vy_mmps - s * self.vx_mmps
        away, across = (math.copysign(min(max(abs(way) - quiet_mmps, 0.0), max_mmps), way) for way in ways)
        return away, across


def weak_score(threshold: float) -> float:
    """The lowest score of a box that is worth a closer look, for a confidence threshold of 0 to 1."""
    return WEAK_ODDS * threshold / (WEAK_ODDS * threshold + 1 - threshold)


def aim_rad(distance_mm: float, bearing_rad: float) -> float:
    """How far to turn about the drive centre to face what is at this distance and bearing of the origin."""
    left_mm = distance_mm * math.sin(bearing_rad)
    return math.atan2(left_mm, distance_mm * math.cos(bearing_rad) - DRIVE_CENTER_X_MM)


class Track:
    """A Kalman filter over (x, y, vx, vy) in mm and mm/s, and the evidence that it is of a Vector."""

    def __init__(self, t_s: float, point: np.ndarray, covariance: np.ndarray, score: float, sure: bool):
        self.mean = np.array([*point, 0.0, 0.0])  # (4,)
        self.covariance = np.zeros((4, 4))
        self.covariance[:2, :2] = covariance
        self.covariance[2:, 2:] = np.eye(2) * START_SPEED_MMPS**2
        self.t_s = self.seen_s = t_s
        self.sightings, self.score = 0, score
        self.evidence, self.sure_s = 0.0, -math.inf
        self._count(t_s, score, sure)

    def predict(self, t_s: float) -> None:
        """Move on to `t_s`; an earlier time changes nothing."""
        dt = max(0.0, t_s - self.t_s)
        self.t_s = max(self.t_s, t_s)
        step = np.eye(4)
        step[0, 2] = step[1, 3] = dt
        push = np.array([[dt * dt / 2, 0], [0, dt * dt / 2], [dt, 0], [0, dt]])  # (4, 2)
        push *= ACCELERATION_MMPS2  # white acceleration
        self.mean = step @ self.mean
        self.covariance = step @ self.covariance @ step.T + push @ push.T

    def misfit(self, point: np.ndarray, covariance: np.ndarray) -> float:
        """Mahalanobis distance of a sighting from the prediction, in standard deviations."""
        gap = point - self.mean[:2]
        return float(math.sqrt(gap @ np.linalg.solve(self.covariance[:2, :2] + covariance, gap)))

    def update(self, t_s: float, point: np.ndarray, covariance: np.ndarray, score: float, sure: bool) -> None:
        """Take in a sighting at `t_s`: point (2,) in mm and its covariance (2, 2)."""
        gain = self.covariance[:, :2] @ np.linalg.inv(self.covariance[:2, :2] + covariance)  # (4, 2)
        self.mean = self.mean + gain @ (point - self.mean[:2])
        self.covariance = self.covariance - gain @ self.covariance[:2]
        self._count(t_s, score, sure)

    def _count(self, t_s: float, score: float, sure: bool) -> None:
        self.seen_s, self.score = t_s, 0.5 * (self.score + score)
        self.sure_s = t_s if sure else self.sure_s
        self.evidence += 1.0 if sure else WEAK_EVIDENCE
        self.sightings += 1


class Tracker:
    """Chooses one Vector and stays with it.

    `target` says where it is, `candidate` whether something waits to be confirmed.

    Args:
        threshold: a sighting with a higher score is a sure one.
    """

    def __init__(self, threshold: float = 0.0) -> None:
        self._threshold = threshold
        self._target: Track | None = None
        self._candidates: list[Track] = []
        self._delay_s = 0.0

    def reset(self) -> None:
        """Forget everything: the odometry's frame has changed (picked up, other room)."""
        self._target, self._candidates = None, []

    def update(self, t_s: float, pose: Pose, sightings: list[Sighting], delay_s: float = 0.0) -> None:
        """Take in what one image showed.

        Args:
            t_s: when the image was taken; not before the previous call's.
            pose: the finder's pose at that time.
            sightings: one for each box.
            delay_s: how long the image took; images that are always late are no reason to lose a target.
        """
        self._delay_s = delay_s
        if self._target is not None and t_s - self._target.seen_s > HOLD_S:
            self._target = None
        self._candidates = [track for track in self._candidates if t_s - track.seen_s <= HOLD_S]
        tracks = [track for track in (self._target, *self._candidates) if track is not None]
        for track in tracks:
            track.predict(t_s)
        left = [(*_point(pose, s), s.score, s.score > self._threshold) for s in sightings]
        for track in tracks:  # the target first: whose box is nearest to its prediction
            fits = [(track.misfit(*sighting[:2]), index) for index, sighting in enumerate(left)]
            misfit, index = min(fits, default=(math.inf, -1))
            if misfit <= GATE_SIGMA:
                track.update(t_s, *left.pop(index))
        self._candidates += [Track(t_s, *sighting) for sighting in left]
        if self._target is None:
            ready = [track for track in self._candidates if track.evidence >= CONFIRM_EVIDENCE]
            if ready:  # the nearest that is surely seen
                here = (pose.x_mm, pose.y_mm)
                self._target = min(
                    ready, key=lambda track: math.dist(track.mean[:2], here) * (1.5 - min(track.score, 1.0))
                )
                self._candidates.remove(self._target)

    def target(self, t_s: float, pose: Pose) -> Target | None:
        """The followed Vector from `pose` at `t_s`; None without one that was seen within `HOLD_S`."""
        track = self._target
        if track is None or t_s - self._delay_s - track.seen_s > HOLD_S:
            return None
        ahead = max(0.0, t_s - track.t_s)
        x, y = track.mean[:2] + track.mean[2:] * ahead
        distance, bearing = pose.polar(float(x), float(y))
        line = np.array([x - pose.x_mm, y - pose.y_mm]) / max(distance, 1e-6)
        spread = track.covariance[:2, :2]
        variance = float(line @ spread @ line)
        along = math.sqrt(max(0.0, variance))
        across = math.sqrt(max(0.0, float(spread.trace()) - variance))
        age_s, (vx, vy) = max(0.0, t_s - self._delay_s - track.seen_s), map(float, track.mean[2:])
        return Target(
            bearing,
            distance,
            math.atan2(across, distance),
            along,
            float(x),
            float(y),
            age_s,
            track.sightings,
            vx,
            vy,
            sure=t_s - self._delay_s - track.sure_s <= HOLD_S,
        )

    def candidate(self, t_s: float) -> bool:
        """Whether something was just seen that is not yet confirmed: worth standing still for."""
        return any(t_s - self._delay_s - track.seen_s < HOLD_S / 2 for track in self._candidates)


def _point(pose: Pose, sighting: Sighting) -> tuple[np.ndarray, np.ndarray]:
    """A sighting as a point (2,) of the odometry's frame and its covariance (2, 2)."""
    angle = pose.heading_rad + sighting.bearing_rad
    c, s = math.cos(angle), math.sin(angle)
    along, across = np.array([c, s]), np.array([-s, c])
    point = np.array([pose.x_mm, pose.y_mm]) + sighting.distance_mm * along
    across_sigma = sighting.distance_mm * sighting.bearing_sigma_rad
    covariance = sighting.distance_sigma_mm**2 * np.outer(along, along)
    return point, covariance + across_sigma**2 * np.outer(across, across)


class PoseHistory:
    """Where the finder was during the last second or so, to place an image that was taken a moment ago."""

    def __init__(self, keep: int = 60):
        self._keep = keep
        # Each: time, x, y, heading (unwrapped), head angle + pitch.
        self._rows: list[tuple[float, float, float, float, float]] = []
        self._speeds = (0.0, 0.0)  # of the last state: forward, turn

    def add(
        self, t_s: float, pose: Pose, tilt_rad: float, forward_mmps: float = 0.0, turn_radps: float = 0.0
    ) -> None:
        """Note a state and its speeds; one with the time of the last one replaces it."""
        heading = pose.heading_rad
        if self._rows:
            if t_s < self._rows[-1][0]:
                return
            last = self._rows[-1][3]
            heading = last + math.remainder(heading - last, math.tau)
            if t_s == self._rows[-1][0]:
                self._rows.pop()
        self._speeds = (forward_mmps, turn_radps)
        self._rows = [*self._rows[1 - self._keep :], (t_s, pose.x_mm, pose.y_mm, heading, tilt_rad)]

    def at(self, t_s: float) -> tuple[Pose, float]:
        """Pose and camera tilt (head angle + pitch, rad) at `t_s`.

        Interpolated; carried on from the newest state by its speeds, as the next one may be 60 ms away;
        before the oldest, that one.
        """
        rows = np.array(self._rows)
        x, y, heading, tilt = (float(np.interp(t_s, rows[:, 0], rows[:, column])) for column in range(1, 5))
        return Pose(x, y, heading).after(t_s - float(rows[-1, 0]), *self._speeds), tilt


class CameraClock:
    """When images were taken, by the link's clock.

    The robot stamps images by its own clock, and its states report the newest stamp with little delay. The
    two clocks differ by the shortest time lately from a stamp to its arrival; by what an image took longer,
    it was late.
    """

    def __init__(self, keep_s: float = 10.0):
        self._keep_s = keep_s
        self._gaps: list[tuple[float, float]] = []  # (received_s, received_s - stamp)
        self._newest_ms = 0

    def note(self, received_s: float, stamp_ms: int) -> None:
        """Note a state or a frame that knows an image's stamp; 0 stands for no image yet."""
        if stamp_ms > 0:
            if stamp_ms < self._newest_ms - 1000 * MAX_DELAY_S:  # the robot, and its clock, has restarted
                self._gaps, self._newest_ms = [], 0
            self._newest_ms = max(self._newest_ms, stamp_ms)
            self._gaps = [(t, gap) for t, gap in self._gaps if received_s - t <= self._keep_s]
            self._gaps.append((received_s, received_s - stamp_ms / 1000))

    def delay_s(self, received_s: float, stamp_ms: int) -> float:
        """How much later than the quickest messages an image of this stamp came, in seconds."""
        if not self._gaps or stamp_ms <= 0:
            return 0.0
        return max(0.0, received_s - stamp_ms / 1000 - min(gap for _, gap in self._gaps))

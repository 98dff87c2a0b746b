"""The pace of a film: the rate behind time stamps, and the film frame at which each image appears."""

from fractions import Fraction

import numpy as np

IMAGES_FPS = Fraction(2)  # of single images
LONGEST_PAUSE_S = 10.0  # a longer gap between two frames is shortened to this


def own_fps(times_s: list[float], default: Fraction = IMAGES_FPS) -> Fraction:
    """The constant rate, in frames per second, behind time stamps that jitter and have gaps.

    Gaps count as a whole number of frames.

    Args:
        times_s: when frames were taken.
        default: what is given where the times do not say.
    """
    gaps = np.diff(np.asarray(times_s, float))
    gaps = gaps[gaps > 1e-4]
    if not len(gaps):
        return default
    usual = float(np.median(gaps))
    gaps = gaps[gaps < LONGEST_PAUSE_S]
    fps = float(np.maximum(np.round(gaps / usual), 1).sum() / gaps.sum())
    if abs(fps - round(fps)) * gaps.sum() < 0.1 and fps >= 1:  # a whole number, but for the stamps' rounding
        return Fraction(round(fps))
    return Fraction(min(max(fps, 0.5), 120.0)).limit_denominator(1001)


def camera_times_s(rows: list[tuple[float, float]]) -> list[float]:
    """When frames were taken, in seconds, from pairs of receive time and the robot's own time stamp.

    The robot's stamps are the steadier ones; receive times are used where the two do not agree, as after a
    restart of the robot, which counts from 0 again then.
    """
    if not rows:
        return []
    received, stamped = np.array(rows).T
    lag = received - stamped
    if (np.diff(stamped) > 0).all() and np.ptp(lag) < 0.5 + 0.01 * np.ptp(received):
        return list(map(float, stamped))
    return list(map(float, received))


class Pacer:
    """Gives each image its place among the frames of a film with a constant rate.

    At the footage's own rate an image that comes up to one frame early or late keeps its place in the row, so
    none is lost or doubled by jitter. Real gaps are kept (the image before stands longer), up to
    `LONGEST_PAUSE_S`.

    Args:
        fps: the film's rate.
        every: leave no image out: those that come in a burst are shown one by one, a little late. For the
            footage's own rate.
        longest_pause_s: a longer gap between two images is shortened to this.
    """

    def __init__(self, fps: Fraction, every: bool = False, longest_pause_s: float = LONGEST_PAUSE_S):
        self._fps, self._every, self._longest_pause_s = float(fps), every, longest_pause_s
        self._slot: int | None = None
        self._start_s = self._last_s = 0.0

    def slot(self, t_s: float) -> int | None:
        """The film frame at which the image of time `t_s` appears, or None when it is left out."""
        if self._slot is None:
            self._slot, self._start_s, self._last_s = 0, t_s, t_s
            return 0
        self._start_s += max(0.0, t_s - self._last_s - self._longest_pause_s)
        self._last_s = t_s
        due, following = (t_s - self._start_s) * self._fps, self._slot + 1
        slot = (
            following if abs(due - following) < 1 - 1e-6 or (self._every and due < following) else round(due)
        )
        if slot <= self._slot:
            return None
        self._slot = slot
        return slot

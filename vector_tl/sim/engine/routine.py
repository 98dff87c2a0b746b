"""What the robot does by itself over some time: one step after another, all in the world's time.

A routine is a generator that yields steps and gets back how each of them ended:

    how = yield drive(100.0, 60.0)

Only callbacks of the world advance it, so that it is the same in real time and in lockstep, however large the
steps.
"""

import math
from collections.abc import Callable, Generator
from typing import Any, Protocol

from vector_tl.sim.world.body import Body, Done, Joint, Motion
from vector_tl.sim.world.world import World


class Performer(Protocol):
    """Who performs a routine: a robot with a body in a world, and a log."""

    world: World

    @property
    def body(self) -> Body:
        """Its body in the world that it is in now."""

    def log(self, kind: str, **details: Any) -> None:
        """Log something that happens to it."""


Cancel = Callable[[], None]
# Begins something and calls `Done` once with how it ended; returns what ends it before.
Step = Callable[[Performer, Done], Cancel]
Steps = Generator[Step, str, str | None]  # returns how it ended as a whole, None is "reached"
ACCEL_MMPS2, ACCEL_RADPS2 = 200.0, 10.0


class Routine:
    """A running generator of steps.

    Calls `done` with "reached", "cancelled", "stalled", or what else the generator returns.
    """

    def __init__(
        self,
        robot: Performer,
        steps: Steps,
        done: Done,
        animates: bool = False,
        tracks: frozenset[str] = frozenset(),
        delegated: bool = False,
    ):
        self._robot, self._steps, self._done = robot, steps, done
        self._cancel: Cancel | None = None
        self.animates, self.over, self.tracks, self.delegated = animates, False, tracks, delegated

    def start(self) -> None:
        """Begin the first step."""
        self._advance(None)

    def cancel(self) -> None:
        """End it and its present step."""
        if self.over:
            return
        cancel, self._cancel = self._cancel, None
        if cancel:
            cancel()
        self._end("cancelled")

    def _advance(self, how: str | None) -> None:
        """Begin the next step, given how the last one ended."""
        if self.over:
            return
        if how == "cancelled":  # something else took the motors
            self._end(how)
            return
        try:
            step = next(self._steps) if how is None else self._steps.send(how)
        except StopIteration as stop:
            self._end(stop.value or "reached")
            return
        ended = False

        def step_ended(how: str) -> None:
            nonlocal ended
            if not ended:
                ended = True
                self._advance(how)

        cancel = step(self._robot, step_ended)
        if not ended:
            self._cancel = cancel

    def _end(self, how: str) -> None:
        if not self.over:
            self.over = True
            self._steps.close()
            self._done(how)


def drive(mm: float, mmps: float, mmps2: float = ACCEL_MMPS2) -> Step:
    """Drive straight; negative is back."""
    return _motion(False, mm, mmps, mmps2, 0.1)


def turn(rad: float, radps: float, radps2: float = ACCEL_RADPS2) -> Step:
    """Turn on the spot; positive is left."""
    return _motion(True, rad, radps, radps2, 1e-4)


def _motion(turns: bool, left: float, speed: float, accel: float, least: float) -> Step:
    def begin(robot: Performer, done: Done) -> Cancel:
        if abs(left) < least:
            done("reached")
        else:
            robot.body.run_motion(Motion(turns, left, speed, accel, done))
        return robot.body.end_motion

    return begin


def _joint(which: Callable[[Performer], Joint], rad: float, radps: float, radps2: float) -> Step:
    def begin(robot: Performer, done: Done) -> Cancel:
        part = which(robot)
        part.go_to(rad, radps, radps2, done)
        return part.end

    return begin


def head(rad: float, radps: float = ACCEL_RADPS2, radps2: float = ACCEL_RADPS2) -> Step:
    """Move the head to an angle."""
    return _joint(lambda robot: robot.body.head, rad, radps, radps2)


def lift(rad: float, radps: float = ACCEL_RADPS2, radps2: float = ACCEL_RADPS2) -> Step:
    """Move the lift's arm to an angle."""
    return _joint(lambda robot: robot.body.lift, rad, radps, radps2)


def wait(ms: float) -> Step:
    """Wait, in the world's time."""

    def begin(robot: Performer, done: Done) -> Cancel:
        robot.world.after(ms, lambda: done("reached"))
        return lambda: None

    return begin


def only(*steps: Step) -> Steps:
    """These steps, as long as each of them succeeds."""
    for step in steps:
        how = yield step
        if how != "reached":
            return how
    return None


def turn_to(heading_rad: float, here_rad: float, radps: float) -> Step:
    """Turn on the spot to a heading, the short way."""
    return turn(math.remainder(heading_rad - here_rad, math.tau), radps)

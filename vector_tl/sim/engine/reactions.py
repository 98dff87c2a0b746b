"""What the robot does by itself, above the SDK's DEFAULT priority: it takes control until it has finished.

Distances, speeds and times of these behaviours are assumptions where the firmware's animations have them.
"""

from collections.abc import Callable
from functools import partial
from typing import Any, Protocol

from anki_vector.messaging import protocol
from google.protobuf import json_format

from vector_tl.sim.engine.control import Control
from vector_tl.sim.engine.navigation import on_charger
from vector_tl.sim.engine.routine import Cancel, Performer, Routine, Steps, drive, head, lift, wait
from vector_tl.sim.engine.unexpected import BACK, Unexpected, UnexpectedMovement
from vector_tl.sim.world.body import HEAD_RANGE_RAD, LIFT_RANGE_MM, Done, lift_angle_rad

FALLING = "falling"
EDGE_PAUSE_MS, EDGE_BACK_MM, EDGE_MMPS, EDGE_REACTION_MS = 200, 50.0, 80.0, 600
JOLT_BACK_MM, JOLT_MMPS, JOLT_REACTION_MS = 20.0, 60.0, 900
CHARGER_REACTION_MS = 1500
# Where its own behaviours leave head and lift: it braces for a fall (W imuFilter.cpp, BRACE_WHEN_FALLING);
# the animations of the others move both, and where they end is not public.
BRACED, ANIMATED = (HEAD_RANGE_RAD[0], LIFT_RANGE_MM[0]), (0.35, 50.0)  # head (rad), lift (mm)
POSE_RADPS = 6.0


class Reacting(Performer, Protocol):
    """Who reacts."""

    control: Control

    @property
    def animating(self) -> bool:
        """Whether it plays an animation or performs a behaviour."""

    @property
    def battery_low(self) -> bool:
        """Whether its battery is almost empty."""

    def at_tick(self, message: Callable[[], None]) -> None:
        """Let something take effect at the engine's next tick."""

    def perform(self, steps: Steps, done: Done = ..., animates: bool = ...) -> Routine:
        """Begin a routine."""

    def send_event(self, **event: Any) -> None:
        """Send an event."""


class Reactions:
    """One robot's reactions; there are none while an SDK behaviour of the highest priority is active."""

    def __init__(self, robot: Reacting):
        self._robot = robot
        self._running: dict[str, Routine] = {}
        self._unexpected = UnexpectedMovement()
        self._battery_low = False

    def feel(self) -> None:
        """Take in a step of the world."""
        self._unexpected.feel(self._robot.body)

    def tick(self) -> None:
        """Look for movements that the wheels do not explain, and at the battery."""
        robot = self._robot
        found = self._unexpected.look(robot.body, robot.animating)
        if found:
            self._jolted(found)
        low, before = robot.battery_low and not robot.body.on_charger, self._battery_low
        self._battery_low = low
        if low and not before:
            self.react("low battery", on_charger(robot))
        elif before and not low:
            self.end("low battery")

    def notice(self, kind: str) -> None:
        """React to what happened to it in the world: a stop at a cliff, a fall, the end of one."""
        if kind == "stop":
            self.react("cliff", _away_from_edge(self._robot.body.cliffs[0]))
        elif kind == "fall":
            self.hold(FALLING)
        elif kind == "put back":
            self.let_go(FALLING)

    def put_on_charger(self) -> None:
        """A hand has put it onto its charger."""
        self.react("put onto its charger", _stay(CHARGER_REACTION_MS))

    def hold(self, reason: str) -> None:
        """Take control at the next tick, until `let_go`."""

        def begin() -> None:
            self._take(reason)

        self._robot.at_tick(begin)

    def take(self, reason: str) -> None:
        """Take control now, until `let_go`, also where a client has it above DEFAULT, which keeps it then."""
        control = self._robot.control
        control.take(reason)
        control.update()
        if not control.overrides_reactions:
            self._robot.perform(_pose(*(BRACED if reason == FALLING else ANIMATED)))

    def let_go(self, reason: str) -> None:
        """Give it back at the next tick."""
        self._robot.at_tick(partial(self._robot.control.give_back, reason))

    def react(self, reason: str, steps: Steps) -> None:
        """Take control at the next tick and perform some steps."""

        def begin() -> None:
            if not self._take(reason):
                steps.close()
                return
            self.end(reason)
            running = self._robot.perform(steps, lambda how: self._over(reason, steps))
            if not running.over:
                self._running[reason] = running

        self._robot.at_tick(begin)

    def end(self, reason: str) -> None:
        """Break off a reaction, if it is running."""
        running = self._running.pop(reason, None)
        if running:
            running.cancel()

    def end_all(self) -> None:
        """Break off all reactions."""
        for reason in list(self._running):
            self.end(reason)

    def _take(self, reason: str) -> bool:
        if self._robot.control.overrides_reactions:
            return False
        self.take(reason)
        return True

    def _over(self, reason: str, steps: Steps) -> None:
        self._running.pop(reason, None)
        self.let_go(reason)

    def _jolted(self, found: Unexpected) -> None:
        self._robot.log("unexpected_movement", type=found.kind, side=found.side)
        movement = json_format.ParseDict(
            {
                "timestamp": self._robot.world.t_ms,
                "movement_type": found.kind,
                "movement_side": found.side,
            },
            protocol.UnexpectedMovement(),
        )
        self._robot.send_event(unexpected_movement=movement)
        self.react("unexpected movement", _jolt(found.side != BACK))


def _pose(head_rad: float, lift_mm: float) -> Steps:
    """Move head and lift."""
    yield head(head_rad, POSE_RADPS)
    yield lift(lift_angle_rad(lift_mm), POSE_RADPS)
    return None


def _away_from_edge(front: bool) -> Steps:
    """Its reaction to an edge: a pause, some way back from it, another pause."""
    yield _take_wheels
    yield wait(EDGE_PAUSE_MS)
    yield drive(-EDGE_BACK_MM if front else EDGE_BACK_MM, EDGE_MMPS)
    yield wait(EDGE_REACTION_MS)
    return None


def _jolt(free_behind: bool) -> Steps:
    """Back off a little; with something behind it the wheels are left as they are, as in the firmware."""
    if free_behind:
        yield drive(-JOLT_BACK_MM, JOLT_MMPS)
    yield wait(JOLT_REACTION_MS)
    return None


def _take_wheels(robot: Performer, done: Done) -> Cancel:
    """Stop the wheels, whatever command may still have come."""
    robot.body.drive(0.0, 0.0)
    done("reached")
    return robot.body.end_motion


def _stay(ms: float) -> Steps:
    yield wait(ms)
    return None

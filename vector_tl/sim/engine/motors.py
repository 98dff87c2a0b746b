"""Direct commands to the motors: who may give them, when they take effect, and the wheels' true speeds."""

import math
from collections.abc import Callable, Iterable
from typing import Any, Protocol

from vector_tl.sim.engine.control import Control
from vector_tl.sim.engine.routine import Routine
from vector_tl.sim.world.body import Body, Joint, or_zero

NO_NUMBER = "a number is NaN or infinite"
NO_CONTROL = "no SDK behaviour is active"
DELEGATED = "a behaviour that a client asked for has the motors"
WHEELS_BUSY, JOINT_BUSY = "an action has the wheels", "an action has it"
WHEELS, HEAD, LIFT = (
    "wheels",
    "head",
    "lift",
)  # the firmware's tracks, of which each is locked by one at a time
ALL_TRACKS = (WHEELS, HEAD, LIFT)
JOINTS = {"MoveHead": HEAD, "MoveLift": LIFT}
AT_CLIFF = "stopped at a cliff"  # until the engine has answered that


class Driven(Protocol):
    """Whose motors they are."""

    control: Control
    routines: set[Routine]

    @property
    def body(self) -> Body:
        """Its body in the world that it is in now."""

    def log(self, kind: str, **details: Any) -> None:
        """Log something that happens to it."""

    def take_in(self, message: Callable[[], None]) -> None:
        """Let a call take effect when the engine takes in its messages."""


class Motors:
    """One robot's motors. The gateway has answered a command before the engine drops it or obeys.

    The engine takes direct commands, stops too, while an SDK behaviour is active that has not delegated to
    another one (W behaviorSDKInterface.h, `SetAllowExternalMovementCommands`).
    """

    def __init__(self, robot: Driven):
        self._robot = robot
        self._speeds_mmps = self._logged_mmps = (0.0, 0.0)
        self._steady = True
        self._moved: set[str] = set()  # tracks that a direct command, other than of 0, has locked

    def locked(self, tracks: Iterable[str]) -> bool:
        """Whether an action that needs these tracks fails: another action has one, or a direct command."""
        return any(track in self._moved or self._acted(track) for track in tracks)

    def unlock(self) -> None:
        """Let go of all that direct commands have locked, as when the SDK behaviour ends; motors turn on."""
        self._moved.clear()

    def _acted(self, track: str) -> bool:
        return any(track in routine.tracks for routine in self._robot.routines)

    def _lock(self, track: str, moves: bool) -> None:
        (self._moved.add if moves else self._moved.discard)(track)

    def drive(
        self, left_mmps: float, right_mmps: float, left_mmps2: float = 0.0, right_mmps2: float = 0.0
    ) -> None:
        """Set the wheels' speeds, unless no SDK behaviour is active or an action has the wheels: 0, 0 too."""
        left, right, *accelerations = (
            or_zero(number) for number in (left_mmps, right_mmps, left_mmps2, right_mmps2)
        )
        if (left, right) != (left_mmps, right_mmps):
            self._robot.log("ignored", rpc="DriveWheels", reason=NO_NUMBER)
        if self._log_wheels(left, right, self._refusal() or self._wheels_refusal()):

            def begin() -> None:
                self._lock(WHEELS, (left, right) != (0.0, 0.0))
                self._robot.body.drive(left, right, *accelerations)

            self._robot.take_in(begin)

    def stop(self) -> None:
        """Stop all motors, and what an action does with them, unless no SDK behaviour is active."""
        if self._log_wheels(0.0, 0.0, self._refusal()):

            def begin() -> None:
                self.unlock()
                self._robot.body.stop()

            self._robot.take_in(begin)

    def move(self, rpc: str, which: Callable[[Body], Joint], radps: float) -> None:
        """Move head or lift at a speed, unless no SDK behaviour is active or an action has it: 0 too."""
        if not math.isfinite(radps):
            self._robot.log("ignored", rpc=rpc, reason=NO_NUMBER)
        radps, why_not, track = or_zero(radps), self._refusal(), JOINTS[rpc]
        if why_not is None and track not in self._moved and self._acted(track):
            why_not = JOINT_BUSY
        self._robot.log("joint", rpc=rpc, speed_radps=radps, **_applied(why_not))
        if why_not is None:

            def begin() -> None:
                self._lock(track, radps != 0.0)
                which(self._robot.body).move(radps)

            self._robot.take_in(begin)

    def watch(self) -> None:
        """Log the wheels' true speeds when they begin to change, reach 0, or no longer change."""
        now = (self._robot.body.left_mmps, self._robot.body.right_mmps)
        steady, self._speeds_mmps = now == self._speeds_mmps, now
        begins = self._steady and not steady
        if now != self._logged_mmps and (begins or steady or now == (0.0, 0.0)):
            self._logged_mmps = now
            self._robot.log("speeds", left_mmps=round(now[0], 2), right_mmps=round(now[1], 2))
        self._steady = steady

    def _refusal(self) -> str | None:
        if self._robot.control.active is None:
            return NO_CONTROL
        return DELEGATED if any(routine.delegated for routine in self._robot.routines) else None

    def _wheels_refusal(self) -> str | None:
        body = self._robot.body
        busy = body.motion is not None or self._acted(WHEELS)
        return AT_CLIFF if body.wheels_off else WHEELS_BUSY if busy else None

    def _log_wheels(self, left_mmps: float, right_mmps: float, why_not: str | None) -> bool:
        self._robot.log("wheels", left_mmps=left_mmps, right_mmps=right_mmps, **_applied(why_not))
        return why_not is None


def _applied(why_not: str | None) -> dict[str, Any]:
    """What the log says of a command: whether it was applied, and why not."""
    return {"applied": True} if why_not is None else {"applied": False, "why": why_not}

"""What the robot does at a moment, in a few words that are true at this moment, from its recording."""

from typing import Any

from vector_tl.data.recording import RecordedFrame

EVENT_S = 2.0  # for so long a line of the log says what goes on, in recordings that hold nothing better
DOING = {  # the finder's modes, see find/behaviour.py, and what a person's switch makes of them
    "search": "searching",
    "approach": "approaching",
    "hold": "reached: staying in place",
    "done": "reached: stopped",
    "follow": "following",
    "avoid": "driving around something in its way",
    "wait": "stopped: in somebody's hand",
    "capture": "driven by a program",
    "waiting": "stopped: waiting for a person",
    "paused": "stopped: paused by a person",
    "stopped": "stopped by a person",
}


def moment_words(mode: str, held: bool, target: tuple[float, float] | None, in_sight: bool) -> str:
    """A line about one frame of a run.

    Args:
        mode: of the finder's behaviour, or what a person's switch has made of it.
        held: whether its wheels were to turn and were not driven.
        target: where it took the other Vector to be, distance in mm and bearing in degrees.
        in_sight: whether its detector reported a box in this very frame.
    """
    doing = DOING.get(mode, mode) + (", wheels not driven" if held else "")  # by the guard, or a dry run
    if target is None:
        return doing
    known = "found: measured" if in_sight else "out of sight: about"
    return f"{known} {target[0]:.0f} mm away, {_side(target[1])}; {doing}"


def _side(bearing_deg: float) -> str:
    degrees = round(abs(bearing_deg))
    if not degrees:
        return "straight ahead"
    return f"{degrees} {'degree' if degrees == 1 else 'degrees'} {'left' if bearing_deg > 0 else 'right'}"


def _of_command(wheels: dict[str, Any], in_sight: bool) -> str:
    """The line of a command as a recording holds it."""
    distance_mm, bearing_deg = wheels.get("target_distance_mm"), wheels.get("target_bearing_deg")
    target = None if distance_mm is None or bearing_deg is None else (distance_mm, bearing_deg)
    held = not wheels["sent"] and bool(wheels["left_mmps"] or wheels["right_mmps"])
    return moment_words(str(wheels.get("why", "")), held, target, in_sight)


class MomentLines:
    """The line of each frame of a recording, frame by frame.

    Where a recording of other programs holds no commands, its last line of the log stands for `EVENT_S`.
    """

    def __init__(self) -> None:
        self._event, self._event_s = "", 0.0

    def line(self, frame: RecordedFrame) -> str:
        """What is true at this frame; empty where nothing is known. Frames come in order."""
        if frame.events:
            self._event, self._event_s = frame.events[-1], frame.t_s
        if frame.wheels is not None:
            return _of_command(frame.wheels, in_sight=frame.scores is not None and len(frame.scores) > 0)
        return self._event if frame.t_s - self._event_s <= EVENT_S else ""

"""What the robot does at a moment, in a few words that are true at this moment, from its recording."""

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
Place = tuple[float, float]  # distance in mm and bearing in degrees, left is positive


def moment_words(mode: str, held: bool, target: Place | None, in_sight: bool) -> str:
    """A line about one frame of a run.

    Args:
        mode: of the finder's behaviour, or what a person's switch has made of it.
        held: whether its wheels were to turn and were not driven, by the guard or in a dry run.
        target: where it took the other Vector to be.
        in_sight: whether its detector counted a box in this very frame; a target that it only expects, or saw
            weakly, is called unsure.
    """
    doing = _doing(mode, held)
    if target is None:
        return doing
    known = "found, measured" if in_sight else "unsure in this frame: about"
    return f"{known} {target[0]:.0f} mm away, {_side(target[1])}; {doing}"


def caption_words(mode: str, held: bool, target: Place | None) -> str:
    """The same as a caption to be read: without bearing, and the distance to the next 5 cm."""
    doing = _doing(mode, held)
    if target is None:
        return doing
    return f"{doing}, about {max(round(target[0] / 50), 1) * 5} cm away by its own estimate"


def _doing(mode: str, held: bool) -> str:
    return DOING.get(mode, mode) + (", wheels not driven" if held else "")


def _side(bearing_deg: float) -> str:
    degrees = round(abs(bearing_deg))
    if not degrees:
        return "straight ahead"
    return f"{degrees} {'degree' if degrees == 1 else 'degrees'} {'left' if bearing_deg > 0 else 'right'}"


class MomentLines:
    """The words for each frame of a recording; frames come in order.

    Where a recording of other programs holds no commands, its last line of the log stands for `EVENT_S`.
    """

    def __init__(self) -> None:
        self._event, self._event_s = "", 0.0

    def line(self, frame: RecordedFrame) -> str:
        """What is true at this frame; empty where nothing is known."""
        if frame.events:
            self._event, self._event_s = frame.events[-1], frame.t_s
        if frame.wheels is None:
            return self._event if frame.t_s - self._event_s <= EVENT_S else ""
        in_sight = frame.scores is not None and len(frame.scores) > 0
        return moment_words(*_command(frame), in_sight=in_sight)

    def caption(self, frame: RecordedFrame) -> str:
        """The same in fewer words, which change more seldom; call it after `line`."""
        return self.line(frame) if frame.wheels is None else caption_words(*_command(frame))


def _command(frame: RecordedFrame) -> tuple[str, bool, Place | None]:
    """Mode, whether the wheels were held, and the target, of a frame with a command."""
    wheels = frame.wheels or {}
    distance_mm, bearing_deg = wheels.get("target_distance_mm"), wheels.get("target_bearing_deg")
    target = None if distance_mm is None or bearing_deg is None else (distance_mm, bearing_deg)
    held = not wheels["sent"] and bool(wheels["left_mmps"] or wheels["right_mmps"])
    return str(wheels.get("why", "")), held, target

"""One line of the doctor's report, and the remedies that several checks give."""

from dataclasses import dataclass

CONFIGURE = (
    ".venv/bin/python -m anki_vector.configure, with wire-pod running and the robot awake: it asks for the "
    "serial (underside of the robot), its name and address (on the charger, press its button twice; lift up "
    "and down for the address), and wire-pod's address"
)
RESTART = "restart the robot (on its charger, hold its button until the lights go out)"
MIN_FPS = 4.0
SHORT_OF_FRAMES = "bring the robot nearer to the access point, and put the computer on a cable or on 5 GHz"


@dataclass(frozen=True)
class Check:
    """What was checked, whether it works, and what to do where it does not.

    An `optional` check may fail without the doctor's exit code becoming 1.
    """

    name: str
    ok: bool
    detail: str
    remedy: str | None = None
    optional: bool = False

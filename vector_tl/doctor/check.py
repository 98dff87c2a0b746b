"""One line of the doctor's report, and the remedies that several checks give."""

from dataclasses import dataclass

from vector_tl.robot import sdk_config

CONFIGURE = (
    "set up the SDK for the robot:\n"
    "1. Start wire-pod, wake the robot, and put it on its charger.\n"
    "2. Note its serial number (printed on its underside), its name (press its button twice) and its address "
    "(then raise and lower its lift).\n"
    f"3. Run {sdk_config.CONFIGURE}, and answer with these and with wire-pod's address."
)
RESTART = "restart the robot (on its charger, hold its button until the lights go out)"
MIN_FPS = 4.0
SHORT_OF_FRAMES = "bring the robot nearer to the access point, and put the computer on a cable or on 5 GHz"


@dataclass(frozen=True)
class Check:
    """What was checked, whether it works, and what to do where it does not.

    An `optional` check may fail without the doctor's exit code becoming 1. `brief` stands for a long
    detail in a terminal; empty where the detail is short.
    """

    name: str
    ok: bool
    detail: str
    remedy: str | None = None
    optional: bool = False
    brief: str = ""

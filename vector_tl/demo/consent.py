"""What the demo says before a real robot drives, and how fast it may."""

import os
import sys
from pathlib import Path

from vector_tl.demo.settings import DemoSettings
from vector_tl.errors import UserError
from vector_tl.robot.stops_checked import stops_checked
from vector_tl.web.keys import enter_pressed

FIRST_MMPS = 40.0  # of a robot that nobody has seen stop whatever happens; 100 mm/s are usual
USUAL_MMPS = 100.0
PLAN = """The robot {serial} will look for another Vector and drive up to it, for {seconds:g} s at most:
  1. It turns in place and looks; where it sees nothing all around, it drives a short way and looks again.
  2. It drives to the other Vector and stops 150 mm before it, from front axle to front axle.
  3. It says hello. Then the film is made.
{speed}
Nobody who made this program has run it on a real robot yet. So:
  - on the floor, not on a table; two metres free; no stairs, no cables, no pets; off its charger;
  - the other Vector stands within a metre and a half; it may be asleep;
  - Space, q or Ctrl-C stop the wheels at once. Keep a hand near the robot all the same."""
SLOW = """It drives at {mmps:.0f} mm/s at most, as nobody has checked yet that it always stops. To check that:
  vector-tl doctor --robot {serial} --wheels up"""
FAST = "It drives at {mmps:.0f} mm/s at most: vector-tl doctor --wheels has seen it stop whatever happened."


def top_mmps(serial: str) -> float:
    """How fast a robot may drive (mm/s): slowly until the doctor has checked that it always stops."""
    home = Path(os.environ.get("HOME") or Path.home())
    return USUAL_MMPS if stops_checked(serial, home) else FIRST_MMPS


def agreed_to_drive(settings: DemoSettings) -> None:
    """Say what the robot will do, and wait for Enter.

    Raises:
        UserError: something else was typed.
    """
    serial = settings.robot or ""
    mmps = top_mmps(serial)
    speed = (FAST if mmps == USUAL_MMPS else SLOW).format(mmps=mmps, serial=serial)
    print(PLAN.format(serial=serial, seconds=settings.seconds, speed=speed), file=sys.stderr, flush=True)
    if not enter_pressed():
        raise UserError("Nothing was driven, as no Enter was pressed; vector-tl demo needs no robot.")

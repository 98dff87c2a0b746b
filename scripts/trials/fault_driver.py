"""The app of a fault trial: `find` with a detector that sees nothing, so that it searches without end.

    python fault_driver.py SERIAL SECONDS

A line on standard input lets something go wrong in it: `sleep S` (the detector takes so long), `hold S` (it
keeps the interpreter's lock for so long, as native code may), `hang` (it never returns), `raise`, and `end`
ends the run. The last line of standard output is the run's stops as JSON.
"""

import ctypes
import json
import os
import sys
import threading
import time
from pathlib import Path

import numpy as np

from vector_tl.detect.interface import Detections
from vector_tl.find.loop import find
from vector_tl.find.settings import FindSettings
from vector_tl.robot.open import open_robot

HANG_S = 3600.0

RECONNECT_S = 30.0  # as `find` with a robot


class Blind:
    """A detector that sees nothing, and can be made slow or broken."""

    def __init__(self) -> None:
        self.name, self.arch, self.init, self.threshold = "blind", "none", "none", 0.5
        self._order = ""

    def obey(self) -> None:
        """Take one order a line until standard input ends."""
        for line in sys.stdin:
            self._order = line.strip()

    def __call__(self, image: np.ndarray, threshold: float | None = None) -> Detections:
        """See `ImageDetector`."""
        order, self._order = self._order, ""
        what, _, seconds = order.partition(" ")
        if what == "sleep":
            time.sleep(float(seconds))
        elif what == "hold":
            ctypes.PyDLL(None).usleep(
                int(float(seconds) * 1e6)
            )  # PyDLL keeps the lock, CDLL would release it
        elif what == "hang":
            time.sleep(HANG_S)
        elif what == "raise":
            raise RuntimeError("a bug in the detector")
        elif what == "end":
            raise KeyboardInterrupt
        return Detections(np.zeros((0, 4), np.float32), np.zeros(0, np.float32))


def main(serial: str, seconds: float) -> None:
    """Search until told otherwise."""
    detector, stops = Blind(), []
    threading.Thread(target=detector.obey, daemon=True).start()
    try:
        with open_robot(serial, home=Path(os.environ["HOME"]), reconnect_s=RECONNECT_S) as robot:
            try:
                find(FindSettings(seconds=seconds), robot, detector)
            finally:
                stops = [vars(stop) for stop in robot.stops]
    finally:
        print(json.dumps({"stops": stops}), flush=True)


if __name__ == "__main__":
    main(sys.argv[1], float(sys.argv[2]))

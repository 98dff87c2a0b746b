"""A program that drives, for the doctor to kill: python -m vector_tl.doctor.wheels.child SERIAL HOME MMPS.

It has a watchdog of its own, as every program of ours that drives. It prints `driving` once it drives, and
stops the wheels when its standard input ends or after a second, so that it never outlasts the doctor.
"""

import os
import select
import sys
import time
from pathlib import Path

from vector_tl.doctor.wheels.bare import BareRobot
from vector_tl.robot.evidence import explained_by
from vector_tl.robot.stopping import Stopping
from vector_tl.robot.watchdog.watchdog import Watchdog
from vector_tl.robot.wire import Wire

READY_S, DRIVE_S, AGAIN_S, LOOK_S, GIVE_UP_S = 8.0, 1.0, 0.05, 0.01, 60.0


def main(serial: str, home: Path, mmps: float) -> int:
    """Drive; the exit code is 0 when the wheels have been seen to stand at the end."""
    robot, watchdog = BareRobot(serial, home), Watchdog(serial, home)
    robot.ask_default()
    until_s = time.monotonic() + READY_S
    while not (robot.granted_s and watchdog.ready):
        if time.monotonic() > until_s:
            watchdog.end()
            print("the child got no control, or its watchdog no connection", file=sys.stderr)
            return 1
        time.sleep(LOOK_S)
    print("driving", flush=True)
    end_s = time.monotonic() + DRIVE_S
    while time.monotonic() < end_s and not select.select([sys.stdin], [], [], AGAIN_S)[0]:
        watchdog.feed(mmps, mmps)
        robot.drive(mmps)

    def show_life() -> bool:
        watchdog.feed(mmps, mmps)
        return True

    def is_ours(left_mmps: float, right_mmps: float) -> bool:
        return explained_by([(mmps, mmps)], left_mmps, right_mmps)

    result = Stopping(lambda: Wire(serial, home), robot, is_ours, GIVE_UP_S).run(show_life)
    if result.stopped or result.foreign:
        watchdog.feed(0.0, 0.0, standing=True)
        watchdog.end()
    return 0 if result.stopped else 1


if __name__ == "__main__":
    code = main(sys.argv[1], Path(sys.argv[2]), float(sys.argv[3]))
    os._exit(code)  # gRPC's threads would keep an exit waiting

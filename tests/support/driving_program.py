"""A program that drives a robot on the spot, watched: python -m support.driving_program SERIAL HOME.

It prints `driving`, and obeys a line on standard input: `gil`, `stop` or `end`. When its watchdog is gone it
stops the robot itself, as an app has to.
"""

import ctypes
import os
import select
import sys
import time
from collections import deque
from pathlib import Path

from vector_tl.robot.stopping import Stopping
from vector_tl.robot.watchdog.watchdog import Watchdog
from vector_tl.robot.wire import Wire, load_messages

SPEEDS = (60.0, -60.0)


class Program:
    def __init__(self, serial: str, home: Path):
        self.watchdog = Watchdog(serial, home)
        self.wire = Wire(serial, home)
        self.connect = lambda: Wire(serial, home)
        self.protocol, _ = load_messages()
        default = self.protocol.ControlRequest(priority=self.protocol.ControlRequest.DEFAULT)
        self.wire._say(control_request=default)
        while not self.watchdog.ready:
            time.sleep(0.01)
        self.begun_s, self.sent = time.monotonic(), deque(maxlen=50)

    def run(self) -> None:
        says_so = False
        while True:
            self.watchdog.feed(*SPEEDS)
            if self.watchdog.dead:
                self.stop("the watchdog is gone")
            if self.watchdog.stepped_in:
                print("stepped in:", self.watchdog.report, flush=True)
                return
            self.drive(*SPEEDS)
            if not says_so and time.monotonic() - self.begun_s > 0.4:
                print("driving", self.watchdog.pid, flush=True)
                says_so = True
            if select.select([sys.stdin], [], [], 0.05)[0]:
                self.obey(sys.stdin.readline().strip())

    def drive(self, left: float, right: float) -> None:
        request = self.protocol.DriveWheelsRequest(left_wheel_mmps=left, right_wheel_mmps=right)
        # gRPC cancels a call that nobody holds.
        self.sent.append(self.wire._robot.DriveWheels.future(request, timeout=2.0))

    def obey(self, word: str) -> None:
        if word == "gil":
            ctypes.PyDLL(None).sleep(2)  # unlike CDLL it does not let go of the GIL
        elif word == "release":
            self.wire.release().result()
        else:
            self.stop("asked to")
            self.watchdog.end()
            print("ended", self.watchdog.stepped_in, flush=True)
            os._exit(0)

    def stop(self, why: str) -> None:
        print(why, Stopping(self.connect, self.wire).run().how, flush=True)
        if why != "asked to":
            os._exit(0)


if __name__ == "__main__":
    Program(sys.argv[1], Path(sys.argv[2])).run()
    os._exit(0)

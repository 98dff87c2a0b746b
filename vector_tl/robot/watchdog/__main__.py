"""The watchdog's process: python -m vector_tl.robot.watchdog SERIAL HOME DESCRIPTOR APP_PID TERMINAL.

It must stay small: nothing here or below imports numpy, OpenCV, PyTorch or the SDK's package.
"""

import contextlib
import os
import select
import signal
import sys
import threading
import time
from collections import deque
from pathlib import Path

from vector_tl.errors import UserError
from vector_tl.robot.stopping import Stopping, StopResult, explained_by, shout_text
from vector_tl.robot.watchdog.channel import Channel, Heartbeat, WatchdogState
from vector_tl.robot.wire import Wire

HEART_S = 0.300  # without a sign of life for so long, while wheels may turn, the app counts as lost
LOOK_S = 0.025
RECONNECT_S = 1.0
GIVE_UP_S = 120.0
OURS_S = 1.5  # commands of so long before the last sign of life explain the wheels' speeds


class Process:
    """One robot's watchdog.

    Args:
        serial: the robot's.
        home: the folder with `.anki_vector`.
        channel: shared with the app.
        app_pid: the app's process.
        terminal: path of the app's terminal, empty without one.
    """

    def __init__(self, serial: str, home: Path, channel: Channel, app_pid: int, terminal: str):
        self._serial, self._home, self._channel = serial, home, channel
        self._app_pid, self._terminal = app_pid, terminal
        self._wire: Wire | None = None
        self._connecting = threading.Thread()
        self._connected_s = float("-inf")
        self._ready, self._stepped_in = False, 0
        self._sent: deque[tuple[float, float, float]] = deque(maxlen=64)  # time, left, right
        self._beat = Heartbeat()
        self._gone = select.poll()
        if hasattr(os, "pidfd_open"):
            with contextlib.suppress(OSError):
                self._gone.register(os.pidfd_open(app_pid), select.POLLIN)

    def run(self) -> int:
        """Watch until the app has ended and the robot stands; returns the exit code."""
        handled = 0  # the last sign of life after which it has stepped in
        while True:
            self._keep_connected()
            self._show_life()
            beat = self._read()
            gone = self._is_gone()
            if beat.ended or (gone and beat.standing):
                return 0
            silent = time.monotonic() - beat.beat_s > min(HEART_S, max(beat.valid_s, 0.0) or HEART_S)
            if not beat.standing and (gone or silent) and beat.number != handled:
                handled = beat.number
                result = self._step_in("the program is gone" if gone else "no sign of life for 300 ms")
                if gone:
                    return 0 if result.stopped or result.foreign else 1
            elif gone:
                return 0
            self._gone.poll(LOOK_S * 1000)

    def _read(self) -> Heartbeat:
        beat = self._channel.read_heartbeat()
        if beat.number != self._beat.number:
            self._sent.append((beat.beat_s, beat.left_mmps, beat.right_mmps))
            self._beat = beat
        return beat

    def _is_gone(self) -> bool:
        """Whether the app's process has ended."""
        return os.getppid() != self._app_pid or bool(self._gone.poll(0))

    def _is_ours(self, left_mmps: float, right_mmps: float) -> bool:
        """Whether the app's last commands explain wheel speeds."""
        since_s = self._beat.beat_s - OURS_S
        sent = [(left, right) for at_s, left, right in self._sent if at_s >= since_s]
        return explained_by(sent, left_mmps, right_mmps)

    def _step_in(self, why: str) -> StopResult:
        """Stop the robot, unless the app lives again meanwhile: then it is the app's to do."""
        self._stepped_in += 1
        number = self._beat.number

        def wanted() -> bool:
            self._show_life()
            return self._is_gone() or self._channel.read_heartbeat().number == number

        stopping = Stopping(
            lambda: Wire(self._serial, self._home),
            self._wire if self._wire is not None and not self._wire.lost else None,
            self._is_ours,
            GIVE_UP_S,
            lambda: self._write(shout_text(self._serial)),
        )
        result = stopping.run(wanted)
        after = "" if result.confirmed_ms is None else f" after {result.confirmed_ms:.0f} ms"
        report = f"watchdog of {self._serial}: {why}; {result.how}{after}"
        self._channel.write_report(report)
        self._show_life()
        self._write(f"{report}\n")
        if not (result.stopped or result.foreign) and "no longer" not in result.how:
            self._write(shout_text(self._serial))
        return result

    def _show_life(self) -> None:
        self._channel.write_watchdog(WatchdogState(time.monotonic(), self._stepped_in, self._ready))

    def _keep_connected(self) -> None:
        """Keep a connection open, made in the background, so that a stop finds one."""
        if self._wire is not None and not self._wire.lost:
            self._ready = True
            self._wire.drop_old_states()
            return
        if self._connecting.is_alive() or time.monotonic() - self._connected_s < RECONNECT_S:
            return
        self._connected_s = time.monotonic()
        self._connecting = threading.Thread(target=self._connect, name="connecting", daemon=True)
        self._connecting.start()

    def _connect(self) -> None:
        old, wire = self._wire, None
        with contextlib.suppress(UserError):
            wire = Wire(self._serial, self._home)
        if wire is not None:
            self._wire = wire
            if old is not None:
                old.close()

    def _write(self, text: str) -> None:
        """Write to the app's terminal, and to its error output where that is something else."""
        with contextlib.suppress(OSError, ValueError):
            sys.stderr.write(text)
            sys.stderr.flush()
        if self._terminal and not sys.stderr.isatty():
            with contextlib.suppress(OSError), open(self._terminal, "w") as terminal:
                terminal.write(text)


def main(arguments: list[str]) -> int:
    """Run the watchdog that the arguments describe."""
    serial, home, descriptor, app_pid, terminal = arguments
    for number in (signal.SIGINT, signal.SIGHUP, signal.SIGTSTP, signal.SIGQUIT):
        signal.signal(number, signal.SIG_IGN)
    return Process(serial, Path(home), Channel(int(descriptor)), int(app_pid), terminal).run()


if __name__ == "__main__":
    code = main(sys.argv[1:])
    os._exit(code)  # gRPC's threads would keep an exit waiting

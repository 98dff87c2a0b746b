"""The watchdog's process: python -m vector_tl.robot.watchdog SERIAL HOME DESCRIPTOR APP_PID TERMINAL.

It must stay small: nothing here or below imports numpy, OpenCV, PyTorch or the SDK's package.
"""

import contextlib
import os
import select
import signal
import sys
import time
from collections import deque
from pathlib import Path

from vector_tl.errors import UserError
from vector_tl.robot.driver_lock import driving_pid
from vector_tl.robot.evidence import Evidence, explained_by
from vector_tl.robot.sdk_config import address_of, read_config
from vector_tl.robot.stopping import Stopping, StopResult, do_aside, shout_text
from vector_tl.robot.watchdog.channel import Channel, Heartbeat, WatchdogState
from vector_tl.robot.wire import Wire

HEART_S = 0.300  # without a sign of life for so long, while wheels may turn, the app counts as lost
LOOK_S = 0.025
RECONNECT_S = 1.0
SILENT_S = 5.0  # the robot pings once a second
GIVE_UP_S = 300.0
NO_WAY_S = 2.0  # without sdk_config.ini for so long, no way to the robot is left; it may be written just now
OURS_S = 1.5  # commands of so long before the last sign of life explain the wheels' speeds
# A command of the app's may still be in the network when the wheels stand; for long where that has stalled.
WATCH_ON_S, STALLED_S, WATCH_ON_STALLED_S = 0.5, 1.0, 3.0
IGNORED = ("SIGINT", "SIGTERM", "SIGHUP", "SIGTSTP", "SIGQUIT")  # it ends when the app has ended


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
        self._connected_s = float("-inf")
        self._known_s = time.monotonic()  # when the way to the robot was known last
        self._at_work, self._stepped_in = False, 0
        self._sent: deque[tuple[float, float, float]] = deque(maxlen=64)  # time, left, right
        self._beat = Heartbeat()
        self._last = 0  # number of the last sign of life before it stepped in
        self._gone = select.poll()
        if hasattr(os, "pidfd_open"):
            with contextlib.suppress(OSError):
                self._gone.register(os.pidfd_open(app_pid), select.POLLIN)

    def run(self) -> int:
        """Watch until the app has ended and the robot stands, or is out of reach; returns the exit code."""
        handled = 0  # the last sign of life after which it has stepped in
        while True:
            self._keep_connected()
            self._show_life()
            beat, gone = self._read(), self._is_gone()
            lost = gone or not self._is_known()
            if beat.ended or (gone and beat.standing) or (lost and beat.number == handled):
                return 0
            if not beat.standing and beat.number != handled and (gone or self._is_silent()):
                if self._step_in("the program is gone" if gone else "no sign of life for 300 ms"):
                    handled = beat.number
                elif gone:
                    return 1
            self._gone.poll(LOOK_S * 1000)

    def _read(self) -> Heartbeat:
        beat = self._channel.read_heartbeat() or self._beat
        if beat.number != self._beat.number:
            self._sent.append((beat.beat_s, beat.left_mmps, beat.right_mmps))
            self._beat = beat
        return beat

    def _is_silent(self) -> bool:
        return time.monotonic() - self._beat.beat_s > min(HEART_S, self._beat.valid_s)

    def _is_gone(self) -> bool:
        """Whether the app's process has ended."""
        return os.getppid() != self._app_pid or bool(self._gone.poll(0))

    def _is_ours(self, left_mmps: float, right_mmps: float) -> bool:
        """Whether the app's last commands explain wheel speeds."""
        since_s = self._beat.beat_s - OURS_S
        sent = [(left, right) for at_s, left, right in self._sent if at_s >= since_s]
        return explained_by(sent, left_mmps, right_mmps)

    def _is_wanted(self) -> bool:
        """Whether the app is still lost: once its heart beats again, stopping is its business."""
        self._show_life()
        return self._is_known() and (self._is_gone() or self._read().number == self._last)

    def _is_known(self) -> bool:
        """Whether there still is a way to the robot; a simulator's home vanishes with it."""
        now_s = time.monotonic()
        if (self._home / ".anki_vector" / "sdk_config.ini").exists():
            self._known_s = now_s
        return now_s - self._known_s < NO_WAY_S

    def _step_in(self, why: str) -> bool:
        """Stop the robot, and watch for a while whether it stays so; returns whether that is settled."""
        self._channel.write_report(f"watchdog of {self._serial}: {why}; it stops the robot")
        self._stepped_in += 1
        self._at_work, self._last = True, self._beat.number
        try:
            while True:
                try:
                    result = self._stop()
                except UserError:  # no connection yet, and sdk_config.ini cannot be read now
                    return False
                self._report(why, result)
                settled = result.stopped or result.foreign
                stalled = (result.confirmed_ms or 0.0) > STALLED_S * 1000
                if not settled or self._stays_so(WATCH_ON_STALLED_S if stalled else WATCH_ON_S):
                    return settled or not self._is_wanted()
                why = "a late command of the program's moved the wheels"
        finally:
            self._at_work = False
            if self._wire is not None:
                self._wire.stay_open()

    def _stop(self) -> StopResult:
        stopping = Stopping(
            lambda: Wire(self._serial, self._home),
            self._wire,
            self._is_ours,
            GIVE_UP_S,
            lambda: self._write(shout_text(self._serial)),
        )
        return stopping.run(self._is_wanted)

    def _stays_so(self, watch_s: float) -> bool:
        """Whether the wheels do not turn at the app's speeds again, as long as the app is lost."""
        begun_s, evidence = time.monotonic(), Evidence()
        self._keep_connected()
        if self._wire is not None:
            self._wire.hear_anew()
        while time.monotonic() - begun_s < watch_s and self._is_wanted() and not self._has_successor():
            for state in self._wire.take_states() if self._wire is not None else []:
                evidence.saw(state, begun_s)
                if evidence.turns_as(self._is_ours):
                    return False
            time.sleep(LOOK_S)
        return True

    def _has_successor(self) -> bool:
        """Whether another program has opened the robot since: its commands are not the lost one's."""
        try:
            about = read_config(self._serial, self._home)
        except UserError:
            return False
        pid = driving_pid(self._serial, address_of(about))
        return pid is not None and pid != self._app_pid

    def _report(self, why: str, result: StopResult) -> None:
        after = "" if result.confirmed_ms is None else f" after {result.confirmed_ms:.0f} ms"
        stopped = "stopped " if result.stopped else ""
        report = f"watchdog of {self._serial}: {why}; {stopped}{result.how}{after}"
        self._channel.write_report(report)
        self._show_life()
        self._write(f"{report}\n")

    def _show_life(self) -> None:
        wire = self._wire
        heard = wire is not None and time.monotonic() - wire.heard_s < SILENT_S
        state = WatchdogState(time.monotonic(), self._stepped_in, heard and not self._at_work)
        self._channel.write_watchdog(state)

    def _keep_connected(self) -> None:
        """Keep a connection open, so that a stop finds one, and replace it when it is silent."""
        now_s, old = time.monotonic(), self._wire
        if old is not None and now_s - max(old.heard_s, self._connected_s) < SILENT_S:
            return
        if now_s - self._connected_s < RECONNECT_S:
            return
        self._connected_s = now_s
        with contextlib.suppress(Exception):  # sdk_config.ini may be written just now
            self._wire = Wire(self._serial, self._home)
            self._wire.stay_open()
            if old is not None:
                old.close()

    def _write(self, text: str) -> None:
        """Write to the app's error output, and to its terminal where that is something else."""

        def to_output() -> None:
            sys.stderr.write(text)
            sys.stderr.flush()

        def to_terminal() -> None:
            with open(self._terminal, "w") as terminal:
                terminal.write(text)

        do_aside(to_output)
        if self._terminal and not sys.stderr.isatty():
            do_aside(to_terminal)


def main(arguments: list[str]) -> int:
    """Run the watchdog that the arguments describe."""
    serial, home, descriptor, app_pid, terminal = arguments
    for name in IGNORED:
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), signal.SIG_IGN)
    return Process(serial, Path(home), Channel(int(descriptor)), int(app_pid), terminal).run()


if __name__ == "__main__":
    code = main(sys.argv[1:])
    os._exit(code)  # gRPC's threads would keep an exit waiting

"""The app's side of its watchdog: starts it, feeds it, and notices when it is gone."""

import contextlib
import os
import subprocess
import sys
import time
from pathlib import Path

from vector_tl.robot.watchdog.channel import Channel, Heartbeat

SILENT_S = 1.0  # a watchdog without a sign of life for so long counts as dead
END_S = 2.0


class Watchdog:
    """A watchdog's process. `feed` it from the thread that sends wheel commands, and from no other.

    Args:
        serial: the robot's, as in `sdk_config.ini`.
        home: the folder with `.anki_vector`.
    """

    def __init__(self, serial: str, home: Path):
        self._channel = Channel()
        self._beats = 0
        self._was_ready = False
        terminal = next((os.ttyname(fd) for fd in (2, 1, 0) if _is_terminal(fd)), "")
        self._process = subprocess.Popen(
            [
                sys.executable,
                "-m",
                "vector_tl.robot.watchdog",
                serial,
                str(home),
                str(self._channel.descriptor),
                str(os.getpid()),
                terminal,
            ],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            pass_fds=[self._channel.descriptor],
            start_new_session=True,  # Ctrl-Z, Ctrl-C and signals to the app's group do not reach it
        )

    @property
    def ready(self) -> bool:
        """Whether it has had a connection to the robot, and lives."""
        return self._channel.read_watchdog().ready and not self.dead

    @property
    def dead(self) -> bool:
        """Whether it has ended, or no longer gives a sign of life after it once was ready."""
        if self._process.poll() is not None:
            return True
        state = self._channel.read_watchdog()
        self._was_ready |= state.ready
        return self._was_ready and time.monotonic() - state.beat_s > SILENT_S

    @property
    def stepped_in(self) -> int:
        """How often it has stopped the robot; the app must begin anew each time that this rises."""
        return self._channel.read_watchdog().stepped_in

    @property
    def report(self) -> str:
        """What it did the last time that it stepped in."""
        return self._channel.read_report()

    def feed(self, left_mmps: float, right_mmps: float, valid_s: float, standing: bool) -> None:
        """Give a sign of life, with the command that was sent last; never waits.

        Args:
            left_mmps: speed of the left wheel that was sent last.
            right_mmps: speed of the right wheel that was sent last.
            valid_s: for how long that command holds from now on.
            standing: whether the robot's states have confirmed that the wheels stand. Until then each pause
                between two calls must be well below .3 s.
        """
        self._beats += 1
        self._channel.write_heartbeat(
            Heartbeat(self._beats, time.monotonic(), left_mmps, right_mmps, valid_s, standing)
        )

    def end(self) -> None:
        """Let it end in good order, once the robot stands or has been given up."""
        self._channel.write_heartbeat(Heartbeat(self._beats + 1, time.monotonic(), ended=True))
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(END_S)
        if self._process.poll() is None:
            self._process.kill()
            self._process.wait()
        self._channel.close()


def _is_terminal(descriptor: int) -> bool:
    try:
        return os.isatty(descriptor)
    except OSError:
        return False

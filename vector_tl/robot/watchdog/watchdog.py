"""The app's side of its watchdog: starts it, feeds it, and notices when it is gone."""

import contextlib
import os
import subprocess
import sys
import time
from pathlib import Path

import vector_tl
from vector_tl.robot.watchdog.channel import Channel, Heartbeat, WatchdogState

SILENT_S = 2.0  # a watchdog without a sign of life for so long counts as dead
END_S = 2.0
VALID_S = 0.3


class Watchdog:
    """A watchdog's process, which starts at once and is `ready` some tenths of a second later.

    Whoever sends wheel commands feeds it, from that thread and no other: before each command, and at least
    every 100 ms until the robot's states have confirmed that the wheels stand. It stops the robot when that
    fails to come, or when the app has ended.

    Args:
        serial: the robot's, as in `sdk_config.ini`.
        home: the folder with `.anki_vector`.
    """

    def __init__(self, serial: str, home: Path):
        self._channel = Channel()
        self._beats = 0
        self._state = WatchdogState()
        terminal = next((os.ttyname(fd) for fd in (2, 1, 0) if _is_terminal(fd)), "")
        about = (serial, home, self._channel.descriptor, os.getpid(), terminal)
        package = str(Path(vector_tl.__file__).parents[1])
        paths = [package, *filter(None, [os.environ.get("PYTHONPATH")])]
        self._process = subprocess.Popen(
            [sys.executable, "-P", "-m", "vector_tl.robot.watchdog", *map(str, about)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            env=os.environ | {"PYTHONPATH": os.pathsep.join(paths)},
            pass_fds=[self._channel.descriptor],
            start_new_session=True,  # Ctrl-Z, Ctrl-C and signals to the app's group do not reach it
        )
        self._channel.close_file()

    @property
    def pid(self) -> int:
        """Its process."""
        return self._process.pid

    @property
    def ready(self) -> bool:
        """Whether it lives, has a connection to the robot, and is not stopping it now: else do not drive."""
        return not self.dead and self._look().ready

    @property
    def dead(self) -> bool:
        """Whether it has ended, or no longer gives a sign of life: stop the robot, and say so."""
        if self._process.poll() is not None:
            return True
        state = self._look()
        return state.beat_s > 0 and time.monotonic() - state.beat_s > SILENT_S

    @property
    def stepped_in(self) -> int:
        """How often it has stopped the robot; each time that this rises, ask for control and begin anew."""
        return self._look().stepped_in

    @property
    def report(self) -> str:
        """What it did the last time that it stepped in, as it also stands on the terminal."""
        return self._channel.read_report()

    def feed(
        self, left_mmps: float, right_mmps: float, valid_s: float = VALID_S, standing: bool = False
    ) -> None:
        """Give a sign of life, with the command that is sent now or was sent last; never waits.

        Args:
            left_mmps: speed of the left wheel.
            right_mmps: speed of the right wheel.
            valid_s: for how long that command holds from now on; 0.3 at most.
            standing: whether the robot's states have confirmed that the wheels stand.
        """
        self._beats += 1
        self._channel.write_heartbeat(
            Heartbeat(self._beats, time.monotonic(), left_mmps, right_mmps, valid_s, standing)
        )

    def end(self) -> None:
        """Let it end in good order, once the robot stands or has been given up; safe to call twice."""
        if self._process.returncode is not None:
            return
        self._channel.write_heartbeat(Heartbeat(self._beats + 1, time.monotonic(), ended=True))
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(END_S)
        if self._process.poll() is None:
            self._process.kill()
            self._process.wait()

    def _look(self) -> WatchdogState:
        self._state = self._channel.read_watchdog() or self._state
        return self._state


def _is_terminal(descriptor: int) -> bool:
    try:
        return os.isatty(descriptor)
    except OSError:
        return False

"""Memory that the app and its watchdog share: neither ever waits for the other.

Each side writes its own half. By a number before and after it, a reader sees whether it was being written.
"""

import mmap
import os
import struct
import tempfile
from dataclasses import dataclass

SIZE = 4096
APP_AT, WATCHDOG_AT = 0, 1024
APP, WATCHDOG = struct.Struct("<Qdddd??"), struct.Struct("<dQ?")
GUARD = struct.Struct("<Q")
REPORT_AT, REPORT_SIZE = 2048, 1024
READ_TRIES = 100


@dataclass(frozen=True)
class Heartbeat:
    """The app's sign of life, with its last command.

    Attributes:
        number: counts the signs of life.
        beat_s: when it was written, on the system's monotonic clock, which all processes share.
        left_mmps: speed of the left wheel that was sent last.
        right_mmps: speed of the right wheel that was sent last.
        valid_s: for how long the command holds from then on.
        standing: whether the robot's states have confirmed that the wheels stand.
        ended: whether the app has ended in good order.
    """

    number: int = 0
    beat_s: float = 0.0
    left_mmps: float = 0.0
    right_mmps: float = 0.0
    valid_s: float = 0.0
    standing: bool = True
    ended: bool = False


@dataclass(frozen=True)
class WatchdogState:
    """The watchdog's own sign of life.

    Attributes:
        beat_s: when it was written, on the system's monotonic clock.
        stepped_in: how often it has stopped the robot, or tried to.
        ready: whether it has a connection to the robot, and is not at work.
    """

    beat_s: float = 0.0
    stepped_in: int = 0
    ready: bool = False


class Channel:
    """Both halves, as one of the two processes has them in its memory.

    Args:
        descriptor: of the shared file; a new one when not given.
    """

    def __init__(self, descriptor: int | None = None):
        self.descriptor = _new_file() if descriptor is None else descriptor
        self._memory = mmap.mmap(self.descriptor, SIZE)
        if descriptor is None:
            self.write_heartbeat(Heartbeat())
            self.write_watchdog(WatchdogState())

    def write_heartbeat(self, beat: Heartbeat) -> None:
        """The app's half."""
        self._write(
            APP_AT,
            APP.pack(
                beat.number,
                beat.beat_s,
                beat.left_mmps,
                beat.right_mmps,
                beat.valid_s,
                beat.standing,
                beat.ended,
            ),
        )

    def read_heartbeat(self) -> Heartbeat | None:
        """The app's half; None while it is being written, or when the app has ended in that."""
        data = self._read(APP_AT, APP.size)
        return None if data is None else Heartbeat(*APP.unpack(data))

    def write_watchdog(self, state: WatchdogState) -> None:
        """The watchdog's half."""
        self._write(WATCHDOG_AT, WATCHDOG.pack(state.beat_s, state.stepped_in, state.ready))

    def read_watchdog(self) -> WatchdogState | None:
        """The watchdog's half; None while it is being written, or when the watchdog has died in that."""
        data = self._read(WATCHDOG_AT, WATCHDOG.size)
        return None if data is None else WatchdogState(*WATCHDOG.unpack(data))

    def write_report(self, text: str) -> None:
        """What the watchdog did the last time that it stepped in."""
        data = text.encode()[: REPORT_SIZE - GUARD.size * 2].ljust(REPORT_SIZE - GUARD.size * 2, b"\0")
        self._write(REPORT_AT, data)

    def read_report(self) -> str:
        """What the watchdog did the last time; empty when it never stepped in."""
        data = self._read(REPORT_AT, REPORT_SIZE - GUARD.size * 2) or b""
        return data.rstrip(b"\0").decode(errors="replace")

    def close_file(self) -> None:
        """Close the file; the memory stays."""
        os.close(self.descriptor)

    def _write(self, at: int, data: bytes) -> None:
        memory, end = self._memory, at + GUARD.size + len(data)
        (number,) = GUARD.unpack_from(memory, at)
        GUARD.pack_into(memory, at, number + 1)
        memory[at + GUARD.size : end] = data
        GUARD.pack_into(memory, end, number + 1)

    def _read(self, at: int, size: int) -> bytes | None:
        memory, end = self._memory, at + GUARD.size + size
        for _ in range(READ_TRIES):  # a writer that was stopped in the middle must not stop the reader
            (after,) = GUARD.unpack_from(memory, end)
            data = memory[at + GUARD.size : end]
            (before,) = GUARD.unpack_from(memory, at)
            if before == after:
                return data
        return None


def _new_file() -> int:
    if hasattr(os, "memfd_create"):
        descriptor = os.memfd_create("vector-tl-watchdog")
    else:
        with tempfile.TemporaryFile() as file:
            descriptor = os.dup(file.fileno())
    os.ftruncate(descriptor, SIZE)
    return descriptor

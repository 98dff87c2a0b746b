"""A robot's watchdog process for as long as the link lasts: where one dies, another one takes over."""

import logging
import threading
import time
from collections.abc import Callable

from vector_tl.robot.base import NO_WATCHDOG
from vector_tl.robot.watchdog.watchdog import Watchdog

log = logging.getLogger(__name__)
MAX_RENEWED, WITHIN_S = 2, 60.0  # more deaths than that are no chance
NOT_READY = "watchdog not ready"


class Watched:
    """The watchdog that is there now. Only the control thread calls it, and nothing here waits.

    Args:
        start: starts a watchdog process.
        serial: the robot's.

    Attributes:
        watchdog: the process of now.
    """

    def __init__(self, start: Callable[[], Watchdog], serial: str):
        self._start, self._serial = start, serial
        self.watchdog = start()
        self._renewed_s: list[float] = []
        self._seen, self._report_due = 0, False

    def objection(self) -> str | None:
        """Why nothing may be driven, as far as the watchdog is concerned; renews a dead one."""
        if self.watchdog.ready:
            return None
        if self.watchdog.dead:
            now_s = time.monotonic()
            self._renewed_s = [at_s for at_s in self._renewed_s if now_s - at_s < WITHIN_S]
            if len(self._renewed_s) >= MAX_RENEWED:
                return NO_WATCHDOG
            self._renewed_s.append(now_s)
            log.error(
                "the watchdog process of %s has ended: wheels stop until another is ready", self._serial
            )
            try:
                before, self.watchdog, self._seen = self.watchdog, self._start(), 0
                threading.Thread(target=before.end, name="ending a watchdog", daemon=True).start()
            except (OSError, RuntimeError) as error:  # no memory, no more processes
                log.error("no other watchdog process of %s could be started (%s)", self._serial, error)
        return NOT_READY

    def has_stepped_in(self) -> bool:
        """Whether it has stopped the robot since the last call; logs what it did once that is over."""
        if self._report_due and self.watchdog.ready:
            self._report_due = False
            log.error("%s", self.watchdog.report)
        before, self._seen = self._seen, self.watchdog.stepped_in
        self._report_due |= self._seen > before
        return self._seen > before

    def feed(self, left_mmps: float, right_mmps: float, standing: bool) -> None:
        """Give a sign of life; see `Watchdog.feed`."""
        self.watchdog.feed(left_mmps, right_mmps, standing=standing)

    def end(self) -> None:
        """End it in good order."""
        self.watchdog.end()

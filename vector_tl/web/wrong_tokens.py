"""Wrong tokens wait before they are refused, one after another and ever longer; right ones never wait."""

import asyncio
import time

AT_ONCE = 5  # a person's old address, a program's old file
STEP_S, MAX_WAIT_S = 0.1, 1.0
FORGOTTEN_S = 30.0
MAX_WAITING = 32  # who comes when so many wait is refused at once, so that they hold no more connections


class WrongTokens:
    """Counts the wrong tokens of a server, from wherever they come."""

    def __init__(self) -> None:
        self._count, self._latest_s, self._waiting = 0, time.monotonic(), 0
        self._turn = asyncio.Lock()

    async def wait(self) -> bool:
        """Wait before a wrong token is refused.

        Returns:
            False where too many are waiting already: at once.
        """
        now_s = time.monotonic()
        if now_s - self._latest_s > FORGOTTEN_S:
            self._count = 0
        self._count, self._latest_s = self._count + 1, now_s
        wait_s = min(STEP_S * (self._count - AT_ONCE), MAX_WAIT_S)
        if self._waiting >= MAX_WAITING:
            return False
        self._waiting += 1
        try:
            if wait_s > 0:
                async with self._turn:
                    await asyncio.sleep(wait_s)
        finally:
            self._waiting -= 1
        return True

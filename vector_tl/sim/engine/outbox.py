"""What waits to be sent on one open stream."""

import asyncio
from collections import deque
from typing import Any


class Ended(Exception):
    """The robot ends the stream, with an error when `aborted`."""

    def __init__(self, aborted: bool):
        self.aborted = aborted


class Outbox:
    """A queue of `slots` messages in which the newest push out the oldest; with None it keeps all."""

    def __init__(self, slots: int | None):
        self._items: deque[Any] = deque(maxlen=slots)
        self._filled = asyncio.Event()
        self._ended: Ended | None = None

    def __len__(self) -> int:
        return len(self._items)

    def put(self, item: Any) -> None:
        """Add a message."""
        self._items.append(item)
        self._filled.set()

    def end(self, aborted: bool) -> None:
        """End the stream: `get` raises `Ended` at once."""
        self._ended = Ended(aborted)
        self._filled.set()

    async def get(self) -> Any:
        """Wait for the next message and take it.

        Raises:
            Ended: the robot has ended the stream.
        """
        while True:
            if self._ended:
                raise self._ended
            if self._items:
                return self._items.popleft()
            self._filled.clear()
            await self._filled.wait()

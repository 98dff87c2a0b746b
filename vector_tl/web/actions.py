"""What a person asked for by keys and buttons, on its way from a page's thread to the loop."""

import queue
from collections.abc import Set


class Actions:
    """A queue of what keys and buttons mean.

    Args:
        known: the names that there are.
    """

    def __init__(self, known: Set[str]):
        self._known = known
        self._waiting: queue.SimpleQueue[str] = queue.SimpleQueue()

    def press(self, action: str) -> bool:
        """Pass on that a person pressed a key; False for an action that does not exist."""
        if action not in self._known:
            return False
        self._waiting.put(action)
        return True

    def pressed(self) -> list[str]:
        """The actions since the last call, oldest first."""
        return [self._waiting.get() for _ in range(self._waiting.qsize())]  # only the caller takes any away

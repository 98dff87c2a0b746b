"""Simulated sessions taken by several simulators at once: in lockstep one leaves half of two cores idle."""

import threading
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import AbstractContextManager

from vector_tl.capture.plan import SessionPlan
from vector_tl.nets.devices import cpu_threads
from vector_tl.robot.base import Robot

MAX_SIMULATORS = 4  # of .7 GB each


def simulators_for(sessions: int, asked: int | None = None) -> int:
    """How many simulators take so many sessions: as many as were asked for, else one for each core."""
    return max(1, min(sessions, asked or min(cpu_threads(), MAX_SIMULATORS)))


def take_all(
    plans: Iterable[SessionPlan],
    take: Callable[[SessionPlan, Robot, Callable[[], None]], None],
    opened: Callable[[], AbstractContextManager[Robot]],
    simulators: int,
) -> None:
    """Take sessions, each by the next simulator that is free; they depend on nothing but their plans.

    Args:
        plans: the sessions; the next one is asked for by one thread at a time, in order.
        take: takes one with a robot. What it is given last is to be called after each image: it ends a
            session that nobody waits for any more.
        opened: a robot in a simulator of its own.
        simulators: how many at once, each served by a thread.

    Raises:
        Exception: what `take` or `opened` raise; the others end after the image at which they are then.
    """
    if simulators == 1:
        with opened() as robot:
            for plan in plans:
                take(plan, robot, lambda: None)
        return
    left, over = _OneAtATime(plans), threading.Event()

    def refuse_late() -> None:
        if over.is_set():
            raise _Over

    def serve() -> None:
        with opened() as robot:
            for plan in left:
                refuse_late()
                take(plan, robot, refuse_late)

    with ThreadPoolExecutor(simulators, "simulator") as pool:
        serving = [pool.submit(serve) for _ in range(simulators)]
        try:
            for served in as_completed(serving):
                served.result()
        except BaseException:  # Ctrl-C as well
            over.set()
            raise


class _Over(Exception):
    """Something else went wrong, or a person ended it."""


class _OneAtATime(Iterator[SessionPlan]):
    """Plans for several threads: a generator alone may be asked by one only."""

    def __init__(self, plans: Iterable[SessionPlan]):
        self._plans, self._lock = iter(plans), threading.Lock()

    def __next__(self) -> SessionPlan:
        with self._lock:
            return next(self._plans)

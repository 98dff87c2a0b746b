"""Work that runs ahead in threads of its own: images are decoded and looked at while the one before is drawn."""

import queue
import threading
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

T = TypeVar("T")
AHEAD = 4  # images that wait for the next step at most: memory stays as it is however long a film is
LOOK_S = 0.1


def ahead(source: Iterable[T], most: int = AHEAD) -> Iterator[T]:
    """The items of `source`, which runs in a thread up to `most` items ahead; what it raises is raised here."""
    waiting: queue.Queue = queue.Queue(most)
    ended = threading.Event()

    def put(item: object) -> bool:
        while not ended.is_set():
            try:
                waiting.put(item, timeout=LOOK_S)
                return True
            except queue.Full:
                continue
        return False

    def work() -> None:
        error = None
        try:
            for item in source:
                if not put((item,)):
                    return
        except BaseException as raised:
            error = raised
        put(error)

    thread = threading.Thread(target=work, name="decode", daemon=True)
    thread.start()
    try:
        while isinstance(got := waiting.get(), tuple):
            yield got[0]
        if got is not None:
            raise got
    finally:
        ended.set()
        thread.join()


def look(moments: Iterable[T], detectors: list, image_of, **asked) -> Iterator[tuple[T, list]]:
    """Each moment with what every detector sees in `image_of(moment)`, in order.

    Each detector has a thread of its own (the same one given twice has one), so they work at the same time, and while others draw and encode.
    """
    pools = {id(detector): ThreadPoolExecutor(1, thread_name_prefix="detect") for detector in detectors}
    pending: deque[tuple[T, list[Future]]] = deque()
    try:
        for moment in moments:
            image = image_of(moment)
            pending.append(
                (moment, [pools[id(detector)].submit(detector, image, **asked) for detector in detectors])
            )
            if len(pending) > AHEAD:
                first, futures = pending.popleft()
                yield first, [future.result() for future in futures]
        while pending:
            first, futures = pending.popleft()
            yield first, [future.result() for future in futures]
    finally:
        for pool in pools.values():
            pool.shutdown(cancel_futures=True)

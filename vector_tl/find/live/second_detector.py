"""A second detector looks at the newest frame, for the page only: it never steers, and never keeps the loop waiting."""

import contextlib
import os
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future

from vector_tl.data.images import decode_or_none
from vector_tl.find.live.board import Board, SecondDetections

NICE = 10  # of the thread and of those it starts: on a busy computer the loop goes first
LOOK_S, END_S = 0.01, 10.0


@contextlib.contextmanager
def second_detector(
    live: Board, model: str, device: str = "auto", load: Callable | None = None
) -> Iterator[None]:
    """Let `model` look on in a thread until the block ends.

    Args:
        load: (model, device) -> detector; the one of detect/ when not given.

    Raises:
        UserError: a bad model.
    """
    if load is None:
        from vector_tl.detect.engine import load
    loaded, ended = Future(), threading.Event()
    thread = threading.Thread(
        target=_work, args=(live, load, model, device, loaded, ended), name="second detector", daemon=True
    )
    thread.start()
    try:
        loaded.result()  # before anything moves
        yield
    finally:
        ended.set()
        thread.join(END_S)


def _work(
    live: Board, load: Callable, model: str, device: str, loaded: Future, ended: threading.Event
) -> None:
    with contextlib.suppress(OSError, AttributeError):  # Linux knows priorities of threads
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), NICE)
    try:
        detector = load(model, device)
    except BaseException as error:
        loaded.set_exception(error)
        return
    loaded.set_result(None)
    name, last_id = getattr(detector, "name", model), None
    while not ended.wait(LOOK_S):
        shown = live.shown
        if shown is None or shown.frame.image_id == last_id:
            continue
        begun_s, last_id = time.perf_counter(), shown.frame.image_id
        image = decode_or_none(shown.frame.jpeg)
        if image is not None:
            seen = detector(image, threshold=live.settings.threshold)
            took_s = time.perf_counter() - begun_s
            live.also = SecondDetections(name, last_id, seen.boxes_xyxy, seen.scores, took_s * 1000)
            ended.wait(took_s)  # half of a core at most

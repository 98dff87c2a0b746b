"""A second detector looks at the newest frame, for the page only.

It never steers, and never keeps the loop waiting.
"""

import contextlib
import os
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from functools import partial

from vector_tl.data.images import decode_or_none
from vector_tl.detect.interface import ImageDetector
from vector_tl.find.live.board import Board, SecondDetections

NICE = 10  # of the thread and of those it starts: on a busy computer the loop goes first
LOOK_S, END_S = 0.01, 10.0
Load = Callable[[str, str], ImageDetector]  # model and device -> detector


@contextlib.contextmanager
def second_detector(
    live: Board, model: str, device: str = "auto", precision: str = "auto", load: Load | None = None
) -> Iterator[None]:
    """Let a model look on in a thread until the block ends.

    Args:
        live: where the newest frame is, and where the boxes go.
        model: a path, or a name in models/.
        device: auto, cpu or cuda.
        precision: what a CPU computes in.
        load: makes the detector; the one of detect/ when not given.

    Raises:
        UserError: a bad model.
    """
    if load is None:
        from vector_tl.detect import detector  # brings OpenVINO, or PyTorch

        load = partial(detector.load, precision=precision)
    loaded: Future[None] = Future()
    ended = threading.Event()
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
    live: Board, load: Load, model: str, device: str, loaded: Future[None], ended: threading.Event
) -> None:
    with contextlib.suppress(OSError, AttributeError):  # Linux knows priorities of threads
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), NICE)
    try:
        detector = load(model, device)
    except BaseException as error:
        loaded.set_exception(error)
        return
    loaded.set_result(None)
    last_id = None
    while not ended.wait(LOOK_S):
        shown = live.shown
        if shown is None or shown.frame.image_id == last_id:
            continue
        begun_s, last_id = time.perf_counter(), shown.frame.image_id
        image = decode_or_none(shown.frame.jpeg)
        if image is not None:
            seen = detector(image, threshold=live.settings.threshold)
            took_s = time.perf_counter() - begun_s
            live.also = SecondDetections(detector.name, last_id, seen.boxes_xyxy, seen.scores, took_s * 1000)
            ended.wait(took_s)  # half of a core at most

"""A film that is made while the robot runs, in a process of its own that gives way to everything else.

The finder hands over each frame with its own boxes and continues; another model looks at the same frames
there. At most `MAX_WAITING` frames wait: what does not fit is left out and counted.
"""

import json
import logging
import os
import pickle
import queue
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import suppress
from fractions import Fraction
from pathlib import Path
from typing import BinaryIO

import numpy as np

from vector_tl.data.images import decode_or_none
from vector_tl.detect.detector import load
from vector_tl.errors import UserError
from vector_tl.film.cards import END_S
from vector_tl.film.footage import FootageFrame
from vector_tl.film.loop import Films, make_films
from vector_tl.film.reel import captions, model_line
from vector_tl.film.side_by_side import SideBySide
from vector_tl.film.tally import Seen
from vector_tl.nets.model_file import resolve
from vector_tl.robot.base import Frame

log = logging.getLogger("vector_tl.film")
MAX_WAITING = 600  # frames: 40 s at 15 per second, some 15 MB; the other model takes a while to load
END_WAIT_S = 120.0
NICE = 10
EXPECTED_S = 30.0  # of a run; a longer one makes the strip narrower


class LiveFilm:
    """The finder's end.

    Args:
        path: the film.
        left: the other model.
        detector: the finder's own, for its caption.
        threshold: confidence threshold of the finder and of the other model; each one's own when None.
        fps: of the film.
        device: where the other model runs: auto, cpu or cuda.
        precision: what it computes in on a CPU.
        patient: wait rather than leave frames out; only where the world waits, too.

    Attributes:
        line: shown at the foot from now on.
        result: after `close`: {"film", "frames", "dropped", "seconds"}, or {"error", "dropped"}.

    Raises:
        UserError: no such model.
    """

    def __init__(
        self,
        path: Path,
        left: str,
        detector,
        threshold: float | None,
        fps: float,
        device: str = "auto",
        precision: str = "auto",
        patient: bool = False,
    ):
        self.line, self.dropped, self._path, self._patient = "", 0, path, patient
        self.result: dict = {}
        finder = {word: getattr(detector, word, None) for word in ("name", "arch", "init", "threshold")}
        asked = {
            "path": str(path),
            "left": str(resolve(left)),
            "right": finder,
            "threshold": threshold,
            "fps": fps,
            "device": device,
            "precision": precision,
        }
        self._waiting: queue.Queue = queue.Queue(MAX_WAITING)
        # A process group of its own: Ctrl-C is for the finder; the film is finished when its pipe ends,
        # however that comes.
        self._process = subprocess.Popen(
            [sys.executable, "-m", "vector_tl.film.live_film", json.dumps(asked)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            start_new_session=True,
        )
        self._give_way(True)
        self._thread = threading.Thread(
            target=self._hand_over, args=(self._process.stdin,), name="live film", daemon=True
        )
        self._thread.start()

    def show(self, frame: Frame, boxes_xyxy: np.ndarray, scores: np.ndarray) -> None:
        """Add a frame with the finder's boxes (N, 4) and scores (N,); returns at once unless `patient`."""
        moment = (frame.received_s, frame.jpeg, np.asarray(boxes_xyxy), np.asarray(scores), self.line)
        try:
            self._waiting.put(moment, block=self._patient and self._thread.is_alive(), timeout=END_WAIT_S)
        except queue.Full:
            self.dropped += 1

    def close(self) -> None:
        """Finish the film; call it once the wheels stand still."""
        if self.result:
            return
        self._give_way(False)
        log.info("finishing the film %s", self._path)
        try:
            self._waiting.put(None, timeout=END_WAIT_S)
            self._thread.join(END_WAIT_S)
            said, _ = self._process.communicate(timeout=END_WAIT_S)
            self.result = json.loads(said.decode().strip().splitlines()[-1])
        except (queue.Full, subprocess.TimeoutExpired, ValueError, IndexError) as error:
            self._process.kill()
            self._process.wait()
            self.result = {"error": f"the film was not finished ({type(error).__name__})"}
        self.result["dropped"] = self.dropped
        if "error" in self.result:
            log.warning("live film: %s", self.result["error"])

    def _give_way(self, yes: bool) -> None:
        """Let the film's process and its threads have only the processor time that nobody else wants.

        With False, as much as any other again.
        """
        with suppress(AttributeError, OSError):  # Linux knows this; elsewhere the process is merely nice
            policy = os.SCHED_IDLE if yes else os.SCHED_OTHER
            for task in os.listdir(f"/proc/{self._process.pid}/task"):
                os.sched_setscheduler(int(task), policy, os.sched_param(0))

    def _hand_over(self, pipe: BinaryIO) -> None:
        """Write frames into the pipe until there are no more."""
        try:
            while (moment := self._waiting.get()) is not None:
                pickle.dump(moment, pipe, protocol=pickle.HIGHEST_PROTOCOL)
            pipe.flush()
        except (BrokenPipeError, OSError):  # it has said why, or was killed: what comes is left out
            while self._waiting.get() is not None:
                self.dropped += 1


def shoot(asked: dict, pipe: BinaryIO) -> dict:
    """The film's process: frames from the pipe until it ends.

    Returns:
        {"film", "frames", "fps", "size_wh", "seconds", "cards_s"}

    Raises:
        UserError: no frame came, the model cannot be read, or the film cannot be written.
    """
    left = load(asked["left"], asked["device"], precision=asked["precision"])
    finder = type("Finder", (), asked["right"])
    fps = Fraction(asked["fps"]).limit_denominator(1001)
    names = [
        (caption, model_line(detector, asked["threshold"]))
        for caption, detector in zip(captions([left, finder]), (left, finder), strict=True)
    ]
    view = SideBySide(
        [(Path(asked["path"]), [0, 1])], names, expected_s=EXPECTED_S, end_foot="made while the robot ran"
    )
    frames = make_films(_frames(pipe), Films(fps), [left], view, threshold=asked["threshold"])
    if not frames:
        raise UserError("no frame came")
    return {
        "film": asked["path"],
        "frames": frames,
        "fps": round(float(fps), 3),
        "size_wh": list(view.size_wh),
        "seconds": round(float(frames / fps), 3),
        "cards_s": [0, END_S],
    }


def _frames(pipe: BinaryIO) -> Iterator[FootageFrame]:
    """What comes through the pipe, with the finder's own detections; ends where a killed finder left off."""
    while True:
        try:
            t_s, jpeg, boxes_xyxy, scores, line = pickle.load(pipe)
        except (EOFError, pickle.UnpicklingError):
            return
        if (image := decode_or_none(jpeg)) is not None:
            yield FootageFrame(t_s, image, line, line, found=(Seen(boxes_xyxy, scores),))


def main() -> None:
    """Make the film that the first argument describes; the result goes to standard output as JSON."""
    if not hasattr(os, "SCHED_IDLE"):
        os.nice(NICE)
    try:
        result = shoot(json.loads(sys.argv[1]), sys.stdin.buffer)
    except UserError as error:
        result = {"error": str(error)}
    print(json.dumps(result), flush=True)


if __name__ == "__main__":
    main()

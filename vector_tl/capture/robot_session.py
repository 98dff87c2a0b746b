"""Capturing images of a Vector with a robot's camera: choosing frames, keys, and the live view."""

import logging
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Protocol

import cv2
import numpy as np

from vector_tl.capture.board import CaptureBoard, Status
from vector_tl.capture.choose import Chooser
from vector_tl.capture.driving import Driver
from vector_tl.capture.photographer import CapturedImage, clear_boxes
from vector_tl.capture.recorder import Recorder
from vector_tl.capture.sessions import describe, read_all
from vector_tl.capture.settings import CaptureSettings
from vector_tl.capture.simulated_session import whereabouts
from vector_tl.data import dataset
from vector_tl.data.boxes import to_cxcywh, to_norm
from vector_tl.data.coverage import Coverage, Shot
from vector_tl.data.images import decode_or_none, read_image
from vector_tl.robot.base import Frame, NoFreshFrame, Robot

if TYPE_CHECKING:  # it brings torch, which most captures do without
    from vector_tl.detect.engine import Detector

log = logging.getLogger(__name__)
SILENT_S = 10.0  # a robot's camera may send nothing for so long
GRID_WH = (8, 4)  # of the map of places in the image
FindBoxes = Callable[[Frame, np.ndarray], Shot]


class Partner(Protocol):
    """What moves a second robot in view of the camera; see `Choreographer`."""

    word: str  # what it does now

    def step(self, coverage: Coverage) -> None:
        """Move a little; called with every frame."""

    def pause(self) -> None:
        """Stand still."""


def watch(
    settings: CaptureSettings,
    robot: Robot,
    live: CaptureBoard | None = None,
    partner: Partner | None = None,
    detector: "Detector | None" = None,
) -> dict[str, Any]:
    """Keep frames of a robot's camera that are worth it in one session.

    It ends when there are enough, when the time is up, with the key for quitting, or with Ctrl-C.

    Args:
        settings: see there.
        robot: the one with the camera.
        live: shows the progress, and gives the keys pressed.
        partner: moves a second robot.
        detector: finds Vectors in a real robot's frames.

    Returns:
        {"sessions", "kept", "seen", "session", "seen_now", "camera_fps", "looked_at_fps", "coverage", "hint"}

    Raises:
        NoFreshFrame: the camera sends nothing.
        LinkLost: a robot is gone. What was kept stays; the next capture continues the session.
    """
    return Watch(settings, robot, live or CaptureBoard(), partner, detector).run()


@dataclass
class Rate:
    """Measured frame rates: of the camera by its own ids and times, and of the frames that were judged."""

    first: Frame | None = None
    last: Frame | None = None
    count: int = 0

    def add(self, frame: Frame) -> None:
        """Count a frame that was judged."""
        self.first, self.last, self.count = self.first or frame, frame, self.count + 1

    def facts(self) -> dict[str, float | None]:
        """{"camera_fps", "looked_at_fps"}, null before there are two frames."""
        camera = looked = None
        if self.first is not None and self.last is not None:
            robot_s = (self.last.robot_time_ms - self.first.robot_time_ms) / 1000
            link_s = self.last.received_s - self.first.received_s
            camera = round((self.last.image_id - self.first.image_id) / robot_s, 2) if robot_s > 0 else None
            looked = round((self.count - 1) / link_s, 2) if link_s > 0 else None
        return {"camera_fps": camera, "looked_at_fps": looked}


class Watch:
    """One run of `watch`."""

    def __init__(
        self,
        settings: CaptureSettings,
        robot: Robot,
        live: CaptureBoard,
        partner: Partner | None,
        detector: "Detector | None",
    ):
        self.settings, self.robot, self.live, self.partner = settings, robot, live, partner
        self.recorder = Recorder.open(settings, robot)
        sessions = read_all(settings.data) | {self.recorder.session: self.recorder.about}
        shots = [
            shot for about in sessions.values() if about.get("source") == "robot" for shot in about["shots"]
        ]
        self.coverage = Coverage(shots)
        self.chooser = Chooser(settings.novelty, self.coverage)
        self.driver = Driver(robot)
        self.rate = Rate()
        self.places = Counter(cell for shot in shots for cell in _cells(shot))
        self.paused = self.quit = self.by_hand = False
        self.said = ""
        self.truth = robot.ground_truth()
        self.find_boxes, self.boxes_by = self._box_finder(detector)
        for shot in self.recorder.shots:  # of a session that continues
            image = read_image(dataset.image_path(settings.data, self.recorder.session, shot["name"]))
            self.chooser.remember(shot["name"], cv2.cvtColor(image, cv2.COLOR_RGB2GRAY))

    def run(self) -> dict[str, Any]:
        """Watch until the end, and give the result; see `watch`."""
        settings, recorder = self.settings, self.recorder
        last_id, silent_since_s = None, time.monotonic()
        until_s = time.monotonic() + (settings.seconds if settings.seconds is not None else float("inf"))
        whole, seen_before = False, recorder.about["seen"]
        try:
            while len(recorder.shots) < settings.count and time.monotonic() < until_s and not self.quit:
                try:
                    frame = self.robot.next_frame(last_id, timeout_s=1.0)
                except NoFreshFrame:
                    if time.monotonic() - silent_since_s > SILENT_S:
                        raise
                    continue
                last_id, silent_since_s = frame.image_id, time.monotonic()
                self.rate.add(frame)
                recorder.about["seen"] += 1
                self._see(frame)
                self._move()
            whole = True
        except KeyboardInterrupt:
            log.info("stopped by hand")
            whole = True
        finally:
            self.robot.stop()
            recorder.finish(whole, **self.rate.facts())
            self.live.post(replace(self.live.look()[0], over=True))
            if recorder.shots:
                splits = dataset.extend_splits(settings.data, [recorder.session], settings.split_shares)
                log.info(
                    "session %s is in split %s; you may change that in %s",
                    recorder.session, splits[recorder.session], settings.data / "splits.json",
                )  # fmt: skip
        return {
            "sessions": int(bool(recorder.shots)),
            "kept": len(recorder.shots),
            "seen": recorder.about["seen"],
            "session": recorder.session,
            "seen_now": recorder.about["seen"] - seen_before,
            **self.rate.facts(),
            "coverage": self.coverage.table(),
            "hint": self.coverage.hint(),
        }

    def _see(self, frame: Frame) -> None:
        """Judge a frame, carry out the keys pressed, and show it all."""
        image = decode_or_none(frame.jpeg)
        if image is None:
            self._show(frame, None, "not readable")
            return
        grey = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
        # the head's angle tells the horizon, for simulated Vectors that are put in front of such an image
        # later
        head_rad = round(float(self.robot.state().head_angle_rad), 4)
        shot = describe(frame, image) | {"head_rad": head_rad} | self.find_boxes(frame, image)
        for action in self.live.pressed():
            self._obey(action)
        unfit = self._unfit(shot)
        word = unfit or ("paused" if self.paused else self.chooser.objection(grey, shot))
        if unfit is None and (self.by_hand or word is None):
            labelled = self.settings.negatives or self.truth is not None
            name = self.recorder.keep(frame, shot, labelled)
            self.chooser.remember(name, grey)
            self._count(shot, 1)
            word = "kept"
        self.by_hand = False
        self._show(frame, shot, word or "")

    def _unfit(self, shot: Shot) -> str | None:
        """Why a frame must not be kept, not even by hand."""
        if self.settings.negatives and shot["xyxy"]:
            return f"{self.boxes_by} sees a Vector"
        unclear = shot["xyxy"] is None and self.truth is not None
        return "shows too little of a Vector" if unclear else None

    def _obey(self, action: str) -> None:
        if action == "keep":
            self.by_hand = True
        elif action == "drop":
            dropped = self.recorder.drop()
            if dropped is not None:
                self._forget(dropped)
            self.said = "nothing to drop" if dropped is None else f"{dropped['name']} is in the bin"
        elif action == "undo":
            self.said = self._undo()
        elif action == "pause":
            self.paused = not self.paused
            self.said = "paused" if self.paused else "continues"
        elif action == "quit":
            self.quit = True
        else:
            self.said = self.driver.press(action) or self.said

    def _undo(self) -> str:
        """Undo the last keep or drop, and say so."""
        undone = self.recorder.undo()
        if undone is None:
            return "nothing to undo"
        what, shot = undone
        if what == "kept":
            self._forget(shot)
        else:
            self._count(shot, 1)
        return f"undone: {shot['name']} is {'in the bin' if what == 'kept' else 'back'}"

    def _forget(self, shot: Shot) -> None:
        self._count(shot, -1)
        self.chooser.forget(shot["name"])

    def _count(self, shot: Shot, times: int) -> None:
        self.coverage.add(shot, times)
        for cell in _cells(shot):
            self.places[cell] += times

    def _move(self) -> None:
        """Move the camera's robot by the keys, and the other one by itself."""
        said = self.driver.tick()
        self.said = said or self.said
        if self.partner is not None:
            if self.paused:
                self.partner.pause()
            else:
                self.partner.step(self.coverage)

    def _show(self, frame: Frame, shot: Shot | None, word: str) -> None:
        coverage, known = self.coverage, shot or {}
        said = [self.said, f"target: {self.partner.word}" if self.partner else ""]
        status = Status(
            session=self.recorder.session,
            kept=len(self.recorder.shots),
            goal=self.settings.count,
            seen=self.recorder.about["seen"],
            camera_fps=self.rate.facts()["camera_fps"],
            negatives=coverage.counts["vectors"]["none"],
            image_id=frame.image_id,
            size_wh=tuple(known.get("size_wh", (640, 360))),
            boxes_xyxy=tuple(map(tuple, known.get("xyxy") or ())),
            boxes_by=self.boxes_by,
            word=word,
            said=", ".join(filter(None, said)),
            paused=self.paused,
            hint=coverage.hint(),
            coverage=coverage.table(),
            lacking=coverage.all_lacking(),
            places=tuple(tuple(self.places[x, y] for x in range(GRID_WH[0])) for y in range(GRID_WH[1])),
        )
        self.live.post(status, frame.jpeg)

    # -- where the boxes come from --------------------------------------------------------------------------

    def _box_finder(self, detector: "Detector | None") -> tuple[FindBoxes, str]:
        """What finds boxes in a frame, and its name: ground truth, a model, the person, or nothing."""
        if self.truth is not None:
            return self._find_by_truth, "simulator"
        if detector is not None:

            def find_by_model(_frame: Frame, image: np.ndarray) -> Shot:
                boxes = detector(image).boxes_xyxy
                return {
                    "xyxy": [[round(float(v), 1) for v in box] for box in boxes],
                    "xyxy_by": detector.name,
                }

            return find_by_model, detector.name
        if self.settings.negatives:
            return lambda frame, image: {"xyxy": []}, "you"
        return lambda frame, image: {"xyxy": None}, ""

    def _find_by_truth(self, frame: Frame, _image: np.ndarray) -> Shot:
        assert self.truth is not None
        truth = self.truth.truth(frame.image_id, self.robot.serial)
        boxes = clear_boxes(truth["boxes"])
        if boxes is None:
            return {"xyxy": None}
        image = CapturedImage(frame, boxes, tuple(truth["size_wh"]), truth)
        return whereabouts(image) | {"xyxy_by": "simulator"}


def _cells(shot: Shot) -> list[tuple[int, int]]:
    """The cell of the map in which each box of an image has its centre."""
    centres = to_cxcywh(to_norm(shot["xyxy"] or [], shot["size_wh"]))[:, :2]
    cells = np.minimum((centres * GRID_WH).astype(int), np.array(GRID_WH) - 1)
    return [(x, y) for x, y in cells.tolist()]

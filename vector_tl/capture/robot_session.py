"""Taking images of a Vector with a robot's camera: choosing frames, keys, and the live view."""

import logging
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, replace

import cv2
import numpy as np

from vector_tl.capture.board import CaptureBoard, Status
from vector_tl.capture.choose import Chooser
from vector_tl.capture.driving import Driver
from vector_tl.capture.photographer import Image, clear_boxes
from vector_tl.capture.recorder import Recorder
from vector_tl.capture.sessions import describe, read_all
from vector_tl.capture.settings import CaptureSettings
from vector_tl.capture.simulated_session import whereabouts
from vector_tl.data import dataset
from vector_tl.data.coverage import Coverage
from vector_tl.data.images import decode_or_none, read_image
from vector_tl.robot.base import Frame, NoFreshFrame, Robot

log = logging.getLogger(__name__)
SILENT_S = 10.0  # so long a robot's camera may send nothing
GRID_WH = (8, 4)  # of the map of places in the image
Look = Callable[[Frame, np.ndarray], dict]


def watch(
    settings: CaptureSettings, robot: Robot, live: CaptureBoard | None = None, partner=None, detector=None
) -> dict:
    """Keep the welcome frames of a robot's camera in one session until there are enough, time is up, somebody quits, or Ctrl-C.

    Args:
        live: shows how it goes, and brings keys.
        detector: says where Vectors are, on a robot; see `vector_tl.detect.engine.Detector`.
        partner: moves a second robot, see `Choreographer`: `step(coverage)` with every frame, `pause()`, and `word` for the view.

    Raises:
        NoFreshFrame: the camera sends nothing.
        LinkLost: a robot is gone. What was kept stays; the session goes on with the next capture.
    """
    return Watch(settings, robot, live or CaptureBoard(), partner, detector).run()


@dataclass
class Rate:
    """Frame rate as measured: of the camera by its own ids and times, and of those that were looked at."""

    first: Frame | None = None
    last: Frame | None = None
    count: int = 0

    def add(self, frame: Frame) -> None:
        self.first, self.last, self.count = self.first or frame, frame, self.count + 1

    def facts(self) -> dict:
        """{"camera_fps", "looked_at_fps"}, null before there are two frames."""
        camera = looked = None
        if self.count > 1:
            robot_s, link_s = (
                (self.last.robot_time_ms - self.first.robot_time_ms) / 1000,
                self.last.received_s - self.first.received_s,
            )
            camera = round((self.last.image_id - self.first.image_id) / robot_s, 2) if robot_s > 0 else None
            looked = round((self.count - 1) / link_s, 2) if link_s > 0 else None
        return {"camera_fps": camera, "looked_at_fps": looked}


class Watch:
    """One run of `watch`."""

    def __init__(self, settings: CaptureSettings, robot: Robot, live: CaptureBoard, partner, detector):
        self.settings, self.robot, self.live, self.partner = settings, robot, live, partner
        self.recorder = Recorder.open(settings, robot)
        others = [
            about
            for name, about in read_all(settings.data).items()
            if about.get("source") == "robot" and name != self.recorder.session
        ]
        self.coverage = Coverage(shot for about in [*others, self.recorder.about] for shot in about["shots"])
        self.chooser = Chooser(settings.novelty, self.coverage)
        self.driver = Driver(robot)
        self.rate = Rate()
        self.places = Counter(
            place
            for about in [*others, self.recorder.about]
            for shot in about["shots"]
            for place in _cells(shot)
        )
        self.paused = self.quit = self.by_hand = False
        self.said = ""
        self.look, self.looks_by = self._looker(detector)
        for shot in self.recorder.shots:  # of a session that goes on
            image = read_image(dataset.image_path(settings.data, self.recorder.session, shot["name"]))
            self.chooser.keep(shot["name"], cv2.cvtColor(image, cv2.COLOR_RGB2GRAY))

    def run(self) -> dict:
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
                split = dataset.extend_splits(settings.data, [recorder.session], settings.split_shares)[
                    recorder.session
                ]
                log.info(
                    "session %s is in split %s; %s says so and may be changed",
                    recorder.session,
                    split,
                    settings.data / "splits.json",
                )
        return {
            "sessions": int(bool(recorder.shots)), "kept": len(recorder.shots), "seen": recorder.about["seen"], "session": recorder.session,
            "seen_now": recorder.about["seen"] - seen_before, **self.rate.facts(), "coverage": self.coverage.table(), "hint": self.coverage.hint(),
        }  # fmt: skip

    def _see(self, frame: Frame) -> None:
        """Judge a frame, do what the keys say, and show it all."""
        image = decode_or_none(frame.jpeg)
        if image is None:
            self._show(frame, None, "not readable")
            return
        grey = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
        head_rad = round(
            float(self.robot.state().head_angle_rad), 4
        )  # where the horizon is: what is put before such an image later stands on its ground
        shot = describe(frame, image) | {"head_rad": head_rad} | self.look(frame, image)
        for action in self.live.pressed():
            self._obey(action)
        word = self._unfit(shot) or ("paused" if self.paused else self.chooser.objection(grey, shot))
        if self.by_hand or word is None:
            if self._unfit(shot) is None:
                name = self.recorder.keep(frame, shot, labelled=self.settings.negatives or self.robot_tells)
                self.chooser.keep(name, grey)
                self._count(shot, 1)
                word = "kept"
            self.by_hand = False
        self._show(frame, shot, word)

    def _unfit(self, shot: dict) -> str | None:
        """Why a frame must not be kept, whatever anybody says."""
        if self.settings.negatives and shot["xyxy"]:
            return f"{self.looks_by} sees a Vector"
        return "too little of a Vector to tell" if shot["xyxy"] is None and self.robot_tells else None

    def _obey(self, action: str) -> None:
        if action == "keep":
            self.by_hand = True
        elif action == "drop":
            dropped = self.recorder.drop()
            if dropped:
                self._forget(dropped)
            self.said = f"{dropped['name']} is in the bin" if dropped else "nothing to drop"
        elif action == "undo":
            undone = self.recorder.undo()
            self.said = (
                f"undone: {undone[1]['name']} is {'in the bin' if undone[0] == 'kept' else 'back'}"
                if undone
                else "nothing to undo"
            )
            if undone and undone[0] == "kept":
                self._forget(undone[1])
            elif undone:
                self._count(undone[1], 1)
        elif action == "pause":
            self.paused = not self.paused
            self.said = "paused" if self.paused else "going on"
        elif action == "quit":
            self.quit = True
        else:
            self.said = self.driver.press(action) or self.said

    def _forget(self, shot: dict) -> None:
        self._count(shot, -1)
        self.chooser.forget(shot["name"])

    def _count(self, shot: dict, times: int) -> None:
        self.coverage.add(shot, times)
        for cell in _cells(shot):
            self.places[cell] += times

    def _move(self) -> None:
        """The camera's robot by the keys, the other one by itself."""
        said = self.driver.tick()
        self.said = said or self.said
        if self.partner is not None:
            if self.paused:
                self.partner.pause()
            else:
                self.partner.step(self.coverage)

    def _show(self, frame: Frame, shot: dict | None, word: str) -> None:
        coverage, known = self.coverage, shot or {}
        said = [self.said, f"target: {self.partner.word}" if self.partner else ""]
        self.live.post(Status(
            session=self.recorder.session, kept=len(self.recorder.shots), goal=self.settings.count, seen=self.recorder.about["seen"],
            camera_fps=self.rate.facts()["camera_fps"], negatives=coverage.counts["vectors"]["none"], image_id=frame.image_id,
            size_wh=tuple(known.get("size_wh", (640, 360))), boxes_xyxy=tuple(map(tuple, known.get("xyxy") or ())), boxes_by=self.looks_by,
            word=word, said=", ".join(filter(None, said)), paused=self.paused, hint=coverage.hint(),
            coverage=coverage.table(), lacking=coverage.all_lacking(),
            places=tuple(tuple(self.places[x, y] for x in range(GRID_WH[0])) for y in range(GRID_WH[1])),
        ), frame.jpeg)  # fmt: skip

    # -- who says where a Vector is -----------------------------------------------------------------------------------

    def _looker(self, detector) -> tuple[Look, str]:
        """What tells of boxes: the simulator's truth, a model, the person's word that there is none, or nothing."""
        truth = self.robot.ground_truth()
        self.robot_tells = truth is not None
        if truth is not None:

            def by_truth(frame: Frame, image: np.ndarray) -> dict:
                told = truth.truth(frame.image_id, self.robot.serial)
                boxes = clear_boxes(told["boxes"])
                if boxes is None:
                    return {"xyxy": None}
                return whereabouts(Image(frame, boxes, tuple(told["size_wh"]), told)) | {
                    "xyxy_by": "simulator"
                }

            return by_truth, "simulator"
        if detector is not None:

            def by_model(frame: Frame, image: np.ndarray) -> dict:
                boxes = detector(image).boxes_xyxy
                return {
                    "xyxy": [[round(float(v), 1) for v in box] for box in boxes],
                    "xyxy_by": detector.name,
                }

            return by_model, detector.name
        return lambda frame, image: {
            "xyxy": [] if self.settings.negatives else None
        }, "you" if self.settings.negatives else ""


def _cells(shot: dict) -> list[tuple[int, int]]:
    """In which cell of the map each box of an image has its middle."""
    (width, height), boxes = shot["size_wh"], shot["xyxy"] or []
    columns, rows = GRID_WH
    return [
        (
            min(int((x1 + x2) / 2 / width * columns), columns - 1),
            min(int((y1 + y2) / 2 / height * rows), rows - 1),
        )
        for x1, y1, x2, y2 in boxes
    ]

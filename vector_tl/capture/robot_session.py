"""Takes a session of images with a robot's camera: choosing frames, keys, and the live view."""

import logging
import time
from collections import Counter
from dataclasses import dataclass, replace
from typing import Any

import cv2
import numpy as np

from vector_tl.capture.board import CaptureBoard, Status
from vector_tl.capture.choose import NOTHING_NEW, Chooser
from vector_tl.capture.choreography import Choreographer
from vector_tl.capture.driving import Driver
from vector_tl.capture.ground_truth import facts_of, label_image, rounded_boxes
from vector_tl.capture.recorder import SessionRecorder
from vector_tl.capture.sessions import describe, read_all
from vector_tl.capture.settings import CaptureSettings
from vector_tl.data import dataset
from vector_tl.data.boxes import to_cxcywh, to_norm
from vector_tl.data.coverage import Coverage, Shot
from vector_tl.data.images import decode_or_none, read_image
from vector_tl.detect.interface import ImageDetector
from vector_tl.robot.base import Frame, NoFreshFrame, Robot

log = logging.getLogger(__name__)
MAX_SILENT_S = 10.0  # so long a robot's camera may send nothing
STILL_S = 15.0  # a robot that stands where it stood takes no more images
GRID_WH = (8, 4)  # of the map of places in the image


@dataclass
class FrameRate:
    """Frame rates as measured: of the camera, by its own ids and times, and of the frames looked at."""

    first: Frame | None = None
    last: Frame | None = None
    count: int = 0

    def add(self, frame: Frame) -> None:
        """Count a frame."""
        self.first, self.last, self.count = self.first or frame, frame, self.count + 1

    def facts(self) -> dict[str, float | None]:
        """{"camera_fps", "looked_at_fps"}, null before there are two frames."""
        if self.first is None or self.last is None or self.count < 2:
            return {"camera_fps": None, "looked_at_fps": None}
        robot_s = (self.last.robot_time_ms - self.first.robot_time_ms) / 1000
        link_s = self.last.received_s - self.first.received_s
        images = self.last.image_id - self.first.image_id
        return {
            "camera_fps": round(images / robot_s, 2) if robot_s > 0 else None,
            "looked_at_fps": round((self.count - 1) / link_s, 2) if link_s > 0 else None,
        }


class RobotSession:
    """Keeps the welcome frames of a robot's camera in one session.

    Args:
        settings: how many images, where, and how.
        robot: whose camera takes them.
        board: shows how it goes, and brings keys.
        partner: moves a second robot in view of the first.
        detector: finds Vectors in the images of a real robot.

    Raises:
        UserError: the session that the settings name cannot be continued.
    """

    def __init__(
        self,
        settings: CaptureSettings,
        robot: Robot,
        board: CaptureBoard | None = None,
        partner: Choreographer | None = None,
        detector: ImageDetector | None = None,
    ):
        self.settings, self.robot, self.partner, self.detector = settings, robot, partner, detector
        self.board = board or CaptureBoard()
        self.truth = robot.ground_truth()
        self.boxes_by = "you" if settings.negatives else ""
        if self.truth is not None or detector is not None:
            self.boxes_by = "simulator" if detector is None or self.truth is not None else detector.name
        self.recorder = SessionRecorder.open(settings, robot)
        self.coverage, self.places = Coverage(), Counter[tuple[int, int]]()
        self.chooser = Chooser(settings.novelty, self.coverage)
        self.driver, self.rate = Driver(robot), FrameRate()
        self.paused = self.quit = self.by_hand = False
        self._still_since_s = time.monotonic()  # since when the camera shows nothing new
        self.answer = ""
        others = read_all(settings.data, "robot") | {self.recorder.session: self.recorder.about}
        for shot in [shot for about in others.values() for shot in about["shots"]]:
            self._count(shot, 1)
        for shot in self.recorder.shots:  # of a session that continues
            path = dataset.image_path(settings.data, self.recorder.session, shot["name"])
            if path.exists():  # else a person has put it into the bin
                self.chooser.remember(shot["name"], cv2.cvtColor(read_image(path), cv2.COLOR_RGB2GRAY))

    def take_images(self) -> dict[str, Any]:
        """Look at frames until there are enough images, time is up, somebody quits, or Ctrl-C.

        Returns:
            {"sessions", "kept", "seen", "session", "seen_now", "camera_fps", "looked_at_fps", "coverage",
            "hint"}.

        Raises:
            NoFreshFrame: the camera sends nothing.
            LinkLost: a robot is gone. What was kept stays; the next capture continues the session.
        """
        recorder, whole = self.recorder, False
        seen_before = recorder.about["seen"]
        try:
            self._look_at_frames()
            whole = True
        except KeyboardInterrupt:
            log.info("stopped by hand")
            whole = True
        finally:
            self.robot.stop()
            recorder.finish(whole, **self.rate.facts())
            self.board.post(replace(self.board.look()[0], over=True))
            if recorder.shots:
                self._put_into_split()
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

    def _look_at_frames(self) -> None:
        """The loop: each frame is judged, then the robots move."""
        last_id, silent_since_s = None, time.monotonic()
        until_s = time.monotonic() + (
            float("inf") if self.settings.seconds is None else self.settings.seconds
        )
        while len(self.recorder.shots) < self.settings.count and time.monotonic() < until_s and not self.quit:
            try:
                frame = self.robot.next_frame(last_id, timeout_s=1.0)
            except NoFreshFrame:
                if time.monotonic() - silent_since_s > MAX_SILENT_S:
                    raise
                continue
            last_id, silent_since_s = frame.image_id, time.monotonic()
            self.rate.add(frame)
            self.recorder.about["seen"] += 1
            self._judge(frame)
            self._move_robots()

    def _put_into_split(self) -> None:
        session, folder = self.recorder.session, self.settings.data
        split = dataset.extend_splits(folder, [session], self.settings.split_shares)[session]
        log.info("session %s is in split %s; change it in %s", session, split, folder / "splits.json")

    def _judge(self, frame: Frame) -> None:
        """Decide about a frame, do what the keys say, and show it all."""
        image = decode_or_none(frame.jpeg)
        if image is None:
            self._show(frame, {}, "not readable")
            return
        grey = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
        # The head's angle is where the horizon is: Vectors put before such an image later stand on its
        # ground.
        head_rad = round(float(self.robot.state().head_angle_rad), 4)
        shot = describe(frame, image) | {"head_rad": head_rad} | self._find_boxes(frame, image)
        for action in self.board.pressed():
            self._obey(action)
        unfit = self._unfit(shot)
        verdict = unfit or ("paused" if self.paused else self.chooser.objection(grey, shot))
        if unfit is None and (self.by_hand or verdict is None):
            labelled = self.settings.negatives or self.truth is not None
            self.chooser.remember(self.recorder.keep_image(frame, shot, labelled), grey)
            self._count(shot, 1)
            verdict = "kept"
        self.by_hand = False
        if verdict != NOTHING_NEW:
            self._still_since_s = time.monotonic()
        self._show(frame, shot, verdict or "")

    def _find_boxes(self, frame: Frame, image: np.ndarray) -> Shot:
        """Where Vectors are in an image (H, W, 3).

        The simulator's ground truth says so, or a model, or the person who says that there are none.

        Returns:
            "xyxy" (N, 4) in pixels, None when nobody knows, and what else is known.
        """
        if self.truth is not None:
            labelled = label_image(frame, self.truth.truth(frame.image_id, self.robot.serial))
            return {"xyxy": None} if labelled is None else facts_of(labelled) | {"xyxy_by": self.boxes_by}
        if self.detector is not None:
            return {"xyxy": rounded_boxes(self.detector(image).boxes_xyxy), "xyxy_by": self.boxes_by}
        return {"xyxy": [] if self.settings.negatives else None}

    def _unfit(self, shot: Shot) -> str | None:
        """Why a frame must not be kept, whatever anybody says."""
        if self.settings.negatives and shot["xyxy"]:
            return f"{self.boxes_by} sees a Vector"
        return "shows too little of a Vector" if shot["xyxy"] is None and self.truth is not None else None

    def _obey(self, action: str) -> None:
        """Do what a key says."""
        if action == "keep":
            self.by_hand = True
        elif action == "drop":
            dropped = self.recorder.drop_image()
            self.answer = "nothing to drop"
            if dropped:
                self._forget(dropped)
        elif action == "undo":
            what, shot = self.recorder.undo() or ("", {})
            self.answer = "nothing to undo"
            if what == "kept":
                self._forget(shot)
            elif what == "dropped":
                self._count(shot, 1)
                self.answer = f"{shot['name']} is back"
        elif action == "pause":
            self.paused = not self.paused
            self.answer = "paused" if self.paused else "continues"
        elif action == "quit":
            self.quit = True
        else:
            self.answer = self.driver.press(action) or self.answer

    def _forget(self, shot: Shot) -> None:
        """An image went into the bin."""
        self._count(shot, -1)
        self.chooser.forget(shot["name"])
        self.answer = f"{shot['name']} is in the bin"

    def _count(self, shot: Shot, times: int) -> None:
        self.coverage.add(shot, times)
        for cell in _cells(shot):
            self.places[cell] += times

    def _move_robots(self) -> None:
        """The camera's robot moves by the keys, the other one by itself."""
        self.answer = self.driver.tick() or self.answer
        if self.partner is not None:
            if self.paused:
                self.partner.pause()
            else:
                self.partner.step(self.coverage)

    def _stillness(self) -> str:
        """What to do where the camera has shown the same for long; empty where it has not."""
        still_s = time.monotonic() - self._still_since_s
        if still_s < STILL_S:
            return ""
        move = "carry or turn this robot (arrow keys)"
        if self.partner is not None:
            move = "let the other robot move, or turn this one (arrow keys)"
        return f"the camera has shown nothing new for {still_s:.0f} s: {move}"

    def _show(self, frame: Frame, shot: Shot, verdict: str) -> None:
        answers = [self.answer, f"target: {self.partner.word}" if self.partner else ""]
        status = Status(
            session=self.recorder.session,
            kept=len(self.recorder.shots),
            goal=self.settings.count,
            seen=self.recorder.about["seen"],
            camera_fps=self.rate.facts()["camera_fps"],
            negatives=self.coverage.counts["vectors"]["none"],
            image_id=frame.image_id,
            size_wh=tuple(shot.get("size_wh", Status.size_wh)),
            boxes_xyxy=tuple(map(tuple, shot.get("xyxy") or ())),
            boxes_by=self.boxes_by,
            verdict=verdict,
            answer=", ".join(filter(None, answers)),
            paused=self.paused,
            hint=self._stillness() or self.coverage.hint(),
            coverage=self.coverage.table(),
            lacking=self.coverage.all_lacking(),
            places=tuple(tuple(self.places[x, y] for x in range(GRID_WH[0])) for y in range(GRID_WH[1])),
        )
        self.board.post(status, frame.jpeg)


def _cells(shot: Shot) -> list[tuple[int, int]]:
    """In which cell (column, row) of the map each box of an image has its middle."""
    centres = to_cxcywh(to_norm(shot["xyxy"] or [], shot["size_wh"]))[:, :2]  # (N, 2) in 0..1
    cells = np.minimum((centres * GRID_WH).astype(int), np.array(GRID_WH) - 1)
    return [(x, y) for x, y in cells.tolist()]

"""The live loop: frame -> detect -> track -> decide -> drive, until the other one is reached or time is up.

    vector-tl find --robot sim --model transfer --record run.mcap

The robot comes behind the `Robot` protocol and the detector behind `ImageDetector`, so tests can give both.
"""

import gc
import logging
import math
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import asdict
from typing import Any

import numpy as np

from vector_tl.data.images import decode_or_none
from vector_tl.detect.interface import ImageDetector
from vector_tl.errors import UserError
from vector_tl.find.behaviour import decide
from vector_tl.find.follow import Following
from vector_tl.find.keep import Keeper
from vector_tl.find.latency import StageClock, percentiles_ms
from vector_tl.find.live.attend import attended
from vector_tl.find.live.board import STATE_LINES, Board, Snapshot
from vector_tl.find.memory import Law, MotionCommand, Observation, again, begin, following
from vector_tl.find.perception import Perception, pose_of
from vector_tl.find.posture import Posture
from vector_tl.find.progress import ProgressLine
from vector_tl.find.settings import FindSettings
from vector_tl.find.track import Target, weak_score
from vector_tl.robot.base import REMEDIES, Frame, GroundTruth, NoFreshFrame, Robot, RobotState
from vector_tl.robot.signals import wheels_first

log = logging.getLogger("vector_tl.find")
FRAME_S = 0.5  # so long a frame is waited for; the wheels stand by then
NO_FRAMES_S = 10.0  # without a frame that can be read for so long, the run has failed


def find(
    settings: FindSettings, robot: Robot | None = None, detector: ImageDetector | None = None
) -> dict[str, Any]:
    """Find the other Vector.

    Args:
        settings: the options of `vector-tl find`.
        robot: an open robot; opened (and closed) by `settings.robot` when not given.
        detector: image (H, W, 3) uint8 RGB -> boxes and scores; loaded by `settings.model` when not given.

    Returns:
        The result, as the JSON of `vector-tl find --json`.

    Raises:
        UserError: link lost, no frames, a bad model, or a recording that cannot be written. The wheels have
            been stopped.
    """
    settings.check()
    keeper = Keeper(settings)
    try:
        result = _find(settings, robot, detector, keeper)
    except UserError as error:
        keeper.report(dict(error.result))
        raise
    return result | keeper.report(result)


def _find(
    settings: FindSettings, robot: Robot | None, detector: ImageDetector | None, keeper: Keeper
) -> dict[str, Any]:
    if detector is None:
        from vector_tl.detect.detector import load  # brings PyTorch

        detector = load(settings.model, settings.device, precision=settings.precision)
    with ExitStack() as stack:
        if robot is None:
            from vector_tl.robot.open import open_robot  # brings the SDK

            robot = stack.enter_context(
                open_robot(
                    settings.robot,
                    world=settings.world,
                    lockstep=settings.lockstep,
                    camera_fps=settings.camera_fps,
                    reconnect_s=settings.reconnect_s,
                    target_motion=settings.target_motion,
                    drives=not settings.dry_run,
                    take_control=settings.take_control,
                )
            )
        if keeper.keeps:
            stack.enter_context(keeper.begin(robot, detector))
        about = {"serial": robot.serial, "model": detector.name, "robot": settings.robot}
        board = Board(robot, settings, about)
        stack.enter_context(attended(board))
        stack.enter_context(short_collections())
        loop = FindLoop(board, detector, keeper if keeper.keeps else None)
        try:
            try:
                with wheels_first(robot):
                    loop.run_until_found()
            finally:  # Ctrl-C and every other way out too: wheels first, files and links after
                robot.stop()
                loop.progress.end()
        except UserError as error:
            error.result = loop.result()  # what was reached so far, for the JSON beside the error
            raise
        result = loop.result(robot.ground_truth())
        if keeper.keeps:
            keeper.result(result)
        return result


@contextmanager
def short_collections() -> Iterator[None]:
    """Within the block, the garbage collector leaves out what was there before.

    To look at all of it takes some 0.1 s, in which no thread goes on, and a page with many connections, which
    come and go, makes that happen again and again.
    """
    gc.freeze()
    try:
        yield
    finally:
        gc.unfreeze()


class FindLoop:
    """One run of the loop, and what it counts.

    Args:
        board: brings the settings and the robot behind the switch, and shows what the loop does.
        detector: image in, boxes out.
        keeper: keeps each piece of the run; None keeps nothing.
    """

    def __init__(self, board: Board, detector: ImageDetector, keeper: Keeper | None = None):
        self.board, self.robot, self.settings = board, board.robot, board.settings
        self.detector, self.keeper = detector, keeper
        self.law = Law(
            stop_mm=self.settings.stop_mm,
            top_mmps=self.settings.top_mmps,
            wander_mmps=min(Law.wander_mmps, self.settings.top_mmps),
        )
        self.followed: Following | None = None
        if self.settings.follow:
            self.law = following(self.law)
            self.followed = Following(self.robot.ground_truth(), self.robot.serial, self.settings.lockstep)
        asked = self.settings.threshold
        self.threshold = detector.threshold if asked is None else asked
        self.perception, self.stages = Perception(self.robot, self.threshold), StageClock()
        self.progress = ProgressLine(self.settings.dry_run)
        self.frames = 0
        self.found_s: float | None = None
        self.frame_to_command_ms: list[float] = []
        self.start_s = self.end_s = self.robot.now_s()
        self.target: Target | None = None
        self._blind, self._received_s = False, 0.0
        self._posture, self._held, self._stops = Posture(self.robot), False, 0
        self._switch = "running"  # a person's; see board.py
        board.begin_run(self.stages.laps_ms, self.frame_to_command_ms)

    def run_until_found(self) -> None:
        """Turn frames into commands until the other Vector is found, time is up, or a person stops it.

        Raises:
            NoFreshFrame: no frame came for 10 s, or none at all.
            LinkLost: the link is gone for good.
            UserError: the battery is low, or somebody else drives.
        """
        self.memory = begin(self.robot.now_s(), pose_of(self.perception.read_state()))
        if not self.settings.dry_run:
            self._posture.lower_lift()
        last_id: int | None = None
        self._begin_to_wait()
        while not self._is_over():
            self.stages.start()
            frame = self._next_frame(last_id)
            if frame is None:
                continue
            last_id = frame.image_id
            image = self._read(frame)
            if image is None:
                continue
            command = self.step(frame, image)
            self.end_s = self.robot.now_s()
            self.progress.show(
                self._seconds(), command, self.target, self.frames, self.frame_to_command_ms[-1]
            )
            if self.found_s is None and (command.done or command.reached):
                self.found_s = self._time_s(self.end_s)
            if command.done:
                break
        self.end_s = self.robot.now_s()
        if self.frames == 0:
            raise NoFreshFrame(_no_frames("within", self.settings.seconds))

    def step(self, frame: Frame, image: np.ndarray) -> MotionCommand:
        """From one frame and its image (H, W, 3), uint8 RGB, to the wheels."""
        found = self.detector(image, threshold=weak_score(self.threshold))
        boxes, scores = found.boxes_xyxy, found.scores  # (N, 4), (N,)
        self.stages.lap("detect")
        state, size_wh = self.perception.read_state(), (image.shape[1], image.shape[0])
        seen = self.perception.observe(frame, boxes, scores, state, size_wh)
        boxes, scores = boxes[scores > self.threshold], scores[scores > self.threshold]  # what is shown, kept
        before, self.target = self.memory, seen.target
        command = self._decide(seen, state)
        self.stages.lap("decide")
        sent = self._act(command, state)
        self.stages.lap("drive")
        if self.keeper:
            self.keeper.detections(frame, boxes, scores)
            self.keeper.state(state)
            self.keeper.command(seen.now_s, command, sent, seen.target)
            self.stages.lap("record")
        if command.log:
            self._note(command.log)
        if self.followed:
            lost = before.mode in ("approach", "hold") and self.memory.mode == "search"
            self.followed.note(frame, self.memory.reached, lost)
        self.board.post(
            Snapshot(
                frame, size_wh, boxes, scores, state, command, sent, seen.target, seen.now_s, seen.delay_s
            )
        )
        return command

    def result(self, truth: GroundTruth | None = None) -> dict[str, Any]:
        """The run's figures; ground truth is asked for now, with the wheels stopped."""
        known = truth.truth(serial=self.robot.serial) if truth is not None else {}
        stages_ms = self.stages.summary()
        stages = ", ".join(f"{stage} {ms['p50']}/{ms['p95']}" for stage, ms in stages_ms.items())
        log.debug("stages, ms p50/p95: %s", stages)
        return {
            "found": self.found_s is not None,
            "time_to_found_s": _rounded(self.found_s),
            "distance_mm": _rounded(known.get("distance_mm")),
            "bearing_deg": _rounded(known.get("bearing_deg")),
            "estimated_distance_mm": _rounded(self.target.distance_mm if self.target else None),
            "estimated_bearing_deg": _rounded(math.degrees(self.target.bearing_rad) if self.target else None),
            "collisions": known.get("collisions"),
            "falls": known.get("falls"),
            "frames": self.frames,
            "fps": _rounded(self.frames / self._seconds()),
            "latency_ms": percentiles_ms(self.frame_to_command_ms),
            "stages_ms": stages_ms,
            "stops": [asdict(stop) | {"t_s": _rounded(stop.t_s)} for stop in self.robot.stops],
        } | (self.followed.result() if self.followed else {})

    # -- parts of the loop -----------------------------------------------------------------------------------

    def _seconds(self) -> float:
        """From the start to the last command, pauses included."""
        return max(self.end_s - self.start_s, 1e-6)

    def _time_s(self, now_s: float) -> float:
        """Time of the run, without the pauses that a person made."""
        return now_s - self.start_s - self.board.paused_s()

    def _is_over(self) -> bool:
        """Whether time is up or a person has stopped the run; notes what a person does."""
        if self._time_s(self.robot.now_s()) >= self.settings.seconds:
            return True
        if self._switch != self.board.state:
            self._switch = self.board.state
            self._note(STATE_LINES[self._switch])
        return self.board.stopped

    def _next_frame(self, last_id: int | None) -> Frame | None:
        """The next frame, or None where none came in time: then the guard has stopped the wheels.

        What was seen before such a gap is too old to be of use, so the finder looks again.
        """
        try:
            return self.robot.next_frame(last_id, timeout_s=FRAME_S)
        except NoFreshFrame as missing:
            if missing.reconnecting:
                self._begin_to_wait()  # the link itself gives up in time
            self._miss()
            return None

    def _begin_to_wait(self) -> None:
        """Count the time without a frame from now on, by the clock and by the robot's world."""
        self._waits_since = time.monotonic(), self.robot.now_s()

    def _read(self, frame: Frame) -> np.ndarray | None:
        """The frame's image (H, W, 3), uint8 RGB; None where it cannot be read, as if none had come."""
        age_s = 0.0 if self.settings.lockstep else max(0.0, self.robot.now_s() - frame.received_s)
        self._received_s = time.perf_counter() - age_s
        self.stages.lap("wait")
        if self.keeper:
            self.keeper.frame(frame)
            self.stages.lap("record")
        image = decode_or_none(frame.jpeg)
        self.stages.lap("decode")
        if image is None:
            if not self._blind:
                self._note(f"frame {frame.image_id} cannot be read and is left out")
            self._miss(FRAME_S)
            return None
        self.frames += 1
        if self._blind:
            self._blind = False
            pose = pose_of(self.perception.read_state())
            self.memory = again(self.memory, self.robot.now_s(), pose)
            self._note("frames are coming again: looking")
        self._begin_to_wait()
        return image

    def _miss(self, patience_s: float = 0.0) -> None:
        """Note that there is no frame, once that has lasted for so long.

        Raises:
            NoFreshFrame: it has lasted for 10 s.
        """
        waited_s = (time.monotonic() - self._waits_since[0], self.robot.now_s() - self._waits_since[1])
        if max(waited_s) > NO_FRAMES_S:
            raise NoFreshFrame(_no_frames("for", NO_FRAMES_S)) from None
        if max(waited_s) >= patience_s and not self._blind:
            self._blind = True
            self._note("no new frame: wheels stopped, waiting")

    def _decide(self, seen: Observation, state: RobotState) -> MotionCommand:
        if self.board.running:
            self.memory, command = decide(self.memory, seen, self.law)
            return command
        self.memory = again(
            self.memory, seen.now_s, seen.pose
        )  # a person has paused it: it begins anew afterwards
        return MotionCommand(0.0, 0.0, state.head_angle_rad, self.board.state)

    def _act(self, command: MotionCommand, state: RobotState) -> bool:
        """Wheels first, then the rest. Returns whether the wheels were granted."""
        dry = self.settings.dry_run
        sent = not dry and self.robot.drive(command.left_mmps, command.right_mmps)
        self.frame_to_command_ms.append((time.perf_counter() - self._received_s) * 1000)
        if dry:
            return False
        wanted = command.left_mmps != 0 or command.right_mmps != 0
        self._note_guard(held=wanted and not sent and self.board.running)
        self._posture.keep(command.head_rad, state, obeys=wanted and sent)
        if command.say:
            self.robot.say(command.say)
        return sent

    def _note_guard(self, held: bool) -> None:
        """Note when the guard begins or ends holding the wheels.

        Raises:
            UserError: it holds them for a reason that waiting does not change, such as a low battery.
        """
        stops = self.robot.stops
        reason = stops[-1].reason if stops else "not ready"
        if held and reason in REMEDIES:
            raise UserError(REMEDIES[reason].format(serial=self.robot.serial))
        if held and not self._held and len(stops) == self._stops:
            return  # it only waits to see the wheels stand, as they are to
        if held != self._held:
            self._held, self._stops = held, len(stops)
            line = f"the guard holds the wheels: {reason}" if held else "the guard has released the wheels"
            self._note(line)

    def _note(self, line: str) -> None:
        now_s = self.robot.now_s()
        log.info("%6.2f s  %s", now_s - self.start_s, line)
        self.board.note(now_s - self.start_s, line)
        if self.keeper:
            self.keeper.event(now_s, line)


def _no_frames(how_long: str, seconds: float) -> str:
    remedy = "check the robot's camera and network, then start again"
    return f"No camera frame that can be read came {how_long} {seconds:g} s; {remedy}."


def _rounded(value: float | None, digits: int = 2) -> float | None:
    return None if value is None or not math.isfinite(value) else round(float(value), digits)

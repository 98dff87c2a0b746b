"""The live loop: frame -> detect -> track -> decide -> drive, until the other Vector is reached and held, or time is up.

    vector-tl find --robot sim --model transfer --record run.mcap

The robot comes behind the `Robot` protocol, the detector is anything that turns an image into boxes and scores, so both can be given by tests.
"""

import logging
import math
import sys
import time
from contextlib import ExitStack

import numpy as np

from vector_tl.data.images import decode_or_none
from vector_tl.errors import UserError
from vector_tl.find.actuation import HALF_TRACK_MM
from vector_tl.find.behaviour import decide
from vector_tl.find.follow import Following
from vector_tl.find.geometry import locate
from vector_tl.find.keep import Keeper
from vector_tl.find.latency import StageClock, percentiles_ms
from vector_tl.find.live.attend import attended
from vector_tl.find.live.board import SAID, Board, Snapshot
from vector_tl.find.memory import Law, MotionCommand, Observation, again, begin, following
from vector_tl.find.settings import FindSettings
from vector_tl.find.track import CameraClock, Pose, PoseHistory, Tracker
from vector_tl.robot.base import LOW_BATTERY, Frame, NoFreshFrame, Robot, RobotState
from vector_tl.robot.signals import wheels_first

log = logging.getLogger("vector_tl.find")
CAMERA_DELAY_S = 0.03  # from the shutter to a frame's arrival
NO_FRAMES_S = 10.0  # without any frame for so long, the run has failed
HEAD_STEP_RAD = math.radians(2.0)  # smaller wishes do not move the head: each move blurs images


def find(settings: FindSettings, robot: Robot | None = None, detector=None) -> dict:
    """Find the other Vector.

    Args:
        settings: what `vector-tl find` was told.
        robot: an open robot; opened (and closed) by `settings.robot` when not given.
        detector: image (H, W, 3) uint8 RGB -> something with `boxes_xyxy` (N, 4) and `scores` (N,); loaded by `settings.model` when not given.

    Returns:
        The result, as the JSON of `vector-tl find --json`.

    Raises:
        UserError: link lost, no frames, a bad model, or a recording that cannot be written. The wheels have been stopped.
    """
    settings.check()
    keeper = Keeper(settings)
    try:
        result = _find(settings, robot, detector, keeper)
    except UserError as error:
        keeper.report(getattr(error, "result", {}))
        raise
    return result | keeper.report(result)


def _find(settings: FindSettings, robot: Robot | None, detector, keeper: Keeper) -> dict:
    if detector is None:
        from vector_tl.detect.engine import load

        detector = load(settings.model, settings.device)
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
                )
            )
        truth = robot.ground_truth()
        writer = stack.enter_context(keeper.begin(robot, detector)) if keeper.keeps else None
        live = Board(
            robot,
            settings,
            {
                "serial": robot.serial,
                "model": getattr(detector, "name", settings.model),
                "robot": settings.robot,
            },
        )
        stack.enter_context(attended(live))
        run = FindLoop(
            settings,
            live.robot,
            detector,
            writer,
            live,
            Following(truth, robot.serial, settings.lockstep) if settings.follow else None,
        )
        try:
            try:
                with wheels_first(robot):
                    run.go()
            finally:  # Ctrl-C and every other way out too: wheels first, files and links after
                robot.stop()
        except UserError as error:
            error.result = run.result()  # what was reached so far, for the JSON beside the error
            raise
        result = run.result(truth)
        if writer:
            writer.result(result)
        return result


class FindLoop:
    """One run of the loop and what it counts."""

    def __init__(
        self,
        settings: FindSettings,
        robot: Robot,
        detector,
        writer: Keeper | None,
        live: Board,
        followed: Following | None = None,
    ):
        self.settings, self.robot, self.detector, self.writer, self.live = (
            settings,
            robot,
            detector,
            writer,
            live,
        )
        self.law = Law(
            stop_mm=settings.stop_mm,
            top_mmps=settings.top_mmps,
            wander_mmps=min(Law.wander_mmps, settings.top_mmps),
        )
        self.law, self.followed = (following(self.law), followed) if settings.follow else (self.law, None)
        self.tracker, self.poses, self.clock, self.stages = (
            Tracker(),
            PoseHistory(),
            CameraClock(),
            StageClock(),
        )
        self.frames, self.found_s, self.frame_to_command_ms = 0, None, []
        self.start_s = self.end_s = robot.now_s()
        self.memory = self.target = None
        self._head_rad, self._held, self._lifted, self._line_s = math.inf, False, False, 0.0
        self._switch = "running"  # a person's; see live.py
        live.watch(self.stages.laps_ms, self.frame_to_command_ms)

    def go(self) -> None:
        """Run until found or out of time."""
        state = self._state()
        self.memory = begin(self.robot.now_s(), Pose(state.x_mm, state.y_mm, state.heading_rad))
        if not self.settings.dry_run:
            self.robot.set_lift(32.0)
        last_id, waiting_since_s, blind = None, time.monotonic(), False
        while self.robot.now_s() - self.start_s - self.live.held_s() < self.settings.seconds:
            if self._switch != self.live.state:
                self._switch = self.live.state
                self._note(SAID[self._switch])
            if self.live.stopped:
                break
            self.stages.start()
            try:
                frame = self.robot.next_frame(last_id, timeout_s=0.5)
            except NoFreshFrame:  # the guard holds the wheels, and what was seen is too old to go on with: look again once frames come
                if max(time.monotonic() - waiting_since_s, self.robot.now_s() - self.end_s) > NO_FRAMES_S:
                    raise NoFreshFrame(
                        f"No camera frame came for {NO_FRAMES_S:.0f} s; check the robot's camera and network, then start again."
                    ) from None
                if not blind:
                    self._note("no new frame: wheels stopped, waiting")
                blind = True
                continue
            if blind:
                blind = False
                state = self._state()
                self.memory = again(
                    self.memory, self.robot.now_s(), Pose(state.x_mm, state.y_mm, state.heading_rad)
                )
                self._note("frames come again: looking")
            last_id, waiting_since_s = frame.image_id, time.monotonic()
            command = self._turn_frame_into_command(frame)
            self.end_s = self.robot.now_s()
            self._show(command)
            if self.found_s is None and (command.done or command.reached):
                self.found_s = self.end_s - self.start_s - self.live.held_s()
            if command.done:
                break
        self.end_s = self.robot.now_s()
        if self.frames == 0:
            raise NoFreshFrame(
                f"No camera frame came within {self.settings.seconds:g} s; check the robot's camera and network, then start again."
            )

    def result(self, truth=None) -> dict:
        """The run's figures; truth is asked now, with the wheels stopped."""
        told = truth.truth(serial=self.robot.serial) if truth is not None else {}
        seconds = max(self.end_s - self.start_s, 1e-6)
        stages = ", ".join(
            f"{stage} {figures['p50']}/{figures['p95']}" for stage, figures in self.stages.summary().items()
        )
        log.info("stages, ms p50/p95: %s", stages)
        return {
            "found": self.found_s is not None,
            "time_to_found_s": _rounded(self.found_s),
            "distance_mm": _rounded(told.get("distance_mm")),
            "bearing_deg": _rounded(told.get("bearing_deg")),
            "estimated_distance_mm": _rounded(self.target.distance_mm if self.target else None),
            "estimated_bearing_deg": _rounded(math.degrees(self.target.bearing_rad) if self.target else None),
            "collisions": told.get("collisions"),
            "falls": told.get("falls"),
            "frames": self.frames,
            "fps": _rounded(self.frames / seconds),
            "latency_ms": percentiles_ms(self.frame_to_command_ms),
            "stages_ms": self.stages.summary(),
            "stops": [{"t_s": _rounded(stop.t_s), "reason": stop.reason} for stop in self.robot.stops],
        } | (self.followed.result() if self.followed else {})

    def _turn_frame_into_command(self, frame: Frame) -> MotionCommand:
        received_at = time.perf_counter() - (
            0.0 if self.settings.lockstep else max(0.0, self.robot.now_s() - frame.received_s)
        )
        self.stages.lap("wait")
        self.frames += 1
        if self.writer:
            self.writer.frame(frame)
            self.stages.lap("record")
        image = decode_or_none(frame.jpeg)
        self.stages.lap("decode")
        if image is None:
            self._note(f"frame {frame.image_id} cannot be read and is left out")
            boxes, scores = np.zeros((0, 4), np.float32), np.zeros(0, np.float32)
        else:
            detections = self.detector(image, threshold=self.settings.threshold)
            boxes, scores = detections.boxes_xyxy, detections.scores
        self.stages.lap("detect")

        state = self._state()
        now_s, pose = self.robot.now_s(), Pose(state.x_mm, state.y_mm, state.heading_rad)
        self.clock.note(frame.received_s, frame.robot_time_ms)
        lag_s = max(0.0, self.clock.lag_s(frame.received_s, frame.robot_time_ms) - CAMERA_DELAY_S)
        seen_s = frame.received_s - CAMERA_DELAY_S - lag_s
        then, tilt = self.poses.at(seen_s)
        sightings = [
            locate(box, self.robot.intrinsics, tilt, score=score)
            for box, score in zip(boxes, scores, strict=True)
        ]
        self.tracker.update(seen_s, then, [sighting for sighting in sightings if sighting is not None], lag_s)
        self.target = self.tracker.target(now_s, pose)
        view = Observation(
            now_s=now_s, pose=pose, range_mm=state.range_mm, target=self.target, candidate=self.tracker.candidate(now_s),
            forward_mmps=(state.left_wheel_mmps + state.right_wheel_mmps) / 2,
            turn_radps=(state.right_wheel_mmps - state.left_wheel_mmps) / (2 * HALF_TRACK_MM),
            frame_age_s=max(0.0, now_s - frame.received_s), lag_s=lag_s, cliff=state.cliff, lifted=self._lifted,
        )  # fmt: skip
        before = self.memory
        if self.live.running:
            self.memory, command = decide(self.memory, view, self.law)
        else:  # a person holds it: look on, and begin anew when let go
            self.memory = again(self.memory, now_s, pose)
            command = MotionCommand(0.0, 0.0, state.head_angle_rad, self.live.state)
        self.stages.lap("decide")

        sent = self._act(command, received_at)
        self.stages.lap("drive")
        if self.writer:
            self.writer.detections(frame, boxes, scores)
            self.writer.state(state)
            target = (self.target.distance_mm, math.degrees(self.target.bearing_rad)) if self.target else None
            self.writer.wheels(now_s, command.left_mmps, command.right_mmps, sent, command.mode, target)
            self.stages.lap("record")
        if command.log:
            self._note(command.log)
        if self.followed:
            self.followed.note(
                frame,
                self.memory.reached,
                lost=before.mode in ("approach", "hold") and self.memory.mode == "search",
            )
        size_wh = image.shape[1::-1] if image is not None else self.robot.intrinsics.size_wh
        self.live.post(
            Snapshot(frame, size_wh, boxes, scores, state, command, sent, self.target, now_s, lag_s)
        )
        return command

    def _act(self, command: MotionCommand, received_at: float) -> bool:
        """Wheels first, then the rest. Returns whether the wheels were granted."""
        dry = self.settings.dry_run
        sent = not dry and self.robot.drive(command.left_mmps, command.right_mmps)
        self.frame_to_command_ms.append((time.perf_counter() - received_at) * 1000)
        if dry:
            return False
        wanted = command.left_mmps != 0 or command.right_mmps != 0
        if self._held != (wanted and not sent and self.live.running):
            self._held = wanted and not sent and self.live.running
            why = self.robot.stops[-1].reason if self.robot.stops else "not ready"
            self._note(
                f"the guard holds the wheels: {why}" if self._held else "the guard has let go of the wheels"
            )
            if self._held and why == LOW_BATTERY:
                raise UserError(
                    f"The battery of {self.robot.serial} is low: put it on its charger, then start again."
                )
        if abs(command.head_rad - self._head_rad) >= HEAD_STEP_RAD:
            self._head_rad = command.head_rad
            self.robot.set_head(command.head_rad)
        if command.say:
            self.robot.say(command.say)
        return sent

    def _state(self) -> RobotState:
        """The newest state, noted in the history; a lifted robot's odometry begins anew."""
        state = self.robot.state()
        lifted = state.picked_up or state.falling or state.being_held
        if lifted != self._lifted:
            self._lifted = lifted
            self.tracker.reset()
            self.poses = PoseHistory()
        self.clock.note(state.received_s, state.image_time_ms)
        self.poses.add(
            state.received_s,
            Pose(state.x_mm, state.y_mm, state.heading_rad),
            state.head_angle_rad + state.pitch_rad,
        )
        return state

    def _note(self, line: str) -> None:
        t_s = self.robot.now_s()
        log.info("%6.2f s  %s", t_s - self.start_s, line)
        self.live.note(t_s - self.start_s, line)
        if self.writer:
            self.writer.event(t_s, line)

    def _show(self, command: MotionCommand) -> None:
        """One progress line on standard error: rewritten in a terminal, every 5 s in a log."""
        terminal, now_s = sys.stderr.isatty(), time.monotonic()
        if now_s - self._line_s < (0.2 if terminal else 5.0):
            return
        self._line_s = now_s
        seconds = max(self.end_s - self.start_s, 1e-6)
        seen = (
            f"{self.target.distance_mm:4.0f} mm {math.degrees(self.target.bearing_rad):+4.0f} deg"
            if self.target
            else "     no Vector   "
        )
        wheels = f"wheels {command.left_mmps:+4.0f} {command.right_mmps:+4.0f} mm/s" + (
            " (dry run)" if self.settings.dry_run else ""
        )
        line = f"{seconds:5.1f} s  {command.mode:8}  {seen}  {wheels}  {self.frames / seconds:4.1f} fps  {self.frame_to_command_ms[-1]:4.0f} ms"
        print(f"\r{line}  " if terminal else line, end="" if terminal else "\n", file=sys.stderr, flush=True)


def _rounded(value: float | None, digits: int = 2) -> float | None:
    return None if value is None or not math.isfinite(value) else round(float(value), digits)

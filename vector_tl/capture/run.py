"""`vector-tl capture`: images taken through the SDK, in sessions, into a dataset."""

import math
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import asdict
from pathlib import Path

from rich.console import Console

from vector_tl import __version__
from vector_tl.capture.board import CaptureBoard
from vector_tl.capture.choreography import Choreographer
from vector_tl.capture.photographer import next_plan
from vector_tl.capture.remake import remake
from vector_tl.capture.robot_session import watch
from vector_tl.capture.sessions import only_capture
from vector_tl.capture.settings import CaptureSettings
from vector_tl.capture.simulated_session import open_studio, take_session
from vector_tl.capture.terminal import progress, terminal
from vector_tl.data import dataset
from vector_tl.data.coverage import Coverage, rich_table
from vector_tl.errors import UserError
from vector_tl.files import refuse_existing
from vector_tl.robot.base import Robot

NEXT_STATE_S = 0.3


def capture(settings: CaptureSettings) -> dict:
    """Take images until the dataset has `settings.count` of this seed (simulator), or one session has them (robot).

    Every image and label is a whole file at any moment. A capture that was stopped goes on where it was.

    Returns:
        {"sessions", "kept", "seen", "seconds", "coverage"}: with the simulator, the sessions and images of this seed that the dataset now
        has and the frames seen for them; the seconds are those of this run. With a robot also the session's name and the frame rates
        measured. With --remake see `remake`.

    Raises:
        UsageError: a setting out of its range.
        UserError: link lost, no frames, a disk that is full, another capture at work here, or labels that the simulator no longer agrees with.
    """
    settings.check()
    if settings.record is not None:
        refuse_existing(settings.record, overwrite=False)
    started_s = time.monotonic()
    if settings.remake:
        return remake(settings)
    result = (
        capture_simulated(settings)
        if settings.robot == "sim" and settings.target is None
        else capture_robot(settings)
    )
    return result | {"seconds": round(time.monotonic() - started_s, 1)}


def capture_simulated(settings: CaptureSettings) -> dict:
    """Take sessions in simulated rooms until there are enough images of this seed."""
    with only_capture(settings.data):
        plan, whole = next_plan(settings)
        if plan is not None:
            before = sum(len(about["shots"]) for about in whole)
            studio = open_studio(plan.camera, plan.without, settings.backgrounds)
            with (
                progress(settings.count, before) as advance,
                studio as opened,
                recorded(opened, settings) as robot,
            ):
                while plan is not None:
                    dataset.extend_splits(settings.data, [plan.session], settings.split_shares)
                    take_session(
                        settings.data, plan, robot, robot.ground_truth(), lambda shot, image: advance()
                    )
                    plan, whole = next_plan(settings)
    coverage = Coverage(shot for about in whole for shot in about["shots"])
    Console(stderr=True).print(rich_table(coverage.table(), coverage.all_lacking()))
    return {
        "sessions": len(whole), "kept": coverage.total, "seen": sum(about["seen"] for about in whole),
        "coverage": coverage.table(), "hint": coverage.hint(),
    }  # fmt: skip


def capture_robot(settings: CaptureSettings) -> dict:
    """Take one session with a robot, or with two."""
    live, detector = CaptureBoard(), None
    with ExitStack() as stack:
        stack.enter_context(only_capture(settings.data))
        if settings.model is not None:
            from vector_tl.detect.engine import (
                load,
            )  # brings torch; takes seconds, so before there is a robot to look after

            detector = load(settings.model)
        robot, target = stack.enter_context(open_robots(settings))
        hand = (lambda: put_down(robot, target)) if robot.ground_truth() is not None else None
        partner = Choreographer(target, settings.reach_mm, hand, settings.seed) if target else None
        if settings.page:
            from vector_tl.capture.page_server import served  # brings starlette and uvicorn

            stack.enter_context(served(live))
        stack.enter_context(terminal(live))
        result = watch(settings, stack.enter_context(recorded(robot, settings)), live, partner, detector)
    Console(stderr=True).print(rich_table(result["coverage"], live.look()[0].lacking))
    return result


@contextmanager
def recorded(robot: Robot, settings: CaptureSettings) -> Iterator[Robot]:
    """The robot, with all that its camera sees kept in the recording that the settings name, if any."""
    if settings.record is None:
        yield robot
        return
    from vector_tl.data.recording import RecordingWriter
    from vector_tl.robot.recorded import RecordedRobot

    about = {
        "settings": asdict(settings),
        "serial": robot.serial,
        "vector_tl": __version__,
        "truth": robot.ground_truth() is not None,
    }
    with (
        RecordingWriter(settings.record, about, robot.intrinsics) as writer,
        RecordedRobot(robot, writer) as recording,
    ):
        yield recording


class Both:
    """What a signal stops."""

    def __init__(self, *robots: Robot | None):
        self._robots = [robot for robot in robots if robot is not None]

    def stop(self) -> None:
        """Stop all wheels."""
        for robot in self._robots:
            robot.stop()


@contextmanager
def open_robots(settings: CaptureSettings) -> Iterator[tuple[Robot, Robot | None]]:
    """The robot that looks, and the target or None; both guarded, both stopped and closed however the block ends."""
    from vector_tl.robot.open import open_robot  # brings the SDK
    from vector_tl.robot.signals import wheels_first
    from vector_tl.robot.simulator import SimulatorProcess

    with ExitStack() as stack:
        serial, target_serial, home = settings.robot, settings.target, None
        if serial == "sim":
            simulator = stack.enter_context(
                SimulatorProcess(robots=2, targets=0, world=settings.seed, camera=settings.camera)
            )
            (serial, target_serial), home = simulator.serials, Path(simulator.home)
        robot = stack.enter_context(open_robot(serial, home=home))
        target = stack.enter_context(open_robot(target_serial, home=home)) if target_serial else None
        stack.enter_context(wheels_first(Both(robot, target)))
        yield robot, target


def put_down(robot: Robot, target: Robot) -> tuple[float, float, float]:
    """In the simulator: the person's hand that puts the target before the camera, facing it, where there is place.

    Returns:
        Where the camera's robot then is in the frame of the target's wheels: x_mm, y_mm, heading_rad.
    """
    here, there = vectors_of(robot, target)
    for away_mm in (300, 240, 180, 360):
        x, y = (
            here[key] + away_mm * f(here["heading_rad"])
            for key, f in (("x_mm", math.cos), ("y_mm", math.sin))
        )
        try:
            robot.ground_truth().place(
                [
                    {
                        "vector": there["vector"],
                        "x_mm": x,
                        "y_mm": y,
                        "heading_rad": here["heading_rad"] + math.pi,
                    }
                ]
            )
        except UserError:  # something stands there
            continue
        time.sleep(NEXT_STATE_S)  # its wheels' frame starts afresh; the next state tells
        break
    here, there = vectors_of(robot, target)
    state = target.state()
    turn = state.heading_rad - there["heading_rad"]
    east, north = here["x_mm"] - there["x_mm"], here["y_mm"] - there["y_mm"]
    return (
        state.x_mm + east * math.cos(turn) - north * math.sin(turn),
        state.y_mm + east * math.sin(turn) + north * math.cos(turn),
        here["heading_rad"] + turn,
    )


def vectors_of(robot: Robot, target: Robot) -> tuple[dict, dict]:
    """The truth about both."""
    by_serial = {
        vector["serial"]: vector for vector in robot.ground_truth().truth(serial=robot.serial)["vectors"]
    }
    return by_serial[robot.serial], by_serial[target.serial]

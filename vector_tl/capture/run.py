"""`vector-tl capture`: images of a robot's camera, in sessions, into a dataset."""

import math
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

from rich.console import Console

from vector_tl import __version__
from vector_tl.capture.board import CaptureBoard
from vector_tl.capture.choreography import Choreographer
from vector_tl.capture.photographer import Truth, ground_truth, next_plan
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

NEXT_STATE_S = 0.3  # a robot reports its state at least this often


def capture(settings: CaptureSettings) -> dict[str, Any]:
    """Take images until the dataset (simulator) or one session (robot) has `settings.count` of them.

    Every image and label is a whole file at any moment. An interrupted capture continues where it stopped.

    Returns:
        {"sessions", "kept", "seen", "seconds", "coverage", "hint"}: with the simulator, the sessions and
        images of this seed that the dataset has now and the frames seen for them; the seconds are those of
        this run. With a robot also the session's name and the measured frame rates. With --remake see
        `remake`.

    Raises:
        UsageError: a setting out of its range.
        UserError: link lost, no frames, a full disk, another capture running here, or labels that differ from
            what the
            simulator shows now.
    """
    settings.check()
    if settings.record is not None:
        refuse_existing(settings.record, overwrite=False)
    started_s = time.monotonic()
    if settings.remake:
        return remake(settings)
    simulated = settings.robot == "sim" and settings.target is None
    result = capture_simulated(settings) if simulated else capture_robot(settings)
    return result | {"seconds": round(time.monotonic() - started_s, 1)}


def capture_simulated(settings: CaptureSettings) -> dict[str, Any]:
    """Capture sessions in simulated rooms until there are enough images of this seed."""
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
                    take_session(settings.data, plan, robot, lambda shot, image: advance())
                    plan, whole = next_plan(settings)
    coverage = Coverage(shot for about in whole for shot in about["shots"])
    Console(stderr=True).print(rich_table(coverage.table(), coverage.all_lacking()))
    return {
        "sessions": len(whole),
        "kept": coverage.total,
        "seen": sum(about["seen"] for about in whole),
        "coverage": coverage.table(),
        "hint": coverage.hint(),
    }


def capture_robot(settings: CaptureSettings) -> dict[str, Any]:
    """Capture one session with a robot, or with two."""
    live, detector = CaptureBoard(), None
    with ExitStack() as stack:
        stack.enter_context(only_capture(settings.data))
        if settings.model is not None:
            # brings torch, which takes seconds: so before a robot is opened
            from vector_tl.detect.engine import load

            detector = load(settings.model)
        robot, target = stack.enter_context(open_robots(settings))
        partner = None
        if target is not None:
            hand = partial(put_down, robot, target) if robot.ground_truth() is not None else None
            partner = Choreographer(target, settings.reach_mm, hand, settings.seed)
        if settings.page:
            from vector_tl.capture.page_server import served  # brings starlette and uvicorn

            stack.enter_context(served(live))
        stack.enter_context(terminal(live))
        result = watch(settings, stack.enter_context(recorded(robot, settings)), live, partner, detector)
    Console(stderr=True).print(rich_table(result["coverage"], live.look()[0].lacking))
    return result


@contextmanager
def recorded(robot: Robot, settings: CaptureSettings) -> Iterator[Robot]:
    """The robot, with everything its camera sees written to the recording that the settings name, if any."""
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
    """One robot or two, which a signal stops."""

    def __init__(self, *robots: Robot | None):
        self._robots = [robot for robot in robots if robot is not None]

    def stop(self) -> None:
        """Stop all wheels."""
        for robot in self._robots:
            robot.stop()


@contextmanager
def open_robots(settings: CaptureSettings) -> Iterator[tuple[Robot, Robot | None]]:
    """The robot with the camera, and the target or None; both are stopped and closed in the end."""
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
    """In the simulator, put the target before the camera, facing it, where there is place.

    Returns:
        Where the camera's robot is then in the frame of the target's odometry: x_mm, y_mm, heading_rad.
    """
    here, there = vectors_of(robot, target)
    for away_mm in (300, 240, 180, 360):
        x, y = (
            here[key] + away_mm * f(here["heading_rad"])
            for key, f in (("x_mm", math.cos), ("y_mm", math.sin))
        )
        place = {
            "vector": there["vector"],
            "x_mm": x,
            "y_mm": y,
            "heading_rad": here["heading_rad"] + math.pi,
        }
        try:
            ground_truth(robot).place([place])
        except UserError:  # something stands there
            continue
        time.sleep(NEXT_STATE_S)  # its odometry starts again, which the next state shows
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


def vectors_of(robot: Robot, target: Robot) -> tuple[Truth, Truth]:
    """Where both robots are, by ground truth."""
    vectors = ground_truth(robot).truth(serial=robot.serial)["vectors"]
    by_serial = {vector["serial"]: vector for vector in vectors}
    return by_serial[robot.serial], by_serial[target.serial]

"""`vector-tl capture`: images taken through the SDK, in sessions, into a dataset."""

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

from rich.console import Console

from vector_tl import __version__
from vector_tl.capture.board import CaptureBoard
from vector_tl.capture.choreography import Choreographer
from vector_tl.capture.ground_truth import put_down
from vector_tl.capture.plan import SessionPlan, plans_left
from vector_tl.capture.remake import remake
from vector_tl.capture.robot_session import RobotSession
from vector_tl.capture.sessions import only_capture
from vector_tl.capture.settings import CaptureSettings
from vector_tl.capture.side_by_side import simulators_for, take_all
from vector_tl.capture.simulated_session import open_simulated_robot, take_session
from vector_tl.capture.terminal import terminal
from vector_tl.data import dataset
from vector_tl.data.coverage import Coverage, rich_table
from vector_tl.files import refuse_existing
from vector_tl.plain import counted
from vector_tl.progress import Progress
from vector_tl.robot.base import Robot


def capture(settings: CaptureSettings) -> dict[str, Any]:
    """Take images until there are `settings.count` of them.

    The simulator's are those of this seed in the dataset, a robot's those in one session. Every image and
    label is a whole file at any moment. A capture that was stopped continues where it was.

    Returns:
        {"sessions", "kept", "seen", "seconds", "coverage", "hint"}: with the simulator, the sessions and
        images of this seed that the dataset now has and the frames seen for them; the seconds are those of
        this run. With a robot also what `RobotSession.take_images` says. With --remake see `remake`.

    Raises:
        UsageError: a setting out of its range.
        UserError: link lost, no frames, a disk that is full, another capture at work here, or labels that the
            simulator no longer agrees with.
    """
    settings.check()
    if settings.record is not None:
        refuse_existing(settings.record, overwrite=False)
    if settings.remake:
        return remake(settings)
    started_s = time.monotonic()
    simulated = settings.robot == "sim" and settings.target is None
    result = capture_simulated(settings) if simulated else capture_robot(settings)
    return result | {"seconds": round(time.monotonic() - started_s, 1)}


def describe(result: dict[str, Any]) -> str:
    """What a capture has, for a person; what the images show stands in the table above it."""
    if "kept" not in result:  # of --remake
        return (
            f"{counted(result['images'], 'image')}: {result['made']} made, {result['same_bytes']} "
            "of them as they were, "
            f"{result['within_tolerance']} nearly so; {len(result['differ'])} differ, "
            f"{len(result['damaged'])} damaged."
        )
    kept, sessions = counted(result["kept"], "image"), counted(result["sessions"], "session")
    lines = [f"{kept} kept of {result['seen']} seen, in {sessions}; {result['seconds']:.0f} s."]
    return "\n".join([*lines, *[result["hint"]] * bool(result["hint"])])


def capture_simulated(settings: CaptureSettings) -> dict[str, Any]:
    """Take sessions in simulated rooms until there are enough images of this seed."""
    with only_capture(settings.data):
        plans, whole = plans_left(settings)
        with Progress(
            "capture", settings.count, done=sum(len(about["shots"]) for about in whole)
        ) as progress:
            while plans:
                _take_simulated(settings, plans, progress)
                plans, whole = plans_left(settings)
    coverage = Coverage(shot for about in whole for shot in about["shots"])
    Console(stderr=True).print(rich_table(coverage.table(), coverage.all_lacking()))
    return {
        "sessions": len(whole),
        "kept": coverage.total,
        "seen": sum(about["seen"] for about in whole),
        "coverage": coverage.table(),
        "hint": coverage.hint(),
    }


def _take_simulated(settings: CaptureSettings, plans: list[SessionPlan], progress: Progress) -> None:
    """Take these sessions, by several simulators where there are cores for them."""

    @contextmanager
    def opened() -> Iterator[Robot]:
        first = plans[0]
        simulated = open_simulated_robot(first.camera, first.without, settings.backgrounds, bool(first.kinds))
        with simulated as robot, recorded(robot, settings) as camera:
            yield camera

    # a recording is of one camera
    simulators = 1 if settings.record else simulators_for(len(plans), settings.simulators)

    def in_splits() -> Iterator[SessionPlan]:
        left = plans
        while left:
            for plan in left:
                dataset.extend_splits(settings.data, [plan.session], settings.split_shares)
                yield plan
            # One simulator has finished them all by now, and its recording goes on.
            left = plans_left(settings)[0] if simulators == 1 else []

    def take(plan: SessionPlan, robot: Robot, refuse_late: Callable[[], None]) -> None:
        def report(*_image: object) -> None:
            progress.advance()
            refuse_late()

        take_session(settings.data, plan, robot, report, masks=settings.masks)

    take_all(in_splits(), take, opened, simulators)


def capture_robot(settings: CaptureSettings) -> dict[str, Any]:
    """Take one session with a robot, or with two."""
    board, detector, partner = CaptureBoard(), None, None
    with ExitStack() as stack:
        stack.enter_context(only_capture(settings.data))
        if settings.model is not None:  # takes seconds, so before there is a robot to look after
            from vector_tl.detect.detector import load  # brings torch

            detector = load(settings.model)
        robot, target = stack.enter_context(open_robots(settings))
        if target is not None:
            hand = None if robot.ground_truth() is None else partial(put_down, robot, target)
            partner = Choreographer(target, settings.reach_mm, hand, settings.seed)
        if settings.page:
            from vector_tl.capture.page_server import served  # brings starlette and uvicorn

            stack.enter_context(served(board))
        stack.enter_context(terminal(board))
        camera = stack.enter_context(recorded(robot, settings))
        result = RobotSession(settings, camera, board, partner, detector).take_images()
    Console(stderr=True).print(rich_table(result["coverage"], board.look()[0].lacking))
    return result


@contextmanager
def recorded(robot: Robot, settings: CaptureSettings) -> Iterator[Robot]:
    """The robot; everything that its camera sees goes into the recording that the settings name, if any."""
    if settings.record is None:
        yield robot
        return
    # brings the writers of recordings
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


@contextmanager
def open_robots(settings: CaptureSettings) -> Iterator[tuple[Robot, Robot | None]]:
    """The robot that looks, and the target or None.

    Both are guarded, and are stopped and closed however the block ends.
    """
    # brings the SDK, which takes seconds
    from vector_tl.robot.open import open_robot
    from vector_tl.robot.signals import wheels_first
    from vector_tl.robot.simulator_client import SimulatorProcess

    with ExitStack() as stack:
        serials, home = [settings.robot, settings.target], None
        if settings.robot == "sim":
            simulator = stack.enter_context(
                SimulatorProcess(robots=2, targets=0, world=settings.seed, camera=settings.camera)
            )
            serials, home = list(simulator.serials), Path(simulator.home)
        robots = [
            stack.enter_context(open_robot(serial, home=home)) for serial in serials if serial is not None
        ]
        stack.enter_context(wheels_first(*robots))
        yield robots[0], robots[1] if len(robots) > 1 else None

"""`vector-tl capture`: pictures taken through the SDK, in sessions, into a data set."""

import logging
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from datetime import datetime

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from vector_tl.capture.choose import Chooser
from vector_tl.capture.coverage import Coverage, rich_table
from vector_tl.capture.sessions import only_capture, provenance
from vector_tl.capture.settings import CaptureSettings
from vector_tl.capture.simulated import CAMERA_FPS, next_plan
from vector_tl.capture.studio import take_session
from vector_tl.labels import dataset
from vector_tl.robot.base import NoFreshFrame, Robot

log = logging.getLogger(__name__)
TARGETS = 2  # Vectors beside the viewer, so that some pictures show two
SILENT_S = 10.0  # so long a robot's camera may send nothing


def capture(settings: CaptureSettings) -> dict:
    """Take pictures until the data set has `settings.count` of this seed (simulator), or one new session has them (robot).

    Every picture and label is a whole file at any moment. A simulated capture that was stopped goes on where it was.

    Returns:
        {"sessions", "kept", "seen", "seconds"}: with the simulator, the sessions and pictures of this seed that the data set now has and
        the frames seen for them; the seconds are those of this run.

    Raises:
        UsageError: a setting out of its range.
        UserError: link lost, no frames, a disk that is full, or labels that the simulator no longer agrees with.
    """
    settings.check()
    started_s = time.monotonic()
    result = _capture_simulated(settings) if settings.robot == "sim" else _capture_robot(settings)
    return result | {"seconds": round(time.monotonic() - started_s, 1)}


def _capture_simulated(settings: CaptureSettings) -> dict:
    with only_capture(settings.data):
        plan, whole = next_plan(settings)
        if plan is not None:
            with _progress(settings.count, sum(len(about["shots"]) for about in whole)) as advance, open_studio(plan.camera) as robot:
                while plan is not None:
                    dataset.extend_splits(settings.data, [plan.session], settings.split_shares)
                    take_session(settings.data, plan, robot, robot.truth, lambda shot, picture: advance())
                    plan, whole = next_plan(settings)
    coverage = Coverage(shot for about in whole for shot in about["shots"])
    Console(stderr=True).print(rich_table(coverage))
    return {
        "sessions": len(whole),
        "kept": coverage.total,
        "seen": sum(about["seen"] for about in whole),
        "coverage": coverage.table(),
    }


def open_studio(camera: str) -> AbstractContextManager[Robot]:
    """A simulator of one's own, whose world waits for the camera."""
    from vector_tl.robot.open import open_robot  # brings the SDK

    return open_robot("sim", lockstep=True, targets=TARGETS, camera=camera, camera_fps=CAMERA_FPS)


def _capture_robot(settings: CaptureSettings) -> dict:
    from vector_tl.robot.open import open_robot  # brings the SDK

    with open_robot(settings.robot) as robot, _progress(settings.count, 0) as advance:
        return watch(settings, robot, advance)


def watch(settings: CaptureSettings, robot: Robot, advance: Callable[[], None] = lambda: None) -> dict:
    """Keep the new-enough frames of a robot's camera in one new session, unlabelled, until there are enough, time is up, or Ctrl-C.

    Raises:
        NoFreshFrame: the camera sends nothing.
        LinkLost: the robot is gone. What was kept stays, with its provenance.
    """
    session = f"{robot.serial}-{datetime.now():%Y%m%d-%H%M%S}"
    about = provenance(robot) | {"source": "robot", "whole": False, "seen": 0, "shots": []}
    chooser, last_id, silent_since_s = Chooser(settings.novelty), None, time.monotonic()
    until_s = time.monotonic() + (settings.seconds if settings.seconds is not None else float("inf"))
    try:
        while len(about["shots"]) < settings.count and time.monotonic() < until_s:
            try:
                frame = robot.next_frame(last_id, timeout_s=1.0)
            except NoFreshFrame:
                if time.monotonic() - silent_since_s > SILENT_S:
                    raise
                continue
            last_id, silent_since_s = frame.image_id, time.monotonic()
            about["seen"] += 1
            picture = dataset.decode(frame.jpeg)
            if picture is None or not chooser.keep(picture):
                continue
            name = f"{session}-{len(about['shots']):04d}"
            dataset.write_item(settings.data, session, name, frame.jpeg, None, picture.shape[1::-1])
            about["shots"].append(
                {"name": name, "image_id": frame.image_id, "robot_time_ms": frame.robot_time_ms, "received_s": round(frame.received_s, 4)}
            )
            advance()
        about["whole"] = True
    except KeyboardInterrupt:
        log.info("stopped by hand")
    finally:
        if about["shots"]:
            dataset.write_session(settings.data, session, about)
            split = dataset.extend_splits(settings.data, [session])[session]
            log.info("session %s is in split %s; %s says so and may be changed", session, split, settings.data / "splits.json")
    return {"sessions": int(bool(about["shots"])), "kept": len(about["shots"]), "seen": about["seen"]}


@contextmanager
def _progress(total: int, done: int) -> Iterator[Callable[[], None]]:
    """A bar on standard error; gives the function that moves it on by one picture."""
    columns = (TextColumn("capture"), BarColumn(), MofNCompleteColumn(), TextColumn("pictures"), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True)) as progress:
        task = progress.add_task("capture", total=total, completed=done)
        yield lambda: progress.advance(task)

"""`vector-tl capture`: pictures taken through the SDK, in sessions, into a data set."""

import logging
import math
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

import vector_tl
from vector_tl.capture.choose import Chooser
from vector_tl.capture.settings import CaptureSettings
from vector_tl.capture.simulated import CAMERA_FPS, Photographer, Picture, Plan, Truth, next_plan, read_session
from vector_tl.errors import UserError
from vector_tl.files import write_atomic
from vector_tl.labels import dataset
from vector_tl.robot.base import NoFreshFrame, Robot

log = logging.getLogger(__name__)
SPLIT_SHARES = (0.8, 0.2, 0.0)  # of simulated sessions: train, val, test; to test is what real pictures are for
TARGETS = 2  # Vectors beside the viewer, so that some pictures show two
SAME_BOX_PX = 1.0  # how far a box may be off when a picture is taken again
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
    plan, whole = next_plan(settings)
    if plan is not None:
        from vector_tl.robot.open import open_robot  # brings the SDK

        with (
            open_robot("sim", world=plan.world, lockstep=True, targets=TARGETS, camera=settings.camera, camera_fps=CAMERA_FPS) as robot,
            _progress(settings.count, sum(len(about["shots"]) for about in whole)) as advance,
        ):
            while plan is not None:
                robot.truth.world(plan.world)
                take_session(settings, plan, robot, robot.truth, advance)
                plan, whole = next_plan(settings)
    return {
        "sessions": len(whole),
        "kept": sum(len(about["shots"]) for about in whole),
        "seen": sum(about["seen"] for about in whole),
    }


def take_session(settings: CaptureSettings, plan: Plan, robot: Robot, truth: Truth, advance: Callable[[], None] = lambda: None) -> None:
    """Take the pictures of one simulated session that are not there yet. Its provenance is kept up to date and says when it is whole.

    Raises:
        UserError: not one picture worked out in this room, or a label that is there says something else than the simulator.
    """
    dataset.extend_splits(settings.data, [plan.session], SPLIT_SHARES)
    about = read_session(settings.data, plan.session) or _provenance(robot) | {
        "source": "simulator", "seed": settings.seed, "world": plan.world, "first": plan.first, "planned": plan.pictures,
        "negatives": settings.negatives, "moving": settings.moving, "whole": False, "seen": 0, "shots": [],
    }  # fmt: skip
    shots = {shot["name"]: shot for shot in about["shots"]}
    vectors = truth.truth()["vectors"]
    start = tuple(vectors[0][key] for key in ("x_mm", "y_mm", "heading_rad"))
    photographer = Photographer(settings, robot, truth)
    for number in range(plan.pictures):
        name = f"{plan.session}-{number:03d}"
        if name not in shots or not dataset.image_path(settings.data, plan.session, name).exists():
            seen = photographer.seen
            picture = photographer.take(plan, number, start, targets=len(vectors) - 1)
            about["seen"] += photographer.seen - seen
            if picture is None and name in shots:
                raise UserError(f"Picture {name} cannot be taken again as it was; move session {plan.session} away to have it taken anew.")
            if picture is None:
                log.warning("%s is left out: no arrangement works out in room %d", name, plan.world)
                continue
            keep(settings.data, plan.session, name, picture)
            shots[name] = {"name": name} | _shot(picture)
            about["shots"] = [shots[key] for key in sorted(shots)]
            dataset.write_session(settings.data, plan.session, about)
        advance()
    if not shots:
        raise UserError(f"Room {plan.world} leaves no place for a single picture; choose another --seed.")
    dataset.write_session(settings.data, plan.session, about | {"whole": True})


def keep(folder: Path, session: str, name: str, picture: Picture) -> None:
    """Write a picture and its label. Where the label is there already (a clone without pictures), the picture must agree with it.

    Raises:
        UserError: it does not.
    """
    image_path, label_path = dataset.image_path(folder, session, name), dataset.label_path(folder, session, name)
    if label_path.exists():
        before = dataset.Item(session, name, image_path, dataset.read_labels(label_path)).boxes_xyxy(picture.size_wh)
        if before.shape != picture.boxes_xyxy.shape or np.abs(before - picture.boxes_xyxy).max(initial=0) > SAME_BOX_PX:
            raise UserError(f"{label_path} says something else than the simulator now shows; move session {session} away to have it taken anew.")
        if not image_path.exists():
            write_atomic(image_path, picture.frame.jpeg)
        return
    image_path.unlink(missing_ok=True)  # of a capture that was killed before it wrote the label
    dataset.write_item(folder, session, name, picture.frame.jpeg, picture.boxes_xyxy, picture.size_wh)


def _shot(picture: Picture) -> dict:
    """What the coverage of a data set is counted from: where the Vector is that is in view, or the nearest one.

    `facing_deg` is 0 where it faces the camera, 180 where its back is seen.
    """
    viewer, *others = picture.truth["vectors"]
    in_view = {box["vector"] for box in picture.truth["boxes"]}
    near = min(
        (other for other in others if not in_view or other["vector"] in in_view),
        key=lambda other: math.dist((other["x_mm"], other["y_mm"]), (viewer["x_mm"], viewer["y_mm"])),
    )
    east, north = near["x_mm"] - viewer["x_mm"], near["y_mm"] - viewer["y_mm"]
    direction = math.atan2(north, east)
    return {
        "image_id": picture.frame.image_id,
        "robot_time_ms": picture.frame.robot_time_ms,
        "boxes": len(picture.boxes_xyxy),
        "distance_mm": round(math.hypot(east, north), 1),
        "bearing_deg": round(math.degrees(math.remainder(direction - viewer["heading_rad"], math.tau)), 2),
        "facing_deg": round(math.degrees(math.remainder(near["heading_rad"] - direction - math.pi, math.tau)), 2),
    }


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
    about = _provenance(robot) | {"source": "robot", "whole": False, "seen": 0, "shots": []}
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


def _provenance(robot: Robot) -> dict:
    return {
        "robot": robot.serial,
        "intrinsics": asdict(robot.intrinsics),
        "started": datetime.now(UTC).isoformat(timespec="seconds"),
        "vector_tl": vector_tl.__version__,
        "wirepod_vector_sdk": version("wirepod_vector_sdk"),
    }


@contextmanager
def _progress(total: int, done: int) -> Iterator[Callable[[], None]]:
    """A bar on standard error; gives the function that moves it on by one picture."""
    columns = (TextColumn("capture"), BarColumn(), MofNCompleteColumn(), TextColumn("pictures"), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True)) as progress:
        task = progress.add_task("capture", total=total, completed=done)
        yield lambda: progress.advance(task)

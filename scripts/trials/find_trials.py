"""Measures in how many simulated rooms `find` reaches the other Vector, beside other projects' steering laws.

    .venv/bin/python scripts/trials/find_trials.py RESULTS.jsonl --model transfer --worlds 1000:1100
    .venv/bin/python scripts/trials/find_trials.py RESULTS.jsonl --follow --motion wander --worlds 2100:2120
    .venv/bin/python scripts/trials/find_trials.py RESULTS.jsonl --table

Each trial is a line of RESULTS.jsonl; a trial that has a line is not run again. Reached means: within 60 s
of the world's time, 150 +- 40 mm from origin to origin, at most 10 degrees off, no collision, no fall, by
the simulator's ground truth once the finder says that it is there.

Steering laws: `ours` is vector_tl.find. `oracle` is the same behaviour with the target's place from the
ground truth. `jetbot`: the detection nearest to the centre, constant speed with a proportional turn, as in
JetBot's object following. `pid`: the published gains of a Vector follower (bearing .12/.002/.025, clipped,
times 10; distance .4/0/.1), its distance by the box's height. The last two have no search and no stop of
their own: here they turn slowly while they see nothing, and stop where the distance by the box's height is
150 mm (from origin to origin).

With --follow the target drives about by itself, and `find --follow` stays with it for 60 s. The row has the
share of the time in which the distance was 100 to 400 mm: of all 60 s, and from when the target was first
reached.
"""

import json
import math
import sys
import time
from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import numpy as np
import tyro

from vector_tl.data.images import decode_image
from vector_tl.detect.detector import load
from vector_tl.errors import UserError
from vector_tl.find.behaviour import decide
from vector_tl.find.loop import find
from vector_tl.find.memory import Observation, begin
from vector_tl.find.perception import pose_of
from vector_tl.find.settings import FindSettings
from vector_tl.find.track import Target
from vector_tl.robot.base import NoFreshFrame
from vector_tl.robot.open import open_robot

SECONDS = 60.0
STOP_MM, TURN_MMPS = 150.0, 30.0
LENS_MM = 40.0  # from the lens to both origins, in sum: without it these laws would stop too early


@dataclass(frozen=True)
class Trials:
    """Run trials, or (--table) show those that were run."""

    results: tyro.conf.Positional[Path]
    """File of the results, one JSON object per line."""
    law: Literal["ours", "oracle", "jetbot", "pid"] = "ours"
    """Steering law: ours, oracle, jetbot or pid."""
    model: str = "transfer"
    """Model file, or a name in models/."""
    worlds: str = "1000:1100"
    """Seeds of the worlds, FIRST:END; END itself is not run."""
    fps: float = 15.0
    """Frames per second of the camera."""
    delay_ms: float = 0.0
    """Delay of the frames, on top of the camera's own."""
    threshold: float = 0.6
    """Confidence threshold of every law."""
    follow: bool = False
    """Follow a target that moves, with our steering law."""
    motion: Literal["wander", "spin", "flee"] = "wander"
    """With --follow: how the target moves."""
    table: bool = False
    """Only print the table."""


@dataclass
class Pid:
    """Discrete PID on an error, as those projects write it."""

    p: float
    i: float
    d: float
    total: float = 0.0
    last: float | None = field(default=None)

    def __call__(self, error: float) -> float:
        """The output for the next error."""
        self.total += error
        slope = 0.0 if self.last is None else error - self.last
        self.last = error
        return self.p * error + self.i * self.total + self.d * slope


class JetBot:
    """Wheels = speed -+ gain x offset (-.5 to .5 of the image's width), of a Vector's full 220 mm/s."""

    def wheels(self, offset: float, distance_mm: float) -> tuple[float, float]:
        """Left and right, mm/s."""
        return 220 * (0.4 + 0.8 * offset) * 0.5, 220 * (0.4 - 0.8 * offset) * 0.5


class PidFollower:
    """Bearing and distance by PID with the published gains and limits."""

    def __init__(self):
        self.turn, self.drive = Pid(0.12, 0.002, 0.025), Pid(0.4, 0.0, 0.1)

    def wheels(self, offset: float, distance_mm: float) -> tuple[float, float]:
        """Left and right, mm/s."""
        turn = max(-5.0, min(5.0, self.turn(offset * 90))) * 10
        drive = max(-150.0, min(150.0, self.drive(distance_mm - STOP_MM)))
        return max(-200.0, min(200.0, drive + turn)), max(-200.0, min(200.0, drive - turn))


def run_law(law: str, robot, detector, threshold: float) -> dict:
    """Steer by another project's law, frame by frame, until it has stopped at the target."""
    steer = JetBot() if law == "jetbot" else PidFollower()
    last_id, since_s, start_s, frames = None, None, robot.now_s(), 0
    robot.set_lift(32.0)
    robot.set_head(0.0)
    while robot.now_s() - start_s < SECONDS:
        try:
            frame = robot.next_frame(last_id)
        except NoFreshFrame:
            continue
        last_id, frames = frame.image_id, frames + 1
        image = decode_image(frame.jpeg, "the frame")
        boxes = detector(image, threshold=threshold).boxes_xyxy
        if len(boxes) == 0:
            robot.drive(-TURN_MMPS, TURN_MMPS)
            continue
        middle = (boxes[:, 0] + boxes[:, 2]) / 2 / image.shape[1] - 0.5
        nearest = int(np.argmin(np.abs(middle)))
        height = boxes[nearest, 3] - boxes[nearest, 1]
        distance = robot.intrinsics.focal_xy_px[1] * 66.6 / max(height, 1.0) + LENS_MM
        if distance <= STOP_MM + 10 and abs(middle[nearest]) < 0.1:
            robot.drive(0.0, 0.0)
            since_s = robot.now_s() if since_s is None else since_s
            if robot.now_s() - since_s >= 1.0:
                return {"found": True, "time_to_found_s": robot.now_s() - start_s, "frames": frames}
            continue
        since_s = None
        robot.drive(*map(float, steer.wheels(float(middle[nearest]), float(distance))))
    return {"found": False, "time_to_found_s": None, "frames": frames}


def run_oracle(robot) -> dict:
    """Our behaviour with the ground truth instead of a detector: the difference is what detection costs."""
    start_s, last_id, memory, frames = robot.now_s(), None, None, 0
    while robot.now_s() - start_s < SECONDS:
        try:
            frame = robot.next_frame(last_id)
        except NoFreshFrame:
            continue
        last_id, frames, state = frame.image_id, frames + 1, robot.state()
        truth = robot.ground_truth().truth(serial=robot.serial)
        now_s, pose = robot.now_s(), pose_of(state)
        memory = memory or begin(now_s, pose)
        distance, bearing = truth["distance_mm"], math.radians(truth["bearing_deg"])
        x = pose.x_mm + distance * math.cos(pose.heading_rad + bearing)
        y = pose.y_mm + distance * math.sin(pose.heading_rad + bearing)
        target = Target(bearing, distance, 0.01, 5.0, x, y, 0.0, 9)
        forward = (state.left_wheel_mmps + state.right_wheel_mmps) / 2
        turn = (state.right_wheel_mmps - state.left_wheel_mmps) / 48
        memory, command = decide(
            memory, Observation(now_s, pose, forward, turn, state.range_mm, target, cliff=state.cliff)
        )
        robot.drive(command.left_mmps, command.right_mmps)
        if command.done:
            return {"found": True, "time_to_found_s": now_s - start_s, "frames": frames}
    return {"found": False, "time_to_found_s": None, "frames": frames}


def trial(settings: Trials, world: int, detector) -> dict:
    """One run, with the distances at its end from the ground truth."""
    begun_s = time.monotonic()
    with open_robot("sim", world=world, lockstep=True, camera_fps=settings.fps) as robot:
        if settings.delay_ms:
            robot.ground_truth().fault("camera_latency", latency_ms=settings.delay_ms)
        if settings.law == "ours":
            asked = FindSettings(
                model=settings.model, seconds=SECONDS, lockstep=True, threshold=settings.threshold
            )
            result = find(asked, robot, detector)
        else:
            result = (
                run_oracle(robot)
                if settings.law == "oracle"
                else run_law(settings.law, robot, detector, settings.threshold)
            )
            robot.stop()
            result |= robot.ground_truth().truth(serial=robot.serial)
    keys = ("found", "time_to_found_s", "distance_mm", "bearing_deg", "collisions", "falls", "frames")
    return {"wall_s": round(time.monotonic() - begun_s, 1)} | {key: result[key] for key in keys}


def follow_trial(settings: Trials, world: int, detector) -> dict:
    """One run of `find --follow`."""
    begun_s = time.monotonic()
    with open_robot(
        "sim", world=world, lockstep=True, camera_fps=settings.fps, target_motion=settings.motion
    ) as robot:
        if settings.delay_ms:
            robot.ground_truth().fault("camera_latency", latency_ms=settings.delay_ms)
        wanted = FindSettings(
            model=settings.model, seconds=SECONDS, lockstep=True, threshold=settings.threshold, follow=True
        )
        result = find(wanted, robot, detector)
    keys = (
        "found",
        "time_to_found_s",
        "followed_share",
        "followed_share_all",
        "followed_mm",
        "losses",
        "collisions",
        "falls",
        "frames",
    )
    return {"wall_s": round(time.monotonic() - begun_s, 1)} | {key: result[key] for key in keys}


def is_reached(row: dict) -> bool:
    """Whether the robot reached its place without a collision or a fall."""
    there = row["found"] and abs(row["distance_mm"] - STOP_MM) <= 40 and abs(row["bearing_deg"]) <= 10
    return bool(there and not row["collisions"] and not row["falls"])


def wilson(some: int, count: int, z: float = 1.96) -> tuple[float, float]:
    """Wilson's 95 % interval of the share `some` / `count` (E. B. Wilson, 1927)."""
    middle, half = some + z * z / 2, z * math.sqrt(some * (count - some) / count + z * z / 4)
    return (middle - half) / (count + z * z), (middle + half) / (count + z * z)


def table(rows: list[dict]) -> str:
    """The results as a table in Markdown."""
    groups = defaultdict(list)
    for row in rows:
        groups[row["law"], row["model"], row["fps"], row["delay_ms"]].append(row)
    heads = (
        "steering law",
        "model",
        "frames/s",
        "added delay, ms",
        "worlds",
        "reached",
        "95 % interval",
        "median time, s",
        "collided",
        "fell",
        "distance, mm (5 to 95 %)",
    )
    lines = [f"| {' | '.join(heads)} |", "|---" * len(heads) + "|"]
    for (law, model, fps, delay_ms), some in sorted(
        groups.items(), key=lambda item: [str(part) for part in item[0]]
    ):
        reached = [row for row in some if is_reached(row)]
        low, high = wilson(len(reached), len(some))
        times = f"{np.median([row['time_to_found_s'] for row in reached]):.1f}" if reached else "-"
        there = [row["distance_mm"] for row in some if row["found"]]
        distances = " to ".join(f"{np.percentile(there, share):.0f}" for share in (5, 95)) if there else "-"
        lines.append(
            f"| {law} | {model if law != 'oracle' else '-'} | {fps:g} | {delay_ms:g} | {len(some)} | "
            f"{len(reached)} | {low:.2f} to {high:.2f} | {times} | "
            f"{sum(row['collisions'] > 0 for row in some)} | {sum(row['falls'] > 0 for row in some)} | "
            f"{distances} |"
        )
    return "\n".join(lines)


def follow_table(rows: list[dict]) -> str:
    """The results of --follow as a table in Markdown. Followed means: in reach for 90 % of the time."""
    groups = defaultdict(list)
    for row in rows:
        groups[row["law"].removeprefix("follow "), row["model"], row["fps"], row["delay_ms"]].append(row)
    heads = (
        "target",
        "model",
        "frames/s",
        "added delay, ms",
        "worlds",
        "reached",
        "followed once reached",
        "95 % interval",
        "followed over all 60 s",
    )
    heads += (
        "share of time in reach, once reached: mean, median, minimum",
        "share of all 60 s: mean, median",
        "median time to reach, s",
        "times lost per run",
        "collided",
        "fell",
    )
    lines = [f"| {' | '.join(heads)} |", "|---" * len(heads) + "|"]
    for (motion, model, fps, delay_ms), some in sorted(
        groups.items(), key=lambda item: [str(part) for part in item[0]]
    ):
        once = np.array([row["followed_share"] or 0.0 for row in some])
        whole = np.array([row["followed_share_all"] or 0.0 for row in some])
        times = [row["time_to_found_s"] for row in some if row["found"]] or [math.nan]
        low, high = wilson(int((once >= 0.9).sum()), len(some))
        lines.append(
            f"| {motion} | {model} | {fps:g} | {delay_ms:g} | {len(some)} | "
            f"{sum(row['found'] for row in some)} | "
            f"{(once >= 0.9).sum()} | {low:.2f} to {high:.2f} | {(whole >= 0.9).sum()} | "
            f"{once.mean():.3f}, {np.median(once):.3f}, {once.min():.3f} | "
            f"{whole.mean():.3f}, {np.median(whole):.3f} | {np.median(times):.1f} | "
            f"{np.mean([row['losses'] for row in some]):.1f} | "
            f"{sum(row['collisions'] > 0 for row in some)} | {sum(row['falls'] > 0 for row in some)} |"
        )
    return "\n".join(lines)


def main(settings: Trials) -> None:
    """Run the trials that are missing, or print the table."""
    rows = (
        [json.loads(line) for line in settings.results.read_text().splitlines()]
        if settings.results.exists()
        else []
    )
    if settings.table:
        following = [row for row in rows if row["law"].startswith("follow ")]
        print(
            table([row for row in rows if row not in following])
            if len(following) < len(rows)
            else follow_table(following)
        )
        if 0 < len(following) < len(rows):
            print("", follow_table(following), sep="\n")
        return
    first, last = map(int, settings.worlds.split(":"))
    law = f"follow {settings.motion}" if settings.follow else settings.law
    about = {"law": law, "model": settings.model, "fps": settings.fps, "delay_ms": settings.delay_ms}
    done = {row["world"] for row in rows if all(row[key] == value for key, value in about.items())}
    detector = load(settings.model)
    for world in range(first, last):
        if world in done:
            continue
        row = (
            about | {"world": world} | (follow_trial if settings.follow else trial)(settings, world, detector)
        )
        settings.results.parent.mkdir(parents=True, exist_ok=True)
        with settings.results.open("a") as file:
            file.write(json.dumps(row) + "\n")
        verdict = "" if settings.follow else "reached" if is_reached(row) else "not reached"
        print(f"{law} {world}: {verdict} {row}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    try:
        main(tyro.cli(Trials))
    except UserError as error:
        sys.exit(f"find_trials: {error}")

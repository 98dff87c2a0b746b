"""In how many simulated worlds `find` reaches the other Vector, beside other projects' steering laws.

    .venv/bin/python scripts/trials/find_trials.py RESULTS.jsonl --model transfer
    .venv/bin/python scripts/trials/find_trials.py RESULTS.jsonl --kind tabletops
    .venv/bin/python scripts/trials/find_trials.py RESULTS.jsonl --kind "two others"
    .venv/bin/python scripts/trials/find_trials.py RESULTS.jsonl --kind driving
    .venv/bin/python scripts/trials/find_trials.py RESULTS.jsonl --follow --motion wander --worlds 2100:2120
    .venv/bin/python scripts/trials/find_trials.py RESULTS.jsonl --table

Each trial is a line of RESULTS.jsonl; a trial that has a line is not run again. Reached means: within 60 s
of the world's time, 150 +- 40 mm from origin to origin, at most 10 degrees off, no collision, no fall, by
the simulator's ground truth once the finder says that it is there. Collisions are of the robot's true
outline, which turns about the true turning point.

Kinds of worlds: `rooms` are what the seeds give, about half of them tables. `tabletops` are those of the
seeds whose room is a table with open edges on which a drive straight on from the start falls, which the trial
shows first. `empty rooms` and `empty tabletops` are the same without another Vector: nothing but 60 s of
searching, in which nothing is to be found. In `two others` there are two other Vectors, in `driving` the
other one drives about by itself.

Steering laws: `ours` is vector_tl.find; steering_laws.py has the others.

With --follow the target drives about by itself, and `find --follow` stays with it for 60 s. The row has the
share of the time in which the distance was 100 to 400 mm: of all 60 s, and from when the target was first
reached.
"""

import json
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import tyro
from find_tables import follow_table, is_reached, table
from steering_laws import SECONDS, run_law, run_oracle

from vector_tl.detect.detector import load
from vector_tl.errors import UserError
from vector_tl.find.loop import find
from vector_tl.find.settings import FindSettings
from vector_tl.robot.open import open_robot
from vector_tl.sim.world.world import World

Kind = Literal["rooms", "empty rooms", "tabletops", "empty tabletops", "two others", "driving"]
WORLDS = {
    "rooms": "1000:1100",
    "empty rooms": "1030:1040",  # the dark one with vases among them
    "tabletops": "4000:4099",  # 40 of them are such
    "empty tabletops": "4000:4099",
    "two others": "5000:5020",
    "driving": "5100:5120",
}
BLIND_MMPS, BLIND_MS = 100.0, 20_000
ROW = ("found", "time_to_found_s", "distance_mm", "bearing_deg", "collisions", "falls", "frames")
FOLLOW_ROW = ("followed_share", "followed_share_all", "followed_mm", "losses")


@dataclass(frozen=True)
class Trials:
    """Run trials, or (--table) show those that were run."""

    results: tyro.conf.Positional[Path]
    """File of the results, one JSON object per line."""
    kind: Kind = "rooms"
    """Kind of worlds."""
    law: Literal["ours", "oracle", "jetbot", "pid"] = "ours"
    """Steering law: ours, oracle, jetbot or pid."""
    model: str = "transfer"
    """Model file, or a name in models/."""
    worlds: str | None = None
    """Seeds of the worlds, FIRST:END; END itself is not run. Each kind has its own when not given."""
    fps: float = 15.0
    """Frames per second of the camera."""
    delay_ms: float = 0.0
    """Delay of the frames, on top of the camera's own."""
    threshold: float | None = None
    """Confidence threshold of every law; the model's own when not given."""
    follow: bool = False
    """Follow a target that moves, with our steering law."""
    motion: Literal["wander", "spin", "flee"] = "wander"
    """How the target moves, with --follow or where it drives."""
    table: bool = False
    """Only print the tables."""

    def about(self) -> dict[str, Any]:
        """What tells its rows from others."""
        law = f"follow {self.motion}" if self.follow else self.law
        return {
            "kind": self.kind,
            "law": law,
            "model": self.model,
            "fps": self.fps,
            "delay_ms": self.delay_ms,
        }


def blind_fall_s(world: int) -> float | None:
    """When a Vector falls that drives straight on from the start, with its cliff stop off.

    So it is on a robot at the highest priority of control.

    Returns:
        None for a world where it does not.
    """
    blind = World(world, 1, 1)
    body = blind.bodies[0]
    body.cliff_stop = False
    body.drive(BLIND_MMPS, BLIND_MMPS)
    while blind.room.surface == "table" and blind.t_ms < BLIND_MS:
        blind.advance(blind.t_ms + 100)
        if body.falls:
            return blind.t_ms / 1000
    return None


def trial(settings: Trials, world: int, detector) -> dict:
    """One run, with the distances at its end from the ground truth."""
    begun_s = time.monotonic()
    targets = 0 if settings.kind.startswith("empty") else 2 if settings.kind == "two others" else 1
    moves = settings.follow or settings.kind == "driving"
    with open_robot(
        "sim",
        world=world,
        lockstep=True,
        camera_fps=settings.fps,
        targets=targets,
        target_motion=settings.motion if moves else "stand",
    ) as robot:
        if settings.delay_ms:
            robot.ground_truth().fault("camera_latency", latency_ms=settings.delay_ms)
        result = _steer(settings, robot, detector)
    keys = ROW + (FOLLOW_ROW if settings.follow else ())
    return {"wall_s": round(time.monotonic() - begun_s, 1)} | {key: result[key] for key in keys}


def _steer(settings: Trials, robot, detector) -> dict:
    if settings.law == "ours":
        asked = FindSettings(
            model=settings.model,
            seconds=SECONDS,
            lockstep=True,
            threshold=settings.threshold,
            follow=settings.follow,
        )
        return find(asked, robot, detector)
    if settings.law == "oracle":
        result = run_oracle(robot)
    else:
        result = run_law(settings.law, robot, detector, settings.threshold)
    robot.stop()
    return result | robot.ground_truth().truth(serial=robot.serial)


def main(settings: Trials) -> None:
    """Run the trials that are missing, or print the table."""
    lines = settings.results.read_text().splitlines() if settings.results.exists() else []
    rows = [{"kind": "rooms"} | json.loads(line) for line in lines]  # older rows name no kind
    if settings.table:
        following = [row for row in rows if row["law"].startswith("follow ")]
        others = [row for row in rows if row not in following]
        parts = [make(some) for make, some in ((table, others), (follow_table, following)) if some]
        print("\n\n".join(parts))
        return
    about = settings.about()
    done = {row["world"] for row in rows if all(row[key] == value for key, value in about.items())}
    detector = load(settings.model)
    for world in range(*map(int, (settings.worlds or WORLDS[settings.kind]).split(":"))):
        blind = {"blind_fall_s": blind_fall_s(world)} if "tabletops" in settings.kind else {}
        if world in done or blind == {"blind_fall_s": None}:
            continue
        row = about | {"world": world} | blind | trial(settings, world, detector)
        settings.results.parent.mkdir(parents=True, exist_ok=True)
        with settings.results.open("a") as file:
            file.write(json.dumps(row) + "\n")
        verdict = "" if settings.follow else "reached" if is_reached(row) else "not reached"
        print(f"{settings.kind} {world}: {verdict} {row}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    try:
        main(tyro.cli(Trials))
    except UserError as error:
        sys.exit(f"find_trials: {error}")

"""Measures what is lost when `capture` is killed at random moments (SIGKILL) and started again.

    .venv/bin/python scripts/trials/kill_trials.py [--kills 50] [--seed 0]

Half of the kills hit simulated sessions (plain camera), half a session of a robot that looks at a second
robot. Prints one JSON object: images, labels and whatever is missing, changed or half-written.
"""

import argparse
import contextlib
import hashlib
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from vector_tl.data import dataset
from vector_tl.data.yolo import parse_label

END_S = 600.0


def command(data: Path, two: bool, count: int) -> list[str]:
    start = [
        sys.executable,
        "-m",
        "vector_tl",
        "capture",
        "--robot",
        "sim",
        "--camera",
        "plain",
        "--data",
        str(data),
        "--count",
        str(count),
        "--json",
    ]
    return start + (
        ["--target", "sim", "--novelty", "0.01", "--seed", "4"] if two else ["--images-per-session", "6"]
    )


def finished(data: Path) -> dict[str, bytes]:
    """Images and labels that a capture has written."""
    return {
        str(path.relative_to(data)): path.read_bytes()
        for path in sorted(data.glob("*/*/*"))
        if not path.name.startswith(".")
    }


def find_damage(data: Path, before: dict[str, bytes], two: bool) -> list[str]:
    """What a kill has damaged, in words."""
    wrong = [
        f"{path} has changed"
        for path, content in before.items()
        if not (data / path).exists() or (data / path).read_bytes() != content
    ]
    shots: dict[str, dict] = {}
    for path in data.glob("sessions/*.json"):
        try:
            shots |= {shot["name"]: shot for shot in json.loads(path.read_text())["shots"]}
        except ValueError:
            wrong.append(f"{path.name} is broken")
    with contextlib.suppress(FileNotFoundError):
        dataset.read_splits(data)
    for path in data.glob("images/*/[!.]*"):
        if path.stem not in shots:
            wrong.append(f"{path.name} is in no session")
        elif hashlib.sha256(path.read_bytes()).hexdigest() != shots[path.stem]["sha256"]:
            wrong.append(f"{path.name} is half-written")
    for path in data.glob("labels/*/[!.]*"):
        boxes = parse_label(path.read_bytes(), path)
        if path.stem not in shots or len(boxes) != len(shots[path.stem]["xyxy"]):
            wrong.append(f"{path.name} is half-written")
        if not dataset.image_path(data, path.parent.name, path.stem).exists():
            wrong.append(f"{path.name} has no image")
    return wrong


def trial(data: Path, two: bool, kills: int, max_s: float, rng: random.Random) -> dict:
    """Kill a capture `kills` times, then let it end."""
    wrong, grown, parts, before = [], 0, 0, {}
    for number in range(kills):
        capture = subprocess.Popen(
            command(data, two, 100_000),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        time.sleep(rng.uniform(0.0, max_s))
        os.killpg(capture.pid, signal.SIGKILL)
        capture.wait()
        wrong += [f"kill {number}: {damage}" for damage in find_damage(data, before, two)]
        now = finished(data)
        grown += len(now) > len(before)
        parts += sum(1 for _ in data.rglob("*.part"))
        before = now
    kept = sum(path.endswith(".jpg") for path in before)
    count = (kept + 10) if two else -(-(kept + 12) // 6) * 6
    ended = subprocess.run(
        command(data, two, count), capture_output=True, text=True, timeout=END_S, check=False
    )
    wrong += find_damage(data, before, two) + ([] if ended.returncode == 0 else [ended.stderr.strip()[-300:]])
    return {
        "kills": kills,
        "kills_after_new_files": grown,
        "parts_seen_after_kills": parts,
        "parts_at_the_end": sum(1 for _ in data.rglob("*.part")),
        "images": len(list(data.glob("images/*/*.jpg"))),
        "labels": len(list(data.glob("labels/*/*.txt"))),
        "wrong": wrong,
    }


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument(
        "--max-s",
        type=float,
        default=12.0,
        help="longest time from start to kill; the first images come after about 3 s",
    )
    arguments = parser.parse_args()
    rng, started_s = random.Random(arguments.seed), time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        one, two = Path(folder) / "simulated", Path(folder) / "robot"
        half = arguments.kills // 2
        result = {
            "simulated": trial(one, False, arguments.kills - half, arguments.max_s, rng),
            "robot": trial(two, True, half, arguments.max_s, rng),
        }
        whole = Path(folder) / "whole"
        subprocess.run(
            command(whole, False, result["simulated"]["images"]),
            capture_output=True,
            timeout=END_S,
            check=True,
        )
        result["same_as_never_killed"] = finished(whole) == finished(one)
    result |= {"seconds": round(time.monotonic() - started_s, 1)}
    print(json.dumps(result))
    return int(
        bool(result["simulated"]["wrong"] or result["robot"]["wrong"] or not result["same_as_never_killed"])
    )


if __name__ == "__main__":
    sys.exit(main())

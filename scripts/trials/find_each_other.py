"""Two finders look for each other in real time: `find` beside `find`, each with a robot of its own.

    .venv/bin/python scripts/trials/find_each_other.py RESULTS.jsonl --worlds 5200:5210
    .venv/bin/python scripts/trials/find_each_other.py RESULTS.jsonl --table

Each world is a line of RESULTS.jsonl with what both programs report; a world that has a line is not run
again. The two run as `vector-tl find --robot SERIAL` in processes of their own, on one simulator. On a
computer that is too slow for two models at once the frames are late, and both drive more slowly.
"""

import json
import os
import subprocess
import sys
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import tyro

from vector_tl.errors import UserError
from vector_tl.robot.simulator_client import SimulatorProcess

KEYS = ("found", "time_to_found_s", "distance_mm", "bearing_deg", "collisions", "falls", "fps", "latency_ms")
OPEN_S = 60.0  # for connecting, loading the model, and the end


@dataclass(frozen=True)
class Trials:
    """Run trials, or (--table) show those that were run."""

    results: tyro.conf.Positional[Path]
    """File of the results, one JSON object per line."""
    worlds: str = "5200:5210"
    """Seeds of the worlds, FIRST:END; END itself is not run."""
    model: str = "transfer"
    """Model file, or a name in models/."""
    seconds: float = 60.0
    """How long each of them looks."""
    table: bool = False
    """Only print the table."""


def look(settings: Trials, home: Path, serial: str) -> dict[str, Any]:
    """One of the two programs, and what it reports."""
    command = [sys.executable, "-m", "vector_tl", "find", "--robot", serial, "--model", settings.model]
    command += ["--seconds", str(settings.seconds), "--no-report", "--json"]
    ran = subprocess.run(
        command,
        env=os.environ | {"HOME": str(home)},
        capture_output=True,
        text=True,
        timeout=settings.seconds + OPEN_S,
    )
    answer = json.loads(ran.stdout or "{}")
    if ran.returncode:
        return {"error": answer.get("error") or ran.stderr[-500:]}
    stops = Counter(stop["reason"] for stop in answer["stops"])
    return {key: answer[key] for key in KEYS} | {"stops": stops}


def trial(settings: Trials, world: int) -> dict[str, Any]:
    """Both at once."""
    with SimulatorProcess(robots=2, targets=0, world=world) as simulator, ThreadPoolExecutor() as both:
        rows = both.map(lambda serial: look(settings, simulator.home, serial), simulator.serials)
        return {"world": world, "model": settings.model, "finders": list(rows)}


def table(rows: list[dict[str, Any]]) -> str:
    """The results as a table in Markdown."""
    finders = [finder for row in rows for finder in row["finders"]]
    some = [finder for finder in finders if "error" not in finder]
    times = [finder["time_to_found_s"] for finder in some if finder["found"]] or [float("nan")]
    both = sum(all(finder.get("found") for finder in row["finders"]) for row in rows)
    stops = sum((Counter(finder["stops"]) for finder in some), Counter())
    lines = {
        "worlds": len(rows),
        "both arrived": both,
        "one arrived": sum(any(finder.get("found") for finder in row["finders"]) for row in rows) - both,
        "median time, s": f"{np.median(times):.1f}",
        "collided": sum(finder["collisions"] > 0 for finder in some),
        "fell": sum(finder["falls"] > 0 for finder in some),
        "ended by an error": len(finders) - len(some),
        "stops of the guard": ", ".join(f"{reason}: {count}" for reason, count in stops.most_common()) or "-",
    }
    return "\n".join(
        ["| two finders | |", "|---|---|", *(f"| {key} | {text} |" for key, text in lines.items())]
    )


def main(settings: Trials) -> None:
    """Run the trials that are missing, or print the table."""
    lines = settings.results.read_text().splitlines() if settings.results.exists() else []
    rows = [json.loads(line) for line in lines]
    if settings.table:
        print(table(rows))
        return
    done = {row["world"] for row in rows if row["model"] == settings.model}
    for world in range(*map(int, settings.worlds.split(":"))):
        if world in done:
            continue
        row = trial(settings, world)
        settings.results.parent.mkdir(parents=True, exist_ok=True)
        with settings.results.open("a") as file:
            file.write(json.dumps(row) + "\n")
        print(row, file=sys.stderr, flush=True)


if __name__ == "__main__":
    try:
        main(tyro.cli(Trials))
    except UserError as error:
        sys.exit(f"find_each_other: {error}")

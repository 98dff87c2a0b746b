"""Labelled images a second: drawn in bulk by a process for each core, beside `capture` with as many.

Rows of `vector-tl bench sim`. Until camera and textures are ready a process in bulk takes seconds, whether it
draws ten images or ten thousand: they are a row of their own. Capture's rate includes its simulators' start.
"""

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from vector_tl.bench.settings import Row
from vector_tl.capture.run import capture
from vector_tl.capture.settings import CaptureSettings
from vector_tl.errors import UserError

IMAGES_PER_S = 4  # of a process, about; so many are asked for


def rows(seconds: float, processes: int | None = None) -> list[Row]:
    """The rows; each measurement lasts about `seconds`, and some to begin with."""
    images, processes = max(4, round(IMAGES_PER_S * seconds)), processes or os.cpu_count() or 1
    with tempfile.TemporaryDirectory(prefix="vector-tl-bench-") as folder:
        bulk, start_s = in_bulk(Path(folder), images, processes)
        data = Path(folder) / "captured"
        captured = capture(CaptureSettings(robot="sim", data=data, count=images, simulators=processes))
    against = "capture with as many simulators, their start included"
    return [
        Row("bulk_images_per_s", bulk, "1/s", against, captured["kept"] / captured["seconds"]),
        Row("bulk_start_s", start_s, "s"),
        Row("bulk_processes", processes, "1"),
    ]


def in_bulk(folder: Path, images: int, processes: int) -> tuple[float, float]:
    """Draw with so many processes side by side, each with rooms and a dataset of its own.

    Returns:
        images a second of all of them once they have started, and the longest start (s).

    Raises:
        UserError: a process ended in an error; the message is its own.
    """
    command = [sys.executable, "-m", "vector_tl.bulk", "--count", str(images)]
    begun = [
        subprocess.Popen(
            [*command, "--data", str(folder / f"bulk-{seed}"), "--seed", str(seed)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for seed in range(processes)
    ]
    ended = [(process, *process.communicate()) for process in begun]
    for process, _, complaint in ended:
        if process.returncode:
            raise UserError(f"Drawing in bulk failed: {complaint.strip()}")
    results = [json.loads(said.splitlines()[-1]) for _, said, _ in ended]
    starts = [result["start_seconds"] for result in results]
    drawing = [max(result["seconds"] - start_s, 0.1) for result, start_s in zip(results, starts)]
    return sum(result["kept"] / spent_s for result, spent_s in zip(results, drawing)), max(starts)

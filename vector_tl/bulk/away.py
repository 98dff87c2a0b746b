"""A portion of many simulated images, drawn on another machine into a folder of its own."""

import os
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from vector_tl.errors import UserError

BULK = (sys.executable, "-m", "vector_tl.bulk")
ONE_THREAD = {"LP_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}  # of Mesa and OpenMP; jobs share the cores


@dataclass(frozen=True)
class Drawing:
    """Options of `python -m vector_tl.bulk`, but for its folder."""

    options: tuple[str, ...]


def draw_away(drawing: Drawing) -> dict[str, bytes]:
    """The files of the dataset that was drawn, by their paths in it.

    Raises:
        UserError: it could not be drawn; the message is the program's own.
    """
    with tempfile.TemporaryDirectory(prefix="vector-tl-") as place:
        command = [*BULK, *drawing.options, "--data", place]
        # a process of its own: a renderer keeps what it took from the GPU until its process ends
        ran = subprocess.run(command, env=os.environ | ONE_THREAD, capture_output=True, text=True)
        if ran.returncode:
            raise UserError(
                "".join(ran.stderr.strip().splitlines()[-1:]) or f"it ended with {ran.returncode}"
            )
        files = (path for path in sorted(Path(place).rglob("*")) if path.is_file())
        return {
            str(path.relative_to(place)): path.read_bytes() for path in files if not path.name.startswith(".")
        }

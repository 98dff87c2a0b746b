"""Kills a recording process at random moments and prints what is lost.

    python tests/support/recording_kill_trial.py [KILLS]

The writer keeps frames, detections, state and commands at a camera's pace, as `find --record` does; the time
of each frame is printed once it is written, so that the loss is known.
"""

import random
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from vector_tl.data.recording import read_recording

WRITER = """
import random, sys, time
import numpy as np
from vector_tl.data.recording import RecordingWriter
from vector_tl.robot.base import Frame, Intrinsics, RobotState
drawn = random.Random(1)
writer = RecordingWriter(sys.argv[1], {"settings": {}}, Intrinsics())
start_s = time.monotonic()
for index in range(10**6):
    t_s = time.monotonic() - start_s
    frame = Frame(index, round(t_s * 1000), t_s, drawn.randbytes(drawn.randrange(8_000, 40_000)))
    writer.frame(frame)
    print(f"{t_s:.4f}", flush=True)
    writer.detections(frame, np.array([[1, 2, 30, 40]], np.float32), np.array([0.9], np.float32))
    writer.state(RobotState(t_s, 0, 0, 0, 0, 32, 0, 0, None))
    writer.wheels(t_s, 1, -1, True, "search", (300, 2))
    if index % 20 == 0:
        writer.event(t_s, "a line of the log")
    time.sleep(float(sys.argv[2]))
"""


def kill_once(path: Path, after_s: float, period_s: float = 1 / 15) -> tuple[int, int, float]:
    """Kill a writer `after_s` its first frame.

    Returns:
        Frames read, frames written, and the seconds that are lost.
    """
    command = [sys.executable, "-c", WRITER, str(path), str(period_s)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as child:
        printed = [child.stdout.readline()]
        time.sleep(after_s)
        child.kill()
        printed += list(child.stdout)
    written_s = [float(line) for line in printed if line.endswith("\n")]
    frames = list(read_recording(path))
    lost_s = written_s[-1] - frames[-1].t_s if frames else written_s[-1]
    return len(frames), len(written_s), max(0.0, lost_s)


def main(kills: int) -> None:
    """Print the loss of each kill, and the worst."""
    drawn, losses = random.Random(50), []
    with tempfile.TemporaryDirectory() as place:
        for number in range(kills):
            read, written, lost_s = kill_once(Path(place) / f"{number}.mcap", drawn.uniform(0.0, 3.0))
            losses.append(lost_s)
            print(f"kill {number + 1}: {read} of {written} frames read, {lost_s:.3f} s lost", flush=True)
    print(f"{kills} kills, all readable; at most {max(losses):.3f} s lost")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 50)

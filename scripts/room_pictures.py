"""Pictures of simulated rooms without a Vector, from as high as a person would carry the robot.

    .venv/bin/python scripts/room_pictures.py FOLDER COUNT

They are for `vector-tl train --backgrounds`: chairs, dressers and beds in the middle of the picture are what a detector that
was only trained at the height of the ground takes for a Vector. What is in FOLDER already is kept.
"""

import math
import sys
from pathlib import Path

import numpy as np

from vector_tl.files import write_atomic
from vector_tl.sim.camera import VectorCamera
from vector_tl.sim.room import make_room
from vector_tl.sim.scene import CameraMotion, VectorPose

PICTURES_PER_ROOM, FIRST_ROOM = 3, 900_000


def main(folder: Path, count: int) -> None:
    """Write `count` pictures, three from each room."""
    camera = VectorCamera()
    for number in range(math.ceil(count / PICTURES_PER_ROOM)):
        paths = [folder / f"{number}-{k}.jpg" for k in range(PICTURES_PER_ROOM)]
        if all(path.exists() for path in paths):
            continue
        rng, room = np.random.default_rng([number, 77]), make_room(number + FIRST_ROOM)
        camera.enter(room)
        for path in paths:
            z_mm = float(rng.uniform(200, 1500)) if room.surface == "floor" else float(rng.uniform(0, 700))
            heading = rng.uniform(-math.pi, math.pi)
            x_mm, y_mm = rng.uniform(-0.9, 0.9) * room.half_x_mm, rng.uniform(-0.9, 0.9) * room.half_y_mm
            pitch, head = float(-rng.uniform(0, 0.35)), float(rng.uniform(-0.1, 0.1))
            viewer = VectorPose(x_mm, y_mm, heading, z_mm=z_mm, pitch_rad=pitch, head_angle_rad=head)
            write_atomic(path, camera.shoot((viewer,), 0, CameraMotion(), rng, dt_s=5.0).jpeg)
    camera.close()


if __name__ == "__main__":
    if len(sys.argv) != 3 or not sys.argv[2].isdigit():
        sys.exit("usage: .venv/bin/python scripts/room_pictures.py FOLDER COUNT")
    main(Path(sys.argv[1]), int(sys.argv[2]))

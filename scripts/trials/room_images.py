"""Makes images of simulated rooms without a Vector, from as high as a person would carry the robot.

    .venv/bin/python scripts/trials/room_images.py FOLDER COUNT [--model MODEL]

They are background images for `vector-tl train --backgrounds`: a detector that was only trained at the
height of the ground takes chairs, dressers and beds in the middle of an image for a Vector. With --model
only the images in which this model sees a Vector are kept, some 1 in 10 (hard negatives: Felzenszwalb et
al., Object detection with discriminatively trained part-based models, 2010). Images in FOLDER stay, and a
second run continues after them.
"""

import itertools
import math
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import tyro

from vector_tl.data.images import decode_image
from vector_tl.detect.detector import load
from vector_tl.errors import UserError
from vector_tl.files import write_atomic
from vector_tl.sim.render.camera import VectorCamera
from vector_tl.sim.world.room import make_room
from vector_tl.sim.world.scene import Moment, VectorPose

IMAGES_PER_ROOM = 3


@dataclass(frozen=True)
class RoomImages:
    """Write images of rooms without a Vector, three of each room."""

    folder: tyro.conf.Positional[Path]
    """Folder for the images, which are named after room and view."""
    count: tyro.conf.Positional[int]
    """How many images the folder shall hold in the end."""
    model: str | None = None
    """Keep only images in which this model sees a Vector."""
    min_score: float = 0.1
    """Confidence at which it counts as seeing one."""
    first_room: int = 900_000
    """Seed of the first room."""


def main(asked: RoomImages) -> None:
    """Write the images that are missing.

    Raises:
        UserError: the model cannot be loaded, or there is no EGL to draw with.
    """
    seen = sorted(int(path.stem.split("-")[0]) for path in asked.folder.glob("*-*.jpg"))
    detector = load(asked.model, "cpu") if asked.model else None
    camera, have = VectorCamera(), len(seen)
    for number in itertools.count(seen[-1] + 1 if seen else 0):
        if have >= asked.count:
            break
        rng, room = np.random.default_rng([number, 77]), make_room(number + asked.first_room)
        camera.enter(room)
        for view in range(IMAGES_PER_ROOM):
            z_mm = float(rng.uniform(200, 1500)) if room.surface == "floor" else float(rng.uniform(0, 700))
            heading = rng.uniform(-math.pi, math.pi)
            x_mm, y_mm = rng.uniform(-0.9, 0.9) * room.half_x_mm, rng.uniform(-0.9, 0.9) * room.half_y_mm
            pitch, head = float(-rng.uniform(0, 0.35)), float(rng.uniform(-0.1, 0.1))
            viewer = VectorPose(x_mm, y_mm, heading, z_mm=z_mm, pitch_rad=pitch, head_angle_rad=head)
            jpeg = camera.shoot(Moment((viewer,), dt_s=5.0), rng).jpeg
            if detector is None or len(detector(decode_image(jpeg, "the image"), asked.min_score)):
                write_atomic(asked.folder / f"{number}-{view}.jpg", jpeg)
                have += 1
    camera.close()


if __name__ == "__main__":
    try:
        main(tyro.cli(RoomImages))
    except UserError as error:
        sys.exit(str(error))

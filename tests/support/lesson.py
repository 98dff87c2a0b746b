"""A lesson's images without the simulator that draws them."""

from pathlib import Path

import cv2
import numpy as np

from vector_tl.experiments.lesson.lesson import ready


def fill_cache(cache: Path) -> None:
    """Put grey images where `vector-tl lesson` keeps those that it has drawn; `cache` is the user's cache."""
    folder = cache / "vector_tl" / "lesson"
    folder.mkdir(parents=True)
    jpeg = cv2.imencode(".jpg", np.full((360, 640, 3), 90, np.uint8))[1].tobytes()
    for scene in ready()["scenes"]:
        (folder / f"{scene['name'].replace('/', '--')}.jpg").write_bytes(jpeg)

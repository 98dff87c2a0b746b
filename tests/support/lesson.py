"""What a lesson is made from: images without the simulator that draws them, and a comparison of one's own."""

import shutil
from pathlib import Path

import cv2
import numpy as np

from vector_tl.data.dataset import load_dataset
from vector_tl.evaluate.metrics import Outcome
from vector_tl.experiments.lesson.lesson import ready
from vector_tl.experiments.runs import keep_outcomes

BEFORE = Path(__file__).parents[1] / "fixtures" / "before"


def fill_cache(cache: Path) -> None:
    """Put grey images where `vector-tl lesson` keeps those that it has drawn; `cache` is the user's cache."""
    folder = cache / "vector_tl" / "lesson"
    folder.mkdir(parents=True)
    jpeg = cv2.imencode(".jpg", np.full((360, 640, 3), 90, np.uint8))[1].tobytes()
    for scene in ready()["scenes"]:
        (folder / f"{scene['name'].replace('/', '--')}.jpg").write_bytes(jpeg)


def own_comparison(folder: Path) -> tuple[Path, Path]:
    """A comparison that kept what its models saw in training, and its dataset with grey images."""
    out, data = shutil.copytree(BEFORE / "compare", folder / "compare"), folder / "data"
    shutil.copytree(BEFORE / "compare-data", data)
    for label in data.glob("labels/*/*.txt"):
        image = data / "images" / label.parent.name / f"{label.stem}.png"
        image.parent.mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(image), np.full((90, 160, 3), 120, np.uint8))
    box = np.array([[100, 100, 200, 200]], np.float32)
    seen = Outcome((640, 360), box, box, np.array([0.9], np.float32))
    images = len(load_dataset(data, "val").items)
    for arm, points in (("coco", (0, 8, 16)), ("scratch", (0, 16))):
        for n in points:
            keep_outcomes(out / f"runs/equal-{arm}-all-seed0", n, [seen] * images)
    return out, data

"""What helps a person whose words are no command yet: the closest command, and what comes first."""

import difflib
from collections.abc import Iterable

NEEDS_IMAGES = (
    "It needs a dataset. First make one with: "
    "vector-tl capture --robot sim --count 685 --kinds everyday --data data\n"
    "or take your own photographs into one with: vector-tl label import PHOTOS --data data\n"
    "Then: "
)
NEEDS_A_RUN = (
    "It needs images to show. First record a run with: vector-tl find --robot sim --record runs/a.mcap\n"
    "Then: "
)
FIRST = {
    "train": NEEDS_IMAGES + "vector-tl train --data data --init coco --out models/mine.safetensors",
    "compare": NEEDS_IMAGES + "vector-tl compare --data data --out runs/compare",
    "retrain": NEEDS_IMAGES + "vector-tl retrain best --data data --out runs/retrain",
    "evaluate": NEEDS_IMAGES + "vector-tl evaluate best --data data",
    "film": NEEDS_A_RUN + "vector-tl film runs/a.mcap --left scratch --right transfer --out runs/a.mp4",
    "poll": NEEDS_A_RUN + "vector-tl poll runs/a.mcap --left scratch --right transfer --out runs/poll",
    "detect": "Name a model and what to look at: vector-tl detect best PHOTO.jpg",
    "export": "Name a model, a format and a file: vector-tl export best --format onnx --out best.onnx",
    "watch": "Name what to watch, such as the first webcam (0), a video, or a simulated robot: "
    "vector-tl watch sim",
    "stop": "Name the robot, by the serial on its underside: vector-tl stop --robot SERIAL",
    "sim": "Name a folder for it: vector-tl sim --home runs/sim --view",
}


def comes_first(command: str) -> str:
    """What to type before a command that was typed alone and cannot work so; empty where nothing is known."""
    return FIRST.get(command, "")


def closest(asked: str, commands: Iterable[str]) -> str | None:
    """The command that was probably meant; None where none is like it."""
    last_words = {name.split()[-1]: name for name in commands}  # `review` means `label review`
    near = difflib.get_close_matches(asked.lower().split()[-1], last_words, n=1)
    return last_words[near[0]] if near else None

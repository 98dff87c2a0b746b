"""What attacks are made of: hostile names, images and datasets."""

import io
from pathlib import Path

import numpy as np
from PIL import Image

from vector_tl.plain import one_line

OWNED = "document.title='owned'"  # what a name does on a page, if the page lets it
# Names that a file or folder may have; none may become markup, a terminal's code, an option or our line.
HOSTILE_NAMES = (
    f'"><img src=x onerror="{OWNED}">',
    f"<svg onload={OWNED}>",
    f"javascript:{OWNED}",
    "\x1b]0;owned\x07\x1b[2J\x1b[31mred",
    "two lines\nI vector_tl: all right",
    "\u202egpj.exe",
    "$x^{$",  # a formula for Matplotlib
    "{{ 7 * 7 }}{% raw %}",
    "%s%n{0}",
    "--json",
    "a?b#c&d=e",
    "`$(touch owned)`; touch owned",
    b"not utf-8 \xff\xfe".decode("utf-8", "surrogateescape"),
)
# Those without control characters: a dataset takes no others.
PLAIN_NAMES = tuple(name for name in HOSTILE_NAMES if one_line(name) == name)


def image_bytes(form: str = "JPEG", size_wh: tuple[int, int] = (64, 36), **options: object) -> bytes:
    """An image of noise."""
    file = io.BytesIO()
    noise = np.random.default_rng(7).integers(0, 256, (*size_wh[::-1], 3), np.uint8)
    Image.fromarray(noise).save(file, form, **options)
    return file.getvalue()


def make_dataset(
    folder: Path, sessions: tuple[str, ...] = ("one", "two"), names: tuple[str, ...] = ("a",)
) -> Path:
    """A dataset with an image of each name in each session, all labelled with one box."""
    for session in sessions:
        for name in names:
            image = folder / "images" / session / f"{name}.jpg"
            label = folder / "labels" / session / f"{name}.txt"
            image.parent.mkdir(parents=True, exist_ok=True)
            label.parent.mkdir(parents=True, exist_ok=True)
            image.write_bytes(image_bytes())
            label.write_text("0 0.5 0.5 0.4 0.4\n")
    return folder

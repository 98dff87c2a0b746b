"""Photographs as what lies behind Vectors: which there are, their light and their noise."""

import math
from itertools import groupby
from pathlib import Path

import cv2
import numpy as np

from vector_tl.data.dataset import read_session
from vector_tl.errors import UserError

OWN_SIZES_WH = {(640, 360), (1280, 720)}  # of the robot's own images
SUFFIXES = (".jpg", ".jpeg", ".png")
MAX_ROUGHER, MAX_BRIGHTER = 1.6, 1.2  # one third of a photograph that looks down against the other


def photographs(folder: Path) -> list[Path]:
    """The images in a folder and its subfolders, in order.

    Raises:
        UserError: there are none.
    """
    found = sorted(path for path in folder.rglob("*") if path.suffix.lower() in SUFFIXES)
    if not found:
        raise UserError(
            f"--backgrounds {folder} has no images ({', '.join(SUFFIXES)}); "
            "take some with vector-tl capture --negatives."
        )
    return found


def by_folder(paths: list[Path]) -> list[list[Path]]:
    """Photographs in order, those of each folder by themselves."""
    return [
        list(some) for _, some in groupby(sorted(paths, key=lambda path: path.parent), lambda p: p.parent)
    ]


def looks_down(image_rgb: np.ndarray) -> bool:
    """Whether a photograph (H, W, 3) shows ground all over, as far as its light says.

    A view with a horizon is brighter or darker, or coarser, above than below.
    """
    grey = cv2.resize(cv2.cvtColor(image_rgb, cv2.COLOR_RGB2GRAY), (96, 54), interpolation=cv2.INTER_AREA)
    above, below = grey[:18].astype(float), grey[-18:].astype(float)
    rough = np.std(above) + 4.0, np.std(below) + 4.0
    brightness = above.mean() + 8.0, below.mean() + 8.0
    return bool(max(rough) < MAX_ROUGHER * min(rough) and max(brightness) < MAX_BRIGHTER * min(brightness))


def head_angle_rad(photograph: Path) -> float:
    """The head's angle when a robot captured the image, up positive; 0 (level) without a session's file."""
    try:
        about = read_session(photograph.parent.parent.parent, photograph.parent.name)
    except UserError:
        return 0.0
    shots = about.get("shots", []) if about else []
    return next((shot.get("head_rad", 0.0) for shot in shots if shot["name"] == photograph.stem), 0.0)


class Plate:
    """A photograph as what lies behind the Vectors.

    Attributes:
        image: uint8 (H, W, 3) RGB, cut to the camera's size.
        light: float32 (H, W, 3), linear.
        own: whether it is one of the robot's own images.
        noise: standard deviation of its noise, in grey levels.
    """

    def __init__(self, image_rgb: np.ndarray, size_wh: tuple[int, int]):
        height, width = image_rgb.shape[:2]
        self.own = (width, height) in OWN_SIZES_WH
        scale = max(size_wh[0] / width, size_wh[1] / height)
        filled_wh = math.ceil(width * scale), math.ceil(height * scale)
        method = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
        resized = cv2.resize(image_rgb, filled_wh, interpolation=method)
        left, top = (resized.shape[1] - size_wh[0]) // 2, (resized.shape[0] - size_wh[1]) // 2
        self.image = resized[top : top + size_wh[1], left : left + size_wh[0]]
        self.light = np.square(self.image.astype(np.float32) / 255)
        grey = cv2.cvtColor(self.image, cv2.COLOR_RGB2GRAY)
        rough = grey.astype(np.float32) - cv2.medianBlur(grey, 3)
        self.noise = float(1.48 * np.median(np.abs(rough - np.median(rough))) + 1.0)

    def floor_color(self) -> np.ndarray:
        """Mean light (3,) of what Vectors stand on: the lower third's middle."""
        height, width = self.light.shape[:2]
        return self.light[2 * height // 3 :, width // 4 : -width // 4].reshape(-1, 3).mean(axis=0)

    def lamp(self) -> tuple[float, np.ndarray]:
        """Where its upper half is brightest, -1 left to 1 right, and that light (3,) above the mean."""
        upper = self.light[: len(self.light) // 2]
        luma = upper.mean(axis=2)
        bright = luma >= np.quantile(luma, 0.9)
        across = np.broadcast_to(np.linspace(-1, 1, luma.shape[1]), luma.shape)
        above = upper[bright].mean(axis=0) - upper.reshape(-1, 3).mean(axis=0)
        return float(across[bright].mean()), np.clip(above, 0, None)

"""Made images, and networks whose random weights find something in them."""

import cv2
import numpy as np
import torch

from vector_tl.nets.build import build


def image(width: int, height: int, seed: int = 0) -> np.ndarray:
    """Soft noise (height, width, 3), uint8."""
    noise = np.random.default_rng(seed).integers(0, 256, (12, 20, 3), dtype=np.uint8)
    return cv2.resize(noise, (width, height), interpolation=cv2.INTER_CUBIC)


def lively(arch: str):
    """A network with BatchNorm statistics and scores worth comparing."""
    model, noise = build(arch, "scratch", seed=1).train(), torch.Generator().manual_seed(1)
    with torch.no_grad():
        for _ in range(3):
            model.raw(torch.rand(4, 3, *model.size_wh, generator=noise))
        for block in model.head.classification_head.module_list:
            (block if isinstance(block, torch.nn.Conv2d) else block[-1]).weight.mul_(30)
    return model.eval()

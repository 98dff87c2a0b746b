"""Augmentation of whole batches, on the device that trains.

Geometry is one resampling of each image: a window of it (smaller than the image: a crop; larger: zoomed out,
on a plain ground), perhaps mirrored. Changes of light follow in a few passes over the batch.
"""

import math

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from vector_tl.data.boxes import share_inside, sides
from vector_tl.train.settings import MAX_ZOOM_OUT
from vector_tl.train.upload import upload

CROP_SHARE, ZOOM_OUT_SHARE = 0.5, 0.3
MIN_VISIBLE, MAX_LEFT_OVER = 0.6, 0.05  # a crop shows at least so much of a box's area, or at most so little
MIN_SIDE_PX = 5.0
REACH_PX = 4  # of a blur's kernel to either side
JPEG_SHARE, JPEG_QUALITY = 0.25, (15, 80)
# ITU-T T.81, annex K: steps of luma and chroma at quality 50
LUMA_STEPS = [
    [16, 11, 10, 16, 24, 40, 51, 61], [12, 12, 14, 19, 26, 58, 60, 55],
    [14, 13, 16, 24, 40, 57, 69, 56], [14, 17, 22, 29, 51, 87, 80, 62],
    [18, 22, 37, 56, 68, 109, 103, 77], [24, 35, 55, 64, 81, 104, 113, 92],
    [49, 64, 78, 87, 103, 121, 120, 101], [72, 92, 95, 98, 112, 100, 103, 99],
]  # fmt: skip
CHROMA_STEPS = [[17, 18, 24, 47], [18, 21, 26, 66], [24, 26, 56, 99], [47, 66, 99, 99]]  # 99 elsewhere
# from RGB to luma and the two chroma, as JFIF has them
TO_YCC = [[0.299, 0.587, 0.114], [-0.168736, -0.331264, 0.5], [0.5, -0.418688, -0.081312]]


def draw_window(
    boxes: np.ndarray, rng: np.random.Generator, max_zoom_out: float = MAX_ZOOM_OUT
) -> np.ndarray:
    """A random window x1 y1 x2 y2 in 0..1 of the image, beyond it when zoomed out.

    Args:
        boxes: ground-truth boxes (N, 4) in the same units; a crop cuts none of them by half.
        rng: of the draw.
        max_zoom_out: how many times wider than the image it is at most.
    """
    case = rng.random()
    if case < ZOOM_OUT_SHARE:
        size = rng.uniform(1.0, max_zoom_out) * np.exp(rng.uniform(-0.15, 0.15, 2) * [1, -1])
        size = np.maximum(size, 1.0)
        corner = -rng.random(2) * (size - 1)
        return np.concatenate([corner, corner + size])
    if case < ZOOM_OUT_SHARE + CROP_SHARE:
        for _ in range(20):
            side, stretch = math.sqrt(rng.uniform(0.12, 1.0)), rng.uniform(-0.35, 0.35)
            size = np.clip(side * np.exp(stretch * np.array([1, -1])), 0.25, 1.0)
            corner = rng.random(2) * (1 - size)
            window = np.concatenate([corner, corner + size])
            if cuts_none(boxes, window) and (len(boxes) == 0 or (_share(boxes, window) >= MIN_VISIBLE).any()):
                return window
    return np.array([0.0, 0.0, 1.0, 1.0])


def cuts_none(boxes: np.ndarray, window: np.ndarray) -> bool:
    """Whether each of the boxes (N, 4) lies inside of a window (4,), or outside, but for a little."""
    share = _share(boxes, window)
    return bool(((share >= MIN_VISIBLE) | (share <= MAX_LEFT_OVER)).all())


def _share(boxes: np.ndarray, window: np.ndarray) -> np.ndarray:
    return share_inside(boxes, window)[:, 0]


def boxes_in_window(
    boxes: np.ndarray, window: np.ndarray, mirrored: bool, size_wh: tuple[int, int]
) -> np.ndarray:
    """Boxes (M, 4) float32 in pixels of the window drawn at `size_wh`.

    Boxes that the window leaves out, or that come out too small, are missing.
    """
    inside = move_boxes(boxes, window)
    if mirrored:
        inside[:, [0, 2]] = 1 - inside[:, [2, 0]]
    pixels = inside * [*size_wh, *size_wh]
    return pixels[(sides(pixels) >= MIN_SIDE_PX).all(axis=1)].astype(np.float32)


def move_boxes(boxes: np.ndarray, window: np.ndarray) -> np.ndarray:
    """Boxes (M, 4) in 0..1 of a window; those of `boxes` (N, 4) that it leaves out are missing."""
    kept = boxes[_share(boxes, window) > MAX_LEFT_OVER]
    return np.clip((kept - np.tile(window[:2], 2)) / np.tile(window[2:] - window[:2], 2), 0, 1)


def resample_windows(
    images: Tensor, windows: np.ndarray, mirrored: np.ndarray, size_wh: tuple[int, int], fill: Tensor
) -> Tensor:
    """Draw a window of each image at `size_wh`.

    Args:
        images: uint8 (B, 3, H, W).
        windows: (B, 4), x1 y1 x2 y2 in 0..1 of the image.
        mirrored: (B,), which ones are turned left to right.
        size_wh: w and h.
        fill: (B, 3), colours in 0..1 of what lies outside of the image.

    Returns:
        Float (B, 3, h, w) in 0..1.
    """
    (w, h), device = size_wh, images.device
    corners = upload(windows, device, torch.float32)
    x = (torch.arange(w, device=device) + 0.5) / w
    y = (torch.arange(h, device=device) + 0.5) / h
    x = torch.where(upload(mirrored, device)[:, None], 1 - x, x)
    x = corners[:, :1] + x * (corners[:, 2:3] - corners[:, :1])  # (B, w)
    y = corners[:, 1:2] + y * (corners[:, 3:] - corners[:, 1:2])  # (B, h)
    where = torch.stack(
        [x[:, None, :].expand(-1, h, -1), y[:, :, None].expand(-1, -1, w)], dim=3
    )  # (B, h, w, 2)
    batch = F.grid_sample(
        images.float().div_(255), where * 2 - 1, mode="bilinear", padding_mode="border", align_corners=False
    )
    outside = ((x < 0) | (x > 1))[:, None, :] | ((y < 0) | (y > 1))[:, :, None]  # (B, h, w)
    return torch.where(outside[:, None], fill[:, :, None, None], batch)


def relight(batch: Tensor, rng: np.random.Generator) -> Tensor:
    """All changes of `LIGHT` in turn, drawn at random for each image (B, 3, h, w)."""
    for change in LIGHT:
        batch = change(batch, rng)
    return batch


def gamma(batch: Tensor, rng: np.random.Generator) -> Tensor:
    """Darker or brighter middle tones, for half of the images."""
    return batch.clamp(1e-4, 1) ** _random_values(batch, rng, 0.5, 0.6, 1.7, 1.0)


def saturation(batch: Tensor, rng: np.random.Generator) -> Tensor:
    """From grey to strong colours."""
    grey = batch.mean(dim=1, keepdim=True)
    return grey + (batch - grey) * _random_values(batch, rng, 0.6, 0.0, 1.7, 1.0)


def white_balance(batch: Tensor, rng: np.random.Generator) -> Tensor:
    """Red, green and blue stronger or weaker, in all images."""
    gains = np.exp(rng.normal(0, 0.08, (len(batch), 3, 1, 1)))
    return batch * upload(gains, batch.device, torch.float32)


def contrast(batch: Tensor, rng: np.random.Generator) -> Tensor:
    """Nearer to the image's mean or further from it."""
    mean = batch.mean(dim=(1, 2, 3), keepdim=True)
    return mean + (batch - mean) * _random_values(batch, rng, 0.6, 0.55, 1.8, 1.0)


def brightness(batch: Tensor, rng: np.random.Generator) -> Tensor:
    """All tones brighter or darker alike."""
    return batch + _random_values(batch, rng, 0.6, -0.2, 0.2, 0.0)


def blur(batch: Tensor, rng: np.random.Generator) -> Tensor:
    """A quarter of the images out of focus, a tenth blurred by motion: one small kernel for each image."""
    kernels = np.zeros((len(batch), 2 * REACH_PX + 1, 2 * REACH_PX + 1), np.float32)
    for kernel in kernels:
        case = rng.random()
        if case < 0.25:
            kernel[:] = focus_kernel(rng.uniform(0.4, 1.8))
        elif case < 0.35:
            kernel[:] = motion_kernel(rng.uniform(1, REACH_PX), rng.uniform(0, math.pi))
        else:
            kernel[REACH_PX, REACH_PX] = 1
    return convolve(batch, kernels)


def noise(batch: Tensor, rng: np.random.Generator) -> Tensor:
    """Grain, for half of the images; clipped to 0..1."""
    # millions of numbers: drawn on the device where they are needed
    generator = torch.Generator(batch.device).manual_seed(int(rng.integers(2**63)))
    grain = torch.randn(batch.shape, generator=generator, device=batch.device)
    return (batch + grain * _random_values(batch, rng, 0.5, 0.005, 0.05, 0.0)).clamp(0, 1)


def jpeg(batch: Tensor, rng: np.random.Generator) -> Tensor:
    """What a strong JPEG compression leaves, for a quarter of the images."""
    chosen = np.flatnonzero(rng.random(len(batch)) < JPEG_SHARE)
    qualities = rng.uniform(*JPEG_QUALITY, len(chosen))
    if len(chosen):
        batch, which = batch.clone(), upload(chosen, batch.device)
        batch[which] = compress_jpeg(batch[which], qualities)
    return batch


# in another order the random numbers of a seed would be others
LIGHT = (gamma, saturation, white_balance, contrast, brightness, blur, noise, jpeg)


def _random_values(
    batch: Tensor, rng: np.random.Generator, share: float, low: float, high: float, neutral: float
) -> Tensor:
    """For each image a number (B, 1, 1, 1): for a `share` of them from `low` to `high`, else `neutral`."""
    values = np.where(rng.random(len(batch)) < share, rng.uniform(low, high, len(batch)), neutral)
    return upload(values, batch.device, torch.float32).view(-1, 1, 1, 1)


def focus_kernel(sigma_px: float) -> np.ndarray:
    """The kernel (k, k) of an image that is not in focus."""
    line = np.exp(-0.5 * (np.arange(-REACH_PX, REACH_PX + 1) / sigma_px) ** 2)
    return _summing_to_one(np.outer(line, line))


def motion_kernel(length_px: float, angle_rad: float) -> np.ndarray:
    """The kernel (k, k) of an image blurred by a motion of `length_px` to either side."""
    kernel = np.zeros((2 * REACH_PX + 1, 2 * REACH_PX + 1), np.float32)
    for t in np.linspace(-length_px, length_px, 17):
        kernel[REACH_PX + round(t * math.sin(angle_rad)), REACH_PX + round(t * math.cos(angle_rad))] += 1
    return _summing_to_one(kernel)


def _summing_to_one(kernel: np.ndarray) -> np.ndarray:
    kernel = kernel.astype(np.float32)
    return kernel / kernel.sum()


def convolve(batch: Tensor, kernels: np.ndarray) -> Tensor:
    """Each image (B, 3, h, w) convolved with its own kernel of `kernels` (B, k, k), k odd.

    Images whose kernel has all its weight in the middle stay as they are.
    """
    reach = kernels.shape[1] // 2
    changed = np.flatnonzero(kernels[:, reach, reach] < 1)
    if len(changed) == 0:
        return batch
    which = upload(changed, batch.device)
    some = batch[which]  # (b, 3, h, w)
    weight = upload(kernels[changed].repeat(3, axis=0), batch.device)[:, None]
    # weight (3 b, 1, k, k), padded (1, 3 b, h + k - 1, w + k - 1)
    padded = F.pad(some, (reach,) * 4, mode="replicate").flatten(0, 1)[None]
    batch = batch.clone()
    batch[which] = F.conv2d(padded, weight, groups=len(weight))[0].view_as(some)
    return batch


def compress_jpeg(batch: Tensor, qualities: np.ndarray) -> Tensor:
    """Images (B, 3, h, w) in 0..1 as JPEG would leave them, without encoding them.

    Chroma is subsampled 4:2:0; quantisation tables are those of ITU-T T.81, annex K, scaled as libjpeg does.

    Args:
        batch: the images.
        qualities: (B,), 1 to 100.
    """
    device, (h, w) = batch.device, batch.shape[2:]
    to_ycc = upload(TO_YCC, device)
    padded = F.pad(batch * 255, (0, -w % 16, 0, -h % 16), mode="replicate")
    ycc = torch.einsum("ij,bjhw->bihw", to_ycc, padded)
    chroma_steps = torch.full((8, 8), 99.0, device=device)
    chroma_steps[:4, :4] = upload(CHROMA_STEPS, device, torch.float32)
    quality = upload(qualities, device, torch.float32)
    scale = (torch.where(quality < 50, 5000 / quality, 200 - 2 * quality) / 100).view(-1, 1, 1, 1, 1, 1)
    luma_steps = upload(LUMA_STEPS, device, torch.float32)
    luma = _quantise(ycc[:, :1] - 128, luma_steps, scale) + 128
    chroma = _quantise(F.avg_pool2d(ycc[:, 1:], 2), chroma_steps, scale)
    chroma = F.interpolate(chroma, scale_factor=2, mode="bilinear")
    to_rgb = upload(torch.linalg.inv(torch.tensor(TO_YCC)), device)
    rgb = torch.einsum("ij,bjhw->bihw", to_rgb, torch.cat([luma, chroma], dim=1))
    return (rgb[:, :, :h, :w] / 255).clamp(0, 1)


def _quantise(values: Tensor, steps: Tensor, scale: Tensor) -> Tensor:
    """Values (B, C, H, W) whose cosine transform in blocks of 8 x 8 was rounded to steps (8, 8)."""
    count, channels, height, width = values.shape
    at = torch.arange(8, device=values.device, dtype=torch.float32)
    norm = torch.where(at[:, None] == 0, math.sqrt(1 / 8), 0.5)
    cosine = torch.cos((2 * at + 1) * at[:, None] * math.pi / 16) * norm  # rows: frequencies
    blocks = values.reshape(count, channels, height // 8, 8, width // 8, 8)
    blocks = blocks.transpose(3, 4)  # (B, C, H / 8, W / 8, 8, 8)
    step = (steps * scale).round().clamp(1, 255)
    kept = ((cosine @ blocks @ cosine.T) / step).round() * step
    return (cosine.T @ kept @ cosine).transpose(3, 4).reshape(values.shape)

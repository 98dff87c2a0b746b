"""The simulated camera behind the renderer: wide-angle lens, sensor, exposure control and JPEG.

`WideAngleLens` bends a pinhole render into the wide image, `Sensor` turns its light into the image that a
small cheap camera would give, and `SensorLook` holds what differs from robot to robot and room to room. Light
is linear: 1.0 is white at gain 1. Lengths in pixels are those of a 640 x 360 image and scale with the image.
"""

import math
from dataclasses import dataclass, replace
from functools import lru_cache

import cv2
import numpy as np

from vector_tl.sim.render.soiling import dirt_map, ghosts
from vector_tl.sim.world.scene import Exposure, VisibleBox

# Sensor code 255 stands for this much signal (square root of light); noise above white is clipped, as on a
# sensor.
CODE_WHITE = 1.3
NOISE_SIGMA = 24.0  # of the stored noise, in codes
# A shutter time as bright as gain 1 here; a guess: the robot's own default before it has measured.
UNIT_GAIN_MS = 30.0
LUMA = np.array([0.299, 0.587, 0.114])  # weights of red, green, blue (ITU-R BT.601)
SHRINK = 8  # metering and bloom look at the image reduced by this factor
NEWTON_STEPS = 8  # so that rays within 80 degrees of the axis are right to a hundredth of a pixel
BLUR_SIGMA_PX = 1.5  # of the blur that is mixed in towards the edge
CACHED_ROWS = 45
MAX_TAPS = 64  # of a filter that is quicker than averaging several times


class WideAngleLens:
    """Radial wide-angle distortion: u = d (1 + k1 d^2 + k2 d^4).

    d is the distance from `center` in the image over `focal_px`, u the tangent of the ray's angle to the
    optical axis (the inverse radial model; the default focal length and coefficients give Vector's 90 degrees
    across). Pixel coordinates have their origin at the image's top left corner, so the first pixel's middle
    is (0.5, 0.5).
    """

    def __init__(
        self,
        size_wh: tuple[int, int] = (640, 360),
        focal_px: float = 353.0,
        center: tuple[float, float] | None = None,
        k: tuple[float, float] = (0.10, 0.03),
        render_scale: float = 1.0,
    ):
        """Precompute the maps.

        A `render_scale` of 1 renders as finely as the image's middle; less is faster and softer.

        Raises:
            ValueError: a negative coefficient (the model would fold over), or a size, focal length or scale
                that is not positive.
        """
        if min(*k, 0) < 0 or min(*size_wh, focal_px, render_scale) <= 0:
            raise ValueError(
                f"size {size_wh}, focal_px {focal_px} and render_scale {render_scale} must be positive "
                f"and k {k} not negative"
            )
        self.size_wh = width, height = size_wh
        self.focal_px = float(focal_px)
        self.center = (width / 2, height / 2) if center is None else center
        self.k = k
        self.render_focal_px = focal_px * render_scale

        y, x = np.mgrid[0:height, 0:width] + 0.5
        tangents = self.undistort(np.stack([x, y], axis=-1))  # (H, W, 2)
        reach = np.abs(tangents).reshape(-1, 2).max(axis=0) * self.render_focal_px
        half = np.ceil(reach + 1.0).astype(int)  # one pixel to interpolate with
        self.render_size_wh = (int(2 * half[0]), int(2 * half[1]))
        source = (tangents * self.render_focal_px + half - 0.5).astype(np.float32)
        x, y = source[..., 0], source[..., 1]
        self._linear_maps = cv2.convertMaps(x, y, cv2.CV_16SC2)
        self._nearest_map = cv2.convertMaps(x, y, cv2.CV_16SC2, nninterpolation=True)[0]

    def undistort(self, points_px: np.ndarray) -> np.ndarray:
        """Image points (..., 2) in pixels to ray tangents (..., 2): right / ahead and down / ahead."""
        d = (np.asarray(points_px, float) - self.center) / self.focal_px
        r2 = (d * d).sum(axis=-1, keepdims=True)
        return d * (1 + self.k[0] * r2 + self.k[1] * r2 * r2)

    def distort(self, tangents: np.ndarray) -> np.ndarray:
        """Ray tangents (..., 2) to image points (..., 2) in pixels: the inverse of `undistort`."""
        tangents = np.asarray(tangents, float)
        wanted = np.hypot(tangents[..., :1], tangents[..., 1:])
        radius = wanted.copy()
        for _ in range(NEWTON_STEPS):  # u(d) is monotonic and convex: Newton's method closes in from above
            r2 = radius * radius
            off = radius * (1 + self.k[0] * r2 + self.k[1] * r2 * r2) - wanted
            radius -= off / (1 + 3 * self.k[0] * r2 + 5 * self.k[1] * r2 * r2)
        return tangents * (radius / np.maximum(wanted, 1e-12)) * self.focal_px + self.center

    def warp(self, linear_rgb: np.ndarray, ids: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Bend a render to the image: light (h, w, 3) is interpolated, instance ids (h, w) are never mixed.

        Returns:
            the same of the image's size: (H, W, 3), (H, W).

        Raises:
            ValueError: the render is not of `render_size_wh`.
        """
        expected = self.render_size_wh[::-1]
        if linear_rgb.shape[:2] != expected or ids.shape != expected:
            raise ValueError(
                f"render is {linear_rgb.shape[:2]} and ids {ids.shape}, the lens needs {expected}"
            )
        xy, fractions = self._linear_maps
        none = np.empty(0, np.uint16)  # nearest neighbours need no fractions
        return (
            cv2.remap(linear_rgb, xy, fractions, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE),
            cv2.remap(ids, self._nearest_map, none, cv2.INTER_NEAREST, borderMode=cv2.BORDER_REPLICATE),
        )


@dataclass(frozen=True)
class SensorLook:
    """What differs from camera to camera and from room to room."""

    vignette: float = 0.3  # light falls by exp(-vignette r^2), r = 1 at the image's left and right edge
    shift_px: tuple[float, float] = (0.0, 0.0)  # of the vignette and the image circle
    circle_px: float = 400.0  # radius of the image circle; the corners beyond are black
    circle_soft_px: float = 30.0
    bloom_near: float = 0.05  # share of light that spreads over about 8 px
    bloom_far: float = 0.05  # share that spreads over about 40 px: the veil of a backlight
    white_balance: tuple[float, float, float] = (1.0, 1.0, 1.0)  # gains of red, green, blue
    mixed_light: float = 0.0  # how much warmer (+) the image becomes from one side to the other
    mixed_light_angle_rad: float = 0.0
    saturation: float = 0.7
    noise: float = 4.0  # sigma in grey levels of a mid grey, at gain 1
    chroma_noise: float = 0.4  # share of the noise that is coloured
    edge_blur: float = 0.5  # how much blur is mixed in at the edge
    black_level: float = 0.015
    contrast: float = 0.3  # of the S curve
    crush: float = 0.0  # signal below this is black
    quality: int = 65  # JPEG
    target: float = 0.45  # mean brightness the exposure control works for
    lag_s: float = 0.4  # its time constant
    # Share of the exposure that the image's middle decides: a black robot there blows the background out.
    center_metering: float = 0.0
    exposure_bias_ev: float = 0.0  # how far the exposure control misses its target
    max_gain: float = 16.0
    defocus_px: float = 0.0  # sigma of the blur of a lens that is out of focus
    dirt: float = 0.0  # share of light that the worst spot of the lens swallows
    dirt_seed: int = 0
    flare: float = 0.0  # share of what is brighter than white that is thrown elsewhere

    @classmethod
    def draw(cls, rng: np.random.Generator) -> "SensorLook":
        """Draw one: mostly for a usable image, sometimes (about 1 in 7) for one nearly dark or blown out.

        The ranges enclose what real stills show.
        """
        kind = rng.random()
        if kind < 0.07:
            bias = rng.uniform(-4.5, -1.5)  # little but the eyes
        elif kind < 0.15:
            bias = rng.uniform(0.8, 2.2)
        else:
            bias = rng.normal(0.0, 0.25)
        warm = rng.normal(0.0, 0.05)  # red against blue
        look = cls(
            vignette=rng.uniform(0.1, 0.7),
            shift_px=(rng.normal(0, 18), rng.normal(0, 10)),
            circle_px=rng.uniform(352, 430),
            circle_soft_px=rng.uniform(12, 45),
            bloom_near=rng.uniform(0.01, 0.08),
            bloom_far=rng.uniform(0.0, 1.0) ** 2 * 0.09,
            white_balance=(1.0 + warm, 1.0 + rng.normal(0, 0.015), 1.0 - warm),
            mixed_light=max(0.0, rng.normal(0.0, 0.08)),
            mixed_light_angle_rad=rng.uniform(-math.pi, math.pi),
            saturation=rng.uniform(0.3, 0.85),
            noise=rng.uniform(1.5, 6.0),
            chroma_noise=rng.uniform(0.15, 0.6),
            edge_blur=rng.uniform(0.0, 1.0),
            black_level=rng.uniform(0.0, 0.03),
            contrast=rng.uniform(0.1, 0.95),
            quality=int(rng.integers(55, 76)),
            target=rng.uniform(0.38, 0.66),
            lag_s=rng.uniform(0.15, 0.8),
            center_metering=rng.uniform(0.0, 0.9),
            exposure_bias_ev=bias,
            max_gain=rng.uniform(6, 24),
        )
        if rng.random() >= 0.5:
            return look
        # Harsh, as real stills against a window are: blacks without detail, large blown-out areas, coarse
        # noise.
        return replace(
            look,
            crush=rng.uniform(0.02, 0.12),
            contrast=rng.uniform(0.6, 0.95),
            black_level=rng.uniform(0.0, 0.01),
            noise=rng.uniform(3.0, 8.0),
            target=rng.uniform(0.45, 0.66),
            bloom_far=rng.uniform(0.0, 0.03),
        )


class Sensor:
    """One camera's sensor: exposes images of linear light with an exposure control that lags behind.

    The order is that of the light: motion, lens flare (bloom), vignette, colour filter, noise, tone curve.
    Its only state is `gain`.
    """

    def __init__(self, look: SensorLook, size_wh: tuple[int, int] = (640, 360)):
        self.look, self.size_wh = look, size_wh
        self.gain: float | None = None  # None until the first image, whose light it settles on
        self._scale = size_wh[0] / 640
        self._shade = _shade(look, size_wh)
        if look.dirt:
            self._shade *= dirt_map(look.dirt, look.dirt_seed, size_wh)[..., None]
        self._small_wh = (max(1, size_wh[0] // SHRINK), max(1, size_wh[1] // SHRINK))
        self._metering = _metering(look, self._small_wh)
        sharp, soft = _edge_weights(look, size_wh)
        self._edge_weights = (sharp, soft) if soft.max() > 0.02 else None
        saturate = look.saturation * np.eye(3) + (1 - look.saturation) * np.tile(LUMA, (3, 1))
        self._colour = (saturate @ np.diag(look.white_balance)).astype(np.float32)
        self._curve = _tone_curve(look)
        luma_noise, chroma_noise = _noise_bank(size_wh)
        mixed = chroma_noise * look.chroma_noise
        mixed += (luma_noise * math.sqrt(1 - look.chroma_noise**2))[..., None]
        mixed *= NOISE_SIGMA
        mixed += 128
        self._noise = np.clip(mixed, 0, 255, out=mixed).astype(np.uint8)

    def settle(self, linear_rgb: np.ndarray) -> None:
        """Let the exposure control reach its goal for this light at once."""
        self.gain = self._wanted_gain(self._reduced(linear_rgb))

    def expose(
        self,
        linear_rgb: np.ndarray,
        dt_s: float,
        motion_px: tuple[float, float] = (0.0, 0.0),
        rng: np.random.Generator | None = None,
        exposure: Exposure | None = None,
    ) -> np.ndarray:
        """Take one image.

        Args:
            linear_rgb: float32 (H, W, 3) light, after the lens.
            dt_s: time since the last image: how far the exposure control may have moved.
            motion_px: how far (right, down) the image moves while the shutter is open.
            rng: places the noise; None takes an image without noise.
            exposure: set by hand; None leaves it to the exposure control, which continues from the last gain.

        Returns:
            uint8 (H, W, 3) RGB.
        """
        small = self._reduced(linear_rgb)
        if exposure is not None:
            self.gain = max(exposure.gain * exposure.shutter_ms / UNIT_GAIN_MS, 1e-3)
        elif self.gain is None:
            self.gain = self._wanted_gain(small)
        else:
            progress = 1 - math.exp(-max(dt_s, 0.0) / self.look.lag_s)
            self.gain *= (self._wanted_gain(small) / self.gain) ** progress

        sharp = _motion_blur(linear_rgb, *motion_px)
        if self.look.defocus_px:
            sharp = cv2.GaussianBlur(sharp, (0, 0), self.look.defocus_px * self._scale)
        codes = self._codes(sharp, self._spread(small), self.gain)
        if self._edge_weights is not None:
            width_px = 2 * round(4 / 3 * BLUR_SIGMA_PX * self._scale) + 1
            blurred = cv2.GaussianBlur(codes, (width_px, width_px), BLUR_SIGMA_PX * self._scale)
            codes = cv2.blendLinear(codes, blurred, *self._edge_weights)
        if rng is not None:
            # Amplified light is noisier.
            strength = self.look.noise / CODE_WHITE / NOISE_SIGMA * min(self.gain, 8.0) ** 0.25
            codes = cv2.addWeighted(codes, 1.0, self._noise_tile(rng), strength, -128 * strength)
        return cv2.LUT(codes, self._curve)

    def _reduced(self, linear_rgb: np.ndarray) -> np.ndarray:
        return cv2.resize(linear_rgb, self._small_wh, interpolation=cv2.INTER_AREA)

    def _wanted_gain(self, small: np.ndarray) -> float:
        """The gain for the target brightness, metered with white clipped; then the look's bias."""
        light = (small @ LUMA.astype(np.float32)).ravel()
        low, high = 1 / 64, self.look.max_gain
        # Bisection in the logarithm, so fine that the gain has no steps: a last bit of the light, which may
        # differ on another machine, would decide between two of them.
        for _ in range(24):
            gain = math.sqrt(low * high)
            too_dark = np.sqrt(np.minimum(light * gain, 1.0)) @ self._metering < self.look.target
            low, high = (gain, high) if too_dark else (low, gain)
        return gain * 2.0**self.look.exposure_bias_ev

    def _codes(self, light: np.ndarray, spread: np.ndarray, gain: float) -> np.ndarray:
        """Light (H, W, 3) and what of it the lens spreads as sensor codes at a gain, uint8.

        A few rows at a time, all steps of which the processor's cache holds.
        """
        codes = np.empty(light.shape, np.uint8)
        sharp_share, colour = 1 - self.look.bloom_near - self.look.bloom_far, self._colour * gain
        for top in range(0, len(light), CACHED_ROWS):
            rows = slice(top, top + CACHED_ROWS)
            part = cv2.addWeighted(light[rows], sharp_share, spread[rows], 1.0, 0.0)
            part = cv2.transform(cv2.multiply(part, self._shade[rows], part), colour)
            np.maximum(part, 0.0, out=part)  # colour correction can go below black
            codes[rows] = cv2.convertScaleAbs(cv2.sqrt(part, part), alpha=255 / CODE_WHITE)  # at most 255
        return codes

    def _spread(self, small: np.ndarray) -> np.ndarray:
        """The light (H, W, 3) that the lens spreads, from the reduced image."""
        near, far = self.look.bloom_near, self.look.bloom_far
        narrow, wide = (cv2.GaussianBlur(small, (0, 0), sigma * self._scale) for sigma in (1.0, 5.0))
        spread = near * narrow + far * wide
        if self.look.flare and self.gain:
            spread += ghosts(small, self.gain, self.look.flare)
        return cv2.resize(spread, self.size_wh, interpolation=cv2.INTER_LINEAR)

    def _noise_tile(self, rng: np.random.Generator) -> np.ndarray:
        width, height = self.size_wh
        rows, columns = self._noise.shape[:2]
        y, x = rng.integers(0, [rows - height + 1, columns - width + 1])
        return self._noise[y : y + height, x : x + width]


def boxes_from_ids(ids: np.ndarray, vector_ids: tuple[int, ...], own_id: int) -> tuple[VisibleBox, ...]:
    """Ground truth: the visible extents of the other Vectors in an instance mask.

    Args:
        ids: instance ids (H, W) after the lens; what hides a Vector (also the viewer's own treads and lift)
            has its own id there.
        vector_ids: the id of each of the world's Vectors, in their order.
        own_id: the viewer's own id, which gets no box.

    Returns:
        one box for each Vector of which at least a pixel is visible; `vector` is its index in `vector_ids`.
    """
    boxes = []
    for vector, vector_id in enumerate(vector_ids):
        if vector_id == own_id:
            continue
        mask = (ids == vector_id).view(np.uint8)
        x, y, width, height = cv2.boundingRect(mask)
        if width:
            xyxy = (float(x), float(y), float(x + width), float(y + height))
            boxes.append(VisibleBox(vector, xyxy, cv2.countNonZero(mask)))
    return tuple(boxes)


def _motion_blur(light: np.ndarray, dx_px: float, dy_px: float) -> np.ndarray:
    """Average along a line.

    Long ones by passes, each of which averages the image with its shifted self: 2^n taps cost n passes.
    """
    length = max(abs(dx_px), abs(dy_px))
    if length < 1:
        return light
    passes = max(1, math.ceil(math.log2(length + 1)))
    shifts = [(round(dx_px / 2**n), round(dy_px / 2**n)) for n in range(1, passes + 1)]
    reach_x, reach_y = (sum(abs(shift[axis]) for shift in shifts) for axis in (0, 1))
    left, top = reach_x // 2, reach_y // 2
    if (reach_x + 1) * (reach_y + 1) <= MAX_TAPS:
        taps = np.zeros((reach_y + 1, reach_x + 1), np.float32)
        at = np.array([[sum(max(y, 0) for _, y in shifts), sum(max(x, 0) for x, _ in shifts)]])
        for x, y in shifts:
            at = np.concatenate([at, at - (y, x)])
        np.add.at(taps, (at[:, 0], at[:, 1]), 1 / len(at))
        return cv2.filter2D(light, -1, taps, anchor=(left, top), borderType=cv2.BORDER_REPLICATE)
    light = cv2.copyMakeBorder(light, top, reach_y - top, left, reach_x - left, cv2.BORDER_REPLICATE)
    for x, y in shifts:
        rows, columns = light.shape[0] - abs(y), light.shape[1] - abs(x)
        first = light[max(y, 0) :, max(x, 0) :][:rows, :columns]
        second = light[max(-y, 0) :, max(-x, 0) :][:rows, :columns]
        light = cv2.addWeighted(first, 0.5, second, 0.5, 0.0)
    return light


def _from_center_px(
    size_wh: tuple[int, int], shift_px: tuple[float, float] = (0.0, 0.0)
) -> tuple[np.ndarray, np.ndarray]:
    """Coordinates (H, W) right and down of the (shifted) middle, in pixels of a 640 wide image."""
    width, height = size_wh
    y, x = np.mgrid[0:height, 0:width].astype(np.float32) + 0.5
    return (x - width / 2) * (640 / width) - shift_px[0], (y - height / 2) * (640 / width) - shift_px[1]


def _shade(look: SensorLook, size_wh: tuple[int, int]) -> np.ndarray:
    """The share of light that each pixel and channel keeps, (H, W, 3).

    Vignette, black corners, and light that is warm on one side and cool on the other.
    """
    x, y = _from_center_px(size_wh, look.shift_px)
    radius = np.hypot(x, y)
    inside = np.clip((look.circle_px - radius) / look.circle_soft_px + 0.5, 0, 1)
    shade = np.exp(-look.vignette * (radius / 320) ** 2) * inside**2 * (3 - 2 * inside)
    across = (x * math.cos(look.mixed_light_angle_rad) + y * math.sin(look.mixed_light_angle_rad)) / 320
    warmth = look.mixed_light * np.clip(across, -1, 1)
    return np.stack([shade * (1 + warmth), shade, shade * (1 - warmth)], axis=-1).astype(np.float32)


def _metering(look: SensorLook, size_wh: tuple[int, int]) -> np.ndarray:
    """How much each reduced pixel counts for the exposure, (h * w,), sum 1; the middle may count for more."""
    x, y = _from_center_px(size_wh)
    middle = np.exp(-((x / 150) ** 2 + ((y - 30) / 100) ** 2))
    weights = (1 - look.center_metering) / middle.size + look.center_metering * middle / middle.sum()
    return weights.ravel().astype(np.float32)


def _edge_weights(look: SensorLook, size_wh: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
    x, y = _from_center_px(size_wh)
    soft = np.clip(look.edge_blur * (x * x + y * y) / 320**2, 0, 1).astype(np.float32)
    return 1 - soft, soft


def _tone_curve(look: SensorLook) -> np.ndarray:
    """Sensor code to grey level, uint8 (256,): a soft shoulder below white, an S curve, the black level."""
    signal = np.arange(256) / 255 * CODE_WHITE
    shoulder = 0.8 + 0.2 * (1 - np.exp(-(signal - 0.8) / 0.2)) / (1 - math.exp(-1.25))  # white at signal 1.05
    soft = np.where(signal < 0.8, signal, shoulder)
    soft = np.clip((soft - look.crush) / (1 - look.crush), 0, 1)
    curved = soft + look.contrast * soft * (1 - soft) * (2 * soft - 1)
    return np.round(255 * (look.black_level + (1 - look.black_level) * curved)).astype(np.uint8)


@lru_cache(maxsize=4)
def _noise_bank(size_wh: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
    """Unit noise larger than an image, from which tiles are cut.

    Returns:
        luma (h, w), slightly correlated, and chroma (h, w, 3), in blotches.
    """
    rng = np.random.default_rng(2018)
    rows, columns = size_wh[1] + 96, size_wh[0] + 160
    luma = cv2.GaussianBlur(rng.standard_normal((rows, columns), np.float32), (0, 0), 0.6)
    chroma = cv2.GaussianBlur(rng.standard_normal((rows, columns, 3), np.float32), (0, 0), 1.2)
    chroma = chroma - chroma @ LUMA.astype(np.float32)[:, None]
    return luma / luma.std(), chroma / chroma.std()

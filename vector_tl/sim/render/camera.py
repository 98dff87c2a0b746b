"""Vector's simulated camera: room and robots in, the JPEG that the robot would send and the truth about it out."""

from pathlib import Path

import cv2
import numpy as np

from vector_tl.data.images import encode_jpeg
from vector_tl.sim.render.decor import furnish
from vector_tl.sim.render.lens import Lens, Sensor, SensorLook, boxes_from_ids
from vector_tl.sim.render.renderer import OWN_BODY, Renderer
from vector_tl.sim.world.scene import CameraMotion, Exposure, Room, Shot, VectorPose

RENDER_SCALE = (
    0.85  # of the resolution in the image's middle: as soft as the robot's own images, and a quarter faster
)
SHUTTER_S = (
    0.012  # how long the shutter is open, unless a program sets it; motion smears the image for that long
)
READOUT_S = 0.02  # from the first row to the last: a turning camera leans upright things over (a guess: small rolling shutters take 10 to 30 ms)

NEAR_BLUR_PX = 5  # half the width of the blur on what is too near for the lens, in an image 640 wide

PLAIN_LOOK = SensorLook(
    vignette=0.0,
    circle_px=4000.0,
    bloom_near=0.0,
    bloom_far=0.0,
    saturation=1.0,
    edge_blur=0.0,
    black_level=0.0,
    quality=90,
)


class VectorCamera:
    """The cameras of all robots of one room. It owns an OpenGL context: make and use it in one thread."""

    def __init__(
        self,
        size_wh: tuple[int, int] = (640, 360),
        photos: list[Path] | None = None,
        without: tuple[str, ...] = (),
    ):
        """`photos` (without a Vector in them) serve as surfaces of rooms beside the drawn ones; `without` names what is left out."""
        self.size_wh = size_wh
        self._photos = sorted(photos or [])
        self._without = without
        self._lens = Lens(size_wh, focal_px=353.0 * size_wh[0] / 640, render_scale=RENDER_SCALE)
        self._renderer = Renderer(
            self._lens.render_size_wh, self._lens.render_focal_px, details="details" not in without
        )
        self._sensors: dict[int, Sensor] = {}
        self._room: Room | None = None

    def enter(self, room: Room) -> None:
        """Look at `room` from now on; every robot's camera gets a look of its own, drawn from the room's seed."""
        self._room = room
        self._sensors.clear()
        self._renderer.enter(furnish(room, self._photos, self._without))

    def shoot(
        self,
        vectors: tuple[VectorPose, ...],
        viewer: int,
        motion: CameraMotion,
        rng: np.random.Generator,
        dt_s: float = 1 / 15,
        exposure: Exposure | None = None,
    ) -> Shot:
        """The image that `vectors[viewer]` takes now, `dt_s` after its last one, with the exact boxes of all others."""
        sensor = self._sensor(viewer)
        linear, ids = self._lens.warp(*self._renderer.render(vectors, viewer))
        plain = "sensor" in self._without
        if not plain:
            soften(linear, ids == OWN_BODY)
            linear, ids = rolled(linear, ids, motion, self._lens.focal_px * READOUT_S)
        smear_px = (
            0.0 if plain else self._lens.focal_px * (exposure.shutter_ms / 1000 if exposure else SHUTTER_S)
        )
        rgb = sensor.expose(
            linear,
            dt_s,
            (motion.turn_radps * smear_px, motion.head_radps * smear_px),
            None if plain else rng,
            exposure,
        )
        names = tuple(OWN_BODY if index == viewer else index + 1 for index in range(len(vectors)))
        return Shot(jpeg=encode_jpeg(rgb, sensor.look.quality), boxes=boxes_from_ids(ids, names, OWN_BODY))

    def _sensor(self, viewer: int) -> Sensor:
        if viewer not in self._sensors:
            look = (
                PLAIN_LOOK
                if "sensor" in self._without
                else SensorLook.draw(np.random.default_rng([self._room.seed, 3, viewer]))
            )
            self._sensors[viewer] = Sensor(look, self.size_wh)
        return self._sensors[viewer]

    def close(self) -> None:
        """Release the OpenGL context."""
        self._renderer.close()


def out_of_focus(values: np.ndarray, width_px: int) -> np.ndarray:
    """Values (H, W, C) of an image `width_px` wide as they would be a few centimetres before the lens."""
    size = (2 * (NEAR_BLUR_PX * width_px // 640) + 1,) * 2
    return cv2.blur(cv2.blur(values, size), size).reshape(values.shape)


def soften(light: np.ndarray, near: np.ndarray) -> None:
    """Blur, in place, what stands a few centimetres before a lens that is focused on the room: the viewer's own treads and lift.

    Args:
        light: (H, W, 3) float32.
        near: (H, W) mask.
    """
    x, y, width, height = cv2.boundingRect(near.view(np.uint8))
    if not width:
        return
    reach = 3 * NEAR_BLUR_PX * near.shape[1] // 640
    rows, columns = slice(max(0, y - reach), y + height + reach), slice(max(0, x - reach), x + width + reach)
    part, wide = light[rows, columns], near.shape[1]
    part += out_of_focus(near[rows, columns, None].astype(np.float32), wide) * (
        out_of_focus(part, wide) - part
    )


def rolled(
    light: np.ndarray, ids: np.ndarray, motion: CameraMotion, reach_px: float
) -> tuple[np.ndarray, np.ndarray]:
    """An image (H, W, 3) and its ids (H, W) as a rolling shutter reads them: row by row, while the camera turns and its head moves.

    Args:
        reach_px: how far the image moves during the readout for a turn of 1 rad/s, in the small-angle
            approximation.
    """
    height = len(ids)
    across, down = (
        motion.turn_radps * reach_px,
        motion.head_radps * reach_px,
    )  # both move the scene against the camera: right, down
    if max(abs(across), abs(down)) < 0.5:
        return light, ids
    lean, stretch, middle = across / height, 1 + down / height, (height - 1) / 2
    shear = np.array([[1.0, lean, -lean * middle], [0.0, stretch, middle * (1 - stretch)]])
    size_wh = ids.shape[::-1]
    return (cv2.warpAffine(light, shear, size_wh, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE),
            cv2.warpAffine(ids, shear, size_wh, flags=cv2.INTER_NEAREST, borderMode=cv2.BORDER_REPLICATE))  # fmt: skip

"""Vector's simulated camera: room and robots in, the robot's JPEG and its ground truth out."""

from dataclasses import replace
from functools import lru_cache, partial
from pathlib import Path

import cv2
import numpy as np

from vector_tl.data.images import encode_jpeg
from vector_tl.sim.render.conditions import conditions, lit
from vector_tl.sim.render.decor import Decor, furnish
from vector_tl.sim.render.foresight import foreseen_box
from vector_tl.sim.render.lens import Sensor, SensorLook, WideAngleLens, boxes_from_ids
from vector_tl.sim.render.looks import draw_look
from vector_tl.sim.render.phone import PHONE_KINDS, Phone, Sight, image_wh
from vector_tl.sim.render.renderer import OWN_BODY, Renderer
from vector_tl.sim.render.sightings import Observed, blur_px
from vector_tl.sim.render.stock import Stock
from vector_tl.sim.world.scene import CameraMotion, Moment, Room, Seen, Shot, VectorPose, VisibleBox

FOCAL_PX = 353.0  # in an image 640 wide
# Of the resolution in the image's middle: as soft as the robot's own images, and a quarter faster.
RENDER_SCALE = 0.85
PHONE_RENDER_SCALE = 1.5  # sharper, and with smoother outlines
# How long the shutter is open, unless a program sets it; motion blurs the image for that long.
SHUTTER_S = 0.012
# From the first row to the last: a turning camera makes upright things lean (a guess: small rolling shutters
# take 10 to 30 ms).
READOUT_S = 0.02
# Half the width of the blur on what is too near for the lens, in an image 640 wide.
NEAR_BLUR_PX = 5

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


@lru_cache(maxsize=4)
def phone_lens(size_wh: tuple[int, int]) -> WideAngleLens:
    """A lens that bends nothing. Its maps are the same whatever its focal length is."""
    return WideAngleLens(size_wh, FOCAL_PX * size_wh[0] / 640, k=(0.0, 0.0), render_scale=PHONE_RENDER_SCALE)


class RenderedCamera:
    """What cameras with a renderer share: lens, renderer, and a sensor for each robot.

    It owns an OpenGL context: make and use it in one thread.
    """

    def __init__(self, size_wh: tuple[int, int], without: tuple[str, ...] = ()):
        self.size_wh, self._without = size_wh, without
        self._own_lens = WideAngleLens(size_wh, FOCAL_PX * size_wh[0] / 640, render_scale=RENDER_SCALE)
        self._lens = self._own_lens
        self._phone: Phone | None = None  # that takes the images instead
        self._renderer = Renderer(
            self._lens.render_size_wh, self._lens.render_focal_px, "details" not in without
        )
        self._sensors: dict[int, Sensor] = {}
        self._observed: tuple[np.ndarray, Seen] | None = None  # the newest instance ids, and what they show
        self._room: Room  # from `_enter` on

    def _enter(self, room: Room, decor: Decor) -> None:
        self._room = room
        self._sensors.clear()
        self._phone = Phone(room) if PHONE_KINDS.intersection(room.kinds) else None
        self._lens = phone_lens(image_wh(room, self.size_wh)) if self._phone else self._own_lens
        self._renderer.resize(self._lens.render_size_wh)
        dressed = bool(room.kinds) and "looks" not in self._without
        self._renderer.enter(decor, partial(draw_look, room) if dressed else None)

    def _sight(self, vectors: tuple[VectorPose, ...], viewer: int) -> Sight | None:
        """How a phone films those before `vectors[viewer]`; None where that Vector takes the images."""
        if self._phone is None:
            return None
        sight = self._phone.sight(vectors, viewer)
        return replace(sight, focal_px=sight.focal_px * self._lens.render_focal_px / FOCAL_PX)

    def foresee(self, moment: Moment) -> dict[int, tuple[float, float, float, float]]:
        """The boxes (pixels) that the Vectors in view would have if nothing stood before them, by index."""
        vectors, viewer = self._placed(moment), moment.viewer
        sight = self._sight(vectors, viewer)
        _, view = self._renderer.view(vectors[viewer], sight)
        boxes = {
            number: foreseen_box(pose, self._renderer.look(number), view, self._lens)
            for number, pose in enumerate(vectors)
            if number != viewer
        }
        return {number: box for number, box in boxes.items() if box is not None}

    def _placed(self, moment: Moment) -> tuple[VectorPose, ...]:
        """All Vectors as the image shows them."""
        return moment.vectors

    def _render(
        self, vectors: tuple[VectorPose, ...], viewer: int, sight: Sight | None
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """What `vectors[viewer]` sees.

        Returns:
            linear light (H, W, 3) and instance ids (H, W) through the lens, and ids (h, w) without it.
        """
        light, ids = self._renderer.render(vectors, viewer, sight)
        return *self._lens.warp(light, ids), ids

    def _seen(
        self,
        vectors: tuple[VectorPose, ...],
        viewer: int,
        sight: Sight | None,
        through_and_without_lens: tuple[np.ndarray, np.ndarray],
        smear_px: tuple[float, float],
    ) -> Seen | None:
        """What an image shows beside its boxes, by its instance ids; None in a room without kinds."""
        if not self._room.kinds:
            return None
        ids, drawn_ids = through_and_without_lens
        if self._observed is None or self._observed[0] is not ids:  # else the same image, exposed anew
            observed = Observed(self._renderer, vectors, viewer, sight, drawn_ids)
            self._observed = ids, observed.seen(ids, blurred_px=0.0)
        defocus_px = self._sensor(viewer).look.defocus_px
        return replace(self._observed[1], blur_px=blur_px(smear_px, defocus_px, self.size_wh[0]))

    def _smear_px(self, motion: CameraMotion, shutter_s: float) -> tuple[float, float]:
        """How far the image moves, right and down, while the shutter is open."""
        smear_px = self._lens.focal_px * shutter_s
        return motion.turn_radps * smear_px, motion.head_radps * smear_px

    def _moved(self, moment: Moment, sensor: Sensor) -> tuple[CameraMotion, float]:
        """How the camera moves, and for how long (s) the shutter lets it."""
        motion, shutter_s = moment.motion, SHUTTER_S
        if self._room.kinds:
            seen = conditions(self._room, moment.viewer, sensor.look)
            motion, shutter_s = seen.moved(CameraMotion() if self._phone else motion, sensor.gain)
        return motion, moment.exposure.shutter_ms / 1000 if moment.exposure else shutter_s

    def _look(self, drawn: SensorLook) -> SensorLook:
        """The look of a robot's sensor, from the one drawn for it."""
        return drawn

    def _sensor(self, viewer: int) -> Sensor:
        """A robot's sensor; its look is drawn from the room's seed."""
        if viewer not in self._sensors:
            drawn = SensorLook.draw(np.random.default_rng([self._room.seed, 3, viewer]))
            look = conditions(self._room, viewer, drawn).look
            self._sensors[viewer] = Sensor(self._look(look), self._lens.size_wh)
        return self._sensors[viewer]

    def close(self) -> None:
        """Release the OpenGL context."""
        self._renderer.close()


class VectorCamera(RenderedCamera):
    """The cameras of all robots in a drawn room."""

    def __init__(
        self,
        size_wh: tuple[int, int] = (640, 360),
        photos: list[Path] | None = None,
        without: tuple[str, ...] = (),
        stock: Stock | None = None,
    ):
        """Make the camera.

        Args:
            size_wh: width and height of the images (pixels).
            photos: photographs without a Vector in them, surfaces of rooms beside the drawn ones.
            without: what is left out, of `robot.sim_features.FEATURES`.
            stock: textures that all rooms share; without it each room has textures of its own.
        """
        super().__init__(size_wh, without)
        self._photos, self._stock = sorted(photos or []), stock
        # viewer -> of whom its newest image was drawn, and what
        self._newest: dict[int, tuple[tuple[VectorPose, ...], tuple[np.ndarray, ...]]] = {}

    def enter(self, room: Room) -> None:
        """Look at `room` from now on; its seed gives every robot's camera a look of its own."""
        self._newest.clear()
        stock = self._stock
        if stock is None:
            decor = furnish(room, self._photos, self._without)
        else:
            decor = stock.hang(furnish(room, self._photos, self._without, stock.pick))
        self._enter(room, lit(decor, conditions(room, 0, SensorLook())))

    def shoot(self, moment: Moment, rng: np.random.Generator) -> Shot:
        """Take one image, as `Camera.shoot` says."""
        sensor, exposure = self._sensor(moment.viewer), moment.exposure
        motion, shutter_s = self._moved(moment, sensor)
        sight = self._sight(moment.vectors, moment.viewer)
        light, ids, drawn_ids = self._drawn(moment, sight)
        smear_px = self._smear_px(motion, shutter_s)
        seen = self._seen(moment.vectors, moment.viewer, sight, (ids, drawn_ids), smear_px)
        if "sensor" in self._without:
            rgb = sensor.expose(light, moment.dt_s, exposure=exposure)
        else:
            light, ids = rolled(light, ids, motion, self._lens.focal_px * READOUT_S)
            rgb = sensor.expose(light, moment.dt_s, smear_px, rng, exposure)
        boxes = visible_boxes(ids, moment)
        return Shot(encode_jpeg(rgb, sensor.look.quality), boxes, ids=ids, seen=seen)

    def _drawn(self, moment: Moment, sight: Sight | None) -> tuple[np.ndarray, ...]:
        """What `_render` returns, softened where it is near; drawn anew only once somebody has moved."""
        vectors, viewer = moment.vectors, moment.viewer
        if self._newest.get(viewer, ((), ()))[0] != vectors:
            drawn = self._render(vectors, viewer, sight)
            if "sensor" not in self._without:
                soften(drawn[0], drawn[1] == OWN_BODY)
            self._newest[viewer] = vectors, drawn
        return self._newest[viewer][1]

    def _look(self, drawn: SensorLook) -> SensorLook:
        return PLAIN_LOOK if "sensor" in self._without else drawn


def visible_boxes(ids: np.ndarray, moment: Moment) -> tuple[VisibleBox, ...]:
    """The boxes of all Vectors but the viewer, from the renderer's instance ids (H, W)."""
    numbers = range(len(moment.vectors))
    vector_ids = tuple(OWN_BODY if number == moment.viewer else number + 1 for number in numbers)
    return boxes_from_ids(ids, vector_ids, OWN_BODY)


def out_of_focus(values: np.ndarray, width_px: int) -> np.ndarray:
    """Values (H, W, C) of an image `width_px` wide as they would be a few centimetres before the lens."""
    size = (2 * (NEAR_BLUR_PX * width_px // 640) + 1,) * 2
    return cv2.blur(cv2.blur(values, size), size).reshape(values.shape)


def soften(light: np.ndarray, near: np.ndarray) -> None:
    """Blur, in place, the viewer's own treads and lift: they are too near for a lens focused on the room.

    Args:
        light: (H, W, 3) float32.
        near: (H, W) mask.
    """
    wide, around = near.shape[1], blurred_part(near)
    if around is None:
        return
    part = light[around]
    amount = out_of_focus(near[around][..., None].astype(np.float32), wide)
    part += amount * (out_of_focus(part, wide) - part)


def blurred_part(near: np.ndarray) -> tuple[slice, slice] | None:
    """The rows and columns that blurring what is too near, a mask (H, W), changes; None: there is nothing."""
    x, y, width, height = cv2.boundingRect(near.view(np.uint8))
    reach = 3 * NEAR_BLUR_PX * near.shape[1] // 640
    rows, columns = slice(max(0, y - reach), y + height + reach), slice(max(0, x - reach), x + width + reach)
    return (rows, columns) if width else None


def rolled(
    light: np.ndarray, ids: np.ndarray, motion: CameraMotion, reach_px: float
) -> tuple[np.ndarray, np.ndarray]:
    """An image as a rolling shutter reads it: row by row, while the camera turns and its head moves.

    Args:
        light: (H, W, 3) float32.
        ids: instance ids (H, W).
        motion: of the camera.
        reach_px: how far the image moves during the readout for a turn of 1 rad/s, in the small-angle
            approximation.

    Returns:
        light (H, W, 3) and ids (H, W).
    """
    height, width = ids.shape
    # Both move the scene against the camera: right, down.
    across, down = motion.turn_radps * reach_px, motion.head_radps * reach_px
    if max(abs(across), abs(down)) < 0.5:
        return light, ids
    lean, stretch, middle = across / height, 1 + down / height, (height - 1) / 2
    shear = np.array([[1.0, lean, -lean * middle], [0.0, stretch, middle * (1 - stretch)]])
    return (
        cv2.warpAffine(
            light, shear, (width, height), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
        ),
        cv2.warpAffine(ids, shear, (width, height), flags=cv2.INTER_NEAREST, borderMode=cv2.BORDER_REPLICATE),
    )

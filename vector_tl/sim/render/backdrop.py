"""`--backgrounds`: Vectors in front of photographs: labelled images of your own room without labelling.

A photograph is the far plate. The Vectors are drawn by the usual renderer in an empty room whose walls glow
with that photograph: its colours light them and are mirrored by them. What they change on the ground (contact
shadow, cast shadow, mirror image) is the ratio of two renders, with and without them, and is multiplied into
the photograph (differential rendering: Debevec, Rendering synthetic objects into real scenes, SIGGRAPH 1998).
So are the things that the room's kinds ask for (mugs, light cubes, hands): they stand among the Vectors.

The robot's own images (640 x 360 or 1280 x 720) have been through its lens and sensor: they stay as they are,
and what is drawn gets their noise. Other photographs go through lens shading and sensor like a drawn room.
For what a robot captured, the head is as its session's file says; in other photographs the horizon is taken
to lie in the middle, as with a level head.
"""

import logging
import math
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np

from vector_tl.data.images import encode_jpeg, read_image
from vector_tl.errors import UserError
from vector_tl.sim.render.camera import RenderedCamera, blurred_part, out_of_focus, visible_boxes
from vector_tl.sim.render.conditions import conditions, lit
from vector_tl.sim.render.decor import Decor, direction
from vector_tl.sim.render.lens import SensorLook
from vector_tl.sim.render.phone import PHONE_KINDS, Sight, image_wh
from vector_tl.sim.render.plate import Plate, by_folder, head_angle_rad, looks_down, photographs
from vector_tl.sim.render.renderer import OWN_BODY, Renderer
from vector_tl.sim.render.surround import furnished, surround
from vector_tl.sim.world.scene import Moment, Room, Shot, VectorPose

log = logging.getLogger(__name__)
MIN_PX = 240  # a smaller side shows nothing of a room
SHADOW_RATIO = (0.08, 1.6)  # by how much a Vector may change the light on the ground
# Tries for one that looks down; the next try is in another folder and another image of it.
TRIES, STRIDE = 30, 7919
VIEW_KINDS = PHONE_KINDS | {"low-light", "blur"}
DOWN_KINDS = PHONE_KINDS - {"room"}
SOFT_PX = 0.6  # blur of a Vector's outline


class BackdropCamera(RenderedCamera):
    """The cameras of all robots in front of photographs; the room's seed chooses the photograph."""

    def __init__(self, folder: Path, size_wh: tuple[int, int] = (640, 360), without: tuple[str, ...] = ()):
        """Make the camera.

        Args:
            folder: of the photographs.
            size_wh: width and height of the images (pixels).
            without: what is left out, of `robot.sim_features.FEATURES`.

        Raises:
            UserError: no image in `folder`.
        """
        self._folders = by_folder(photographs(folder))
        super().__init__(size_wh, without)
        self._empty: Renderer | None = None  # of the room without its things; made when a room has some

    def enter(self, room: Room) -> None:
        """Take the photograph that belongs to the room's seed.

        A phone's image is taken from photographs that look down, as far as a few tries find one.

        Raises:
            UserError: none of the photographs can be read.
        """
        phone = bool(DOWN_KINDS.intersection(room.kinds))
        path, image = self._readable(room.seed)
        for number in range(1, TRIES if phone else 0):
            if looks_down(image):
                break
            path, image = self._readable(room.seed + number * STRIDE)
        self.name, self._plate = path.name, Plate(image, image_wh(room, self.size_wh))
        if not VIEW_KINDS.isdisjoint(room.kinds):
            self._plate.own = False  # another lens or another light than the robot took it with
        self._head_rad = head_angle_rad(path)
        seen = conditions(room, 0, SensorLook())  # the room is as bright as its photograph
        seen = replace(seen, dim=1.0, ground_light=1.0)
        decor = surround(room, self._plate)
        self._enter(room, lit(furnished(decor, room), seen))
        if self._renderer.decor.things:
            self._enter_empty(lit(decor, seen))

    def _enter_empty(self, decor: Decor) -> None:
        """Load the same room once more, without its things."""
        if self._empty is None:
            lens = self._lens
            self._empty = Renderer(lens.render_size_wh, self._own_lens.render_focal_px)
        self._empty.resize(self._lens.render_size_wh)
        self._empty.enter(decor)

    def _readable(self, number: int) -> tuple[Path, np.ndarray]:
        """Photograph `number` and its RGB image; those that cannot be read are left out, with a warning.

        Consecutive numbers go round the folders, so that each counts the same however many it holds.
        """
        while self._folders:
            folder = self._folders[number % len(self._folders)]
            path = folder[number // len(self._folders) % len(folder)]
            try:
                image = read_image(path)
                if min(image.shape[:2]) >= MIN_PX:
                    return path, image
                why = f"a side has less than {MIN_PX} pixels"
            except UserError as error:
                why = str(error)
            log.warning("%s is left out: %s", path, why)
            folder.remove(path)
            self._folders = [some for some in self._folders if some]
        raise UserError("None of the photographs in --backgrounds can be read, or all are too small.")

    def shoot(self, moment: Moment, rng: np.random.Generator) -> Shot:
        """The photograph with the room's things and all Vectors but the viewer, as `Camera.shoot` says.

        A photograph stands still, so the motion is used only where the room's kinds ask for it. The robot's
        own images are exposed already.
        """
        viewer = moment.viewer
        vectors = self._placed(moment)
        pose = vectors[viewer]
        self._turn_lamp(pose.heading_rad)
        sight = self._sight(vectors, viewer)
        drawn, ids, drawn_ids = self._render(vectors, viewer, sight)
        bare = self._bare(pose, sight)
        boxes = visible_boxes(ids, moment)
        smear_px = (0.0, 0.0)
        if self._room.kinds and not self._plate.own:
            smear_px = self._smear_px(*self._moved(moment, self._sensor(viewer)))
        seen = self._seen(vectors, viewer, sight, (ids, drawn_ids), smear_px)
        ratio = np.clip((drawn + 0.004) / (bare + 0.004), *SHADOW_RATIO)
        ground = np.where((ids == 0)[..., None], ratio, 1.0).astype(np.float32)
        behind = self._plate.light * cv2.GaussianBlur(ground, (0, 0), 1.0)
        own_body = ids == OWN_BODY
        cover = cv2.GaussianBlur(((ids > 0) & ~own_body).astype(np.float32), (0, 0), SOFT_PX)[..., None]
        light = cover * drawn + (1 - cover) * behind
        if self._plate.own:  # the robot's body is in its own images already
            noise = rng.normal(0, self._plate.noise, light.shape) * cover
            levels = 255 * np.sqrt(np.clip(light, 0, 1)) + noise
            jpeg = encode_jpeg(np.clip(levels, 0, 255).astype(np.uint8), 80)
            return Shot(jpeg, boxes, self.name, ids, seen)
        if around := blurred_part(own_body):
            near, width = own_body[around][..., None].astype(np.float32), self.size_wh[0]
            blurred = out_of_focus(drawn[around] * near, width)
            light[around] = light[around] * (1 - out_of_focus(near, width)) + blurred
        sensor = self._sensor(viewer)
        rgb = sensor.expose(light, moment.dt_s, smear_px, rng, moment.exposure)
        return Shot(encode_jpeg(rgb, sensor.look.quality), boxes, self.name, ids, seen)

    def _bare(self, viewer: VectorPose, sight: Sight | None) -> np.ndarray:
        """The light (H, W, 3) of the ground with nothing on it but the viewer, and of what is around it."""
        renderer = self._empty if self._renderer.decor.things and self._empty else self._renderer
        return self._lens.warp(*renderer.render((viewer,), 0, sight))[0]

    def _placed(self, moment: Moment) -> tuple[VectorPose, ...]:
        """All Vectors, the viewer's head as it was when the photograph was taken."""
        viewer = moment.viewer
        pose = replace(moment.vectors[viewer], head_angle_rad=self._head_rad)
        return (*moment.vectors[:viewer], pose, *moment.vectors[viewer + 1 :])

    def _turn_lamp(self, heading_rad: float) -> None:
        """The photograph is what lies before the viewer, so its light comes from where the viewer looks."""
        across, _ = self._plate.lamp()
        to_lamp = direction(heading_rad - across * math.radians(45), math.radians(45))
        self._renderer.light_from(to_lamp)
        if self._empty is not None:
            self._empty.light_from(to_lamp)

    def _look(self, drawn: SensorLook) -> SensorLook:
        """The photograph's colours are a camera's already, and half of its contrast."""
        if self._room.kinds:
            drawn = replace(drawn, contrast=drawn.contrast / 2, crush=drawn.crush / 2)
        return replace(drawn, saturation=1.0)

    def close(self) -> None:
        """Release the OpenGL contexts."""
        super().close()
        if self._empty is not None:
            self._empty.close()

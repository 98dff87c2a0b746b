"""A camera that needs no EGL, for tests and computers without a renderer: all things are flat boxes."""

import math

import cv2
import numpy as np

from vector_tl.data.images import encode_jpeg
from vector_tl.sim.render.lens import UNIT_GAIN_MS, boxes_from_ids
from vector_tl.sim.world import footprint as fp
from vector_tl.sim.world.scene import Moment, Room, Shot, VectorPose

NECK_MM, LENS_MM = (-11.0, 47.5), (18.0, -7.5)  # x, z of the head's pivot, and of the lens from there
FOCAL_PX, HEIGHT_MM, NEAR_MM = 353.0, 67.5, 15.0
WALL_RGB, GROUND_RGB, THING_RGB = (190, 200, 205), (150, 140, 120), (140, 110, 90)
VECTOR_RGB, EYES_RGB = (28, 28, 30), (40, 220, 255)
QUALITY = 80  # JPEG


class PlainCamera:
    """A pinhole with the same focal length as the real lens."""

    def __init__(self, size_wh: tuple[int, int] = (640, 360)):
        self.size_wh = size_wh
        self._scale = FOCAL_PX * size_wh[0] / 640
        self._room: Room  # from `enter` on

    def enter(self, room: Room) -> None:
        """Look at `room` from now on."""
        self._room = room

    def shoot(self, moment: Moment, rng: np.random.Generator) -> Shot:
        """Take one image, as `Camera.shoot` says: far things are drawn first, nearer ones hide them."""
        width, height = self.size_wh
        vectors, viewer, exposure = moment.vectors, moment.viewer, moment.exposure
        eye = vectors[viewer]
        horizon = round(height / 2 + self._scale * math.tan(eye.head_angle_rad))
        image = np.full((height, width, 3), WALL_RGB, np.uint8)
        image[max(horizon, 0) :] = GROUND_RGB
        ids = np.full((height, width), -1, np.int16)
        things = [(fp.of_obstacle(o), 0.0, o.height_mm, -1, THING_RGB) for o in self._room.obstacles]
        things += [
            (fp.of_vector(v.x_mm, v.y_mm, v.heading_rad), v.z_mm, HEIGHT_MM, i, VECTOR_RGB)
            for i, v in enumerate(vectors)
            if i != viewer
        ]
        things.sort(key=lambda thing: -math.dist((thing[0].x_mm, thing[0].y_mm), (eye.x_mm, eye.y_mm)))
        for shape, z_mm, tall_mm, index, color in things:
            hull = self._outline(eye, shape, z_mm, tall_mm)
            if hull is not None:
                cv2.fillConvexPoly(image, hull, color)
                cv2.fillConvexPoly(ids, hull, index)
        boxes = boxes_from_ids(ids, tuple(range(len(vectors))), viewer)
        for x1, y1, x2, y2 in (box.xyxy for box in boxes):
            eyes = (int((x1 + x2) / 2), int(y1 + (y2 - y1) * 0.35))
            cv2.circle(image, eyes, max(1, int((y2 - y1) * 0.1)), EYES_RGB, -1)
        noise = rng.integers(-4, 5, (height, width, 1), dtype=np.int16)
        brightness = math.sqrt(exposure.gain * exposure.shutter_ms / UNIT_GAIN_MS) if exposure else 1.0
        image = np.clip(brightness * image + noise, 0, 255).astype(np.uint8)
        return Shot(encode_jpeg(image, QUALITY), boxes, ids=ids + 1)

    def close(self) -> None:
        """It holds nothing."""

    def _outline(
        self, eye: VectorPose, shape: fp.Footprint, z_mm: float, tall_mm: float
    ) -> np.ndarray | None:
        """The convex outline of a box in the image, (n, 1, 2) int32, or None when it is behind the lens."""
        ch, sh = math.cos(eye.head_angle_rad), math.sin(eye.head_angle_rad)
        lens_x = NECK_MM[0] + ch * LENS_MM[0] - sh * LENS_MM[1]
        lens_z = NECK_MM[1] + sh * LENS_MM[0] + ch * LENS_MM[1]
        c, s = math.cos(eye.heading_rad), math.sin(eye.heading_rad)
        points = []
        for x, y in shape.corners():
            dx, dy = x - eye.x_mm, y - eye.y_mm
            ahead, left = c * dx + s * dy - lens_x, -s * dx + c * dy
            for up in (z_mm - lens_z - eye.z_mm, z_mm + tall_mm - lens_z - eye.z_mm):
                depth, rise = ch * ahead + sh * up, -sh * ahead + ch * up
                if depth > NEAR_MM:
                    right_px, down_px = -self._scale * left / depth, -self._scale * rise / depth
                    points.append((self.size_wh[0] / 2 + right_px, self.size_wh[1] / 2 + down_px))
        if len(points) < 3:
            return None
        return cv2.convexHull(np.clip(np.array(points), -20000, 20000).astype(np.int32))

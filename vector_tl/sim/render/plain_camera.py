"""A camera that needs no EGL: every thing a flat box on a bare ground. For tests and machines without a renderer."""

import math

import cv2
import numpy as np

from vector_tl.data.images import encode_jpeg
from vector_tl.sim.render.lens import UNIT_GAIN_MS
from vector_tl.sim.world import footprint as fp
from vector_tl.sim.world.scene import CameraMotion, Exposure, Room, Shot, VectorPose, VisibleBox

NECK_MM, LENS_MM = (-11.0, 47.5), (18.0, -7.5)  # x, z of the head's pivot, and of the lens from there
FOCAL_PX, HEIGHT_MM, NEAR_MM = 353.0, 67.5, 15.0


class PlainCamera:
    """A pinhole with the same focal length as the real lens."""

    def __init__(self, size_wh: tuple[int, int] = (640, 360)):
        self.size_wh = size_wh
        self._scale = FOCAL_PX * size_wh[0] / 640
        self._room: Room | None = None

    def enter(self, room: Room) -> None:
        self._room = room

    def shoot(
        self,
        vectors: tuple[VectorPose, ...],
        viewer: int,
        motion: CameraMotion,
        rng: np.random.Generator,
        dt_s: float = 0.0,
        exposure: Exposure | None = None,
    ) -> Shot:
        """Draw far things first; a Vector's box encloses what of it stays to be seen."""
        width, height = self.size_wh
        eye = vectors[viewer]
        horizon = round(height / 2 + self._scale * math.tan(eye.head_angle_rad))
        image = np.full((height, width, 3), (205, 200, 190), np.uint8)
        image[max(horizon, 0) :] = (120, 140, 150)
        owner = np.full((height, width), -1, np.int16)
        things = [(fp.of_obstacle(o), 0.0, o.height_mm, -1, (90, 110, 140)) for o in self._room.obstacles]
        things += [
            (fp.of_vector(v.x_mm, v.y_mm, v.heading_rad), v.z_mm, HEIGHT_MM, i, (30, 28, 28))
            for i, v in enumerate(vectors)
            if i != viewer
        ]
        for shape, z, tall, index, colour in sorted(
            things, key=lambda t: -math.dist((t[0].x_mm, t[0].y_mm), (eye.x_mm, eye.y_mm))
        ):
            hull = self._outline(eye, shape, z, tall)
            if hull is not None:
                cv2.fillConvexPoly(image, hull, colour)
                cv2.fillConvexPoly(owner, hull, index)
        boxes = []
        for index in range(len(vectors)):
            ys, xs = np.nonzero(owner == index)
            if len(xs):
                box = (float(xs.min()), float(ys.min()), float(xs.max() + 1), float(ys.max() + 1))
                boxes.append(VisibleBox(index, box, len(xs)))
                eyes = (int((box[0] + box[2]) / 2), int(box[1] + (box[3] - box[1]) * 0.35))
                cv2.circle(image, eyes, max(1, int((box[3] - box[1]) * 0.1)), (255, 220, 40), -1)
        noise = rng.integers(-4, 5, (height, width, 1), dtype=np.int16)
        brightness = math.sqrt(exposure.gain * exposure.shutter_ms / UNIT_GAIN_MS) if exposure else 1.0
        image = np.clip(brightness * image + noise, 0, 255).astype(np.uint8)
        return Shot(encode_jpeg(image[..., ::-1], 80), tuple(boxes))

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
                    points.append(
                        (
                            self.size_wh[0] / 2 - self._scale * left / depth,
                            self.size_wh[1] / 2 - self._scale * rise / depth,
                        )
                    )
        if len(points) < 3:
            return None
        return cv2.convexHull(np.clip(np.array(points), -20000, 20000).astype(np.int32))

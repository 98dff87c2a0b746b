"""A small simulated table that lives in memory: for captures without a simulator."""

import math

import cv2
import numpy as np

from vector_tl.capture.settings import CaptureSettings
from vector_tl.errors import UserError
from vector_tl.robot.base import Frame, Intrinsics, RobotState


class SmallTable:
    """A robot on a table of 1.6 m, and its ground truth: a Vector is a flat square that faces the camera."""

    serial, intrinsics, stops = "00e20100", Intrinsics(), []

    def __init__(self, fail_after=None, shift_px=0.0):
        self.image_id = 0
        self.world(0)
        self.head_rad, self.lift_mm, self.speeds = 0.0, 32.0, (0.0, 0.0)
        self.fail_after, self.shift_px, self.truths, self.driven = fail_after, shift_px, {}, 0

    def world(self, seed, kinds=()):
        self.images_elsewhere = self.image_id
        self.poses = [(0.0, seed % 100 * 5.0, 0.0), (300.0, 0.0, 0.0), (-300.0, 0.0, 0.0)]

    def next_frame(self, after_id=None, timeout_s=1.0):
        assert after_id is None or after_id == self.image_id
        self.image_id += 1
        if self.fail_after is not None and self.image_id > self.fail_after:
            raise KeyboardInterrupt
        shade = 40 + (self.image_id - self.images_elsewhere) * 7 % 150
        image = np.full((360, 640, 3), shade, np.uint8)
        jpeg = cv2.imencode(".jpg", image)[1].tobytes()
        self.truths[self.image_id] = {
            "size_wh": [640, 360],
            "boxes": self._boxes(),
            "vectors": self._vectors(),
            "falls": 0,
        }
        return Frame(self.image_id, self.image_id * 66, self.image_id * 0.066, jpeg)

    def _vectors(self):
        return [
            {"vector": i, "x_mm": x, "y_mm": y, "heading_rad": heading, "role": "x"}
            for i, (x, y, heading) in enumerate(self.poses)
        ]

    def _boxes(self):
        boxes, (x, y, heading) = [], self.poses[0]
        for index, (tx, ty, _) in enumerate(self.poses[1:], 1):
            ahead = math.cos(heading) * (tx - x) + math.sin(heading) * (ty - y)
            left = -math.sin(heading) * (tx - x) + math.cos(heading) * (ty - y)
            if ahead > 20:
                half, middle = 320 * 30 / ahead, 320 - 320 * left / ahead
                x1, x2 = max(0.0, middle - half) + self.shift_px, min(640.0, middle + half)
                if x2 > x1:
                    boxes.append(
                        {
                            "vector": index,
                            "xyxy": [x1, max(0, 180 - half), x2, min(360, 180 + half)],
                            "visible_px": int(half * (x2 - x1)),
                        }
                    )
        return boxes

    def ground_truth(self):
        return self

    def truth(self, image_id=None):
        return self.truths[image_id] if image_id else {"vectors": self._vectors()}

    def place(self, vectors):
        poses = [(v["x_mm"], v["y_mm"], v["heading_rad"]) for v in vectors]
        if any(max(abs(x), abs(y)) > 800 for x, y, _ in poses):
            raise UserError("Vector would not stand on the ground")
        self.poses = poses

    def state(self):
        return RobotState(0.0, 0.0, 0.0, 0.0, self.head_rad, self.lift_mm, *self.speeds, None)

    def set_head(self, angle_rad):
        self.head_rad = angle_rad

    def set_lift(self, height_mm):
        self.lift_mm = height_mm

    def drive(self, left, right):
        self.driven += 1
        return True

    def stop(self):
        pass


def settings_for(folder, **kwargs) -> CaptureSettings:
    return CaptureSettings(**{"data": folder, "count": 40, "images_per_session": 12} | kwargs)


def tree(folder) -> dict:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}

"""Boxes that are foreseen without drawing enclose those that are drawn, closely where the view is clear."""

import math

import numpy as np
import pytest

from vector_tl.sim.render.camera import VectorCamera
from vector_tl.sim.render.lens import WideAngleLens
from vector_tl.sim.world.room import make_room
from vector_tl.sim.world.scene import Moment, VectorPose


@pytest.mark.fast
def test_distort_is_the_inverse_of_undistort():
    lens = WideAngleLens((64, 36), 35.3)
    points = np.random.default_rng(1).uniform(0, (64, 36), (50, 2))
    np.testing.assert_allclose(lens.distort(lens.undistort(points)), points, atol=1e-3)


@pytest.mark.parametrize("kinds", [(), ("third-person",)])
def test_foreseen_boxes_are_those_of_the_image(kinds):
    camera = VectorCamera()
    room = make_room(2, kinds)
    camera.enter(room)
    try:
        for away_mm, bearing_deg in ((180.0, 0.0), (300.0, 20.0), (120.0, -44.0), (200.0, 120.0)):
            bearing = math.radians(bearing_deg)
            other = VectorPose(away_mm * math.cos(bearing), away_mm * math.sin(bearing), 1.0)
            moment = Moment((VectorPose(0.0, 0.0, 0.0), other))
            foreseen = camera.foresee(moment)
            boxes = camera.shoot(moment, np.random.default_rng(0)).boxes
            assert set(foreseen) == {box.vector for box in boxes}
            for box in boxes:
                x1, y1, x2, y2 = np.subtract(box.xyxy, foreseen[box.vector])  # positive: farther right, down
                assert x1 > -2 and y1 > -2 and x2 < 2 and y2 < 2
                if abs(bearing_deg) < 40:  # none of it is cut off
                    assert max(x1, y1) < 3 and min(x2, y2) > -3
    finally:
        camera.close()

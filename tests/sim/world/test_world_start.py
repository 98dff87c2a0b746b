"""Footprints, and where everybody starts."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vector_tl.errors import UserError
from vector_tl.sim.world import footprint as fp
from vector_tl.sim.world.room import make_room
from vector_tl.sim.world.scene import Room
from vector_tl.sim.world.starts import start_poses

pytestmark = pytest.mark.fast

place = st.floats(-150, 150)
size = st.floats(5, 80)
angle = st.floats(-math.pi, math.pi)
shapes = st.builds(fp.Footprint, place, place, angle, size, size, st.booleans())


def points_of(shape: fp.Footprint) -> np.ndarray:
    """Many points of a footprint, (n, 2)."""
    if shape.round:
        a = np.linspace(0, math.tau, 90)
        return np.stack(
            [shape.x_mm + shape.half_x_mm * np.cos(a), shape.y_mm + shape.half_x_mm * np.sin(a)], 1
        )
    corners = np.array(shape.corners())
    t = np.linspace(0, 1, 40)[:, None]
    return np.concatenate([corners[i] * (1 - t) + corners[(i + 1) % 4] * t for i in range(4)])


@given(shapes, shapes)
def test_the_gap_is_symmetric_and_never_more_than_the_distance(a, b):
    gap = fp.gap_mm(a, b)
    assert gap == pytest.approx(fp.gap_mm(b, a), abs=1e-6)
    nearest = np.linalg.norm(points_of(a)[:, None] - points_of(b)[None], axis=2).min()
    assert gap <= nearest + 1e-6


@given(shapes, place, place, angle)
def test_a_ray_ends_on_the_rim(shape, x, y, heading):
    length = fp.ray_mm(shape, x, y, heading)
    if math.isfinite(length):
        end = fp.Footprint(
            x + length * math.cos(heading), y + length * math.sin(heading), 0.0, 1e-9, 1e-9, round=True
        )
        assert fp.gap_mm(shape, end) == pytest.approx(0, abs=1e-4)


@pytest.mark.parametrize("count", [1, 2, 4])
def test_starts_are_clear_and_far_enough(count):
    for seed in range(40):
        room = make_room(seed)
        poses = [pose for pose, _ in start_poses(room, count)]
        shapes = [fp.of_vector(*pose) for pose in poses]
        for i, shape in enumerate(shapes):
            assert all(abs(x) <= room.half_x_mm and abs(y) <= room.half_y_mm for x, y in shape.corners())
            assert all(fp.gap_mm(shape, fp.of_obstacle(thing)) > 0 for thing in room.obstacles)
            assert all(fp.gap_mm(shape, other) > 0 for other in shapes[:i])
        for other in poses[1:]:
            assert 200 <= math.dist(poses[0][:2], other[:2]) <= 1200
        assert poses == [pose for pose, _ in start_poses(room, count)]


def test_two_mostly_stand_between_250_and_700_mm_apart():
    distances = [math.dist(*(pose[:2] for pose, _ in start_poses(make_room(seed), 2))) for seed in range(60)]
    assert sum(250 <= d <= 700 for d in distances) >= 57


def test_a_room_without_a_free_place_is_an_error():
    with pytest.raises(UserError, match="no free place for 3 Vectors"):
        start_poses(Room(seed=1, surface="table", half_x_mm=40, half_y_mm=40, obstacles=()), 3)

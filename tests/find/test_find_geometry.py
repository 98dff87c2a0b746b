"""Boxes to bearings and distances."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from support.small_world import box_of
from vector_tl.find.geometry import Distortion, camera_position_mm, locate, rays
from vector_tl.robot.base import Intrinsics

pytestmark = pytest.mark.fast

ROBOT = Intrinsics()
pixels = st.tuples(st.floats(0, 640), st.floats(0, 360))


@given(pixels, st.floats(0, 0.3), st.floats(0, 0.2))
def test_distort_is_the_inverse_of_undistort(pixel, k1, k2):
    lens = Distortion(k1, k2)
    there = lens.undistort(np.array([pixel]), ROBOT)
    assert lens.distort(there, ROBOT)[0] == pytest.approx(pixel, abs=1e-6)


def test_the_lens_sees_ninety_degrees_across():
    left, right = rays(np.array([[0, 180], [640, 180]]), ROBOT, 0.0)[0]
    assert math.degrees(left - right) == pytest.approx(90, abs=1.5)


def test_no_points_are_no_points():
    assert Distortion().undistort(np.zeros((0, 2)), ROBOT).shape == (0, 2) and Distortion().distort(
        np.zeros((0, 2)), ROBOT
    ).shape == (0, 2)


@pytest.mark.parametrize(
    "head_deg, pitch_deg, x_mm, z_mm", [(0, 0, 7, 40), (90, 0, -3.5, 65.5), (0, 90, -40, 7)]
)
def test_where_the_camera_is(head_deg, pitch_deg, x_mm, z_mm):
    assert camera_position_mm(math.radians(head_deg), math.radians(pitch_deg)) == pytest.approx((x_mm, z_mm))


@given(st.floats(100, 340), st.floats(-20, 40))
def test_a_ray_keeps_its_bearing_when_the_head_moves(row, head_deg):
    bearings, _ = rays(np.array([[320, row]]), ROBOT, math.radians(head_deg))
    assert bearings[0] == pytest.approx(0, abs=1e-9)


@given(st.floats(130, 700), st.floats(-30, 30), st.floats(-180, 180), st.floats(-4, 12))
def test_distance_and_bearing_of_an_exact_box(distance, bearing_deg, heading_deg, head_deg):
    bearing, head = math.radians(bearing_deg), math.radians(head_deg)
    box = box_of(
        (0, 0, 0),
        (distance * math.cos(bearing), distance * math.sin(bearing), math.radians(heading_deg)),
        head,
    )
    seen = locate(box, ROBOT, head)
    assert seen.distance_mm == pytest.approx(
        distance, abs=32 + 0.06 * distance
    )  # the unknown heading alone is worth 25
    assert seen.bearing_rad == pytest.approx(bearing, abs=math.atan(30 / distance))
    assert abs(seen.distance_mm - distance) < 4 * seen.distance_sigma_mm


@given(st.floats(60, 130), st.floats(-50, 50), st.floats(-180, 180), st.floats(-10, 20))
def test_a_box_cut_by_the_border_still_says_near_and_on_which_side(
    distance, bearing_deg, heading_deg, head_deg
):
    bearing, head = math.radians(bearing_deg), math.radians(head_deg)
    box = box_of(
        (0, 0, 0),
        (distance * math.cos(bearing), distance * math.sin(bearing), math.radians(heading_deg)),
        head,
    )
    if box is None:
        return
    seen = locate(box, ROBOT, head)
    if seen is not None:
        assert seen.distance_mm < 230
        if 20 < abs(bearing_deg) < 45 and not (
            box[0] < 3 and box[2] > 637
        ):  # from border to border it has no side
            assert seen.bearing_rad * bearing > 0


@given(st.floats(-100, 700), st.floats(-100, 400), st.floats(0, 700), st.floats(0, 400), st.floats(-22, 45))
def test_any_box_gives_finite_figures_or_none(x, y, width, height, head_deg):
    seen = locate(
        np.clip([x, y, x + width, y + height], 0, [640, 360, 640, 360]), ROBOT, math.radians(head_deg)
    )
    if seen is not None:
        assert all(
            math.isfinite(value)
            for value in (seen.bearing_rad, seen.distance_mm, seen.bearing_sigma_rad, seen.distance_sigma_mm)
        )
        assert seen.distance_sigma_mm > 0 and abs(seen.bearing_rad) < math.pi / 2 + 0.5


@pytest.mark.parametrize(
    "box, why",
    [
        ((100, 100, 100, 200), "empty"),
        ((300, 20, 340, 60), "on the wall: its foot is far above the ground"),
        ((300, 300, 330, 330), "small and at our feet: too small for a Vector there"),
    ],
)
def test_what_cannot_be_a_vector_on_the_ground(box, why):
    assert locate(box, ROBOT, 0.0) is None, why


def test_left_is_positive_and_image_size_does_not_matter():
    half = Intrinsics((320, 180), (176.5, 176.5), (160, 90))
    box = box_of((0, 0, 0), (300, 100, 1.0), 0.0)
    whole, small = locate(box, ROBOT, 0.0), locate(box / 2, half, 0.0)
    assert whole.bearing_rad > 0.2
    assert (small.bearing_rad, small.distance_mm) == pytest.approx(
        (whole.bearing_rad, whole.distance_mm), rel=1e-3
    )

"""The lens, the sensor and the boxes of the simulated camera."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vector_tl.data.images import decode_image, encode_jpeg
from vector_tl.sim.render import lens
from vector_tl.sim.render.lens import Sensor, SensorLook, WideAngleLens, boxes_from_ids

pytestmark = pytest.mark.fast

LENS = WideAngleLens()
QUIET = SensorLook(
    noise=0.0,
    bloom_near=0.0,
    bloom_far=0.0,
    vignette=0.0,
    circle_px=1000.0,
    edge_blur=0.0,
    contrast=0.0,
    black_level=0.0,
    saturation=1.0,
)


def distort(lens: WideAngleLens, tangents) -> np.ndarray:
    """Ray tangents (..., 2) to image points (..., 2): the inverse of `undistort`, by Newton's method."""
    tangents = np.asarray(tangents, float)
    k1, k2 = lens.k
    u = np.linalg.norm(tangents, axis=-1, keepdims=True)
    d = u.copy()  # at or above the root of a convex rising function: every step comes down to it
    for _ in range(30):
        d2 = d * d
        d -= (d * (1 + k1 * d2 + k2 * d2 * d2) - u) / (1 + 3 * k1 * d2 + 5 * k2 * d2 * d2)
    shrink = np.divide(d, u, out=np.ones_like(d), where=u > 0)
    return tangents * shrink * lens.focal_px + lens.center


def flat(level: float, size_wh=(640, 360)) -> np.ndarray:
    return np.full((size_wh[1], size_wh[0], 3), level, np.float32)


@given(
    x=st.floats(-700, 1300),
    y=st.floats(-400, 800),
    k1=st.floats(0, 0.5),
    k2=st.floats(0, 0.2),
    focal=st.floats(200, 500),
    cx=st.floats(280, 360),
)
@settings(max_examples=200, deadline=None)
def test_distort_undoes_undistort(x, y, k1, k2, focal, cx):
    lens = WideAngleLens((64, 36), focal, (cx, 180.0), (k1, k2))
    assert np.allclose(distort(lens, lens.undistort([[x, y]])), [[x, y]], atol=1e-6)


@given(st.floats(-3, 3), st.floats(-3, 3))
@settings(deadline=None)
def test_undistort_undoes_distort(right, down):
    assert np.allclose(LENS.undistort(distort(LENS, [[right, down]])), [[right, down]], atol=1e-8)


def test_default_lens_sees_ninety_degrees_across():
    left, middle, right = LENS.undistort([[0, 180], [320, 180], [640, 180]])
    assert math.degrees(math.atan(right[0]) - math.atan(left[0])) == pytest.approx(90, abs=0.2)
    assert np.allclose(middle, 0)
    assert LENS.undistort(np.zeros((0, 2))).shape == (0, 2) and distort(LENS, np.zeros((0, 2))).shape == (
        0,
        2,
    )


@pytest.mark.parametrize("scale", [0.6, 1.0, 1.5])
@pytest.mark.parametrize("center", [None, (310.0, 190.0)])
def test_render_is_just_large_enough(scale, center):
    lens = WideAngleLens(center=center, render_scale=scale)
    corners = (
        np.abs(lens.undistort([[0, 0], [640, 0], [0, 360], [640, 360]])).max(axis=0)
        * lens.render_focal_px
        * 2
    )
    spare = np.array(lens.render_size_wh) - corners
    assert (spare >= 0).all() and (spare <= 6).all()


@pytest.mark.parametrize("scale", [0.7, 1.0])
def test_warp_puts_a_point_where_distort_says(scale):
    lens = WideAngleLens(render_scale=scale)
    width, height = lens.render_size_wh
    tangent = np.array([0.55, -0.3])
    x, y = tangent * lens.render_focal_px + (width / 2, height / 2)
    rows, columns = np.mgrid[0:height, 0:width] + 0.5
    near = np.hypot(columns - x, rows - y) < 6
    light = np.repeat(near[..., None], 3, axis=2).astype(np.float32)
    image, ids = lens.warp(light, near.astype(np.uint8) * 7)
    assert image.shape == (360, 640, 3) and set(np.unique(ids)) == {0, 7}
    for mask in (image[..., 0] > 0.5, ids == 7):
        found_y, found_x = (np.mean(axis) + 0.5 for axis in np.nonzero(mask))
        assert np.allclose([found_x, found_y], distort(lens, tangent), atol=0.6)


@pytest.mark.parametrize(
    "arguments", [{"k": (-0.1, 0.0)}, {"size_wh": (0, 360)}, {"focal_px": 0}, {"render_scale": -1}]
)
def test_lens_refuses_nonsense(arguments):
    with pytest.raises(ValueError):
        WideAngleLens(**arguments)


def test_warp_refuses_another_size():
    with pytest.raises(ValueError):
        LENS.warp(np.zeros((360, 640, 3), np.float32), np.zeros((360, 640), np.uint8))


@pytest.mark.parametrize("light", [0.02, 0.2, 3.0])
@pytest.mark.parametrize("target", [0.3, 0.55])
def test_exposure_control_reaches_its_target(light, target):
    sensor = Sensor(SensorLook(**{**QUIET.__dict__, "target": target, "max_gain": 64.0}))
    sensor.settle(flat(light))
    assert sensor.expose(flat(light), 0.1).mean() / 255 == pytest.approx(target, abs=0.01)


def test_exposure_control_lags_by_its_time_constant():
    sensor = Sensor(QUIET)
    sensor.expose(flat(0.1), 0.0)
    before = sensor.gain
    sensor.expose(flat(0.4), 0.0)
    assert sensor.gain == before
    sensor.expose(flat(0.4), QUIET.lag_s)
    assert math.log(before / sensor.gain) / math.log(4) == pytest.approx(1 - math.exp(-1), abs=0.02)
    sensor.settle(flat(0.4))
    assert sensor.gain == pytest.approx(before / 4, rel=0.01)


def test_exposure_moves_by_no_more_than_the_light():
    """On another machine light differs in its last bits: a gain of steps would turn that into grey levels."""
    light = np.random.default_rng(0).lognormal(-1.5, 1.5, (360, 640, 3)).astype(np.float32)
    sensor, gains = Sensor(QUIET), []
    for step in range(40):
        sensor.settle(light * np.float32(1 + 1e-4 * step))
        gains.append(sensor.gain)
    assert -np.diff(np.log(gains)) == pytest.approx(1e-4, abs=3e-5)


def test_bias_gives_dark_and_blown_out_images():
    means = [
        Sensor(SensorLook(**{**QUIET.__dict__, "exposure_bias_ev": bias})).expose(flat(0.2), 0.1).mean()
        for bias in (-4.0, 0.0, 2.0)
    ]
    assert means[0] < 40 and 100 < means[1] < 130 and means[2] > 200


def test_light_that_is_missing_stays_dark():
    image = Sensor(QUIET).expose(flat(0.0), 0.1)
    assert image.max() == 0


@pytest.mark.parametrize("motion", [(0, 0), (0.4, 0), (9, 0), (-9, 0), (0, 7), (5, -6)])
def test_motion_blur_spreads_along_the_motion_and_stays_in_place(motion):
    light = flat(0.0)
    light[170:190, 310:330] = 0.05
    sensor = Sensor(QUIET)
    sensor.gain = 1.0
    image = sensor.expose(light, 0.0, motion)
    rows, columns = np.nonzero(image[..., 1])
    assert image.shape == (360, 640, 3)
    assert np.ptp(columns) + 1 == pytest.approx(20 + (abs(motion[0]) if abs(motion[0]) >= 1 else 0), abs=2)
    assert np.ptp(rows) + 1 == pytest.approx(20 + (abs(motion[1]) if abs(motion[1]) >= 1 else 0), abs=2)
    assert columns.mean() == pytest.approx(319.5, abs=1) and rows.mean() == pytest.approx(179.5, abs=1)


def test_bloom_veils_and_vignette_darkens():
    light = flat(0.02)
    light[:120] = 5.0
    plain, veiled = (
        Sensor(SensorLook(**{**QUIET.__dict__, "bloom_far": far, "vignette": 0.5, "circle_px": circle}))
        .expose(light, 0.1)
        .astype(int)
        for far, circle in ((0.0, 1000.0), (0.15, 340.0))
    )
    assert veiled[140, 320].mean() > plain[140, 320].mean() + 20
    assert plain[300, 10].mean() < plain[300, 320].mean()
    assert veiled[-1, 0].max() == 0 and veiled[0, -1].max() == 0


def test_same_seed_same_image_and_noise_is_as_strong_as_asked():
    for seed in range(3):
        look = SensorLook.draw(np.random.default_rng(seed))
        assert look == SensorLook.draw(np.random.default_rng(seed))
        first, second = (
            Sensor(look).expose(flat(0.2), 0.1, (3, 1), np.random.default_rng(7)) for _ in range(2)
        )
        assert np.array_equal(first, second)
    noisy = Sensor(SensorLook(**{**QUIET.__dict__, "noise": 4.0})).expose(
        flat(0.25), 0.1, rng=np.random.default_rng(1)
    )
    assert noisy[..., 1].std() == pytest.approx(4.0, rel=0.3)


@pytest.mark.parametrize("size_wh", [(320, 180), (640, 360), (1280, 720), (50, 40)])
def test_other_image_sizes(size_wh):
    image = Sensor(SensorLook.draw(np.random.default_rng(3)), size_wh).expose(
        flat(0.3, size_wh), 0.1, rng=np.random.default_rng(0)
    )
    assert image.shape == (size_wh[1], size_wh[0], 3) and image.dtype == np.uint8


def test_encode_keeps_red_red():
    red = np.zeros((360, 640, 3), np.uint8)
    red[..., 0] = 200
    back = decode_image(encode_jpeg(red, 70), "red")
    assert back.shape == red.shape and back[..., 0].mean() > 190 and back[..., 2].mean() < 10


def test_boxes_from_ids():
    ids = np.zeros((360, 640), np.uint8)
    assert boxes_from_ids(ids, (1, 2), 1) == ()
    ids[100:120, 50:90] = 2
    ids[110:120, 50:60] = 1  # the viewer's own tread hides a corner
    ids[0, 639] = 3
    boxes = boxes_from_ids(ids, (1, 2, 3, 4), 1)
    assert [(box.vector, box.xyxy, box.visible_px) for box in boxes] == [
        (1, (50, 100, 90, 120), 700),
        (2, (639, 0, 640, 1), 1),
    ]


@given(st.integers(0, 63), st.integers(0, 35), st.integers(0, 63), st.integers(0, 35))
def test_box_of_a_rectangle_is_the_rectangle(x1, y1, x2, y2):
    ids = np.zeros((36, 64), np.int32)
    x1, x2, y1, y2 = min(x1, x2), max(x1, x2) + 1, min(y1, y2), max(y1, y2) + 1
    ids[y1:y2, x1:x2] = 9
    (box,) = boxes_from_ids(ids, (9,), 0)
    assert box.xyxy == (x1, y1, x2, y2) and box.visible_px == (x2 - x1) * (y2 - y1)


@pytest.mark.fast
@pytest.mark.parametrize("way_px", [(5, 0), (-5, 0), (3.2, -2), (-4, 3), (0, 4), (2.5, -7)])
def test_short_motion_blur_is_that_of_the_passes(way_px, monkeypatch):
    light = np.random.default_rng(0).random((60, 80, 3), np.float32)
    filtered = lens._motion_blur(light, *way_px)
    monkeypatch.setattr(lens, "MAX_TAPS", 0)
    np.testing.assert_allclose(filtered, lens._motion_blur(light, *way_px), atol=1e-6)

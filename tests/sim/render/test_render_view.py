"""How rooms of harder kinds are seen: phones, darkness, blur, dirt; and that other rooms stay as they are."""

import math
from dataclasses import replace

import cv2
import numpy as np
import pytest

from vector_tl.sim.render.camera import VectorCamera
from vector_tl.sim.render.conditions import MAX_GAIN, MAX_SHUTTER_MS, QUALITY, Conditions, conditions
from vector_tl.sim.render.lens import UNIT_GAIN_MS, Sensor, SensorLook
from vector_tl.sim.render.mesh import part_matrices, vector_parts
from vector_tl.sim.render.phone import Phone, group, image_wh
from vector_tl.sim.render.renderer import OWN_BODY
from vector_tl.sim.render.soiling import dirt_map
from vector_tl.sim.world.room import make_room
from vector_tl.sim.world.scene import Moment, VectorPose

VIEWER, TARGET, BEHIND = VectorPose(-150, 0, 0), VectorPose(150, 20, 2.0), VectorPose(-400, 0, 0)
PARTS = vector_parts()
TALL = 2  # seed of a room whose phone takes 4:3 images; those of 3 are 16:9


@pytest.fixture(scope="module")
def camera():
    camera = VectorCamera()
    yield camera
    camera.close()


def bare(seed, *kinds):
    """A room with nothing on its ground."""
    return replace(make_room(seed, kinds), obstacles=(), loose=())


def shoot(camera, *vectors, seed=0):
    shot = camera.shoot(Moment(vectors, dt_s=60.0), np.random.default_rng(seed))
    return shot, cv2.imdecode(np.frombuffer(shot.jpeg, np.uint8), cv2.IMREAD_GRAYSCALE).astype(float)


def projected_xyxy(sight, pose, size_wh=(640, 360)):
    """The box (4,) that encloses all of a Vector's vertices, by pinhole arithmetic alone."""
    eye_shape, world = "square", []
    for name, matrix in part_matrices(pose).items():
        rows = PARTS[eye_shape if name == "eyes" else name]
        world.append(rows[:, :3] @ matrix[:3, :3].T + matrix[:3, 3])
    seen = (np.concatenate(world) - sight.frame[:3, 3]) @ sight.frame[:3, :3]  # (N, 3): ahead, left, up
    right_down = -seen[:, 1:] / seen[:, :1] * sight.focal_px + np.array(size_wh) / 2
    return np.concatenate([right_down.min(axis=0), right_down.max(axis=0)])


@pytest.mark.fast
def test_a_room_without_kinds_is_seen_by_a_clean_camera_of_the_robot():
    for seed in range(20):
        seen = conditions(make_room(seed), 0, SensorLook.draw(np.random.default_rng(seed)))
        assert seen == Conditions(seen.look)
        assert seen.look.quality == QUALITY and seen.look.max_gain <= MAX_GAIN * MAX_SHUTTER_MS / UNIT_GAIN_MS


def test_a_camera_that_was_a_phone_draws_other_rooms_as_before(camera):
    fresh = VectorCamera()
    images = []
    for one in (fresh, camera):
        if one is camera:
            one.enter(bare(4, "third-person"))
            shoot(one, VIEWER, TARGET)
        one.enter(make_room(3))
        images.append(shoot(one, VIEWER, TARGET)[0])
    fresh.close()
    assert images[0] == images[1]


@pytest.mark.fast
def test_half_of_the_phones_images_are_four_to_three_and_no_vectors():
    sizes = [image_wh(make_room(seed, ("third-person",)), (640, 360)) for seed in range(60)]
    assert set(sizes) == {(640, 360), (640, 480)} and 15 < sizes.count((640, 480)) < 45
    assert image_wh(make_room(TALL, ("from-above",)), (1280, 720)) == (1280, 960)
    assert {image_wh(make_room(seed, ("cube",)), (640, 360)) for seed in range(60)} == {(640, 360)}


@pytest.mark.fast
def test_a_phone_that_films_a_room_looks_over_it(camera):
    for seed in range(30):
        sight = Phone(make_room(seed, ("room",))).sight((VIEWER, TARGET), 0)
        assert 500 <= sight.frame[2, 3] <= 1500 and -0.5 < sight.frame[2, 0] < 0.15


@pytest.mark.fast
@pytest.mark.parametrize("kind", ["third-person", "from-above"])
@pytest.mark.parametrize("seed", [3, TALL])
def test_boxes_are_exact_through_a_phones_lens(camera, kind, seed, monkeypatch):
    monkeypatch.setattr("vector_tl.sim.render.camera.draw_look", lambda room, vector: None)  # all upright
    room = bare(seed, kind)
    size_wh = image_wh(room, (640, 360))
    camera.enter(room)
    vectors = (VIEWER, TARGET, BEHIND)
    shot, image = shoot(camera, *vectors)
    (box_,) = (box_ for box_ in shot.boxes if box_.vector == 1)
    assert size_wh == image.shape[::-1] == shot.ids.shape[::-1] and (size_wh[1] == 480) == (seed == TALL)
    expected = projected_xyxy(Phone(room).sight(vectors, 0), TARGET, size_wh)
    assert box_.xyxy == pytest.approx(expected.clip(0, size_wh * 2), abs=1.5)


@pytest.mark.fast
def test_the_viewer_is_not_in_a_phones_image_nor_its_shadow(camera):
    camera.enter(bare(5, "third-person"))
    sight = Phone(bare(5, "third-person")).sight((VIEWER, TARGET), 0)
    beside = replace(VIEWER, x_mm=100, y_mm=-60)
    (light, ids), (other, _) = (
        camera._renderer.render((viewer, TARGET), 0, sight) for viewer in (beside, BEHIND)
    )
    assert np.array_equal(light, other) and OWN_BODY not in ids and (ids == 2).any()


@pytest.mark.fast
@pytest.mark.parametrize("kind", ["third-person", "from-above"])
def test_the_vectors_before_the_viewer_stay_in_a_phones_view(kind):
    rng, heights_mm, sizes_px = np.random.default_rng(0), [], []
    for seed in range(150):
        room = make_room(seed, (kind,))
        x, y, heading = *rng.uniform(-300, 300, 2), rng.uniform(-3, 3)
        viewer, ahead = VectorPose(x, y, heading), heading + rng.uniform(-0.6, 0.6)
        there = rng.uniform(150, 600) * np.array([math.cos(ahead), math.sin(ahead)]) + (x, y)
        pose = VectorPose(*there, rng.uniform(-3, 3))
        sight = Phone(room).sight((viewer, pose), 0)
        width, height = size_wh = image_wh(room, (640, 360))
        x1, y1, x2, y2 = projected_xyxy(sight, pose, size_wh)
        shown = (min(x2, width) - max(x1, 0)) * (min(y2, height) - max(y1, 0)) / ((x2 - x1) * (y2 - y1))
        assert shown > 0.8
        heights_mm.append(sight.frame[2, 3])
        sizes_px.append(y2 - y1)
        moved = Phone(room).sight((replace(viewer, x_mm=x + 0.01), pose), 0)
        assert moved.frame == pytest.approx(sight.frame, abs=3) and moved.focal_px == pytest.approx(
            sight.focal_px, rel=0.01
        )
    assert min(heights_mm) < 400 and max(heights_mm) > 1200
    assert np.quantile(sizes_px, 0.1) < 100 and np.quantile(sizes_px, 0.9) > 180


@pytest.mark.fast
def test_a_phone_films_who_is_before_the_viewer_or_else_the_ground():
    middle, radius_mm = group((VIEWER, TARGET, BEHIND, replace(TARGET, y_mm=-80)), 0)
    assert middle[:2] == pytest.approx((150, -30)) and radius_mm == pytest.approx(105)
    nobody, _ = group((VIEWER, BEHIND), 0)
    assert nobody[:2] == pytest.approx((200, 0))


@pytest.mark.fast
def test_rooms_with_kinds_have_the_firmwares_camera_and_phones_their_own():
    drawn = SensorLook.draw(np.random.default_rng(1))
    for seed in range(30):
        own, phone = (
            conditions(make_room(seed, (kind,)), 0, drawn).look for kind in ("cube", "third-person")
        )
        assert own.quality == 50 and own.max_gain == pytest.approx(MAX_GAIN * MAX_SHUTTER_MS / UNIT_GAIN_MS)
        assert phone.quality > 70 and phone.circle_px > 1000 and phone.vignette < 0.2


def test_low_light_is_dark_and_noisy_and_blur_is_not_sharp(camera):
    figures = {}
    for kind in ("ordinary", "low-light", "blur"):
        means, edges = [], []
        for seed in (1, 2, 3, 5):
            camera.enter(bare(seed, kind))
            _, image = shoot(camera, VIEWER, TARGET)
            means.append(image.mean())
            edges.append(np.abs(cv2.Laplacian(cv2.GaussianBlur(image, (0, 0), 1.0), cv2.CV_64F)).mean())
        figures[kind] = np.mean(means), np.mean(edges) / np.mean(means)
    assert figures["low-light"][0] < 0.65 * figures["ordinary"][0]
    assert figures["low-light"][1] > 1.3 * figures["ordinary"][1] > 1.3 * 1.2 * figures["blur"][1]


@pytest.mark.fast
def test_dirt_darkens_some_of_the_image_and_flare_lights_up_what_was_dark():
    passed = dirt_map(0.4, 3, (640, 360))
    assert passed.shape == (360, 640) and 0.59 < passed.min() < 0.9 and passed.max() == pytest.approx(1.0)
    light = np.full((360, 640, 3), 0.05, np.float32)
    light[40:80, 500:560] = 20.0
    clean, flared = (Sensor(SensorLook(flare=flare)).expose(light, 0.1).astype(float) for flare in (0.0, 0.1))
    mirrored = np.s_[200:280, 180:260]
    assert flared[mirrored].mean() > clean[mirrored].mean() + 5

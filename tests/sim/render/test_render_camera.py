"""The rendered camera: exact boxes, repeatable bytes, and parts that move the way they should."""

import math
from dataclasses import replace

import cv2
import numpy as np
import pytest

from vector_tl.robot.sim_features import FEATURES
from vector_tl.sim.render import textures
from vector_tl.sim.render.camera import VectorCamera, rolled
from vector_tl.sim.render.decor import furnish
from vector_tl.sim.render.gl import indexed, near_first
from vector_tl.sim.render.mesh import (
    CAMERA_MM,
    RIB_PITCH_MM,
    camera_matrix,
    part_matrices,
    pitch_about,
    vector_parts,
)
from vector_tl.sim.render.renderer import OWN_BODY, Renderer
from vector_tl.sim.render.shapes import Material, box, ellipsoid, lathe, moved
from vector_tl.sim.render.things import thing
from vector_tl.sim.world.room import KINDS, make_room
from vector_tl.sim.world.scene import CameraMotion, Exposure, Moment, VectorPose
from vector_tl.sim.world.world import World

STILL = CameraMotion()


@pytest.fixture(scope="module")
def camera():
    camera = VectorCamera()
    camera.enter(make_room(3))
    yield camera
    camera.close()


def shoot(camera, distance_mm, bearing_deg=0.0, heading_deg=0.0, viewer=None, seed=0):
    bearing = math.radians(bearing_deg)
    viewer = viewer or VectorPose(-100, 0, 0)
    target = VectorPose(
        -100 + distance_mm * math.cos(bearing), distance_mm * math.sin(bearing), math.radians(heading_deg)
    )
    return camera.shoot(Moment((viewer, target)), np.random.default_rng(seed))


def test_a_second_camera_leaves_the_first_ones_images_as_they_were(camera):
    """As a robot's photo in high resolution between the frames of its stream."""
    vectors = (VectorPose(-100, 0, 0), VectorPose(150, 0, 2.0))
    before, _ = camera._renderer.render(vectors, 0)
    other = VectorCamera((1280, 720))
    try:
        other.enter(make_room(5))
        between, _ = camera._renderer.render(vectors, 0)
    finally:
        other.close()
    after, _ = camera._renderer.render(vectors, 0)
    assert np.array_equal(before, between) and np.array_equal(before, after)


@pytest.mark.fast
def test_image_is_what_a_vector_sends(camera):
    shot = shoot(camera, 200)
    assert cv2.imdecode(np.frombuffer(shot.jpeg, np.uint8), cv2.IMREAD_COLOR).shape == (360, 640, 3)
    assert 5_000 < len(shot.jpeg) < 80_000


@pytest.mark.fast
@pytest.mark.parametrize("distance_mm", [150, 250, 400])
def test_box_height_follows_the_pinhole(camera, distance_mm):
    (box_,) = shoot(camera, distance_mm, heading_deg=90).boxes
    x1, y1, x2, y2 = box_.xyxy
    lens_to_target_mm = distance_mm - CAMERA_MM[0]
    # side view: the nearest parts are about 29 mm nearer than the origin
    expected = 353 * 68 / (lens_to_target_mm - 20)
    assert y2 - y1 == pytest.approx(expected, rel=0.2)
    assert abs((x1 + x2) / 2 - 320) < 45


@pytest.mark.fast
def test_target_to_the_left_is_left_in_the_image(camera):
    left, right = shoot(camera, 300, 20).boxes[0].xyxy, shoot(camera, 300, -20).boxes[0].xyxy
    assert left[2] < 320 < right[0]


@pytest.mark.fast
def test_target_behind_is_not_boxed(camera):
    assert shoot(camera, 300, 180).boxes == ()


def test_same_call_gives_same_bytes():
    images = []
    for _ in range(2):
        camera = VectorCamera()
        camera.enter(make_room(8))
        images.append([shoot(camera, 180, seed=s).jpeg for s in (1, 2)])
        camera.close()
    assert images[0] == images[1]
    assert images[0][0] != images[0][1]


@pytest.mark.fast
def test_while_nobody_moves_the_same_drawing_is_exposed_again(monkeypatch):
    """Each viewer's own; the images are those of a camera that draws every time."""
    stands, turned = VectorPose(-100, 0, 0), VectorPose(150, 0, 2.0)
    moments = [Moment((stands, turned), viewer, dt_s=0.3) for viewer in (0, 1, 0, 1)]
    moments += [Moment((stands, replace(turned, eyes_open=0.1)), dt_s=0.3)]

    def images(draws_always):
        camera, calls = VectorCamera(), []
        try:
            camera.enter(make_room(8))
            render = camera._renderer.render
            monkeypatch.setattr(camera._renderer, "render", lambda *of: (calls.append(of), render(*of))[1])
            for number, moment in enumerate(moments):
                if draws_always:
                    camera._newest.clear()
                yield camera.shoot(moment, np.random.default_rng(number)).jpeg
        finally:
            camera.close()
        assert len(calls) == (5 if draws_always else 3)

    assert list(images(draws_always=False)) == list(images(draws_always=True))


@pytest.mark.fast
def test_without_a_lamp_shadows_change_nothing(camera):
    renderer, vectors = camera._renderer, (VectorPose(-100, 0, 0), VectorPose(150, 0, 2.0))
    with_lamp = renderer.decor
    assert any(with_lamp.lamp_color)
    try:
        renderer.enter(replace(with_lamp, lamp_color=(0.0, 0.0, 0.0)))
        before, _ = renderer.render(vectors, 0)
        with renderer.gl:
            renderer._draw_shadows([renderer._figure(pose, at, 0) for at, pose in enumerate(vectors)])
        after, _ = renderer.render(vectors, 0)
    finally:
        renderer.enter(with_lamp)
    assert np.array_equal(before, after)


@pytest.mark.fast
def test_own_treads_hide_what_is_below(camera):
    """The box ends where the viewer's own body begins: pixels of its id never count as the target's."""
    low = shoot(camera, 110, 35, viewer=VectorPose(-100, 0, 0, head_angle_rad=math.radians(-15)))
    assert low.boxes and low.boxes[0].visible_px > 0
    _, ids = camera._lens.warp(
        *camera._renderer.render((VectorPose(-100, 0, 0, head_angle_rad=-0.26), VectorPose(0, 60, 0)), 0)
    )
    assert (ids == 200).sum() > 500


@pytest.mark.fast
def test_head_up_moves_things_down(camera):
    level, up = (
        shoot(camera, 300, viewer=VectorPose(-100, 0, 0, head_angle_rad=a)).boxes[0].xyxy for a in (0.0, 0.2)
    )
    assert up[1] > level[1] + 30


def test_an_exposure_set_by_hand_is_as_bright_as_it_says_and_smears_for_as_long():
    camera, vectors = VectorCamera(), (VectorPose(-100, 0, 0), VectorPose(120, 0, 2.0))
    try:
        camera.enter(make_room(3))

        def image(exposure, motion=STILL):
            moment = Moment(vectors, motion=motion, exposure=exposure)
            jpeg = camera.shoot(moment, np.random.default_rng(0)).jpeg
            return cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_GRAYSCALE).astype(float)

        auto = image(None).mean()
        dark, middle, bright = (
            image(Exposure(ms, gain)).mean() for ms, gain in ((1, 0.2), (12, 0.5), (67, 4.0))
        )
        assert dark < 30 < bright and dark < middle < bright and bright > 200
        assert image(Exposure(20, 1.5)).mean() == pytest.approx(image(Exposure(30, 1.0)).mean(), abs=1), (
            "what counts is the product"
        )
        assert abs(image(None).mean() - auto) > 1, (
            "the exposure control continues from the last gain, and takes its time"
        )
        turning = CameraMotion(turn_radps=2.0)
        short, long = (
            np.quantile(np.abs(np.diff(image(Exposure(ms, 20 / ms), turning), axis=1)), 0.995)
            for ms in (5, 60)
        )
        assert long < 0.7 * short, "edges are smeared"
    finally:
        camera.close()


@pytest.mark.fast
def test_a_surface_looked_at_squarely_is_lit_everywhere():
    """Rounding may put the cosine there above 1, and a single NaN blinds the exposure control for good."""
    glossy, half_mm = Material((0.5, 0.5, 0.5), 0.1, 0.04), 300
    shell = moved(ellipsoid((half_mm,) * 3, glossy), (CAMERA_MM[0], 0, CAMERA_MM[2] - half_mm))
    decor = replace(furnish(make_room(3)), surroundings=shell)
    renderer = Renderer((160, 90), 80.0, details=False)
    try:
        renderer.enter(decor)
        for turn_rad in np.linspace(0, 1, 12):
            light, _ = renderer.render((VectorPose(0, 0, turn_rad),), 0)
            assert np.isfinite(light).all()
    finally:
        renderer.close()


def test_another_drivers_roundings_stay_as_small_as_they_are(monkeypatch):
    """Its light differs by a part in a million, some pixels' by a grey level: nothing grows out of that."""

    def images(disturb):
        camera, rng = VectorCamera(), np.random.default_rng(5)
        drawn = camera._renderer.render
        if disturb:
            monkeypatch.setattr(camera._renderer, "render", lambda *scene: disturbed(rng, *drawn(*scene)))
        try:
            camera.enter(make_room(8))
            return [shoot(camera, 150 + 60 * k, heading_deg=70 * k, seed=k) for k in range(6)]
        finally:
            camera.close()

    for shot, elsewhere in zip(images(False), images(True), strict=True):
        assert [box_.vector for box_ in shot.boxes] == [box_.vector for box_ in elsewhere.boxes]
        for box_, other in zip(shot.boxes, elsewhere.boxes, strict=True):
            np.testing.assert_allclose(box_.xyxy, other.xyxy, atol=1)
        greys, others = (
            cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_COLOR).astype(float)
            for jpeg in (shot.jpeg, elsewhere.jpeg)
        )
        assert 0 < np.abs(greys - others).mean() < 0.5


def disturbed(rng, light, ids):
    light = light * (1 + 1e-6 * rng.standard_normal(light.shape, np.float32))
    some = rng.random(light.shape[:2]) < 1e-3
    light[some] += rng.choice([-1, 1], (int(some.sum()), 1)) / np.float32(255)
    return np.maximum(light, 0).astype(np.float32), ids


@pytest.mark.fast
def test_the_lift_blocks_the_view_half_way_up(camera):
    def own_share(lift_mm):
        _, ids = camera._lens.warp(
            *camera._renderer.render((VectorPose(-100, 0, 0, lift_height_mm=lift_mm),), 0)
        )
        return (ids == OWN_BODY).mean()

    assert own_share(68) > own_share(32) + 0.2 and own_share(68) > own_share(92) + 0.2


@pytest.mark.fast
def test_eyes_blink_widen_half_close_and_take_a_programs_colour(camera):
    world = World(3, robots=1, targets=1)
    openings = []
    for moment in range(0, 60_000, 20):
        world.advance(moment)
        openings.append(world.pose(1).eyes_open)
    assert min(openings) < 0.1 and any(0.4 < opening < 0.8 for opening in openings) and max(openings) > 1.1

    def eyes(**pose):
        light, ids = camera._renderer.render((VectorPose(-100, 0, 0), VectorPose(80, 0, math.pi, **pose)), 0)
        return np.where((ids == 2)[..., None], light, 0).sum(axis=(0, 1))  # red, green, blue

    shut, wide = eyes(eyes_open=0.0), eyes(eyes_open=1.3)
    assert wide[2] > 1.1 * shut[2]
    red, green = eyes(eye_rgb=(1.0, 0.0, 0.0)) - shut, eyes(eye_rgb=(0.0, 1.0, 0.0)) - shut
    assert red[0] > 5 * abs(red[1]) and green[1] > 5 * abs(green[0])


def test_a_glossy_floor_shows_the_robot_upside_down():
    viewer, target = VectorPose(-100, 0, 0), VectorPose(150, 0, math.pi)

    def below_its_feet(without):
        camera = VectorCamera(without=without)
        try:
            camera.enter(make_room(12))
            (light, ids), (bare, _) = (
                camera._renderer.render(vectors, 0)
                for vectors in ((viewer, target), (viewer, VectorPose(150, 1500, 0)))
            )
        finally:
            camera.close()
        rows, columns = np.nonzero(ids == 2)
        patch = np.s_[
            rows.max() + 3 : rows.max() + 3 + (rows.max() - rows.min()) // 2, columns.min() : columns.max()
        ]
        floor = ids[patch] == 0
        return np.abs(light[patch] - bare[patch])[floor].mean(axis=-1)

    eyes_and_body, shadow_alone = below_its_feet(()), below_its_feet(("mirrors",))
    assert np.quantile(eyes_and_body, 0.75) > 1.5 * np.quantile(shadow_alone, 0.75)


@pytest.mark.fast
def test_the_nearest_vectors_have_contact_shadows_however_many_there_are(camera):
    viewer = VectorPose(-100, 0, 0)
    far = tuple(VectorPose(-900, 200 * k, 0) for k in range(-2, 3))
    (alone, ids), (crowded, _) = (
        camera._renderer.render((viewer, *others, VectorPose(100, 0, 1.0)), 0) for others in ((), far)
    )
    assert np.abs(alone - crowded)[ids == 0].max() < 0.2 * alone[ids == 0].mean()


@pytest.mark.fast
def test_details_add_parts_and_lights():
    plain, detailed = vector_parts(details=False), vector_parts()
    ribs = [name for name in detailed if name.startswith("left_ribs")]
    assert ribs and all(len(detailed[name]) and not len(plain[name]) for name in ribs)
    for part in ("head", "body"):  # patches and lens; lights and the time-of-flight sensor's glow
        assert len(detailed[part]) > len(plain[part])
    assert (detailed["body"][:, 13] > 0).any() and not (plain["body"][:, 13] > 0).any()


@pytest.mark.fast
def test_camera_frame_at_rest():
    frame = camera_matrix(VectorPose(10, 20, 0))
    assert np.allclose(frame[:3, 3], (10 + CAMERA_MM[0], 20, CAMERA_MM[2]))
    assert np.allclose(frame[:3, :3], np.eye(3))


@pytest.mark.fast
def test_pitch_about_keeps_its_pivot_and_lifts_the_nose():
    matrix = pitch_about(0.3, (-11.0, 47.5))
    assert np.allclose(matrix @ (-11, 5, 47.5, 1), (-11, 5, 47.5, 1))
    assert (matrix @ (50, 0, 47.5, 1))[2] > 47.5


@pytest.mark.fast
def test_lift_raises_the_fork_and_keeps_it_level():
    low, high = (part_matrices(VectorPose(0, 0, 0, lift_height_mm=h))["fork"] for h in (32, 92))
    at_fork = (30, 0, 20, 1)
    assert 50 < (high @ at_fork)[2] - (low @ at_fork)[2] < 70
    assert np.allclose(high[:3, :3], np.eye(3), atol=1e-9)


@pytest.mark.fast
def test_mesh_is_in_millimetres_and_mirrored():
    parts = vector_parts()
    every = np.concatenate([rows[:, :3] for rows in parts.values()])
    assert np.allclose(every.max(axis=0), (38.9, 29.2, 67.5), atol=0.5)
    right, left = (parts["upper_arm"][parts["upper_arm"][:, 1] * side > 0][:, 2] for side in (-1, 1))
    assert abs(right.max() - left.max()) < 0.3  # the mesh's sagging right arm is raised


CAN = lathe(np.array([[0, 0], [10, 0], [10, 30], [0, 30]]), Material())


@pytest.mark.fast
@pytest.mark.parametrize("shape", [box((10, 20, 30), Material()), CAN, ellipsoid((10, 20, 15), Material())])
def test_shapes_stand_on_the_ground_with_unit_normals(shape):
    assert shape[:, 2].min() == pytest.approx(0, abs=1e-4) and shape[:, 2].max() == pytest.approx(
        30, abs=1e-3
    )
    assert np.allclose(np.linalg.norm(shape[:, 3:6], axis=1), 1, atol=1e-4)


@pytest.mark.fast
@pytest.mark.parametrize("kind", list(KINDS))
def test_things_are_finite_and_fit_their_footprint(kind):
    rows = thing(kind, 50, 40, 120, np.random.default_rng(1), [0])
    assert np.isfinite(rows).all() and len(rows) % 3 == 0
    assert np.abs(rows[:, 0]).max() < 75 and rows[:, 2].max() < 170


@pytest.mark.fast
def test_rooms_differ_and_repeat():
    assert make_room(5) == make_room(5) and make_room(5) != make_room(6)
    decor = furnish(make_room(5))
    assert np.array_equal(decor.surroundings, furnish(make_room(5)).surroundings)
    assert all(t.shape == (textures.SIZE, textures.SIZE, 3) and t.dtype == np.uint8 for t in decor.textures)
    assert decor.surroundings[:, 14].max() < len(decor.textures)


@pytest.mark.fast
def test_middle_of_every_room_is_free():
    for seed in range(60):
        room = make_room(seed)
        for o in room.obstacles:
            assert math.hypot(o.x_mm, o.y_mm) - o.half_x_mm >= 150
            assert abs(o.x_mm) < room.half_x_mm and abs(o.y_mm) < room.half_y_mm


@pytest.mark.parametrize("feature", FEATURES)
def test_what_is_left_out_changes_the_image_and_not_its_boxes(feature):
    shots = []
    for without in ((), (feature,)):
        camera = VectorCamera(without=without)
        try:
            camera.enter(make_room(12, ("ordinary",) if feature == "looks" else ()))
            shots.append(shoot(camera, 220, heading_deg=150))
        finally:
            camera.close()
    assert shots[0].jpeg != shots[1].jpeg
    np.testing.assert_allclose(shots[0].boxes[0].xyxy, shots[1].boxes[0].xyxy, atol=1.0)


@pytest.mark.fast
def test_without_a_mirror_image_the_floor_under_it_is_plain():
    assert (
        furnish(make_room(12)).ground_gloss > 0.15
        and furnish(make_room(12), without=("mirrors",)).ground_gloss == 0
    )
    assert (furnish(make_room(12), without=("light",)).surroundings[:, 13] == 0).all()


@pytest.mark.fast
def test_a_rolling_shutter_leans_upright_things_over_with_their_ids():
    ids = np.zeros((90, 160), np.uint8)
    ids[:, 80] = 1
    light = np.repeat(ids[..., None], 3, axis=2).astype(np.float32)
    for turn in (2.0, -2.0):
        _, leaned = rolled(light, ids, CameraMotion(turn_radps=turn), 5.0)
        columns = leaned.argmax(axis=1)
        assert columns[89] - columns[0] == pytest.approx(2 * 5 * math.copysign(1, turn), abs=1), (
            "a camera that turns left sees later rows further right"
        )
        assert columns[45] == 80
    same, _ = rolled(light, ids, CameraMotion(), 5.0)
    assert same is light


@pytest.mark.fast
def test_ribs_run_with_the_treads_and_come_round():
    still, half, round_ = (
        part_matrices(VectorPose(0, 0, 0, left_tread_mm=mm)) for mm in (0.0, RIB_PITCH_MM / 2, RIB_PITCH_MM)
    )
    assert set(still) == set(round_) != set(half)
    low = {
        name: rows[rows[:, 2] < 0.5][:, 0].max()
        for name, rows in vector_parts().items()
        if name.startswith("left_ribs")
    }
    assert len(set(np.round(list(low.values()), 3))) > 1


@pytest.mark.fast
def test_vertices_are_stored_once_and_triangles_sorted_by_distance():
    rows = np.concatenate([moved(box((5, 5, 5), Material()), (x, 0, 0)) for x in (300, 100)]).astype(
        np.float32
    )
    distinct, index = indexed(rows)
    np.testing.assert_array_equal(distinct[index], rows)
    assert len(distinct) < len(rows)
    far = near_first(rows).reshape(-1, 3, 15)[:, :, 0].mean(axis=1)
    half = len(far) // 2
    assert (far[:half] < 200).all() and (far[half:] > 200).all()

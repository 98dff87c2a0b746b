"""How Vectors of harder rooms look and stand: by seed, dark where asked for, never below the ground."""

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from vector_tl.sim.render.camera import VectorCamera
from vector_tl.sim.render.charger import charger
from vector_tl.sim.render.looks import RobotLook, Stance, draw_look
from vector_tl.sim.render.mesh import EYE_SHAPES, body_matrix, look_parts, part_matrices, stood, vector_parts
from vector_tl.sim.render.renderer import DOCK
from vector_tl.sim.world.room import make_room
from vector_tl.sim.world.scene import VectorPose

VIEWER, TARGET = VectorPose(-100, 0, 0), VectorPose(80, 0, math.pi)
ANGLES = st.floats(-3.2, 3.2)


@pytest.fixture(scope="module")
def camera():
    camera = VectorCamera()
    yield camera
    camera.close()


def bare(seed, *kinds):
    """A room with nothing on its ground."""
    return replace(make_room(seed, kinds), obstacles=(), loose=())


def drawn(camera, seed, *kinds, target=TARGET):
    camera.enter(bare(seed, *kinds))
    return camera._renderer.render((VIEWER, target), 0)


@pytest.mark.fast
def test_a_room_without_kinds_asks_for_no_look():
    assert draw_look(make_room(4), 1) is None


@pytest.mark.fast
def test_looks_are_the_same_for_the_same_seed_and_differ_between_vectors_and_rooms():
    looks = {
        (seed, vector): draw_look(make_room(seed, ("cube",)), vector) for seed in (1, 2) for vector in (1, 2)
    }
    assert looks[1, 1] == draw_look(make_room(1, ("cube",)), 1)
    assert len({(look.gaze_mm, look.gloss) for look in looks.values()}) == 4


@pytest.mark.fast
def test_screen_off_means_every_vector_and_other_kinds_about_a_quarter():
    assert all(draw_look(make_room(seed, ("screen-off", "toy")), 1).dark for seed in range(40))
    mixed = [draw_look(make_room(seed, ("toy",)), 1) for seed in range(200)]
    assert 0.1 < np.mean([look.dark for look in mixed]) < 0.35
    assert any(look.paint_rgb for look in mixed) and any(look.stickers for look in mixed)
    assert {look.eye_shape for look in mixed} == set(EYE_SHAPES)
    assert not any(draw_look(make_room(seed, ("ordinary",)), 1).dark for seed in range(40))


@pytest.mark.fast
def test_a_room_is_drawn_as_ever_after_one_with_kinds(camera):
    before = drawn(camera, 3)
    drawn(camera, 5, "screen-off")
    after = drawn(camera, 3)
    assert np.array_equal(before[0], after[0]) and np.array_equal(before[1], after[1])


@pytest.mark.fast
@pytest.mark.parametrize("seed", [3, 8])
def test_a_screen_that_is_off_is_darker_where_its_eyes_were(camera, seed):
    camera.enter(bare(seed))
    lit, _ = camera._renderer.render((VIEWER, TARGET), 0)
    shut, _ = camera._renderer.render((VIEWER, replace(TARGET, eyes_open=0.0)), 0)
    eyes = (lit - shut).sum(axis=2) > 0.2
    look = replace(RobotLook(), screen=0.0, lights=0.0)
    camera._renderer.enter(camera._renderer.decor, lambda vector: look)
    dark, ids = camera._renderer.render((VIEWER, TARGET), 0)
    assert eyes.sum() > 40 and (ids[eyes] == 2).all()
    assert dark[eyes].mean() < 0.5 * lit[eyes].mean()


@pytest.mark.fast
def test_a_charger_under_a_vector_is_no_part_of_it(camera):
    camera.enter(bare(3))
    ids = {}
    for docked in (True, False):
        look = RobotLook(stance=Stance(docked=docked))
        camera._renderer.enter(camera._renderer.decor, lambda vector, look=look: look)
        light, ids[docked] = camera._renderer.render((VIEWER, TARGET), 0)
        ids[docked, "light"] = light
    below = (slice(-90, None), slice(None))  # rows under the robot
    assert set(np.unique(ids[False])) == {0, 2, 200} and set(np.unique(ids[True])) == {0, 2, DOCK, 200}
    assert not np.allclose(ids[True, "light"][below], ids[False, "light"][below], atol=0.02)
    assert (ids[True] == 2).sum() < 1.1 * (ids[False] == 2).sum()


@pytest.mark.fast
@settings(deadline=None, max_examples=40)
@given(roll=ANGLES, pitch=ANGLES, heading=ANGLES)
def test_however_a_vector_is_turned_its_frame_stays_rigid(roll, pitch, heading):
    matrix = body_matrix(VectorPose(10, 20, heading, 5, pitch, roll_rad=roll))
    assert np.allclose(matrix[:3, :3] @ matrix[:3, :3].T, np.eye(3), atol=1e-9)
    assert np.linalg.det(matrix[:3, :3]) == pytest.approx(1.0)
    assert tuple(matrix[:3, 3]) == (10, 20, 5)


@pytest.mark.fast
@settings(deadline=None, max_examples=40)
@given(roll=ANGLES, pitch=st.floats(-1.5, 1.5), heading=ANGLES, lift=st.floats(32, 92))
def test_however_it_lies_its_lowest_point_is_on_the_ground(roll, pitch, heading, lift):
    assume(roll or pitch)  # an upright one stands where its pose says
    pose = stood(VectorPose(50, -30, heading, lift_height_mm=lift), Stance(roll_rad=roll, pitch_rad=pitch))
    matrices = part_matrices(pose)
    lowest = min(
        (vector_parts()[name][:, :3] @ matrices[name][2, :3] + matrices[name][2, 3]).min()
        for name in ("body", "head", "upper_arm", "lower_arm", "fork")
    )
    assert lowest == pytest.approx(0.0, abs=1.0)


@pytest.mark.fast
def test_who_is_in_the_air_keeps_its_pose():
    held = VectorPose(0, 0, 0, z_mm=90.0)
    assert stood(held, Stance(roll_rad=1.0)) == held


@pytest.mark.fast
def test_positive_roll_lifts_the_left_side():
    left = body_matrix(VectorPose(0, 0, 0, roll_rad=0.3)) @ (0, 20, 0, 1)
    assert left[2] == pytest.approx(20 * math.sin(0.3))


@pytest.mark.fast
def test_charger_and_texts_are_finite_and_as_large_as_they_should_be():
    rows = charger()
    assert np.isfinite(rows).all() and rows[:, 2].min() == 0 and 85 < rows[:, 2].max() < 95
    assert 75 < np.ptp(rows[:, 1]) < 85
    for rows in look_parts().values():
        assert np.isfinite(rows).all() and np.abs(rows[:, 1]).max() < 25

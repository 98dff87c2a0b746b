"""What an image of a room with kinds shows beside its boxes, measured on rooms that are put together here."""

import math
from dataclasses import replace

import numpy as np
import pytest

from vector_tl.sim.render.camera import VectorCamera
from vector_tl.sim.render.looks import RobotLook
from vector_tl.sim.render.renderer import FIRST_THING
from vector_tl.sim.render.sightings import any_touch, blur_px, things_in_view
from vector_tl.sim.world.room import make_room
from vector_tl.sim.world.scene import CameraMotion, Moment, Obstacle, SeenThing, VectorPose

pytestmark = pytest.mark.fast
VIEWER, TARGET = VectorPose(-200, 0, 0), VectorPose(80, 0, math.pi)


@pytest.fixture(scope="module")
def camera():
    camera = VectorCamera()
    yield camera
    camera.close()


@pytest.fixture(autouse=True)
def plain_looks(monkeypatch):
    """All Vectors upright, their screens on; the second one's is off."""
    looks = {2: RobotLook(screen=0.0)}
    monkeypatch.setattr(
        "vector_tl.sim.render.camera.draw_look", lambda room, vector: looks.get(vector, RobotLook())
    )


def seen(camera, *vectors, things=(), kinds=("cube",)):
    """What the first of the Vectors sees in a room with these things only."""
    camera.enter(replace(make_room(5, kinds), obstacles=tuple(things), loose=()))
    return camera.shoot(Moment((VIEWER, *vectors), dt_s=60.0), np.random.default_rng(0)).seen


def carton(x_mm, y_mm, half_mm=20.0):
    return Obstacle(x_mm, y_mm, 0.0, half_mm, half_mm, 120.0, "carton")


def test_nothing_is_said_of_a_room_without_kinds(camera):
    assert seen(camera, TARGET, kinds=()) is None


def test_a_thing_before_a_vector_hides_its_share_and_one_behind_it_none(camera):
    free, behind, half, all_of_it = (
        seen(camera, TARGET, things=[carton(*place, 20.0)])
        for place in ((0, 250), (180, 0), (0, 14), (-100, 0))
    )
    assert max(free.vectors[0].hidden, behind.vectors[0].hidden) < 0.06
    assert 0.15 < half.vectors[0].hidden < 0.9
    assert not all_of_it.vectors, "nothing of it is seen"
    assert [thing.kind for thing in half.things] == ["carton"]
    assert half.things[0].visible_px > behind.things[0].visible_px


def test_another_vector_and_the_own_body_hide_none(camera):
    before = seen(camera, TARGET, VectorPose(-20, 40, 1.5))
    assert before.touching and [vector.hidden < 0.06 for vector in before.vectors] == [True, True]


@pytest.mark.parametrize(
    ("heading_rad", "facing_deg", "screen"), [(math.pi, 0, 1.0), (math.pi / 2, 90, None), (0, 180, None)]
)
def test_facing_and_whether_the_screen_is_seen(camera, heading_rad, facing_deg, screen):
    (vector,) = seen(camera, replace(TARGET, heading_rad=heading_rad)).vectors
    assert vector.facing_deg == pytest.approx(facing_deg, abs=15) and vector.screen == screen


def test_a_screen_that_is_off_is_so_and_one_behind_a_thing_is_not_seen(camera):
    beside = replace(TARGET, y_mm=90.0)
    one, two = seen(camera, TARGET, beside).vectors
    assert (one.screen, two.screen) == (1.0, 0.0)
    one, two = seen(camera, TARGET, beside, things=[carton(20.0, 60.0)]).vectors
    assert two.hidden > 0.1 and (one.screen, two.screen) == (1.0, None)


def test_a_head_that_looks_down_looks_below_the_horizon(camera):
    camera.enter(replace(make_room(5, ("cube",)), obstacles=(), loose=()))
    down = replace(VIEWER, head_angle_rad=math.radians(-20))
    shot = camera.shoot(Moment((down, TARGET), dt_s=60.0), np.random.default_rng(0))
    assert shot.seen.down_deg == pytest.approx(20) and shot.seen.own_body_px == (shot.ids == 200).sum()


def test_while_nobody_moves_only_the_blur_is_found_anew(camera, monkeypatch):
    standing = seen(camera, TARGET)
    calls = []
    monkeypatch.setattr(camera._renderer, "outline", lambda *_: calls.append(_))
    moment, rng = Moment((VIEWER, TARGET), dt_s=0.07), np.random.default_rng(0)
    turning = camera.shoot(replace(moment, motion=CameraMotion(turn_radps=3.0)), rng).seen
    assert not calls and turning.blur_px > standing.blur_px + 1
    assert replace(turning, blur_px=standing.blur_px) == standing


def test_vectors_touch_within_a_few_pixels():
    ids = np.zeros((360, 640), np.uint8)
    ids[100:200, 100:200], ids[100:200, 205:300], ids[100:200, 400:450] = 2, 3, 4
    assert any_touch(ids, [1, 2]) and not any_touch(ids, [2, 3]) and not any_touch(ids, [1])


def test_things_are_counted_by_their_ids():
    ids = np.zeros((4, 5), np.uint8)
    ids[0, :3], ids[1, 0] = FIRST_THING + 1, 2
    assert things_in_view(ids, ["cube", "hand", "cozmo"]) == (SeenThing("hand", 3),)


def test_blur_is_that_of_motion_and_defocus():
    assert blur_px((0.0, 0.0), 0.0, 640) == 0.0
    assert blur_px((12.0, 0.0), 0.0, 1280) == pytest.approx(6 / math.sqrt(12))
    assert blur_px((0.0, math.sqrt(12) * 3), 4.0, 640) == pytest.approx(5.0)

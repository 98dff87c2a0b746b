"""What rooms of harder kinds hold: each kind adds what it says, things fit, a room without kinds stays."""

import hashlib
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vector_tl.sim.render.decor import furnish
from vector_tl.sim.render.harder import USUAL, desk_top, draw_thing, harder_things
from vector_tl.sim.render.light_cube import light_cube, marker_texture
from vector_tl.sim.render.prints import Prints
from vector_tl.sim.render.textures import SIZE
from vector_tl.sim.world import footprint as fp
from vector_tl.sim.world.clutter import CONTENTS, CUBE_MM, SIZES
from vector_tl.sim.world.room import KINDS, make_room
from vector_tl.sim.world.scene import Obstacle
from vector_tl.sim.world.starts import start_poses

pytestmark = pytest.mark.fast
VECTOR_MM = 70.0  # what is higher may reach beyond its footprint: a Vector passes below
PRINTS = Prints([0], 1, 2, 3, 4, 5)
# Of these only a forearm, a body or a panel is drawn outside, which the ground's rim cuts off.
REACHES_OUT = {"torso", "adapter"}
ALL = tuple(CONTENTS)


def digest(*arrays):
    return hashlib.sha256(b"".join(np.ascontiguousarray(array).tobytes() for array in arrays)).hexdigest()


def test_a_kind_that_is_not_asked_for_changes_nothing():
    """Also not a kind that is about the robots or the view alone."""
    for seed in (3, 12):
        plain, dark = make_room(seed), make_room(seed, ("screen-off", "low-light"))
        assert plain.obstacles == dark.obstacles and not plain.loose and not dark.loose
        a, b = furnish(plain), furnish(dark)
        assert digest(a.ground, a.surroundings, *a.textures) == digest(b.ground, b.surroundings, *b.textures)


def test_what_is_added_leaves_the_rest_of_the_room_as_it_is():
    plain, full = make_room(7), make_room(7, ALL)
    assert full.obstacles[: len(plain.obstacles)] == plain.obstacles
    assert digest(furnish(plain).surroundings) == digest(furnish(full).surroundings)
    assert furnish(full).things and not furnish(plain).things


@pytest.mark.parametrize(
    ("kind", "names"),
    [
        ("cube", {"cube", "cube-stack"}),
        ("other-robot", {"cozmo"}),
        ("hand", {"hand"}),
        ("person", {"torso", "sitter"}),
        ("toy", {"truck", "car", "blocks", "plush", "animal"}),
    ],
)
def test_each_kind_adds_what_it_says(kind, names):
    rooms = [make_room(seed, (kind,)) for seed in range(40)]
    held = [{thing.kind for thing in (*room.obstacles, *room.loose)} & names for room in rooms]
    assert sum(map(bool, held)) >= 38
    assert all(make_room(seed, (kind,)) == room for seed, room in enumerate(rooms))


def test_clutter_is_many_things_and_occluded_some_that_hide_a_vector():
    cluttered = [make_room(seed, ("clutter",)) for seed in range(40)]
    counts = [len(room.obstacles) + len(room.loose) for room in cluttered]
    assert np.median(counts) >= 12 and min(counts) >= 6
    near = [math.hypot(o.x_mm, o.y_mm) < 350 for room in cluttered for o in room.obstacles]
    assert np.mean(near) > 0.25, "they stand near the middle too"
    for seed in range(20):
        added = [o for o in make_room(seed, ("occluded",)).obstacles if o.kind in SIZES]
        assert sum(o.height_mm > 60 for o in added) >= 1


@pytest.mark.parametrize("kinds", [*((kind,) for kind in ALL), ALL])
def test_everybody_still_finds_a_place_to_start(kinds):
    for seed in range(12):
        room = make_room(seed, kinds)
        poses = [pose for pose, _ in start_poses(room, 4)]
        shapes = [fp.of_obstacle(thing) for thing in room.obstacles]
        assert all(fp.gap_mm(fp.of_vector(*pose), shape) > 0 for pose in poses for shape in shapes)


def test_things_stand_on_the_ground_and_apart():
    for seed in range(15):
        room = make_room(seed, ALL)
        shapes = [fp.of_obstacle(o) for o in room.obstacles]
        added = [n for n, o in enumerate(room.obstacles) if o.kind in SIZES]
        for n in added:
            assert abs(room.obstacles[n].x_mm) < room.half_x_mm
            assert abs(room.obstacles[n].y_mm) < room.half_y_mm
            assert all(fp.gap_mm(shapes[n], shapes[m]) > 0 for m in range(len(shapes)) if m != n)


@pytest.mark.parametrize("kind", list(SIZES))
@settings(max_examples=12, deadline=None)
@given(share=st.tuples(*[st.floats(0, 1)] * 3), seed=st.integers(0, 10**6))
def test_things_are_finite_and_fit_where_a_vector_may_touch_them(kind, share, seed):
    size = SIZES[kind]
    low_high = size.half_x_mm, size.aspect, size.height_mm
    half_x, aspect, height = (low + part * (high - low) for (low, high), part in zip(low_high, share))
    thing = Obstacle(0, 0, 0, half_x, half_x * aspect, height, kind, size.round)
    rows = draw_thing(thing, np.random.default_rng(seed), PRINTS)
    assert np.isfinite(rows).all() and len(rows) % 3 == 0 and 0 < len(rows) // 3 < 9000
    assert np.allclose(np.linalg.norm(rows[:, 3:6], axis=1), 1, atol=1e-3)
    assert set(np.unique(rows[:, 14])) <= {-1, 0, 1, 2, 3, 4, 5}
    if kind in REACHES_OUT:
        return
    assert rows[:, 2].min() > -1.5 and rows[:, 2].max() < 1.25 * height + 300
    low = rows[rows[:, 2] < min(VECTOR_MM, 0.7 * height + 20)]
    beyond_mm = 16 if kind in USUAL else 8  # a usual device has knobs and plugs
    half_y_mm = thing.half_x_mm if size.round else thing.half_y_mm
    slack = 1.1 * thing.half_x_mm + beyond_mm, 1.1 * half_y_mm + beyond_mm
    if kind != "hand":  # the forearm comes in from behind, low
        assert np.abs(low[:, 0]).max() < slack[0] and np.abs(low[:, 1]).max() < slack[1]


def test_kinds_of_things_have_names_of_their_own():
    """By them `decor` knows which of a room's obstacles it draws as ever."""
    assert not SIZES.keys() & KINDS.keys()


def test_a_cube_is_a_cube_with_white_markers_and_lights_at_its_corners():
    lit = 0
    for seed in range(30):
        rows = light_cube(np.random.default_rng(seed), markers=1)
        assert np.allclose(rows[:, :3].min(axis=0), (-CUBE_MM / 2, -CUBE_MM / 2, 0), atol=0.2)
        assert np.allclose(rows[:, :3].max(axis=0), (CUBE_MM / 2, CUBE_MM / 2, CUBE_MM), atol=0.2)
        assert (rows[:, 14] == 1).sum() == 6 * 6, "a marker on each face"
        lit += (rows[:, 13] > 0).any()
        shell = rows[(rows[:, 14] < 0) & (np.abs(rows[:, 3:6]).max(axis=1) > 0.68)]
        assert shell[:, 8:11].max() < 0.06
    assert 8 < lit < 22
    sheet = marker_texture(np.random.default_rng(0))
    assert sheet.shape == (SIZE, SIZE, 3) and (sheet > 180).mean() > 0.1 and (sheet < 80).mean() > 0.5


def test_the_other_robot_is_as_large_as_a_vector_and_pale():
    for seed in range(12):
        rows = draw_thing(Obstacle(0, 0, 0, 57, 31, 69, "cozmo"), np.random.default_rng(seed), PRINTS)
        assert np.ptp(rows[:, 0]) < 125 and np.ptp(rows[:, 1]) < 66 and np.ptp(rows[:, 2]) < 110
        assert rows[:, 8:11].max() > 0.3


def test_a_desk_has_a_top_of_its_own_and_its_prints_are_textures_of_the_room():
    tops = 0
    for seed in range(30):
        room = make_room(seed, ("clutter",))
        layers = [np.zeros((SIZE, SIZE, 3), np.uint8)]
        top = desk_top(room, layers)
        tops += top is not None
        assert top is None or room.surface == "table"
        assert all(layer.shape == (SIZE, SIZE, 3) for layer in layers)
    assert tops >= 5
    room, layers = make_room(2, ("cube", "clutter")), [np.zeros((SIZE, SIZE, 3), np.uint8)]
    rows = np.concatenate([rows for _, rows in harder_things(room, layers, [0])])
    assert rows[:, 14].max() < len(layers)
    assert harder_things(make_room(2), layers, [0]) == []

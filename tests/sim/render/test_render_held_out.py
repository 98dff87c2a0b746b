"""Held-out rooms draw from lists of their own, other rooms never do, and both stay the same by their seed."""

from contextlib import ExitStack
from unittest import mock

import numpy as np
import pytest

from vector_tl.robot.sim_features import HELD_OUT_WORLDS
from vector_tl.sim.render import held_out_surfaces, textures
from vector_tl.sim.render.decor import furnish
from vector_tl.sim.render.held_out_surfaces import GROUNDS, HANGINGS, THINGS, WALLS, instead_of
from vector_tl.sim.render.held_out_things import design, has_own_design
from vector_tl.sim.render.looks import (
    APP_EYES_RGB,
    HELD_OUT_EYE_SHAPES,
    HELD_OUT_STICKER_PLACES_MM,
    TEXTS,
    draw_look,
)
from vector_tl.sim.render.mesh import EYE_SHAPES, PARTS, TEXT_PARTS, held_out_eye_parts, look_parts
from vector_tl.sim.world.clutter import SIZES
from vector_tl.sim.world.room import KINDS, ROUND, make_room

pytestmark = pytest.mark.fast
OWN = {*GROUNDS, *WALLS, *HANGINGS, *THINGS}
USUAL = {*textures.FLOORS, *textures.WALLS, *textures.HANGINGS, *textures.THINGS}
ALL = ("clutter", "toy", "occluded", "person", "cube")


@pytest.mark.parametrize("texture", sorted(OWN, key=lambda texture: texture.__name__))
def test_a_surface_is_an_image_with_some_pattern(texture):
    drawn = texture(np.random.default_rng(3))
    assert drawn.shape == (textures.SIZE, textures.SIZE, 3) and drawn.dtype == np.uint8
    assert drawn.std() > 1 and np.array_equal(drawn, texture(np.random.default_rng(3)))


def test_no_surface_is_drawn_in_both_sorts_of_rooms():
    assert not OWN & USUAL
    for choices in (textures.FLOORS, textures.WALLS, textures.HANGINGS, textures.THINGS, (textures.mat,)):
        assert set(instead_of(choices)) <= OWN
    assert instead_of((textures.outdoors,)) == (textures.outdoors,)


def test_other_rooms_never_ask_for_what_is_held_out():
    def refuse(*_):
        raise AssertionError("a held-out list was drawn from")

    names = ("decor.instead_of", "decor.design", "decor.held_out_eyes", "harder.design", "looks._held_out")
    patches = [mock.patch(f"vector_tl.sim.render.{name}", refuse) for name in names]
    with ExitStack() as stack:
        for patch in patches:
            stack.enter_context(patch)
        for seed in (3, HELD_OUT_WORLDS - 1):
            room = make_room(seed, ALL)
            assert len(furnish(room).textures) > 5 and draw_look(room, 1)
        with pytest.raises(AssertionError, match="held-out"):
            furnish(make_room(HELD_OUT_WORLDS, ALL))


def test_a_held_out_room_is_the_same_for_the_same_seed_and_has_its_own_eyes():
    drawn, again = (furnish(make_room(HELD_OUT_WORLDS + 4, ALL)) for _ in range(2))
    assert np.array_equal(drawn.surroundings, again.surroundings) and drawn.eye_shape in HELD_OUT_EYE_SHAPES
    assert drawn.surroundings[:, 14].max() < len(drawn.textures)


@pytest.mark.parametrize("kind", [kind for kind in (*KINDS, *SIZES) if has_own_design(kind)])
def test_things_stand_within_their_footprint(kind):
    for seed in range(12):
        rng = np.random.default_rng(seed)
        hx, hy = (50.0, 50.0) if kind in ROUND or (kind in SIZES and SIZES[kind].round) else (60.0, 35.0)
        rows = design(kind, hx, hy, 90.0, rng, [0, 1])
        assert np.isfinite(rows).all() and len(rows) % 3 == 0 and 0 < len(rows) // 3 < 4000
        assert np.allclose(np.linalg.norm(rows[:, 3:6], axis=1), 1, atol=1e-3)
        assert rows[:, 2].min() > -1 and 60 < rows[:, 2].max() < 140
        assert np.abs(rows[:, 0]).max() < 1.15 * hx and np.abs(rows[:, 1]).max() < 1.1 * hy


def test_robots_have_other_eyes_texts_and_stickers():
    looks = [draw_look(make_room(HELD_OUT_WORLDS + seed, ("cube",)), 1) for seed in range(150)]
    assert {look.eye_shape for look in looks} == set(HELD_OUT_EYE_SHAPES)
    assert not set(HELD_OUT_EYE_SHAPES) & set(EYE_SHAPES)
    assert not {look.eye_rgb for look in looks} & set(APP_EYES_RGB.values())
    assert all(look.text is None or len(TEXTS) <= look.text < len(TEXT_PARTS) for look in looks)
    assert {look.pattern for look in looks if look.paint_rgb} == {0, 1, 2, 3}
    places = np.array(HELD_OUT_STICKER_PLACES_MM)
    for sticker in (sticker for look in looks for sticker in look.stickers):
        assert np.abs(places - sticker.center_mm).max(axis=1).min() < 10
    usual = [draw_look(make_room(seed, ("cube",)), 1) for seed in range(60)]
    assert all(look.pattern == 0 and look.eye_shape in EYE_SHAPES for look in usual)


def test_eyes_fit_on_the_screen():
    assert set(held_out_eye_parts()) <= set(look_parts()) and not set(held_out_eye_parts()) & set(PARTS)
    for rows in held_out_eye_parts().values():
        assert np.abs(rows[:, 1]).max() < 10.5 and 46 < rows[:, 2].min() < rows[:, 2].max() < 58


def test_colours_are_within_range():
    for seed in range(40):
        color = held_out_surfaces.hue(np.random.default_rng(seed))
        assert color.min() >= 0.03 and color.max() <= 1

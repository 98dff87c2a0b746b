"""Harder images: which kinds a session gets, where the Vectors are put, and what is said of each image."""

import math

import numpy as np
import pytest

from vector_tl.capture.harder import (
    DRAWN,
    ELSEWHERE,
    OF_A_VECTOR,
    arrange_harder,
    kinds_of_room,
)
from vector_tl.capture.settings import CaptureSettings
from vector_tl.data.kinds import KNOWN_KINDS, add_kinds, read_kinds
from vector_tl.errors import UsageError

pytestmark = pytest.mark.fast
MUG = {
    "x_mm": 100.0,
    "y_mm": -50.0,
    "heading_rad": 0.0,
    "half_x_mm": 40.0,
    "half_y_mm": 40.0,
    "height_mm": 90.0,
    "kind": "mug",
    "round": True,
}


def arranged(seed, kinds, negative=False, things=(MUG,)):
    rng = np.random.default_rng(seed)
    return arrange_harder(rng, (0.0, 0.0, 0.0), 3, negative, None, kinds, things)


def bearing(viewer, other):
    direction = math.atan2(other[1] - viewer[1], other[0] - viewer[0])
    return abs(math.remainder(direction - viewer[2], math.tau))


def rooms(name):
    return [kinds_of_room((name,), 7, world) for world in range(600)]


@pytest.mark.parametrize("name", sorted(DRAWN))
def test_every_kind_that_is_drawn_is_known_and_comes_about(name):
    drawn = rooms(name)
    assert set(DRAWN[name]) <= set(KNOWN_KINDS)
    assert set().union(*drawn) == {*DRAWN[name], "ordinary"}
    assert all(kinds and len(set(kinds)) == len(kinds) for kinds in drawn)


def test_everyday_rooms_hold_fewer_kinds_than_mixed_ones():
    everyday, mixed = (sum(map(len, rooms(name))) / 600 for name in ("everyday", "mixed"))
    assert 1.2 < everyday < 0.75 * mixed


def test_kinds_that_are_named_are_those_of_every_room():
    assert kinds_of_room(("cube", "far"), 7, 1) == ("cube", "far") and kinds_of_room((), 7, 1) == ()


@pytest.mark.parametrize("name", sorted(DRAWN))
def test_a_phone_shows_no_treads_of_its_own(name):
    assert not any(set(kinds) & ELSEWHERE and set(kinds) & OF_A_VECTOR for kinds in rooms(name))


@pytest.mark.parametrize("kinds", [(), ("touching",), ("far",), ("occluded", "clutter"), ("third-person",)])
def test_the_first_other_vector_is_in_view_and_without_one_none_is(kinds):
    for seed in range(60):
        viewer, first, *_ = arranged(seed, kinds).poses
        assert bearing(viewer, first) <= math.radians(46)
        viewer, *others = arranged(seed, kinds, negative=True).poses
        assert all(bearing(viewer, other) > math.radians(60) for other in others)


def test_touching_vectors_stand_beside_each_other():
    for seed in range(60):
        _, first, second, _ = arranged(seed, ("touching",)).poses
        assert 55 <= math.dist(first[:2], second[:2]) <= 110


def test_an_occluded_vector_stands_behind_the_thing():
    behind = 0
    for seed in range(60):
        viewer, first, *_ = arranged(seed, ("occluded",)).poses
        behind += math.dist(viewer[:2], first[:2]) > math.dist(viewer[:2], (MUG["x_mm"], MUG["y_mm"]))
    assert behind >= 45


def test_the_same_numbers_give_the_same_arrangement_and_no_thing_is_needed():
    assert arranged(3, ("touching",)) == arranged(3, ("touching",))
    assert len(arranged(3, ("clutter",), things=()).poses) == 4


def test_kinds_are_added_to_those_that_are_there(tmp_path):
    add_kinds(tmp_path, {("desk", "001"): ["far"]})
    add_kinds(tmp_path, {("desk", "001"): ["cube", "far"], ("desk", "002"): []})
    assert read_kinds(tmp_path) == {("desk", "001"): ("far", "cube"), ("desk", "002"): ()}


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"kinds": ("dark-screen",)}, "there is no 'dark-screen'"),
        ({"kinds": ("mixed", "far")}, "name no others"),
        ({"kinds": ("far",), "robot": "00e20100"}, "drawn rooms"),
        ({"kinds": ("far",), "camera": "plain"}, "drawn rooms"),
    ],
)
def test_kinds_that_make_no_sense_are_refused(settings, words):
    with pytest.raises(UsageError, match=words):
        CaptureSettings(**settings).check()


def test_everybody_is_put_beside_the_things_and_on_the_ground():
    """Else hardly any arrangement works out on a desk that is full of things."""
    things = [
        {
            "x_mm": 150.0 * x,
            "y_mm": 150.0 * y,
            "heading_rad": 0.4,
            "half_x_mm": 30.0,
            "half_y_mm": 20.0,
            "height_mm": 90.0,
            "round": (x + y) % 2 == 0,
        }
        for x in range(-2, 3)
        for y in range(-2, 3)
    ]
    off = inside = 0
    for seed in range(100):
        rng = np.random.default_rng(seed)
        drawn = arrange_harder(rng, (0.0, 75.0, 0.0), 3, False, None, ("clutter",), things, (500.0, 400.0))
        for x_mm, y_mm, _ in drawn.poses[:2]:
            off += abs(x_mm) > 460 or abs(y_mm) > 360
            inside += any(math.hypot(x_mm - t["x_mm"], y_mm - t["y_mm"]) < 35 for t in things)
    assert off <= 4 and inside <= 4

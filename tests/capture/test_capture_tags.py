"""Which kinds are said of an image: those that hold of what it shows, not all of its room's."""

import pytest

from vector_tl.capture.tags import TAGS_OF_THINGS, tags_of
from vector_tl.data.kinds import KNOWN_KINDS

pytestmark = pytest.mark.fast
NEAR, FAR, CUT = (200, 100, 320, 220), (300, 150, 350, 200), (560, 100, 640, 220)


def truth(*vectors, things=(), size_wh=(640, 360), **seen):
    """An image's truth; each vector is a box and what differs from one that faces the camera, screen on."""
    looks = [
        {"vector": number, "hidden": 0.0, "facing_deg": 20.0, "screen": 1.0} | look
        for number, (_, look) in enumerate(vectors, 1)
    ]
    return {
        "size_wh": list(size_wh),
        "boxes": [
            {"vector": number, "xyxy": list(box), "visible_px": 900}
            for number, (box, _) in enumerate(vectors, 1)
        ],
        "seen": {
            "things": [{"kind": kind, "visible_px": px} for kind, px in things],
            "vectors": looks,
            "touching": False,
            "own_body_px": 0,
            "down_deg": 5.0,
            "blur_px": 0.0,
        }
        | seen,
    }


@pytest.mark.parametrize(
    ("image", "tags"),
    [
        (truth(), {"none"}),
        (truth((NEAR, {})), {"ordinary"}),
        (truth((NEAR, {"screen": 0.1})), set()),
        (truth((NEAR, {"screen": 0.0})), {"screen-off"}),
        (truth((NEAR, {"screen": None})), {"ordinary"}),
        (truth((NEAR, {"facing_deg": 150.0, "screen": None})), {"from-behind"}),
        (truth((NEAR, {"hidden": 0.3})), {"occluded"}),
        (truth((FAR, {})), {"far"}),
        (truth((FAR, {"hidden": 0.5})), {"occluded"}),
        (truth((CUT, {})), {"edge"}),
        (truth(((200, 0, 300, 90), {})), {"edge"}),
        (truth((NEAR, {}), (FAR, {})), {"far"}),
        (truth((NEAR, {}), (CUT, {}), touching=True), {"touching", "edge"}),
        (truth((NEAR, {}), blur_px=2.0), {"blur"}),
        (truth(own_body_px=60_000), {"none", "own-body"}),
    ],
)
def test_what_is_said_of_vectors_and_view(image, tags):
    assert set(tags_of(("cube", "screen-off", "occluded", "touching"), image, 120.0)) == tags


@pytest.mark.parametrize(
    ("things", "tags"),
    [
        ([("cube", 100)], set()),
        ([("cube", 300), ("cube-stack", 300)], {"cube"}),
        ([("cube-in-hand", 900)], {"cube", "hand"}),
        ([("plush", 900), ("cozmo", 900), ("charger", 900)], {"toy", "other-robot", "charger"}),
        ([("torso", 9000)], {"person"}),
        ([("ribbed-mug", 900)] * 4, set()),
        ([("ribbed-mug", 900)] * 5 + [("cable", 20)] * 9, {"clutter"}),
    ],
)
def test_things_count_where_enough_of_them_is_seen(things, tags):
    rooms_kinds = tuple(KNOWN_KINDS.keys() - {"room"})
    assert set(tags_of(rooms_kinds, truth(things=things), 120.0)) == {"none", "third-person"} | tags
    twice = truth(things=[(kind, 4 * px) for kind, px in things], size_wh=(1280, 720))
    assert set(tags_of(rooms_kinds, twice, 120.0)) == {"none", "third-person"} | tags


@pytest.mark.parametrize(
    ("kinds", "down_deg", "brightness", "tags"),
    [
        (("third-person",), 20.0, 120.0, {"third-person"}),
        (("third-person",), 70.0, 120.0, {"from-above"}),
        (("from-above",), 80.0, 120.0, {"from-above"}),
        (("cube",), 80.0, 120.0, set()),
        (("room",), 10.0, 120.0, {"room"}),
        (("room",), 50.0, 120.0, set()),
        (("low-light",), 5.0, 60.0, {"low-light"}),
        (("low-light",), 5.0, 110.0, set()),
        (("cube",), 5.0, 60.0, set()),
        (("cube",), 5.0, 20.0, {"low-light"}),
    ],
)
def test_the_view_counts_by_what_it_was_in_this_image(kinds, down_deg, brightness, tags):
    assert set(tags_of(kinds, truth(down_deg=down_deg), brightness)) == {"none"} | tags


def test_every_tag_is_known_and_a_vector_hardly_seen_is_unremarkable():
    assert {tag for tags in TAGS_OF_THINGS.values() for tag in tags} <= set(KNOWN_KINDS)
    image = truth((NEAR, {}))
    image["seen"]["vectors"] = []
    assert tags_of((), image, 120.0) == ["ordinary"]

"""The choice of a robot's frames, and what they cover."""

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vector_tl.capture.choose import Chooser, image_hash
from vector_tl.capture.sessions import sharpness
from vector_tl.data.coverage import (
    BINS,
    UNKNOWN,
    Coverage,
    bins_of,
    distance_by_height_mm,
    heading_of,
    place_of,
)

pytestmark = pytest.mark.fast

SIZE = (640, 360)


def shot(xyxy=((300, 100, 380, 170),), facing=0.0, brightness=100.0, sharp=50.0, **more) -> dict:
    boxes = None if xyxy is None else [list(box) for box in xyxy]
    return {
        "xyxy": boxes,
        "size_wh": SIZE,
        "facing_deg": facing,
        "brightness": brightness,
        "sharpness": sharp,
    } | more


def scene(x=300, y=180, radius=50, blur=0, noise=0) -> np.ndarray:
    image = np.tile(np.linspace(60, 180, 640, dtype=np.uint8), (360, 1))
    cv2.circle(image, (x, y), radius, 15, -1)
    image = cv2.GaussianBlur(image, (0, 0), blur) if blur else image
    return np.clip(
        image + np.random.default_rng(noise).normal(0, 6, image.shape) * bool(noise), 0, 255
    ).astype(np.uint8)


def test_news_is_a_vector_that_moved_and_not_noise():
    chooser = Chooser(0.06, Coverage())
    assert chooser.difference(scene()) == 1.0
    chooser.remember("a", scene(noise=1))
    assert chooser.difference(scene(noise=2)) < 0.01
    assert chooser.difference(scene(x=380, noise=3)) > 0.03
    chooser.remember("b", scene(x=380))
    assert (
        chooser.difference(scene(x=380, noise=3)) < 0.01
    )  # news beside every one that was kept, not the last one only
    chooser.forget("b")
    assert chooser.difference(scene(x=380, noise=3)) > 0.03
    assert image_hash(np.zeros((360, 640), np.uint8)).shape == image_hash(scene()).shape


def test_sharp_enough_is_relative_to_the_session():
    chooser = Chooser(0.0, Coverage())
    assert [chooser.objection(scene(), shot(sharp=s)) for s in (200, 190, 210, 205, 195, 200, 90, 101)] == [
        None
    ] * 6 + ["not sharp", None]
    dull = Chooser(0.0, Coverage())
    assert all(dull.objection(scene(), shot(sharp=4.0)) is None for _ in range(20))
    assert sharpness(scene()) > 3 * sharpness(scene(blur=4))


def test_what_is_missing_needs_less_news_and_plenty_needs_more():
    coverage = Coverage(shot() for _ in range(60))
    news = 0.05
    chooser = Chooser(news, coverage)
    chooser.difference = lambda grey: news * 1.2
    assert chooser.objection(scene(), shot()) == "nothing new"  # the 61st of its kind
    chooser.difference = lambda grey: news * 0.6
    assert chooser.objection(scene(), shot(facing=170.0)) is None
    assert chooser.objection(scene(), shot(xyxy=None, facing=None)) == "nothing new"


@pytest.mark.parametrize(
    ("given_shot", "bins"),
    [
        (
            shot(),
            {
                "distance": "300 to 500 mm",
                "place": "middle",
                "heading": "front",
                "brightness": "medium",
                "vectors": "one",
            },
        ),
        (shot(distance_mm=120.0, facing=91), {"distance": "under 150 mm", "heading": "its right"}),
        (shot(xyxy=()), {"vectors": "none", "brightness": "medium"}),
        (shot(xyxy=None), {"vectors": UNKNOWN, "distance": UNKNOWN, "place": UNKNOWN, "heading": UNKNOWN}),
        (shot(facing=None, brightness=3.0), {"heading": UNKNOWN, "brightness": "dark"}),
        (
            shot(xyxy=((0, 50, 90, 180), (500, 100, 520, 120)), brightness=220.0),
            {"place": "partly outside", "vectors": "two or more", "brightness": "bright"},
        ),
        (shot(xyxy=((30, 0, 200, 360),)), {"place": "partly outside", "distance": UNKNOWN}),
    ],
)
def test_bins(given_shot, bins):
    found = bins_of(given_shot)
    assert bins.items() <= found.items()
    assert all(name == UNKNOWN or name in BINS[kind] for kind, name in found.items())


def test_places_headings_and_distances():
    assert [place_of([x, 50, x + 40, 90], SIZE) for x in (0, 20, 300, 590, 600)] == [
        "partly outside",
        "left",
        "middle",
        "right",
        "partly outside",
    ]
    assert [heading_of(a) for a in (0, 44, 46, -90, 136, -179)] == [
        "front",
        "front",
        "its right",
        "its left",
        "back",
        "back",
    ]
    assert distance_by_height_mm([0, 100, 10, 100 + 353 * 67.5 / 400], SIZE) == pytest.approx(400)
    assert distance_by_height_mm([0, 0, 10, 100], SIZE) is None


def test_hints_are_plain():
    assert Coverage().hint() == "" and Coverage().lacking("place") == []
    coverage = Coverage(shot(facing=f, distance_mm=400.0) for f in (0, 0, 0, 90, 90, -90, -90, -90, 0))
    hint = coverage.hint()
    assert hint.startswith("Capture more images ") and hint.endswith(".")
    assert "from behind" in hint and "far away" in hint and len(hint.split(", ")) <= 4
    unlabelled = Coverage(shot(xyxy=None, facing=None, brightness=b) for b in (20, 100, 200) * 4)
    assert unlabelled.hint() == "Of these images the distance and heading cannot be estimated."


@given(
    st.lists(
        st.tuples(
            st.floats(0, 600),
            st.floats(0, 300),
            st.floats(17, 300),
            st.floats(17, 300),
            st.floats(-180, 180),
            st.floats(0, 255),
        ),
        max_size=30,
    )
)
def test_counts_add_up_and_can_be_taken_back(drawn):
    shots = [
        shot(xyxy=((x, y, min(x + w, 640), min(y + h, 360)),), facing=f, brightness=b)
        for x, y, w, h, f, b in drawn
    ]
    coverage = Coverage(shots)
    assert all(sum(counts.values()) == len(shots) for counts in coverage.table().values())
    for one in shots:
        coverage.add(one, -1)
    assert coverage.total == 0 and all(not sum(counts.values()) for counts in coverage.table().values())

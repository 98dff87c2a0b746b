"""A second look, nearer, at what a detector doubts."""

import json

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from support.lively import image
from vector_tl.detect.interface import Detections
from vector_tl.detect.run import detect
from vector_tl.detect.second_look import SecondLook, tile_around
from vector_tl.detect.settings import DetectSettings
from vector_tl.nets import checkpoint
from vector_tl.nets.build import build
from vector_tl.nets.calibration import UNCALIBRATED

pytestmark = pytest.mark.fast
WHOLE_WH, TILE_WH = (640, 360), (320, 180)


class Scripted:
    """Finds in an image of each size what it was given: [(box, score)]; what it looked at is noted."""

    name, arch, init, engine, threshold, calibration = "model", "arch", "coco", "none", 0.8, UNCALIBRATED

    def __init__(self, whole, tile=()):
        self.found, self.seen = {WHOLE_WH: whole, TILE_WH: tile}, []

    def batch(self, images, threshold=None):
        self.seen += images
        return [self._above(self.found[each.shape[1::-1]], threshold) for each in images]

    def _above(self, found, threshold):
        found = [(box, score) for box, score in found if score > threshold]
        boxes = np.array([box for box, _ in found], np.float32).reshape(-1, 4)
        return Detections(boxes, np.array([score for _, score in found], np.float32))


def look(whole, tile=(), threshold=None):
    """What is found in an image of a robot's camera, and the detector."""
    detector = Scripted(whole, tile)
    return SecondLook(detector)(image(*WHOLE_WH), threshold), detector


def test_a_doubtful_box_is_looked_at_and_found():
    """The tile's middle is the box's middle; its box comes back in pixels of the image."""
    found, detector = look([((300, 170, 340, 190), 0.3)], [((130, 75, 190, 105), 0.99)])
    assert np.array_equal(detector.seen[1], image(*WHOLE_WH)[90:270, 160:480])
    assert len(found) == 1 and 0.97 < found.scores[0] < 0.99
    assert np.abs(found.boxes_xyxy[0] - (290, 165, 350, 195)).max() < 2
    assert found.boxes_xyxy.dtype == found.scores.dtype == np.float32


@pytest.mark.parametrize(
    ("name", "whole"),
    [
        ("nothing", []),
        ("sure already", [((300, 170, 340, 190), 0.9)]),
        ("hardly a score", [((300, 170, 340, 190), 0.04)]),
        ("too near to gain from it", [((200, 50, 400, 200), 0.5)]),
    ],
)
def test_one_look_is_enough(name, whole):
    found, detector = look(whole, [((130, 75, 190, 105), 0.99)])
    assert len(detector.seen) == 1
    assert found.scores.tolist() == [np.float32(score) for _, score in whole if score > 0.8]


@pytest.mark.parametrize(
    ("name", "doubtful", "in_tile", "kept"),
    [
        ("cut by the left edge", (300, 170, 340, 190), (2, 75, 100, 105), False),
        ("cut by the lower edge", (300, 170, 340, 190), (100, 75, 160, 179), False),
        ("at the image's own left edge", (0, 170, 40, 190), (0, 75, 60, 105), True),
        ("at the image's own lower corner", (600, 340, 640, 360), (260, 120, 320, 180), True),
    ],
)
def test_what_a_tile_cuts_does_not_count(name, doubtful, in_tile, kept):
    found, _ = look([(doubtful, 0.3)], [(in_tile, 0.99)])
    assert len(found) == kept


def test_the_same_robot_in_both_looks_is_one():
    """And another one, found at once, stays."""
    found, _ = look(
        [((40, 40, 160, 160), 0.95), ((300, 170, 340, 190), 0.7)],
        [((138, 79, 182, 101), 0.99)],
        threshold=0.5,
    )
    assert len(found) == 2 and (np.diff(found.scores) < 0).all()


def test_two_looks_ask_for_more():
    """A score just above the threshold counts in the image, not in a tile."""
    assert len(look([((300, 170, 340, 190), 0.3)], [((130, 75, 190, 105), 0.81)])[0]) == 0


@given(st.lists(st.floats(0, 1), min_size=4, max_size=4), st.tuples(st.integers(2, 900), st.integers(2, 900)))
def test_a_tile_lies_in_the_image(corners, size):
    box, size_wh = np.sort(np.array(corners).reshape(2, 2), axis=0).reshape(-1), np.array(size)
    tile = tile_around(box * np.tile(size_wh, 2), size_wh)
    assert (tile[:2] >= 0).all() and (tile[2:] <= size_wh).all()
    assert np.array_equal(tile[2:] - tile[:2], size_wh // 2)


def test_detect_takes_images_of_any_size(tmp_path):
    """With a network whose scores mean nothing: all of them are doubtful."""
    checkpoint.save(tmp_path / "m.safetensors", build("ssd300_mobilenet_v1", "scratch"), {"threshold": 0.9})
    for width, height in ((640, 360), (1, 1), (3, 2), (90, 400)):
        cv2.imwrite(str(tmp_path / f"{width}.png"), image(width, height))
    settings = DetectSettings(str(tmp_path / "m.safetensors"), (tmp_path,), threshold=0.02, tiles=True)
    rows = [row for row in detect(settings) if "boxes" in row]
    assert len(rows) == 4
    for row in rows:
        boxes = np.array([box["xyxy"] for box in row["boxes"]]).reshape(-1, 4)
        assert (boxes >= 0).all() and (boxes <= row["size_wh"] * 2).all()
        json.dumps(row, allow_nan=False)

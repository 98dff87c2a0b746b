"""The form of what a lesson shows: figures and boxes of a comparison, without its images.

Boxes are rounded pixels of images of 640 x 360. Scores are calibrated, in thousandths.
"""

from typing import NotRequired, TypedDict

# [x1, y1, x2, y2, score in thousandths, number of the Vector that it finds or -1]
Box = list[int]


class Scene(TypedDict):
    """An image that both models look at, and the bounding boxes of its Vectors."""

    name: str  # SESSION/NAME
    vectors: list[list[int]]  # xyxy of each


class Point(TypedDict):
    """What a model in training sees after so many images seen.

    `found` and `false_alarms` count over all images, for each of the lesson's thresholds.
    """

    images_seen: int
    ap50: float | None
    boxes: list[list[Box]]  # of each scene
    found: list[int]
    false_alarms: list[int]
    model: NotRequired[str]  # a shipped one, of another training than the points before it


class Learned(TypedDict):
    """A training and what it sees as it goes."""

    arm: str  # coco or scratch
    images: int  # to train on
    points: list[Point]


class Curve(TypedDict):
    """Learning curve: AP50 on the validation sessions, over seeds."""

    arm: str
    images: int
    kind: str  # equal or long
    seeds: int
    images_seen: list[int]
    mean: list[float]
    low: list[float]
    high: list[float]


class Room(TypedDict):
    """A simulated session that scenes are drawn from; see `capture.plan.SessionPlan`."""

    session: str
    seed: int
    world: int
    images: int
    first: int
    negatives: float
    moving: float
    camera: str
    kinds: list[str]


class Figures(TypedDict):
    """All that a page shows beside its images and words."""

    thresholds: list[float]
    vectors: int  # in all images that were looked at
    images: int  # that were looked at
    scenes: list[Scene]
    trainings: list[Learned]
    curves: list[Curve]
    rooms: NotRequired[list[Room]]  # of the shipped comparison, whose images are drawn on the user's machine

"""Which kinds hold of one image, by what it shows, not only of its room; see `data.kinds.KNOWN_KINDS`."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from vector_tl.capture.ground_truth import all_boxes
from vector_tl.data.boxes import sides

# Thing in a room -> the kinds that an image has which shows it.
TAGS_OF_THINGS = {
    "cube": ("cube",),
    "cube-stack": ("cube",),
    "cube-in-hand": ("cube", "hand"),
    "hand": ("hand",),
    "truck": ("toy",),
    "car": ("toy",),
    "blocks": ("toy",),
    "plush": ("toy",),
    "animal": ("toy",),
    "charger": ("charger",),
    "cozmo": ("other-robot",),
    "torso": ("person",),
    "sitter": ("person",),
}
# Pixels of an image of 640 x 360: of what gives a tag, of one thing among many, of the viewer's own body.
MIN_SEEN_PX, MIN_THING_PX, MIN_OWN_BODY_PX = 500, 150, 30_000
MANY_THINGS = 5
NO_THINGS = {"mat", "shelf"}  # what things lie on
MIN_HIDDEN = 0.12  # share of a Vector
FAR_PX, WIDE_PX = 60.0, 90.0  # height and width of a near Vector's box, in an image of 360 lines
DARK_SCREEN, LIT_SCREEN = 0.02, 0.3  # light of a screen, 1 as usual
UNREMARKABLE = {"hidden": 0.0, "facing_deg": 90.0, "screen": None}  # of a Vector that is hardly seen
BEHIND_DEG, ABOVE_DEG, LEVEL_DEG = 120.0, 55.0, 35.0
DARK_ROOM, DARK_IMAGE = 92.0, 55.0  # mean grey levels: in a dark room, and in any
BLUR_PX = 1.3  # standard deviation in an image 640 wide
BORDER_PX = 1.0
HARD = {
    "screen-off",
    "touching",
    "occluded",
    "clutter",
    "low-light",
    "blur",
    "edge",
    "far",
    "from-above",
    "from-behind",
}


def tags_of(kinds: Sequence[str], truth: dict[str, Any], brightness: float) -> list[str]:
    """The kinds that hold of one image of a session, for `kinds.json`.

    Args:
        kinds: of its room.
        truth: of the image, with what it shows beside its boxes; see `GroundTruth.truth`.
        brightness: mean grey level, 0 to 255.
    """
    boxes, seen = all_boxes(truth["boxes"]), truth["seen"]
    width, height = truth["size_wh"]
    share = width * height / (640 * 360)
    by_number = {vector["vector"]: vector for vector in seen["vectors"]}
    vectors = [by_number.get(box["vector"], UNREMARKABLE) for box in truth["boxes"]]
    tags = _of_vectors(boxes, vectors, (width, height)) if vectors else ["none"]
    tags += ["touching"] * (seen["touching"] and len(vectors) > 1)
    tags += _of_things(seen["things"], share)
    tags += _of_view(kinds, seen, brightness, share)
    if len(vectors) == 1 and not HARD & set(tags) and _is_lit(vectors[0]):
        tags.insert(0, "ordinary")
    return tags


def _of_vectors(
    boxes_xyxy: np.ndarray, vectors: Sequence[dict[str, Any]], size_wh: tuple[int, int]
) -> list[str]:
    """What holds of at least one Vector, by its box, (N, 4), and how it is seen."""
    cut = (boxes_xyxy <= BORDER_PX)[:, :2].any(axis=1)
    cut |= (boxes_xyxy[:, 2:] >= np.array(size_wh) - BORDER_PX).any(axis=1)
    hidden = np.array([vector["hidden"] >= MIN_HIDDEN for vector in vectors])
    small = (sides(boxes_xyxy) < np.array([WIDE_PX, FAR_PX]) * size_wh[1] / 360).all(axis=1)
    holds = {
        "screen-off": any(_is_off(vector) for vector in vectors),
        "occluded": hidden.any(),
        "edge": cut.any(),
        "far": (small & ~cut & ~hidden).any(),
        "from-behind": any(vector["facing_deg"] > BEHIND_DEG for vector in vectors),
    }
    return [tag for tag, true in holds.items() if true]


def _of_things(things: Sequence[dict[str, Any]], share: float) -> list[str]:
    """The kinds of what is seen around Vectors; `share` is the image's area beside 640 x 360."""
    pixels: dict[str, int] = {}
    for thing in things:
        for tag in TAGS_OF_THINGS.get(thing["kind"], ()):
            pixels[tag] = pixels.get(tag, 0) + thing["visible_px"]
    around = [thing for thing in things if thing["kind"] not in NO_THINGS]
    many = sum(thing["visible_px"] >= MIN_THING_PX * share for thing in around)
    return ["clutter"] * (many >= MANY_THINGS) + [
        tag for tag, px in pixels.items() if px >= MIN_SEEN_PX * share
    ]


def _of_view(kinds: Sequence[str], seen: dict[str, Any], brightness: float, share: float) -> list[str]:
    """The kinds that say how the image was taken."""
    by_phone = bool({"third-person", "from-above"} & set(kinds))
    of_room = "room" in kinds and not seen["vectors"]
    holds = {
        "from-above": by_phone and seen["down_deg"] >= ABOVE_DEG,
        "third-person": by_phone and seen["down_deg"] < ABOVE_DEG,
        "room": of_room and seen["down_deg"] < LEVEL_DEG,
        "own-body": seen["own_body_px"] >= MIN_OWN_BODY_PX * share,
        "low-light": brightness < (DARK_ROOM if "low-light" in kinds else DARK_IMAGE),
        "blur": seen["blur_px"] >= BLUR_PX,
    }
    return [tag for tag, true in holds.items() if true]


def _is_off(vector: dict[str, Any]) -> bool:
    return vector["screen"] is not None and vector["screen"] < DARK_SCREEN


def _is_lit(vector: dict[str, Any]) -> bool:
    return vector["screen"] is None or vector["screen"] >= LIT_SCREEN

"""What stands and lies in rooms of harder kinds: how large it is, and where robots still have a lane.

Sizes are those of real things (a Vector is 97 mm long, 58 mm wide, 67 mm high).
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from vector_tl.sim.world import footprint as fp
from vector_tl.sim.world.scene import Obstacle, Room

CUBE_MM = 44.0
LANE_MM = ((260.0, 340.0), (108.0, 125.0))  # half length and half width of the ground that stays free
FULL_MM2 = 1.2e6  # smaller ground holds fewer things
GAP_MM = 5.0  # between two things
TRIES = 30
Range = tuple[float, float]


@dataclass(frozen=True)
class Size:
    """How large a kind of thing is, and where it stands.

    Attributes:
        half_x_mm: half its depth, from its middle to its front.
        height_mm: its height.
        aspect: its width as a share of its depth.
        round: whether it covers a disc.
        at: "lane" (beside the lane or anywhere), "rim" (at the ground's edge, facing the middle), "beyond"
            (outside of it), or "flat" (lies anywhere and stops no robot).
    """

    half_x_mm: Range
    height_mm: Range
    aspect: Range = (1.0, 1.0)
    round: bool = False
    at: str = "lane"


SIZES = {
    "cube": Size((CUBE_MM / 2, CUBE_MM / 2), (CUBE_MM, CUBE_MM)),
    "cube-stack": Size((28, 28), (2 * CUBE_MM, 3 * CUBE_MM)),
    "ribbed-mug": Size((46, 58), (80, 105), round=True),
    "blue-bottle": Size((29, 38), (170, 250), round=True),
    "speaker": Size((38, 75), (90, 230), (0.8, 1.1)),
    "keyboard": Size((55, 70), (16, 26), (2.2, 3.2)),
    "mouse": Size((46, 58), (30, 40), (0.52, 0.62)),
    "notebook": Size((75, 110), (7, 16), (0.65, 0.8)),
    "books": Size((85, 120), (30, 130), (0.65, 0.8)),
    "plant": Size((40, 70), (150, 320), round=True),
    "black-dish": Size((55, 110), (18, 48), round=True),
    "headphones": Size((88, 100), (60, 80), (0.85, 0.95)),
    "phone-stand": Size((36, 50), (90, 150), (0.75, 1.0)),
    "adapter": Size((40, 58), (26, 36), (0.4, 0.55)),
    "tape": Size((25, 48), (18, 50), round=True),
    "pen-pot": Size((30, 42), (130, 190), round=True),
    "screwdriver": Size((80, 115), (24, 32), (0.14, 0.18)),
    "pliers": Size((75, 95), (12, 18), (0.3, 0.36)),
    "can": Size((28, 36), (95, 170), round=True),
    "carton": Size((30, 90), (40, 170), (0.45, 1.0)),
    "device": Size((30, 75), (25, 120), (0.6, 1.2)),
    "shoes": Size((90, 130), (70, 110), (0.38, 0.45)),
    "sack": Size((60, 120), (90, 240), (0.6, 1.0)),
    "monitor": Size((70, 95), (360, 480), (1.1, 1.5), at="rim"),
    "lamp": Size((65, 95), (330, 480), round=True, at="rim"),
    "paper": Size((70, 150), (0.6, 1.6), (0.65, 1.5), at="flat"),
    "note": Size((36, 40), (0.8, 1.8), at="flat"),
    "pen": Size((66, 78), (8, 9), (0.07, 0.08), at="flat"),
    "cable": Size((120, 320), (4, 6), (0.2, 0.7), at="flat"),
    "mat": Size((90, 190), (1.5, 2.5), (1.0, 2.0), at="flat"),
    "truck": Size((55, 90), (55, 85), (0.42, 0.5)),
    "car": Size((36, 60), (28, 42), (0.45, 0.52)),
    "blocks": Size((32, 60), (40, 120), (0.8, 1.2)),
    "plush": Size((45, 80), (100, 190), round=True),
    "animal": Size((50, 85), (70, 130), (0.35, 0.45)),
    "charger": Size((66, 66), (91, 91), (0.62, 0.62)),
    "cozmo": Size((55, 58), (66, 70), (0.53, 0.55)),
    "hand": Size((82, 96), (70, 110), (0.52, 0.6)),
    "sitter": Size((150, 180), (560, 680), (1.2, 1.4), at="rim"),
    "torso": Size((110, 140), (450, 620), (1.6, 1.9), at="beyond"),
}
DESK = [
    "ribbed-mug",
    "blue-bottle",
    "speaker",
    "keyboard",
    "mouse",
    "notebook",
    "books",
    "plant",
    "black-dish",
    "headphones",
    "phone-stand",
    "adapter",
    "tape",
    "pen-pot",
    "screwdriver",
    "pliers",
    "can",
    "carton",
    "device",
    "cube",
]
ON_FLOOR = [
    "speaker",
    "books",
    "plant",
    "black-dish",
    "headphones",
    "adapter",
    "tape",
    "can",
    "carton",
    "device",
    "device",
    "shoes",
    "sack",
]
HIDING = [
    "ribbed-mug",
    "blue-bottle",
    "speaker",
    "books",
    "plant",
    "can",
    "carton",
    "device",
    "cube-stack",
    "pen-pot",
]
FLAT = ["paper", "paper", "note", "pen", "cable", "cable", "mat"]
TOYS = ["truck", "car", "blocks", "plush", "animal"]
# Kind of a room -> what of its things, at least and at most how many; the first fitting surface counts.
CONTENTS: dict[str, tuple[tuple[Sequence[str], int, int], ...]] = {
    "cube": ((("cube", "cube", "cube", "cube-stack"), 3, 6),),
    "occluded": ((HIDING, 4, 7),),
    "charger": ((("charger",), 1, 1),),
    "hand": ((("hand",), 1, 2),),
    "other-robot": ((("cozmo",), 1, 2),),
    "toy": ((TOYS, 2, 5),),
    "person": ((("torso",), 1, 2), (("hand",), 0, 1)),
    "clutter": ((("monitor", "lamp"), 0, 2), (DESK, 9, 17), (FLAT, 3, 9)),
}
INSTEAD_ON_FLOOR: dict[str, tuple[tuple[Sequence[str], int, int], ...]] = {
    "person": ((("sitter",), 1, 2),),
    "clutter": ((ON_FLOOR, 8, 15), (FLAT, 2, 6)),
}


def with_harder_things(room: Room) -> Room:
    """The room with what its kinds ask for; a room without kinds stays as it is.

    Along a lane through the middle no thing stands, so that Vectors find a place to start from.
    """
    rng = np.random.default_rng([room.seed, 8])
    contents = CONTENTS | (INSTEAD_ON_FLOOR if room.surface == "floor" else {})
    lane, share = _free_lane(rng, room), min(1.0, 4 * room.half_x_mm * room.half_y_mm / FULL_MM2)
    for kind, sorts in contents.items():
        if kind not in room.kinds:
            continue
        for names, fewest, most in sorts:
            count = math.ceil(share * int(rng.integers(fewest, most + 1)))
            for name in rng.choice(names, count):
                room = _with_one(room, str(name), lane, rng)
    return room


def _free_lane(rng: np.random.Generator, room: Room) -> fp.Footprint:
    """A rectangle near the middle that nothing of the room reaches into."""
    things = [fp.of_obstacle(thing) for thing in room.obstacles]
    (short, long), (narrow, wide) = LANE_MM
    for _ in range(4 * TRIES):
        x, y = rng.normal(0, 60, 2)
        lane = fp.Footprint(
            float(x),
            float(y),
            float(rng.uniform(-math.pi, math.pi)),
            min(float(rng.uniform(short, long)), 0.8 * max(room.half_x_mm, room.half_y_mm)),
            float(rng.uniform(narrow, wide)),
        )
        if _inside(lane, room) and all(fp.gap_mm(lane, thing) >= 0 for thing in things):
            return lane
    return fp.Footprint(0.0, 0.0, 0.0, 200.0, 150.0)  # `make_room` keeps so much free


def _with_one(room: Room, name: str, lane: fp.Footprint, rng: np.random.Generator) -> Room:
    """The room with one thing more, or as it is where that finds no place."""
    size = SIZES[name]
    half_x = float(rng.uniform(*size.half_x_mm))
    half_y = half_x * float(rng.uniform(*size.aspect))
    height = float(rng.uniform(*size.height_mm))
    standing = [lane, *(fp.of_obstacle(thing) for thing in room.obstacles)]
    for x, y, heading in _places(size.at, room, lane, math.hypot(half_x, half_y), rng):
        thing = Obstacle(x, y, heading, half_x, half_y, height, name, size.round)
        shape = fp.of_obstacle(thing)
        if size.at == "beyond" or (size.at == "flat" and _inside(shape, room)):
            return replace(room, loose=(*room.loose, thing))
        if _inside(shape, room) and all(fp.gap_mm(shape, other) >= GAP_MM for other in standing):
            return replace(room, obstacles=(*room.obstacles, thing))
    return room


def _places(
    at: str, room: Room, lane: fp.Footprint, reach_mm: float, rng: np.random.Generator
) -> Iterator[tuple[float, float, float]]:
    """Places and headings to try for a thing that reaches so far around its middle, see `Size.at`."""
    for _ in range(TRIES):
        if at in ("rim", "beyond"):
            yield _at_the_rim(room, reach_mm * (-0.9 if at == "beyond" else 1.0), rng)
            continue
        if at == "lane" and rng.random() < 0.55:
            x, y = _beside(lane, reach_mm, rng)
        else:
            x, y = rng.uniform(-0.95, 0.95, 2) * (room.half_x_mm, room.half_y_mm)
        inwards = math.atan2(-y, -x) + rng.normal(0, 0.5)
        heading = inwards if rng.random() < 0.6 else rng.uniform(-math.pi, math.pi)
        yield float(x), float(y), float(heading)


def _beside(lane: fp.Footprint, reach_mm: float, rng: np.random.Generator) -> tuple[float, float]:
    """A place along the lane's long sides, a few fingers' widths away."""
    along = rng.uniform(-1.1, 1.1) * lane.half_x_mm
    across = rng.choice([-1, 1]) * (lane.half_y_mm + reach_mm + rng.gamma(1.5, 30.0))
    c, s = math.cos(lane.heading_rad), math.sin(lane.heading_rad)
    return lane.x_mm + c * along - s * across, lane.y_mm + s * along + c * across


def _at_the_rim(room: Room, inside_mm: float, rng: np.random.Generator) -> tuple[float, float, float]:
    """A place so far inside one of the ground's four edges, facing inwards."""
    side, along = int(rng.integers(4)), rng.uniform(-0.7, 0.7)
    inside_mm += rng.uniform(2, 60) * (1 if inside_mm > 0 else -1)
    x, y = room.half_x_mm - inside_mm, room.half_y_mm - inside_mm
    place = [
        (x, along * room.half_y_mm),
        (along * room.half_x_mm, y),
        (-x, along * room.half_y_mm),
        (along * room.half_x_mm, -y),
    ][side]
    return float(place[0]), float(place[1]), side * math.pi / 2 + math.pi + float(rng.normal(0, 0.25))


def _inside(shape: fp.Footprint, room: Room) -> bool:
    """Whether all of a footprint is on the room's ground."""
    if shape.round:
        reach_x, reach_y = abs(shape.x_mm) + shape.half_x_mm, abs(shape.y_mm) + shape.half_x_mm
        return reach_x <= room.half_x_mm and reach_y <= room.half_y_mm
    return all(abs(x) <= room.half_x_mm and abs(y) <= room.half_y_mm for x, y in shape.corners())

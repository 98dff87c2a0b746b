"""The robot's memory of the ground: where it drove, what its range sensor met, where it saw an edge.

Kept in the robot's own coordinates, on a grid; sent as the quad-tree of the SDK's `NavMapGrid`.
"""

import math
from collections.abc import Iterable, Iterator

from anki_vector.messaging import protocol

from vector_tl.robot.body import RANGE_MAX_MM, RANGE_MIN_MM
from vector_tl.sim.world import footprint as fp
from vector_tl.sim.world.scene import Pose

CELL_MM = 25.0
MIN_DEPTH, MAX_DEPTH = 5, 8  # 800 mm to 6.4 m square
_content = protocol.NavNodeContentType.Value
UNKNOWN, CLEAR, DRIVEN = map(
    _content, ("NAV_NODE_UNKNOWN", "NAV_NODE_CLEAR_OF_OBSTACLE", "NAV_NODE_CLEAR_OF_CLIFF")
)
KNOWN_OBJECT, OBSTACLE, CLIFF = map(
    _content, ("NAV_NODE_OBSTACLE_CUBE", "NAV_NODE_OBSTACLE_PROXIMITY", "NAV_NODE_CLIFF")
)
Cell = tuple[int, int]


class NavMap:
    """What one robot remembers: `note` takes what it senses, `message` is the whole map."""

    def __init__(self):
        self._origin_id = 0
        self._cells: dict[Cell, int] = {}
        self.objects: dict[int, fp.Footprint] = {}  # made up by an SDK program: it drives around them
        self._next_id = 1

    def add_object(self, shape: fp.Footprint) -> int:
        """Remember an object that a program says is there. Returns its id."""
        number = self.new_id()
        self.objects[number] = shape
        return number

    def new_id(self) -> int:
        """An id that no object has yet."""
        number, self._next_id = self._next_id, self._next_id + 1
        return number

    def note(
        self,
        origin_id: int,
        pose: Pose,
        range_mm: float | None,
        range_from_mm: float,
        cliffs: Iterable[tuple[float, float]],
    ) -> None:
        """Take in what it senses at one moment.

        Args:
            origin_id: another one than before means that it does not know where it is any more.
            pose: by its own odometry.
            range_mm: distance to the nearest thing ahead, None when free as far as the sensor reaches.
            range_from_mm: how far before the origin the sensor sits.
            cliffs: points (x before, y left of the origin, mm) at which it sees an edge.
        """
        if origin_id != self._origin_id and self._origin_id:
            self._cells.clear()
            self.objects.clear()
        self._origin_id = origin_id
        x, y, heading = pose
        c, s = math.cos(heading), math.sin(heading)

        def cell(forward: float, left: float) -> Cell:
            along, across = x + c * forward - s * left, y + s * forward + c * left
            return math.floor(along / CELL_MM), math.floor(across / CELL_MM)

        cells = self._cells
        end = min(RANGE_MAX_MM, math.inf if range_mm is None else range_mm)
        for step in range(int(end / CELL_MM)):
            where = cell(range_from_mm + step * CELL_MM, 0.0)
            if cells.get(where) != DRIVEN:
                cells[where] = CLEAR
        if range_mm is not None and RANGE_MIN_MM <= range_mm < RANGE_MAX_MM:
            cells[cell(range_from_mm + range_mm + 1.0, 0.0)] = OBSTACLE
        for forward in (-45.0, -20.0, 5.0, 30.0):
            for left in (-25.0, 0.0, 25.0):
                cells[cell(forward, left)] = DRIVEN
        for point in cliffs:
            cells[cell(*point)] = CLIFF

    def message(self) -> protocol.NavMapFeedResponse:
        """The whole map as the SDK takes it."""
        cells = dict(self._cells)
        for shape in self.objects.values():
            cells |= dict.fromkeys(_cells_under(shape), KNOWN_OBJECT)
        reach = max((max(i + 1, -i, j + 1, -j) for i, j in cells), default=1)
        depth = min(max(math.ceil(math.log2(2 * reach)), MIN_DEPTH), MAX_DEPTH)
        half = 2 ** (depth - 1)
        inside = {cell: content for cell, content in cells.items() if -half <= min(cell) and max(cell) < half}
        quads = [
            protocol.NavMapQuadInfo(content=content, depth=at)
            for content, at in _quads(inside, -half, -half, depth)
        ]
        info = protocol.NavMapInfo(  # centred on the origin
            root_depth=depth, root_size_mm=2 * half * CELL_MM
        )
        return protocol.NavMapFeedResponse(origin_id=self._origin_id, map_info=info, quad_infos=quads)


def _cells_under(shape: fp.Footprint) -> Iterator[Cell]:
    """The cells that a footprint covers or touches."""
    reach = math.ceil(shape.reach_mm / CELL_MM)
    i0, j0 = math.floor(shape.x_mm / CELL_MM), math.floor(shape.y_mm / CELL_MM)
    for i in range(i0 - reach, i0 + reach + 1):
        for j in range(j0 - reach, j0 + reach + 1):
            x_mm, y_mm = (i + 0.5) * CELL_MM, (j + 0.5) * CELL_MM
            if fp.gap_mm(fp.Footprint(x_mm, y_mm, 0.0, CELL_MM / 2, CELL_MM / 2), shape) < 0:
                yield i, j


def _quads(cells: dict[Cell, int], i0: int, j0: int, depth: int) -> list[tuple[int, int]]:
    """(content, depth) of the quad-tree's leaves for the square of 2^depth cells at (i0, j0).

    In the SDK's order: +x+y, +x-y, -x+y, -x-y. Like ones are joined.
    """
    if depth == 0:
        return [(cells.get((i0, j0), UNKNOWN), 0)]
    if not cells:
        return [(UNKNOWN, depth)]
    half = 2 ** (depth - 1)
    leaves = []
    for i, j in ((i0 + half, j0 + half), (i0 + half, j0), (i0, j0 + half), (i0, j0)):
        inside = {
            (a, b): content for (a, b), content in cells.items() if i <= a < i + half and j <= b < j + half
        }
        leaves += _quads(inside, i, j, depth - 1)
    alike = len(leaves) == 4 and len(set(leaves)) == 1  # four leaves are all of depth - 1
    return [(leaves[0][0], depth)] if alike else leaves

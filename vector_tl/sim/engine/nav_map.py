"""The robot's memory of the ground: what it drove over, what its range sensor met, where its cliff sensors saw an edge.

Kept in the robot's own coordinates, on a grid; sent as the quad-tree of the SDK's `NavMapGrid`.
"""

import math
from collections.abc import Iterable

from anki_vector.messaging import protocol

from vector_tl.sim.world import footprint as fp

CELL_MM = 25.0
MIN_DEPTH, MAX_DEPTH = 5, 8  # 800 mm to 6.4 m square
SEEN_MM = 400.0  # the range sensor is believed so far
UNKNOWN, CLEAR, DRIVEN, KNOWN_OBJECT, OBSTACLE, CLIFF = (
    protocol.NavNodeContentType.Value("NAV_NODE_" + name)
    for name in (
        "UNKNOWN",
        "CLEAR_OF_OBSTACLE",
        "CLEAR_OF_CLIFF",
        "OBSTACLE_CUBE",
        "OBSTACLE_PROXIMITY",
        "CLIFF",
    )
)
Cell = tuple[int, int]


class NavMap:
    """What one robot remembers. `note` what it senses, `message` is the whole map."""

    def __init__(self):
        self._origin_id = 0
        self._cells: dict[Cell, int] = {}
        self.objects: dict[int, fp.Footprint] = {}  # made up by an SDK program: it drives round them
        self._next_id = 1

    def add_object(self, shape: fp.Footprint) -> int:
        """Remember an object that a program says is there. Returns its id."""
        number, self._next_id = self._next_id, self._next_id + 1
        self.objects[number] = shape
        return number

    def note(
        self,
        origin_id: int,
        pose: tuple[float, float, float],
        range_mm: float | None,
        range_from_mm: float,
        cliffs: Iterable[tuple],
    ) -> None:
        """Take in a moment.

        Args:
            origin_id: another one than before means that it does not know where it is any more.
            pose: x, y (mm) and heading (rad) by its own odometry.
            range_mm: way to the nearest thing ahead, None when free as far as the sensor reaches.
            range_from_mm: where the sensor sits before the origin.
            cliffs: points (x, y before and left of the origin, mm) at which it sees an edge.
        """
        if origin_id != self._origin_id and self._origin_id:
            self._cells.clear()
            self.objects.clear()
        self._origin_id = origin_id
        x, y, heading = pose
        c, s = math.cos(heading), math.sin(heading)

        def cell(forward: float, left: float) -> Cell:
            return math.floor((x + c * forward - s * left) / CELL_MM), math.floor(
                (y + s * forward + c * left) / CELL_MM
            )

        cells = self._cells
        end = min(SEEN_MM, math.inf if range_mm is None else range_mm)
        for step in range(int(end / CELL_MM)):
            where = cell(range_from_mm + step * CELL_MM, 0.0)
            if cells.get(where) != DRIVEN:
                cells[where] = CLEAR
        if range_mm is not None and range_mm < SEEN_MM:
            cells[cell(range_from_mm + range_mm + 1.0, 0.0)] = OBSTACLE
        for forward in (-45.0, -20.0, 5.0, 30.0):
            for left in (-25.0, 0.0, 25.0):
                cells[cell(forward, left)] = DRIVEN
        for point in cliffs:
            cells[cell(*point)] = CLIFF

    def message(self):
        """The whole map as a `NavMapFeedResponse`."""
        cells = dict(self._cells)
        for shape in self.objects.values():
            reach = math.ceil(shape.reach_mm / CELL_MM)
            i, j = math.floor(shape.x_mm / CELL_MM), math.floor(shape.y_mm / CELL_MM)
            for where in ((i + a, j + b) for a in range(-reach, reach + 1) for b in range(-reach, reach + 1)):
                spot = fp.Footprint(
                    (where[0] + 0.5) * CELL_MM, (where[1] + 0.5) * CELL_MM, 0.0, CELL_MM / 2, CELL_MM / 2
                )
                if fp.gap_mm(spot, shape) < 0:
                    cells[where] = KNOWN_OBJECT
        reach = max((max(i + 1, -i, j + 1, -j) for i, j in cells), default=1)
        depth = min(max(math.ceil(math.log2(2 * reach)), MIN_DEPTH), MAX_DEPTH)
        half = 2 ** (depth - 1)
        cells = {
            where: content for where, content in cells.items() if -half <= min(where) and max(where) < half
        }
        quads = [
            protocol.NavMapQuadInfo(content=content, depth=at)
            for content, at in _quads(cells, -half, -half, depth)
        ]
        info = protocol.NavMapInfo(
            root_depth=depth,
            root_size_mm=2 * half * CELL_MM,
            root_center_x=0.0,
            root_center_y=0.0,
            root_center_z=0.0,
        )
        return protocol.NavMapFeedResponse(origin_id=self._origin_id, map_info=info, quad_infos=quads)


def _quads(cells: dict[Cell, int], i0: int, j0: int, depth: int) -> list[tuple[int, int]]:
    """(content, depth) of the leaves of the square of 2^depth cells at (i0, j0), in the SDK's order: +x+y, +x-y, -x+y, -x-y; like ones joined."""
    size = 2**depth
    if depth == 0:
        return [(cells.get((i0, j0), UNKNOWN), 0)]
    if not cells:
        return [(UNKNOWN, depth)]
    half = size // 2
    leaves = []
    for i, j in ((i0 + half, j0 + half), (i0 + half, j0), (i0, j0 + half), (i0, j0)):
        inside = {
            where: content
            for where, content in cells.items()
            if i <= where[0] < i + half and j <= where[1] < j + half
        }
        leaves += _quads(inside, i, j, depth - 1)
    if (
        len(leaves) == 4
        and len({content for content, _ in leaves}) == 1
        and all(at == depth - 1 for _, at in leaves)
    ):
        return [(leaves[0][0], depth)]
    return leaves

"""Ways around obstacles, and the robot's own drives along them."""

import heapq
import math
from collections.abc import Callable

from vector_tl.robot.body import DRIVE_CENTER_X_MM, ahead
from vector_tl.sim.engine import routine
from vector_tl.sim.world import footprint as fp
from vector_tl.sim.world.scene import Pose

Point = tuple[float, float]
CLEAR_MM = 74.0  # kept from obstacles by the drive centre: a Vector that turns on the spot reaches 70 mm
MIN_CLEAR_MM = 5.0
CORNER_MM = 2.0  # corners to drive around lie so much farther out
ROUND_CORNERS = 8
CHARGER_BEFORE_MM = 110.0  # from here it backs onto the charger
CHARGER_OFF_MM = 100.0
CHARGER_MMPS, CHARGER_RADPS = 80.0, 2.0
LOOK_TURNS, LOOK_RADPS, LOOK_PAUSE_MS = 8, 1.5, 300
LOOK_HEAD_RAD = (0.0, 0.35)


def route(start: Point, goal: Point, blocks: list[fp.Footprint]) -> list[Point] | None:
    """The shortest way along the obstacles' corners (visibility graph, Dijkstra).

    Returns:
        its points after `start`; None when there is no way.
    """
    room = min((free_mm(end, end, block) for block in blocks for end in (start, goal)), default=math.inf)
    clear = min(CLEAR_MM, room - 1.0)
    if clear < MIN_CLEAR_MM:
        return None
    points = [start, goal, *(corner for block in blocks for corner in _corners(block, clear + CORNER_MM))]
    best, queue = {0: 0.0}, [(0.0, 0)]
    before: dict[int, int] = {}
    while queue:
        length, here = heapq.heappop(queue)
        if here == 1:
            way = [here]
            while way[-1]:
                way.append(before[way[-1]])
            return [points[index] for index in reversed(way[:-1])]
        if length > best[here]:
            continue
        for there in range(1, len(points)):
            further = length + math.dist(points[here], points[there])
            if further < best.get(there, math.inf) and _free(points[here], points[there], blocks, clear):
                best[there], before[there] = further, here
                heapq.heappush(queue, (further, there))
    return None


def _corners(block: fp.Footprint, out_mm: float) -> list[Point]:
    """Points to drive around an obstacle, `out_mm` outside it."""
    if block.round:
        reach = (block.half_x_mm + out_mm) / math.cos(math.pi / ROUND_CORNERS)
        angles = (math.tau * number / ROUND_CORNERS for number in range(ROUND_CORNERS))
        return [(block.x_mm + reach * math.cos(a), block.y_mm + reach * math.sin(a)) for a in angles]
    wide = fp.Footprint(
        block.x_mm, block.y_mm, block.heading_rad, block.half_x_mm + out_mm, block.half_y_mm + out_mm
    )
    return list(wide.corners())


def _free(a: Point, b: Point, blocks: list[fp.Footprint], clear: float) -> bool:
    """Whether the line from `a` to `b` stays `clear` mm away from all obstacles."""
    return all(free_mm(a, b, block) >= clear for block in blocks)


def free_mm(a: Point, b: Point, block: fp.Footprint) -> float:
    """The exact distance (mm) of the line from `a` to `b` to a footprint, 0 where they meet."""
    if block.round:
        return max(_off((block.x_mm, block.y_mm), a, b) - block.half_x_mm, 0.0)
    c, s = math.cos(block.heading_rad), math.sin(block.heading_rad)

    def within(point: Point) -> Point:
        x, y = point[0] - block.x_mm, point[1] - block.y_mm
        return c * x + s * y, c * y - s * x

    a, b, half = within(a), within(b), (block.half_x_mm, block.half_y_mm)
    near, far = 0.0, 1.0  # the share of the line that is inside (slab method)
    for axis in (0, 1):
        way = b[axis] - a[axis]
        if abs(way) < 1e-12:
            if abs(a[axis]) > half[axis]:
                far = -1.0
            continue
        first, last = sorted(((-half[axis] - a[axis]) / way, (half[axis] - a[axis]) / way))
        near, far = max(near, first), min(far, last)
    if near <= far:
        return 0.0
    corners = [(x, y) for x in (-half[0], half[0]) for y in (-half[1], half[1])]
    ends = [math.hypot(max(abs(x) - half[0], 0.0), max(abs(y) - half[1], 0.0)) for x, y in (a, b)]
    return min(*ends, *(_off(corner, a, b) for corner in corners))


def _off(point: Point, a: Point, b: Point) -> float:
    """Distance of a point to the line from `a` to `b`."""
    dx, dy = b[0] - a[0], b[1] - a[1]
    along = ((point[0] - a[0]) * dx + (point[1] - a[1]) * dy) / (dx * dx + dy * dy or 1.0)
    along = min(max(along, 0.0), 1.0)
    return math.hypot(a[0] + along * dx - point[0], a[1] + along * dy - point[1])


def go_to(
    pose: Callable[[], Pose], goal: Pose, blocks: list[fp.Footprint], mmps: float, radps: float
) -> routine.Steps:
    """Drive to a pose, around `blocks`; its ways are those of the drive centre, about which it turns.

    Args:
        pose: returns where it is now, in the same frame as all the rest.
        goal: where it is to be.
        blocks: what is in its way.
        mmps: speed on the way.
        radps: speed of turns on the spot.
    """

    def centre() -> Pose:
        return ahead(pose(), DRIVE_CENTER_X_MM)

    way = route(centre()[:2], ahead(goal, DRIVE_CENTER_X_MM)[:2], blocks)
    if way is None:
        return "no way"
    for x, y in way:
        here = centre()
        if math.dist(here[:2], (x, y)) < 2.0:
            continue
        how = yield routine.turn_to(math.atan2(y - here[1], x - here[0]), here[2], radps)
        if how != "reached":
            return how
        here = centre()
        how = yield routine.drive(math.dist(here[:2], (x, y)), mmps)
        if how != "reached":
            return how
    how = yield routine.turn_to(goal[2], pose()[2], radps)
    return how


def off_charger(robot: routine.Performer) -> routine.Steps:
    """Drive straight off its charger; nothing for one that is off it."""
    body = robot.body
    if not body.on_charger:
        return None
    how = yield routine.drive(CHARGER_OFF_MM, CHARGER_MMPS)
    if body.on_charger:
        return how if how != "reached" else "stalled"
    robot.log("charger", state="off")
    return None


def on_charger(robot: routine.Performer) -> routine.Steps:
    """Drive to the place before its charger, and back onto the contacts.

    It sees the charger and all obstacles, so errors of its odometry do not matter.
    """
    body, world = robot.body, robot.world
    if body.on_charger:
        return None
    x, y, heading = body.charger
    others = [b for b in world.bodies if b is not body and not b.off_treads]
    blocks = [fp.of_obstacle(thing) for thing in world.room.obstacles]
    blocks += [fp.of_vector(*b.pose) for b in others]
    before = (x + CHARGER_BEFORE_MM * math.cos(heading), y + CHARGER_BEFORE_MM * math.sin(heading), heading)
    how = yield from go_to(lambda: body.pose, before, blocks, CHARGER_MMPS, CHARGER_RADPS)
    if how not in (None, "reached"):
        return how
    how = yield routine.drive(-math.dist(body.pose[:2], (x, y)), CHARGER_MMPS)
    turned_rad = abs(math.remainder(body.heading_rad - heading, math.tau))
    if math.dist(body.pose[:2], (x, y)) > 10.0 or turned_rad > 0.2:
        return how if how != "reached" else "stalled"
    body.on_charger = True
    robot.log("charger", state="on")
    return None


def look_around() -> routine.Steps:
    """Turn once about itself, with the head up and down and a look at each stop."""
    for number in range(LOOK_TURNS):
        yield routine.turn(math.tau / LOOK_TURNS, LOOK_RADPS)
        yield routine.head(LOOK_HEAD_RAD[number % 2], 2.0)
        yield routine.wait(LOOK_PAUSE_MS)
    return None

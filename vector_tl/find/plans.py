"""Plans of steps, for searching and for going around things: look, turn to a heading, drive so far."""

import math
from dataclasses import replace

from vector_tl.find.actuation import freshness, limited
from vector_tl.find.memory import Law, Memory, Observation, Step
from vector_tl.find.track import Pose, aim_rad

LOOK = Step("look")
TOWARDS_LAST = Step("turn", math.nan)
Speeds = tuple[float, float]  # forward (mm/s) and turning (rad/s, left-positive)
STILL: Speeds = (0.0, 0.0)


def follow_plan(memory: Memory, seen: Observation, law: Law) -> tuple[Memory, Speeds, str | None]:
    """One decision of the plan's first step: memory, speeds, and a line for people when something changed."""
    log = None
    if not memory.plan:
        memory, log = next_search(memory, seen, law)
    step = memory.plan[0]
    if step.kind == "turn" and math.isnan(step.amount):  # as of now
        step = Step("turn", _heading_to(seen.pose, memory.last_seen))
    memory = replace(memory, plan=(step, *memory.plan[1:]), step_frames=memory.step_frames + 1)
    speeds, over = {"look": _look, "turn": _turn, "drive": _drive}[step.kind](memory, seen, law, step)
    if seen.candidate and memory.mode == "search" and step.kind != "look" and not step.firm:
        # Once for each step: flicker must not stop the search.
        plan = (LOOK, replace(step, firm=True), *memory.plan[1:])
        return memory.with_plan(seen, *plan), STILL, "perhaps a Vector: looking"
    if over:
        memory, stuck = _finish(memory, seen, law, step)
        if stuck:
            return memory, STILL, stuck
    return memory, speeds, log


def next_search(memory: Memory, seen: Observation, law: Law) -> tuple[Memory, str]:
    """Continue the search: another turn, or, after a full circle, a short drive where there is room."""
    if memory.turned_rad < math.tau - law.step_rad / 2:
        turn = Step("turn", seen.heading_rad + memory.side * law.step_rad)
        degrees = math.degrees(memory.turned_rad)
        return (
            memory.with_plan(seen, turn, LOOK),
            f"searching: turning {memory.way}, {degrees:.0f} of 360 degrees seen",
        )
    heading, free = _freest(
        tuple(
            (rad, min(way_mm, way_to_edge_mm(memory.edges, seen.pose, rad, law.edge_berth_mm)))
            for rad, way_mm in memory.ranges
        )
    )
    memory = replace(memory, turned_rad=0.0, ranges=(), last_seen=None, side=-memory.side)
    drive_mm = min(law.wander_mm, free - law.clear_mm - 40.0)
    if drive_mm < 40.0:
        return (
            memory.with_plan(seen, LOOK),
            "nothing seen all around and no free way: turning the other way",
        )
    return (
        memory.with_plan(seen, Step("turn", heading), Step("drive", drive_mm), LOOK),
        f"nothing seen all around: driving {drive_mm:.0f} mm where it is free",
    )


def detour(seen: Observation, side: float) -> tuple[Step, ...]:
    """Aside, past it, and towards the target's place again."""
    aside = Step("turn", seen.heading_rad + side * math.radians(60))
    return aside, Step("drive", 150.0), TOWARDS_LAST, LOOK


def towards_last(memory: Memory, seen: Observation) -> tuple[Step, ...]:
    """Look straight on, then towards the place where the target was last seen."""
    aside = _heading_to(seen.pose, memory.last_seen) - seen.heading_rad
    if abs(math.remainder(aside, math.tau)) < math.radians(10):
        return (LOOK,)
    return LOOK, TOWARDS_LAST, LOOK


# -- steps: speeds, and whether the step is over -------------------------------------------------------------


def _look(memory: Memory, seen: Observation, law: Law, step: Step) -> tuple[Speeds, bool]:
    waited = seen.now_s - memory.step_since_s - seen.delay_s  # earlier images were taken in motion
    over = waited >= law.look_s and memory.step_frames > law.look_frames
    return STILL, over and (not seen.candidate or waited > 3 * law.look_s)


def _turn(memory: Memory, seen: Observation, law: Law, step: Step) -> tuple[Speeds, bool]:
    left = math.remainder(step.amount - seen.heading_rad, math.tau)
    if abs(left) < math.radians(3) or seen.now_s - memory.step_since_s > 3.0:  # there, or stuck
        return STILL, True
    ahead = left - seen.turn_radps * law.dead_time_s
    return (0.0, limited(4.0 * ahead, law.search_radps)), False


def _drive(memory: Memory, seen: Observation, law: Law, step: Step) -> tuple[Speeds, bool]:
    onward = step.amount > 0
    gone = math.dist((seen.pose.x_mm, seen.pose.y_mm), (memory.step_pose.x_mm, memory.step_pose.y_mm))
    late = seen.now_s - memory.step_since_s > 2 + abs(step.amount) / 30
    wall = onward and not step.firm and seen.range_mm is not None and seen.range_mm < law.clear_mm
    edge = seen.cliff and onward == (memory.forward_mmps > 0) and gone > 5
    if wall or edge or late or gone >= abs(step.amount):
        return STILL, True
    onward_mmps = law.wander_mmps if seen.range_mm is not None else law.unknown_mmps
    speed = math.copysign(min(onward_mmps, law.wander_mmps) if onward else law.back_mmps, step.amount)
    return (speed * freshness(seen), 0.0), False


def _finish(memory: Memory, seen: Observation, law: Law, step: Step) -> tuple[Memory, str | None]:
    """Note what a step showed and go on to the next one, or free the finder where it could not turn."""
    if step.kind == "turn":
        moved = abs(math.remainder(seen.heading_rad - memory.step_pose.heading_rad, math.tau))
        left = abs(math.remainder(step.amount - seen.heading_rad, math.tau))
        memory = replace(memory, turned_rad=memory.turned_rad + moved)
        if left > moved + math.radians(10):  # something is in the way of its nose, which swings out most
            memory = replace(memory, side=-memory.side)
            back = Step("drive", -40.0)
            return memory.with_plan(seen, back, LOOK), "cannot turn here: back 40 mm, then the other way"
    if step.kind == "look":
        free_mm = law.unknown_mm if seen.range_mm is None else seen.range_mm
        memory = replace(memory, ranges=(*memory.ranges, (seen.heading_rad, free_mm)))
    return memory.with_plan(seen, *memory.plan[1:]), None


def _freest(ranges: tuple[tuple[float, float], ...]) -> tuple[float, float]:
    """Heading and free way of the look with most room, its neighbours counted: a narrow gap is no way."""
    free = [way_mm for _, way_mm in ranges]
    widths = [free[i] + 0.5 * (free[i - 1] + free[(i + 1) % len(free)]) for i in range(len(free))]
    return ranges[widths.index(max(widths))]


def way_to_edge_mm(
    edges: tuple[tuple[float, float], ...], pose: Pose, heading_rad: float, berth_mm: float
) -> float:
    """How far it is along a heading to the nearest edge that is known within a berth beside the way."""
    ways = [math.inf]
    for edge in edges:
        distance, bearing = replace(pose, heading_rad=heading_rad).polar(*edge)
        if math.cos(bearing) > 0 and distance * abs(math.sin(bearing)) < berth_mm:
            ways.append(distance * math.cos(bearing))
    return min(ways)


def _heading_to(pose: Pose, place: tuple[float, float] | None) -> float:
    """The heading (rad) at which a place lies ahead once it has turned; the present one without a place."""
    return pose.heading_rad + (aim_rad(*pose.polar(*place)) if place is not None else 0.0)

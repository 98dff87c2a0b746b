"""What to do next: search, approach, hold, greet.

Pure functions: the same memory and observation give the same command. The modes:

search    look (wheels still, sharp frames), turn by half a field of view, look ...; after a full turn drive a
          short free way and begin again; what vanished twice as soon as it was approached (a vase, a shadow)
          is ignored for a while
approach  turn, then drive: a low-gain proportional law on bearing and distance, predicted over the dead time
hold      stand at the stop distance; after a second there, greet: done
follow    the same without an end: it greets once there, drives as the target drives, backs off, and searches
          first where it was lost
avoid     around something that stands before the target, or back from an edge; sightings do not interrupt it
wait      in somebody's hand: wheels still

`transition` decides on the mode, `actuate` on the speeds in it.
"""

import math
from dataclasses import replace

from vector_tl.find.actuation import HALF_TRACK_MM, approach, head_angle, smooth
from vector_tl.find.memory import LAW, Doubt, Law, Memory, MotionCommand, Observation, Step, again
from vector_tl.find.plans import LOOK, STILL, TOWARDS_LAST, Speeds, detour, follow_plan, towards_last
from vector_tl.find.track import Pose, Target
from vector_tl.robot.body import CLIFF_SENSORS_MM, RANGE_X_MM, ahead

NEAR_FACE_MM = 66.0  # no part of a Vector is farther from its origin
UNDO_RAD = math.radians(8)  # a turn that met an edge is undone by so much more

Transition = tuple[Memory, str | None]  # and a line for people when the mode has changed


def decide(memory: Memory, seen: Observation, law: Law = LAW) -> tuple[Memory, MotionCommand]:
    """The next memory and command. Call it once for each frame, with the newest state."""
    before = memory
    seen = _without_ignored(memory, seen, law)
    memory, log = transition(memory, seen, law)
    memory, (forward, turn), more = actuate(memory, seen, law)
    memory = smooth(memory, seen, law, forward, turn)
    done, turn_mmps = memory.mode == "done", memory.turn_radps * HALF_TRACK_MM
    return memory, MotionCommand(
        left_mmps=memory.forward_mmps - turn_mmps,
        right_mmps=memory.forward_mmps + turn_mmps,
        head_rad=head_angle(seen, law),
        mode=memory.mode,
        log=log or more,
        say="Hello, Vector!" if done or (memory.reached and not before.reached) else None,
        done=done,
        reached=memory.reached,
    )


def actuate(memory: Memory, seen: Observation, law: Law) -> tuple[Memory, Speeds, str | None]:
    """Speeds in the present mode, before smoothing, and a line for people when a plan's step has changed."""
    if memory.mode in ("search", "avoid"):
        return follow_plan(memory, seen, law)
    if memory.mode == "approach" and seen.target is not None:
        backing = seen.now_s - memory.edge_behind_s > 3.0
        return memory, approach(seen, seen.target, law, backing), None
    return memory, STILL, None


def transition(memory: Memory, seen: Observation, law: Law) -> Transition:
    """Decide on the mode.

    from            when                                                   to
    any             it is picked up                                        wait
    wait            it stands again                                        search
    any but avoid   there is an edge                                       avoid
    avoid           its plan is at its end                                 search
    search          a Vector is seen                                       approach
    approach, hold  it is no longer seen                                   search
    approach        it is in place and still, or near enough for 2 s       hold
    approach        something is before the target, or it comes no nearer  avoid
    hold            the target is out of place                             approach
    hold            a second has passed and it is sure, unless it follows  done
    hold            it was not sure for 3 s: then it is ignored            search
    """
    if seen.lifted:
        if memory.mode == "wait":
            return memory, None
        return memory.entering(seen, "wait"), "picked up: wheels still until it stands again"
    if memory.mode == "wait":
        memory = replace(again(memory, seen.now_s, seen.pose), last_seen=None)
        return memory.entering(seen, "search", LOOK), "standing again: searching"
    if memory.mode == "done":
        return memory, None
    if seen.cliff and memory.mode != "avoid":
        return _leave_edge(memory, seen, law)
    target = seen.target
    if target is not None:
        memory = replace(
            memory, last_seen=(target.x_mm, target.y_mm), side=math.copysign(1.0, target.bearing_rad)
        )
    if memory.mode == "avoid":
        return (
            (memory, None) if memory.plan else (memory.entering(seen, "search", LOOK), "around it: looking")
        )
    if target is None:
        return (memory, None) if memory.mode == "search" else _lose(memory, seen, law)
    if memory.mode == "search":
        return memory.entering(seen, "approach"), f"saw a Vector {_where(target)}: approaching"
    off_mm, off_rad = abs(target.distance_mm - law.stop_mm), abs(target.bearing_rad)
    if (
        law.follow
        and not memory.reached
        and target.sure
        and off_mm <= law.there_mm
        and off_rad <= law.there_rad
    ):
        return replace(memory, reached=True), f"reached, {_where(target)}: staying with it"
    return (_from_hold if memory.mode == "hold" else _from_approach)(memory, seen, law, target)


# -- transitions from a mode ---------------------------------------------------------------------------------


def _from_hold(memory: Memory, seen: Observation, law: Law, target: Target) -> Transition:
    if abs(target.distance_mm - law.stop_mm) > law.loose_mm or abs(target.bearing_rad) > law.loose_rad:
        return memory.entering(seen, "approach"), f"it was {_where(target)}: following"
    held_s = seen.now_s - memory.since_s
    if held_s >= law.hold_s and target.sure and not law.follow:
        return memory.entering(seen, "done"), f"stayed in place {law.hold_s:.0f} s, {_where(target)}: done"
    if held_s >= law.unsure_s and not (target.sure or memory.reached):
        memory, doubt = _doubt(memory, seen, law, (target.x_mm, target.y_mm), times=2)
        alone = f"leaving it alone for {doubt.ignored_until_s - seen.now_s:.0f} s"
        return memory.entering(seen, "search", LOOK), f"hardly a Vector, {_where(target)}: {alone}"
    return memory, None


def _from_approach(memory: Memory, seen: Observation, law: Law, target: Target) -> Transition:
    off_mm, off_rad = abs(target.distance_mm - law.stop_mm), abs(target.bearing_rad)
    drives = law.follow and math.hypot(target.vx_mmps, target.vy_mmps) > 2 * law.quiet_mmps
    still = abs(seen.forward_mmps) < law.min_mmps and not drives
    if off_mm <= law.tight_mm and off_rad <= law.tight_rad and still:
        return memory.entering(seen, "hold"), f"reached, {_where(target)}: staying in place"
    near = off_mm <= 0.8 * law.loose_mm and off_rad <= 0.8 * law.loose_rad and not drives
    since_s = memory.in_place_since_s if memory.in_place_since_s is not None else seen.now_s
    memory = replace(memory, in_place_since_s=since_s if near else None)
    if near and seen.now_s - since_s > 2.0:  # it will not get any better
        return memory.entering(seen, "hold"), f"near enough, {_where(target)}: staying in place"
    if _blocked(seen, law, target.distance_mm):
        side = math.copysign(1.0, target.bearing_rad)
        memory = memory.entering(seen, "avoid", *detour(seen, side), TOWARDS_LAST, LOOK)
        ahead = f"something {seen.range_mm:.0f} mm ahead, before the target"
        return memory, f"{ahead}: around it on the {'left' if side > 0 else 'right'}"
    return _detect_pushing(memory, seen, law, target)


def _detect_pushing(memory: Memory, seen: Observation, law: Law, target: Target) -> Transition:
    """Wheels that turn while the target comes no nearer push against something that no sensor sees."""
    pushed_mm = memory.pushed_mm + max(memory.forward_mmps, 0.0) * min(seen.now_s - memory.last_s, 0.5)
    from_mm = memory.pushed_from_mm
    # When following, it may drive away as fast as the finder drives.
    with_it = law.follow and target.distance_mm <= law.stop_mm + 2 * law.there_mm
    if with_it or from_mm is None or (pushed_mm >= law.push_mm and from_mm - target.distance_mm >= 20.0):
        return replace(memory, pushed_mm=0.0, pushed_from_mm=target.distance_mm), None
    if pushed_mm < law.push_mm:
        return replace(memory, pushed_mm=pushed_mm), None
    side = -math.copysign(1.0, target.bearing_rad)
    memory = memory.entering(seen, "avoid", Step("drive", -60.0), *detour(seen, side))
    return memory, "driving and coming no nearer: back and around it"


def _leave_edge(memory: Memory, seen: Observation, law: Law) -> Transition:
    target, forward = seen.target, memory.forward_mmps >= 0
    if memory.turn_radps and abs(memory.forward_mmps) < law.min_mmps:
        # The state does not say which sensor it is, and driving straight might lead over the edge.
        back_rad = memory.clear_rad - math.copysign(UNDO_RAD, memory.turn_radps)
        memory = replace(memory, side=-math.copysign(1.0, memory.turn_radps))
        memory = memory.entering(seen, "avoid", Step("turn", back_rad, firm=True), LOOK)
        return memory, f"an edge while turning: back, and searching {memory.way}"
    x_mm, y_mm, _ = ahead(seen.pose.triple, CLIFF_SENSORS_MM[0 if forward else 2][0])
    memory = replace(memory, edges=(*memory.edges, (x_mm, y_mm)))
    if not law.follow or target is None:
        away = Step("turn", seen.heading_rad + memory.side * math.radians(120))
        memory = memory.entering(seen, "avoid", Step("drive", -50.0 if forward else 50.0), away, LOOK)
        return memory, f"an edge: {'back' if forward else 'forward'} 50 mm and turn away"
    # Little is enough when following, and the target stays in sight: no edge lies on a straight way between
    # two places of a table.
    memory = replace(memory, last_seen=(target.x_mm, target.y_mm))
    if forward:
        memory = memory.entering(seen, "avoid", Step("drive", -40.0), TOWARDS_LAST, LOOK)
        return memory, "an edge: back 40 mm and towards the target"
    memory = replace(memory, edge_behind_s=seen.now_s)
    memory = memory.entering(seen, "avoid", Step("drive", 15.0, firm=True), LOOK)
    return memory, "an edge behind: forward 15 mm, and no farther back"


def _lose(memory: Memory, seen: Observation, law: Law) -> Transition:
    """Wheels first: the look that begins here stands still. What has vanished here before is then ignored."""
    if memory.mode == "approach" and seen.now_s - memory.since_s < law.brief_s and memory.last_seen:
        memory, doubt = _doubt(memory, seen, law, memory.last_seen)
        if doubt.times > 1:
            memory = replace(memory.entering(seen, "search", LOOK), turned_rad=memory.turned_rad)
            alone = f"leaving it alone for {doubt.ignored_until_s - seen.now_s:.0f} s"
            return memory, f"gone again: wheels stopped, {alone}, searching {memory.way} first"
    memory = memory.entering(seen, "search", *towards_last(memory, seen))
    return memory, f"lost it: wheels stopped, searching {memory.way} first"


# -- doubts --------------------------------------------------------------------------------------------------


def _doubt(
    memory: Memory, seen: Observation, law: Law, place: tuple[float, float], times: int = 1
) -> tuple[Memory, Doubt]:
    """Note so many times that nothing is at a place after all; from the second, it is ignored for a while."""
    old = _doubt_at(memory, seen.pose, place, law)
    times += old.times if old else 0
    new = Doubt(*place, times, seen.now_s + law.ignore_s * (times - 1))
    return replace(memory, doubts=(*(doubt for doubt in memory.doubts if doubt is not old), new)), new


def _doubt_at(memory: Memory, pose: Pose, place: tuple[float, float], law: Law) -> Doubt | None:
    """The doubt that is nearest to a place, if it is near enough to be of the same thing."""
    reach = law.doubt_share * math.dist(place, (pose.x_mm, pose.y_mm))
    near = [doubt for doubt in memory.doubts if math.dist((doubt.x_mm, doubt.y_mm), place) < reach]
    return min(near, key=lambda doubt: math.dist((doubt.x_mm, doubt.y_mm), place), default=None)


def _without_ignored(memory: Memory, seen: Observation, law: Law) -> Observation:
    """The observation without a target that is ignored now; an approach that has begun is not broken off."""
    if seen.target is None or memory.mode != "search":
        return seen
    doubt = _doubt_at(memory, seen.pose, (seen.target.x_mm, seen.target.y_mm), law)
    ignored = doubt is not None and seen.now_s < doubt.ignored_until_s
    return replace(seen, target=None, candidate=False) if ignored else seen


# -- where things are ----------------------------------------------------------------------------------------


def _blocked(seen: Observation, law: Law, distance_mm: float) -> bool:
    """Whether the range sensor sees something close that is nearer than any part of the target can be."""
    range_mm = seen.range_mm
    return (
        range_mm is not None
        and range_mm < law.clear_mm
        and range_mm + RANGE_X_MM < distance_mm - NEAR_FACE_MM - 30.0
    )


def _where(target: Target) -> str:
    side = "left" if target.bearing_rad >= 0 else "right"
    return f"{target.distance_mm:.0f} mm away, {abs(math.degrees(target.bearing_rad)):.0f} degrees {side}"

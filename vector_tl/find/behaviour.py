"""What to do next: search, approach, hold, greet. Pure functions: the same memory and the same view give the same command.

search    look (wheels still, sharp frames), turn by half a field of view, look ...; after a full turn drive a short free way and begin again;
          what vanished twice as soon as it was approached (a vase, a shadow) is left alone for a while, and the search goes on past it
approach  turn, then drive: a low-gain proportional law on bearing and distance, predicted over the dead time, slow near the target
hold      stand at the stop distance; after a second there, greet: done
follow    the same, without an end: it greets once there, drives as the target drives, backs off, and searches first where it was lost
avoid     round something that stands before the target, or back from an edge; sightings do not interrupt it
wait      in somebody's hand: wheels still
"""

import math
from dataclasses import dataclass, replace

from vector_tl.find.geometry import HEIGHT_MM, camera_position_mm
from vector_tl.find.track import Pose, Target

SENSOR_X_MM = 20.0  # the range sensor sits in the chest
NEAR_FACE_MM = 66.0  # no part of a Vector is farther from its origin
HALF_TRACK_MM = 24.0  # half the way between the treads' middles


@dataclass(frozen=True)
class Law:
    """The figures of the behaviour. Speeds are of the ground under the finder."""

    stop_mm: float = 150.0
    tight_mm: float = 7.0  # aimed at; `loose` is what a hold lasts through
    tight_rad: float = math.radians(2.5)
    loose_mm: float = 28.0
    loose_rad: float = math.radians(8.0)
    hold_s: float = 1.0
    top_mmps: float = 110.0
    back_mmps: float = 30.0
    top_radps: float = 1.3
    gain_per_s: float = 1.0  # of the distance: with 0.2-0.4 s of dead time, gain x dead time stays below 1/2
    turn_gain_per_s: float = 2.0  # of the bearing
    dead_time_s: float = 0.12  # from a decision to its effect in the state
    least_mmps: float = 6.0  # slower, the treads stick
    accel_mmps2: float = 250.0
    look_s: float = 0.45
    look_frames: int = 3
    step_rad: float = math.radians(50.0)  # the camera sees 90 degrees across
    search_radps: float = 1.6
    wander_mm: float = 250.0
    wander_mmps: float = 60.0
    clear_mm: float = 160.0  # something nearer ahead is in the way: there the sensor's cone (24 degrees) is as wide as the finder
    head_limits_rad: tuple[float, float] = (math.radians(-8.0), math.radians(10.0))
    push_mm: float = 120.0  # driven so far towards the target and come no nearer: something holds it
    follow: bool = False
    there_mm: float = 40.0  # following, it is reached so near the stop distance, moving or not
    there_rad: float = math.radians(10.0)
    quiet_mmps: float = 10.0  # a target's speed below this is noise of the estimate
    lead_mmps: float = 90.0  # most of a target's speed that is added to the law
    brief_s: float = 1.2  # an approach that ends so soon was perhaps of nothing
    doubt_share: float = 0.3  # of its distance: what is seen so near to where something vanished is the same
    ignore_s: float = 15.0  # longer each time


def following(law: Law) -> Law:
    """The law of one who follows: a target that drives away is nothing that holds it, and one that comes near is backed off from in time."""
    return replace(law, follow=True, push_mm=450.0, back_mmps=50.0)


@dataclass(frozen=True)
class Observation:
    """All that a decision may use, at one moment."""

    now_s: float
    pose: Pose
    forward_mmps: float = 0.0  # by the wheels, as the state tells
    turn_radps: float = 0.0
    range_mm: float | None = None
    target: Target | None = None
    candidate: bool = False  # something was just seen that is not yet confirmed
    frame_age_s: float = 0.0  # since it came
    lag_s: float = 0.0  # how long it was under way
    cliff: bool = False
    lifted: bool = False


@dataclass(frozen=True)
class Step:
    """A piece of a plan: `look`; `turn` to a heading (rad); `drive` so far (mm, backwards negative). `firm`: no candidate and no range stops it."""

    kind: str
    amount: float = 0.0
    firm: bool = False


@dataclass(frozen=True)
class Doubt:
    """A place in the odometry's frame where something vanished as soon as it was approached."""

    x_mm: float
    y_mm: float
    times: int
    ignored_until_s: float


@dataclass(frozen=True)
class Memory:
    """What is carried from decision to decision."""

    mode: str = "search"
    since_s: float = 0.0
    plan: tuple[Step, ...] = ()
    step_since_s: float = 0.0
    step_pose: Pose = Pose(0.0, 0.0, 0.0)
    step_frames: int = 0
    last_s: float = 0.0
    forward_mmps: float = 0.0  # last commanded
    turn_radps: float = 0.0
    side: float = 1.0  # to search first: left 1, right -1
    last_seen: tuple[float, float] | None = None  # in the odometry's frame
    turned_rad: float = 0.0
    ranges: tuple[tuple[float, float], ...] = ()  # (heading, free way in mm) of each look
    in_place_since_s: float | None = None
    pushed_mm: float = 0.0  # driven towards the target, by the commands, since it was `pushed_from_mm` away
    pushed_from_mm: float | None = None
    reached: bool = False  # following: it has been there
    edge_behind_s: float = -math.inf  # when there was an edge behind it
    doubts: tuple[Doubt, ...] = ()


@dataclass(frozen=True)
class MotionCommand:
    """What the robot shall do now; `log` is a line for people when something changed."""

    left_mmps: float
    right_mmps: float
    head_rad: float
    mode: str
    log: str | None = None
    say: str | None = None
    done: bool = False
    reached: bool = False  # following: it has been at the stop distance


def begin(now_s: float, pose: Pose) -> Memory:
    """The memory of one who has just woken up: it looks first."""
    return Memory(since_s=now_s, plan=(Step("look"),), step_since_s=now_s, step_pose=pose, last_s=now_s)


def again(memory: Memory, now_s: float, pose: Pose) -> Memory:
    """The memory of one who was interrupted: it looks first, and knows what it knew."""
    return replace(
        begin(now_s, pose),
        side=memory.side,
        last_seen=memory.last_seen,
        reached=memory.reached,
        doubts=memory.doubts,
    )


def decide(memory: Memory, view: Observation, law: Law = Law()) -> tuple[Memory, MotionCommand]:
    """The next memory and command. Call it once for each frame, with the newest state."""
    before = memory
    if view.target is not None and memory.mode == "search" and _ignored(memory, view, law):
        view = replace(view, target=None, candidate=False)
    memory, log = _mode(memory, view, law)
    forward, turn, said = 0.0, 0.0, None
    if memory.mode in ("search", "avoid"):
        memory, forward, turn, more = _follow_plan(memory, view, law)
        log = log or more
    elif memory.mode == "approach":
        forward, turn = _approach(view, law, backing=view.now_s - memory.edge_behind_s > 3.0)
    memory, forward, turn = _smooth(memory, view, law, forward, turn)
    if memory.mode == "done" or (memory.reached and not before.reached):
        said = "Hello, Vector!"
    left, right = forward - turn * HALF_TRACK_MM, forward + turn * HALF_TRACK_MM
    return memory, MotionCommand(
        left, right, _head(view, law), memory.mode, log, said, memory.mode == "done", memory.reached
    )


def _mode(memory: Memory, view: Observation, law: Law) -> tuple[Memory, str | None]:
    """Which mode it is in now, and a line when that has changed."""
    target = view.target
    if view.lifted:
        return (
            (memory, None)
            if memory.mode == "wait"
            else (_enter(memory, view, "wait"), "picked up: wheels still until it stands again")
        )
    if memory.mode == "wait":
        return _enter(
            replace(again(memory, view.now_s, view.pose), last_seen=None), view, "search", (Step("look"),)
        ), "standing again: searching"
    if memory.mode == "done":
        return memory, None
    if view.cliff and memory.mode != "avoid":
        if law.follow and target is not None:
            return _edge_while_following(memory, view)
        back = -50.0 if memory.forward_mmps >= 0 else 50.0
        plan = (
            Step("drive", back),
            Step("turn", view.pose.heading_rad + memory.side * math.radians(120)),
            Step("look"),
        )
        return _enter(
            memory, view, "avoid", plan
        ), f"an edge: {'back' if back < 0 else 'forward'} 50 mm and turn away"
    if target is not None:
        memory = replace(
            memory, last_seen=(target.x_mm, target.y_mm), side=math.copysign(1.0, target.bearing_rad)
        )
    if memory.mode == "avoid":
        return memory, None
    if memory.mode == "search":
        if target is None:
            return memory, None
        return _enter(memory, view, "approach"), f"saw a Vector {_where(target)}: approaching"
    if target is None:  # wheels first: the look that begins here stands still
        way = "left" if memory.side > 0 else "right"
        if (
            memory.mode == "approach"
            and view.now_s - memory.since_s < law.brief_s
            and memory.last_seen is not None
        ):
            memory, doubt = _doubt(memory, view, law)
            if doubt.times > 1:
                seen = memory.turned_rad
                memory = replace(_enter(memory, view, "search", (Step("look"),)), turned_rad=seen)
                return (
                    memory,
                    f"gone again: wheels stopped, leaving it alone for {doubt.ignored_until_s - view.now_s:.0f} s, searching {way} first",
                )
        return _enter(
            memory, view, "search", _towards_last(memory, view)
        ), f"lost it: wheels stopped, searching {way} first"
    off_mm, off_rad = abs(target.distance_mm - law.stop_mm), abs(target.bearing_rad)
    if law.follow and not memory.reached and off_mm <= law.there_mm and off_rad <= law.there_rad:
        return replace(memory, reached=True), f"reached, {_where(target)}: staying with it"
    if memory.mode == "hold":
        if off_mm > law.loose_mm or off_rad > law.loose_rad:
            return _enter(memory, view, "approach"), f"it was {_where(target)}: following"
        if view.now_s - memory.since_s >= law.hold_s and not law.follow:
            return _enter(memory, view, "done"), f"held {law.hold_s:.0f} s, {_where(target)}: hello!"
        return memory, None
    drives = law.follow and math.hypot(target.vx_mmps, target.vy_mmps) > 2 * law.quiet_mmps
    if (
        off_mm <= law.tight_mm
        and off_rad <= law.tight_rad
        and abs(view.forward_mmps) < law.least_mmps
        and not drives
    ):
        return _enter(memory, view, "hold"), f"reached, {_where(target)}: holding"
    near = off_mm <= 0.8 * law.loose_mm and off_rad <= 0.8 * law.loose_rad and not drives
    since = (memory.in_place_since_s if memory.in_place_since_s is not None else view.now_s) if near else None
    memory = replace(memory, in_place_since_s=since)
    if since is not None and view.now_s - since > 2.0:  # as good as it gets
        return _enter(memory, view, "hold"), f"near enough, {_where(target)}: holding"
    if _blocked(view, law, target.distance_mm):
        side = math.copysign(1.0, target.bearing_rad)
        plan = (*_detour(view, side), Step("turn", math.nan), Step("look"))
        way = "left" if side > 0 else "right"
        return _enter(
            memory, view, "avoid", plan
        ), f"something {view.range_mm:.0f} mm ahead, before the target: around it on the {way}"
    return _pushing(memory, view, law, target)


def _edge_while_following(memory: Memory, view: Observation) -> tuple[Memory, str]:
    """Away from the edge by little, and the target stays in sight: a straight way between two places of a table leads over no edge."""
    memory = replace(memory, last_seen=(view.target.x_mm, view.target.y_mm))
    if memory.forward_mmps < 0:
        plan = (Step("drive", 15.0, firm=True), Step("look"))
        return _enter(
            replace(memory, edge_behind_s=view.now_s), view, "avoid", plan
        ), "an edge behind: forward 15 mm, and no farther back"
    return _enter(
        memory, view, "avoid", (Step("drive", -40.0), Step("turn", math.nan), Step("look"))
    ), "an edge: back 40 mm and towards the target"


def _pushing(memory: Memory, view: Observation, law: Law, target: Target) -> tuple[Memory, str | None]:
    """Whether the wheels turn and it comes no nearer: it pushes against something that no sensor sees."""
    pushed = memory.pushed_mm + max(memory.forward_mmps, 0.0) * min(view.now_s - memory.last_s, 0.5)
    with_it = (
        law.follow and target.distance_mm <= law.stop_mm + 2 * law.there_mm
    )  # driving away as fast as the finder drives
    if (
        with_it
        or memory.pushed_from_mm is None
        or (pushed >= law.push_mm and memory.pushed_from_mm - target.distance_mm >= 20.0)
    ):
        return replace(memory, pushed_mm=0.0, pushed_from_mm=target.distance_mm), None
    if pushed < law.push_mm:
        return replace(memory, pushed_mm=pushed), None
    side = -math.copysign(1.0, target.bearing_rad)
    return _enter(
        memory, view, "avoid", (Step("drive", -60.0), *_detour(view, side))
    ), "driving and coming no nearer: back and around it"


def _doubt(memory: Memory, view: Observation, law: Law) -> tuple[Memory, Doubt]:
    """Note that what was last seen has vanished; from the second time on it is ignored for a while."""
    x, y = memory.last_seen
    old = _doubt_at(memory, view.pose, (x, y), law)
    times = old.times + 1 if old else 1
    new = Doubt(x, y, times, view.now_s + law.ignore_s * (times - 1))
    return replace(memory, doubts=(*(doubt for doubt in memory.doubts if doubt is not old), new)), new


def _doubt_at(memory: Memory, pose: Pose, place: tuple[float, float], law: Law) -> Doubt | None:
    """The doubt that is nearest to a place, if it is near enough to be of the same thing."""
    reach = law.doubt_share * math.dist(place, (pose.x_mm, pose.y_mm))
    near = [doubt for doubt in memory.doubts if math.dist((doubt.x_mm, doubt.y_mm), place) < reach]
    return min(near, key=lambda doubt: math.dist((doubt.x_mm, doubt.y_mm), place)) if near else None


def _ignored(memory: Memory, view: Observation, law: Law) -> bool:
    doubt = _doubt_at(memory, view.pose, (view.target.x_mm, view.target.y_mm), law)
    return doubt is not None and view.now_s < doubt.ignored_until_s


def _enter(memory: Memory, view: Observation, mode: str, plan: tuple[Step, ...] = ()) -> Memory:
    if mode == "search":  # from the beginning
        memory = replace(memory, turned_rad=0.0, ranges=())
    memory = replace(
        memory, mode=mode, since_s=view.now_s, in_place_since_s=None, pushed_mm=0.0, pushed_from_mm=None
    )
    return _plan(memory, view, plan)


# -- search and detours: plans of steps -------------------------------------------------------------------------------


def _follow_plan(memory: Memory, view: Observation, law: Law) -> tuple[Memory, float, float, str | None]:
    """One decision of the plan's first step: memory, forward speed, turning speed, log line."""
    log = None
    if not memory.plan:
        if memory.mode == "avoid":  # done: look again for the target
            memory, log = _enter(memory, view, "search", (Step("look"),)), "around it: looking"
        else:
            memory, log = _next_search(memory, view, law)
    step = memory.plan[0]
    if step.kind == "turn" and math.isnan(step.amount):  # towards where the target was last seen, as of now
        step = Step(
            "turn", _heading_to(view.pose, memory.last_seen) if memory.last_seen else view.pose.heading_rad
        )
        memory = replace(memory, plan=(step, *memory.plan[1:]))
    memory = replace(memory, step_frames=memory.step_frames + 1)
    forward, turn, over = {"look": _look, "turn": _turn, "drive": _drive}[step.kind](memory, view, law, step)
    if (
        view.candidate and memory.mode == "search" and step.kind != "look" and not step.firm
    ):  # once for each step: flicker must not stop the search
        log = "perhaps a Vector: looking"
        memory = replace(
            memory,
            plan=(Step("look"), replace(step, firm=True), *memory.plan[1:]),
            step_since_s=view.now_s,
            step_pose=view.pose,
            step_frames=0,
        )
        return memory, 0.0, 0.0, log
    if over:
        moved = abs(math.remainder(view.pose.heading_rad - memory.step_pose.heading_rad, math.tau))
        if step.kind == "turn":
            memory = replace(memory, turned_rad=memory.turned_rad + moved)
            left = abs(math.remainder(step.amount - view.pose.heading_rad, math.tau))
            if left > moved + math.radians(10):  # something is in the way of the tail
                back = view.range_mm is not None and view.range_mm < law.clear_mm
                memory = _plan(
                    replace(memory, side=-memory.side),
                    view,
                    (Step("drive", -40.0 if back else 40.0), Step("look")),
                )
                return (
                    memory,
                    0.0,
                    0.0,
                    f"cannot turn here: {'back' if back else 'on'} 40 mm, then the other way",
                )
        if step.kind == "look":
            free = 1200.0 if view.range_mm is None else view.range_mm
            memory = replace(memory, ranges=(*memory.ranges, (view.pose.heading_rad, free)))
        memory = _plan(memory, view, memory.plan[1:])
    return memory, forward, turn, log


def _next_search(memory: Memory, view: Observation, law: Law) -> tuple[Memory, str]:
    """The next piece of the search: another step of the turn, or, after a full turn, a short drive where it is free."""
    if memory.turned_rad < math.tau - law.step_rad / 2:
        way = "left" if memory.side > 0 else "right"
        plan = (Step("turn", view.pose.heading_rad + memory.side * law.step_rad), Step("look"))
        return _plan(
            memory, view, plan
        ), f"searching: turning {way}, {math.degrees(memory.turned_rad):.0f} of 360 degrees seen"
    heading, free = _freest(memory.ranges)
    memory = replace(memory, turned_rad=0.0, ranges=(), last_seen=None, side=-memory.side)
    drive = min(law.wander_mm, free - law.clear_mm - 40.0)
    if drive < 40.0:
        return _plan(
            memory, view, (Step("look"),)
        ), "nothing seen all around and no free way: turning the other way"
    plan = (Step("turn", heading), Step("drive", drive), Step("look"))
    return _plan(memory, view, plan), f"nothing seen all around: driving {drive:.0f} mm where it is free"


def _plan(memory: Memory, view: Observation, plan: tuple[Step, ...]) -> Memory:
    return replace(memory, plan=plan, step_since_s=view.now_s, step_pose=view.pose, step_frames=0)


def _freest(ranges: tuple[tuple[float, float], ...]) -> tuple[float, float]:
    """Heading and free way of the look with most room, its neighbours counted: a narrow gap is no way."""
    count = len(ranges)
    width = [
        min(ranges[i][1], 600.0)
        + 0.5 * (min(ranges[i - 1][1], 600.0) + min(ranges[(i + 1) % count][1], 600.0))
        for i in range(count)
    ]
    return ranges[max(range(count), key=lambda i: width[i])]


def _look(memory: Memory, view: Observation, law: Law, step: Step) -> tuple[float, float, bool]:
    waited = view.now_s - memory.step_since_s - view.lag_s  # what comes first was taken before, in motion
    over = waited >= law.look_s and memory.step_frames > law.look_frames
    return 0.0, 0.0, over and (not view.candidate or waited > 3 * law.look_s)


def _turn(memory: Memory, view: Observation, law: Law, step: Step) -> tuple[float, float, bool]:
    left = math.remainder(step.amount - view.pose.heading_rad, math.tau)
    ahead = left - view.turn_radps * law.dead_time_s
    over = abs(left) < math.radians(3) or view.now_s - memory.step_since_s > 3.0  # held, or stuck: go on
    return 0.0, 0.0 if over else _limit(4.0 * ahead, law.search_radps), over


def _drive(memory: Memory, view: Observation, law: Law, step: Step) -> tuple[float, float, bool]:
    gone = math.dist((view.pose.x_mm, view.pose.y_mm), (memory.step_pose.x_mm, memory.step_pose.y_mm))
    wall = step.amount > 0 and not step.firm and view.range_mm is not None and view.range_mm < law.clear_mm
    over = wall or gone >= abs(step.amount) or view.now_s - memory.step_since_s > 2 + abs(step.amount) / 30
    if view.cliff and (step.amount > 0) == (memory.forward_mmps > 0) and gone > 5:
        over = True
    speed = math.copysign(law.wander_mmps if step.amount > 0 else law.back_mmps, step.amount) * _freshness(
        view
    )
    return 0.0 if over else speed, 0.0, over


def _detour(view: Observation, side: float) -> tuple[Step, ...]:
    """Aside, past it, and towards the target's place again."""
    return (
        Step("turn", view.pose.heading_rad + side * math.radians(60)),
        Step("drive", 150.0),
        Step("turn", math.nan),
        Step("look"),
    )


def _towards_last(memory: Memory, view: Observation) -> tuple[Step, ...]:
    """Look where it stands, then towards the place where the target was last seen."""
    if memory.last_seen is None or abs(
        math.remainder(_heading_to(view.pose, memory.last_seen) - view.pose.heading_rad, math.tau)
    ) < math.radians(10):
        return (Step("look"),)
    return Step("look"), Step("turn", math.nan), Step("look")


def _heading_to(pose: Pose, point: tuple[float, float]) -> float:
    return math.atan2(point[1] - pose.y_mm, point[0] - pose.x_mm)


def _blocked(view: Observation, law: Law, distance_mm: float) -> bool:
    """Whether the range sensor sees something close that is nearer than any part of the target can be."""
    return (
        view.range_mm is not None
        and view.range_mm < law.clear_mm
        and view.range_mm + SENSOR_X_MM < distance_mm - NEAR_FACE_MM - 30.0
    )


# -- approach ---------------------------------------------------------------------------------------------------------


def _approach(view: Observation, law: Law, backing: bool = True) -> tuple[float, float]:
    """Forward and turning speed: proportional to what will be left of distance and bearing once the command takes effect.

    Who follows adds the target's own speed, so that at the stop distance both drive alike.
    """
    target = view.target
    away, across = (
        target.lead(view.pose.heading_rad, law.quiet_mmps, law.lead_mmps) if law.follow else (0.0, 0.0)
    )
    back_mmps = law.back_mmps if backing else 0.0
    left_mm = (
        target.distance_mm - view.forward_mmps * law.dead_time_s * math.cos(target.bearing_rad) - law.stop_mm
    )
    left_rad = target.bearing_rad - view.turn_radps * law.dead_time_s
    fresh = _freshness(view) * min(max((0.5 - target.age_s) / 0.3, 0.0), 1.0)
    swing = across / max(target.distance_mm, law.stop_mm)
    turn = (
        0.0
        if abs(left_rad) < 0.6 * law.tight_rad and not swing
        else _limit(law.turn_gain_per_s * left_rad + swing, law.top_radps)
    )
    forward = 0.0
    if abs(left_mm) > 0.6 * law.tight_mm or away:
        forward = min(max(law.gain_per_s * left_mm + away, -back_mmps), law.top_mmps)
        forward *= max(0.0, 1 - abs(left_rad) / math.radians(30))  # turn, then drive
        if abs(left_rad) < math.radians(15) and abs(forward) < law.least_mmps and (left_mm > 0 or backing):
            forward = math.copysign(law.least_mmps, left_mm)
    if turn and abs(turn) * HALF_TRACK_MM < law.least_mmps and not forward:
        turn = math.copysign(law.least_mmps / HALF_TRACK_MM, turn)
    return forward * fresh, turn * fresh


def _smooth(
    memory: Memory, view: Observation, law: Law, forward: float, turn: float
) -> tuple[Memory, float, float]:
    """Limit how fast speeds rise; slowing down and stopping is never delayed."""
    rise = law.accel_mmps2 * min(max(view.now_s - memory.last_s, 0.0), 0.2)
    forward = _rising(memory.forward_mmps, forward, rise)
    turn = _rising(memory.turn_radps, turn, rise / HALF_TRACK_MM)
    return replace(memory, last_s=view.now_s, forward_mmps=forward, turn_radps=turn), forward, turn


def _rising(now: float, wanted: float, rise: float) -> float:
    base = now if now * wanted > 0 else 0.0
    return wanted if abs(wanted) <= abs(base) else _limit(wanted, abs(base) + rise)


def _freshness(view: Observation) -> float:
    """1 while frames are fresh, down to 0 where the guard would stop the wheels (350 ms); slower as they are longer under way, 0 from a second on."""
    return min(max((0.35 - view.frame_age_s) / 0.2, 0.0), 1.0) * min(max(1.0 - view.lag_s, 0.0), 1.0)


def _head(view: Observation, law: Law) -> float:
    """The head angle that keeps the whole target in the image: its middle in the middle; level while there is none."""
    if view.target is None:
        return 0.0
    reach = max(view.target.distance_mm - 45.0, 30.0)
    lens_z = camera_position_mm(0.0)[1]
    middle = (math.atan2(HEIGHT_MM - lens_z, reach) + math.atan2(-lens_z, reach)) / 2
    return min(max(middle, law.head_limits_rad[0]), law.head_limits_rad[1])


def _limit(value: float, most: float) -> float:
    return min(max(value, -most), most)


def _where(target: Target) -> str:
    side = "left" if target.bearing_rad >= 0 else "right"
    return f"{target.distance_mm:.0f} mm away, {abs(math.degrees(target.bearing_rad)):.0f} degrees {side}"

"""What a decision is made from and what it leads to: figures, observation, memory, command; but no rules."""

import math
from dataclasses import dataclass, replace

from vector_tl.find.track import Pose, Target
from vector_tl.robot.body import TICK_MS, fastest_before_edge_mmps

# From an edge under the robot to the robot's motors, should the robot not stop by itself (it does, within
# 5 ms, at up to 170 mm/s): until its next state, the two ways through the air and this computer, and until
# the engine's next tick takes the stop in.
EDGE_REACTION_S = (TICK_MS + 30 + TICK_MS) / 1000


@dataclass(frozen=True)
class Law:
    """The figures of the behaviour. Speeds are of the ground under the finder."""

    stop_mm: float = 150.0
    tight_mm: float = 7.0  # aimed at; while it stays in place, anything within `loose` counts as in place
    tight_rad: float = math.radians(2.5)
    loose_mm: float = 28.0
    loose_rad: float = math.radians(8.0)
    hold_s: float = 1.0
    unsure_s: float = 3.0  # in place, what is never above the confidence threshold for so long is no Vector
    top_mmps: float = float(round(fastest_before_edge_mmps(EDGE_REACTION_S)))  # 100
    back_mmps: float = 30.0
    top_radps: float = 1.3
    gain_per_s: float = 1.0  # of the distance: with 0.2-0.4 s of dead time, gain x dead time stays below 1/2
    turn_gain_per_s: float = 2.0  # of the bearing
    dead_time_s: float = 0.12  # from a decision to its effect in the state
    min_mmps: float = 6.0  # slower, the treads stick
    accel_mmps2: float = 250.0
    look_s: float = 0.45
    look_frames: int = 3
    step_rad: float = math.radians(50.0)  # the camera sees 90 degrees across
    search_radps: float = 1.6
    wander_mm: float = 250.0
    wander_mmps: float = 60.0
    # A way on which the range sensor reports nothing is unknown, not free: it counts as so long, just within
    # the sensor's 400 mm, and is driven slowly.
    unknown_mm: float = 320.0
    unknown_mmps: float = 40.0
    edge_berth_mm: float = 100.0  # no search drives past an edge that it has met, nor nearer beside it
    # Something nearer ahead is in the way: there the range sensor's cone (24 degrees) is as wide as the
    # finder.
    clear_mm: float = 160.0
    head_limits_rad: tuple[float, float] = (math.radians(-8.0), math.radians(10.0))
    push_mm: float = 120.0  # driven so far towards the target and come no nearer: something holds it back
    follow: bool = False
    there_mm: float = 40.0  # following, it is reached so near the stop distance, moving or not
    there_rad: float = math.radians(10.0)
    quiet_mmps: float = 10.0  # a target's speed below this is noise of the estimate
    lead_mmps: float = 90.0  # at most so much of a target's speed is added to the law
    brief_s: float = 1.2  # an approach that ends so soon was perhaps of nothing
    doubt_share: float = 0.3  # of its distance: what is seen so near to where something vanished is the same
    ignore_s: float = 15.0  # longer each time


LAW = Law()


def following(law: Law) -> Law:
    """The law for following.

    A target that drives away is not held back by anything, and the finder backs off in time from one that
    comes near.
    """
    return replace(law, follow=True, push_mm=450.0, back_mmps=50.0)


@dataclass(frozen=True)
class Observation:
    """All that a decision may use, at one moment."""

    now_s: float
    pose: Pose
    forward_mmps: float = 0.0  # by the wheels, as the state reports
    turn_radps: float = 0.0
    range_mm: float | None = None  # None is unknown, not free
    target: Target | None = None
    candidate: bool = False  # something was just seen that is not yet confirmed
    frame_age_s: float = 0.0  # since the frame came
    delay_s: float = 0.0  # latency of the frame beyond the camera's usual one
    cliff: bool = False
    lifted: bool = False

    @property
    def heading_rad(self) -> float:
        """The finder's heading, left-positive."""
        return self.pose.heading_rad


@dataclass(frozen=True)
class Step:
    """A piece of a plan: `look`; `turn` to a heading (rad); `drive` so far (mm, backwards negative).

    A heading of NaN means towards where the target was last seen. Neither a candidate nor the range sensor
    stops a `firm` step.
    """

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
    edges: tuple[tuple[float, float], ...] = ()  # where the ground ended, in the odometry's frame
    clear_rad: float = 0.0  # its heading when no cliff sensor saw an edge, lately
    doubts: tuple[Doubt, ...] = ()

    @property
    def way(self) -> str:
        """The side to search first, in words."""
        return "left" if self.side > 0 else "right"

    def with_plan(self, seen: Observation, *plan: Step) -> "Memory":
        """The same mode with other steps; the first begins now."""
        return replace(self, plan=plan, step_since_s=seen.now_s, step_pose=seen.pose, step_frames=0)

    def entering(self, seen: Observation, mode: str, *plan: Step) -> "Memory":
        """In another mode from now on; a search begins anew."""
        memory = replace(
            self, mode=mode, since_s=seen.now_s, in_place_since_s=None, pushed_mm=0.0, pushed_from_mm=None
        )
        if mode == "search":
            memory = replace(memory, turned_rad=0.0, ranges=())
        return memory.with_plan(seen, *plan)


def begin(now_s: float, pose: Pose) -> Memory:
    """The memory at the start of a run: look first."""
    return Memory(since_s=now_s, plan=(Step("look"),), step_since_s=now_s, step_pose=pose, last_s=now_s)


def again(memory: Memory, now_s: float, pose: Pose) -> Memory:
    """The memory after an interruption: look first, and keep what is known of the target."""
    return replace(
        begin(now_s, pose),
        side=memory.side,
        last_seen=memory.last_seen,
        reached=memory.reached,
        doubts=memory.doubts,
    )


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

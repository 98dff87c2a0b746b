"""A Vector that shows itself to another one's camera: it drives to varied distances, bearings and headings.

It knows its place only by its odometry, from where a person put it: before the camera, facing it. It always
drives forward, where the cliff sensors and the range sensor look; away from an edge it goes over the ground
that it came from, as the guard demands. Where it met an edge it does not go again, nor beyond it.
"""

import math
import random
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from vector_tl.data.coverage import Coverage
from vector_tl.robot.base import Robot, RobotState

DRIVE_MMPS, TURN_MMPS, ESCAPE_MMPS = 60.0, 35.0, 50.0
FACING_RAD, TURNED_RAD = math.radians(12), math.radians(6)  # good enough to drive on, and to stand
ARRIVED_MM, ESCAPE_MM, SETTLE_MM = 20.0, 70.0, 8.0
STAND_S = 0.8  # how long it stands for its image
MOVE_S, ESCAPE_S, SETTLE_S = 12.0, 2.5, 0.8  # how long anything else may take
NEAR_MM = 90.0  # no further forward when the range sensor sees something nearer
# after a spin nobody knows at which end the edge is; this little is safe either way, as a Vector balances 36
# mm behind
# its front sensors
ESCAPE_SPUN_MM = 20.0
MAX_ESCAPES = 4  # one after another; then a person is asked
EDGE_BERTH_MM, SAME_EDGE_MM = 130.0, 40.0  # goals are at least this far from an edge
AHEAD_MM = 300.0
NEAREST_MM, HALF_VIEW_RAD = 135.0, math.radians(34)  # goals: not nearer to the camera, and in its view
BANDS_MM = {
    "under 150 mm": (135, 160),
    "150 to 300 mm": (160, 300),
    "300 to 500 mm": (300, 500),
    "500 mm and more": (500, 850),
}
FACINGS_DEG = {"front": 0.0, "its left": -90.0, "its right": 90.0, "back": 180.0}
PLACES = {  # shares of half the view, left positive
    "left": (0.35, 0.9),
    "middle": (-0.3, 0.3),
    "right": (-0.9, -0.35),
    "partly outside": (0.8, 1.15),
}
TRIES = 60
Pose = tuple[float, float, float]  # x_mm, y_mm, heading_rad


@dataclass(frozen=True)
class Goal:
    """Where to stand, in the frame of the target's odometry."""

    x_mm: float
    y_mm: float
    heading_rad: float


class Choreographer:
    """Moves the target a little with every call of `step`; it stops by itself when nobody calls.

    Args:
        target: the robot that is moved.
        reach_mm: how far from the camera it may drive.
        put_down: in the simulator, puts the target before the camera and gives the camera's pose in its
            odometry.
        seed: of what is drawn.

    Attributes:
        word: what it does now, for the view.
        edges: where the ground ended.
    """

    def __init__(
        self, target: Robot, reach_mm: float, put_down: Callable[[], Pose] | None = None, seed: int = 0
    ):
        self._target, self._reach_mm, self._put_down = target, reach_mm, put_down
        self._rng = random.Random(seed)
        self._camera = put_down() if put_down else _camera_ahead(target.state())
        self._held = False
        self.edges: list[tuple[float, float]] = []
        self.word = "standing"
        self._goal: Goal | None = None
        self._phase, self._since_s = "stand", target.now_s()
        self._way = 1.0  # of the last straight move: 1 forward, -1 backward
        self._from = target.state()  # where the present settling or escape began
        self._escapes, self._escape_mm = 0, ESCAPE_MM  # how many one after another, and how far

    def pause(self) -> None:
        """Stand still."""
        self._target.stop()
        self.word = "paused"

    def step(self, coverage: Coverage) -> None:
        """Continue the present move, or begin the next one.

        Raises:
            LinkLost: the target is gone.
        """
        state, now_s = self._target.state(), self._target.now_s()
        if state.picked_up or state.being_held:
            self._held, self.word = True, "in a hand"
            return
        if self._held:  # put down again: as at the start
            self._start_again(_camera_ahead(state))
        if state.cliff and self._phase != "escape":
            # a stand at an edge follows an escape that did not help
            if self._escapes >= MAX_ESCAPES or self._phase == "stand":
                self._target.stop()
                self.word = "at an edge: put it before the camera again"
                if self._put_down:
                    self._start_again(self._put_down())
                return
            self._meet_edge(state)
        limit_s = {"stand": STAND_S, "escape": ESCAPE_S, "settle": SETTLE_S}.get(self._phase, MOVE_S)
        late = now_s - self._since_s > limit_s
        if self._goal is None and self._phase in ("face", "go", "turn"):
            self._phase = "stand"  # there is nothing to drive to
        if self._phase == "stand":
            self._stand(state, late, coverage)
        elif self._phase == "settle":
            self._settle(state, late)
        elif self._phase == "escape":
            self._escape(state, late)
        elif self._goal is not None:
            {"face": self._face, "go": self._go, "turn": self._turn}[self._phase](state, late, self._goal)
        self.word = self._phase
        if self._goal is not None:
            away_mm = math.dist((self._goal.x_mm, self._goal.y_mm), self._camera[:2])
            self.word += f" ({away_mm:.0f} mm away)"

    def _start_again(self, camera: Pose) -> None:
        """Somebody put it down somewhere else: its odometry has begun again."""
        self._held, self._camera, self._goal, self._way, self._escapes = False, camera, None, 1.0, 0
        self.edges.clear()
        self._begin("stand")

    # -- phases ------------------------------------------------------------

    def _stand(self, state: RobotState, late: bool, coverage: Coverage) -> None:
        self._target.stop()
        if late:
            self._goal = self._choose(state, coverage)
            self._begin("face")

    def _face(self, state: RobotState, late: bool, goal: Goal) -> None:
        """Turn to where the goal is."""
        left_mm, off = _way_to(goal, state)
        if late or left_mm < ARRIVED_MM:
            self._begin("turn")
        elif abs(off) < FACING_RAD:
            self._begin("go")
        else:
            self._spin(off)

    def _go(self, state: RobotState, late: bool, goal: Goal) -> None:
        """Drive to the goal, steering a little; stop before whatever is in the way."""
        left_mm, off = _way_to(goal, state)
        blocked = state.range_mm is not None and state.range_mm < NEAR_MM
        if late or blocked or left_mm < ARRIVED_MM or abs(off) > math.radians(60):
            self._target.stop()
            self._escapes = 0
            self._from = state
            self._begin("settle")
            return
        self._way = 1.0
        steer = max(-20.0, min(20.0, 40.0 * off))
        if not self._target.drive(DRIVE_MMPS - steer, DRIVE_MMPS + steer):
            self._begin("stand")

    def _settle(self, state: RobotState, late: bool) -> None:
        """Move a little back.

        When it turns next, its long rear may swing over an edge; the guard then leaves the way forward open.
        """
        start = self._from
        if late or math.dist((start.x_mm, start.y_mm), (state.x_mm, state.y_mm)) > SETTLE_MM:
            self._target.stop()
            self._begin("turn")
        else:
            self._way = -1.0
            self._target.drive(-ESCAPE_MMPS, -ESCAPE_MMPS)

    def _turn(self, state: RobotState, late: bool, goal: Goal) -> None:
        """Turn to the goal's heading."""
        off = math.remainder(goal.heading_rad - state.heading_rad, math.tau)
        if late or abs(off) < TURNED_RAD:
            self._target.stop()
            self._begin("stand")
        else:
            self._spin(off)

    def _escape(self, state: RobotState, late: bool) -> None:
        """Drive away from an edge, against the last straight move."""
        start = self._from
        if late or math.dist((start.x_mm, start.y_mm), (state.x_mm, state.y_mm)) > self._escape_mm:
            self._target.stop()
            self._way = -self._way
            self._begin("stand")
        else:
            self._target.drive(-self._way * ESCAPE_MMPS, -self._way * ESCAPE_MMPS)

    def _meet_edge(self, state: RobotState) -> None:
        self._target.stop()
        self._escape_mm = ESCAPE_SPUN_MM if self._phase in ("face", "turn") else ESCAPE_MM
        ahead_mm = 20.0 if self._way > 0 else -45.0  # where the sensors are
        edge = (
            state.x_mm + ahead_mm * math.cos(state.heading_rad),
            state.y_mm + ahead_mm * math.sin(state.heading_rad),
        )
        if all(math.dist(edge, other) > SAME_EDGE_MM for other in self.edges):
            self.edges.append(edge)
        self._from, self._goal = state, None
        self._escapes += 1
        self._begin("escape")

    def _begin(self, phase: str) -> None:
        self._phase, self._since_s = phase, self._target.now_s()

    def _spin(self, off_rad: float) -> None:
        speed = math.copysign(max(15.0, min(TURN_MMPS, 40.0 * abs(off_rad))), off_rad)
        self._target.drive(-speed, speed)

    # -- goals ------------------------------------------------------------

    def _choose(self, state: RobotState, coverage: Coverage) -> Goal:
        """A safe goal of a kind that is rare in the dataset; else the middle of the camera's view."""
        for _ in range(TRIES):
            low, high = BANDS_MM[self._wanted(coverage, "distance", BANDS_MM)]
            away_mm = min(max(self._rng.uniform(low, high), NEAREST_MM), self._reach_mm)
            sides = PLACES[self._wanted(coverage, "place", PLACES)]
            bearing = HALF_VIEW_RAD * self._rng.uniform(*sides)
            bearing *= self._rng.choice((-1, 1)) if sides[0] >= 0.8 else 1
            side = FACINGS_DEG[self._wanted(coverage, "heading", FACINGS_DEG)]
            facing = math.radians(side + self._rng.uniform(-40, 40))
            direction = self._camera[2] + bearing
            x, y = (
                self._camera[0] + away_mm * math.cos(direction),
                self._camera[1] + away_mm * math.sin(direction),
            )
            if all(
                math.dist((x, y), edge) > EDGE_BERTH_MM
                and not _between((state.x_mm, state.y_mm), edge, (x, y))
                for edge in self.edges
            ):
                return Goal(x, y, direction + math.pi + facing)
        x, y = (self._camera[i] + 250 * f(self._camera[2]) for i, f in ((0, math.cos), (1, math.sin)))
        return Goal(x, y, self._rng.uniform(-math.pi, math.pi))

    def _wanted(self, coverage: Coverage, kind: str, names: Iterable[str]) -> str:
        """One of the bins that lack images, in two of three cases; else any."""
        lacking = [name for name in coverage.lacking(kind) if name in names]
        return self._rng.choice(lacking if lacking and self._rng.random() < 0.67 else list(names))


def _camera_ahead(state: RobotState) -> Pose:
    """Where the camera is when the target was put down as asked: `AHEAD_MM` before the target, facing it."""
    away = (AHEAD_MM * math.cos(state.heading_rad), AHEAD_MM * math.sin(state.heading_rad))
    return state.x_mm + away[0], state.y_mm + away[1], state.heading_rad + math.pi


def _way_to(goal: Goal, state: RobotState) -> tuple[float, float]:
    """How far the goal is (mm), and how far to turn to face it (rad, left positive)."""
    east, north = goal.x_mm - state.x_mm, goal.y_mm - state.y_mm
    return math.hypot(east, north), math.remainder(math.atan2(north, east) - state.heading_rad, math.tau)


def _between(start: tuple[float, float], edge: tuple[float, float], goal: tuple[float, float]) -> bool:
    """Whether the way from start to goal passes by an edge, or leads beyond it."""
    way = (goal[0] - start[0], goal[1] - start[1])
    length = math.hypot(*way)
    if length < 1:
        return False
    along = ((edge[0] - start[0]) * way[0] + (edge[1] - start[1]) * way[1]) / length
    aside = abs((edge[0] - start[0]) * way[1] - (edge[1] - start[1]) * way[0]) / length
    return 0 < along < length + EDGE_BERTH_MM and aside < EDGE_BERTH_MM

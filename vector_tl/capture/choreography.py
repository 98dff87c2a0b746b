"""A Vector that shows itself to another one's camera, at varied distances, bearings and headings.

It drives in small guarded moves and knows where it is by its wheels only, from the place where a person put
it: before the camera, facing it. It always drives forward, where the cliff sensors and the range sensor look;
away from an edge it undoes what brought it there, as the guard demands: the state does not say which of its
sensors sees it. Where it met an edge it does not go again, nor beyond it. Its ways are those of its drive
centre, about which it turns.
"""

import math
import random
from collections.abc import Callable, Iterable

from vector_tl.capture.arrange import Pose
from vector_tl.data.coverage import Coverage
from vector_tl.robot.base import Robot, RobotState
from vector_tl.robot.body import CLIFF_SENSORS_MM, DRIVE_CENTER_X_MM, ahead

DRIVE_MMPS, TURN_MMPS, ESCAPE_MMPS = 60.0, 35.0, 50.0
MIN_TURN_MMPS, MAX_STEER_MMPS, STEER_MMPS_PER_RAD = 15.0, 20.0, 40.0
# Good enough to drive on, and to stand; beyond the last it stops and turns anew.
FACING_RAD, TURNED_RAD, ASTRAY_RAD = math.radians(12), math.radians(6), math.radians(60)
ARRIVED_MM, ESCAPE_MM = 20.0, 70.0
MOVE_S = 12.0  # how long a phase may take,
PHASE_S = {"stand": 0.8, "undo": 2.5, "escape": 2.5}  # but these; it stands for its image
NEAR_MM = 90.0  # no further forward when the range sensor sees something so near
FRONT_SENSORS_MM, REAR_SENSORS_MM = CLIFF_SENSORS_MM[0][0], CLIFF_SENSORS_MM[2][0]
MAX_ESCAPES = 4  # one after another; then a person is asked
EDGE_BERTH_MM, SAME_EDGE_MM = 130.0, 40.0  # goals keep so far from where there was an edge
AHEAD_MM, LOOKED_AT_MM = 300.0, 250.0
MIN_AWAY_MM, HALF_VIEW_RAD = 135.0, math.radians(34)  # goals: not nearer to the camera, and well in its view
BANDS_MM = {
    "under 150 mm": (135, 160),
    "150 to 300 mm": (160, 300),
    "300 to 500 mm": (300, 500),
    "500 mm and more": (500, 850),
}
FACINGS_DEG = {"front": 0.0, "its left": -90.0, "its right": 90.0, "back": 180.0}
# Shares of half the view, left positive.
PLACES = {"left": (0.35, 0.9), "middle": (-0.3, 0.3), "right": (-0.9, -0.35), "partly outside": (0.8, 1.15)}
MAX_TRIES = 60
Point = tuple[float, float]  # x_mm, y_mm


class Choreographer:
    """Moves the target a little with every call of `step`; its lease ends by itself when nobody calls.

    Args:
        target: the robot that moves.
        reach_mm: how far from the camera it may go.
        put_down: the simulator's hand: puts the target before the camera and says where the camera now is in
            the frame of its wheels.
        seed: of the goals.

    Attributes:
        word: what it does now, for the view.
        edges: where the ground ended.
    """

    def __init__(
        self, target: Robot, reach_mm: float, put_down: Callable[[], Pose] | None = None, seed: int = 0
    ):
        self._target, self._reach_mm, self._put_down = target, reach_mm, put_down
        self._rng = random.Random(seed)
        self.word = "standing"
        self._from = target.state()  # where the present straight move began
        self._start_anew(put_down() if put_down else _camera_ahead(self._from))

    def _start_anew(self, camera: Pose) -> None:
        """Somebody put it down somewhere else: its wheels' frame has begun afresh."""
        self._camera = camera
        self._held = False
        self._goal: Pose | None = None  # where to stand, in the frame of its wheels
        self._way = 1.0  # of the last straight move: 1 forward, -1 backward
        self._spun_from_rad = 0.0  # heading at which the last turn on the spot began
        self._escapes = 0  # one after another
        self.edges: list[Point] = []
        self._begin("stand")

    def _begin(self, phase: str) -> None:
        self._phase, self._since_s = phase, self._target.now_s()
        if phase in ("face", "turn"):
            self._spun_from_rad = self._target.state().heading_rad

    def pause(self) -> None:
        """Stand still."""
        self._target.stop()
        self.word = "paused"

    def step(self, coverage: Coverage) -> None:
        """Continue the present move, or begin the next one.

        Raises:
            LinkLost: the target is gone.
        """
        state = self._target.state()
        if state.picked_up or state.being_held:
            self._held, self.word = True, "in a hand"
            return
        if self._held:  # put down again: as at the start
            self._start_anew(_camera_ahead(state))
        if state.cliff and self._phase not in ("undo", "escape"):
            # A stand comes after an escape that did not help.
            if self._escapes >= MAX_ESCAPES or self._phase == "stand":
                self._target.stop()
                self.word = "at an edge: put it before the camera again"
                if self._put_down:
                    self._start_anew(self._put_down())
                return
            self._meet_edge(state)
        self._continue_phase(state, coverage)
        self.word = self._phase
        if self._goal is not None:
            self.word += f" ({math.dist(self._goal[:2], self._camera[:2]):.0f} mm away)"

    def _continue_phase(self, state: RobotState, coverage: Coverage) -> None:
        """Stand, then face the goal, go, turn, and stand again; escape from an edge in between."""
        late = self._target.now_s() - self._since_s > PHASE_S.get(self._phase, MOVE_S)
        if self._phase == "undo":
            self._undo(state, late)
        elif self._phase == "escape":
            self._escape(state, late)
        elif self._phase == "stand" or self._goal is None:
            self._stand(state, late, coverage)
        else:
            phases = {"face": self._face, "go": self._go, "turn": self._turn}
            phases[self._phase](state, late, self._goal)

    # -- phases
    # ------------------------------------------------------------------------------------------------------

    def _stand(self, state: RobotState, late: bool, coverage: Coverage) -> None:
        self._target.stop()
        if late:
            self._goal = self._choose_goal((state.x_mm, state.y_mm), coverage)
            self._begin("face")

    def _face(self, state: RobotState, late: bool, goal: Pose) -> None:
        """Turn to where the goal is."""
        left_mm, off_rad = _way_to(goal, state)
        if late or left_mm < ARRIVED_MM:
            self._begin("turn")
        elif abs(off_rad) < FACING_RAD:
            self._begin("go")
        else:
            self._spin(off_rad)

    def _go(self, state: RobotState, late: bool, goal: Pose) -> None:
        """Drive to the goal, steering a little; stop before whatever is in the way."""
        left_mm, off_rad = _way_to(goal, state)
        blocked = state.range_mm is not None and state.range_mm < NEAR_MM
        if late or blocked or left_mm < ARRIVED_MM or abs(off_rad) > ASTRAY_RAD:
            self._target.stop()
            self._escapes = 0
            self._begin("turn")
            return
        self._way = 1.0
        steer = max(-MAX_STEER_MMPS, min(MAX_STEER_MMPS, STEER_MMPS_PER_RAD * off_rad))
        if not self._target.drive(DRIVE_MMPS - steer, DRIVE_MMPS + steer):
            self._begin("stand")

    def _turn(self, state: RobotState, late: bool, goal: Pose) -> None:
        """Turn to the heading that is wanted."""
        off_rad = math.remainder(goal[2] - state.heading_rad, math.tau)
        if late or abs(off_rad) < TURNED_RAD:
            self._target.stop()
            self._begin("stand")
        else:
            self._spin(off_rad)

    def _undo(self, state: RobotState, late: bool) -> None:
        """Turn back from an edge that it met while turning, then leave as it came."""
        off_rad = math.remainder(self._spun_from_rad - state.heading_rad, math.tau)
        if late or abs(off_rad) < TURNED_RAD:
            self._target.stop()
            self._from = state
            self._begin("escape")
        else:
            self._spin(off_rad)

    def _escape(self, state: RobotState, late: bool) -> None:
        """Drive away from an edge, against the last straight move."""
        if late or math.dist((self._from.x_mm, self._from.y_mm), (state.x_mm, state.y_mm)) > ESCAPE_MM:
            self._target.stop()
            self._way = -self._way
            self._begin("stand")
        else:
            self._target.drive(-self._way * ESCAPE_MMPS, -self._way * ESCAPE_MMPS)

    def _meet_edge(self, state: RobotState) -> None:
        self._target.stop()
        spun = self._phase in ("face", "turn")
        ahead_mm = FRONT_SENSORS_MM if self._way > 0 else REAR_SENSORS_MM
        edge = _point_from((state.x_mm, state.y_mm), state.heading_rad, ahead_mm)
        if all(math.dist(edge, other) > SAME_EDGE_MM for other in self.edges):
            self.edges.append(edge)
        self._from, self._goal = state, None
        self._escapes += 1
        self._begin("undo" if spun else "escape")

    def _spin(self, off_rad: float) -> None:
        speed = max(MIN_TURN_MMPS, min(TURN_MMPS, STEER_MMPS_PER_RAD * abs(off_rad)))
        speed = math.copysign(speed, off_rad)
        self._target.drive(-speed, speed)

    # -- goals
    # -------------------------------------------------------------------------------------------------------

    def _choose_goal(self, here: Point, coverage: Coverage) -> Pose:
        """A goal that fills what is missing, where it is known to be safe.

        Where there is none, back to where the camera looks.
        """
        camera, camera_rad = self._camera[:2], self._camera[2]
        for _ in range(MAX_TRIES):
            low, high = BANDS_MM[self._choose_bin(coverage, "distance", BANDS_MM)]
            away_mm = min(max(self._rng.uniform(low, high), MIN_AWAY_MM), self._reach_mm)
            sides = PLACES[self._choose_bin(coverage, "place", PLACES)]
            bearing_rad = HALF_VIEW_RAD * self._rng.uniform(*sides)
            if sides == PLACES["partly outside"]:  # at either side
                bearing_rad *= self._rng.choice((-1, 1))
            facing_deg = FACINGS_DEG[self._choose_bin(coverage, "heading", FACINGS_DEG)]
            facing_rad = math.radians(facing_deg + self._rng.uniform(-40, 40))
            direction = camera_rad + bearing_rad
            place = _point_from(camera, direction, away_mm)
            if not any(
                math.dist(place, edge) <= EDGE_BERTH_MM or _between(here, edge, place) for edge in self.edges
            ):
                return (*place, direction + math.pi + facing_rad)
        return (*_point_from(camera, camera_rad, LOOKED_AT_MM), self._rng.uniform(-math.pi, math.pi))

    def _choose_bin(self, coverage: Coverage, kind: str, names: Iterable[str]) -> str:
        """One of the bins that lack images, in two of three cases; else any."""
        names = list(names)
        lacking = [name for name in coverage.lacking(kind) if name in names]
        return self._rng.choice(lacking if lacking and self._rng.random() < 0.67 else names)


def _camera_ahead(state: RobotState) -> Pose:
    """Where the camera is when a person has put the target down as asked: `AHEAD_MM` before it, facing it."""
    x_mm, y_mm = _point_from((state.x_mm, state.y_mm), state.heading_rad, AHEAD_MM)
    return x_mm, y_mm, state.heading_rad + math.pi


def _point_from(start: Point, direction_rad: float, away_mm: float) -> Point:
    return start[0] + away_mm * math.cos(direction_rad), start[1] + away_mm * math.sin(direction_rad)


def _way_to(goal: Pose, state: RobotState) -> tuple[float, float]:
    """How far its drive centre has to go (mm), and how far off that way it heads (rad, left-positive)."""
    there, here = (
        ahead(pose, DRIVE_CENTER_X_MM) for pose in (goal, (state.x_mm, state.y_mm, state.heading_rad))
    )
    x_mm, y_mm = there[0] - here[0], there[1] - here[1]
    return math.hypot(x_mm, y_mm), math.remainder(math.atan2(y_mm, x_mm) - state.heading_rad, math.tau)


def _between(start: Point, edge: Point, goal: Point) -> bool:
    """Whether the way from start to goal passes by an edge, or leads on beyond it."""
    way = (goal[0] - start[0], goal[1] - start[1])
    length = math.hypot(*way)
    if length < 1:
        return False
    along = ((edge[0] - start[0]) * way[0] + (edge[1] - start[1]) * way[1]) / length
    aside = abs((edge[0] - start[0]) * way[1] - (edge[1] - start[1]) * way[0]) / length
    return 0 < along < length + EDGE_BERTH_MM and aside < EDGE_BERTH_MM

"""Following: decisions one by one, the loop around a target that drives, and the reported share of time."""

import math
import time
import weakref

import pytest

from support.small_world import SmallDetector, SmallWorld
from vector_tl.errors import UsageError, UserError
from vector_tl.find.behaviour import decide
from vector_tl.find.follow import Following
from vector_tl.find.loop import find
from vector_tl.find.memory import Law, Memory, Observation, Step, again, following
from vector_tl.find.settings import FindSettings
from vector_tl.find.track import Pose, Target
from vector_tl.robot.base import Frame

pytestmark = pytest.mark.fast

HERE = Pose(0.0, 0.0, 0.0)
LAW = following(Law())


def target(
    distance_mm: float, bearing_deg: float = 0.0, vx_mmps: float = 0.0, vy_mmps: float = 0.0
) -> Target:
    bearing = math.radians(bearing_deg)
    return Target(
        bearing,
        distance_mm,
        0.02,
        10.0,
        distance_mm * math.cos(bearing),
        distance_mm * math.sin(bearing),
        0.05,
        5,
        vx_mmps,
        vy_mmps,
    )


def chasing(**fields) -> Memory:
    return Memory(**{"mode": "approach", "last_s": 0.9, "reached": True} | fields)


def forward(memory: Memory, law: Law = LAW, **view) -> float:
    _, command = decide(memory, Observation(1.0, HERE, **view), law)
    return (command.left_mmps + command.right_mmps) / 2


@pytest.mark.parametrize("heading_deg, bearing_deg, velocity, expected", [
    (0, 0, (50, 0), (40, 0)), (0, 0, (0, 50), (0, 40)), (0, 90, (0, 50), (40, 0)),
    (90, 0, (0, -50), (-40, 0)),
    (0, 0, (9, -9), (0, 0)), (0, 0, (500, 0), (90, 0)),
])  # fmt: skip
def test_a_targets_speed_from_the_finder(heading_deg, bearing_deg, velocity, expected):
    assert target(300, bearing_deg, *velocity).lead(math.radians(heading_deg), 10.0, 90.0) == pytest.approx(
        expected, abs=1e-6
    )


def test_it_drives_along_with_one_that_drives_away_and_that_is_no_pushing():
    assert forward(chasing(forward_mmps=60.0), target=target(150, vx_mmps=60)) == pytest.approx(50, abs=1)
    assert forward(chasing(), law=Law(), target=target(150, vx_mmps=60)) == 0, "only who follows"
    memory, t_s = chasing(), 1.0
    for _ in range(300):
        t_s += 1 / 15
        memory, command = decide(
            memory, Observation(t_s, HERE, forward_mmps=60, target=target(175, vx_mmps=60)), LAW
        )
        assert command.mode == "approach"


def test_far_away_and_coming_no_nearer_is_pushing_all_the_same():
    memory, t_s, modes = chasing(), 1.0, set()
    while t_s < 8:
        t_s += 1 / 15
        memory, command = decide(memory, Observation(t_s, HERE, target=target(400)), LAW)
        modes.add(command.mode)
    assert "avoid" in modes


def test_it_backs_off_faster_than_who_only_finds_and_not_over_an_edge():
    near = target(90, vx_mmps=-60)
    speeds = [forward(chasing(forward_mmps=-60.0), law, target=near) for law in (LAW, Law())]
    assert -51 < speeds[0] < speeds[1] <= -30
    memory, command = decide(
        chasing(forward_mmps=-50.0), Observation(1.0, HERE, target=near, cliff=True), LAW
    )
    assert command.mode == "avoid" and command.left_mmps > 0 and "edge behind" in command.log
    assert memory.plan[0] == Step("drive", 15.0, firm=True), "also with the target's face before the sensor"
    assert forward(replaced(memory, 1.5), target=near) == 0, "for a while it stays"
    assert forward(replaced(memory, -9.0), target=near) < 0


def replaced(memory: Memory, edge_behind_s: float) -> Memory:
    return chasing(forward_mmps=-30.0, edge_behind_s=edge_behind_s - 1.5)


def test_an_edge_before_it_does_not_turn_it_away_from_the_target():
    memory, command = decide(
        chasing(forward_mmps=60.0), Observation(1.0, HERE, target=target(300, 20), cliff=True), LAW
    )
    assert (
        command.left_mmps < 0
        and math.isnan(memory.plan[1].amount)
        and memory.last_seen == pytest.approx((282, 103), abs=1)
    )


def test_it_greets_once_and_never_ends():
    memory, t_s, said, done = chasing(reached=False), 1.0, [], []
    for index in range(150):
        t_s += 1 / 15
        memory, command = decide(
            memory, Observation(t_s, HERE, target=target(150 if index % 50 else 300)), LAW
        )
        said, done = said + [command.say] * bool(command.say), [*done, command.done]
    assert said == ["Hello, Vector!"] and not any(done) and command.reached


def test_an_interruption_does_not_make_it_forget_that_it_was_there():
    memory = again(chasing(side=-1.0, last_seen=(1.0, 2.0)), 5.0, HERE)
    assert (memory.reached, memory.side, memory.last_seen, memory.mode) == (True, -1.0, (1.0, 2.0), "search")


class DrivenWorld(SmallWorld):
    """The first target drives: `way(t_s)` gives its speed (mm/s) and turn (rad/s)."""

    way = staticmethod(lambda t_s: (0.0, 0.0))

    def _advance(self, until_s: float) -> None:
        while self.t_s < until_s - 1e-9:
            before = self.t_s
            super()._advance(min(until_s, before + 0.005))
            speed, turn = self.way(self.t_s)
            it, dt = self.targets[0], self.t_s - before
            it[2] += turn * dt
            it[0] += speed * math.cos(it[2]) * dt
            it[1] += speed * math.sin(it[2]) * dt


WAYS = {
    "away": ((400, 0, 0), lambda t: (60.0, 0.0)),
    "circle": ((400, 0, 1.5), lambda t: (60.0, 0.25)),
    "stop and go": ((350, 50, 0.5), lambda t: (80.0, 0.1) if t % 6 < 4 else (0.0, 0.5)),
    "coming": ((500, 0, math.pi), lambda t: (30.0, 0.0) if t < 28 else (0.0, 0.0)),
    "to and fro": ((300, -40, 0), lambda t: (45.0 if t % 10 < 5 else -45.0, 0.0)),
}


@pytest.mark.parametrize(
    "detector", [{}, {"noise": 0.04, "miss": 0.2, "false": 0.05}], ids=["perfect", "noisy"]
)
@pytest.mark.parametrize("name", WAYS)
def test_it_stays_with_a_target_that_drives(name, detector):
    start, way = WAYS[name]
    world = DrivenWorld(targets=[list(start)])
    world.way = way
    result = find(
        FindSettings(lockstep=True, seconds=40, follow=True), world, SmallDetector(world, **detector)
    )
    assert result["found"] and result["followed_share"] >= 0.95 and result["collisions"] == 0, result
    assert (
        result["frames"] > 590 and world.said == ["Hello, Vector!"] and world.commands[-1][1:] == (0.0, 0.0)
    )
    assert result["followed_share_all"] <= 1 and 100 <= result["followed_mm"]["p50"] <= 250


@pytest.mark.parametrize("side", [1, -1])
def test_lost_it_searches_on_the_side_where_it_was_lost(side):
    world = DrivenWorld(targets=[[300.0, 0.0, 0.0]])
    world.events = [(6.0, lambda w: w.targets[0].__setitem__(slice(None), [*carried(w, side), 0.0]))]
    result = find(FindSettings(lockstep=True, seconds=25, follow=True), world, SmallDetector(world))
    assert result["losses"] == 1 and 100 <= result["distance_mm"] <= 400 and abs(result["bearing_deg"]) < 15
    turned = [
        after[3] - before[3]
        for before, after in zip(world.path, world.path[1:], strict=False)
        if before[0] > 6.6
    ]
    first = next(turn for turn in turned if abs(turn) > 1e-3)
    assert first * side > 0


def carried(world: SmallWorld, side: int) -> tuple[float, float]:
    """A hand puts the target beside the finder, first through the edge of the image."""
    x, y, heading = world.finder
    world.events.append(
        (6.25, lambda w: w.targets[0].__setitem__(slice(0, 2), around(w.finder, side * 1.9, 220)))
    )
    return around((x, y, heading), side * 0.25, 170)


def around(finder, bearing_rad: float, distance_mm: float) -> tuple[float, float]:
    return finder[0] + distance_mm * math.cos(finder[2] + bearing_rad), finder[1] + distance_mm * math.sin(
        finder[2] + bearing_rad
    )


def test_on_a_robot_the_shares_are_null_and_without_follow_they_are_not_there():
    world = DrivenWorld(targets=[[300.0, 0.0, 0.0]])
    world.ground_truth = lambda: None
    result = find(FindSettings(lockstep=True, seconds=8, follow=True), world, SmallDetector(world))
    assert (
        result["found"]
        and result["followed_share"] is result["followed_share_all"] is result["followed_mm"]["p50"] is None
        and result["losses"] == 0
    )
    world = DrivenWorld(targets=[[300.0, 0.0, 0.0]])
    result = find(FindSettings(lockstep=True, seconds=20), world, SmallDetector(world))
    assert result["found"] and not [key for key in result if key.startswith(("follow", "loss"))]


class KnownDistances:
    """Ground truth that knows distances by image id."""

    def __init__(self, distances_mm: dict[int, float]):
        self.distances_mm = distances_mm

    def truth(self, image_id: int, serial: str) -> dict:
        if image_id not in self.distances_mm:
            raise UserError("Nothing is known of it.")
        return {"boxes": [], "distance_mm": self.distances_mm[image_id], "bearing_deg": 0.0}


@pytest.mark.parametrize("lockstep", [True, False])
def test_shares_of_the_time(lockstep):
    distances = {1: 500.0, 2: 401.0, 3: 400.0, 4: 100.0, 5: 99.0, 6: 150.0}
    followed = Following(KnownDistances(distances), "it", lockstep)
    for image_id in (1, 2, 3, 4, 5, 6, 7):
        followed.note(Frame(image_id, 0, 0.0, b""), reached=image_id >= 3, lost=image_id in (1, 5))
    assert followed.result() == {
        "followed_share": 0.75,
        "followed_share_all": 0.5,
        "followed_mm": {"p5": 99.2, "p50": 125.0, "p95": 362.5},
        "losses": 1,
    }


def test_never_reached_is_null_and_nothing_seen_is_no_share():
    followed = Following(KnownDistances({1: 200.0}), "it", True)
    assert followed.result()["followed_share_all"] is None
    followed.note(Frame(1, 0, 0.0, b""), reached=False, lost=True)
    assert followed.result() == {
        "followed_share": None,
        "followed_share_all": 1.0,
        "followed_mm": {"p5": None, "p50": None, "p95": None},
        "losses": 0,
    }


def test_target_motion_is_for_the_simulator():
    with pytest.raises(UsageError, match="--target-motion"):
        FindSettings(robot="00e20100", target_motion="wander").check()
    FindSettings(target_motion="flee", follow=True).check()


def test_frames_are_not_held_for_as_long_as_it_follows():
    """It grew by the size of each image, 12 MB a minute."""
    followed = Following(KnownDistances(dict.fromkeys(range(50), 200.0)), "it", False)
    frames = []
    for image_id in range(50):
        frame = Frame(image_id, 0, 0.0, b"")
        frames.append(weakref.ref(frame))
        followed.note(frame, reached=True, lost=False)
        time.sleep(0.002)
    held = sum(frame() is not None for frame in frames[:-1])
    assert held < 20
    assert followed.result()["followed_share_all"] == 1.0 and len(followed.distances_mm) == 50

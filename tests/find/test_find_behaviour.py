"""Decisions one by one, and the whole loop closed in a small world."""

import math

import pytest

from support.small_world import SmallDetector, SmallWorld
from vector_tl.find.behaviour import decide
from vector_tl.find.loop import find
from vector_tl.find.memory import EDGE_REACTION_S, Law, Memory, Observation, Step, begin, following
from vector_tl.find.plans import way_to_edge_mm
from vector_tl.find.settings import FindSettings
from vector_tl.find.track import Pose, Target, aim_rad
from vector_tl.robot.body import CLIFF_SENSORS_MM, EDGE_ROOM_MM, SAFE_EDGE_MMPS, WHEEL_ACCEL_MMPS2, driven

pytestmark = pytest.mark.fast

HERE = Pose(0.0, 0.0, 0.0)
LAW = Law()


def target(distance_mm: float, bearing_deg: float = 0.0, age_s: float = 0.05) -> Target:
    bearing = math.radians(bearing_deg)
    return Target(
        bearing,
        distance_mm,
        0.02,
        10.0,
        distance_mm * math.cos(bearing),
        distance_mm * math.sin(bearing),
        age_s,
        5,
    )


def approaching(last_s: float = 0.9, forward_mmps: float = 80.0) -> Memory:
    return Memory(mode="approach", last_s=last_s, forward_mmps=forward_mmps)


def test_it_is_a_pure_function():
    memory, view = begin(0.0, HERE), Observation(0.5, HERE, target=target(400, 10))
    assert decide(memory, view) == decide(memory, view)


@pytest.mark.parametrize("bearing_deg, turns", [(25, 1), (-25, -1), (0, 0), (60, 1)])
def test_it_turns_to_the_target(bearing_deg, turns):
    _, command = decide(approaching(), Observation(1.0, HERE, target=target(500, bearing_deg)))
    assert (command.right_mmps > command.left_mmps) - (command.right_mmps < command.left_mmps) == turns
    forward = (command.left_mmps + command.right_mmps) / 2
    assert forward == pytest.approx(0, abs=1e-6) if abs(bearing_deg) > 30 else forward > 5


@pytest.mark.parametrize("distance_mm, sign", [(600, 1), (200, 1), (100, -1), (151, 0)])
def test_it_drives_to_the_stop_distance(distance_mm, sign):
    _, command = decide(approaching(forward_mmps=0.0), Observation(1.0, HERE, target=target(distance_mm)))
    forward = command.left_mmps + command.right_mmps
    assert (forward > 0) - (forward < 0) == sign


def test_slower_when_near_when_frames_are_old_and_when_it_was_not_seen_lately():
    def speed(**view):
        return decide(approaching(last_s=0.0, forward_mmps=110.0), Observation(1.0, HERE, **view))[
            1
        ].left_mmps

    far = speed(target=target(600))
    assert far == pytest.approx(LAW.top_mmps) and speed(target=target(220)) < 0.75 * far
    assert (
        0 < speed(target=target(600), frame_age_s=0.25) < 0.6 * far
        and speed(target=target(600), frame_age_s=0.4) == 0
    )
    assert 0 < speed(target=target(600, age_s=0.35)) < 0.6 * far and speed(target=target(600, age_s=0.5)) == 0


@pytest.mark.parametrize("bearing_deg, side", [(20, "left"), (-20, "right")])
def test_lost_means_stopped_first_and_then_searched_on_that_side(bearing_deg, side):
    memory, _ = decide(approaching(), Observation(1.0, HERE, target=target(400, bearing_deg)))
    memory, command = decide(memory, Observation(1.07, HERE))
    assert (command.left_mmps, command.right_mmps, command.mode) == (0, 0, "search") and side in command.log
    t_s, turned = 1.07, None
    while turned is None:
        t_s += 1 / 15
        memory, command = decide(memory, Observation(t_s, HERE))
        if command.left_mmps or command.right_mmps:
            turned = "left" if command.right_mmps > command.left_mmps else "right"
    assert turned == side and t_s - 1.07 >= LAW.look_s - 0.01


@pytest.mark.parametrize("mode", ["search", "approach", "hold", "avoid"])
def test_in_a_hand_the_wheels_stand_still_and_it_begins_again_after(mode):
    memory = Memory(mode=mode, plan=(Step("drive", 100.0),), last_s=0.9, forward_mmps=50)
    memory, command = decide(memory, Observation(1.0, HERE, target=target(400), lifted=True))
    assert (command.left_mmps, command.right_mmps, command.mode) == (0, 0, "wait")
    memory, command = decide(memory, Observation(1.1, HERE))
    assert command.mode == "search" and memory.plan[0].kind == "look"


def test_an_edge_sends_it_back_and_away():
    memory, command = decide(approaching(), Observation(1.0, HERE, target=target(400), cliff=True))
    assert (
        command.mode == "avoid" and command.left_mmps < 0 and command.right_mmps < 0 and "edge" in command.log
    )
    memory, command = decide(memory, Observation(1.1, HERE, target=target(400), cliff=True))
    assert command.left_mmps < 0, "the target does not lure it over the edge"


@pytest.mark.parametrize("side", [1, -1])
def test_a_turn_that_meets_an_edge_is_undone(side):
    """The state does not say which sensor sees it: driving straight might lead over the edge."""
    memory = Memory(plan=(Step("turn", side * 1.5),), last_s=0.9, turn_radps=side * 1.2)
    memory, _ = decide(memory, Observation(0.93, Pose(0, 0, side * 0.4)))
    memory, command = decide(memory, Observation(1.0, Pose(0, 0, side * 0.5), cliff=True))
    assert command.mode == "avoid" and (command.right_mmps - command.left_mmps) * side < 0
    assert command.left_mmps == pytest.approx(-command.right_mmps)
    assert memory.plan[0].amount * side < 0.4 and memory.side == -side


def test_nothing_on_the_range_sensor_is_unknown_and_not_free():
    """Such a way is taken slowly, a little at a time, and after one that is known to be as free."""
    memory = Memory(plan=(Step("drive", 250.0),), last_s=0.9, forward_mmps=60.0)
    speeds = [decide(memory, Observation(1.0, HERE, range_mm=range_mm))[1] for range_mm in (None, 390.0)]
    assert [speed.left_mmps for speed in speeds] == [LAW.unknown_mmps, LAW.wander_mmps]
    for ways_mm, best in (((200.0, 320.0, 200.0, 200.0), 1), ((150.0, 150.0, 390.0, 150.0), 2)):
        looked = Memory(turned_rad=math.tau, ranges=tuple(enumerate(ways_mm, 1)), last_s=0.9)
        planned, _ = decide(looked, Observation(1.0, HERE))
        assert planned.plan[0] == Step("turn", best + 1) and planned.plan[1].kind == "drive"
        assert planned.plan[1].amount <= max(ways_mm) - LAW.clear_mm


def test_a_search_does_not_go_where_an_edge_was():
    memory, _ = decide(Memory(last_s=0.9, forward_mmps=40.0), Observation(1.0, HERE, cliff=True))
    assert memory.edges == ((CLIFF_SENSORS_MM[0][0], 0.0),)
    back = Pose(-150.0, 0.0, 2.0)
    assert way_to_edge_mm(memory.edges, back, 0.2, LAW.edge_berth_mm) == pytest.approx(152 * math.cos(0.2))
    assert way_to_edge_mm(memory.edges, back, 1.2, LAW.edge_berth_mm) == math.inf
    ranges = ((0.0, 320.0), (1.2, 320.0), (2.4, 320.0), (-2.4, 320.0), (-1.2, 320.0))
    looked = Memory(turned_rad=math.tau, ranges=ranges, last_s=0.9, edges=memory.edges)
    planned, _ = decide(looked, Observation(1.0, back))
    assert abs(planned.plan[0].amount) == 2.4  # the way with most room to both sides


def test_it_turns_by_what_faces_the_target_about_its_drive_centre():
    """A target beside the origin needs less of a turn than its bearing: the origin swings along."""
    pose, place = Pose(10.0, 20.0, 0.3), (110.0, 160.0)
    turned = pose.heading_rad + aim_rad(*pose.polar(*place))
    there = Pose(*driven((10.0, 20.0, 0.3), 0.0, turned - 0.3))
    assert there.polar(*place)[1] == pytest.approx(0.0, abs=1e-9)
    assert abs(turned - 0.3) < abs(pose.polar(*place)[1])


def test_its_own_stop_is_in_time_at_an_edge_at_its_top_speed():
    """Should the robot not stop by itself: reaction and braking fit between sensors and balance."""
    v = LAW.top_mmps
    assert v * EDGE_REACTION_S + v * v / (2 * WHEEL_ACCEL_MMPS2) <= EDGE_ROOM_MM[0] + 0.1
    back = max(LAW.back_mmps, following(LAW).back_mmps)
    assert back * EDGE_REACTION_S + back * back / (2 * WHEEL_ACCEL_MMPS2) <= EDGE_ROOM_MM[1]
    assert LAW.top_mmps <= FindSettings().top_mmps <= SAFE_EDGE_MMPS


def test_something_before_the_target_is_gone_around():
    _, command = decide(approaching(), Observation(1.0, HERE, target=target(500, 5), range_mm=80))
    assert command.mode == "avoid" and "left" in command.log
    _, command = decide(approaching(), Observation(1.0, HERE, target=target(190, 5), range_mm=100))
    assert command.mode == "approach", "that is the target itself"


def test_pushing_without_coming_nearer_ends_in_a_detour():
    memory, t_s, modes = approaching(), 1.0, []
    for _ in range(40):
        t_s += 1 / 15
        memory, command = decide(memory, Observation(t_s, HERE, target=target(400)))
        modes.append(command.mode)
    assert "avoid" in modes and 10 < modes.index("avoid") < 30


def test_a_turn_that_is_held_is_tried_the_other_way():
    memory, t_s, ways, drove = begin(0.0, HERE), 0.0, [], False
    while t_s < 12:  # the heading never changes
        t_s += 1 / 15
        memory, command = decide(memory, Observation(t_s, HERE))
        way = (command.right_mmps > command.left_mmps) - (command.right_mmps < command.left_mmps)
        ways += [way] if way and (not ways or ways[-1] != way) else []
        drove = drove or command.left_mmps * command.right_mmps > 0
    assert ways[:2] == [1, -1] and drove


def test_a_candidate_stops_the_turn():
    memory = Memory(mode="search", plan=(Step("turn", 1.0), Step("look")), last_s=0.9, turn_radps=1.0)
    _, command = decide(memory, Observation(1.0, HERE, candidate=True))
    assert (command.left_mmps, command.right_mmps) == (0, 0) and "perhaps" in command.log


def test_flicker_does_not_stop_the_search():
    memory, heading, t_s = begin(0.0, HERE), 0.0, 0.0
    while t_s < 30 and heading < math.tau:  # something unconfirmed in every frame
        t_s += 1 / 15
        memory, command = decide(memory, Observation(t_s, Pose(0, 0, heading), candidate=True))
        heading += (command.right_mmps - command.left_mmps) / 48 / 15
    assert heading >= math.tau


@pytest.mark.parametrize("distance_mm, low_deg, high_deg", [(120, -8, -2), (150, -6, -1), (800, -2, 1)])
def test_the_head_keeps_the_whole_target_in_the_image(distance_mm, low_deg, high_deg):
    _, command = decide(approaching(), Observation(1.0, HERE, target=target(distance_mm)))
    assert low_deg <= math.degrees(command.head_rad) <= high_deg


def run(world: SmallWorld, seconds: float = 60, **detector) -> dict:
    return find(FindSettings(lockstep=True, seconds=seconds), world, SmallDetector(world, **detector))


STARTS = [
    (400, 0, 180),
    (900, 30, 0),
    (250, -100, 90),
    (600, 180, -45),
    (200, 90, 10),
    (350, -170, 135),
    (100, 20, 60),
    (700, -60, -120),
]


@pytest.mark.parametrize("distance_mm, bearing_deg, heading_deg", STARTS)
@pytest.mark.parametrize(
    "world, detector",
    [
        ({}, {}),
        ({"camera_delay_s": 0.1, "command_delay_s": 0.08}, {"noise": 0.04, "miss": 0.2, "false": 0.1}),
        ({"fps": 5, "camera_delay_s": 0.2, "command_delay_s": 0.1}, {"noise": 0.04, "miss": 0.1}),
    ],
    ids=["perfect", "noisy", "slow"],
)
def test_it_gets_there(distance_mm, bearing_deg, heading_deg, world, detector):
    angle = math.radians(bearing_deg)
    small = SmallWorld(
        targets=[[distance_mm * math.cos(angle), distance_mm * math.sin(angle), math.radians(heading_deg)]],
        **world,
    )
    result = run(small, **detector)
    assert result["found"] and abs(result["distance_mm"] - 150) <= 40 and abs(result["bearing_deg"]) <= 10, (
        result
    )
    assert abs(result["estimated_distance_mm"] - 150) <= 28 and small.said == ["Hello, Vector!"]
    nearest = min(math.dist(at[1:3], small.targets[0][:2]) for at in small.path)
    assert nearest > min(distance_mm, 150) - 30, "it does not bump into it on the way"
    assert small.wheels == (0.0, 0.0) or small.commands[-1][1:] == (0.0, 0.0)


def test_the_nearer_of_two_is_visited():
    world = SmallWorld(targets=[[500, 150, 0], [350, -120, 1]])
    assert run(world)["found"] and math.dist(world.finder[:2], world.targets[1][:2]) < 190


def test_something_in_the_way_is_gone_around():
    world = SmallWorld(targets=[[600, 0, 0]], walls=[(300, 0, 35)])
    result = run(world)
    assert result["found"] and min(math.dist(at[1:3], (300, 0)) for at in world.path) > 35 + 30


def test_nobody_there_is_searched_for_all_around_and_given_up():
    world = SmallWorld(targets=[[5000, 0, 0]])
    result = run(world, seconds=30, blind=True)
    headings = [at[3] for at in world.path]
    assert (
        not result["found"]
        and result["time_to_found_s"] is None
        and max(headings) - min(headings) > math.tau * 0.8
    )
    assert max(math.hypot(at[1], at[2]) for at in world.path) > 100, (
        "after a full turn it looks from elsewhere"
    )


def vanishing(
    memory: Memory, t_s: float, place: Target, lasts_s: float = 0.5
) -> tuple[Memory, float, str, str]:
    """A target that is seen for so long, then no more: memory, time, the lines when it came and went."""
    memory, came = decide(memory, Observation(t_s, HERE, target=place))
    while t_s < 100 and lasts_s > 0:
        t_s, lasts_s = t_s + 0.1, lasts_s - 0.1
        memory, _ = decide(memory, Observation(t_s, HERE, target=place))
    memory, gone = decide(memory, Observation(t_s + 0.1, HERE))
    return memory, t_s + 0.1, came.log or "", gone.log or ""


def test_what_vanishes_twice_is_left_alone_for_a_while():
    memory, vase = begin(0.0, HERE), target(500, 35)
    memory, t_s, came, gone = vanishing(memory, 1.0, vase)
    assert "approaching" in came and "searching left first" in gone and "alone" not in gone
    memory, t_s, came, gone = vanishing(memory, t_s + 1, target(540, 32))  # about the same place
    assert "approaching" in came and "leaving it alone for 15 s" in gone
    for later_s in (1.0, 5.0, 14.0):
        still, command = decide(memory, Observation(t_s + later_s, HERE, target=vase))
        assert command.mode == "search" and still.mode == "search"
    assert decide(memory, Observation(t_s + 1, HERE, target=target(500, -35)))[1].mode == "approach", (
        "another one is another one"
    )
    assert decide(memory, Observation(t_s + 16, HERE, target=vase))[1].mode == "approach", (
        "and it gets another chance"
    )
    memory, t_s, _, gone = vanishing(memory, t_s + 16, vase)
    assert "leaving it alone for 30 s" in gone


def test_what_was_approached_for_long_is_no_doubt():
    memory, t_s = begin(0.0, HERE), 0.0
    for _ in range(3):
        memory, t_s, came, gone = vanishing(
            memory, t_s + 1, target(500, 40), lasts_s=1.4
        )  # turning towards it
        assert "approaching" in came and "alone" not in gone

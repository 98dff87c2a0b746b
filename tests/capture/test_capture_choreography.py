"""The target that drives by itself: on a table in memory, and in the simulator with two robots."""

import json
import math
from dataclasses import replace

import pytest

from vector_tl.capture.choreography import EDGE_BERTH_MM, MIN_AWAY_MM, Choreographer, _between
from vector_tl.capture.run import capture
from vector_tl.capture.settings import CaptureSettings
from vector_tl.data import dataset
from vector_tl.data.coverage import Coverage
from vector_tl.data.dataset import read_session
from vector_tl.robot.body import BALANCE_X_MM, CLIFF_SENSORS_MM
from vector_tl.robot.fake import FakeVector


def over_edge(pose, half_x, half_y, points=CLIFF_SENSORS_MM) -> bool:
    x, y, heading = pose
    at = [
        (
            x + math.cos(heading) * px - math.sin(heading) * py,
            y + math.sin(heading) * px + math.cos(heading) * py,
        )
        for px, py in points
    ]
    return any(abs(px) > half_x or abs(py) > half_y for px, py in at)


def dance(
    frames: int, half_x=2000.0, half_y=2000.0, reach_mm=600.0, start=(300.0, 0.0, math.pi), seed=0, covered=()
):
    """The camera stands at the origin and looks along x; the target's wheels know their way exactly."""
    robot = FakeVector(pose=start)
    robot.next_frame()
    choreographer = Choreographer(robot, reach_mm, seed=seed)
    coverage, stands, fell = Coverage(covered), [], 0
    for _ in range(frames):
        robot.cliff = over_edge(robot.pose, half_x, half_y)
        robot.next_frame()
        choreographer.step(coverage)
        fell += over_edge(robot.pose, half_x, half_y, ((BALANCE_X_MM, 0.0),))  # its balance
        if choreographer.word.startswith("stand"):
            stands.append(robot.pose)
    return choreographer, robot, stands, fell


@pytest.mark.fast
def test_it_shows_itself_near_and_far_left_and_right_and_from_all_sides():
    choreographer, robot, stands, _ = dance(6000)
    away = [math.hypot(x, y) for x, y, _ in stands]
    assert min(away) < 170 and max(away) > 500 and min(away) > MIN_AWAY_MM - 45 and max(away) < 600 + 45
    bearings = [math.atan2(y, x) for x, y, _ in stands]
    assert (
        min(bearings) < -math.radians(15)
        and max(bearings) > math.radians(15)
        and max(map(abs, bearings)) < math.radians(48)
    )
    facing = {
        round(math.remainder(h - math.atan2(y, x) - math.pi, math.tau) / (math.pi / 2)) % 4
        for x, y, h in stands
    }
    assert facing == {0, 1, 2, 3}
    assert not choreographer.edges and not robot.stops


@pytest.mark.fast
@pytest.mark.parametrize("seed", range(40))
def test_it_never_falls_and_remembers_edges(seed):
    """Also without the robot's own reaction to edges, which the SDK may switch off."""
    choreographer, robot, stands, fell = dance(1500, half_x=480, half_y=260, seed=seed)
    assert fell == 0 and choreographer.edges
    for i, edge in enumerate(choreographer.edges):
        assert all(math.dist(edge, other) > 40 for other in choreographer.edges[:i])


@pytest.mark.fast
def test_nobody_calls_and_it_stands():
    choreographer, robot, _, _ = dance(40)
    for _ in range(10):
        robot.next_frame()
    assert robot.commands[-1][1:] == (0.0, 0.0)
    choreographer.pause()
    assert choreographer.word == "paused"


@pytest.mark.fast
def test_in_a_hand_it_does_nothing_and_starts_anew_where_it_is_put():
    choreographer, robot, _, _ = dance(100)
    robot.being_held = True
    robot.next_frame()
    commands = len(robot.commands)
    for _ in range(10):
        robot.next_frame()
        choreographer.step(Coverage())
    assert choreographer.word == "in a hand" and all(c[1:] == (0.0, 0.0) for c in robot.commands[commands:])
    robot.being_held = False
    robot.next_frame()
    choreographer.step(Coverage())
    state = robot.state()
    assert math.dist(choreographer._camera[:2], (state.x_mm, state.y_mm)) == pytest.approx(300, abs=1)


@pytest.mark.fast
@pytest.mark.parametrize(
    ("start", "edge", "goal", "passes"),
    [
        ((0, 0), (200, 0), (400, 0), True),
        ((0, 0), (200, EDGE_BERTH_MM + 1), (400, 0), False),
        ((0, 0), (-50, 0), (400, 0), False),
        ((0, 0), (450, 0), (400, 0), True),
        ((0, 0), (600, 0), (400, 0), False),
        ((0, 0), (0, 0), (0, 0), False),
    ],
)
def test_ways_past_edges(start, edge, goal, passes):
    assert _between(start, edge, goal) is passes


def test_two_virtual_robots(tmp_path):
    """In the real simulator, over the genuine SDK: one drives about, the other one takes labelled images."""
    pytest.importorskip("anki_vector", reason="the SDK is not installed")
    settings = CaptureSettings(
        robot="sim", target="sim", camera="plain", data=tmp_path, count=12, seconds=25, novelty=0.02, seed=0
    )
    result = capture(settings)
    assert result["kept"] >= 4 and result["seen"] > result["kept"] and result["camera_fps"] > 1
    data = dataset.load_dataset(tmp_path, "all")
    about = read_session(tmp_path, result["session"])
    assert len(data) == result["kept"] == len(about["shots"]) and data.unlabelled == 0 and about["whole"]
    poses = {tuple(shot["poses"][1]) for shot in about["shots"]}
    assert len(poses) > 2 and {tuple(shot["poses"][0]) for shot in about["shots"]} == {
        tuple(about["shots"][0]["poses"][0])
    }
    for shot in about["shots"]:
        assert shot["image_id"] > 0 and shot["received_s"] > 0 and shot["robot_time_ms"] > 0


def test_remake_says_what_held(tmp_path):
    """Clones without images: the same bytes.

    Drawn a little differently: tolerance; a label or an image that is not what it was: an error.
    """
    pytest.importorskip("anki_vector", reason="the SDK is not installed")
    settings = CaptureSettings(
        robot="sim", camera="plain", data=tmp_path, count=4, images_per_session=4, negative_share=0.0
    )
    capture(settings)
    images = sorted((tmp_path / "images").rglob("*.jpg"))
    before = [path.read_bytes() for path in images]
    images[0].unlink()
    path = tmp_path / "sessions/sim-0-000.json"
    about = json.loads(path.read_text())
    about["shots"][1]["sha256"] = "0" * 64  # as if another machine had taken it
    path.write_text(json.dumps(about))
    result = capture(replace(settings, remake=True))
    assert (result["held"], result["same_bytes"], result["within_tolerance"], result["made"]) == (
        "tolerance",
        3,
        1,
        1,
    ) and "error" not in result
    assert [image.read_bytes() for image in images] == before
    images[2].write_bytes(before[2][:-500])
    label = tmp_path / "labels/sim-0-000/sim-0-000-003.txt"
    label.write_text("0 0.5 0.5 0.1 0.1\n")
    result = capture(replace(settings, remake=True))
    assert (
        result["held"] is None
        and result["damaged"] == ["sim-0-000-002"]
        and result["differ"] == ["sim-0-000-003"]
        and "sim-0-000-003" in result["error"]
    )

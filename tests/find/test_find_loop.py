"""The loop's duties: records, dry run, missing frames, errors, Ctrl-C."""

import json
import math
import os
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from support.small_world import JPEG, SmallDetector, SmallWorld
from vector_tl.data.recording import read_recording
from vector_tl.errors import UsageError, UserError
from vector_tl.find import progress
from vector_tl.find.live.board import Board
from vector_tl.find.loop import FindLoop, find
from vector_tl.find.memory import MotionCommand
from vector_tl.find.progress import describe
from vector_tl.find.settings import FindSettings
from vector_tl.find.track import weak_score
from vector_tl.plain import CLEAR_LINE
from vector_tl.robot.base import LinkLost, NoFreshFrame, Stop

KEYS = [
    "found",
    "time_to_found_s",
    "distance_mm",
    "bearing_deg",
    "estimated_distance_mm",
    "estimated_bearing_deg",
]
KEYS += ["collisions", "falls", "frames", "fps", "latency_ms", "stages_ms", "stops"]


def small(**settings) -> tuple[FindSettings, SmallWorld, SmallDetector]:
    world = SmallWorld(targets=[[450.0, 80.0, 2.0]])
    return FindSettings(lockstep=True, **settings), world, SmallDetector(world)


@pytest.mark.fast
def test_the_result_has_the_agreed_keys_and_is_json():
    settings, world, detector = small()
    world.stops.append(Stop(0.5, "no frame for 350 ms", 180))
    result = find(settings, world, detector)
    assert list(result) == KEYS and result["stops"] == [
        {"t_s": 0.5, "reason": "no frame for 350 ms", "confirmed_ms": 180}
    ]
    assert json.loads(json.dumps(result, allow_nan=False)) == result
    assert (
        result["fps"] == pytest.approx(15, rel=0.05)
        and result["latency_ms"]["p95"] >= result["latency_ms"]["p50"] > 0
    )


@pytest.mark.fast
def test_the_result_in_words():
    settings, world, detector = small()
    world.stops.append(Stop(0.5, "no frame for 350 ms"))
    result = find(settings, world, detector)
    first, speed = describe(result).splitlines()
    assert (
        first.startswith("found after ")
        and " mm away; no collisions; no falls; wheels stopped once:" in first
    )
    assert first.endswith("no frame for 350 ms.") and speed.startswith(f"{result['frames']} frames, ")
    nothing = dict.fromkeys(result) | {"found": False, "frames": 0, "fps": 0.0, "stops": []}
    nothing["latency_ms"] = {"p50": None, "p95": None}
    assert describe(nothing) == "not found.\nno frames, 0.0 a second."
    estimated = nothing | {"found": True, "time_to_found_s": 3.0, "estimated_distance_mm": 151.0}
    assert describe(estimated).startswith("found after 3.0 s, about 151 mm away by its own estimate.")


@pytest.mark.fast
def test_on_a_robot_ground_truth_is_null():
    settings, world, detector = small()
    world.ground_truth = lambda: None
    result = find(settings, world, detector)
    assert (
        result["found"]
        and [result[key] for key in ("distance_mm", "bearing_deg", "collisions", "falls")] == [None] * 4
    )
    assert result["estimated_distance_mm"] == pytest.approx(150, abs=28)


@pytest.mark.fast
def test_a_dry_run_never_moves_the_robot():
    settings, world, detector = small(dry_run=True, seconds=5)
    world.set_head = lambda angle_rad: pytest.fail("moved its head")
    result = find(settings, world, detector)
    assert (
        not result["found"]
        and result["frames"] > 50
        and all(command[1:] == (0, 0) for command in world.commands)
    )
    assert world.finder == [0, 0, 0] and result["estimated_distance_mm"] == pytest.approx(457, abs=50)


@pytest.mark.fast
def test_the_recording_holds_every_frame_and_decision(tmp_path):
    settings, world, detector = small(record=tmp_path / "run.mcap")
    result = find(settings, world, detector)
    recording = read_recording(tmp_path / "run.mcap")
    frames = list(recording)
    assert (
        recording.note is None
        and len(frames) == result["frames"]
        and recording.about["settings"]["robot"] == "sim"
    )
    assert all(
        frame.boxes_xyxy is not None and frame.state is not None and frame.wheels["sent"] for frame in frames
    )
    assert any("approaching" in line for frame in frames for line in frame.events)
    with pytest.raises(UserError, match="overwrite"):
        find(settings, world, detector)


@pytest.mark.fast
def test_missing_frames_stop_it_and_it_continues_when_they_come_again():
    settings, world, detector = small()
    world.events = [
        (2.0, lambda w: setattr(w, "no_frames", True)),
        (5.0, lambda w: setattr(w, "no_frames", False)),
    ]
    result = find(settings, world, detector)
    assert result["found"] and not [command for command in world.commands if 2.1 < command[0] < 5.0]


@pytest.mark.fast
def test_it_waits_for_a_link_that_is_being_made_anew(monkeypatch):
    """The link knows how long to try: a robot's has 30 s."""
    monkeypatch.setattr("vector_tl.find.loop.NO_FRAMES_S", 1.0)
    settings, world, detector = small()
    seen = world.next_frame

    def next_frame(after_id=None, timeout_s=1.0):
        try:
            return seen(after_id, timeout_s)
        except NoFreshFrame as missing:
            raise NoFreshFrame(str(missing), reconnecting=True) from None

    monkeypatch.setattr(world, "next_frame", next_frame)
    world.events = [
        (2.0, lambda w: setattr(w, "no_frames", True)),
        (6.0, lambda w: setattr(w, "no_frames", False)),
    ]
    assert find(settings, world, detector)["found"]


@pytest.mark.fast
def test_no_frames_at_all_is_an_error(monkeypatch):
    monkeypatch.setattr("vector_tl.find.loop.NO_FRAMES_S", 2.0)
    settings, world, detector = small()
    world.no_frames = True
    with pytest.raises(NoFreshFrame, match="No camera frame"):
        find(settings, world, detector)


@pytest.mark.fast
@pytest.mark.parametrize("error", [LinkLost("the link is gone"), KeyboardInterrupt(), RuntimeError("a bug")])
def test_however_it_ends_the_wheels_are_stopped_first(error, tmp_path):
    settings, world, detector = small(record=tmp_path / "run.mcap")
    order = []

    def fail(_image, threshold=None):
        if world.t_s > 2:
            raise error
        return detector(_image)

    fail.name, fail.threshold = "fails", 0.5
    stop = world.stop
    world.stop = lambda: (order.append(("stop", (tmp_path / "run.mcap").stat().st_size)), stop())
    with pytest.raises(type(error)) as caught:
        find(settings, world, fail)
    assert world.commands[-1][1:] == (0.0, 0.0) and world.commands[-2][1:] != (0.0, 0.0)
    assert order[0][1] < (tmp_path / "run.mcap").stat().st_size, (
        "the recording is finished after the wheels stand"
    )
    assert read_recording(tmp_path / "run.mcap").times_s()
    if isinstance(error, UserError):
        assert caught.value.result["found"] is False and caught.value.result["frames"] > 20


ENDED_BY_A_SIGNAL = """
import os, signal, sys
from test_find_loop import small
from vector_tl.find import progress
from vector_tl.find.loop import find
from vector_tl.find.memory import MotionCommand

settings, world, detector = small()
number = int(sys.argv[1])
world.events = [(2.0, lambda w: os.kill(os.getpid(), number))]
before = signal.getsignal(number)
try:
    find(settings, world, detector)
except SystemExit as ended:
    assert ended.code == 128 + number and world.commands[-1][1:] == (0.0, 0.0) and world.t_s < 2.2
    assert signal.getsignal(number) == before
    print("wheels first")
"""


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_signal_stops_the_wheels(number):
    """In a process of its own: what other tests have loaded here may not bear signals."""
    command = [sys.executable, "-c", ENDED_BY_A_SIGNAL, str(int(number))]
    paths = os.pathsep.join(str(path) for path in (Path(__file__).parent, Path(__file__).parents[1]))
    env = os.environ | {"PYTHONPATH": os.pathsep.join([paths, os.environ.get("PYTHONPATH", "")])}
    ended = subprocess.run(command, env=env, capture_output=True, text=True, timeout=60)
    assert ended.stdout.strip() == "wheels first", ended.stderr


def break_frames(world: SmallWorld, is_broken) -> None:
    """Hand out no image for the frames of which `is_broken`, by their number and time, is true."""
    original = world.next_frame

    def next_frame(*args, **kwargs):
        frame = original(*args, **kwargs)
        broken = is_broken(frame.image_id, world.t_s)
        return replace(frame, jpeg=JPEG[: len(JPEG) // 2]) if broken else frame

    world.next_frame = next_frame


@pytest.mark.fast
def test_a_frame_that_is_no_image_is_left_out():
    settings, world, detector = small()
    break_frames(world, lambda number, _s: number % 3 == 0)
    assert find(settings, world, detector)["found"]


@pytest.mark.fast
def test_frames_that_cannot_be_read_are_as_good_as_none(monkeypatch):
    monkeypatch.setattr("vector_tl.find.loop.NO_FRAMES_S", 4.0)
    settings, world, detector = small()
    break_frames(world, lambda _number, t_s: t_s > 1.0)
    with pytest.raises(NoFreshFrame, match="that can be read came for 4 s"):
        find(settings, world, detector)
    assert world.t_s > 4.5
    assert not [command for command in world.commands if command[0] > 1.1 and any(command[1:])]
    settings, world, detector = small()
    break_frames(world, lambda _number, t_s: 1.0 < t_s < 3.0)
    assert find(settings, world, detector)["found"]


@pytest.mark.fast
def test_distances_are_right_in_images_of_another_size():
    """Another program may have switched the camera to high resolution."""
    settings, world, detector = small()
    large = cv2.imencode(".jpg", np.zeros((720, 1280, 3), np.uint8))[1].tobytes()
    original = world.next_frame
    world.next_frame = lambda *args, **kwargs: replace(original(*args, **kwargs), jpeg=large)
    result = find(settings, world, detector)
    assert result["found"] and abs(result["distance_mm"] - 150) <= 40


@pytest.mark.fast
def test_head_and_lift_that_the_robot_has_moved_by_itself_are_brought_back():
    settings, world, detector = small(seconds=20)
    world.targets[0][:2] = -450.0, 80.0  # behind it

    def animate(w):
        w.head_rad, w.lift_mm = 0.7, 70.0

    world.events = [(0.5, animate)]
    result = find(settings, world, detector)
    assert world.lift_mm == 32 and abs(world.head_rad) < 0.2
    assert result["found"]


@pytest.mark.fast
def test_a_hand_that_lifts_it_begins_a_new_search():
    settings, world, detector = small()

    def lift(w, up):
        w.picked_up = up
        if not up:
            w.finder[:] = [-200.0, 300.0, math.pi]

    world.events = [(2.0, lambda w: lift(w, True)), (4.0, lambda w: lift(w, False))]
    result = find(settings, world, detector)
    assert result["found"] and abs(result["distance_mm"] - 150) <= 40
    assert all(command[1:] == (0, 0) for command in world.commands if 2.1 < command[0] < 4)


@pytest.mark.fast
def test_the_image_reaches_the_detector_in_rgb():
    import cv2

    settings, world, detector = small(seconds=0.5)
    blue = np.zeros((36, 64, 3), np.uint8)
    blue[..., 0] = 255  # BGR
    original, seen = world.next_frame, []
    jpeg = cv2.imencode(".jpg", blue)[1].tobytes()
    world.next_frame = lambda *a, **k: type(f := original(*a, **k))(
        f.image_id, f.robot_time_ms, f.received_s, jpeg
    )
    looks = lambda image, threshold=None: (seen.append(image), detector(image))[1]  # noqa: E731 (it gets a name)
    looks.name, looks.threshold = "looks", 0.5
    find(settings, world, looks)
    assert seen[0][0, 0, 2] > 200 and seen[0][0, 0, 0] < 50


@pytest.mark.fast
def test_it_drives_no_faster_than_the_settings_say():
    settings, world, detector = small(top_mmps=30, seconds=60)
    original, speeds = world.drive, []
    world.drive = lambda left, right: (speeds.append((left + right) / 2), original(left, right))[1]
    result = find(settings, world, detector)
    assert result["found"] and 25 < max(speeds) <= 30


@pytest.mark.fast
@pytest.mark.parametrize(
    "wrong",
    [
        {"seconds": 0},
        {"seconds": math.nan},
        {"stop_mm": 50},
        {"threshold": 1.0},
        {"top_mmps": 300},
        {"robot": "00e20100", "world": 3},
    ],
)
def test_settings_that_make_no_sense(wrong):
    with pytest.raises(UsageError):
        FindSettings(**wrong).check()


@pytest.mark.fast
@pytest.mark.parametrize(("asked", "used"), [(None, 0.8), (0.3, 0.3)])
def test_the_threshold_is_the_models_own_unless_another_is_asked_for(asked, used):
    settings, world, detector = small(threshold=asked, seconds=0.5)
    thresholds = []

    def looks(image, threshold=0.99):
        thresholds.append(threshold)
        return detector(image)

    looks.name, looks.threshold = "looks", 0.8
    find(settings, world, looks)
    assert thresholds and set(thresholds) == {weak_score(used)}


@pytest.mark.fast
@pytest.mark.parametrize(("nearer_than_mm", "found"), [(300, True), (0, False)])
def test_what_is_seen_weakly_is_approached_and_found_only_when_it_is_sure_from_near_by(nearer_than_mm, found):
    settings, world, detector = small(seconds=30)

    def looks(image, threshold):
        near = math.dist(world.finder[:2], world.targets[0][:2]) < nearer_than_mm
        detector.score = 0.9 if near else 0.4
        assert threshold < 0.4 < looks.threshold
        return detector(image)

    looks.name, looks.threshold = "looks", detector.threshold
    loop = FindLoop(Board(world, settings), looks)
    lines = []
    loop.board.note = lambda _s, line: lines.append(line)
    loop.run_until_found()
    assert min(math.dist(at[1:3], world.targets[0][:2]) for at in world.path) < 190
    assert (loop.found_s is not None) == found
    assert any("hardly a Vector" in line and "leaving it alone for 15 s" in line for line in lines) != found


@pytest.mark.fast
@pytest.mark.parametrize("columns", [40, 80, 200])
def test_the_line_of_progress_fits_the_terminal_and_is_taken_away(columns, monkeypatch, capsys):
    monkeypatch.setenv("COLUMNS", str(columns))
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setattr(progress, "TERMINAL_EVERY_S", 0.0)
    monkeypatch.setattr("sys.stderr.isatty", lambda: True, raising=False)
    line = progress.ProgressLine(dry_run=True)
    for seconds in (1.0, 2.0):
        line.show(seconds, MotionCommand(10.0, 10.0, 0.0, "search"), None, 15, 40.0)
    line.end()
    written = capsys.readouterr().err
    assert "\n" not in written and written.endswith(CLEAR_LINE)
    parts = written.split(CLEAR_LINE)[1:-1]
    assert len(parts) == 2 and all(0 < len(part) < columns for part in parts)
    whole = {40: "no Vector   ", 80: " fps", 200: "latency  40 ms"}  # no half words
    assert all(part.endswith(whole[columns]) for part in parts)


@pytest.mark.fast
def test_in_a_dumb_terminal_and_in_a_file_progress_is_whole_lines(monkeypatch, capsys):
    monkeypatch.setenv("TERM", "dumb")
    monkeypatch.setattr("sys.stderr.isatty", lambda: True, raising=False)
    line = progress.ProgressLine(dry_run=False)
    for seconds in (1.0, 1.1, 1.2):
        line.show(seconds, MotionCommand(10.0, 10.0, 0.0, "search"), None, 15, 40.0)
    line.end()
    written = capsys.readouterr().err
    assert written.count("\n") == 1 and written.endswith("ms\n") and "\r" not in written

"""What is kept of a run: a recording with ground truth and estimates, a page, and nothing unasked."""

import re
import time
from pathlib import Path

import numpy as np
import pytest

from support.small_world import SmallDetector, SmallWorld
from vector_tl.data.recording import RecordingWriter, read_recording
from vector_tl.errors import UsageError, UserError
from vector_tl.find.loop import find
from vector_tl.find.settings import FindSettings
from vector_tl.robot.base import LinkLost
from vector_tl.robot.fake import FakeVector
from vector_tl.robot.recorded import RecordedRobot


class LabelledWorld(SmallWorld):
    """A small world that also knows what its images show."""

    def truth(self, image_id=None, serial=None) -> dict:
        return super().truth(serial=serial) | (
            {} if image_id is None else {"boxes": [{"vector": 1, "xyxy": [1, 2, 30, 40], "visible_px": 9}]}
        )


def small(**settings) -> tuple[FindSettings, LabelledWorld, SmallDetector]:
    world = LabelledWorld(targets=[[450.0, 80.0, 2.0]])
    return FindSettings(lockstep=True, **settings), world, SmallDetector(world)


@pytest.mark.fast
def test_a_recording_holds_estimates_ground_truth_and_the_result(tmp_path):
    settings, world, detector = small(record=tmp_path / "run.mcap", no_report=True)
    result = find(settings, world, detector)
    assert "report" not in result and [path.name for path in tmp_path.iterdir()] == ["run.mcap"]
    recording = read_recording(tmp_path / "run.mcap")
    frames = list(recording)
    assert (
        all(frame.truth_xyxy.tolist() == [[1, 2, 30, 40]] for frame in frames)
        and frames[-1].truth_mm_deg[0] > 100
    )
    estimates = [
        frame.wheels["target_distance_mm"]
        for frame in frames
        if frame.wheels["target_distance_mm"] is not None
    ]
    assert (
        estimates
        and estimates[-1] == pytest.approx(result["estimated_distance_mm"], abs=5)
        and recording.result["found"] is True
    )


@pytest.mark.fast
@pytest.mark.parametrize(
    "named", [{"record": "run.mcap"}, {"report": "page"}, {"record": "run.mcap", "report": "page"}]
)
def test_the_page_of_a_run(tmp_path, named):
    settings, world, detector = small(**{name: tmp_path / value for name, value in named.items()})
    result = find(settings, world, detector)
    folder = tmp_path / named.get("report", "run-find")
    assert (
        result["report"] == str(folder / "index.html")
        and (tmp_path / "run.mcap" if "record" in named else folder / "run.mcap").exists()
    )
    page = (folder / "index.html").read_text()
    for word in (
        "found after",
        "from a frame to the wheels",
        "what it did",
        "approach",
        "the finder: best score",
        "vector-tl find --lockstep",
    ):
        assert word in page, word
    before = page
    with pytest.raises(UserError, match="overwrite"):
        find(settings, world, detector)
    assert (folder / "index.html").read_text() == before


@pytest.mark.fast
def test_a_run_that_ends_early_leaves_its_page_too(tmp_path):
    settings, world, detector = small(record=tmp_path / "run.mcap")

    def lost(after_id=None, timeout_s=1.0):
        if world.t_s > 1.0:
            raise LinkLost("The link is lost.")
        return SmallWorld.next_frame(world, after_id, timeout_s)

    world.next_frame = lost
    with pytest.raises(LinkLost):
        find(settings, world, detector)
    assert "A Vector looked for another one" in (tmp_path / "run-find" / "index.html").read_text()
    assert len(list(read_recording(tmp_path / "run.mcap"))) > 5


def test_slow_ground_truth_keeps_nobody_waiting(tmp_path):
    settings, world, detector = small(record=tmp_path / "run.mcap", seconds=1.0, no_report=True)
    world.truth = lambda image_id=None, serial=None: time.sleep(5) if image_id is not None else {}
    begin_s = time.monotonic()
    assert find(settings, world, detector)["frames"] > 10
    assert time.monotonic() - begin_s < 4.5
    assert all(frame.truth_xyxy is None for frame in read_recording(tmp_path / "run.mcap"))


@pytest.mark.fast
def test_nothing_is_kept_unasked(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    settings, world, detector = small()
    assert {"report", "live"}.isdisjoint(find(settings, world, detector)) and not list(tmp_path.iterdir())


@pytest.mark.fast
def test_a_live_film_needs_a_name_and_a_model(tmp_path):
    with pytest.raises(UsageError, match="mp4"):
        FindSettings(live=Path("film.avi")).check()
    settings, world, detector = small(live=tmp_path / "film.mp4", live_left="no such model")
    with pytest.raises(UserError, match="no such model"):
        find(settings, world, detector)
    assert all(command[1:] == (0, 0) for command in world.commands)


@pytest.mark.fast
def test_a_robot_that_anybody_drives_is_recorded(tmp_path):
    robot = FakeVector(render=lambda pose, head: b"jpeg")
    truth = type(
        "Truth",
        (),
        {
            "truth": lambda self, image_id, serial: {
                "boxes": [],
                "distance_mm": float(image_id),
                "bearing_deg": 0.0,
            }
        },
    )()
    robot.ground_truth = lambda: truth
    with (
        RecordingWriter(tmp_path / "run.mcap", {"truth": True}) as writer,
        RecordedRobot(robot, writer) as recorded,
    ):
        last = None
        for _ in range(5):
            last = recorded.next_frame(last).image_id
            assert (
                recorded.drive(40, 30) and recorded.serial == "fake" and recorded.state().left_wheel_mmps >= 0
            )
        recorded.stop()
    frames = list(read_recording(tmp_path / "run.mcap"))
    assert len(frames) == 5 and all(frame.jpeg == b"jpeg" and frame.state is not None for frame in frames)
    assert [frame.wheels["left_mmps"] for frame in frames] == [40] * 5 and frames[-1].truth_mm_deg == (
        float(last),
        0.0,
    )
    assert isinstance(frames[0].truth_xyxy, np.ndarray) and frames[0].truth_xyxy.shape == (0, 4)


@pytest.mark.fast
def test_the_line_of_a_live_film_is_that_of_its_frame(tmp_path, monkeypatch):
    """Not what the log said last."""
    shown = []

    class Film:
        line, result = "", {"error": "none"}

        def __init__(self, *_args, **_options):
            pass

        def show(self, frame, boxes_xyxy, scores):
            shown.append((len(scores) > 0, self.line))

        def close(self):
            pass

    monkeypatch.setattr("vector_tl.find.keep.LiveFilm", Film)
    monkeypatch.setattr("vector_tl.find.keep.resolve", lambda name: name)
    settings, world, detector = small(
        live=tmp_path / "live.mp4", record=tmp_path / "run.mcap", no_report=True
    )
    result = find(settings, world, detector)
    frames = list(read_recording(tmp_path / "run.mcap"))
    assert len(shown) == len(frames) == result["frames"]
    for (seen, line), frame in zip(shown, frames, strict=True):
        mm, said = frame.wheels["target_distance_mm"], re.search(r"(\d+) mm away", line)
        assert seen == (len(frame.scores) > 0) and (mm is None) == (said is None)
        assert said is None or float(said[1]) == pytest.approx(mm, abs=0.51)
    assert shown[-1][1].endswith("reached: stopped")

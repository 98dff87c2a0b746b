"""Recordings: what is written is read, byte for byte, and a cut or damaged file up to the damage."""

import random

import numpy as np
import pytest

from support.recording_kill_trial import kill_once
from vector_tl.data.magic import is_recording
from vector_tl.data.recording import RecordingWriter, read_recording
from vector_tl.data.schemas import CAMERA
from vector_tl.errors import UserError
from vector_tl.robot.base import Frame, Intrinsics, RobotState

FPS = 15.0


def make_frame(index: int, size: int = 20_000) -> Frame:
    return Frame(
        image_id=100 + index,
        robot_time_ms=index * 66,
        received_s=10 + index / FPS,
        jpeg=random.Random(index).randbytes(size),
    )


def write(path, count: int, size: int = 20_000, close: bool = True) -> list[Frame]:
    frames = [make_frame(index, size) for index in range(count)]
    writer = RecordingWriter(
        path, about={"settings": {"robot": "fake"}, "model": "transfer"}, intrinsics=Intrinsics()
    )
    for index, frame in enumerate(frames):
        writer.frame(frame)
        writer.detections(
            frame,
            np.array([[1, 2, 30, 40]] * (index % 3), np.float32).reshape(-1, 4),
            np.full(index % 3, 0.75, np.float32),
        )
        writer.state(RobotState(frame.received_s, index, 0, 0.1, 0, 32, 1, 2, None if index % 2 else 99.0))
        writer.wheels(frame.received_s, index, -index, sent=True, why="search")
        if index == 1:
            writer.event(frame.received_s, "search: turning left")
    if close:
        writer.close()
    return frames


@pytest.mark.fast
def test_what_is_written_is_read(tmp_path):
    path = tmp_path / "deep" / "run.mcap"
    frames = write(path, 7)
    recording = read_recording(path)
    assert recording.about["settings"] == {"robot": "fake"} and recording.about["intrinsics"]["size_wh"] == [
        640,
        360,
    ]
    got = list(recording)
    assert recording.note is None and recording.times_s() == pytest.approx(
        [frame.received_s for frame in frames]
    )
    for index, (frame, back) in enumerate(zip(frames, got, strict=True)):
        assert (back.index, back.image_id, back.robot_time_ms, back.jpeg) == (
            index,
            frame.image_id,
            frame.robot_time_ms,
            frame.jpeg,
        )
        assert (
            back.t_s == pytest.approx(frame.received_s)
            and back.boxes_xyxy.shape == (index % 3, 4)
            and back.scores.shape == (index % 3,)
        )
        assert (
            back.state.x_mm == index
            and back.state.range_mm == (None if index % 2 else 99.0)
            and back.wheels["right_mmps"] == -index
        )
    assert got[1].events == ("search: turning left",) and got[2].events == ()


@pytest.mark.fast
def test_a_recording_without_frames_is_read(tmp_path):
    write(tmp_path / "empty.mcap", 0)
    assert list(read_recording(tmp_path / "empty.mcap")) == []


@pytest.mark.fast
def test_the_mcap_library_indexes_it(tmp_path):
    from mcap.reader import make_reader

    write(tmp_path / "run.mcap", 5)
    with open(tmp_path / "run.mcap", "rb") as file:
        reader = make_reader(file)
        summary = reader.get_summary()
        assert summary.statistics.message_count == 5 * 4 + 2  # and the calibration and the event
        names = {schema.name for schema in summary.schemas.values()}
        assert {
            "foxglove.CompressedImage",
            "foxglove.ImageAnnotations",
            "foxglove.Log",
            "foxglove.CameraCalibration",
        } <= names
        assert sum(1 for _ in reader.iter_messages(topics=[CAMERA])) == 5


@pytest.mark.fast
@pytest.mark.parametrize("frame_bytes", [4_000, 20_000])
def test_a_file_cut_anywhere_is_read_up_to_there(tmp_path, frame_bytes):
    whole = tmp_path / "whole.mcap"
    frames = write(whole, 20, frame_bytes)
    data, cut, drawn = whole.read_bytes(), tmp_path / "cut.mcap", random.Random(3)
    for end in [*(drawn.randrange(8, len(data)) for _ in range(60)), len(data) - 1]:
        cut.write_bytes(data[:end])
        recording = read_recording(cut)
        got = list(recording)
        assert recording.note and "cut off" in recording.note
        assert [frame.jpeg for frame in got] == [frame.jpeg for frame in frames[: len(got)]]
        assert len(got) >= min(20, int(20 * (end - 12_000) / len(data)) - 1)


@pytest.mark.fast
def test_damage_in_the_middle_is_never_served_as_data(tmp_path):
    whole = tmp_path / "whole.mcap"
    frames = write(whole, 20)
    data, drawn = whole.read_bytes(), random.Random(4)
    for _ in range(60):
        damaged, at = bytearray(data), drawn.randrange(8, len(data))
        damaged[at : at + 40] = drawn.randbytes(len(damaged[at : at + 40]))
        (tmp_path / "damaged.mcap").write_bytes(damaged)
        got = list(read_recording(tmp_path / "damaged.mcap"))
        assert [frame.jpeg for frame in got] == [frame.jpeg for frame in frames[: len(got)]]
        assert len(got) >= int(20 * (at - 12_000) / len(data)) - 1


@pytest.mark.parametrize("after_s", [0.0, 0.13, 0.41])
def test_a_killed_run_loses_less_than_a_second(tmp_path, after_s):
    """50 such kills: python tests/support/recording_kill_trial.py"""
    read, written, lost_s = kill_once(tmp_path / "killed.mcap", after_s, period_s=0.01)
    assert read >= written - 1 and lost_s < 1.0


@pytest.mark.fast
def test_a_killed_run_loses_no_line_of_the_log(tmp_path):
    """Before a pause in which no frame comes, that nobody drives is written down, and all before it."""
    path = tmp_path / "paused.mcap"
    writer = RecordingWriter(path)
    frame = make_frame(0)
    writer.frame(frame)
    writer.detections(frame, np.zeros((0, 4), np.float32), np.zeros(0, np.float32))
    writer.wheels(10.5, 1, 2, True, "search", (300.0, -4.0))
    writer.event(11.0, "no new frame: wheels stopped, waiting")
    (back,) = list(read_recording(path))  # not closed
    assert back.events == ("no new frame: wheels stopped, waiting",) and back.scores.shape == (0,)
    assert (back.wheels["target_distance_mm"], back.wheels["target_bearing_deg"]) == (300.0, -4.0)


@pytest.mark.fast
def test_truth_may_come_late_and_the_result_at_the_end(tmp_path):
    path, frames = tmp_path / "run.mcap", [make_frame(index) for index in range(4)]
    with RecordingWriter(path, {"truth": True}) as writer:
        for frame in frames:
            writer.frame(frame)
        writer.truth(frames[2], np.array([[1, 2, 3, 4]], np.float32), 400.0, -12.5)
        writer.truth(frames[0], np.zeros((0, 4), np.float32))
        writer.result({"found": True, "time_to_found_s": 12.3, "stops": []})
    recording = read_recording(path)
    got = list(recording)
    assert [None if frame.truth_xyxy is None else frame.truth_xyxy.tolist() for frame in got] == [
        [],
        None,
        [[1, 2, 3, 4]],
        None,
    ]
    assert got[2].truth_mm_deg == (400.0, -12.5) and recording.result == {
        "found": True,
        "time_to_found_s": 12.3,
        "stops": [],
    }


@pytest.mark.fast
def test_what_is_lost_is_told(tmp_path):
    path = tmp_path / "run.mcap"
    write(path, 20)
    data = path.read_bytes()
    path.write_bytes(data[:200_000] + bytes(2000) + data[202_000:])
    recording = read_recording(path)
    count = len(list(recording))
    assert (
        0 < count < 20
        and f"{count} frames read before it" in recording.note
        and f"of {len(data)}" in recording.note
    )


@pytest.mark.fast
def test_nothing_is_overwritten_unasked(tmp_path):
    path = tmp_path / "run.mcap"
    write(path, 2)
    before = path.read_bytes()
    with pytest.raises(UserError, match="overwrite"):
        RecordingWriter(path)
    assert path.read_bytes() == before
    RecordingWriter(path, overwrite=True).close()
    assert list(read_recording(path)) == []


@pytest.mark.fast
@pytest.mark.parametrize("content", [b"", b"not a recording", None])
def test_what_is_no_recording_is_refused(tmp_path, content):
    path = tmp_path / "some.mcap"
    if content is not None:
        path.write_bytes(content)
    assert not is_recording(path)
    with pytest.raises(UserError):
        read_recording(path)

"""Recordings and datasets that version 0.1 wrote can be read (tests/fixtures/before)."""

import shutil
from pathlib import Path

import numpy as np
import pytest

from vector_tl.data import dataset
from vector_tl.data.media import read_frames
from vector_tl.data.recording import read_recording

pytestmark = pytest.mark.fast

BEFORE = Path(__file__).parents[1] / "fixtures" / "before"
RUN = BEFORE / "recording" / "run.mcap"


def test_a_recording_is_read_with_all_that_belongs_to_its_frames():
    recording = read_recording(RUN)
    frames = list(recording)
    assert recording.note is None and recording.result["found"] is True
    assert recording.about["serial"] == "00e20100" and recording.about["intrinsics"]["size_wh"] == [640, 360]
    assert [frame.image_id for frame in frames] == [1, 2, 3]
    assert [frame.robot_time_ms for frame in frames] == [70, 135, 200]
    second = frames[1]
    assert second.events == ("search: turning left",) and second.state.range_mm == 539
    assert second.wheels["why"] == "approach" and second.wheels["target_distance_mm"] == 565.81
    assert second.boxes_xyxy == pytest.approx(np.array([[22.65, 16.27, 29.65, 20.75]]), abs=0.01)
    assert second.scores == pytest.approx([0.9924])
    assert second.truth_xyxy == pytest.approx(np.array([[22.5, 16.2, 28.8, 20.7]]))
    assert second.truth_mm_deg == pytest.approx((583.614, 11.050), abs=0.001)


def test_its_frames_are_media():
    frames = list(read_frames((RUN,)))
    assert [frame.image.shape for frame in frames] == [(36, 64, 3)] * 3
    assert frames[0].truth_xyxy() == pytest.approx(np.array([[22.5, 16.2, 28.8, 20.7]]))


def test_a_recording_of_a_killed_run_is_read_up_to_its_end(tmp_path):
    data = RUN.read_bytes()
    (tmp_path / "cut.mcap").write_bytes(data[: len(data) // 2])
    recording = read_recording(tmp_path / "cut.mcap")
    assert 0 < len(list(recording)) < 3 and "cut off or damaged" in recording.note


def test_a_dataset_keeps_its_splits_sessions_and_digest(tmp_path):
    folder = tmp_path / "data"
    shutil.copytree(BEFORE / "captured", folder)
    before = dataset.digest(folder)
    assert dataset.read_splits(folder) == {"sim-0-000": "train", "sim-0-001": "train"}
    assert dataset.read_session(folder, "tiny-test")["form"] == "yolo"
    yaml = (folder / "data.yaml").read_bytes()
    dataset.write_splits(folder, dataset.read_splits(folder))
    assert (folder / "data.yaml").read_bytes() == yaml and dataset.digest(folder) == before

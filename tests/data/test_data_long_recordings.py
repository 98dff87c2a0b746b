"""A recording of hours is opened by its first messages, and of its images only a few are in memory."""

import numpy as np
import pytest

from support.readers import encoded
from vector_tl.data import recording as recordings
from vector_tl.data.images import decode_image
from vector_tl.data.recording import MAX_LATE, RecordingWriter, read_jpeg, read_recording
from vector_tl.detect.interface import Detections
from vector_tl.errors import UserError
from vector_tl.evaluate.outcomes import run_detector
from vector_tl.evaluate.recorded import recorded_dataset
from vector_tl.robot.base import Frame

pytestmark = pytest.mark.fast
FRAMES, LATE = 1500, 4


class Blind:
    """A detector that sees nothing."""

    name = arch = init = "blind"
    threshold = 0.5

    def __call__(self, _image, threshold=None):
        return Detections(np.zeros((0, 4), np.float32), np.zeros(0, np.float32))


def box(number):
    return np.array([[2.0, 2.0, 12.0 + number % 7, 15.0]])


def write(path, frames=FRAMES, late=LATE, without_truth=()):
    """Frames at 15 a second, each with its ground truth some frames later."""
    images = [encoded(seed=seed) for seed in range(5)]
    waiting = []
    with RecordingWriter(path, about={"truth": True}) as writer:
        for number in range(frames):
            frame = Frame(number + 1, 1000 * number // 15, 100 + number / 15, images[number % 5])
            writer.frame(frame)
            waiting += [] if number in without_truth else [frame]
            if len(waiting) > late:
                writer.truth(first := waiting.pop(0), box(first.image_id - 1))
        for frame in waiting:
            writer.truth(frame, box(frame.image_id - 1))
    return images


@pytest.fixture
def parsed(monkeypatch):
    """The topics of all messages that are parsed, as they are parsed."""
    topics, parse = [], recordings._content
    monkeypatch.setattr(recordings, "_content", lambda *message: topics.append(message[0]) or parse(*message))
    return topics


def test_opening_reads_a_few_messages(tmp_path, parsed):
    write(tmp_path / "run.mcap")
    first = next(iter(read_recording(tmp_path / "run.mcap")))
    assert first.truth_xyxy.tolist() == box(0).tolist() and len(parsed) < 4 * LATE
    parsed.clear()
    dataset = recorded_dataset(tmp_path / "run.mcap")
    next(iter(dataset.items)).image()
    assert len(parsed) < 4 * LATE


def test_every_frame_has_its_ground_truth_however_late(tmp_path):
    write(tmp_path / "run.mcap", 40, 12, without_truth=(0, 7))
    frames = list(read_recording(tmp_path / "run.mcap"))
    assert [frame.index for frame in frames] == list(range(40))
    for number, frame in enumerate(frames):
        truth = None if number in (0, 7) else box(number).tolist()
        assert (frame.truth_xyxy if truth is None else frame.truth_xyxy.tolist()) == truth


def test_no_more_images_are_held_than_ground_truth_may_be_late(tmp_path, parsed):
    write(tmp_path / "run.mcap", MAX_LATE + 50, 1, without_truth=(0,))
    assert next(iter(read_recording(tmp_path / "run.mcap"))).truth_xyxy is None
    assert parsed.count("/camera") == MAX_LATE + 2, "those that wait, and two that end them"


def test_an_image_is_read_from_its_place(tmp_path):
    images = write(tmp_path / "run.mcap", 30)
    for frame in read_recording(tmp_path / "run.mcap"):
        assert read_jpeg(tmp_path / "run.mcap", frame.place) == frame.jpeg == images[frame.index % 5]
    (tmp_path / "run.mcap").write_bytes((tmp_path / "run.mcap").read_bytes()[:200])
    with pytest.raises(UserError, match="changed"):
        read_jpeg(tmp_path / "run.mcap", frame.place)


def test_an_evaluated_recording_keeps_no_image(tmp_path, parsed):
    images = write(tmp_path / "run.mcap", 30)
    dataset = recorded_dataset(tmp_path / "run.mcap")
    outcomes = run_detector(Blind(), dataset)
    assert len(outcomes) == len(dataset.items) == 30 and dataset.unlabelled == 0
    assert parsed.count("/camera") == 2 * 30, "once to find each frame, once for its pixels"
    for number, item in enumerate(dataset.items):
        assert not any(isinstance(value, (bytes, bytearray)) for value in vars(item).values())
        assert (item.image() == decode_image(images[number % 5], "it")).all()
        assert outcomes[number].boxes_xyxy == pytest.approx(box(number), abs=0.01)

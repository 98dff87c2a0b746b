"""Sessions that version 0.1 captured are known, counted and continued (tests/fixtures/before/captured)."""

import shutil
from pathlib import Path

import pytest

from vector_tl.capture.plan import SessionPlan, plans_left
from vector_tl.capture.recorder import SessionRecorder
from vector_tl.capture.sessions import read_all
from vector_tl.capture.settings import CaptureSettings
from vector_tl.data.coverage import Coverage
from vector_tl.data.dataset import read_session, write_session
from vector_tl.robot.fake import FakeVector

pytestmark = pytest.mark.fast

BEFORE = Path(__file__).parents[1] / "fixtures" / "before" / "captured"
ROBOT = "00e20100-20261128-085217"


@pytest.fixture
def data(tmp_path):
    shutil.copytree(BEFORE, tmp_path / "data")
    return tmp_path / "data"


def test_all_sessions_of_captures_are_counted(data):
    sessions = read_all(data, "simulator") | read_all(data, "robot")
    assert set(sessions) == {"sim-0-000", "sim-0-001", ROBOT}  # not the import's
    coverage = Coverage(shot for about in sessions.values() for shot in about["shots"])
    assert coverage.total == 9 and coverage.counts["vectors"] == {"one": 6, "none": 2, "two or more": 1}


def test_an_interrupted_capture_continues_with_the_session_that_is_not_whole(data):
    for path in (data / "labels").glob("sim-0-000/*.txt"):  # whole: as if its images were here
        image = data / "images" / "sim-0-000" / f"{path.stem}.jpg"
        image.parent.mkdir(parents=True, exist_ok=True)
        image.touch()
    settings = CaptureSettings(data=data, camera="plain", count=12, images_per_session=5)
    (plan, *_later), whole = plans_left(settings)
    assert len(whole) == 1
    assert plan == SessionPlan("sim-0-001", 0, 1, 5, 5, 0.16, 0.25, "plain")
    assert plan.facts().items() <= read_session(data, "sim-0-001").items()


def test_a_session_is_written_as_it_was(data):
    for path in (data / "sessions").glob("sim-*.json"):
        before = path.read_bytes()
        write_session(data, path.stem, read_session(data, path.stem))
        assert path.read_bytes() == before


def test_a_robots_session_is_continued_by_name(data):
    image = data / "images" / ROBOT / f"{ROBOT}-0000.jpg"
    image.parent.mkdir(parents=True)
    image.touch()
    settings = CaptureSettings(robot="00e20100", data=data, session=ROBOT, negatives=True)
    recorder = SessionRecorder.open(settings, FakeVector(serial="00e20100"))
    assert [shot["name"] for shot in recorder.shots] == [f"{ROBOT}-0000"] and not recorder.about["whole"]

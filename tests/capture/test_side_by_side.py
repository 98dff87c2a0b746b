"""Sessions that several simulators take at once, with robots that live in memory."""

import threading
import time
from contextlib import contextmanager

import pytest

from support.small_table import SmallTable, settings_for, tree
from vector_tl.capture import run
from vector_tl.capture.plan import plans_left
from vector_tl.capture.run import capture
from vector_tl.capture.side_by_side import MAX_SIMULATORS, simulators_for, take_all
from vector_tl.capture.simulated_session import take_session
from vector_tl.errors import UserError

pytestmark = pytest.mark.fast


def capture_with(monkeypatch, settings, world=SmallTable) -> list[SmallTable]:
    """The robots that took the images of a capture."""
    opened = []

    @contextmanager
    def simulated(*_how):
        opened.append(world())
        yield opened[-1]

    monkeypatch.setattr(run, "open_simulated_robot", simulated)
    capture(settings)
    return opened


def images_of(folder) -> dict:
    """What is the same however often a capture is made: not a session's file, with its times."""
    return {path: data for path, data in tree(folder).items() if not path.startswith("sessions")}


def test_several_simulators_take_the_images_that_one_takes(tmp_path, monkeypatch):
    alone = capture_with(monkeypatch, settings_for(tmp_path / "one", count=70, simulators=1))
    three = capture_with(monkeypatch, settings_for(tmp_path / "three", count=70, simulators=3))
    assert len(alone) == 1 and len(three) == 3
    assert images_of(tmp_path / "one") == images_of(tmp_path / "three")
    assert len(list((tmp_path / "three").glob("images/*/*.jpg"))) == 70


def test_a_capture_of_several_that_was_stopped_goes_on(tmp_path, monkeypatch):
    settings = settings_for(tmp_path / "stopped", count=70, simulators=2)
    with pytest.raises(KeyboardInterrupt):
        capture_with(monkeypatch, settings, lambda: SmallTable(fail_after=50))
    before = images_of(tmp_path / "stopped")
    assert 0 < len([path for path in before if path.endswith(".jpg")]) < 70
    capture_with(monkeypatch, settings)
    capture_with(monkeypatch, settings_for(tmp_path / "at-once", count=70, simulators=1))
    assert images_of(tmp_path / "stopped") == images_of(tmp_path / "at-once")


@pytest.mark.parametrize("simulators", [1, 3])
def test_images_that_a_room_has_no_place_for_are_taken_in_another(tmp_path, monkeypatch, simulators):
    class Narrow(SmallTable):
        """The second room has a place for the first images only."""

        def world(self, seed, kinds=()):
            self.narrow = seed == 1
            super().world(seed, kinds)

        def place(self, vectors):
            if self.narrow and self.image_id - self.images_elsewhere > 8:
                raise UserError("something stands there")
            super().place(vectors)

    settings = settings_for(tmp_path, count=40, simulators=simulators)
    opened = capture_with(monkeypatch, settings, Narrow)
    assert len(opened) == 1 or simulators > 1, "a recording would begin anew"
    first, narrow, *others, last = [
        len(list(path.glob("*.jpg"))) for path in sorted((tmp_path / "images").iterdir())
    ]
    assert [first, *others] == [10, 10, 10] and 0 < narrow < 10 and last == 10 - narrow
    assert plans_left(settings)[0] == []


def test_when_one_fails_the_others_end_after_the_image_they_are_at(tmp_path):
    plans, _ = plans_left(settings_for(tmp_path, count=120))
    began, taken = threading.Barrier(2), []

    def take(plan, robot, refuse_late):
        began.wait(5.0)
        if plan.world == 0:
            raise UserError("the disk is full")
        for number in range(plan.images):
            time.sleep(0.05)
            taken.append(number)
            refuse_late()

    @contextmanager
    def opened():
        yield SmallTable()

    with pytest.raises(UserError, match="disk is full"):
        take_all(plans, take, opened, simulators=2)
    assert len(taken) <= 3


def test_what_a_simulator_says_when_it_does_not_start_is_said(tmp_path):
    def broken():
        raise UserError("there is no EGL")

    plans, _ = plans_left(settings_for(tmp_path))
    for simulators in (1, 2):
        with pytest.raises(UserError, match="no EGL"):
            take_all(plans, take_session, broken, simulators)


def test_there_are_no_more_simulators_than_sessions_or_cores_or_asked_for(monkeypatch):
    monkeypatch.setattr("vector_tl.capture.side_by_side.cpu_threads", lambda: 16)
    assert [simulators_for(sessions) for sessions in (1, 3, 58)] == [1, 3, MAX_SIMULATORS]
    assert simulators_for(58, asked=8) == 8 and simulators_for(2, asked=8) == 2 and simulators_for(0) == 1

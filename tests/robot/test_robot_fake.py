"""The robot in memory drives exactly and obeys the same guard."""

import math

import pytest

from vector_tl.robot.base import LinkLost, NoFreshFrame
from vector_tl.robot.body import TRACK_MM, ahead
from vector_tl.robot.fake import FakeVector

pytestmark = pytest.mark.fast


def drive_for(robot: FakeVector, frames: int, left: float, right: float) -> bool:
    granted = True
    for _ in range(frames):
        robot.next_frame()
        granted = robot.drive(left, right) and granted
    return granted


def test_it_drives_straight_and_turns():
    robot = FakeVector(fps=10)
    robot.next_frame()
    assert drive_for(robot, 10, 50, 50)
    robot.next_frame()
    robot.stop()
    assert robot.pose == pytest.approx((50, 0, 0))  # ten frames of 0.1 s
    quarter_s = math.pi / 2 / (2 * 60 / TRACK_MM)
    robot.drive(-60, 60)
    robot.wait(quarter_s / 2)
    robot.next_frame()
    robot.stop()
    assert ahead(robot.pose, -25)[:2] == pytest.approx((25, 0))  # it turns about its drive centre
    assert robot.state().heading_rad > 0  # left-positive


def test_a_circle_comes_back_to_where_it_began():
    robot = FakeVector(fps=20)
    robot.next_frame()
    radius_mm, speed = 100.0, 80.0
    frames = round(math.tau * radius_mm / speed * robot.fps)
    speed = math.tau * radius_mm * robot.fps / frames
    for _ in range(frames):
        assert robot.drive(speed * (1 - TRACK_MM / 2 / radius_mm), speed * (1 + TRACK_MM / 2 / radius_mm))
        robot.next_frame()
    assert robot.pose == pytest.approx((0, 0, 0), abs=1e-6)


def test_frames_come_from_where_it_stands():
    robot = FakeVector(render=lambda pose, head: f"{pose[0]:.0f} {head:.2f}".encode(), pose=(7.0, 0.0, 0.0))
    robot.set_head(1.0)
    first, second = robot.next_frame(), robot.next_frame()
    assert first.jpeg == b"7 0.79"  # the head ends at 45 degrees
    assert second.image_id != first.image_id
    assert second.received_s - first.received_s == pytest.approx(1 / 15)
    assert robot.state().received_s == robot.now_s()


def test_frozen_frames_stop_the_wheels_and_time_goes_on():
    robot = FakeVector()
    drive_for(robot, 5, 40, 40)
    robot.freeze_frames = True
    t_s = robot.now_s()
    with pytest.raises(NoFreshFrame):
        robot.next_frame(timeout_s=0.5)
    assert robot.now_s() == pytest.approx(t_s + 0.5)
    assert robot.commands[-1][1:] == (0, 0)
    assert not robot.drive(40, 40)
    assert [stop.reason for stop in robot.stops] == ["no command for 300 ms", "no frame for 350 ms"]
    robot.freeze_frames = False
    assert drive_for(robot, 2, 40, 40)


def test_lost_control_and_lost_link():
    robot = FakeVector()
    drive_for(robot, 3, 40, 40)
    robot.lose_control()
    assert robot.commands[-1][1:] == (0, 0)
    assert not drive_for(robot, 1, 40, 40)
    robot.regain_control()
    assert drive_for(robot, 1, 40, 40)
    robot.lose_link()
    assert not robot.drive(40, 40)
    with pytest.raises(LinkLost):
        robot.next_frame()
    with pytest.raises(LinkLost):
        robot.state()
    assert [stop.reason for stop in robot.stops] == ["control lost", "link lost"]
    assert robot.commands[-1][1:] == (0, 0)
    robot.close()


def test_no_states_stop_the_wheels():
    robot = FakeVector()
    drive_for(robot, 3, 40, 40)
    robot.freeze_states = True
    drive_for(robot, 8, 40, 40)
    assert robot.commands[-1][1:] == (0, 0)
    assert [stop.reason for stop in robot.stops] == ["no state for 300 ms"]

"""doctor --camera: what a robot says of its camera, against what is seen through it."""

import math
from dataclasses import replace

import cv2
import numpy as np
import pytest

from support.small_world import ROBOT, Boxes, SmallWorld, box_of
from vector_tl.doctor.camera_check import arrival, camera_checks, distance_by_height_mm
from vector_tl.doctor.checks import DoctorSettings, doctor
from vector_tl.errors import UsageError
from vector_tl.find.track import CameraClock
from vector_tl.robot.base import Frame, Intrinsics

pytestmark = pytest.mark.fast

IMAGE = cv2.imencode(".jpg", np.zeros((360, 640, 3), np.uint8))[1].tobytes()


class Still(SmallWorld):
    """A finder that stands before one Vector, side on, with images of the right size."""

    jpeg = IMAGE

    def next_frame(self, after_id=None, timeout_s=1.0):
        return replace(super().next_frame(after_id, timeout_s), jpeg=self.jpeg)


def checked(world, distance_mm=None, seen_by: Intrinsics = ROBOT):
    """The checks by name, where the camera is truly as `seen_by`."""

    def detector(_image):
        boxes = [box_of(world.shot[0], world.shot[2][0], world.shot[1], seen_by)] if world.targets else []
        return Boxes(np.float32(boxes).reshape(-1, 4), np.ones(len(boxes), np.float32))

    return {check.name: check for check in camera_checks(world, distance_mm, "none", detector)}


def test_a_camera_that_is_as_it_says():
    checks = checked(Still(targets=[[300.0, 0.0, math.pi / 2]]), 300)
    assert list(checks) == ["camera images", "camera intrinsics", "camera arrival", "camera distance"]
    assert all(check.ok for check in checks.values()), checks
    assert (
        "640 x 360" in checks["camera images"].detail
        and "90 degrees across" in checks["camera intrinsics"].detail
    )
    assert "15.0 images per second" in checks["camera arrival"].detail


@pytest.mark.parametrize("factor", [0.85, 1.2])
def test_a_focal_length_that_is_not_the_reported_one_is_found_out(factor):
    true = Intrinsics(focal_xy_px=(353.0 * factor, 353.0 * factor))
    check = checked(Still(targets=[[300.0, 0.0, math.pi / 2]]), 300, true)["camera distance"]
    assert not check.ok
    factor_found = float(check.detail.rsplit(" ", 1)[1])
    assert (
        factor_found == pytest.approx(factor, abs=0.05)
        and "--stop-mm" in check.remedy
        and "front axle" in check.remedy
    )


def test_odd_intrinsics_and_images_of_another_size():
    world = Still(intrinsics=Intrinsics(focal_xy_px=(500.0, 500.0), center_xy_px=(320.0, 60.0)))
    world.jpeg = cv2.imencode(".jpg", np.zeros((720, 1280, 3), np.uint8))[1].tobytes()
    checks = checked(world)
    assert (
        not checks["camera images"].ok
        and "1280 x 720" in checks["camera images"].detail
        and not checks["camera intrinsics"].ok
    )
    world.jpeg = b"\xff\xd8nonsense"
    assert "unreadable" in checked(world)["camera images"].detail


def test_no_images_and_nobody_before_it():
    world = Still()
    world.no_frames = True
    (only,) = checked(world).values()
    assert not only.ok and only.remedy
    assert "0 of 30" in checked(Still(), 300)["camera distance"].detail


def test_few_and_late_images_are_reported():
    clock, frames = (
        CameraClock(),
        [Frame(i, i * 100, i * 0.1 + (0.4 if i % 3 == 0 else 0.0), IMAGE) for i in range(1, 30)],
    )
    for frame in frames:
        clock.note(frame.received_s, frame.robot_time_ms)
    check = arrival(frames, clock)
    assert not check.ok and "400 ms" in check.detail
    assert not arrival(frames[:1], clock).ok


@pytest.mark.parametrize("distance_mm", [200, 300, 500, 800])
@pytest.mark.parametrize("head_rad", [-0.1, 0.0, 0.1])
def test_distance_by_height(distance_mm, head_rad):
    box = box_of((0, 0, 0), (distance_mm * math.cos(0.2), distance_mm * math.sin(0.2), math.pi / 2), head_rad)
    if box[1] > 3:
        assert distance_by_height_mm(box, Intrinsics(), head_rad) == pytest.approx(
            distance_mm, rel=0.06, abs=10
        )
    assert (
        distance_by_height_mm([10, 0, 20, 100], Intrinsics(), 0.0) is None
        and distance_by_height_mm([10, 50, 20, 360], Intrinsics(), 0.0) is None
    )


@pytest.mark.parametrize(
    "wrong",
    [
        {"camera": True},
        {"robot": "sim", "distance_mm": 300},
        {"robot": "sim", "camera": True, "distance_mm": 5},
    ],
)
def test_settings_that_make_no_sense(wrong):
    with pytest.raises(UsageError):
        doctor(DoctorSettings(**wrong))

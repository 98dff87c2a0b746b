"""The calls of the SDK's example apps, through the genuine SDK, without their windows and web pages.

They were written for an older SDK: what it called `enable_camera_feed=True` and a reading's `is_valid` is
called `init_camera_feed()` and `signal_quality` now.
"""

import asyncio
import math

import anki_vector
import numpy as np
import pytest
from anki_vector.events import Events
from anki_vector.util import degrees, distance_mm, speed_mmps

from support.simulation import wait_for


@pytest.fixture(autouse=True)
def old_meaning(monkeypatch):
    """The nav map takes concurrent.futures' CancelledError for asyncio's own, as it was up to Python 3.7.

    It does not disconnect otherwise.
    """
    monkeypatch.setattr("anki_vector.nav_map.CancelledError", asyncio.CancelledError)


def test_remote_control(meet):
    """remote_control: keys W, D, R, T, 2 and the space bar, free play, the camera all the while."""
    robot = meet(anki_vector.AsyncRobot)
    robot.camera.init_camera_feed()
    names = robot.anim.anim_list
    assert {
        "anim_turn_left_01",
        "anim_blackjack_victorwin_01",
        "anim_pounce_success_02",
        "anim_volume_stage_05",
    } <= set(names)
    robot.behavior.drive_off_charger()
    wait_for(lambda: robot.camera.latest_image is not None)
    start = robot.pose.position
    robot.motors.set_wheel_motors(75, 75, 300, 300)
    robot.motors.set_lift_motor(4)
    robot.motors.set_head_motor(1)
    wait_for(
        lambda: robot.status.are_wheels_moving and robot.head_angle_rad > 0.3 and robot.lift_height_mm > 60
    )
    robot.motors.set_wheel_motors(125, 25, 500, 100)
    wait_for(lambda: robot.pose_angle_rad < -0.3)
    robot.motors.set_wheel_motors(0, 0, 0, 0)
    robot.motors.set_lift_motor(0)
    robot.motors.set_head_motor(0)
    wait_for(lambda: not robot.status.are_wheels_moving)
    assert math.hypot(robot.pose.position.x - start.x, robot.pose.position.y - start.y) > 20
    assert robot.anim.play_animation("anim_pounce_success_02").result().result == 1
    robot.behavior.say_text("Hi I'm Vector").result()
    first = robot.camera.latest_image.image_id
    wait_for(lambda: robot.camera.latest_image.image_id > first)
    assert [entry["name"] for entry in meet.sim.log("animation")] == ["anim_pounce_success_02"]


def test_proximity_mapper(meet):
    """proximity_mapper: a slow turn while readings come in, then a drive that takes too long."""
    robot = meet(anki_vector.AsyncRobot, enable_nav_map_feed=True)
    readings = []

    async def scan():
        turning = robot.behavior.turn_in_place(angle=degrees(360.0), speed=degrees(90.0))
        while not turning.done():
            reading = robot.proximity.last_sensor_reading
            if reading is not None:
                readings.append((robot.pose_angle_rad, reading.distance.distance_mm, reading.signal_quality))
            await asyncio.sleep(1 / 15)
        return turning.result()

    robot.behavior.set_lift_height(0.0).result()
    asyncio.run_coroutine_threadsafe(scan(), robot.conn.loop).result(timeout=20)
    angles = sorted(angle for angle, _, _ in readings)
    assert len(readings) > 30 and max(b - a for a, b in zip(angles, angles[1:], strict=False)) < math.radians(
        25
    ), "readings from all around"
    assert len({round(distance) for _, distance, quality in readings if quality > 0}) > 5, (
        "it is not equally far to everything"
    )

    async def drive():
        return await asyncio.wait_for(
            asyncio.wrap_future(robot.behavior.drive_straight(distance_mm(150), speed_mmps(40))), 1.0
        )

    with pytest.raises(asyncio.TimeoutError):
        asyncio.run(drive())
    robot.motors.set_wheel_motors(0, 0)
    wait_for(lambda: not robot.status.are_wheels_moving)
    wait_for(lambda: robot.nav_map.latest_nav_map is not None)


def test_viewers_and_shell(meet):
    """3d_viewer and interactive_shell: every feed at once, the motors as the viewer's keys drive them."""
    robot = meet(enable_nav_map_feed=True, enable_face_detection=True, enable_custom_object_detection=True)
    robot.camera.init_camera_feed()
    wait_for(lambda: robot.camera.latest_image is not None and robot.nav_map.latest_nav_map is not None)
    robot.motors.set_wheel_motors(50, -50, 200, 200)
    wait_for(lambda: abs(robot.pose_angle_rad) > 0.2)
    robot.motors.stop_all_motors()
    wait_for(lambda: not robot.status.are_wheels_moving)
    assert robot.anim.play_animation("anim_pounce_success_02").result == 1


def test_vectinator(meet):
    """vectinator: red eyes and eye poses, head and lift by speed, and an answer to the wake word."""
    robot = meet(enable_face_detection=True)
    heard = []
    robot.events.subscribe(lambda robot, kind, event: heard.append(kind), Events.wake_word)
    robot.behavior.set_eye_color(hue=9.0 % 1.0, saturation=1.0)
    for pose in ("determined", "squint", "furious"):
        assert robot.anim.play_animation(f"anim_eyepose_{pose}").result == 1
    robot.motors.set_head_motor(9.0)
    robot.motors.set_lift_motor(9.0)
    wait_for(lambda: robot.head_angle_rad > 0.7 and robot.lift_height_mm > 85)
    robot.motors.set_lift_motor(-9.0)
    wait_for(lambda: robot.lift_height_mm < 35)
    robot.conn.release_control()  # who has control does not hear it
    meet.sim.post("/fault", fault="wake_word")
    wait_for(lambda: heard)
    # The robot listens for a second: it takes control from whoever asked just before.
    wait_for(lambda: meet.sim.log("fault")[-1]["state"] == "end")
    robot.conn.request_control()
    robot.behavior.say_text("I only acknowledge commands from skynet.")
    assert meet.sim.log("say")[-1]["text"].startswith("I only acknowledge")


def test_sign_language_recognition_system(meet):
    """sign_language_recognition_system: grey crops of 200 x 200 under its overlay, the letter said aloud.

    Any classifier will do.
    """
    robot = meet()
    robot.camera.init_camera_feed()
    overlay = anki_vector.util.RectangleOverlay(200, 200)
    said = []
    for _ in range(3):
        seen = len(said) and robot.camera.latest_image.image_id
        wait_for(
            lambda seen=seen: (
                robot.camera.latest_image is not None and robot.camera.latest_image.image_id > seen
            )
        )
        image = robot.camera.latest_image.raw_image
        grey = np.asarray(image.convert("L"), np.float32) / 255
        top, left = (grey.shape[0] - 200) // 2, (grey.shape[1] - 200) // 2
        crop = grey[top : top + 200, left : left + 200]
        assert crop.shape == (200, 200) and crop.std() > 0.01, "not an empty image"
        overlay.apply_overlay(image)
        said.append(chr(97 + int(crop.mean() * 25)))
        robot.behavior.say_text(said[-1])
    assert [entry["text"] for entry in meet.sim.log("say")] == said

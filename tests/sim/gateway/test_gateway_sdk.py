"""The calls of the SDK's tutorials and apps, through the genuine SDK, and their effects in the world."""

import asyncio
import io
import math
import threading
import time
import wave
from types import SimpleNamespace

import anki_vector
import grpc
import numpy as np
import pytest
from anki_vector.connection import ControlPriorityLevel
from anki_vector.events import Events
from anki_vector.messaging import protocol
from anki_vector.objects import CustomObjectMarkers, CustomObjectTypes
from anki_vector.user_intent import UserIntent, UserIntentEvent
from anki_vector.util import Pose, degrees, distance_mm, speed_mmps
from PIL import Image

from support.simulation import wait_for
from vector_tl.sim.engine.virtual import VirtualVector

SUCCESS, COMPLETE = protocol.ActionResult.ACTION_RESULT_SUCCESS, 1


def test_charger_and_battery(meet):
    meet.sim.post("/fault", fault="on_charger")
    robot = meet()
    wait_for(lambda: robot.status.is_on_charger and robot.status.is_charging)
    battery = robot.get_battery_state()
    assert battery.is_on_charger_platform and battery.is_charging and 3.9 < battery.battery_volts < 4.2
    shouldnt = robot.behavior.drive_straight(distance_mm(50), speed_mmps(50)).result.code
    assert shouldnt == protocol.ActionResult.SHOULDNT_DRIVE_ON_CHARGER
    assert robot.behavior.drive_off_charger().result == COMPLETE
    wait_for(lambda: not robot.status.is_on_charger)
    assert robot.behavior.drive_on_charger().result == COMPLETE
    wait_for(lambda: robot.status.is_on_charger)
    assert [entry["state"] for entry in meet.sim.log("charger")] == ["on", "off", "on"]


def test_face_voice_and_animations(meet, tmp_path):
    robot = meet(cache_animation_lists=True)
    screen = anki_vector.screen.convert_image_to_screen_data(Image.new("RGB", (184, 96), (255, 0, 0)))
    robot.screen.set_screen_with_image_data(screen, 0.5)
    robot.behavior.set_eye_color(hue=0.83, saturation=0.76)
    robot.audio.set_master_volume(anki_vector.audio.RobotVolumeLevel.HIGH)
    with wave.open(str(tmp_path / "tone.wav"), "wb") as file:
        file.setnchannels(1), file.setsampwidth(2), file.setframerate(16000)
        file.writeframes(bytes(2 * 8000))
    start = time.monotonic()
    robot.audio.stream_wav_file(str(tmp_path / "tone.wav"), 75)
    assert time.monotonic() - start == pytest.approx(0.5, abs=0.25)
    start = time.monotonic()
    robot.behavior.say_text("Hello")
    assert time.monotonic() - start > 0.6
    assert robot.anim.play_animation("anim_pounce_success_02").result == COMPLETE
    assert robot.anim.play_animation_trigger("GreetAfterLongTime", ignore_body_track=True).result == COMPLETE
    kinds = {entry["kind"]: entry for entry in meet.sim.log()}
    assert kinds["screen"]["mean_rgb"] == [255, 0, 0] and kinds["screen"]["duration_ms"] == 500
    assert kinds["eye_color"]["hue"] == pytest.approx(0.83)
    assert kinds["audio"]["lasts_ms"] == 500 and kinds["volume"]["level"] == protocol.MasterVolumeLevel.Value(
        "VOLUME_HIGH"
    )
    assert [entry["name"] for entry in meet.sim.log("animation")] == [
        "anim_pounce_success_02",
        "GreetAfterLongTime",
    ]


def test_camera_settings_single_images_and_photos(meet):
    robot = meet()
    config = robot.camera.config
    assert (config.min_gain, config.max_gain) == pytest.approx(
        (0.1, 4.0)
    ) and config.max_exposure_time_ms == 67
    robot.camera.set_manual_exposure(20, 1.5)
    wait_for(
        lambda: (
            (robot.camera.is_auto_exposure_enabled, robot.camera.exposure_ms, robot.camera.gain)
            == (False, 20, 1.5)
        )
    )

    def brightness():
        return np.asarray(robot.camera.capture_single_image().raw_image).mean()

    by_hand = brightness()
    robot.camera.set_manual_exposure(1, 0.5)
    wait_for(lambda: robot.camera.exposure_ms == 1)
    assert brightness() < 0.5 * by_hand
    robot.camera.enable_auto_exposure()
    wait_for(lambda: robot.camera.is_auto_exposure_enabled)
    assert robot.camera.capture_single_image().raw_image.size == (640, 360)
    assert robot.camera.capture_single_image(enable_high_resolution=True).raw_image.size == (1280, 720)
    assert len(robot.photos.photo_info) == 0
    meet.sim.post("/fault", fault="take_photo")
    wait_for(lambda: meet.sim.log("photo"))
    robot.photos.load_photo_info()
    (info,) = robot.photos.photo_info
    assert Image.open(io.BytesIO(robot.photos.get_photo(info.photo_id).image)).size == (1280, 720)
    assert Image.open(io.BytesIO(robot.photos.get_thumbnail(info.photo_id).image)).size == (320, 180)


def test_single_images_suffer_from_the_cameras_faults(meet):
    """A call for one image waits while the camera stalls, and gets what the camera gives."""
    with meet.sim.stub() as stub:

        def ask(timeout=5.0):
            return stub.CaptureSingleImage(protocol.CaptureSingleImageRequest(), timeout=timeout).data

        for fault, begins, ends in (
            ("camera_truncate", True, False),
            ("camera_corrupt", False, False),
            ("camera_drop", True, True),
        ):
            meet.sim.post("/fault", fault=fault)
            assert (ask().startswith(b"\xff\xd8"), ask().endswith(b"\xff\xd9")) == (begins, ends)
            meet.sim.post("/fault", fault="clear")
        meet.sim.post("/fault", fault="camera_stall")
        with pytest.raises(grpc.RpcError):
            ask(timeout=0.5)
        meet.sim.post("/fault", fault="camera_stall", ms=300)
        assert ask().endswith(b"\xff\xd9")


@pytest.mark.parametrize(
    ("hue", "saturation", "rgb"),
    [(0.0, 1.0, (1, 0, 0)), (1 / 3, 1.0, (0, 1, 0)), (0.5, 0.0, (1, 1, 1)), (float("nan"), 9.0, (1, 0, 0))],
)
def test_eyes_take_the_colour_that_is_asked_for(hue, saturation, rgb):
    robot = SimpleNamespace(index=1, world=SimpleNamespace(eyes_rgb={}))
    VirtualVector.set_eye_color(robot, hue, saturation)
    assert robot.world.eyes_rgb == {1: pytest.approx(rgb)}


def test_objects_a_map_and_a_way_around(meet, monkeypatch):
    # The SDK takes concurrent.futures' CancelledError for asyncio's, which it was up to Python 3.7;
    # without this no program with a map gets through its disconnect, whichever the robot.
    monkeypatch.setattr(anki_vector.nav_map, "CancelledError", asyncio.CancelledError)
    robot = meet(enable_nav_map_feed=True)
    cube = robot.world.define_custom_cube(
        CustomObjectTypes.CustomType00, CustomObjectMarkers.Circles2, 44.0, 50.0, 50.0, True
    )
    wall = robot.world.create_custom_fixed_object(
        Pose(100, 0, 0, angle_z=degrees(0)), 10, 60, 100, relative_to_robot=True
    )
    assert cube is not None and wall.object_id == 1
    no_cube = robot.behavior.pickup_object(wall)
    assert no_cube.result.code == protocol.ActionResult.BAD_OBJECT
    start = meet.sim.me()
    assert (
        robot.behavior.go_to_pose(Pose(200, 0, 0, angle_z=degrees(0)), relative_to_robot=True).result.code
        == SUCCESS
    )
    end = meet.sim.me()
    assert math.dist((start["x_mm"], start["y_mm"]), (end["x_mm"], end["y_mm"])) == pytest.approx(200, abs=8)
    wait_for(lambda: robot.nav_map.latest_nav_map.contains_point(100, 0))
    assert (
        robot.nav_map.latest_nav_map.get_content(100, 0)
        == anki_vector.nav_map.NavNodeContentTypes.ObstacleCube.value
    )
    robot.world.delete_custom_objects()
    assert not robot.world.connect_cube().success and robot.world.connected_light_cube is None


def test_an_edge_takes_control_and_the_program_asks_for_it_again(meet):
    robot = meet()
    robot.behavior.drive_straight(distance_mm(5000), speed_mmps(220))
    robot.conn.run_coroutine(robot.conn.control_lost_event.wait()).result(5)
    robot.conn.request_control()
    assert robot.behavior.drive_straight(distance_mm(-100), speed_mmps(100)).result.code == SUCCESS
    assert [e["reason"] for e in meet.sim.log("control") if e["event"] == "lost"] == ["cliff"]
    assert meet.sim.get("/truth")["falls"] == 0


def test_the_highest_priority_keeps_control_in_a_hand(meet):
    robot = meet(behavior_control_level=ControlPriorityLevel.OVERRIDE_BEHAVIORS_PRIORITY)
    meet.sim.post("/fault", fault="picked_up", ms=800)
    wait_for(lambda: robot.status.is_picked_up and robot.status.is_being_held)
    robot.motors.set_wheel_motors(75, -75)
    wait_for(lambda: robot.left_wheel_speed_mmps > 70)
    robot.motors.set_wheel_motors(0, 0)
    wait_for(lambda: not robot.status.is_picked_up)
    assert not [e for e in meet.sim.log("control") if e["event"] == "lost"]


def test_words_touch_and_cancelling(meet):
    robot, received = meet(anki_vector.AsyncRobot, behavior_control_level=None), []
    word = threading.Event()
    robot.events.subscribe(lambda robot, kind, event: word.set(), Events.wake_word)
    robot.events.subscribe(
        lambda robot, kind, event: received.append(UserIntent(event).intent_event), Events.user_intent
    )
    meet.sim.post("/fault", fault="voice_command")  # ignored: nobody has control
    meet.sim.post("/fault", fault="wake_word")
    assert word.wait(2)
    robot.conn.request_control().result(5)
    meet.sim.post("/fault", fault="voice_command", intent=UserIntentEvent.weather_response.value)
    wait_for(lambda: received == [UserIntentEvent.weather_response])
    meet.sim.post("/fault", fault="touched", ms=500)
    wait_for(lambda: robot.touch.last_sensor_reading and robot.touch.last_sensor_reading.is_being_touched)
    turn = robot.behavior.turn_in_place(degrees(300), speed=degrees(60))
    wait_for(lambda: meet.sim.me()["right_mmps"] > 0)
    turn.cancel()
    wait_for(lambda: meet.sim.me()["right_mmps"] == 0, 2.0)
    robot.behavior.set_head_angle(degrees(30)).result(3)
    assert meet.sim.me()["head_angle_rad"] == pytest.approx(math.radians(30))
    wait_for(lambda: robot.proximity.last_sensor_reading.distance.distance_mm > 0)
    raw = pytest.approx(9810 * math.sin(math.radians(30)), abs=200)  # in the head
    wait_for(lambda: robot.accel.x == raw)
    assert robot.accel.z == pytest.approx(9810 * math.cos(math.radians(30)), abs=200)

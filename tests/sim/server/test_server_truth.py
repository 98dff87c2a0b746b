"""The ground-truth channel, faults on demand, and an orderly start and end."""

import contextlib
import json
import math
import os
import signal
import socket
import stat
import subprocess
import threading
import time
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import grpc
import numpy as np
import pytest
from anki_vector.messaging import protocol
from hypothesis import given
from hypothesis import strategies as st

from support.simulation import ControlStream, drive, in_control, launch, wait_for
from vector_tl.errors import UsageError, UserError
from vector_tl.robot.simulator_client import TruthClient
from vector_tl.sim.engine.faults import FAULTS, Fault, Lateness
from vector_tl.sim.engine.identity import make_identity
from vector_tl.sim.engine.journal import LOG_ENTRIES, MASKS_PER_ROBOT, TRUTHS_PER_ROBOT, WorldJournal
from vector_tl.sim.server.sdk_home import SdkHome
from vector_tl.sim.server.server import run
from vector_tl.sim.settings import SimSettings


def faults(sim) -> list[tuple[str, str]]:
    return [(entry["fault"], entry["state"]) for entry in sim.log("fault")]


def test_the_door_is_the_users_alone_and_needs_its_token(simulate):
    sim = simulate()
    for path in (sim.home / "truth.json", sim.home / ".anki_vector" / "sdk_config.ini"):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert sim.http("/truth", token="wrong")[0] == 401
    assert sim.http(f"/truth?token={sim.door['token']}", token="wrong")[0] == 401  # the header comes first
    assert sim.http("/log")[0] == 200


@pytest.mark.parametrize(
    ("path", "body", "says"),
    [
        ("/fault", {"fault": "nonsense"}, "nonsense"),
        ("/fault", {"fault": "camera_stall", "ms": -1}, "ms"),
        ("/fault", {"fault": "cliff", "colour": 1}, "colour"),
        ("/fault", {"fault": "cliff", "serial": "0"}, "no robot"),
        ("/fault", {"fault": "cliff", "serial": ["0"]}, "no robot"),
        ("/fault", {"fault": ["x"]}, "no fault"),
        ("/fault", {"fault": {}}, "no fault"),
        ("/fault", {"fault": "clear", "name": ["cliff"]}, "no fault"),
        ("/fault", {"fault": "clear", "name": "hiccup"}, "no fault"),
        ("/fault", {"fault": "clear", "ms": 5}, "clear takes no ms"),
        ("/fault", {"fault": "cliff", "count": 3}, "cliff takes no count"),
        ("/fault", {"fault": "camera_stall", "count": 1.5}, "whole number"),
        ("/fault", {"fault": "camera_stall", "count": 0}, "from 1"),
        ("/fault", {"fault": "kill", "ms": 5}, "kill takes no ms"),
        ("/fault", {"fault": "abort_camera", "ms": 5}, "abort_camera takes no ms"),
        ("/fault", {"fault": "camera_stall", "ms": math.nan}, "ms"),
        ("/step", {}, "either"),
        ("/step", {"ms": "soon"}, "number"),
        ("/step", {"frames": 0}, "frames"),
        ("/step", {"frames": True}, "frames"),
        ("/step", [5], "JSON object"),
        ("/place", {"vectors": 5}, "list"),
        ("/place", {"vectors": [5]}, "list"),
        ("/place", {"vectors": {"vector": 0}}, "list"),
        ("/place", {"vectors": [{"vector": True}]}, "no Vector True"),
        ("/place", {"vectors": [{"vector": 0, "x_mm": 10**400, "y_mm": 0, "heading_rad": 0}]}, "x_mm"),
        ("/place", {"vectors": [{"vector": 7}]}, "no Vector 7"),
        ("/place", {"vectors": [{"vector": 0, "x_mm": 0, "y_mm": None, "heading_rad": 0}]}, "y_mm"),
        ("/world", {"seed": -1}, "seed"),
        ("/truth?serial=nobody", None, "no robot"),
        ("/log?since_ms=x", None, "since_ms"),
    ],
)
def test_bad_requests_are_answered_with_a_sentence(lockstep_sim, path, body, says):
    status, answer = lockstep_sim.http(path, body)
    assert status == 400
    assert says in answer["error"]


@pytest.fixture
def lockstep_sim(simulate):
    return simulate(lockstep=True, world=3)


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/truth?image_id=%C2%B2", 404),
        ("/truth?image_id=" + "9" * 5000, 404),
        ("/truth?image_id=-1", 404),
        ("/mask", 404),
        ("/mask?image_id=5", 404),
        ("/nowhere", 404),
        ("/fault", 405),
        ("/scene?since_ms=" + "9" * 5000, 500),
    ],
)
def test_every_refusal_is_json(lockstep_sim, path, status):
    answer = lockstep_sim.http(path)
    assert answer[0] == status and isinstance(answer[1]["error"], str)
    assert lockstep_sim.get("/truth")


def test_truth_of_an_image_and_of_now(lockstep_sim):
    sim = lockstep_sim
    truth = sim.get("/truth")
    assert (
        truth["boxes"] is None
        and truth["viewer"] == 0
        and [v["role"] for v in truth["vectors"]] == ["robot", "target"]
    )
    target = truth["vectors"][1]
    x, y, heading = (
        truth["vectors"][0]["x_mm"],
        truth["vectors"][0]["y_mm"],
        truth["vectors"][0]["heading_rad"],
    )
    assert truth["distance_mm"] == pytest.approx(
        ((target["x_mm"] - x) ** 2 + (target["y_mm"] - y) ** 2) ** 0.5
    )
    assert sim.http("/truth?image_id=1")[0] == 404
    assert (
        sim.http("/place", {"vectors": [{"vector": 1, "x_mm": x + 5, "y_mm": y, "heading_rad": 0}]})[0] == 409
    )
    sim.post(
        "/place",
        vectors=[
            {
                "vector": 0,
                "x_mm": x,
                "y_mm": y,
                "heading_rad": heading + 1.0,
                "head_angle_rad": 0.2,
                "lift_height_mm": 60,
            }
        ],
    )
    assert sim.me()["head_angle_rad"] == 0.2
    turned = sim.get("/truth")["bearing_deg"]
    assert math.remainder(truth["bearing_deg"] - turned, 360) == pytest.approx(
        math.degrees(1.0)
    )  # what is ahead goes to the right
    with sim.stub() as stub:
        image = stub.CaptureSingleImage(protocol.CaptureSingleImageRequest(), timeout=5)
    assert (
        sim.get(f"/truth?image_id={image.image_id}&serial={sim.serial}")["vectors"]
        == sim.get("/truth")["vectors"]
    )


def test_time_continues_in_another_world(lockstep_sim):
    sim = lockstep_sim
    sim.post("/fault", fault="picked_up")
    sim.post("/step", ms=500)
    before = sim.get("/truth")
    assert sim.post("/world", seed=8)["t_ms"] == 500
    after = sim.get("/truth")
    assert after["world"] == 8 and after["vectors"] != before["vectors"]
    assert faults(sim)[-1] == ("picked_up", "end")


def test_the_images_of_a_room_do_not_depend_on_what_was_before(lockstep_sim):
    sim = lockstep_sim
    with sim.stub() as stub:

        def image():
            return stub.CaptureSingleImage(protocol.CaptureSingleImageRequest(), timeout=5).data

        sim.post("/world", seed=5)
        first = [image(), image()]
        sim.post("/step", ms=700)
        sim.post("/world", seed=6)
        other = image()
        sim.post("/world", seed=5)
        assert [image(), image()] == first and other not in first and first[0] != first[1]


def frames_of(sim, stub, count):
    """Step until `count` frames have fallen due; what came of them."""
    feed = stub.CameraFeed(protocol.CameraFeedRequest(), timeout=20)
    wait_for(lambda: sim.get("/log")["streams"]["camera"] >= 1)
    sim.post("/step", frames=count)
    sim.post("/fault", fault="clear")
    last = sim.post("/step", frames=1)["image_ids"][sim.serial]
    got = []
    while not got or got[-1].image_id < last:
        got.append(next(feed))
    feed.cancel()
    return got[:-1]


def test_camera_faults(lockstep_sim):
    sim = lockstep_sim
    with sim.stub() as stub:
        assert len(frames_of(sim, stub, 4)) == 4
        sim.post("/fault", fault="camera_stall")
        assert frames_of(sim, stub, 5) == []
        sim.post("/fault", fault="camera_drop", share=0.5)
        assert 2 <= len(frames_of(sim, stub, 12)) <= 10
        sim.post("/fault", fault="camera_corrupt", count=1)
        one, two, *_ = frames_of(sim, stub, 3)
        assert not one.data.startswith(b"\xff\xd8") and two.data.startswith(b"\xff\xd8")
        sim.post("/fault", fault="camera_truncate")
        assert not any(frame.data.endswith(b"\xff\xd9") for frame in frames_of(sim, stub, 3))
        sim.post("/fault", fault="camera_repeat")
        repeated = frames_of(sim, stub, 3)
        assert len(repeated) == 3 and len({frame.image_id for frame in repeated}) == 1
        sim.post("/fault", fault="camera_latency", latency_ms=200, ms=1000)
        sim.post("/fault", fault="clear", name="camera_latency")
    assert [name for name, state in faults(sim) if state == "begin"] == [
        "camera_stall",
        "camera_drop",
        "camera_corrupt",
        "camera_truncate",
        "camera_repeat",
        "camera_latency",
    ]
    assert len(faults(sim)) == 12  # each has ended too


def test_a_step_says_which_state_to_wait_for(lockstep_sim):
    """A client in lockstep then waits for what was sent, however slow the computer, and for nothing else."""
    sim = lockstep_sim

    def state_of_the_step():
        answer = sim.post("/step", frames=1)
        return answer["t_ms"], answer["states"][sim.serial]

    assert state_of_the_step()[1] is None
    with sim.stub() as stub:
        events = stub.EventStream(protocol.EventRequest(), timeout=20)
        feed = stub.CameraFeed(protocol.CameraFeedRequest(), timeout=20)
        wait_for(lambda: {"camera": 1, "events": 1}.items() <= sim.get("/log")["streams"].items())
        t_ms, state_ms = state_of_the_step()
        assert state_ms == t_ms
        sim.post("/fault", fault="event_stall")
        assert state_of_the_step()[1] is None
        feed.cancel()
        events.cancel()


def test_frames_come_late_in_order_with_the_times_at_which_they_were_taken(lockstep_sim):
    sim = lockstep_sim
    with sim.stub() as stub:
        feed, got = stub.CameraFeed(protocol.CameraFeedRequest(), timeout=20), []

        def listen():
            with contextlib.suppress(grpc.RpcError):
                got.extend((frame.image_id, frame.frame_time_stamp) for frame in feed)

        threading.Thread(target=listen, daemon=True).start()
        wait_for(lambda: sim.get("/log")["streams"]["camera"] == 1)
        sim.post("/fault", fault="camera_latency", latency_ms=200)
        assert sim.post("/step", ms=150)["image_ids"][sim.serial] == 0 and got == []
        assert sim.post("/step", ms=200)["image_ids"][sim.serial] == 1  # the one of 120 ms
        sim.post("/fault", fault="clear", name="camera_latency")
        sim.post("/step", ms=370)
        wait_for(lambda: len(got) == 10)
        feed.cancel()
    taken = [120, 180, 240, 300, 360, 420, 480, 540, 600, 720]  # 15 a second, at ticks of 60 ms
    assert got == list(enumerate(taken, 1))


def test_there_is_one_frame_for_a_tick_at_most(simulate):
    sim = simulate(lockstep=True, camera_fps=30)
    with sim.stub() as stub:
        assert [frame.frame_time_stamp for frame in frames_of(sim, stub, 4)] == [60, 120, 180, 240]


def test_control_comes_late_and_in_order(lockstep_sim):
    sim = lockstep_sim
    with sim.stub() as stub:
        sim.post("/fault", fault="control_latency", latency_ms=200, jitter_ms=100)
        control = ControlStream(stub)
        control.request()
        wait_for(lambda: [entry["event"] for entry in sim.log("control")] == ["request", "granted"])
        drive(stub, 20, 20)  # control is there, the client only does not know it
        sim.post("/step", ms=150)
        time.sleep(0.1)
        assert control.answers == [] and sim.me()["left_mmps"] == 20
        sim.post("/step", ms=200)
        control.wait("control_granted_response")
        sim.post("/fault", fault="control_lost", ms=100)
        sim.post("/step", ms=50)
        sim.post("/fault", fault="clear", name="control_latency")
        control.request()  # granted at 450 ms, after the loss that arrives at 550 ms or later
        sim.post("/step", ms=100)
        time.sleep(0.1)
        assert control.answers == ["control_granted_response"]
        sim.post("/step", ms=200)
        control.wait("control_granted_response", "control_lost_event", "control_granted_response")


def test_maps_come_late(lockstep_sim):
    sim = lockstep_sim
    with sim.stub() as stub:
        sim.post("/fault", fault="map_latency", latency_ms=200)
        feed, got = stub.NavMapFeed(protocol.NavMapFeedRequest(frequency=10), timeout=20), []

        def listen():
            with contextlib.suppress(grpc.RpcError):
                got.extend(feed)

        threading.Thread(target=listen, daemon=True).start()
        wait_for(lambda: [entry for entry in sim.log("stream") if entry["stream"] == "map"])
        sim.post("/step", ms=150)
        time.sleep(0.2)
        assert got == []
        sim.post("/step", ms=100)
        wait_for(lambda: got)
        feed.cancel()


def test_a_server_that_is_away_is_not_restarted(simulate):
    sim = simulate()
    sim.post("/fault", fault="restart", ms=400)
    status, answer = sim.http("/fault", {"fault": "restart"})
    assert status == 400 and "wait" in answer["error"]
    wait_for(lambda: ("restart", "end") in faults(sim))
    sim.post("/fault", fault="restart", ms=50)
    wait_for(lambda: faults(sim) == [("restart", "begin"), ("restart", "end")] * 2)
    assert sim.log("error") == []


def test_photos_never_share_a_number(simulate):
    sim = simulate()
    with sim.stub() as stub:
        for taken in (1, 2):
            sim.post("/fault", fault="take_photo")
            wait_for(lambda taken=taken: len(sim.log("photo")) == taken)
        first = stub.Photo(protocol.PhotoRequest(photo_id=2), timeout=2).image
        assert stub.DeletePhoto(protocol.DeletePhotoRequest(photo_id=1), timeout=2).success
        sim.post("/fault", fault="take_photo")
        wait_for(lambda: len(sim.log("photo")) == 3)
        infos = stub.PhotosInfo(protocol.PhotosInfoRequest(), timeout=2).photo_infos
        assert (
            [info.photo_id for info in infos]
            == [2, 3]
            == [entry["photo_id"] for entry in sim.log("photo")][1:]
        )
        assert stub.Photo(protocol.PhotoRequest(photo_id=2), timeout=2).image == first


@given(st.lists(st.integers(0, 400), max_size=30), st.integers(0, 300), st.integers(0, 300))
def test_what_is_late_keeps_its_order_and_is_late_enough(gaps_ms, latency_ms, jitter_ms):
    late, fault = (
        Lateness(0, 0),
        Fault.parse({"fault": "event_latency", "latency_ms": latency_ms, "jitter_ms": jitter_ms}),
    )
    now_ms, last_ms = 0, 0.0
    for gap_ms in gaps_ms:
        now_ms += gap_ms
        arrives_ms = now_ms + late.after_ms(fault, now_ms)
        assert (
            arrives_ms >= last_ms
            and latency_ms - 1e-6 <= arrives_ms - now_ms <= latency_ms + jitter_ms + 1e-6
        )
        last_ms = arrives_ms


def test_states_come_late_and_in_order(lockstep_sim):
    sim = lockstep_sim
    with sim.stub() as stub:
        events = stub.EventStream(protocol.EventRequest())
        stamps = []

        def listen():
            with contextlib.suppress(grpc.RpcError):
                for answer in events:
                    if answer.event.WhichOneof("event_type") == "robot_state":
                        stamps.append(answer.event.robot_state.pose.x)

        threading.Thread(target=listen, daemon=True).start()
        wait_for(lambda: stamps)
        sim.post("/fault", fault="event_latency", latency_ms=500, jitter_ms=100)
        time.sleep(0.3)
        before = len(stamps)
        sim.post("/step", ms=400)
        time.sleep(0.3)
        assert len(stamps) == before, "nothing of the last 400 ms has arrived"
        sim.post("/step", ms=400)
        wait_for(lambda: len(stamps) > before)
        events.cancel()


def test_faults_end_after_their_time_in_the_world(lockstep_sim):
    sim = lockstep_sim
    sim.post("/fault", fault="low_battery", ms=300)
    with sim.stub() as stub:

        def level():
            return stub.BatteryState(protocol.BatteryStateRequest(), timeout=2).battery_level

        assert level() == 1
        sim.post("/step", ms=299)
        assert level() == 1
        sim.post("/step", ms=1)
        assert level() == 2
    assert [entry["t_ms"] for entry in sim.log("fault")] == [0, 300]


def test_control_lost_leaves_the_wheels_and_a_later_request_is_granted_afterwards(lockstep_sim):
    sim = lockstep_sim
    with sim.stub() as stub:
        control = in_control(stub)
        drive(stub, 20, 20)
        sim.post("/step", ms=100)
        sim.post("/fault", fault="control_lost", ms=500)
        control.wait("control_granted_response", "control_lost_event")
        drive(stub, 90, 90)  # refused
        sim.post("/step", ms=100)
        assert sim.me()["left_mmps"] == 20
        drive(stub, 0, 0)  # refused too
        control.request()
        sim.post("/step", ms=300)
        assert sim.me()["left_mmps"] == 20 and len(control.answers) == 2
        sim.post("/step", ms=240)
        control.wait("control_granted_response", "control_lost_event", "control_granted_response")
        drive(stub, 0, 0)
        sim.post("/step", ms=60)
        assert sim.me()["left_mmps"] == 0
    wheels = [(e["t_ms"], e["left_mmps"], e["applied"]) for e in sim.log("wheels")]
    assert wheels == [(0, 20.0, True), (100, 90.0, False), (200, 0.0, False), (740, 0.0, True)]


def test_cliff_and_hand(lockstep_sim):
    sim = lockstep_sim
    with sim.stub() as stub:
        in_control(stub)
        states = stub.EventStream(
            protocol.EventRequest(white_list=protocol.FilterList(list=["robot_state"])), timeout=10
        )
        drive(stub, 30, 30)
        sim.post("/step", ms=100)
        sim.post("/fault", fault="cliff", ms=200)
        sim.post("/step", ms=100)
        assert sim.me()["left_mmps"] == 0
        assert [entry["reason"] for entry in sim.log("stop")] == ["cliff"]
        sim.post("/fault", fault="picked_up", ms=200)
        sim.post("/step", ms=100)
        bits = 0
        while not bits & 8:
            state = next(states).event.robot_state
            bits = state.status
        assert bits & protocol.RobotStatus.Value("ROBOT_STATUS_IS_BEING_HELD")
        sim.post("/step", ms=200)
        while state.status & 8:
            state = next(states).event.robot_state
        assert state.pose.origin_id == 2  # it no longer knows where it is
        states.cancel()


@pytest.mark.parametrize("streams", ["camera", "events", "control", "streams"])
def test_streams_break_off(simulate, streams):
    sim = simulate()
    with sim.stub() as stub:
        control = in_control(stub)
        camera = stub.CameraFeed(protocol.CameraFeedRequest(), timeout=10)
        events = stub.EventStream(protocol.EventRequest(), timeout=10)
        maps = stub.NavMapFeed(protocol.NavMapFeedRequest(frequency=10), timeout=10)
        next(camera), next(events), next(maps)
        sim.post("/fault", fault=f"abort_{streams}")
        for kind, stream in (("camera", camera), ("events", events), ("map", maps)):
            if streams in (kind, "streams"):
                with pytest.raises(grpc.RpcError) as error:
                    for _ in stream:
                        pass
                assert error.value.code() == grpc.StatusCode.UNAVAILABLE
        if streams in ("control", "streams"):
            wait_for(lambda: control.answers[-1] == "UNAVAILABLE")
        for stream in (camera, events, maps):
            stream.cancel()
    assert faults(sim) == [(f"abort_{streams}", "begin")]


def test_calls_are_late_or_unanswered(simulate):
    sim = simulate()
    with sim.stub() as stub:

        def call(timeout):
            return stub.BatteryState(protocol.BatteryStateRequest(), timeout=timeout)

        call(2)
        sim.post("/fault", fault="rpc_latency", latency_ms=150)
        start = time.monotonic()
        call(2)
        assert 0.15 <= time.monotonic() - start < 0.4
        sim.post("/fault", fault="rpc_stall", ms=400)
        with pytest.raises(grpc.RpcError) as error:
            call(0.1)
        assert error.value.code() == grpc.StatusCode.DEADLINE_EXCEEDED
        sim.post("/fault", fault="clear", name="rpc_latency")
        start = time.monotonic()
        call(2)
        assert time.monotonic() - start > 0.1  # waits until the stall has ended


def test_event_stall_restart_and_freeze(simulate):
    sim = simulate()
    with sim.stub() as stub:
        events = stub.EventStream(protocol.EventRequest(), timeout=10)
        next(events)
        sim.post("/fault", fault="event_stall", ms=300)
        gaps, last = [], time.monotonic()
        for _ in range(20):
            next(events)
            gaps.append(time.monotonic() - last)
            last = time.monotonic()
        assert 0.25 < max(gaps) < 0.6
        events.cancel()
        sim.post("/fault", fault="restart", ms=100)
        wait_for(lambda: ("restart", "end") in faults(sim))
        assert (
            stub.BatteryState(protocol.BatteryStateRequest(), timeout=5, wait_for_ready=True).battery_volts
            > 0
        )
        t_ms = sim.post("/fault", fault="freeze", ms=600)["t_ms"]
        time.sleep(0.1)
        with pytest.raises(grpc.RpcError) as error:
            stub.BatteryState(protocol.BatteryStateRequest(), timeout=0.2)
        assert error.value.code() == grpc.StatusCode.DEADLINE_EXCEEDED
        time.sleep(0.5)
        assert sim.get("/log")["t_ms"] - t_ms < 600  # the world stood still too
        stub.BatteryState(protocol.BatteryStateRequest(), timeout=2)


def test_kill(simulate):
    sim = simulate()
    sim.post("/fault", fault="kill")
    assert sim.process.wait(timeout=2) == -signal.SIGKILL
    again = simulate()  # the same home, whose files were left behind
    assert again.ready[0][0] == sim.serial


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_it_ends_at_once_and_tidies_up(simulate, number):
    sim = simulate()
    with sim.stub() as stub:
        camera = stub.CameraFeed(protocol.CameraFeedRequest(), timeout=10)
        next(camera)
        start = time.monotonic()
        sim.process.send_signal(number)
        assert sim.process.wait(timeout=3) == 0
        assert time.monotonic() - start < 1.5
    assert list(sim.home.iterdir()) == []
    assert sim.process.stderr.read() == ""


def test_a_users_own_home_is_refused(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path / "me"))
    (tmp_path / "me" / ".anki_vector").mkdir(parents=True)
    with pytest.raises(UserError, match="your own home"):
        SdkHome(tmp_path / "me")
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / ".anki_vector").symlink_to(tmp_path / "me" / ".anki_vector")
    with pytest.raises(UserError, match="your own home"):
        SdkHome(tmp_path / "other")


@pytest.mark.parametrize("text", ["[00aabbcc]\nip = 192.168.1.20\nname = Vector-B2B2\n", "not an ini"])
def test_the_settings_of_a_robot_are_never_overwritten(tmp_path, text):
    (tmp_path / ".anki_vector").mkdir()
    ini = tmp_path / ".anki_vector" / "sdk_config.ini"
    ini.write_text(text)
    with pytest.raises(UserError, match="stays as it is"):
        SdkHome(tmp_path)
    assert ini.read_text() == text


@pytest.mark.parametrize(
    "settings",
    [
        {"robots": 0},
        {"robots": 5},
        {"targets": -1},
        {"camera_fps": 0.0},
        {"camera_fps": float("nan")},
        {"world": -1},
        {"port": 70000},
    ],
)
def test_settings_out_of_range_are_refused(tmp_path, settings):
    with pytest.raises(UserError, match="must be from"):
        run(SimSettings(home=tmp_path, **settings))


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"camera": "plain", "without": ("mirrors",)}, "--without"),
        ({"camera": "plain", "backgrounds": Path(".")}, "--backgrounds"),
        ({"without": ("mirrors",), "backgrounds": Path(".")}, "one of them"),
        ({"without": ("looks", "light"), "backgrounds": Path(".")}, "one of them"),
        ({"host": "0.0.0.0"}, "--view"),
        ({"view_port": 8000}, "--view"),
    ],
)
def test_settings_that_would_do_nothing_are_refused(tmp_path, monkeypatch, settings, says):
    monkeypatch.setattr("vector_tl.sim.server.serving.serve", lambda *_: pytest.fail("it started"))
    with pytest.raises(UsageError, match=says):
        run(SimSettings(home=tmp_path, **settings))


def test_vectors_before_photographs_can_go_without_looks(tmp_path, monkeypatch):
    started = []

    async def serve(settings):
        started.append(settings.without)

    monkeypatch.setattr("vector_tl.sim.server.serving.serve", serve)
    run(SimSettings(home=tmp_path, without=("looks",), backgrounds=Path(".")))
    assert started == [("looks",)]


def test_a_second_simulator_with_the_same_home_is_refused_and_the_first_continues(simulate, tmp_path):
    sim = simulate("same")
    out, err = launch(tmp_path / "same").communicate(timeout=60)
    assert out == "" and err.count("\n") == 1 and f"process {sim.process.pid}" in err and "--home" in err
    assert sim.get("/truth") and json.loads((sim.home / "truth.json").read_text()) == sim.door
    sim.end()
    assert simulate("same").serial == sim.serial


@pytest.mark.parametrize(
    "door",
    [
        {"pid": 2**22 + 1, "port": 1},
        {"pid": os.getppid(), "port": 1},
        {"pid": 10**30, "port": 10**30},
        {"pid": None, "port": None},
        {},
        [],
    ],
)
def test_what_a_killed_simulator_left_behind_is_taken_over(tmp_path, door):
    (tmp_path / "truth.json").write_text(json.dumps(door))
    home = SdkHome(tmp_path)
    home.write([(make_identity(0), 4000)], {"port": 4001})
    home.remove()
    assert list(tmp_path.iterdir()) == []


def test_only_unchanged_files_of_its_own_are_removed(tmp_path):
    home = SdkHome(tmp_path)
    home.write([(make_identity(0), 4000)], {"port": 4001})
    home.door.write_text('{"port": 5001}')
    home.remove()
    assert [path.name for path in tmp_path.iterdir()] == [
        "truth.json"
    ] and home.door.read_text() == '{"port": 5001}'


@pytest.mark.parametrize("home", ["file", "file/below", "~nobody-of-that-name/sim"])
def test_a_home_that_cannot_be_a_folder_is_an_error_of_one_sentence(tmp_path, home):
    (tmp_path / "file").touch()
    process = launch(home if home.startswith("~") else tmp_path / home)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 1 and out == "" and err.count("\n") == 1 and "--home" in err


def test_a_home_that_cannot_be_written_ends_everything_in_order(tmp_path):
    (tmp_path / ".anki_vector").touch()  # a file where the folder of the settings should be
    process = launch(tmp_path)
    out, err = process.communicate(timeout=20)
    assert process.returncode == 1 and out == "" and err.count("\n") == 1 and "Cannot write" in err


def test_a_port_in_use_is_an_error(tmp_path):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        process = launch(tmp_path, port=port)
        out, err = process.communicate(timeout=60)
    assert process.returncode == 1 and out == ""
    assert err.count("\n") == 1 and f"Port {port}" in err


def test_serials_are_always_the_same_and_keys_never():
    one, two, again = make_identity(0), make_identity(1), make_identity(0)
    assert (one.serial, two.serial) == ("00e20100", "00e20101") and one.name == again.name != two.name
    assert one.guid != again.guid and one.key != again.key
    text = subprocess.run(
        ["openssl", "x509", "-noout", "-subject"], input=one.certificate, capture_output=True
    ).stdout.decode()
    assert not text or one.name in text


def test_the_journal_does_not_grow_for_ever():
    journal = WorldJournal(lambda: 5)
    for index in range(LOG_ENTRIES + 10):
        journal.add("wheels", "00e20100", left_mmps=index)
    for index in range(TRUTHS_PER_ROBOT + 10):
        journal.keep_truth("00e20100", index, {"image_id": index})
    assert len(journal.since(0)) == LOG_ENTRIES and journal.since(6) == []
    assert journal.truth("00e20100", 9) is None and journal.truth("00e20100", 10)["image_id"] == 10
    assert journal.truth("nobody", 1) is None


def test_the_journal_keeps_the_newest_masks():
    """Of the Vectors that the truth names; not of what else the renderer has a number for."""
    journal, ids = WorldJournal(lambda: 5), np.array([[0, 2], [3, 200]], np.int16)
    for index in range(MASKS_PER_ROBOT + 1):
        journal.keep_truth("00e20100", index, {"boxes": [{"vector": 1}] * (index % 2)})
        journal.keep_ids("00e20100", index, ids)
    assert journal.mask("00e20100", 0) is None and journal.mask("nobody", 1) is None
    assert journal.mask("00e20100", 1).tolist() == [[0, 2], [0, 0]]
    assert journal.mask("00e20100", 2).tolist() == [[0, 0], [0, 0]]
    assert journal.mask("00e20100", 1).dtype == np.uint8


def test_the_journal_never_holds_what_json_cannot():
    journal = WorldJournal(lambda: 5)
    journal.add("wheels", left_mmps=math.nan, mean_rgb=[1, math.inf], ms=None, text="nan", count=3)
    assert journal.since(0) == [
        {
            "t_ms": 5,
            "kind": "wheels",
            "left_mmps": None,
            "mean_rgb": [1, None],
            "ms": None,
            "text": "nan",
            "count": 3,
        }
    ]


@pytest.mark.parametrize(
    ("answer", "says"),
    [
        (b'{"error": "no room"}', "no room"),
        (b"Internal Server Error", "500"),
        (b"[1]", "500"),
        (b'{"what": 1}', "500"),
        (b"", "500"),
    ],
)
def test_an_error_of_the_truth_channel_is_always_a_sentence(tmp_path, answer, says):
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(500)
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, *words):
            pass

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.handle_request, daemon=True).start()
        (tmp_path / "truth.json").write_text(json.dumps({"port": server.server_port, "token": "t"}))
        with pytest.raises(UserError, match=f"refuses: .*{says}"):
            TruthClient(tmp_path).log()


@pytest.mark.parametrize("name", FAULTS)
def test_every_fault_parses_with_its_defaults(name):
    assert Fault.parse({"fault": name}).name == name

"""The genuine SDK and bare stubs against a simulator in its own process."""

import contextlib
import hashlib
import io
import itertools
import time

import anki_vector
import grpc
import pytest
from anki_vector.messaging import protocol
from anki_vector.util import degrees, distance_mm, speed_mmps
from PIL import Image

from support.simulation import DEFAULT, OVERRIDE, RESERVE, TABLE, ControlStream, drive, in_control, wait_for
from support.stops import still_since_ms
from vector_tl.sim.engine.motors import NO_CONTROL, NO_NUMBER, WHEELS_BUSY
from vector_tl.sim.gateway.calls import RpcSettings, rpcs
from vector_tl.sim.gateway.full_protocol import SERVICE
from vector_tl.sim.gateway.protocol import VectorServicer


@pytest.fixture
def sdk(simulate, monkeypatch):
    """A simulator and the genuine SDK, connected."""
    sim = simulate(world=3, camera_fps=30)
    monkeypatch.setenv("HOME", str(sim.home))
    robot = anki_vector.Robot(default_logging=False)
    robot.connect(timeout=5)
    yield sim, robot
    robot.disconnect()


def test_the_sdk_connects_drives_and_sees(sdk):
    sim, robot = sdk
    start = sim.me()
    robot.motors.set_wheel_motors(60, 60)
    wait_for(lambda: sim.me()["x_mm"] != start["x_mm"])
    robot.motors.set_wheel_motors(0, 0)
    assert (
        robot.behavior.set_head_angle(degrees(20)).result.code == protocol.ActionResult.ACTION_RESULT_SUCCESS
    )
    assert sim.me()["head_angle_rad"] == pytest.approx(degrees(20).radians)
    assert robot.behavior.set_lift_height(0.5).result.code == protocol.ActionResult.ACTION_RESULT_SUCCESS
    assert (
        robot.behavior.drive_straight(distance_mm(-20), speed_mmps(100)).result.code
        == protocol.ActionResult.ACTION_RESULT_SUCCESS
    )
    assert (
        robot.behavior.turn_in_place(degrees(30)).result.code == protocol.ActionResult.ACTION_RESULT_SUCCESS
    )
    wait_for(lambda: robot.head_angle_rad == pytest.approx(degrees(20).radians))
    wheels = [(entry["left_mmps"], entry["right_mmps"]) for entry in sim.log("wheels")]
    assert wheels == [(60.0, 60.0), (0.0, 0.0)]
    image = robot.camera.capture_single_image()
    assert image.raw_image.size == (640, 360)
    assert robot.camera.config.focal_length.x == 353.0
    assert robot.get_battery_state().battery_level == protocol.BatteryLevel.Value("BATTERY_LEVEL_NOMINAL")
    assert robot.get_version_state().os_version
    robot.behavior.say_text("hi")
    assert sim.log("say")[0]["text"] == "hi"
    assert robot.behavior.drive_off_charger().result == 1
    assert "GreetAfterLongTime" in robot.anim.anim_trigger_list


def test_the_sdk_camera_feed_flows(sdk):
    sim, robot = sdk
    seen = set()
    robot.events.subscribe(
        lambda name, event, message: seen.add(message.image.image_id) if hasattr(message, "image") else None,
        anki_vector.events.Events.new_camera_image,
    )
    robot.camera.init_camera_feed()
    wait_for(lambda: len(seen) >= 10)
    assert sim.get(f"/truth?image_id={max(seen)}")["size_wh"] == [640, 360]
    robot.camera._enabled = False  # the SDK's own slow way to end a feed is no matter here
    time.sleep(0.2)


def test_disconnecting_ends_all_streams(simulate, monkeypatch):
    sim = simulate()
    monkeypatch.setenv("HOME", str(sim.home))
    for _ in range(3):
        with anki_vector.Robot(default_logging=False) as robot:
            assert robot.pose is not None
            robot.motors.set_wheel_motors(30, 30)
            channel, loop = robot.conn._channel, robot.conn.loop
        loop.call_soon_threadsafe(channel.close)  # what the SDK forgets
        wait_for(lambda: sim.get("/log")["streams"] == {"camera": 0, "events": 0, "control": 0})
    wait_for(lambda: sim.log("control")[-1]["event"] == "ended")
    gone = [entry for entry in sim.log("control") if entry["event"] == "client gone"]
    assert len(gone) == 3 and gone[-1]["clients_left"] == 0
    assert sim.me()["left_mmps"] == 30  # nobody stopped the wheels


def test_a_wrong_token_is_refused(simulate):
    sim = simulate()
    with sim.stub(guid="wrong") as stub, pytest.raises(grpc.RpcError) as error:
        stub.BatteryState(protocol.BatteryStateRequest(), timeout=2)
    assert error.value.code() == grpc.StatusCode.UNAUTHENTICATED
    with sim.stub(guid="wrong") as stub, pytest.raises(grpc.RpcError) as error:
        next(stub.CameraFeed(protocol.CameraFeedRequest(), timeout=2))
    assert error.value.code() == grpc.StatusCode.UNAUTHENTICATED
    assert [entry["rpc"] for entry in sim.log("refused")] == ["BatteryState", "CameraFeed"]


def test_without_control_nothing_moves_or_stops_and_is_answered_all_the_same(simulate):
    sim = simulate(lockstep=True, world=TABLE)
    commands = (
        ("DriveWheels", {"left_wheel_mmps": 50.0, "right_wheel_mmps": 50.0}),
        ("DriveWheels", {}),
        ("StopAllMotors", {}),
        ("MoveHead", {"speed_rad_per_sec": 1.0}),
        ("MoveHead", {}),
        ("MoveLift", {"speed_rad_per_sec": 1.0}),
    )
    with sim.stub() as stub, sim.stub() as other:

        def send(rpc, **fields):
            return getattr(stub, rpc)(getattr(protocol, rpc + "Request")(**fields), timeout=2).status.code

        with contextlib.closing(in_control(other)):
            drive(other, 20, 20)
            other.MoveHead(protocol.MoveHeadRequest(speed_rad_per_sec=0.1), timeout=2)
            sim.post("/step", ms=300)
        wait_for(lambda: sim.log("control")[-1]["event"] == "ended")
        answers = {send(rpc, **fields) for rpc, fields in commands}
        assert answers == {protocol.ResponseStatus.REQUEST_PROCESSING}
        before = sim.me()
        sim.post("/step", ms=500)
        assert (sim.me()["left_mmps"], sim.me()["right_mmps"]) == (20, 20)  # its last direct drive, for ever
        assert sim.me()["head_angle_rad"] > before["head_angle_rad"]
        action = stub.DriveStraight(
            protocol.DriveStraightRequest(dist_mm=50, speed_mmps=50, id_tag=TAG), timeout=2
        )
        assert action.result.code == protocol.ActionResult.NOT_STARTED
    applied = [(e["applied"], e.get("why")) for e in sim.log("wheels")]
    assert applied == [(True, None)] + 3 * [(False, NO_CONTROL)]
    assert [entry["applied"] for entry in sim.log("joint")] == [True, False, False, False]


def test_whoever_holds_control_any_client_stops_the_wheels(simulate):
    sim = simulate(lockstep=True, world=TABLE)
    with sim.stub() as stub, sim.stub() as other:
        in_control(stub)
        drive(stub, 20, 20)
        sim.post("/step", ms=100)
        drive(other, 0, 0)
        sim.post("/step", ms=100)
        assert sim.me()["left_mmps"] == 0


def test_an_action_has_the_wheels_to_itself_but_for_a_stop_of_all_motors(simulate):
    sim = simulate(lockstep=True, world=TABLE)
    with sim.stub() as stub:
        in_control(stub)
        driving = stub.DriveStraight.future(
            protocol.DriveStraightRequest(dist_mm=100, speed_mmps=50, id_tag=TAG)
        )
        wait_for(lambda: sim.log("action"))
        sim.post("/step", ms=500)
        drive(stub, 0, 0)
        sim.post("/step", ms=100)
        assert sim.me()["left_mmps"] > 0 and sim.log("wheels")[-1]["why"] == WHEELS_BUSY
        stub.StopAllMotors(protocol.StopAllMotorsRequest(), timeout=2)
        sim.post("/step", ms=100)
        assert sim.me()["left_mmps"] == 0
        assert driving.result(2).result.code == protocol.ActionResult.ACTION_RESULT_CANCELLED_WHILE_RUNNING


def test_the_log_has_the_wheels_true_speeds_at_every_change(simulate):
    sim = simulate(lockstep=True, world=TABLE)
    with sim.stub() as stub:
        in_control(stub)
        sim.post("/step", ms=60)
        drive(stub, 40, 30)
        sim.post("/step", ms=540)
        drive(stub, 0, 0)
        sim.post("/step", ms=400)
    begin, *between, end = [(e["t_ms"], e["left_mmps"], e["right_mmps"]) for e in sim.log("speeds")]
    assert begin[0] == 65 and (40, 30) in {speeds[1:] for speeds in [begin, *between]}
    assert end[1:] == (0, 0) and 600 < end[0] <= 700
    speeds = sim.log("speeds")
    assert still_since_ms(speeds, 600) == end[0] and still_since_ms(speeds[:-1], 0) is None


TAG = 2000001  # of an action, the first that is allowed
NO_NUMBERS = [float("nan"), float("inf"), float("-inf")]
MOTOR_CALLS = {
    "DriveWheels": ["left_wheel_mmps", "right_wheel_mmps", "left_wheel_mmps2", "right_wheel_mmps2"],
    "MoveHead": ["speed_rad_per_sec"], "MoveLift": ["speed_rad_per_sec"],
    "SetHeadAngle": ["angle_rad", "max_speed_rad_per_sec", "accel_rad_per_sec2", "duration_sec"],
    "SetLiftHeight": ["height_mm", "max_speed_rad_per_sec", "accel_rad_per_sec2", "duration_sec"],
    "DriveStraight": ["speed_mmps", "dist_mm"],
    "TurnInPlace": ["angle_rad", "speed_rad_per_sec", "accel_rad_per_sec2"],
    "GoToPose": ["x_mm", "y_mm", "rad"],
    "SayText": ["duration_scalar"],
}  # fmt: skip


def test_numbers_that_are_not_finite_move_nothing_and_break_nothing(simulate):
    sim = simulate(lockstep=True)
    with sim.stub() as stub:
        in_control(stub)
        before = sim.me()
        for rpc, fields in MOTOR_CALLS.items():
            for number, (field, value) in enumerate(itertools.product(fields, NO_NUMBERS), 1):
                request = getattr(protocol, rpc + "Request")(**{field: value})
                if hasattr(request, "id_tag"):
                    request.id_tag = TAG
                call = getattr(stub, rpc).future(request, timeout=5)
                if rpc == "SayText":
                    wait_for(lambda number=number: len(sim.log("say")) == number)
                    sim.post("/step", ms=1000)
                answer = call.result()
                if hasattr(answer, "result"):
                    assert answer.result.code == protocol.ActionResult.NOT_STARTED, (rpc, field, value)
        absolute = stub.TurnInPlace(
            protocol.TurnInPlaceRequest(angle_rad=float("inf"), is_absolute=1, id_tag=TAG), timeout=5
        )
        assert absolute.result.code == protocol.ActionResult.NOT_STARTED
        nowhere = protocol.CreateFixedCustomObjectRequest(
            pose=protocol.PoseStruct(x=float("nan")), x_size_mm=10, y_size_mm=10
        )
        assert stub.CreateFixedCustomObject(nowhere, timeout=2).object_id == 0
        assert next(stub.NavMapFeed(protocol.NavMapFeedRequest(), timeout=2)).quad_infos
        sim.post("/step", ms=1000)
        assert sim.me() == before
        assert sim.get("/scene")["log"] and {entry["reason"] for entry in sim.log("ignored")} == {NO_NUMBER}
        assert {(entry["left_mmps"], entry["right_mmps"]) for entry in sim.log("wheels")} == {(0.0, 0.0)}
        assert not sim.log("speeds")
        head = stub.SetHeadAngle.future(
            protocol.SetHeadAngleRequest(angle_rad=0.0, id_tag=TAG + 1), timeout=5
        )  # the head still obeys
        wait_for(lambda: sim.log("action")[-1]["id_tag"] == TAG + 1)
        sim.post("/step", ms=1000)
        assert (
            head.result().result.code == protocol.ActionResult.ACTION_RESULT_SUCCESS
            and sim.me()["head_angle_rad"] == 0.0
        )


def test_actions_are_logged_with_their_numbers_and_how_they_ended(simulate):
    sim = simulate(lockstep=True, world=TABLE)
    with sim.stub() as stub:
        stub.DriveStraight(
            protocol.DriveStraightRequest(dist_mm=10, id_tag=2000001), timeout=2
        )  # nobody has control
        in_control(stub)
        for rpc, request in (
            ("DriveStraight", protocol.DriveStraightRequest(dist_mm=-20, speed_mmps=50, id_tag=2000002)),
            ("TurnInPlace", protocol.TurnInPlaceRequest(angle_rad=0.5, speed_rad_per_sec=2, id_tag=2000003)),
            ("SetHeadAngle", protocol.SetHeadAngleRequest(angle_rad=0.25, id_tag=2000004)),
            ("SetLiftHeight", protocol.SetLiftHeightRequest(height_mm=60, duration_sec=0.5, id_tag=2000005)),
            ("GoToPose", protocol.GoToPoseRequest(x_mm=10, y_mm=0, rad=0, id_tag=2000006)),
        ):
            running = getattr(stub, rpc).future(request, timeout=5)
            wait_for(lambda tag=request.id_tag: sim.log("action")[-1]["id_tag"] == tag)
            sim.post("/step", ms=3000)
            running.result()
        running = stub.TurnInPlace.future(protocol.TurnInPlaceRequest(angle_rad=3, id_tag=2000007), timeout=5)
        wait_for(lambda: sim.log("action")[-1]["id_tag"] == 2000007)
        running.cancel()  # nobody waits for it any more
        stub.CancelActionByIdTag(protocol.CancelActionByIdTagRequest(id_tag=2000007), timeout=2)
        stub.MoveLift(protocol.MoveLiftRequest(speed_rad_per_sec=0.5), timeout=2)
    none, drive_, turn, head, lift, go, _ = sim.log("action")
    assert (none["dist_mm"], drive_["dist_mm"], drive_["speed_mmps"]) == (10.0, -20.0, 50.0)
    assert (turn["angle_rad"], turn["speed_radps"]) == (0.5, 2.0) and head["angle_rad"] == 0.25
    assert (lift["height_mm"], lift["duration_s"]) == (60.0, 0.5) and (
        go["x_mm"],
        go["y_mm"],
        go["heading_rad"],
    ) == (10.0, 0.0, 0.0)
    assert [(entry["id_tag"], entry["ended"]) for entry in sim.log("action_end")] == [
        (2000001, "not started"),
        *((tag, "reached") for tag in range(2000002, 2000007)),
        (2000007, "cancelled"),
    ]
    assert [(entry["rpc"], entry["speed_radps"]) for entry in sim.log("joint")] == [("MoveLift", 0.5)]


def test_a_newcomer_is_granted_control_and_nobody_hears_it(simulate):
    sim = simulate()
    with sim.stub() as one, sim.stub() as two:
        first, second = in_control(one), ControlStream(two)
        second.request()
        second.wait("control_granted_response")
        drive(one, 20, 20)
        wait_for(lambda: sim.me()["left_mmps"] == 20)
        assert first.answers == ["control_granted_response"] and sim.log("wheels")[-1]["applied"]
        second.release()  # clears everybody's control; the message goes to the oldest stream
        first.wait("control_granted_response", "control_lost_event")
        drive(one, 0, 0)
        time.sleep(0.2)
        assert not sim.log("wheels")[-1]["applied"] and sim.me()["left_mmps"] == 20
        assert second.answers == ["control_granted_response"]
        second.request()
        wait_for(lambda: len(second.answers) == 2)
        drive(one, 0, 0)
        wait_for(lambda: sim.me()["left_mmps"] == 0)
        second.put(None)  # so does the end of any stream
        first.wait("control_granted_response", "control_lost_event", "control_lost_event")
        assert second.answers[-1] == "end"


def test_reserving_control_moves_nothing_and_a_newcomer_takes_the_reservation(simulate):
    sim = simulate()
    with sim.stub() as one, sim.stub() as two:
        first, second = in_control(one, RESERVE), ControlStream(two)
        drive(one, 20, 20)
        second.request(RESERVE)
        second.wait("control_granted_response")
        first.wait("control_granted_response", "reserved_control_lost_event")
        second.release()
        second.wait("control_granted_response", "control_lost_event")
    assert [entry["applied"] for entry in sim.log("wheels")] == [False]


def test_control_is_granted_at_the_engines_ticks(simulate):
    """One or two of them after the request, and at once never."""
    sim = simulate()
    with sim.stub() as stub:
        control, waited_ms = ControlStream(stub), []
        for _ in range(6):
            begin_s = time.monotonic()
            control.request()
            wait_for(lambda: control.answers and control.answers[-1] == "control_granted_response")
            waited_ms.append(1000 * (time.monotonic() - begin_s))
            control.release()
            wait_for(lambda: control.answers[-1] == "control_lost_event")
    granted = [entry["t_ms"] for entry in sim.log("control") if entry["event"] in ("granted", "ended")]
    assert all(t_ms % 60 == 0 for t_ms in granted) and max(waited_ms) > 55 and min(waited_ms) < 250


def test_after_a_loss_it_is_granted_again_as_soon_as_the_robots_own_behaviour_ends(simulate):
    sim = simulate(lockstep=True)
    with sim.stub() as stub, sim.stub() as other:
        control = in_control(stub)
        sim.post("/fault", fault="control_lost", ms=500)
        control.wait("control_granted_response", "control_lost_event")
        control.request()
        sim.post("/step", ms=480)
        time.sleep(0.1)
        assert control.answers == ["control_granted_response", "control_lost_event"]
        sim.post("/step", ms=180)
        control.wait("control_granted_response", "control_lost_event", "control_granted_response")
        sim.post("/fault", fault="control_lost", ms=500)
        above = in_control(other, OVERRIDE)  # at once
        drive(other, 10, 10)
        sim.post("/step", ms=100)
        assert sim.me()["left_mmps"] == 10 and above.answers == ["control_granted_response"]


def test_above_physical_reactions_it_drives_on_over_edges(simulate):
    """Also after a request of a lower priority: the firmware's behaviour stays until control is released."""
    sim = simulate(lockstep=True)
    with sim.stub() as stub:
        control = in_control(stub, OVERRIDE)
        sim.post("/fault", fault="cliff")
        drive(stub, 20, 20)
        control.request(DEFAULT)
        wait_for(lambda: len(control.answers) == 2)
        sim.post("/step", ms=100)
        assert sim.me()["left_mmps"] == 20
        sim.post("/fault", fault="clear")
        sim.post("/step", ms=100)
        control.release()
        wait_for(lambda: len(control.answers) == 3)
        control.request(DEFAULT)
        wait_for(lambda: len(control.answers) == 4)
        sim.post("/fault", fault="cliff")
        sim.post("/step", ms=100)
        assert sim.me()["left_mmps"] == 0


def test_actions_are_cancelled_by_their_tag(simulate):
    sim = simulate()
    with sim.stub() as stub:
        in_control(stub)
        turn = stub.TurnInPlace.future(
            protocol.TurnInPlaceRequest(angle_rad=3, speed_rad_per_sec=0.5, id_tag=2000001)
        )
        wait_for(lambda: sim.me()["right_mmps"] > 0)
        stub.CancelActionByIdTag(protocol.CancelActionByIdTagRequest(id_tag=2000001))
        assert (
            turn.result(timeout=2).result.code == protocol.ActionResult.ACTION_RESULT_CANCELLED_WHILE_RUNNING
        )
        head = stub.SetHeadAngle.future(
            protocol.SetHeadAngleRequest(angle_rad=0.7, max_speed_rad_per_sec=0.1, id_tag=2000002)
        )
        wait_for(lambda: len(sim.log("action")) == 2)
        stub.CancelActionByIdTag(protocol.CancelActionByIdTagRequest(id_tag=2000002))
        assert (
            head.result(timeout=2).result.code == protocol.ActionResult.ACTION_RESULT_CANCELLED_WHILE_RUNNING
        )
        up = stub.SetHeadAngle(protocol.SetHeadAngleRequest(angle_rad=-0.3, id_tag=2000003), timeout=3)
        assert up.result.code == protocol.ActionResult.ACTION_RESULT_SUCCESS
        speech = stub.SayText.future(protocol.SayTextRequest(text="a long story " * 20))
        time.sleep(0.1)
        stub.CancelBehavior(protocol.CancelBehaviorRequest())
        with pytest.raises(grpc.RpcError) as failed:
            speech.result(timeout=2)
        assert failed.value.code() == grpc.StatusCode.INTERNAL


def test_state_is_odometry_at_every_tick_of_the_engine(simulate):
    sim = simulate(world=2)
    with sim.stub() as stub:
        in_control(stub)
        states = stub.EventStream(protocol.EventRequest(connection_id="x"), timeout=10)
        assert next(states).event.connection_response.is_primary
        first = next(states).event.robot_state
        assert (first.pose.x, first.pose.y, first.pose_angle_rad) == (0, 0, 0)
        drive(stub, 50, -50)
        start, count = time.monotonic(), 0
        while time.monotonic() - start < 1.0:
            event = next(states).event
            if event.HasField("robot_state"):  # not a ping
                state, count = event.robot_state, count + 1
        assert 14 <= count <= 18  # 16.7, one every 60 ms
        assert state.gyro.z == pytest.approx(-100 / 48, rel=0.04)
        assert state.status & protocol.RobotStatus.Value("ROBOT_STATUS_ARE_WHEELS_MOVING")
        states.cancel()


def test_image_streaming_can_be_switched(simulate):
    sim = simulate(camera_fps=30)
    with sim.stub() as stub:

        def enabled():
            return stub.IsImageStreamingEnabled(
                protocol.IsImageStreamingEnabledRequest(), timeout=2
            ).is_image_streaming_enabled

        assert not enabled()
        feed = stub.CameraFeed(protocol.CameraFeedRequest(), timeout=10)
        assert Image.open(io.BytesIO(next(feed).data)).size == (640, 360)
        assert enabled()
        stub.EnableImageStreaming(protocol.EnableImageStreamingRequest(enable=False))
        assert not enabled()
        stub.EnableImageStreaming(
            protocol.EnableImageStreamingRequest(enable=True, enable_high_resolution=True)
        )
        assert any(Image.open(io.BytesIO(next(feed).data)).size == (1280, 720) for _ in range(5))
        feed.cancel()
        wait_for(lambda: not enabled())


def test_two_robots_are_two_addresses_in_one_world(simulate):
    sim = simulate(robots=2, targets=0)
    (one, first), (two, second) = sim.ready
    assert one != two and first != second
    with sim.stub(0), sim.stub(1) as stub:
        in_control(stub)
        drive(stub, 40, 40)
        wait_for(lambda: sim.get(f"/truth?serial={two}")["vectors"][1]["left_mmps"] > 0)
    assert sim.get(f"/truth?serial={one}")["vectors"][0]["left_mmps"] == 0
    assert sim.log("wheels")[0]["serial"] == two


def trial(sim) -> list:
    """Drive about in lockstep; every image's bytes and every pose."""
    with sim.stub() as stub:
        in_control(stub)
        feed = stub.CameraFeed(protocol.CameraFeedRequest(), timeout=20)
        wait_for(lambda: sim.get("/log")["streams"]["camera"] == 1)
        seen = []
        for index in range(12):
            drive(stub, 40 + 5 * index, 60 - 3 * index)
            if index == 6:
                sim.post("/world", seed=9)
            newest = sim.post("/step", **({"ms": 120} if index % 2 else {"frames": 2}))["image_ids"][
                sim.serial
            ]
            while not seen or seen[-1][0] < newest:
                frame = next(feed)
                seen.append((frame.image_id, frame.frame_time_stamp, hashlib.sha256(frame.data).hexdigest()))
            truth = sim.get(f"/truth?image_id={newest}")
            seen[-1] += (truth["boxes"], truth["vectors"], truth["distance_mm"], sim.me()["x_mm"])
        feed.cancel()
    return seen


@pytest.mark.parametrize("camera", ["plain", "rendered"])
def test_lockstep_gives_the_same_bytes_and_poses_and_loses_no_frame(simulate, camera):
    one, two = (trial(simulate(home=home, world=4, lockstep=True, camera=camera)) for home in ("a", "b"))
    assert one == two
    assert [frame[0] for frame in one] == list(range(1, len(one) + 1))
    assert trial(simulate(home="c", world=5, lockstep=True, camera=camera)) != one


def test_in_lockstep_only_steps_move_time(simulate):
    sim = simulate(lockstep=True)
    time.sleep(0.2)
    assert sim.get("/log")["t_ms"] == 0
    assert sim.post("/step", ms=33)["t_ms"] == 30  # the grid's last moment
    assert sim.post("/step", ms=33)["t_ms"] == 65  # and nothing is lost


def test_in_lockstep_the_state_after_a_step_names_its_newest_frame(simulate):
    sim = simulate(lockstep=True)
    with sim.stub() as stub:
        feed, events = (
            stub.CameraFeed(protocol.CameraFeedRequest(), timeout=10),
            stub.EventStream(protocol.EventRequest(), timeout=10),
        )
        wait_for(lambda: sim.get("/log")["streams"] == {"camera": 1, "events": 1, "control": 0})
        for _ in range(3):
            sim.post("/step", frames=1)
            frame = next(feed)
            state = next(
                e.event.robot_state
                for e in events
                if e.event.robot_state.last_image_time_stamp >= frame.frame_time_stamp
            )
            assert state.last_image_time_stamp == frame.frame_time_stamp
        feed.cancel()
        events.cancel()


def test_a_robot_can_be_alone(simulate):
    truth = simulate(targets=0).get("/truth")
    assert (truth["distance_mm"], truth["bearing_deg"], len(truth["vectors"])) == (None, None, 1)


def test_real_time_runs_by_itself(simulate):
    sim = simulate()
    status, answer = sim.http("/step", {"ms": 10})
    assert status == 400 and "--lockstep" in answer["error"]
    before, start = sim.get("/log")["t_ms"], time.monotonic()
    time.sleep(0.5)
    sim.get("/truth")
    assert sim.get("/log")["t_ms"] - before == pytest.approx(1000 * (time.monotonic() - start), abs=60)


def test_every_call_of_the_protocol_has_a_method_and_no_other_name_has_one():
    calls = {method.name for method in SERVICE.methods}
    own = {name for kind in VectorServicer.__mro__ for name in vars(kind) if name[0].isupper()}
    assert own == calls and len(calls) == 90
    table = rpcs(RpcSettings())
    assert list(table) == sorted(calls)
    assert (table["AppIntent"], table["DriveWheels"]) == ("/v1/app_intent", "over gRPC alone")


def test_a_control_stream_on_which_nothing_happens_is_kept_alive(simulate):
    with simulate().stub() as stub:
        control = in_control(stub)
        wait_for(lambda: control.alive >= 2, 4.0)
        control.wait("control_granted_response")

"""What each call answers: status codes, refusals, and what a client hears on its streams."""

import contextlib
import io
import time

import grpc
import pytest
from anki_vector.messaging import protocol
from PIL import Image

from support.simulation import TABLE, drive, in_control, wait_for
from vector_tl.sim.gateway.protocol import LOGINS
from vector_tl.sim.gateway.streams import RateLimit

RECEIVED, PROCESSING, FORBIDDEN = (
    protocol.ResponseStatus.RESPONSE_RECEIVED,
    protocol.ResponseStatus.REQUEST_PROCESSING,
    protocol.ResponseStatus.FORBIDDEN,
)
SCREEN = bytes(184 * 96 * 2)
SESSION = b"2" + b"Aa1" * 7 + b"z"

# rpc, fields of its request, status without control, status with it
STATUSES = [
    ("DriveWheels", {}, PROCESSING, PROCESSING),
    ("StopAllMotors", {}, PROCESSING, PROCESSING),
    ("MoveHead", {}, PROCESSING, PROCESSING),
    ("MoveLift", {}, PROCESSING, PROCESSING),
    ("CancelBehavior", {}, PROCESSING, PROCESSING),
    ("CancelActionByIdTag", {}, PROCESSING, PROCESSING),
    ("DisplayFaceImageRGB", {"face_data": SCREEN}, PROCESSING, PROCESSING),
    ("SetEyeColor", {}, PROCESSING, PROCESSING),
    ("SDKInitialization", {}, PROCESSING, PROCESSING),
    ("EnableMarkerDetection", {"enable": True}, FORBIDDEN, RECEIVED),
    ("EnableMarkerDetection", {}, PROCESSING, PROCESSING),
    ("EnableFaceDetection", {"enable": True}, FORBIDDEN, RECEIVED),
    ("EnableMotionDetection", {"enable": True}, FORBIDDEN, RECEIVED),
    ("EnableMirrorMode", {"enable": True}, FORBIDDEN, RECEIVED),
    ("EnableImageStreaming", {"enable": True}, RECEIVED, RECEIVED),
    ("SetCameraSettings", {"enable_auto_exposure": True}, RECEIVED, RECEIVED),
    ("BatteryState", {}, RECEIVED, RECEIVED),
    ("VersionState", {}, RECEIVED, RECEIVED),
]


def request_of(rpc, **fields):
    name = {"SetMasterVolume": "MasterVolume"}.get(rpc, rpc)
    return getattr(protocol, f"{name}Request")(**fields)


def test_status_codes_with_control_and_without(simulate):
    sim = simulate(lockstep=True)
    with sim.stub() as stub:

        def statuses():
            answers = [
                getattr(stub, rpc)(request_of(rpc, **fields), timeout=2) for rpc, fields, *_ in STATUSES
            ]
            return [answer.status.code for answer in answers]

        assert statuses() == [without for _, _, without, _ in STATUSES]
        in_control(stub)
        assert statuses() == [within for *_, within in STATUSES]


def test_volumes_settings_tags_and_versions_out_of_range(simulate):
    sim = simulate(lockstep=True)
    with sim.stub() as stub:
        for level, code in ((4, RECEIVED), (5, FORBIDDEN)):
            answer = stub.SetMasterVolume(request_of("SetMasterVolume", volume_level=level), timeout=2)
            assert answer.status.code == code
        in_control(stub)
        answer = stub.SetCameraSettings(request_of("SetCameraSettings", exposure_ms=500, gain=1.0), timeout=2)
        assert answer.status.code == RECEIVED and "range" in answer.status_message
        assert not sim.log("camera_settings")
        for rpc in ("DriveStraight", "TurnInPlace", "SetHeadAngle", "SetLiftHeight", "GoToPose"):
            for tag in (0, 2000000, 3000001):
                with pytest.raises(grpc.RpcError) as error:
                    getattr(stub, rpc)(request_of(rpc, id_tag=tag), timeout=2)
                assert error.value.code() == grpc.StatusCode.INVALID_ARGUMENT, (rpc, tag)
        assert not sim.log("action")
        results = [
            stub.ProtocolVersion(protocol.ProtocolVersionRequest(client_version=version), timeout=2).result
            for version in (protocol.PROTOCOL_VERSION_MINIMUM, -1)
        ]
        assert results == [
            protocol.ProtocolVersionResponse.SUCCESS,
            protocol.ProtocolVersionResponse.UNSUPPORTED,
        ]


def test_speech_without_control_is_an_error(simulate):
    with simulate(lockstep=True).stub() as stub, pytest.raises(grpc.RpcError) as error:
        stub.SayText(protocol.SayTextRequest(text="hello"), timeout=2)
    assert error.value.code() == grpc.StatusCode.INTERNAL


def test_only_the_id_of_a_session_gets_a_token_and_not_too_often(simulate):
    sim = simulate()
    with sim.stub(guid="none") as stub:

        def ask(session):
            request = protocol.UserAuthenticationRequest(user_session_id=session, client_name=b"me")
            return stub.UserAuthentication(request, timeout=2)

        for session in (b"", b"nonsense", SESSION[:-1], SESSION + b"x", b"\xff" * 23):
            answer = ask(session)
            assert (answer.code, answer.client_token_guid) == (answer.UNAUTHORIZED, b"")
        answer = ask(SESSION)
        assert answer.code == answer.AUTHORIZED
        with sim.stub(guid=answer.client_token_guid.decode()) as known:
            known.BatteryState(protocol.BatteryStateRequest(), timeout=2)
        with pytest.raises(grpc.RpcError) as error:
            for _ in range(LOGINS):
                ask(SESSION)
        assert error.value.code() == grpc.StatusCode.RESOURCE_EXHAUSTED


@pytest.mark.fast
def test_a_rate_limit_fills_again():
    limit = RateLimit(2, 3.0)
    passed = [limit.allows(now_s) for now_s in (100.0, 100.0, 100.0, 102.9, 103.1, 103.2, 200, 200, 200)]
    assert passed == [True, True, False, False, True, False, True, True, False]


def kinds_heard(stub, seconds, **lists):
    """The kinds of events on a stream, in their order, until it has been open for so long."""
    heard = []
    stream = stub.EventStream(protocol.EventRequest(**lists), timeout=seconds)
    with contextlib.suppress(grpc.RpcError):
        for message in stream:
            heard.append(message.event.WhichOneof("event_type"))
    return heard


@pytest.mark.parametrize(
    ("lists", "states"),
    [
        ({}, True),
        ({"white_list": protocol.FilterList(list=["robot_state"])}, True),
        ({"white_list": protocol.FilterList(list=["wake_word"])}, False),
        ({"white_list": protocol.FilterList()}, False),
        ({"black_list": protocol.FilterList(list=["robot_state"])}, False),
        ({"black_list": protocol.FilterList(list=["wake_word"])}, True),
    ],
)
def test_lists_filter_events_but_not_the_first_message_and_the_pings(simulate, lists, states):
    with simulate().stub() as stub:
        heard = kinds_heard(stub, 1.3, **lists)
    assert heard[0] == "connection_response" and heard.count("keep_alive") in (1, 2)
    assert ("robot_state" in heard) == states


def test_one_connection_at_a_time_is_the_primary_one(simulate):
    sim = simulate(lockstep=True)
    with sim.stub() as stub:

        def open_stream(name):
            stream = stub.EventStream(protocol.EventRequest(connection_id=name), timeout=10)
            first = next(stream)
            assert first.status.code == RECEIVED
            return stream, first.event.connection_response.is_primary

        one, primary = open_stream("one")
        assert primary and not open_stream("two")[1]
        one.cancel()
        wait_for(lambda: open_stream("three")[1])


def test_the_end_of_a_feed_or_a_single_image_switches_streaming_off_for_all(simulate):
    sim = simulate(lockstep=True)
    with sim.stub() as stub:

        def feed():
            opened = len(sim.log("stream"))
            stream = stub.CameraFeed(protocol.CameraFeedRequest(), timeout=20)
            wait_for(lambda: len(sim.log("stream")) > opened)
            return stream

        def flows():
            before = sim.post("/step", ms=0)["image_ids"][sim.serial]
            return sim.post("/step", ms=240)["image_ids"][sim.serial] > before

        first, second = feed(), feed()
        assert flows()
        second.cancel()
        wait_for(lambda: sim.log("stream")[-1]["state"] == "closed")
        assert not flows() and sim.get("/log")["streams"]["camera"] == 1  # open and silent
        third = feed()
        assert flows()
        single = stub.CaptureSingleImage(protocol.CaptureSingleImageRequest(), timeout=5)
        assert Image.open(io.BytesIO(single.data)).size == (640, 360)
        assert not flows()
        stub.EnableImageStreaming(protocol.EnableImageStreamingRequest(enable=True), timeout=2)
        assert flows()
        sim.post("/fault", fault="camera_off")
        assert not flows()
        first.cancel(), third.cancel()


def test_a_stalled_link_passes_nothing_and_leaves_the_wheels_as_they_are(simulate):
    sim = simulate(world=TABLE)
    with sim.stub() as stub, sim.stub() as other:
        in_control(stub)
        drive(stub, 20, 20)
        wait_for(lambda: sim.me()["left_mmps"] == 20)
        other.BatteryState(protocol.BatteryStateRequest(), timeout=2)
        sim.post("/fault", fault="link_stall", client=1, ms=700)
        with pytest.raises(grpc.RpcError):
            stub.StopAllMotors(protocol.StopAllMotorsRequest(), timeout=0.2)
        other.BatteryState(protocol.BatteryStateRequest(), timeout=2)
        assert sim.get("/log")["streams"]["control"] == 1 and sim.me()["left_mmps"] == 20
        wait_for(lambda: sim.log("fault")[-1]["state"] == "end")
        stub.BatteryState(protocol.BatteryStateRequest(), timeout=2)


def test_a_robot_without_power_stands_and_is_gone(simulate):
    sim = simulate(world=TABLE)
    with sim.stub() as stub:
        in_control(stub)
        drive(stub, 20, 20)
        wait_for(lambda: sim.me()["left_mmps"] == 20)
        sim.post("/fault", fault="battery_off", ms=600)
        time.sleep(0.2)
        with pytest.raises(grpc.RpcError):
            stub.BatteryState(protocol.BatteryStateRequest(), timeout=0.3)
        assert sim.me()["left_mmps"] == 0
        stub.BatteryState(protocol.BatteryStateRequest(), timeout=8, wait_for_ready=True)

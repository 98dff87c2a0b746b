"""JSON of the robot's form: paths, requests, answers and errors."""

import json

import grpc
import pytest
from anki_vector.messaging import external_interface_pb2, protocol
from google.protobuf import descriptor_pb2, descriptor_pool
from hypothesis import given
from hypothesis import strategies as st

from vector_tl.sim.gateway.transcoding import (
    HTTP_STATUS,
    Binding,
    Malformed,
    bindings,
    error_body,
    read_request,
    stream_error,
    write_answer,
)

pytestmark = pytest.mark.fast

SERVICE = external_interface_pb2.DESCRIPTOR.services_by_name["ExternalInterface"]
WAYS = {(way.verb, way.path): way for way in bindings(SERVICE)}


def read(path: str, body: bytes = b"", query=(), verb: str = "POST", variables=None):
    return read_request(WAYS[verb, path], body, variables or {}, list(query))


def test_paths_are_those_of_the_annotations():
    assert len(WAYS) == 67
    assert WAYS["POST", "/v1/feature_flag"].rpc.endswith(".ExternalInterface/GetFeatureFlag")
    assert WAYS["GET", "/v1/event_stream"].method is WAYS["POST", "/v1/event_stream"].method
    assert not [path for _, path in WAYS if "drive_wheels" in path or path == "/v1/behavior_control"]


POSE = b'{"x_mm": 10, "motion_prof": {"speed_mmps": 50}, "idTag": 2000001}'
SETTINGS = b'{"update_settings": true, "settings": {"clock_24_hour": true, "eye_color": 3}}'
SLOW = protocol.PathMotionProfile(speed_mmps=50)


@pytest.mark.parametrize(
    ("path", "body", "expected"),
    [
        ("battery_state", b"", {}),
        ("battery_state", b"null", {}),
        ("say_text", b'{"text": "a", "duration_scalar": "2"} x', {"text": "a", "duration_scalar": 2}),
        ("go_to_pose", POSE, {"x_mm": 10, "motion_prof": SLOW, "id_tag": 2000001}),
        ("pull_jdocs", b'{"jdoc_types": [0, "ROBOT_LIFETIME_STATS"]}', {"jdoc_types": [0, 1]}),
        ("update_settings", SETTINGS, {"settings": {"clock_24_hour": True, "eye_color": 3}}),
        ("display_face_image_rgb", b'{"face_data": "AQI="}', {"face_data": b"\1\2"}),
    ],
)
def test_requests_are_read_as_the_robot_reads_them(path, body, expected):
    request = read(f"/v1/{path}", body)
    assert request == (type(request)(**expected))


@pytest.mark.parametrize(
    "body",
    [b"{", b"[]", b"3", b'"x"', b"\xff", b"[" * 100_000, b'{"text": 3}', b'{"text": "\\ud800"}',
     b'{"duration_scalar": "a"}', b'{"duration_scalar": NaN}', b'{"duration_scalar": 1e999}',
     b'{"use_vector_voice": 1}'],
)  # fmt: skip
def test_what_is_malformed_says_so(body):
    with pytest.raises(Malformed):
        read("/v1/say_text", body)


def test_get_takes_fields_from_the_query():
    query = [("white_list.list", "robot_state"), ("white_list.list", "wake_word"), ("connection_id", "x")]
    query += [("no_such", "1"), ("white_list.no_such.list", "1"), ("connection_id.list", "1")]
    request = read("/v1/event_stream", query=query, verb="GET")
    assert request == protocol.EventRequest(
        white_list=protocol.FilterList(list=["robot_state", "wake_word"]), connection_id="x"
    )
    assert read("/v1/event_stream", b'{"connection_id": "y"}', query).connection_id == "y"


def test_paths_and_bodies_may_be_fields():
    """None of the robot's are: as annotations can have them."""
    method = SERVICE.methods_by_name["GoToPose"]
    way = Binding(method, "PUT", "/v1/pose/{id_tag}", "motion_prof")
    request = read_request(way, b'{"speed_mmps": 20}', {"id_tag": "7"}, [("x_mm", "1.5")])
    profile = protocol.PathMotionProfile(speed_mmps=20)
    assert request == protocol.GoToPoseRequest(id_tag=7, x_mm=1.5, motion_prof=profile)
    with pytest.raises(Malformed):
        read_request(way, b"", {"id_tag": "seven"}, [])
    way = Binding(SERVICE.methods_by_name["SayText"], "GET", "/v1/say_text", "")
    assert read_request(way, b"", {}, [("use_vector_voice", "True")]).use_vector_voice


def test_a_call_whose_requests_stream_has_no_address():
    file = descriptor_pb2.FileDescriptorProto(name="t.proto", package="t")
    file.message_type.add(name="M")
    call = file.service.add(name="S").method.add(name="C", input_type=".t.M", output_type=".t.M")
    call.client_streaming = True
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    assert not list(bindings(pool.FindServiceByName("t.S")))


def test_answers_have_original_names_defaults_numbers_and_nulls():
    answer = protocol.BatteryStateResponse(battery_level=2, battery_volts=3.9)
    assert write_answer(answer) == {
        "status": None,
        "battery_level": 2,
        "battery_volts": 3.9,
        "is_charging": False,
        "is_on_charger_platform": False,
        "suggested_charger_sec": 0.0,
        "cube_battery": None,
    }
    event = protocol.EventResponse(event=protocol.Event(robot_state=protocol.RobotState(head_angle_rad=0.5)))
    written = write_answer(event)["event"]
    assert list(written) == ["robot_state"] and written["robot_state"]["pose"] is None
    maps = protocol.NavMapFeedResponse(
        quad_infos=[protocol.NavMapQuadInfo(content=1)], map_info=protocol.NavMapInfo()
    )
    assert write_answer(maps)["quad_infos"] == [{"content": 1, "depth": 0, "color_rgba": 0}]
    assert write_answer(protocol.CameraFeedResponse(data=b"\1"))["data"] == "AQ=="


def test_every_error_has_a_status():
    assert set(HTTP_STATUS) == set(grpc.StatusCode)
    assert error_body(grpc.StatusCode.NOT_FOUND, "none") == {"error": "none", "code": 5, "message": "none"}
    assert stream_error(grpc.StatusCode.UNAVAILABLE, "gone")["error"] == {
        "grpc_code": 14,
        "http_code": 503,
        "message": "gone",
        "http_status": "Service Unavailable",
    }


VALUES = st.none() | st.booleans() | st.integers() | st.floats() | st.sampled_from(["", "1", "x", "NaN"])
NESTED = VALUES | st.lists(VALUES, max_size=3) | st.dictionaries(st.sampled_from(["speed_mmps", "x"]), VALUES)
FIELDS = ["x_mm", "id_tag", "motion_prof", "rad", "other"]


@given(st.dictionaries(st.sampled_from(FIELDS), NESTED))
def test_whatever_fields_hold_the_request_is_read_or_malformed(values):
    try:
        assert isinstance(read("/v1/go_to_pose", json.dumps(values).encode()), protocol.GoToPoseRequest)
    except Malformed as error:
        assert str(error)

"""What a robot answers to each of its 90 calls: the table that `conformance.py` checks.

Sources: G is digital-dream-labs/vector-cloud, gateway/message_handler.go; W is os-vector/wire-os-victor; P is
the protocol file. They were read, not tried on a robot.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

RECEIVED, PROCESSING, OK, NOT_FOUND, NONE = 1, 2, 3, 101, None
TAG = 2_000_001  # the first that G ValidateActionTag lets pass
SUCCESS, NOT_STARTED, BAD_OBJECT, NO_FACE, NOT_CARRYING = 0, 0x2000001, 0x3000004, 0x3000014, 0x3000017
COMPLETE, WONT_ACTIVATE = 1, 2
SCREEN = bytes(184 * 96 * 2)
Check = Callable[[Any], bool]


@dataclass(frozen=True)
class Row:
    """One call and what a robot answers.

    Attributes:
        rpc: its name.
        source: where that stands.
        request: fields of its request, in JSON's form; for a stream of requests a list of them.
        status: number of the answer's status, None when it has none; not checked for an error or a stream.
        answer: some of the answer's fields in JSON's form, enums as numbers; a function says whether it is
            right. Of a stream, of the first message that has them.
        error: gRPC's name of an error instead of an answer.
        control: whether a client has behaviour control.
        furnished: whether there are a light cube and a known face.
    """

    rpc: str
    source: str
    request: Any = field(default_factory=dict)
    status: int | None = None
    answer: Mapping[str, Any] = field(default_factory=dict)
    error: str | None = None
    control: bool = False
    furnished: bool = False


def _at_least(count: int) -> Check:
    return lambda values: len(values) >= count


def _some(value: Any) -> bool:
    return bool(value)


def _action(
    rpc: str, code: int, source: str = "G, W engine's actions", control: bool = True, **fields: Any
) -> Row:
    return Row(rpc, source, {"id_tag": TAG, **fields}, RECEIVED, {"result": {"code": code}}, control=control)


def _behaviour(rpc: str, result: int, source: str = "G: waits for the behaviour") -> Row:
    return Row(rpc, source, {}, RECEIVED, {"result": result}, control=True)


def _heard(rpc: str, control: bool = False, **fields: Any) -> Row:
    """A call that nobody waits for."""
    return Row(rpc, "G: fire and forget", fields, PROCESSING, control=control)


def _error(rpc: str, error: str, source: str, request: Any = None) -> Row:
    return Row(rpc, source, request or {}, error=error)


_TAGGED = (  # actions, with fields that let them begin
    "GoToPose DockWithCube DriveStraight TurnInPlace SetHeadAngle SetLiftHeight TurnTowardsFace GoToObject "
    "RollObject PopAWheelie PickupObject PlaceObjectOnGroundHere"
)
ONE_BOX = {
    "custom_type": 1,
    "custom_cube": {"marker": 1, "size_mm": 44, "marker_width_mm": 40, "marker_height_mm": 40},
}
WALL = {"pose": {"x": 500, "q0": 1}, "x_size_mm": 10, "y_size_mm": 10, "z_size_mm": 10}
HELD = {"control_request": {"priority": 20}}

TABLE = (
    # -- connecting
    Row("ProtocolVersion", "G", {"client_version": 5}, NONE, {"result": 1, "host_version": "5"}),
    _heard("SDKInitialization", sdk_module_version="0"),
    Row(
        "UserAuthentication", "G: a session that is none", {"user_session_id": "bm8="}, RECEIVED, {"code": 0}
    ),
    Row("EventStream", "G: first, unfiltered", {}, answer={"event": {"connection_response": _some}}),
    Row("EventStream", "W robotManager.cpp", {}, answer={"event": {"robot_state": _some}}),
    Row("EventStream", "G: each second", {}, answer={"event": {"keep_alive": {}}}),
    Row("BatteryState", "G", {}, RECEIVED, {"battery_level": 2, "cube_battery": None}),
    Row("VersionState", "G", {}, RECEIVED, {"os_version": _some, "engine_build_id": _some}),
    # -- control
    Row("BehaviorControl", "G, W sdkComponent.cpp", [HELD], answer={"control_granted_response": {}}),
    Row("BehaviorControl", "G: each second", [HELD], answer={"keep_alive": {}}),
    Row("AssumeBehaviorControl", "G", HELD, answer={"control_granted_response": {}}),
    _error("AssumeBehaviorControl", "INVALID_ARGUMENT", "G BehaviorRequestToGatewayWrapper"),
    # -- motors
    _heard("DriveWheels", True),
    _heard("DriveWheels"),
    _heard("MoveHead", True),
    _heard("MoveLift", True),
    _heard("StopAllMotors", True),
    _heard("StopAllMotors"),
    # -- actions
    *(
        _error(rpc, "INVALID_ARGUMENT", "G ValidateActionTag", {"id_tag": tag})
        for rpc in _TAGGED.split()
        for tag in (0, 2_000_000, 3_000_001)
    ),
    _action("SetHeadAngle", SUCCESS, angle_rad=0.1, max_speed_rad_per_sec=10, accel_rad_per_sec2=10),
    _action("SetLiftHeight", SUCCESS, height_mm=40, max_speed_rad_per_sec=10, accel_rad_per_sec2=10),
    _action("DriveStraight", SUCCESS, dist_mm=10, speed_mmps=100),
    _action("TurnInPlace", SUCCESS, angle_rad=0.1, speed_rad_per_sec=2, accel_rad_per_sec2=10),
    _action("GoToPose", SUCCESS, x_mm=20, y_mm=0, rad=0),
    _action("TurnTowardsFace", NO_FACE, face_id=1),
    _action("GoToObject", BAD_OBJECT, object_id=1),
    _action("DockWithCube", BAD_OBJECT, object_id=1),
    _action("PickupObject", BAD_OBJECT, object_id=1),
    _action("RollObject", BAD_OBJECT, object_id=1),
    _action("PopAWheelie", BAD_OBJECT, object_id=1),
    _action("PlaceObjectOnGroundHere", NOT_CARRYING),
    _heard("CancelActionByIdTag", id_tag=TAG),
    # -- behaviours
    _heard("CancelBehavior"),
    _behaviour("LookAroundInPlace", COMPLETE),
    _behaviour("FindFaces", COMPLETE),
    _behaviour("RollBlock", WONT_ACTIVATE, "W: no cube is known"),
    _behaviour("EnrollFace", WONT_ACTIVATE, "W: no face was announced"),
    _behaviour("DriveOffCharger", COMPLETE),
    _behaviour("DriveOnCharger", COMPLETE),
    # -- animations, face and voice
    Row("ListAnimations", "G, H: about 980", {}, RECEIVED, {"animation_names": _at_least(900)}),
    Row(
        "ListAnimationTriggers", "G, H: about 520", {}, RECEIVED, {"animation_trigger_names": _at_least(500)}
    ),
    Row(
        "PlayAnimation",
        "G",
        {"animation": {"name": "anim_pounce_success_02"}, "loops": 1, "ignore_body_track": True},
        RECEIVED,
        {"result": COMPLETE},
        control=True,
    ),
    Row(
        "PlayAnimationTrigger",
        "G",
        {"animation_trigger": {"name": "GreetAfterLongTime"}, "loops": 1, "ignore_body_track": True},
        RECEIVED,
        {"result": COMPLETE},
        control=True,
    ),
    Row("SayText", "G", {"text": "Hi", "duration_scalar": 1}, RECEIVED, {"state": 4}, control=True),
    _error("SayText", "INTERNAL", "G: without control the engine says INVALID", {"text": "Hi"}),
    _heard("DisplayFaceImageRGB", True, face_data=SCREEN, duration_ms=100),
    _heard("SetEyeColor", True, hue=0.5, saturation=1),
    Row("SetMasterVolume", "G", {"volume_level": 1}, RECEIVED, control=True),
    Row(
        "ExternalAudioStreamPlayback",
        "G, P",
        [
            {"audio_stream_prepare": {"audio_frame_rate": 16000, "audio_volume": 50}},
            {"audio_stream_chunk": {"audio_chunk_size_bytes": 4, "audio_chunk_samples": "AAAAAA=="}},
            {"audio_stream_complete": {}},
        ],
        answer={"audio_stream_playback_complete": {}},
        control=True,
    ),
    # -- vision and streams
    Row("EnableFaceDetection", "G", {"enable": True}, RECEIVED, control=True),
    Row("EnableMarkerDetection", "G", {"enable": True}, RECEIVED, control=True),
    _heard("EnableMarkerDetection", True, enable=False),
    Row("EnableMotionDetection", "G", {"enable": True}, RECEIVED, control=True),
    Row("EnableMirrorMode", "G", {"enable": True}, RECEIVED, control=True),
    Row("EnableImageStreaming", "G", {"enable": False}, RECEIVED),
    Row("IsImageStreamingEnabled", "G", {}, NONE, {"is_image_streaming_enabled": False}),
    Row("CaptureSingleImage", "G", {}, RECEIVED, {"image_encoding": 7, "data": _at_least(1000)}),
    Row("CameraFeed", "G, P", {}, answer={"image_encoding": 7, "data": _at_least(1000)}),
    Row("GetCameraConfig", "G", {}, NONE, {"focal_length_x": _some}),
    Row("SetCameraSettings", "G", {"enable_auto_exposure": True}, RECEIVED),
    Row("AudioFeed", "G, W: 1600 samples", {}, answer={"signal_power": _at_least(3200)}),
    Row("NavMapFeed", "G", {"frequency": 1}, answer={"map_info": _some, "quad_infos": _at_least(1)}),
    # -- objects, photos
    Row("DefineCustomObject", "G", ONE_BOX, RECEIVED, {"success": True}),
    _error("DefineCustomObject", "INVALID_ARGUMENT", "G: no definition"),
    Row("CreateFixedCustomObject", "G", WALL, RECEIVED, {"object_id": _some}),
    *(Row("DeleteCustomObjects", "G", {"mode": mode}, RECEIVED) for mode in (1, 2, 3)),
    Row("PhotosInfo", "G", {}, RECEIVED, {"photo_infos": []}),
    Row("Photo", "G: NOT_FOUND", {"photo_id": 7}, NOT_FOUND, {"success": False}),
    Row("Thumbnail", "G: NOT_FOUND", {"photo_id": 7}, NOT_FOUND, {"success": False}),
    Row("DeletePhoto", "G", {"photo_id": 7}, RECEIVED, {"success": False}),
    # -- faces
    Row("RequestEnrolledNames", "G", {}, RECEIVED, {"faces": []}),
    _heard("UpdateEnrolledFaceByID", face_id=1, old_name="A", new_name="B"),
    _heard("EraseEnrolledFaceByID", face_id=1),
    _heard("EraseAllEnrolledFaces"),
    Row("SetFaceToEnroll", "G", {"name": "Ann"}, RECEIVED),
    _heard("CancelFaceEnrollment"),
    # -- cubes
    Row("CubesAvailable", "G", {}, RECEIVED, {"factory_ids": []}),
    Row("ConnectCube", "W: the connection fails", {}, RECEIVED, {"success": False}),
    _heard("DisconnectCube"),
    _heard("FlashCubeLights"),
    _heard("SetCubeLights", object_id=1),
    _heard("SetPreferredCube", factory_id="00:00:00:00:00:00"),
    _heard("ForgetPreferredCube"),
    # -- documents
    Row(
        "PullJdocs",
        "W settingsCommManager.cpp: no status",
        {"jdoc_types": [0, 1, 2, 3]},
        NONE,
        {"named_jdocs": _at_least(4)},
    ),
    Row(
        "UpdateSettings",
        "W: no status",
        {"settings": {"clock_24_hour": True}},
        NONE,
        {"code": 0, "doc": _some},
    ),
    Row(
        "UpdateAccountSettings",
        "W: no status",
        {"account_settings": {"data_collection": True}},
        NONE,
        {"code": 0, "doc": _some},
    ),
    Row(
        "UpdateUserEntitlements",
        "W: no status",
        {"user_entitlements": {"kickstarter_eyes": True}},
        NONE,
        {"code": 0, "doc": _some},
    ),
    # -- apps
    _heard("AppIntent", intent="intent_imperative_quiet"),
    Row("GetLatestAttentionTransfer", "G", {}, RECEIVED, {"latest_attention_transfer": {}}),
    Row("CheckUpdateStatus", "G: OK", {}, OK, {"update_status": 0}),
    Row("StartUpdateEngine", "G", {}, RECEIVED),
    Row("UpdateAndRestart", "G: no update", {}, NOT_FOUND),
    Row("CheckCloudConnection", "G", {}, RECEIVED, {"code": 1}),
    Row("GetFeatureFlag", "G", {"feature_name": "Exploring"}, RECEIVED, {"valid_feature": True}),
    Row("GetFeatureFlagList", "G", {}, RECEIVED, {"list": _at_least(1)}),
    Row("GetAlexaAuthState", "G", {}, RECEIVED, {"auth_state": 1}),
    _heard("AlexaOptIn", opt_in=False),
    Row("GetOnboardingState", "G", {}, RECEIVED, {"onboarding_state": {"stage": 3}}),
    Row(
        "SendOnboardingInput",
        "G",
        {"onboarding_complete_request": {}},
        PROCESSING,
        {"onboarding_complete_response": {"completed": True}},
    ),
    _error("SendOnboardingInput", "INVALID_ARGUMENT", "G: no input"),
    Row("UploadDebugLogs", "G: OK", {}, OK, {"url": _some}),
    # -- with a light cube and a known face
    Row("CubesAvailable", "G", {}, RECEIVED, {"factory_ids": _at_least(1)}, furnished=True),
    Row("ConnectCube", "W appCubeConnectionSubscriber.cpp", {}, RECEIVED, {"success": True}, furnished=True),
    Row("BatteryState", "P", {}, RECEIVED, {"cube_battery": _some}, furnished=True),
    Row(
        "EventStream",
        "P",
        {"white_list": {"list": ["object_event"]}},
        answer={"event": {"object_event": {"robot_observed_object": _some}}},
        furnished=True,
    ),
    Row("RequestEnrolledNames", "G", {}, RECEIVED, {"faces": _at_least(1)}, furnished=True),
    Row(
        "PickupObject",
        "G, W",
        {"object_id": 1, "id_tag": TAG},
        RECEIVED,
        {"result": {"code": SUCCESS}},
        control=True,
        furnished=True,
    ),
    Row(
        "PlaceObjectOnGroundHere",
        "G, W",
        {"id_tag": TAG},
        RECEIVED,
        {"result": {"code": SUCCESS}},
        control=True,
        furnished=True,
    ),
)

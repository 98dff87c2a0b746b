"""The robot's whole protocol: the 86 calls that the SDK's wheel describes and the four that it lacks.

`SERVICE` describes all 90, each with its path over HTTP (`google.api.http`). It has a name of its own, since
the wheel has taken the robot's, but its calls go by the robot's: `/SERVICE_NAME/<call>`. Field numbers and
names are the protocol's (digital-dream-labs/vector-cloud, internal/proto/external_interface).

On the robot the fields of `RobotSettingsConfig` can be absent, in the wheel's older file they cannot, so that
a setting could never be switched off: UpdateSettings takes a message of the same form on the wire whose
fields can.
"""

from typing import Any

import grpc
from anki_vector.messaging import external_interface_pb2, protocol
from google.api import annotations_pb2
from google.protobuf import descriptor_pb2, descriptor_pool
from google.protobuf.descriptor import MethodDescriptor, ServiceDescriptor
from google.protobuf.message_factory import GetMessageClass

_WHEEL = external_interface_pb2.DESCRIPTOR
SERVICE_NAME = _WHEEL.services_by_name["ExternalInterface"].full_name
_FILE = "vector_tl/full_protocol.proto"

_ENUMS = {  # name: its values from 0 on; "-" is a number that is not used
    "OnboardingStages": "NotStarted TimedOut - Complete DevDoNothing",
    "OnboardingPhase": "InvalidPhase Default LookAtPhone WakeUp LookAtUser"
    " TeachWakeWord TeachComeHere TeachMeetVictor",
    "OnboardingPhaseState": "PhaseInvalid PhasePending PhaseInProgress PhaseComplete",
}
_MESSAGES = {  # name: its fields, "number type name"; those after "|" exclude each other
    "OnboardingStateRequest": "",
    "OnboardingState": "1 OnboardingStages stage",
    "OnboardingStateResponse": "1 ResponseStatus status, 2 OnboardingState onboarding_state",
    "OnboardingCompleteRequest": "",
    "OnboardingWakeUpRequest": "",
    "OnboardingSkipOnboarding": "",
    "OnboardingRestart": "",
    "OnboardingWakeUpStartedRequest": "",
    "OnboardingSetPhaseRequest": "1 OnboardingPhase phase",
    "OnboardingPhaseProgressRequest": "",
    "OnboardingChargeInfoRequest": "",
    "OnboardingMarkCompleteAndExit": "",
    "OnboardingInputRequest": "|1 OnboardingCompleteRequest onboarding_complete_request,"
    "2 OnboardingWakeUpRequest onboarding_wake_up_request,"
    "7 OnboardingSkipOnboarding onboarding_skip_onboarding,"
    "8 OnboardingRestart onboarding_restart,"
    "9 OnboardingWakeUpStartedRequest onboarding_wake_up_started_request,"
    "10 OnboardingSetPhaseRequest onboarding_set_phase_request,"
    "11 OnboardingPhaseProgressRequest onboarding_phase_progress_request,"
    "12 OnboardingChargeInfoRequest onboarding_charge_info_request,"
    "13 OnboardingMarkCompleteAndExit onboarding_mark_complete_and_exit",
    "OnboardingCompleteResponse": "1 bool completed",
    "Onboarding1p0ChargingInfo": "1 bool on_charger, 2 bool needs_to_charge,3 float suggested_charger_time",
    "OnboardingWakeUpResponse": "1 bool waking_up, 2 Onboarding1p0ChargingInfo charging_info",
    "OnboardingWakeUpStartedResponse": "1 bool already_started",
    "OnboardingSetPhaseResponse": "1 ResponseStatus status, 2 OnboardingPhase phase,"
    "3 OnboardingPhaseState phase_state",
    "OnboardingPhaseProgressResponse": "1 ResponseStatus status, 2 OnboardingPhase last_set_phase,"
    "3 OnboardingPhaseState last_set_phase_state, 4 int32 percent_completed",
    "OnboardingChargeInfoResponse": "1 ResponseStatus status, 2 bool on_charger, 3 bool needs_to_charge,"
    "4 float required_charge_time",
    "OnboardingInputResponse": "1 ResponseStatus status,"
    "|2 OnboardingCompleteResponse onboarding_complete_response,"
    "3 OnboardingWakeUpResponse onboarding_wake_up_response,"
    "6 OnboardingWakeUpStartedResponse onboarding_wake_up_started_response,"
    "7 OnboardingSetPhaseResponse onboarding_set_phase_response,"
    "8 OnboardingPhaseProgressResponse onboarding_phase_progress_response,"
    "9 OnboardingChargeInfoResponse onboarding_charge_info_response",
    "UploadDebugLogsRequest": "",
    "UploadDebugLogsResponse": "1 ResponseStatus status, 2 string url",
}
_CALLS = (  # call, path, request, response
    ("GetOnboardingState", "get_onboarding_state", "OnboardingStateRequest", "OnboardingStateResponse"),
    ("SendOnboardingInput", "send_onboarding_input", "OnboardingInputRequest", "OnboardingInputResponse"),
    (
        "UpdateUserEntitlements",
        "update_user_entitlements",
        "UpdateUserEntitlementsRequest",
        "UpdateUserEntitlementsResponse",
    ),
    ("UploadDebugLogs", "upload_debug_logs", "UploadDebugLogsRequest", "UploadDebugLogsResponse"),
)
_Field = descriptor_pb2.FieldDescriptorProto
_SCALARS = {
    "bool": _Field.TYPE_BOOL,
    "int32": _Field.TYPE_INT32,
    "float": _Field.TYPE_FLOAT,
    "string": _Field.TYPE_STRING,
}


def _add_field(message: descriptor_pb2.DescriptorProto, text: str, in_oneof: bool) -> None:
    """Add a field that is written as "number type name" to a message."""
    number, kind, name = text.split()
    field = message.field.add(name=name, number=int(number), label=_Field.LABEL_OPTIONAL)
    if kind in _SCALARS:
        field.type = _SCALARS[kind]
    else:
        field.type = _Field.TYPE_ENUM if kind in _ENUMS else _Field.TYPE_MESSAGE
        field.type_name = f".{_WHEEL.package}.{kind}"
    if in_oneof:
        field.oneof_index = 0


def _add_settings(file: descriptor_pb2.FileDescriptorProto) -> None:
    """Describe the request of UpdateSettings with fields that can be absent."""
    settings = file.message_type.add()
    protocol.RobotSettingsConfig.DESCRIPTOR.CopyToProto(settings)
    settings.name = "RobotSettingsChange"
    for number, field in enumerate(settings.field):
        field.proto3_optional, field.oneof_index = True, number
        settings.oneof_decl.add(name=f"_{field.name}")
    _add_field(file.message_type.add(name="UpdateSettingsChange"), "1 RobotSettingsChange settings", False)


def _describe() -> ServiceDescriptor:
    """Put the lacking messages, and a service of all calls, into the wheel's pool of descriptors."""
    file = descriptor_pb2.FileDescriptorProto(name=_FILE, package=_WHEEL.package, syntax="proto3")
    file.dependency.extend([_WHEEL.name, *(used.name for used in _WHEEL.dependencies)])
    for name, values in _ENUMS.items():
        enum = file.enum_type.add(name=name)
        for number, value in enumerate(values.split()):
            if value != "-":
                enum.value.add(name=value, number=number)
    for name, fields in _MESSAGES.items():
        message = file.message_type.add(name=name)
        always, _, exclusive = fields.partition("|")
        if exclusive:
            message.oneof_decl.add(name="oneof_message_type")
        for part, in_oneof in ((always, False), (exclusive, True)):
            for text in filter(None, part.split(",")):
                _add_field(message, text, in_oneof)
    _add_settings(file)
    service = file.service.add(name="FullInterface")
    known = descriptor_pb2.FileDescriptorProto()
    _WHEEL.CopyToProto(known)
    service.method.extend(known.service[0].method)
    for method in service.method:
        if method.name == "UpdateSettings":
            method.input_type = f".{_WHEEL.package}.UpdateSettingsChange"
    for call, path, request, response in _CALLS:
        method = service.method.add(name=call)
        method.input_type, method.output_type = (f".{_WHEEL.package}.{kind}" for kind in (request, response))
        http = method.options.Extensions[annotations_pb2.http]
        http.post, http.body = f"/v1/{path}", "*"
    pool = descriptor_pool.Default()
    pool.AddSerializedFile(file.SerializeToString())
    return pool.FindFileByName(_FILE).services_by_name["FullInterface"]


SERVICE = _describe()


def message(name: str) -> Any:
    """The class of one of the protocol's messages, by its name."""
    full_name = f"{_WHEEL.package}.{name}"
    return GetMessageClass(descriptor_pool.Default().FindMessageTypeByName(full_name))


def rpc_path(method: MethodDescriptor) -> str:
    """Where gRPC finds a call."""
    service = method.containing_service
    return f"/{SERVICE_NAME if service is SERVICE else service.full_name}/{method.name}"


def _kind(method: MethodDescriptor) -> str:
    """Whether one or many messages go there and come back: unary_stream and the like."""
    many = (method.client_streaming, method.server_streaming)
    return "_".join("stream" if streams else "unary" for streams in many)


class FullStub:
    """All 90 calls over a channel, each as an attribute with the call's name."""

    def __init__(self, channel: Any):
        for method in SERVICE.methods:
            call = getattr(channel, _kind(method))(
                rpc_path(method),
                request_serializer=GetMessageClass(method.input_type).SerializeToString,
                response_deserializer=GetMessageClass(method.output_type).FromString,
            )
            setattr(self, method.name, call)


def add_to_server(servicer: Any, server: grpc.aio.Server) -> None:
    """Let a server answer all 90 calls with the servicer's methods of the same names."""
    handlers = {
        method.name: getattr(grpc, f"{_kind(method)}_rpc_method_handler")(
            getattr(servicer, method.name),
            request_deserializer=GetMessageClass(method.input_type).FromString,
            response_serializer=GetMessageClass(method.output_type).SerializeToString,
        )
        for method in SERVICE.methods
    }
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(SERVICE_NAME, handlers),))

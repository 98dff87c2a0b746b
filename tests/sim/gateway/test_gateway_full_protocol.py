"""The descriptors of the whole protocol: the wheel's 86 calls and the four that it lacks."""

import pytest
from anki_vector.messaging import external_interface_pb2, protocol
from google.api import annotations_pb2
from google.protobuf import json_format

from vector_tl.sim.gateway.full_protocol import SERVICE, SERVICE_NAME, message

pytestmark = pytest.mark.fast


def _path(method) -> str:
    return method.GetOptions().Extensions[annotations_pb2.http].post


def test_all_90_calls_are_described_and_the_wheels_keep_their_paths():
    wheel = external_interface_pb2.DESCRIPTOR.services_by_name["ExternalInterface"]
    assert SERVICE_NAME == "Anki.Vector.external_interface.ExternalInterface" and len(SERVICE.methods) == 90
    for method in wheel.methods:
        same = SERVICE.methods_by_name[method.name]
        assert same.output_type is method.output_type and _path(same) == _path(method)
        assert same.input_type is method.input_type or same.name == "UpdateSettings"
    lacking = {method.name: _path(method) for method in SERVICE.methods[len(wheel.methods) :]}
    assert lacking == {
        "GetOnboardingState": "/v1/get_onboarding_state",
        "SendOnboardingInput": "/v1/send_onboarding_input",
        "UpdateUserEntitlements": "/v1/update_user_entitlements",
        "UploadDebugLogs": "/v1/upload_debug_logs",
    }


def test_the_lacking_messages_go_over_the_wire_with_the_protocols_numbers():
    asked = message("OnboardingInputRequest")(onboarding_set_phase_request={"phase": "WakeUp"})
    assert asked.SerializeToString() == bytes([10 << 3 | 2, 2, 1 << 3, 3])
    asked.onboarding_skip_onboarding.SetInParent()
    assert asked.WhichOneof("oneof_message_type") == "onboarding_skip_onboarding"
    state = message("OnboardingStateResponse")(
        status=protocol.ResponseStatus(code=protocol.ResponseStatus.RESPONSE_RECEIVED),
        onboarding_state={"stage": "Complete"},
    )
    assert json_format.MessageToDict(state, use_integers_for_enums=True) == {
        "status": {"code": 1},
        "onboardingState": {"stage": 3},
    }


def test_a_setting_can_be_switched_off_and_has_the_wheels_form_on_the_wire():
    off = message("UpdateSettingsChange")(settings={"clock_24_hour": False, "locale": "en-GB"})
    assert [field.name for field, _ in off.settings.ListFields()] == ["clock_24_hour", "locale"]
    wheel = protocol.UpdateSettingsRequest.FromString(off.SerializeToString())
    assert wheel.settings.locale == "en-GB" and not wheel.settings.clock_24_hour
    assert SERVICE.methods_by_name["UpdateSettings"].input_type is off.DESCRIPTOR

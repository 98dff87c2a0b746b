"""The calls that apps make besides the SDK's: documents, set-up, cloud, intents, faces, one-way control."""

import json

import grpc
import pytest
from anki_vector.messaging import protocol

from support.simulation import DEFAULT, TABLE, drive, in_control, wait_for
from vector_tl.sim.gateway.full_protocol import message

STATUS = protocol.ResponseStatus
ROBOT, LIFETIME, ACCOUNT, ENTITLEMENTS = protocol.JdocType.values()
COMPLETE, WONT_ACTIVATE = 1, 2


def ask(stub, rpc: str, request: str, **fields):
    return getattr(stub, rpc)(message(request)(**fields), timeout=3)


def events_of(stub, *kinds: str):
    request = protocol.EventRequest(white_list=protocol.FilterList(list=["connection_response", *kinds]))
    return (answer.event for answer in stub.EventStream(request, timeout=20))


def next_event(events, kind: str):
    return next(getattr(event, kind) for event in events if event.WhichOneof("event_type") == kind)


def test_documents_are_pulled_and_settings_merged_into_them(simulate):
    sim = simulate(lockstep=True, world=TABLE)
    with sim.stub() as stub:

        def pull(*kinds):
            answer = ask(stub, "PullJdocs", "PullJdocsRequest", jdoc_types=kinds)
            assert not answer.HasField("status")  # the engine sets none
            return {named.jdoc_type: json.loads(named.doc.json_doc) for named in answer.named_jdocs}

        before = pull(ROBOT, LIFETIME, ACCOUNT, ENTITLEMENTS)
        assert before[ROBOT]["clock_24_hour"] is False and before[ROBOT]["master_volume"] == 4
        assert before[ENTITLEMENTS] == {"KICKSTARTER_EYES": False}

        def update(**settings):
            return ask(stub, "UpdateSettings", "UpdateSettingsChange", settings=settings)

        first = update(clock_24_hour=True, eye_color=1, locale="en-GB")
        assert first.code == 0 and first.doc.doc_version == 2 and not first.HasField("status")
        changed = {"clock_24_hour": True, "eye_color": 1, "locale": "en-GB"}
        assert json.loads(first.doc.json_doc) == before[ROBOT] | changed
        second = update(clock_24_hour=False, master_volume=99)  # no such volume: it stays
        assert json.loads(second.doc.json_doc) == before[ROBOT] | changed | {"clock_24_hour": False}
        assert update(locale="en-GB").doc.doc_version == 3  # nothing new
        settings = {"data_collection": True}
        account = ask(
            stub, "UpdateAccountSettings", "UpdateAccountSettingsRequest", account_settings=settings
        )
        assert json.loads(account.doc.json_doc)["DATA_COLLECTION"] is True
        eyes = {"kickstarter_eyes": True}
        ask(stub, "UpdateUserEntitlements", "UpdateUserEntitlementsRequest", user_entitlements=eyes)
        assert pull(ENTITLEMENTS)[ENTITLEMENTS] == {"KICKSTARTER_EYES": True}


def test_control_over_one_way_follows_the_same_rules_but_its_end_releases_nothing(simulate):
    sim = simulate(lockstep=True, world=TABLE)
    with sim.stub() as stub:

        def assume(**request):
            stream = stub.AssumeBehaviorControl(protocol.BehaviorControlRequest(**request))
            return stream, (answer.WhichOneof("response_type") for answer in stream)

        stream, answers = assume(control_request={"priority": DEFAULT})
        assert next(answers) == "control_granted_response"
        drive(stub, 30, 30)
        sim.post("/step", ms=120)
        stream.cancel()
        wait_for(lambda: sim.log("control")[-1]["event"] == "client gone")
        drive(stub, 20, 20)
        assert [entry["applied"] for entry in sim.log("wheels")] == [True, True]
        sim.post("/step", ms=300)
        assert sim.me()["left_mmps"] == 20
        release, _ = assume(control_release={})
        wait_for(lambda: sim.log("control")[-1]["event"] == "ended")
        drive(stub, 0, 0)
        assert sim.log("wheels")[-1]["applied"] is False
        release.cancel()
        with pytest.raises(grpc.RpcError) as error:
            next(stub.AssumeBehaviorControl(protocol.BehaviorControlRequest()))
        assert error.value.code() == grpc.StatusCode.INVALID_ARGUMENT


def test_the_first_set_up_can_be_asked_for_and_begun_again(simulate):
    sim = simulate(lockstep=True)
    with sim.stub() as stub:

        def stage():
            return ask(stub, "GetOnboardingState", "OnboardingStateRequest").onboarding_state.stage

        def send(**field):
            answer = ask(stub, "SendOnboardingInput", "OnboardingInputRequest", **field)
            assert answer.status.code == STATUS.REQUEST_PROCESSING
            return answer

        assert stage() == 3
        done = send(onboarding_set_phase_request={"phase": 3}).onboarding_set_phase_response
        assert (done.status.code, done.phase) == (STATUS.UNKNOWN, 0)  # outside the set-up
        assert send(onboarding_restart={}).WhichOneof("oneof_message_type") is None
        assert stage() == 0
        phase = send(onboarding_set_phase_request={"phase": 3}).onboarding_set_phase_response
        assert (phase.status.code, phase.phase) == (STATUS.OK, 3)
        wake_up = send(onboarding_wake_up_request={}).onboarding_wake_up_response
        assert wake_up.waking_up and not wake_up.charging_info.on_charger
        send(onboarding_mark_complete_and_exit={})
        assert stage() == 3
        with pytest.raises(grpc.RpcError) as error:
            send()
        assert error.value.code() == grpc.StatusCode.INVALID_ARGUMENT


def test_an_apps_intent_is_obeyed_unless_a_client_has_control(simulate):
    sim = simulate(lockstep=True, world=TABLE)

    def intent(stub, name):
        ask(stub, "AppIntent", "AppIntentRequest", intent=name)
        return sim.log("app_intent")[-1]["does"]

    with sim.stub() as stub:
        assert intent(stub, "explore_start") == "its own behaviour"
        sim.post("/step", ms=1500)
        assert sim.me()["heading_rad"] != 0
        control = in_control(stub)
        sim.post("/step", ms=3000)
        before = sim.me()
        sim.post("/step", ms=3000)
        assert sim.me() == before  # it ended once a client had control
        assert intent(stub, "explore_start") == "nothing: a client has control"
        control.close()
        wait_for(lambda: sim.log("control")[-1]["event"] == "ended")
        assert intent(stub, "intent_imperative_dance").startswith("anim_")
        assert intent(stub, "make_coffee") == "nothing: it does not know this intent"


def test_faces_in_memory_are_listed_renamed_enrolled_and_erased(simulate):
    sim = simulate(lockstep=True, faces=["Ann", "Bob"])
    with sim.stub() as stub:

        def names():
            faces = ask(stub, "RequestEnrolledNames", "RequestEnrolledNamesRequest").faces
            return {face.face_id: face.name for face in faces}

        events = events_of(
            stub, "robot_renamed_enrolled_face", "robot_erased_enrolled_face", "time_stamped_status"
        )
        assert next(events).WhichOneof("event_type") == "connection_response"
        assert names() == {1: "Ann", 2: "Bob"}
        change = {"face_id": 1, "old_name": "Ann", "new_name": "Anna"}
        ask(stub, "UpdateEnrolledFaceByID", "UpdateEnrolledFaceByIDRequest", **change)
        assert next_event(events, "robot_renamed_enrolled_face").name == "Anna"
        ask(stub, "UpdateEnrolledFaceByID", "UpdateEnrolledFaceByIDRequest", **change)  # not Ann any more
        ask(stub, "EraseEnrolledFaceByID", "EraseEnrolledFaceByIDRequest", face_id=2)
        assert next_event(events, "robot_erased_enrolled_face").name == "Bob"
        assert names() == {1: "Anna"}
        in_control(stub)
        enroll = message("EnrollFaceRequest")()
        assert stub.EnrollFace(enroll, timeout=3).result == WONT_ACTIVATE  # whose?
        ask(stub, "SetFaceToEnroll", "SetFaceToEnrollRequest", name="Cleo")
        running = stub.EnrollFace.future(enroll, timeout=10)
        wait_for(lambda: sim.log("call")[-1]["rpc"] == "EnrollFace")
        sim.post("/step", ms=6000)
        assert running.result().result == COMPLETE and names() == {1: "Anna", 3: "Cleo"}
        reports = [next_event(events, "time_stamped_status").status for _ in range(3)]
        assert reports[2].face_enrollment_completed.face_id == 3
        ask(stub, "EraseAllEnrolledFaces", "EraseAllEnrolledFacesRequest")
        assert names() == {}


def test_what_is_behind_the_robot_answers_as_for_one_that_is_up_to_date(simulate):
    sim = simulate(lockstep=True)
    with sim.stub() as stub:
        events = events_of(stub, "check_update_status_response", "alexa_auth_event")
        assert next(events).WhichOneof("event_type") == "connection_response"
        assert ask(stub, "UpdateAndRestart", "UpdateAndRestartRequest").status.code == STATUS.NOT_FOUND
        assert ask(stub, "CheckUpdateStatus", "CheckUpdateStatusRequest").status.code == STATUS.OK
        ask(stub, "StartUpdateEngine", "CheckUpdateStatusRequest")
        sim.post("/step", ms=2500)
        reports = [next_event(events, "check_update_status_response") for _ in range(2)]
        assert [report.update_status for report in reports] == [0, 0]
        ask(stub, "AlexaOptIn", "AlexaOptInRequest", opt_in=True)
        waiting = next_event(events, "alexa_auth_event").auth_state
        assert ask(stub, "GetAlexaAuthState", "AlexaAuthStateRequest").auth_state == waiting == 3
        flags = [
            ask(stub, "GetFeatureFlag", "FeatureFlagRequest", feature_name=name)
            for name in ("Exploring", "Messaging", "Nonsense")
        ]
        assert [(flag.valid_feature, flag.feature_enabled) for flag in flags] == [
            (True, True),
            (True, False),
            (False, False),
        ]
        asked = ask(
            stub, "GetFeatureFlagList", "FeatureFlagListRequest", request_list=["Messaging", "Volume"]
        )
        assert list(asked.list) == ["Volume"]


def test_the_microphones_send_a_tone_at_the_engines_ticks(simulate):
    sim = simulate(lockstep=True)
    with sim.stub() as stub:
        feed = stub.AudioFeed(message("AudioFeedRequest")(), timeout=10)
        first = next(feed)
        sim.post("/step", ms=240)
        second, third = next(feed), next(feed)
        assert [len(sound.signal_power) for sound in (first, third)] == [3200, 3200]
        assert (second.group_id, third.robot_time_stamp - second.robot_time_stamp) == (1, 120)


def test_an_unknown_photo_is_not_found(simulate):
    with simulate(lockstep=True).stub() as stub:
        assert ask(stub, "Photo", "PhotoRequest", photo_id=7).status.code == STATUS.NOT_FOUND
        assert ask(stub, "Thumbnail", "ThumbnailRequest", photo_id=7).status.code == STATUS.NOT_FOUND
        deleted = ask(stub, "DeletePhoto", "DeletePhotoRequest", photo_id=7)
        assert (deleted.status.code, deleted.success) == (STATUS.RESPONSE_RECEIVED, False)


ACTION = protocol.ActionResult
CUBE_ACTIONS = ("GoToObject", "DockWithCube", "PickupObject", "RollObject", "PopAWheelie")


def test_without_a_cube_the_calls_about_cubes_answer_as_a_robot_that_finds_none(simulate):
    sim = simulate(lockstep=True, world=TABLE)
    with sim.stub() as stub:
        assert not ask(stub, "ConnectCube", "ConnectCubeRequest").success
        assert not ask(stub, "CubesAvailable", "CubesAvailableRequest").factory_ids
        for call in ("SetCubeLights", "FlashCubeLights", "SetPreferredCube", "ForgetPreferredCube"):
            assert ask(stub, call, call + "Request").status.code == STATUS.REQUEST_PROCESSING
        in_control(stub)
        for call in CUBE_ACTIONS:
            answer = ask(stub, call, call + "Request", object_id=1, id_tag=2000001)
            assert answer.result.code == ACTION.BAD_OBJECT, call
        here = ask(stub, "PlaceObjectOnGroundHere", "PlaceObjectOnGroundHereRequest", id_tag=2000001)
        assert here.result.code == ACTION.NOT_CARRYING_OBJECT_ABORT
        face = ask(stub, "TurnTowardsFace", "TurnTowardsFaceRequest", face_id=1, id_tag=2000001)
        assert face.result.code == ACTION.NO_FACE
        assert ask(stub, "RollBlock", "RollBlockRequest").result == WONT_ACTIVATE
        status, answer = sim.http("/fault", {"fault": "cube_moved"})
        assert status == 400 and "--cubes 1" in answer["error"]


def test_a_cube_is_connected_lit_tapped_seen_and_picked_up(simulate):
    sim = simulate(lockstep=True, world=TABLE, cubes=1)
    with sim.stub() as stub:
        events = (event.object_event for event in events_of(stub, "object_event"))

        def next_of(kind):
            return next(getattr(event, kind) for event in events if event.HasField(kind))

        wait_for(lambda: sim.get("/log")["streams"]["events"])
        ids = ask(stub, "CubesAvailable", "CubesAvailableRequest").factory_ids
        cube = ask(stub, "ConnectCube", "ConnectCubeRequest")
        assert cube.success and [cube.factory_id] == list(ids)
        assert next_of("object_connection_state").connected
        assert ask(stub, "BatteryState", "BatteryStateRequest").cube_battery.factory_id == cube.factory_id
        red = [0xFF0000FF] * 4
        ask(stub, "SetCubeLights", "SetCubeLightsRequest", object_id=cube.object_id, on_color=red)
        assert sim.log("cube_lights")[0]["on_rgb"] == [[255, 0, 0]] * 4
        sim.post("/fault", fault="cube_tapped")
        assert next_of("object_tapped").object_id == cube.object_id
        sim.post("/step", ms=240)
        assert next_of("robot_observed_object").object_id == cube.object_id
        in_control(stub)
        request = message("PickupObjectRequest")(object_id=cube.object_id, id_tag=2000001)
        lifting = stub.PickupObject.future(request, timeout=10)
        wait_for(lambda: sim.log("action"))
        sim.post("/step", ms=20_000)
        assert lifting.result().result.code == ACTION.ACTION_RESULT_SUCCESS
        assert [entry["state"] for entry in sim.log("cube")] == ["connected", "picked up"]


def test_a_program_hears_of_the_connected_cube_before_the_answer(simulate):
    sim = simulate(world=TABLE, cubes=1)
    with sim.stub() as stub:
        heard = []
        events = events_of(stub, "object_event")
        next(events)  # the stream is open
        connecting = stub.ConnectCube.future(message("ConnectCubeRequest")(), timeout=10)
        connecting.add_done_callback(lambda _: heard.append("answer"))
        state = next(e.object_event for e in events if e.object_event.HasField("object_connection_state"))
        heard.append("event")
        assert state.object_connection_state.connected and connecting.result().success
        wait_for(lambda: heard == ["event", "answer"])


def test_animations_of_the_robots_form_play_and_others_do_not(simulate):
    sim = simulate(lockstep=True, world=TABLE)
    with sim.stub() as stub:
        in_control(stub)
        for call, field, names in (
            ("PlayAnimation", "animation", ["anim_pounce_03", "anim_wheelie_01", "waltz"]),
            ("PlayAnimationTrigger", "animation_trigger", ["GreetAfterLongTime", "DanceBeat", "?"]),
        ):
            for number, name in enumerate(names):
                before = len(sim.log("animation"))
                fields = {field: {"name": name}, "ignore_body_track": True}
                running = getattr(stub, call).future(message(call + "Request")(**fields), timeout=10)
                if number < 2:
                    wait_for(lambda before=before: len(sim.log("animation")) > before)
                    sim.post("/step", ms=8000)
                assert running.result().result == (COMPLETE if number < 2 else WONT_ACTIVATE), name
        assert [entry["listed"] for entry in sim.log("animation")] == [True, False, True, False]

"""The robot's protocol: what each call of the SDK does to a virtual Vector, and what it answers."""

import asyncio
import re
import time
from functools import partial

import grpc
from anki_vector.messaging import protocol

from vector_tl.sim.engine.motors import NO_CONTROL
from vector_tl.sim.engine.virtual import JPEG_COLOR, VirtualVector
from vector_tl.sim.gateway.account import Account
from vector_tl.sim.gateway.behaviours import Behaviours
from vector_tl.sim.gateway.cubes import CubeCalls
from vector_tl.sim.gateway.faces import FaceCalls
from vector_tl.sim.gateway.feeds import Feeds
from vector_tl.sim.gateway.memories import Memories
from vector_tl.sim.gateway.onboarding import Onboarding
from vector_tl.sim.gateway.settings import Settings
from vector_tl.sim.gateway.streams import FORBIDDEN, OK, PROCESSING, RateLimit, always, until_ended
from vector_tl.sim.world.battery import SHOWN_LOW_VOLTS
from vector_tl.sim.world.scene import Exposure

HOST_VERSION = 5
SESSION_ID = re.compile(rb"2[0-9A-Za-z]{22}")  # as accounts and wire-pod give them
LOGINS, LOGIN_EVERY_S = 10, 3.0  # so many at once, then one in so many seconds; the robot's figures differ
EXPOSURE_MS, GAIN = (1, 67), (0.1, 4.0)  # the ranges that can be set by hand


def _in_control(response):
    """A call that changes nothing here, and is forbidden unless a client has control."""

    async def answer(self, request, context):
        allowed = self.robot.control.active is not None
        return response(status=OK if allowed else FORBIDDEN)

    return answer


class VectorServicer(CubeCalls, FaceCalls, Memories, Settings, Account, Onboarding, Feeds, Behaviours):
    """Answers for one virtual Vector. Every method has the name of its call in the protocol."""

    def __init__(self, robot: VirtualVector):
        self.robot = robot
        self._logins = RateLimit(LOGINS, LOGIN_EVERY_S)
        Behaviours.__init__(self)

    # -- connecting ------------------------------------------------------------------------------------------

    async def ProtocolVersion(self, request, context):
        known = request.client_version >= protocol.PROTOCOL_VERSION_MINIMUM
        answer = protocol.ProtocolVersionResponse
        return answer(result=answer.SUCCESS if known else answer.UNSUPPORTED, host_version=HOST_VERSION)

    SDKInitialization = always(protocol.SDKInitializationResponse, status=PROCESSING)

    async def UserAuthentication(self, request, context):
        """Give the token for a session of an account; only the form of its id can be checked here."""
        if not self._logins.allows(time.monotonic()):
            why = "Maximum auth rate exceeded. Please wait and try again later."
            await context.abort(grpc.StatusCode.RESOURCE_EXHAUSTED, why)
        if not SESSION_ID.fullmatch(request.user_session_id):
            return protocol.UserAuthenticationResponse(
                status=OK, code=protocol.UserAuthenticationResponse.UNAUTHORIZED
            )
        return protocol.UserAuthenticationResponse(
            status=OK,
            code=protocol.UserAuthenticationResponse.AUTHORIZED,
            client_token_guid=self.robot.identity.guid.encode(),
        )

    async def BehaviorControl(self, requests, context):
        claim = self.robot.open_control()

        async def listen() -> None:
            async for request in requests:
                if request.WhichOneof("request_type") is None:  # which ends the stream (G message_handler.go)
                    return
                self.robot.ask_control(claim, request)

        listener = asyncio.create_task(listen())  # until the client closes its side
        listener.add_done_callback(lambda task: claim.outbox.end(aborted=False))
        try:
            async for answer in until_ended(claim.outbox, context):
                yield answer
        finally:
            listener.cancel()
            self.robot.close_control(claim)

    async def EventStream(self, request, context):
        outbox = self.robot.open_events(partial(_passes, request), request.connection_id)
        try:
            async for event in until_ended(outbox, context):
                yield event
        finally:
            self.robot.close_events(outbox)

    EnableFaceDetection = _in_control(protocol.EnableFaceDetectionResponse)
    EnableMotionDetection = _in_control(protocol.EnableMotionDetectionResponse)
    EnableMirrorMode = _in_control(protocol.EnableMirrorModeResponse)

    async def EnableMarkerDetection(self, request, context):
        if not request.enable:  # nobody waits for the camera's answer to that
            return protocol.EnableMarkerDetectionResponse(status=PROCESSING)
        allowed = self.robot.control.active is not None
        return protocol.EnableMarkerDetectionResponse(status=OK if allowed else FORBIDDEN)

    async def BatteryState(self, request, context):
        robot, battery = self.robot, self.robot.battery
        battery.update(robot.world.t_ms, robot.body.on_charger)
        empty = "low_battery" in robot.faults
        volts = SHOWN_LOW_VOLTS if empty else battery.volts
        level = "LOW" if empty else battery.level
        return protocol.BatteryStateResponse(
            status=OK,
            battery_level=protocol.BatteryLevel.Value("BATTERY_LEVEL_" + level),
            battery_volts=volts,
            is_charging=robot.body.on_charger and not battery.full,
            is_on_charger_platform=robot.body.on_charger,
            suggested_charger_sec=600.0 if empty else battery.charger_s,
            cube_battery=robot.cubes.battery(),
        )

    async def VersionState(self, request, context):
        return protocol.VersionStateResponse(
            status=OK, os_version="2.0.1.6076ep-simulated", engine_build_id="vector_tl"
        )

    # -- camera ----------------------------------------------------------------------------------------------

    async def GetCameraConfig(self, request, context):
        return protocol.CameraConfigResponse(
            focal_length_x=353.0,
            focal_length_y=353.0,
            center_x=320.0,
            center_y=180.0,
            fov_x=90.0,
            fov_y=50.0,
            min_camera_exposure_time_ms=EXPOSURE_MS[0],
            max_camera_exposure_time_ms=EXPOSURE_MS[1],
            min_camera_gain=GAIN[0],
            max_camera_gain=GAIN[1],
        )

    async def CameraFeed(self, request, context):
        outbox = self.robot.open_camera()
        try:
            async for frame in until_ended(outbox, context):
                yield frame
        finally:
            self.robot.close_camera(outbox)

    async def IsImageStreamingEnabled(self, request, context):
        return protocol.IsImageStreamingEnabledResponse(is_image_streaming_enabled=self.robot.streaming)

    async def EnableImageStreaming(self, request, context):
        self.robot.stream_images(request.enable, request.enable_high_resolution)
        return protocol.EnableImageStreamingResponse(status=OK)

    async def CaptureSingleImage(self, request, context):
        image = await self.robot.shoot_single(request.enable_high_resolution)
        return protocol.CaptureSingleImageResponse(
            status=OK,
            frame_time_stamp=image.t_ms,
            image_id=image.image_id,
            image_encoding=JPEG_COLOR,
            data=image.jpeg,
        )

    async def SetCameraSettings(self, request, context):
        """Settings out of range, or without control, change nothing; the gateway's status hides that."""
        robot, answer = self.robot, protocol.SetCameraSettingsResponse(status=OK)
        in_range = (
            EXPOSURE_MS[0] <= request.exposure_ms <= EXPOSURE_MS[1] and GAIN[0] <= request.gain <= GAIN[1]
        )
        if robot.control.active is None:
            robot.log("ignored", rpc="SetCameraSettings", reason=NO_CONTROL)
        elif not request.enable_auto_exposure and not in_range:
            answer.status_message = (
                f"Camera exposure time must be in the range {EXPOSURE_MS[0]} - {EXPOSURE_MS[1]} ms, "
                f"gain must be in the range {GAIN[0]:g} - {GAIN[1]:g}"
            )
        else:
            robot.auto_exposure = request.enable_auto_exposure
            if not robot.auto_exposure:
                robot.exposure = Exposure(request.exposure_ms, request.gain)
            now = {"exposure_ms": robot.exposure.shutter_ms, "gain": robot.exposure.gain}
            robot.log("camera_settings", auto_exposure=robot.auto_exposure, **now)
            update = protocol.CameraSettingsUpdate(auto_exposure_enabled=robot.auto_exposure, **now)
            robot.send_event(camera_settings_update=update)
        return answer


def _passes(request: protocol.EventRequest, kind: str) -> bool:
    """Whether a kind of event passes the lists of a request, as in the gateway: either list lets it."""
    lists = [name for name in ("white_list", "black_list") if request.HasField(name)]
    return (
        not lists
        or ("white_list" in lists and kind in request.white_list.list)
        or ("black_list" in lists and kind not in request.black_list.list)
    )

"""The robot's protocol: what each call of the SDK does to a virtual Vector, and what it answers."""

import asyncio
import math

from anki_vector.messaging import protocol

from vector_tl.sim.engine.virtual import JPEG_COLOR, VirtualVector
from vector_tl.sim.gateway.account import Account
from vector_tl.sim.gateway.behaviours import Behaviours
from vector_tl.sim.gateway.cubes import CubeCalls
from vector_tl.sim.gateway.faces import FaceCalls
from vector_tl.sim.gateway.feeds import Feeds
from vector_tl.sim.gateway.memories import Memories
from vector_tl.sim.gateway.onboarding import Onboarding
from vector_tl.sim.gateway.settings import Settings
from vector_tl.sim.gateway.streams import OK, always, until_ended
from vector_tl.sim.world.battery import SHOWN_LOW_VOLTS
from vector_tl.sim.world.scene import Exposure

EXPOSURE_MS, GAIN = (1, 67), (0.1, 4.0)  # the ranges that can be set by hand


class VectorServicer(CubeCalls, FaceCalls, Memories, Settings, Account, Onboarding, Feeds, Behaviours):
    """Answers for one virtual Vector. Every method has the name of its call in the protocol."""

    def __init__(self, robot: VirtualVector):
        self.robot = robot
        Behaviours.__init__(self)

    # -- connecting ------------------------------------------------------------------------------------------

    async def ProtocolVersion(self, request, context):
        return protocol.ProtocolVersionResponse(
            result=protocol.ProtocolVersionResponse.SUCCESS, host_version=5
        )

    SDKInitialization = always(protocol.SDKInitializationResponse)

    async def UserAuthentication(self, request, context):
        return protocol.UserAuthenticationResponse(
            status=OK,
            code=protocol.UserAuthenticationResponse.AUTHORIZED,
            client_token_guid=self.robot.identity.guid.encode(),
        )

    async def BehaviorControl(self, requests, context):
        claim = self.robot.open_control()

        async def listen() -> None:
            async for request in requests:
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
        allowed, refused = set(request.white_list.list), set(request.black_list.list)
        outbox = self.robot.open_events(lambda kind: (not allowed or kind in allowed) and kind not in refused)
        try:
            async for event in until_ended(outbox, context):
                yield event
        finally:
            self.robot.close_events(outbox)

    EnableFaceDetection = always(protocol.EnableFaceDetectionResponse)
    EnableMarkerDetection = always(protocol.EnableMarkerDetectionResponse)
    EnableMotionDetection = always(protocol.EnableMotionDetectionResponse)
    EnableMirrorMode = always(protocol.EnableMirrorModeResponse)

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
        self.robot.streaming = request.enable
        self.robot.high_resolution = request.enable and request.enable_high_resolution
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
        robot = self.robot
        robot.auto_exposure = request.enable_auto_exposure
        if not robot.auto_exposure:
            gain = request.gain if math.isfinite(request.gain) else 1.0
            shutter_ms = min(max(request.exposure_ms, EXPOSURE_MS[0]), EXPOSURE_MS[1])
            robot.exposure = Exposure(shutter_ms, min(max(gain, GAIN[0]), GAIN[1]))
        now = {"exposure_ms": robot.exposure.shutter_ms, "gain": robot.exposure.gain}
        robot.log("camera_settings", auto_exposure=robot.auto_exposure, **now)
        update = protocol.CameraSettingsUpdate(auto_exposure_enabled=robot.auto_exposure, **now)
        robot.send_event(camera_settings_update=update)
        return protocol.SetCameraSettingsResponse(status=OK)

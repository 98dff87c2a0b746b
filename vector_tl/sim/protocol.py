"""The robot's own protocol: what each call of the SDK does to a virtual Vector, and what it answers."""

import asyncio
import math
from collections.abc import Callable

import grpc
from anki_vector.messaging import external_interface_pb2_grpc, protocol

from vector_tl.sim import animations
from vector_tl.sim.body import LIFT_RANGE_MM, Motion, lift_angle_rad
from vector_tl.sim.outbox import Ended
from vector_tl.sim.virtual import JPEG_COLOR, VirtualVector

ACTION = {"reached": protocol.ActionResult.ACTION_RESULT_SUCCESS, "cancelled": protocol.ActionResult.ACTION_RESULT_CANCELLED_WHILE_RUNNING,
          "stalled": protocol.ActionResult.MOTOR_STOPPED_MAKING_PROGRESS, "not started": protocol.ActionResult.NOT_STARTED}
COMPLETE, WONT_ACTIVATE = protocol.BehaviorResults.Value("BEHAVIOR_COMPLETE_STATE"), protocol.BehaviorResults.Value("BEHAVIOR_WONT_ACTIVATE_STATE")
DRIVE_ACCEL_MMPS2 = 200.0
SPEECH_MS_PER_LETTER = 75
OK = protocol.ResponseStatus(code=protocol.ResponseStatus.RESPONSE_RECEIVED)


class VectorServicer(external_interface_pb2_grpc.ExternalInterfaceServicer):
    """Answers for one virtual Vector. Every method has its RPC's name; what is not here answers UNIMPLEMENTED."""

    def __init__(self, robot: VirtualVector):
        self.robot = robot
        self._cancel_by_tag: dict[int, Callable[[], None]] = {}
        self._behaviours: set[asyncio.Future] = set()

    # -- connecting ---------------------------------------------------------------------------------------------------

    async def ProtocolVersion(self, request, context):
        return protocol.ProtocolVersionResponse(result=protocol.ProtocolVersionResponse.SUCCESS, host_version=5)

    async def SDKInitialization(self, request, context):
        return protocol.SDKInitializationResponse(status=OK)

    async def UserAuthentication(self, request, context):
        return protocol.UserAuthenticationResponse(
            status=OK, code=protocol.UserAuthenticationResponse.AUTHORIZED, client_token_guid=self.robot.identity.guid.encode())

    async def BehaviorControl(self, requests, context):
        claim = self.robot.open_control()

        async def listen():
            async for request in requests:
                if request.WhichOneof("request_type") == "control_request":
                    self.robot.control.request(claim, request.control_request.priority)
                else:
                    self._give_up_behaviours()
                    self.robot.control.release(claim)

        listener = asyncio.create_task(listen())
        listener.add_done_callback(lambda task: claim.outbox.end(aborted=False))  # the client has closed its side
        try:
            async for answer in _until_ended(claim.outbox, context):
                if answer.WhichOneof("response_type") == "control_lost_event":
                    self._give_up_behaviours()
                yield answer
        finally:
            listener.cancel()
            self.robot.close_control(claim)

    async def EventStream(self, request, context):
        allowed, refused = set(request.white_list.list), set(request.black_list.list)
        outbox = self.robot.open_events(lambda kind: (not allowed or kind in allowed) and kind not in refused)
        try:
            async for event in _until_ended(outbox, context):
                yield event
        finally:
            self.robot.close_events(outbox)

    async def EnableFaceDetection(self, request, context):
        return protocol.EnableFaceDetectionResponse(status=OK)

    async def EnableMarkerDetection(self, request, context):
        return protocol.EnableMarkerDetectionResponse(status=OK)

    async def EnableMotionDetection(self, request, context):
        return protocol.EnableMotionDetectionResponse(status=OK)

    async def EnableMirrorMode(self, request, context):
        return protocol.EnableMirrorModeResponse(status=OK)

    async def DeleteCustomObjects(self, request, context):
        return protocol.DeleteCustomObjectsResponse(status=OK)

    async def BatteryState(self, request, context):
        low = "low_battery" in self.robot.faults
        return protocol.BatteryStateResponse(
            status=OK, battery_level=protocol.BatteryLevel.Value("BATTERY_LEVEL_LOW" if low else "BATTERY_LEVEL_NOMINAL"),
            battery_volts=3.45 if low else 3.95, suggested_charger_sec=600.0 if low else 0.0)

    async def VersionState(self, request, context):
        return protocol.VersionStateResponse(status=OK, os_version="2.0.1.6076ep-simulated", engine_build_id="vector_tl")

    # -- camera -------------------------------------------------------------------------------------------------------

    async def GetCameraConfig(self, request, context):
        return protocol.CameraConfigResponse(
            focal_length_x=353.0, focal_length_y=353.0, center_x=320.0, center_y=180.0, fov_x=90.0, fov_y=50.0,
            min_camera_exposure_time_ms=1, max_camera_exposure_time_ms=67, min_camera_gain=0.1, max_camera_gain=4.0)

    async def CameraFeed(self, request, context):
        outbox = self.robot.open_camera()
        try:
            async for frame in _until_ended(outbox, context):
                yield frame
        finally:
            self.robot.close_camera(outbox)

    async def IsImageStreamingEnabled(self, request, context):
        return protocol.IsImageStreamingEnabledResponse(is_image_streaming_enabled=self.robot.streaming)

    async def EnableImageStreaming(self, request, context):
        self.robot.streaming, self.robot.high_resolution = request.enable, request.enable and request.enable_high_resolution
        return protocol.EnableImageStreamingResponse(status=OK)

    async def CaptureSingleImage(self, request, context):
        image_id, t_ms, jpeg = await self.robot.shoot(self.robot.view(request.enable_high_resolution))
        return protocol.CaptureSingleImageResponse(status=OK, frame_time_stamp=t_ms, image_id=image_id, image_encoding=JPEG_COLOR, data=jpeg)

    async def SetCameraSettings(self, request, context):
        robot = self.robot
        robot.exposure = (True, *robot.exposure[1:]) if request.enable_auto_exposure else (False, request.exposure_ms, request.gain)
        auto, exposure_ms, gain = robot.exposure
        robot.send_event(camera_settings_update=protocol.CameraSettingsUpdate(gain=gain, exposure_ms=exposure_ms, auto_exposure_enabled=auto))
        return protocol.SetCameraSettingsResponse(status=OK)

    # -- motors -------------------------------------------------------------------------------------------------------

    def _in_control(self, what: str) -> bool:
        """Without behaviour control nothing starts to move; the call is answered and the log says that it was ignored."""
        if self.robot.control.holder is None:
            self.robot.log("ignored", rpc=what, reason="no client has control")
            return False
        return True

    async def DriveWheels(self, request, context):
        left, right = request.left_wheel_mmps, request.right_wheel_mmps
        stops = left == 0.0 and right == 0.0  # is always obeyed
        if stops or self._in_control("DriveWheels"):
            body = self.robot.body
            body.drive(left, right, request.left_wheel_mmps2, request.right_wheel_mmps2)
            if body.cliff_stop and body.blocked_by_cliff(left, right):
                self.robot.log("ignored", rpc="DriveWheels", reason="cliff")
            self.robot.log("wheels", left_mmps=left, right_mmps=right)
        return protocol.DriveWheelsResponse(status=OK)

    async def StopAllMotors(self, request, context):
        self.robot.body.stop()
        self.robot.log("wheels", left_mmps=0.0, right_mmps=0.0)
        return protocol.StopAllMotorsResponse(status=OK)

    async def MoveHead(self, request, context):
        if request.speed_rad_per_sec == 0 or self._in_control("MoveHead"):
            self.robot.body.head.move(request.speed_rad_per_sec)
        return protocol.MoveHeadResponse(status=OK)

    async def MoveLift(self, request, context):
        if request.speed_rad_per_sec == 0 or self._in_control("MoveLift"):
            self.robot.body.lift.move(request.speed_rad_per_sec)
        return protocol.MoveLiftResponse(status=OK)

    async def SetHeadAngle(self, request, context):
        head = self.robot.body.head
        code = await self._joint(head, request.angle_rad, request)
        return protocol.SetHeadAngleResponse(status=OK, result=protocol.ActionResult(code=code))

    async def SetLiftHeight(self, request, context):
        lift = self.robot.body.lift
        code = await self._joint(lift, lift_angle_rad(min(max(request.height_mm, LIFT_RANGE_MM[0]), LIFT_RANGE_MM[1])), request)
        return protocol.SetLiftHeightResponse(status=OK, result=protocol.ActionResult(code=code))

    async def DriveStraight(self, request, context):
        code = await self._drive(False, request.dist_mm, abs(request.speed_mmps) or 100.0, DRIVE_ACCEL_MMPS2, request.id_tag)
        return protocol.DriveStraightResponse(status=OK, result=protocol.ActionResult(code=code))

    async def TurnInPlace(self, request, context):
        angle = request.angle_rad
        if request.is_absolute:
            angle = math.remainder(angle - self.robot.body.odometry[2], math.tau)
        code = await self._drive(True, angle, abs(request.speed_rad_per_sec) or 2.0, abs(request.accel_rad_per_sec2) or 10.0, request.id_tag)
        return protocol.TurnInPlaceResponse(status=OK, result=protocol.ActionResult(code=code))

    async def _joint(self, joint, angle_rad: float, request) -> int:
        speed = request.max_speed_rad_per_sec
        if request.duration_sec > 0:
            speed = max(abs(angle_rad - joint.angle_rad) / request.duration_sec, 1e-3)
        return await self._act(request.id_tag, joint.end, lambda done: joint.go_to(angle_rad, speed, request.accel_rad_per_sec2, done))

    async def _drive(self, turn: bool, left: float, speed: float, accel: float, tag: int) -> int:
        body = self.robot.body
        if left == 0.0 or not math.isfinite(left):
            return ACTION["reached" if left == 0.0 else "not started"]
        return await self._act(tag, body.end_motion, lambda done: body.run(Motion(turn, left, speed, accel, done)))

    async def _act(self, tag: int, cancel: Callable[[], None], start: Callable[[Callable[[str], None]], None]) -> int:
        """Start a motion and wait, in world time, until it is over."""
        if not self._in_control("action"):
            return ACTION["not started"]
        over = asyncio.get_running_loop().create_future()
        start(lambda how: over.done() or over.set_result(how))
        self._cancel_by_tag[tag] = cancel
        try:
            return ACTION[await over]
        finally:
            self._cancel_by_tag.pop(tag, None)

    async def CancelActionByIdTag(self, request, context):
        self._cancel_by_tag.get(request.id_tag, lambda: None)()
        return protocol.CancelActionByIdTagResponse(status=OK)

    # -- behaviours ---------------------------------------------------------------------------------------------------

    async def _behave(self, ms: float) -> bool:
        """Be busy for a time of the world; False when it was cancelled or nobody holds control."""
        if not self._in_control("behaviour"):
            return False
        over = asyncio.get_running_loop().create_future()
        self._behaviours.add(over)
        self.robot.world.after(ms, lambda: over.done() or over.set_result(True))
        self.robot.animating += 1
        try:
            return await over
        finally:
            self.robot.animating -= 1
            self._behaviours.discard(over)

    def _give_up_behaviours(self) -> None:
        for over in list(self._behaviours):
            if not over.done():
                over.set_result(False)

    async def CancelBehavior(self, request, context):
        self._give_up_behaviours()
        return protocol.CancelBehaviorResponse(status=OK)

    async def DriveOffCharger(self, request, context):
        """There is no charger in the world, so it stands off it already."""
        return protocol.DriveOffChargerResponse(status=OK, result=COMPLETE if self._in_control("DriveOffCharger") else WONT_ACTIVATE)

    async def DriveOnCharger(self, request, context):
        """There is no charger in the world to drive on."""
        return protocol.DriveOnChargerResponse(status=OK, result=WONT_ACTIVATE)

    async def SayText(self, request, context):
        self.robot.log("say", text=request.text)
        spoken = await self._behave(400 + SPEECH_MS_PER_LETTER * len(request.text) * (request.duration_scalar or 1.0))
        return protocol.SayTextResponse(status=OK, state=protocol.SayTextResponse.FINISHED if spoken else protocol.SayTextResponse.INVALID)

    async def PlayAnimation(self, request, context):
        return await self._play(request.animation.name, request.animation.name in animations.ANIMATIONS, request.loops)

    async def PlayAnimationTrigger(self, request, context):
        name = request.animation_trigger.name
        return await self._play(name, name in animations.TRIGGERS, request.loops)

    async def _play(self, name: str, known: bool, loops: int):
        done = known and await self._behave(animations.DURATION_MS * max(loops, 1))
        return protocol.PlayAnimationResponse(status=OK, result=COMPLETE if done else WONT_ACTIVATE, animation=protocol.Animation(name=name))

    async def ListAnimations(self, request, context):
        return protocol.ListAnimationsResponse(status=OK, animation_names=[protocol.Animation(name=name) for name in animations.ANIMATIONS])

    async def ListAnimationTriggers(self, request, context):
        triggers = [protocol.AnimationTrigger(name=name) for name in animations.TRIGGERS]
        return protocol.ListAnimationTriggersResponse(status=OK, animation_trigger_names=triggers)

    async def DisplayFaceImageRGB(self, request, context):
        return protocol.DisplayFaceImageRGBResponse(status=OK)

    async def SetEyeColor(self, request, context):
        return protocol.SetEyeColorResponse(status=OK)


async def _until_ended(outbox, context):
    """What comes into an outbox, until the robot ends the stream."""
    try:
        while True:
            yield await outbox.get()
    except Ended as ended:
        if ended.aborted:
            await context.abort(grpc.StatusCode.UNAVAILABLE, "the robot broke off the stream")

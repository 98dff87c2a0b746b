"""The calls that move the robot or keep it busy. Those that last are answered at their end."""

import asyncio
import math
from collections import defaultdict
from collections.abc import Callable, Iterable

import grpc
from anki_vector.messaging import protocol

from vector_tl.sim.engine import animations, navigation, routine
from vector_tl.sim.engine.animation_names import (
    ANIMATIONS,
    TRIGGERS,
    is_animations_form,
    is_triggers_form,
)
from vector_tl.sim.engine.motors import HEAD, LIFT, NO_NUMBER, WHEELS
from vector_tl.sim.engine.routine import Routine, Step, Steps
from vector_tl.sim.engine.virtual import VirtualVector
from vector_tl.sim.gateway.streams import FORBIDDEN, OK, PROCESSING
from vector_tl.sim.world.body import HEAD_RANGE_RAD, LIFT_RANGE_MM, Done, Joint, lift_angle_rad, or_zero

_ACTION = protocol.ActionResult
ACTION = {
    "reached": _ACTION.ACTION_RESULT_SUCCESS,
    "cancelled": _ACTION.ACTION_RESULT_CANCELLED_WHILE_RUNNING,
    "stalled": _ACTION.MOTOR_STOPPED_MAKING_PROGRESS,
    "not started": _ACTION.NOT_STARTED,
    "no way": _ACTION.PATH_PLANNING_FAILED_ABORT,
    "on charger": _ACTION.SHOULDNT_DRIVE_ON_CHARGER,
    "bad object": _ACTION.BAD_OBJECT,
    "no face": _ACTION.NO_FACE,
    "missed": _ACTION.LAST_PICK_AND_PLACE_FAILED,
    "still carrying": _ACTION.STILL_CARRYING_OBJECT,
    "not carrying": _ACTION.NOT_CARRYING_OBJECT_ABORT,
    "tracks locked": _ACTION.TRACKS_LOCKED,
    "bad tag": _ACTION.BAD_TAG,
}
ACTION_TAGS = range(protocol.FIRST_SDK_TAG, protocol.LAST_SDK_TAG + 1)
COMPLETE = protocol.BehaviorResults.Value("BEHAVIOR_COMPLETE_STATE")
INVALID_STATE = protocol.BehaviorResults.Value("BEHAVIOR_INVALID_STATE")
WONT_ACTIVATE = protocol.BehaviorResults.Value("BEHAVIOR_WONT_ACTIVATE_STATE")
GO_TO_MMPS, GO_TO_RADPS = 100.0, 2.0
SPEECH_MS, SPEECH_MS_PER_LETTER = 400, 75
SCREEN_BYTES = 184 * 96 * 2  # RGB 565
AUDIO_RATES_HZ = (8000, 16025)


class Behaviours:
    """Mixed into the servicer, whose `robot` it moves."""

    robot: VirtualVector

    def __init__(self):
        self._by_tag: dict[int, Routine] = {}
        self._waiting: defaultdict[str, set[asyncio.Future[str]]] = defaultdict(set)

    def _in_control(self, what: str) -> bool:
        """Whether a client has behaviour control: without it nothing starts to move, and the log says so."""
        if self.robot.control.active is None:
            self.robot.log("ignored", rpc=what, reason="no client has control")
            return False
        return True

    async def _perform(
        self,
        what: str,
        steps: Steps,
        tag: int | None = None,
        animates: bool = False,
        ended: Done = lambda how: None,
        tracks: Iterable[str] = (),
        delegated: bool = False,
    ) -> str:
        """Run a routine and wait, in the world's time, until it is over.

        The robot's gateway knows answers by their kind only: whoever waits for one gets the first that comes,
        though it is that of another routine, and may be another client's.

        Args:
            what: kind of routine: what asks for it, and whose answer is waited for.
            steps: of the routine.
            tag: by which it can be cancelled.
            animates: whether it is an animation or a behaviour.
            ended: is called with how it ended, also when nobody waits any more.
            tracks: that it needs: it does not begin while another action or a direct command has one of them.
            delegated: whether it is one of the robot's behaviours: direct commands do nothing meanwhile.

        Returns:
            how it ended.
        """
        over = asyncio.get_running_loop().create_future()
        self._waiting[what].add(over)
        running: Routine | None = None

        def is_over(how: str) -> None:
            ended(how)
            # Until here a client that broke the call off could still cancel it by its tag.
            self._by_tag = {tag: other for tag, other in self._by_tag.items() if other is not running}
            for waiting in self._waiting.pop(what, ()):
                if not waiting.done():
                    waiting.set_result(how)

        def begin() -> None:
            nonlocal running
            why_not = None if self._in_control(what) else "not started"
            if why_not is None and tag in self._by_tag:
                why_not = "bad tag"
            if why_not is None and self.robot.motors.locked(tracks):
                why_not = "tracks locked"
            if why_not is not None:
                steps.close()
                is_over(why_not)
                return
            running = self.robot.perform(steps, is_over, animates, frozenset(tracks), delegated)
            if tag is not None and not running.over:
                self._by_tag[tag] = running

        self.robot.take_in(begin)
        return await over

    async def _act(self, context, response, request, steps: Steps, tracks: Iterable[str], **numbers: float):
        """Perform an action that needs `tracks` and was asked for with `numbers`, which the log gets.

        An action with a number that is not finite does not start; one with a tag that is not of the SDK's
        range is refused.
        """
        if request.id_tag not in ACTION_TAGS:
            steps.close()
            await context.abort(grpc.StatusCode.INVALID_ARGUMENT, "Invalid Action tag_id")
        rpc = request.DESCRIPTOR.name.removesuffix("Request")
        self.robot.log("action", rpc=rpc, id_tag=request.id_tag, **numbers)

        def ended(how: str) -> None:
            self.robot.log("action_end", rpc=rpc, id_tag=request.id_tag, ended=how)

        if all(map(math.isfinite, numbers.values())):
            how = await self._perform(rpc, steps, request.id_tag, ended=ended, tracks=tracks)
        else:
            self.robot.log("ignored", rpc=rpc, reason=NO_NUMBER)
            steps.close()
            how = "not started"
            ended(how)
        return response(status=OK, result=_ACTION(code=ACTION[how]))

    async def _behave(self, response, what: str, steps: Steps):
        how = await self._perform(what, steps, animates=True, delegated=True)
        result = {"reached": COMPLETE, "cancelled": INVALID_STATE}.get(how, WONT_ACTIVATE)
        return response(status=OK, result=result)

    # -- motors ----------------------------------------------------------------------------------------------

    async def DriveWheels(self, request, context):
        self.robot.motors.drive(
            request.left_wheel_mmps,
            request.right_wheel_mmps,
            request.left_wheel_mmps2,
            request.right_wheel_mmps2,
        )
        return protocol.DriveWheelsResponse(status=PROCESSING)

    async def StopAllMotors(self, request, context):
        self.robot.motors.stop()
        return protocol.StopAllMotorsResponse(status=PROCESSING)

    async def MoveHead(self, request, context):
        self.robot.motors.move("MoveHead", lambda body: body.head, request.speed_rad_per_sec)
        return protocol.MoveHeadResponse(status=PROCESSING)

    async def MoveLift(self, request, context):
        self.robot.motors.move("MoveLift", lambda body: body.lift, request.speed_rad_per_sec)
        return protocol.MoveLiftResponse(status=PROCESSING)

    # -- actions ---------------------------------------------------------------------------------------------

    async def SetHeadAngle(self, request, context):
        angle_rad = min(max(request.angle_rad, HEAD_RANGE_RAD[0]), HEAD_RANGE_RAD[1])
        steps = _joint_steps(request, routine.head, self.robot.body.head, angle_rad)
        numbers = {"angle_rad": request.angle_rad} | _pace(request)
        return await self._act(context, protocol.SetHeadAngleResponse, request, steps, [HEAD], **numbers)

    async def SetLiftHeight(self, request, context):
        angle_rad = lift_angle_rad(min(max(request.height_mm, LIFT_RANGE_MM[0]), LIFT_RANGE_MM[1]))
        steps = _joint_steps(request, routine.lift, self.robot.body.lift, angle_rad)
        numbers = {"height_mm": request.height_mm} | _pace(request)
        return await self._act(context, protocol.SetLiftHeightResponse, request, steps, [LIFT], **numbers)

    async def DriveStraight(self, request, context):
        mmps = abs(request.speed_mmps) or GO_TO_MMPS
        steps = self._driven(routine.only(routine.drive(request.dist_mm, mmps)))
        numbers = {"dist_mm": request.dist_mm, "speed_mmps": mmps}
        return await self._act(context, protocol.DriveStraightResponse, request, steps, [WHEELS], **numbers)

    async def TurnInPlace(self, request, context):
        radps = abs(request.speed_rad_per_sec) or GO_TO_RADPS
        radps2 = abs(request.accel_rad_per_sec2) or routine.ACCEL_RADPS2
        angle = request.angle_rad
        if request.is_absolute and math.isfinite(angle):
            angle = math.remainder(angle - self.robot.body.odometry[2], math.tau)
        steps = self._driven(routine.only(routine.turn(angle, radps, radps2)))
        numbers = {"angle_rad": angle, "speed_radps": radps, "accel_radps2": radps2}
        return await self._act(context, protocol.TurnInPlaceResponse, request, steps, [WHEELS], **numbers)

    async def GoToPose(self, request, context):
        body = self.robot.body
        x_mm, y_mm, rad = request.x_mm, request.y_mm, request.rad
        mmps = request.motion_prof.speed_mmps or GO_TO_MMPS
        radps = request.motion_prof.point_turn_speed_rad_per_sec or GO_TO_RADPS
        blocks = list(self.robot.map.objects.values())
        steps = self._driven(navigation.go_to(lambda: body.odometry, (x_mm, y_mm, rad), blocks, mmps, radps))
        numbers = {"x_mm": x_mm, "y_mm": y_mm, "heading_rad": rad, "speed_mmps": mmps, "turn_radps": radps}
        return await self._act(context, protocol.GoToPoseResponse, request, steps, [WHEELS], **numbers)

    def _driven(self, steps: Steps) -> Steps:
        """The same steps, unless it is on its charger."""
        if self.robot.body.on_charger:
            return "on charger"
        return (yield from steps)

    async def CancelActionByIdTag(self, request, context):
        def cancel() -> None:
            if request.id_tag in self._by_tag:
                self._by_tag[request.id_tag].cancel()

        self.robot.take_in(cancel)
        return protocol.CancelActionByIdTagResponse(status=PROCESSING)

    # -- behaviours ------------------------------------------------------------------------------------------

    async def CancelBehavior(self, request, context):
        def cancel() -> None:
            for running in [running for running in self.robot.routines if running.animates]:
                running.cancel()

        self.robot.take_in(cancel)
        return protocol.CancelBehaviorResponse(status=PROCESSING)

    async def DriveOffCharger(self, request, context):
        steps = navigation.off_charger(self.robot)
        return await self._behave(protocol.DriveOffChargerResponse, "DriveOffCharger", steps)

    async def DriveOnCharger(self, request, context):
        steps = navigation.on_charger(self.robot)
        return await self._behave(protocol.DriveOnChargerResponse, "DriveOnCharger", steps)

    async def LookAroundInPlace(self, request, context):
        steps = self._driven(navigation.look_around())
        return await self._behave(protocol.LookAroundInPlaceResponse, "LookAroundInPlace", steps)

    async def SayText(self, request, context):
        self.robot.log("say", text=request.text)
        ms = SPEECH_MS + SPEECH_MS_PER_LETTER * len(request.text) * (or_zero(request.duration_scalar) or 1.0)
        how = await self._perform("SayText", routine.only(routine.wait(ms)), animates=True)
        if how != "reached":
            await context.abort(grpc.StatusCode.INTERNAL, "Failed to say text")
        return protocol.SayTextResponse(status=OK, state=protocol.SayTextResponse.FINISHED)

    async def PlayAnimation(self, request, context):
        return await self._play(request.animation.name, ANIMATIONS, is_animations_form, request)

    async def PlayAnimationTrigger(self, request, context):
        return await self._play(request.animation_trigger.name, TRIGGERS, is_triggers_form, request)

    async def _play(self, name: str, listed: tuple[str, ...], fits: Callable[[str], bool], request):
        """Play an animation; one that is not listed only where its name has the robot's form.

        The log says which.
        """
        done = False
        if name in listed or fits(name):
            self.robot.log("animation", name=name, loops=max(request.loops, 1), listed=name in listed)
            locked = self.robot.motors.locked  # what something else moves an animation leaves alone
            tracks = {
                "head": not (request.ignore_head_track or locked([HEAD])),
                "lift": not (request.ignore_lift_track or locked([LIFT])),
                "body": not (request.ignore_body_track or locked([WHEELS])),
            }
            steps = animations.play(self.robot, name, request.loops, **tracks)
            done = await self._perform("animation", steps, animates=True) == "reached"
        return protocol.PlayAnimationResponse(
            status=OK, result=COMPLETE if done else WONT_ACTIVATE, animation=protocol.Animation(name=name)
        )

    async def ListAnimations(self, request, context):
        names = [protocol.Animation(name=name) for name in ANIMATIONS]
        return protocol.ListAnimationsResponse(status=OK, animation_names=names)

    async def ListAnimationTriggers(self, request, context):
        triggers = [protocol.AnimationTrigger(name=name) for name in TRIGGERS]
        return protocol.ListAnimationTriggersResponse(status=OK, animation_trigger_names=triggers)

    # -- face and voice --------------------------------------------------------------------------------------

    async def DisplayFaceImageRGB(self, request, context):
        if len(request.face_data) == SCREEN_BYTES and self._in_control("DisplayFaceImageRGB"):
            self.robot.log("screen", duration_ms=request.duration_ms, mean_rgb=_mean_rgb(request.face_data))
        return protocol.DisplayFaceImageRGBResponse(status=PROCESSING)

    async def SetEyeColor(self, request, context):
        if self._in_control("SetEyeColor"):
            self.robot.set_eye_color(request.hue, request.saturation)
            self.robot.log("eye_color", hue=request.hue, saturation=request.saturation)
        return protocol.SetEyeColorResponse(status=PROCESSING)

    async def SetMasterVolume(self, request, context):
        if request.volume_level not in protocol.MasterVolumeLevel.values():
            return protocol.MasterVolumeResponse(status=FORBIDDEN)
        self.robot.log("volume", level=request.volume_level)
        return protocol.MasterVolumeResponse(status=OK)

    async def ExternalAudioStreamPlayback(self, requests, context):
        """Receive the sound, and answer when it has been played: as long after its beginning as it lasts."""
        rate_hz, size_bytes, begun_ms = 0, 0, 0
        failure = protocol.ExternalAudioStreamResponse(  # the field's name is the protocol's
            audio_stream_playback_failyer=protocol.ExternalAudioStreamPlaybackFailure()
        )
        async for request in requests:
            kind = request.WhichOneof("audio_request_type")
            if kind == "audio_stream_prepare":
                rate_hz, size_bytes = request.audio_stream_prepare.audio_frame_rate, 0
                begun_ms = self.robot.world.t_ms
                playable = AUDIO_RATES_HZ[0] <= rate_hz <= AUDIO_RATES_HZ[1]
                if not playable or not self._in_control("ExternalAudioStreamPlayback"):
                    yield failure
                    return
            elif kind == "audio_stream_chunk":
                size_bytes += len(request.audio_stream_chunk.audio_chunk_samples)
            elif kind == "audio_stream_cancel" or not rate_hz:
                yield failure
                return
            else:
                lasts_ms = 1000 * size_bytes / 2 / rate_hz
                self.robot.log("audio", rate_hz=rate_hz, lasts_ms=round(lasts_ms))
                left_ms = max(begun_ms + lasts_ms - self.robot.world.t_ms, 0.0)
                how = await self._perform("audio", routine.only(routine.wait(left_ms)))
                played = protocol.ExternalAudioStreamResponse(
                    audio_stream_playback_complete=protocol.ExternalAudioStreamPlaybackComplete()
                )
                yield played if how == "reached" else failure
                return


def _pace(request) -> dict[str, float]:
    """How fast a joint is asked to move, for the log."""
    return {
        "speed_radps": request.max_speed_rad_per_sec,
        "accel_radps2": request.accel_rad_per_sec2,
        "duration_s": request.duration_sec,
    }


def _joint_steps(
    request, move: Callable[[float, float, float], Step], joint: Joint, angle_rad: float
) -> Steps:
    """Move a joint to an angle, at the speed asked for or in the duration asked for."""
    radps = request.max_speed_rad_per_sec
    if request.duration_sec > 0:
        radps = max(abs(angle_rad - joint.angle_rad) / request.duration_sec, 1e-3)
    return routine.only(move(angle_rad, radps, request.accel_rad_per_sec2))


def _mean_rgb(face_data: bytes) -> list[int]:
    """The mean colour (0 to 255) of an image in RGB 565, high byte first."""
    pixels = [high << 8 | low for high, low in zip(face_data[::2], face_data[1::2], strict=True)]
    channels = ((11, 31), (5, 63), (0, 31))
    return [
        round(255 * sum(pixel >> shift & top for pixel in pixels) / top / len(pixels))
        for shift, top in channels
    ]

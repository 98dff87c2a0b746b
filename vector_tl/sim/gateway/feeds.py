"""The streams that the SDK itself does not use: control over one way, and the microphones."""

import math

import grpc
import numpy as np
from anki_vector.messaging import protocol

from vector_tl.sim.engine.outbox import Outbox
from vector_tl.sim.engine.virtual import VirtualVector
from vector_tl.sim.gateway.streams import until_ended

# W sdkComponent.cpp UpdateDependent: what the robot sends is a test tone, not what its microphones hear.
TONE_HZ, TONE_AMPLITUDE = 1000, 1000
AUDIO_PERIOD_MS = 120  # more than 100 ms, at the engine's ticks of 60 ms
AUDIO_OUTBOX = 8
DIRECTIONS, NO_DIRECTION = protocol.MIC_DETECTION_DIRECTIONS, 12
_turns = np.arange(protocol.SAMPLE_COUNTS_PER_SDK_MESSAGE) * (
    math.tau * TONE_HZ / protocol.PROCESSED_SAMPLE_RATE
)
TONE = (np.sin(_turns) * TONE_AMPLITUDE).astype("<i2").tobytes()


class Feeds:
    """Mixed into the servicer, whose `robot` sends."""

    robot: VirtualVector

    async def AssumeBehaviorControl(self, request, context):
        """One request, as on a `BehaviorControl` stream, then its answers and pings.

        Unlike there nothing is released when the stream ends (G message_handler.go, AssumeBehaviorControl):
        a client releases with another call.
        """
        if request.WhichOneof("request_type") is None:
            why = "BehaviorControlRequest.ControlRequest has unexpected type <nil>"
            await context.abort(grpc.StatusCode.INVALID_ARGUMENT, why)
        claim = self.robot.open_control()
        self.robot.ask_control(claim, request)
        try:
            async for answer in until_ended(claim.outbox, context):
                yield answer
        finally:
            self.robot.log("stream", stream="control", state="closed")
            self.robot.control.close(claim)

    async def AudioFeed(self, request, context):
        """A tone of 1 kHz, 16 bits at 16 kHz, 1600 samples a message."""
        robot, outbox, open_ = self.robot, Outbox(AUDIO_OUTBOX), True
        group = 0

        def send() -> None:
            nonlocal group
            if not open_:
                return
            message = protocol.AudioFeedResponse(
                robot_time_stamp=robot.world.t_ms,
                group_id=group,
                signal_power=TONE,
                direction_strengths=bytes(DIRECTIONS),
                source_direction=NO_DIRECTION,
            )
            outbox.put(message)
            group += 1
            robot.world.after(AUDIO_PERIOD_MS, send)

        robot.log("stream", stream="audio", state="open")
        send()
        try:
            async for message in until_ended(outbox, context):
                yield message
        finally:
            open_ = False
            robot.log("stream", stream="audio", state="closed")

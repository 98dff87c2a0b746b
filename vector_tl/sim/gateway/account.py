"""The calls about what is behind a robot: cloud, updates, Alexa, features, logs.

A simulated robot answers as one whose cloud is there and has no update for it. Nothing leaves the simulator.
"""

from anki_vector.messaging import protocol

from vector_tl.sim.engine.intents import obey
from vector_tl.sim.engine.memory import UNINITIALIZED, WAITING_FOR_CODE
from vector_tl.sim.engine.virtual import VirtualVector
from vector_tl.sim.gateway.full_protocol import message
from vector_tl.sim.gateway.streams import OK, PROCESSING, always

STATUS = type(OK)
CLOUD_PACKETS = 6
UNKNOWN_SIZE = -1  # of an update, while there is none
UPDATE_STATUS_MS = 2000  # between the two reports after StartUpdateEngine
FEATURES = {  # gates of the robot's voice commands (wire-os-victor, user_intent_map.json), and whether open
    "Exploring": True,
    "EyeColorVC": True,
    "FetchCube": True,
    "FindCube": True,
    "GazeDirection": False,
    "HowOldAreYou": True,
    "KnowledgeGraph": True,
    "Messaging": False,
    "Volume": True,
}


class Account:
    """Mixed into the servicer, whose `robot` it asks."""

    robot: VirtualVector

    # -- cloud and logs --------------------------------------------------------------------------------------

    CheckCloudConnection = always(
        protocol.CheckCloudResponse,
        code=protocol.CheckCloudResponse.AVAILABLE,
        num_packets=CLOUD_PACKETS,
        expected_packets=CLOUD_PACKETS,
    )
    # Nothing was ever handed over to a person for want of the cloud or of an intent.
    GetLatestAttentionTransfer = always(
        protocol.LatestAttentionTransferResponse, latest_attention_transfer=protocol.LatestAttentionTransfer()
    )

    async def UploadDebugLogs(self, request, context):
        """An address, as of an upload; it leads nowhere, since nothing is uploaded."""
        url = f"https://logs.invalid/{self.robot.serial}/{self.robot.world.t_ms}"
        self.robot.log("debug_logs", url=url)
        return message("UploadDebugLogsResponse")(status=STATUS(code=STATUS.OK), url=url)

    # -- intents ---------------------------------------------------------------------------------------------

    async def AppIntent(self, request, context):
        """Do what an app asks for, as if somebody had said it."""

        def begin() -> None:
            does = obey(self.robot, request.intent, request.param)
            self.robot.log("app_intent", intent=request.intent, param=request.param, does=does)

        self.robot.take_in(begin)
        return protocol.AppIntentResponse(status=PROCESSING)

    # -- updates ---------------------------------------------------------------------------------------------

    async def CheckUpdateStatus(self, request, context):
        """There is no update."""
        return protocol.CheckUpdateStatusResponse(
            status=STATUS(code=STATUS.OK), expected=UNKNOWN_SIZE, progress=UNKNOWN_SIZE
        )

    async def StartUpdateEngine(self, request, context):
        """Look for an update: two events report that there is none."""
        report = protocol.CheckUpdateStatusResponse(status=STATUS(code=STATUS.OK), expected=1)
        for after_ms in (0, UPDATE_STATUS_MS):
            self.robot.world.after(
                after_ms, lambda: self.robot.send_event(check_update_status_response=report)
            )
        return protocol.CheckUpdateStatusResponse(status=OK)

    async def UpdateAndRestart(self, request, context):
        """There is no update to restart into."""
        return protocol.UpdateAndRestartResponse(status=STATUS(code=STATUS.NOT_FOUND))

    # -- Alexa and features ----------------------------------------------------------------------------------

    async def GetAlexaAuthState(self, request, context):
        """Whether Alexa is signed in."""
        return protocol.AlexaAuthStateResponse(status=OK, auth_state=self.robot.memory.alexa)

    async def AlexaOptIn(self, request, context):
        """Begin to sign in, which then waits for a person to enter a code; or sign out."""
        self.robot.memory.alexa = WAITING_FOR_CODE if request.opt_in else UNINITIALIZED
        self.robot.log("alexa", opt_in=request.opt_in)
        event = protocol.AlexaAuthEvent(auth_state=self.robot.memory.alexa)
        self.robot.take_in(lambda: self.robot.send_event(alexa_auth_event=event))
        return protocol.AlexaOptInResponse(status=PROCESSING)

    async def GetFeatureFlag(self, request, context):
        """Whether a feature is there, and on."""
        name = request.feature_name
        return protocol.FeatureFlagResponse(
            status=OK, valid_feature=name in FEATURES, feature_enabled=FEATURES.get(name, False)
        )

    async def GetFeatureFlagList(self, request, context):
        """The features that are on, of those asked for or of all."""
        asked = request.request_list or FEATURES
        return protocol.FeatureFlagListResponse(
            status=OK, list=[name for name in asked if FEATURES.get(name, False)]
        )

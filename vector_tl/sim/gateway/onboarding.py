"""The calls of the first set-up: a robot that is in use has it behind itself, until it is restarted."""

import grpc

from vector_tl.sim.engine.memory import COMPLETE, NOT_STARTED
from vector_tl.sim.engine.virtual import VirtualVector
from vector_tl.sim.gateway.full_protocol import message
from vector_tl.sim.gateway.streams import OK, PROCESSING

STATUS = type(OK)
PHASE_COMPLETE = 3
_STAGES = {  # inputs that end the set-up, or begin it again
    "onboarding_skip_onboarding": COMPLETE,
    "onboarding_mark_complete_and_exit": COMPLETE,
    "onboarding_restart": NOT_STARTED,
}


class Onboarding:
    """Mixed into the servicer, whose `robot` remembers how far the set-up is."""

    robot: VirtualVector

    async def GetOnboardingState(self, request, context):
        """How far its first set-up is."""
        stage = self.robot.memory.onboarding_stage
        return message("OnboardingStateResponse")(status=OK, onboarding_state={"stage": stage})

    async def SendOnboardingInput(self, request, context):
        """A step of the set-up: the phase asked for, how far it is, or its end."""
        what = request.WhichOneof("oneof_message_type")
        if what is None:
            why = "OnboardingInputRequest.OneofMessageType has unexpected type <nil>"
            await context.abort(grpc.StatusCode.INVALID_ARGUMENT, why)
        memory = self.robot.memory
        self.robot.log("onboarding", input=what)
        memory.onboarding_stage = _STAGES.get(what, memory.onboarding_stage)
        if what == "onboarding_set_phase_request" and memory.onboarding_stage != COMPLETE:
            memory.onboarding_phase = request.onboarding_set_phase_request.phase
        answer = what.removesuffix("_request") + "_response"
        return message("OnboardingInputResponse")(status=PROCESSING, **self._answers(answer))

    def _answers(self, answer: str) -> dict[str, dict]:
        """The field of the response that belongs to an input, with its values; none for some inputs."""
        memory, body = self.robot.memory, self.robot.body
        done = memory.onboarding_stage == COMPLETE
        # W behaviorOnboardingCoordinator.cpp: outside the set-up the answer's own status is UNKNOWN.
        status = STATUS(code=STATUS.UNKNOWN if done else STATUS.OK)
        state = PHASE_COMPLETE if memory.onboarding_phase else 0
        charging = {"on_charger": body.on_charger, "needs_to_charge": False}
        fields: dict[str, dict] = {
            "onboarding_complete_response": {"completed": done},
            "onboarding_wake_up_response": {"waking_up": not done, "charging_info": charging},
            "onboarding_wake_up_started_response": {"already_started": done},
            "onboarding_set_phase_response": {
                "status": status,
                "phase": memory.onboarding_phase,
                "phase_state": state,
            },
            "onboarding_phase_progress_response": {
                "status": status,
                "last_set_phase": memory.onboarding_phase,
                "last_set_phase_state": state,
                "percent_completed": 100 if state else 0,
            },
            "onboarding_charge_info_response": {"status": status, **charging, "required_charge_time": 0.0},
        }
        return {answer: fields[answer]} if answer in fields else {}

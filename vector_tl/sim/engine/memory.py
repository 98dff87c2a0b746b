"""What a robot keeps for good, whichever program is connected: its documents, faces and set-up."""

from collections.abc import Sequence

from anki_vector.messaging import protocol

from vector_tl.sim.engine.faces import Faces
from vector_tl.sim.engine.jdocs import Jdocs

NOT_STARTED, COMPLETE = 0, 3  # of the protocol's OnboardingStages
_alexa = protocol.AlexaAuthState.Value
UNINITIALIZED, WAITING_FOR_CODE = _alexa("ALEXA_AUTH_UNINITIALIZED"), _alexa("ALEXA_AUTH_WAITING_FOR_CODE")


class Memory:
    """One robot's memory. `names` are those of the faces that are enrolled when it wakes up."""

    def __init__(self, names: Sequence[str] = ()):
        self.jdocs = Jdocs()
        self.faces = Faces(names)
        self.onboarding_stage = COMPLETE
        self.onboarding_phase = 0
        self.alexa = UNINITIALIZED

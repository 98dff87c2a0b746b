"""The calls about the faces that a robot knows. Nobody stands in the drawn world, so none is ever seen."""

from anki_vector.messaging import protocol

from vector_tl.sim.engine import navigation
from vector_tl.sim.engine.enrolling import enroll
from vector_tl.sim.engine.faces import Face
from vector_tl.sim.engine.motors import HEAD, WHEELS
from vector_tl.sim.engine.routine import Steps
from vector_tl.sim.engine.virtual import PHOTO_EPOCH_S
from vector_tl.sim.gateway.behaviours import Behaviours
from vector_tl.sim.gateway.streams import OK, PROCESSING


class FaceCalls(Behaviours):
    """Mixed into the servicer, whose `robot` remembers the faces."""

    async def RequestEnrolledNames(self, request, context):
        """The faces that it knows, with their ages."""
        faces = [self._known(face) for face in self.robot.memory.faces]
        return protocol.RequestEnrolledNamesResponse(status=OK, faces=faces)

    def _known(self, face: Face) -> protocol.LoadedKnownFace:
        age_s = (self.robot.world.t_ms - face.enrolled_ms) // 1000
        return protocol.LoadedKnownFace(
            seconds_since_first_enrolled=age_s,
            seconds_since_last_updated=age_s,
            seconds_since_last_seen=age_s,
            last_seen_seconds_since_epoch=PHOTO_EPOCH_S + face.enrolled_ms // 1000,
            face_id=face.face_id,
            name=face.name,
        )

    async def UpdateEnrolledFaceByID(self, request, context):
        """Give a face another name; an event reports that it has it."""
        if self.robot.memory.faces.rename(request.face_id, request.old_name, request.new_name):
            event = protocol.RobotRenamedEnrolledFace(face_id=request.face_id, name=request.new_name)
            self.robot.log("face", state="renamed", face_id=request.face_id, name=request.new_name)
            self.robot.take_in(lambda: self.robot.send_event(robot_renamed_enrolled_face=event))
        return protocol.UpdateEnrolledFaceByIDResponse(status=PROCESSING)

    async def EraseEnrolledFaceByID(self, request, context):
        """Forget a face; an event reports it."""
        face = self.robot.memory.faces.erase(request.face_id)
        if face:
            event = protocol.RobotErasedEnrolledFace(face_id=face.face_id, name=face.name)
            self.robot.log("face", state="erased", face_id=face.face_id, name=face.name)
            self.robot.take_in(lambda: self.robot.send_event(robot_erased_enrolled_face=event))
        return protocol.EraseEnrolledFaceByIDResponse(status=PROCESSING)

    async def EraseAllEnrolledFaces(self, request, context):
        """Forget all faces."""
        for face in self.robot.memory.faces:
            self.robot.memory.faces.erase(face.face_id)
        self.robot.log("face", state="all erased")
        return protocol.EraseAllEnrolledFacesResponse(status=PROCESSING)

    # -- enrolling -------------------------------------------------------------------------------------------

    async def SetFaceToEnroll(self, request, context):
        """Say whose face EnrollFace is to look for."""
        self.robot.memory.faces.to_enroll = (request.name, request.save_id)
        return protocol.SetFaceToEnrollResponse(status=OK)

    async def EnrollFace(self, request, context):
        """Look at the person who is there, and remember the face; events report how it went."""
        return await self._behave(protocol.EnrollFaceResponse, "EnrollFace", enroll(self.robot))

    async def CancelFaceEnrollment(self, request, context):
        """Give up enrolling."""
        self.robot.memory.faces.to_enroll = None
        return protocol.CancelFaceEnrollmentResponse(status=PROCESSING)

    # -- looking for faces -----------------------------------------------------------------------------------

    async def TurnTowardsFace(self, request, context):
        """Turn to a face that it sees; it sees none."""
        steps = _no_face()
        numbers = {"face_id": request.face_id, "max_turn_angle_rad": request.max_turn_angle_rad}
        return await self._act(
            context, protocol.TurnTowardsFaceResponse, request, steps, [WHEELS, HEAD], **numbers
        )

    async def FindFaces(self, request, context):
        """Look about for faces; there are none to be seen."""
        steps = self._driven(navigation.look_around())
        return await self._behave(protocol.FindFacesResponse, "FindFaces", steps)


def _no_face() -> Steps:
    """Ends at once."""
    yield from ()
    return "no face"

"""How a robot gets to know a face: it looks up, scans it where somebody is there, and reports how it went."""

from anki_vector.messaging import protocol

from vector_tl.sim.engine import routine
from vector_tl.sim.engine.routine import Steps
from vector_tl.sim.engine.virtual import PHOTO_EPOCH_S, VirtualVector

SCAN_MS, SEARCH_MS = 3000, 8000
SCAN_HEAD_RAD = 0.6


def enroll(robot: VirtualVector) -> Steps:
    """Enroll the face that was announced (`Faces.to_enroll`); without one it does not start."""
    faces = robot.memory.faces
    if faces.to_enroll is None:
        return "not started"
    yield routine.head(SCAN_HEAD_RAD)
    if faces.people:
        _report(robot, meet_victor_face_scan_started=protocol.MeetVictorFaceScanStarted())
        yield routine.wait(SCAN_MS)
        _report(robot, meet_victor_face_scan_complete=protocol.MeetVictorFaceScanComplete())
    else:
        yield routine.wait(SEARCH_MS)
    result, face = faces.enroll(robot.world.t_ms)
    number, name = (face.face_id, face.name) if face else (0, "")
    robot.log("face", state="enrolled" if face else result, face_id=number, name=name)
    end = protocol.FaceEnrollmentCompleted(
        result=protocol.FaceEnrollmentResult.Value(result), face_id=number, name=name
    )
    _report(robot, face_enrollment_completed=end)
    return None


def _report(robot: VirtualVector, **status) -> None:
    """Send a `time_stamped_status` event with one of the fields of `Status`."""
    event = protocol.TimeStampedStatus(
        status=protocol.Status(**status), timestamp_utc=PHOTO_EPOCH_S + robot.world.t_ms // 1000
    )
    robot.send_event(time_stamped_status=event)

"""The faces that a robot knows by name. There are no people in the drawn world: nobody's face is ever seen.

With enrolled faces (`--faces`) somebody is there to be enrolled too, though no camera shows it.
"""

from collections.abc import Sequence
from dataclasses import dataclass

MAX_FACES = 20


@dataclass
class Face:
    """An enrolled face."""

    face_id: int
    name: str
    enrolled_ms: int  # of the world's time


class Faces:
    """One robot's enrolled faces."""

    def __init__(self, names: Sequence[str] = ()):
        self._faces = {number: Face(number, name, 0) for number, name in enumerate(names, 1)}
        self._next_id = len(names) + 1
        self.people = bool(names)  # whether somebody is there who can be enrolled
        self.to_enroll: tuple[str, int] | None = (
            None  # name, and the id that the face is to be saved as (0: new)
        )

    def __iter__(self):
        return iter(list(self._faces.values()))

    def rename(self, face_id: int, old_name: str, new_name: str) -> bool:
        """Give a face another name, if it has the old one and nobody else has the new one."""
        face = self._faces.get(face_id)
        if face is None or face.name != old_name or self._named(new_name):
            return False
        face.name = new_name
        return True

    def erase(self, face_id: int) -> Face | None:
        """Forget a face. Returns which."""
        return self._faces.pop(face_id, None)

    def enroll(self, t_ms: int) -> tuple[str, Face | None]:
        """Enroll the face that was announced (`to_enroll`).

        Returns:
            the name of the protocol's `FaceEnrollmentResult`, and the face when it is SUCCESS.
        """
        wanted, self.to_enroll = self.to_enroll, None
        if not self.people or wanted is None:
            return "TIMED_OUT", None
        name, save_id = wanted
        known = self._named(name)
        if known and known.face_id != save_id:
            return "NAME_IN_USE", None
        if len(self._faces) >= MAX_FACES and save_id not in self._faces:
            return "NAMED_STORAGE_FULL", None
        number = save_id if save_id in self._faces else self._next_id
        self._next_id = max(self._next_id, number + 1)
        self._faces[number] = Face(number, name, t_ms)
        return "SUCCESS", self._faces[number]

    def _named(self, name: str) -> Face | None:
        return next((face for face in self if face.name == name), None)

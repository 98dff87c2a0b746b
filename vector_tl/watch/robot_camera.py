"""The camera of a robot that somebody else drives."""

from vector_tl.data.images import decode_or_none
from vector_tl.robot.onlooker import Onlooker
from vector_tl.watch.sight import Sight


class RobotCamera:
    """See `Source`; the JPEG is as the robot sent it."""

    kind = "robot"

    def __init__(self, onlooker: Onlooker):
        self._onlooker = onlooker
        self._last_id: int | None = None
        self.name, self.word = f"the camera of {onlooker.serial}", f"watch-{onlooker.serial}"

    def look(self) -> Sight | None:
        """See `Source.look`."""
        frame = self._onlooker.next_frame(self._last_id)
        if frame is None:
            return None
        self._last_id = frame.image_id
        image = decode_or_none(frame.jpeg)
        return None if image is None else Sight(image, frame.jpeg)

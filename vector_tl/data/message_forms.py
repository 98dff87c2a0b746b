"""The form of a recording's messages, by topic: what is read of them, whoever wrote them.

`schemas.py` has what this program writes, for other tools.
"""

from dataclasses import dataclass
from typing import Annotated, Any, NotRequired, TypedDict

from msgspec import Meta

from vector_tl.data.schemas import CAMERA, DETECTIONS, EVENTS, STATE, TRUTH, WHEELS
from vector_tl.forms import Finite, Pixel, Share
from vector_tl.robot.base import RobotState

Box = tuple[Pixel, Pixel, Pixel, Pixel]
_Number = Annotated[int, Meta(ge=0, le=2**53)]


class _Camera(TypedDict):
    image_id: _Number
    robot_time_ms: _Number
    data: str  # base64


class _ScoredBox(TypedDict):
    xyxy: Box
    score: Share


class _Detections(TypedDict):
    image_id: _Number
    boxes: list[_ScoredBox]


class _TrueBox(TypedDict):
    xyxy: Box


class _Truth(TypedDict):
    image_id: _Number
    boxes: list[_TrueBox]
    distance_mm: NotRequired[Finite | None]
    bearing_deg: NotRequired[Finite | None]


@dataclass
class _Wheels:
    left_mmps: Finite
    right_mmps: Finite
    sent: bool
    why: str
    target_distance_mm: Finite | None = None
    target_bearing_deg: Finite | None = None

    def __post_init__(self) -> None:
        if (self.target_distance_mm is None) != (self.target_bearing_deg is None):
            raise ValueError("a target has both a distance and a bearing")


class _Event(TypedDict):
    message: str


MESSAGES: dict[str, Any] = {
    CAMERA: _Camera,
    DETECTIONS: _Detections,
    TRUTH: _Truth,
    STATE: RobotState,
    WHEELS: _Wheels,
    EVENTS: _Event,
}

"""The topics of a recording and their JSON schemas.

Schemas whose names begin with `foxglove` are those of https://docs.foxglove.dev/docs/sdk/schemas; fields of
our own may stand beside theirs.
"""

from typing import Any

from vector_tl.robot.base import RobotState

Schema = dict[str, Any]

CAMERA, CALIBRATION, STATE, WHEELS = "/camera", "/calibration", "/state", "/wheels"
DETECTIONS, TRUTH, EVENTS = "/detections", "/truth", "/events"


def _object(**properties: Schema) -> Schema:
    return {"type": "object", "properties": properties}


def _list(items: Schema) -> Schema:
    return {"type": "array", "items": items}


_NUMBER, _INTEGER, _TEXT, _FLAG = ({"type": kind} for kind in ("number", "integer", "string", "boolean"))
_MAYBE: Schema = {"type": ["number", "null"]}
_TIME = {"title": "time"} | _object(
    sec={"type": "integer", "minimum": 0}, nsec={"type": "integer", "minimum": 0, "maximum": 999999999}
)
_POINT, _COLOR = _object(x=_NUMBER, y=_NUMBER), _object(r=_NUMBER, g=_NUMBER, b=_NUMBER, a=_NUMBER)
_OUTLINE = _object(
    timestamp=_TIME, type=_INTEGER, points=_list(_POINT), outline_color=_COLOR, thickness=_NUMBER
)
_LABEL = _object(timestamp=_TIME, position=_POINT, text=_TEXT, font_size=_NUMBER, text_color=_COLOR)
_MATRIX = _list(_NUMBER)
_JPEG = {"type": "string", "contentEncoding": "base64"}
_STATE: Schema = {
    name: _FLAG if kind is bool else _NUMBER for name, kind in RobotState.__annotations__.items()
}
_STATE["range_mm"] = _MAYBE

SCHEMAS: dict[str, tuple[str, Schema]] = {  # topic -> (schema name, JSON schema)
    CAMERA: (
        "foxglove.CompressedImage",
        _object(
            timestamp=_TIME,
            frame_id=_TEXT,
            data=_JPEG,
            format=_TEXT,
            image_id=_INTEGER,
            robot_time_ms=_INTEGER,
        ),
    ),
    CALIBRATION: (
        "foxglove.CameraCalibration",
        _object(
            timestamp=_TIME,
            frame_id=_TEXT,
            width=_INTEGER,
            height=_INTEGER,
            distortion_model=_TEXT,
            D=_MATRIX,
            K=_MATRIX,
            R=_MATRIX,
            P=_MATRIX,
        ),
    ),
    DETECTIONS: (
        "foxglove.ImageAnnotations",
        _object(
            points=_list(_OUTLINE),
            texts=_list(_LABEL),
            image_id=_INTEGER,
            boxes=_list(_object(xyxy=_list(_NUMBER), score=_NUMBER)),
        ),
    ),
    TRUTH: (
        "foxglove.ImageAnnotations",
        _object(
            points=_list(_OUTLINE),
            image_id=_INTEGER,
            boxes=_list(_object(xyxy=_list(_NUMBER))),
            distance_mm=_MAYBE,
            bearing_deg=_MAYBE,
        ),
    ),
    EVENTS: (
        "foxglove.Log",
        _object(timestamp=_TIME, level=_INTEGER, message=_TEXT, name=_TEXT, file=_TEXT, line=_INTEGER),
    ),
    STATE: ("vector_tl.RobotState", _object(**_STATE)),
    WHEELS: (
        "vector_tl.WheelCommand",
        _object(
            left_mmps=_NUMBER,
            right_mmps=_NUMBER,
            sent=_FLAG,
            why=_TEXT,
            target_distance_mm=_MAYBE,
            target_bearing_deg=_MAYBE,
        ),
    ),
}

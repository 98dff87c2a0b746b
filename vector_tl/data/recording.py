"""Recordings: one MCAP file (https://mcap.dev) per run, with Foxglove's JSON schemas, so that robot people's tools open it.

Frames are kept byte for byte as received. A chunk is closed with every frame and every line of the log, so a killed run loses what followed the
last of them, and no more; `read_recording` reads such a file, or a damaged one, up to where it ends, and says in `note` what is lost.

    with RecordingWriter(path, about={"settings": {...}}) as writer:
        writer.frame(frame)
        writer.detections(frame, boxes_xyxy, scores)

    for recorded in read_recording(path):
        print(recorded.t_s, recorded.image_id, len(recorded.jpeg), recorded.scores)
"""

import base64
import json
import os
import platform
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path

import numpy as np
from mcap.exceptions import McapError
from mcap.stream_reader import StreamReader
from mcap.writer import MCAP0_MAGIC, Writer

from vector_tl.data.schemas import CALIBRATION, CAMERA, DETECTIONS, EVENTS, SCHEMAS, STATE, TRUTH, WHEELS
from vector_tl.errors import UserError
from vector_tl.files import refuse_existing
from vector_tl.robot.base import Frame, Intrinsics, RobotState

_CHUNK_BYTES = 4096  # smaller than any camera frame: each frame closes a chunk
_RECORD_LIMIT_BYTES = 64 * 2**20  # a damaged length field must not ask for gigabytes
_LINE_LOOP, _GREEN, _WHITE = (
    2,
    {"r": 0.2, "g": 1.0, "b": 0.4, "a": 1.0},
    {"r": 1.0, "g": 1.0, "b": 1.0, "a": 1.0},
)


class RecordingWriter:
    """Writes one recording; every method takes times in seconds on the link's clock.

    Args:
        path: the file to make.
        about: JSON-able facts about the run (settings, model, ...), kept as metadata; versions are added.
        intrinsics: the camera's, kept as metadata and on the calibration topic.
        overwrite: replace `path` when it exists.

    Raises:
        UserError: `path` exists, or cannot be written.
    """

    def __init__(
        self,
        path: Path,
        about: dict | None = None,
        intrinsics: Intrinsics | None = None,
        overwrite: bool = False,
    ):
        self.path = Path(path)
        refuse_existing(self.path, overwrite)
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            if overwrite:
                self.path.unlink(missing_ok=True)
            self._file = open(self.path, "xb")  # noqa: SIM115 (closed by close); "x": never over a file that appeared meanwhile
        except OSError as error:
            raise self._cannot_write(error) from error
        self._intrinsics = intrinsics
        self._calibrated = intrinsics is None
        self._writer = Writer(self._file, chunk_size=_CHUNK_BYTES)
        self._writer.start(profile="", library="vector_tl")
        facts = dict(about or {}) | {
            "intrinsics": asdict(intrinsics) if intrinsics else None,
            "python": platform.python_version(),
            "format": 1,
        }
        self._writer.add_metadata(
            "vector_tl", {name: json.dumps(value, default=str) for name, value in facts.items()}
        )
        self._channels = {}
        for topic, (name, schema) in SCHEMAS.items():
            number = self._writer.register_schema(
                name, "jsonschema", json.dumps({"title": name} | schema).encode()
            )
            self._channels[topic] = self._writer.register_channel(topic, "json", number)
        self._file.flush()

    def frame(self, frame: Frame) -> None:
        """Keep a camera frame, its JPEG as received."""
        if not self._calibrated:
            self._calibrated = True
            self._add(CALIBRATION, frame.received_s, _calibration(self._intrinsics))
        image = {
            "frame_id": "camera",
            "format": "jpeg",
            "image_id": frame.image_id,
            "robot_time_ms": frame.robot_time_ms,
        }
        self._add(
            CAMERA,
            frame.received_s,
            image | {"data": base64.b64encode(frame.jpeg).decode("ascii")},
            sequence=frame.image_id,
        )

    def detections(self, frame: Frame, boxes_xyxy: np.ndarray, scores: np.ndarray) -> None:
        """Keep what a detector saw in `frame`: boxes (N, 4) in pixels and scores (N,)."""
        boxes, stamp = _plain(boxes_xyxy), _stamp(frame.received_s)
        texts = [
            {
                "timestamp": stamp,
                "position": {"x": box[0], "y": box[1]},
                "text": f"{score:.2f}",
                "font_size": 14,
                "text_color": _GREEN,
            }
            for box, score in zip(boxes, scores, strict=True)
        ]
        found = [
            {"xyxy": box, "score": round(float(score), 4)} for box, score in zip(boxes, scores, strict=True)
        ]
        points = _outlines(boxes, stamp, _GREEN)
        self._add(
            DETECTIONS,
            frame.received_s,
            {"points": points, "texts": texts, "image_id": frame.image_id, "boxes": found},
        )

    def truth(
        self,
        frame: Frame,
        boxes_xyxy: np.ndarray,
        distance_mm: float | None = None,
        bearing_deg: float | None = None,
    ) -> None:
        """Keep what is really in `frame`, where a simulator tells: boxes (N, 4), and how the nearest Vector stood.

        It may come later than other frames; `about` must say `"truth": True`.
        """
        boxes = _plain(boxes_xyxy)
        told = {
            "image_id": frame.image_id,
            "boxes": [{"xyxy": box} for box in boxes],
            "distance_mm": distance_mm,
            "bearing_deg": bearing_deg,
        }
        self._add(
            TRUTH, frame.received_s, {"points": _outlines(boxes, _stamp(frame.received_s), _WHITE)} | told
        )

    def state(self, state: RobotState) -> None:
        """Keep the robot's report of itself."""
        self._add(STATE, state.received_s, asdict(state))

    def wheels(
        self,
        t_s: float,
        left_mmps: float,
        right_mmps: float,
        sent: bool,
        why: str = "",
        target: tuple[float, float] | None = None,
    ) -> None:
        """Keep a wheel command; `sent` is False when a guard or a dry run held it back, `why` is the behaviour's word for it.

        `target` is where it took the other Vector to be: distance in mm and bearing in degrees.
        """
        said = {
            "left_mmps": float(left_mmps),
            "right_mmps": float(right_mmps),
            "sent": bool(sent),
            "why": why,
        }
        distance_mm, bearing_deg = (round(float(value), 2) for value in target) if target else (None, None)
        self._add(WHEELS, t_s, said | {"target_distance_mm": distance_mm, "target_bearing_deg": bearing_deg})

    def event(self, t_s: float, message: str) -> None:
        """Keep a line of the run's log."""
        self._add(EVENTS, t_s, {"level": 2, "message": message, "name": "vector_tl", "file": "", "line": 0})

    def result(self, result: dict) -> None:
        """Keep what came of the run, as metadata at the end."""
        try:
            self._writer.add_metadata(
                "vector_tl_result", {name: json.dumps(value) for name, value in result.items()}
            )
        except OSError as error:
            raise self._cannot_write(error) from error

    def close(self) -> None:
        """Finish the file (index and footer); safe to call twice."""
        if self._file.closed:
            return
        try:
            self._writer.finish()
            self._file.close()
        except OSError as error:
            raise self._cannot_write(error) from error

    def __enter__(self) -> "RecordingWriter":
        return self

    def __exit__(self, *_exc) -> None:
        self.close()

    def _add(self, topic: str, t_s: float, message: dict, sequence: int = 0) -> None:
        time_ns = max(0, round(t_s * 1e9))
        if topic in (CAMERA, CALIBRATION, EVENTS):
            message = {"timestamp": _stamp(t_s)} | message
        data = json.dumps(message).encode()
        if topic == EVENTS:
            data = data.ljust(
                _CHUNK_BYTES
            )  # closes the chunk: what was written before a pause is kept if nothing follows it
        try:
            self._writer.add_message(self._channels[topic], time_ns, data, time_ns, sequence)
            self._file.flush()  # to the operating system: a killed process loses nothing that was written
        except OSError as error:
            raise self._cannot_write(error) from error

    def _cannot_write(self, error: OSError) -> UserError:
        return UserError(
            f"Cannot write the recording {self.path}: {error.strerror or error}. Free some space or choose another place."
        )


@dataclass(frozen=True)
class RecordedFrame:
    """One frame of a recording with what belongs to it. Boxes and scores are None when no detector looked at it."""

    index: int
    t_s: float  # on the link's clock of the run
    image_id: int
    robot_time_ms: int
    jpeg: bytes
    boxes_xyxy: np.ndarray | None = None  # (N, 4) float32
    scores: np.ndarray | None = None  # (N,) float32
    state: RobotState | None = None
    wheels: dict | None = None  # left_mmps, right_mmps, sent, why, target_distance_mm, target_bearing_deg
    truth_xyxy: np.ndarray | None = None  # (M, 4) float32, what is really there; None when nobody knows
    truth_mm_deg: tuple[float | None, float | None] = (
        None,
        None,
    )  # distance and bearing of the nearest Vector
    events: tuple[str, ...] = ()


@dataclass
class Recording:
    """A recording on disk; iterate it for its frames, as often as needed. `note` says after a pass why it ended early, if it did."""

    path: Path
    about: dict = field(default_factory=dict)
    result: dict = field(
        default_factory=dict
    )  # what came of the run; empty when it did not end by itself. Known after a pass.
    note: str | None = None

    def __iter__(self) -> Iterator[RecordedFrame]:
        """Every frame in order, with the detections, the state, the command and the events that follow it."""
        pending, index = None, 0
        truths = (
            {message["image_id"]: message for _, _, message in self.messages(only=TRUTH)}
            if self.about.get("truth")
            else {}
        )  # they may come late
        for topic, t_s, message in self.messages():
            if topic == CAMERA:
                if pending is not None:
                    yield RecordedFrame(**pending)
                pending = {
                    "index": index,
                    "t_s": t_s,
                    "image_id": message["image_id"],
                    "robot_time_ms": message["robot_time_ms"],
                }
                pending["jpeg"] = base64.b64decode(message["data"])
                if told := truths.get(message["image_id"]):
                    pending["truth_xyxy"] = np.array(
                        [box["xyxy"] for box in told["boxes"]], np.float32
                    ).reshape(-1, 4)
                    pending["truth_mm_deg"] = told.get("distance_mm"), told.get("bearing_deg")
                index += 1
            elif pending is None:
                continue
            elif topic == DETECTIONS and message["image_id"] == pending["image_id"]:
                boxes = [box["xyxy"] for box in message["boxes"]]
                pending["boxes_xyxy"] = np.array(boxes, np.float32).reshape(-1, 4)
                pending["scores"] = np.array([box["score"] for box in message["boxes"]], np.float32)
            elif topic == STATE:
                known = {
                    name: value for name, value in message.items() if name in RobotState.__annotations__
                }  # of another version, perhaps
                pending["state"] = RobotState(**known)
            elif topic == WHEELS:
                pending["wheels"] = message
            elif topic == EVENTS:
                pending["events"] = (*pending.get("events", ()), message["message"])
        if pending is not None:
            yield RecordedFrame(**pending)

    def messages(self, only: str | None = None) -> Iterator[tuple[str, float, dict]]:
        """Every message in order: topic, time in seconds, content; of one topic only when `only` is given."""
        self.note, topics, read = None, {}, 0
        with open(self.path, "rb") as file:
            records = StreamReader(file, validate_crcs=True, record_size_limit=_RECORD_LIMIT_BYTES).records
            while True:
                try:
                    record = next(records, None)
                    if record is None:
                        return
                    kind = type(record).__name__
                    if kind == "Channel":
                        topics[record.id] = record.topic
                    elif kind == "Metadata" and record.name == "vector_tl":
                        self.about = {name: json.loads(value) for name, value in record.metadata.items()}
                    elif kind == "Metadata" and record.name == "vector_tl_result":
                        self.result = {name: json.loads(value) for name, value in record.metadata.items()}
                    if kind == "Message":
                        read += topics[record.channel_id] == CAMERA
                    if kind != "Message" or (only is not None and topics[record.channel_id] != only):
                        continue
                    message = topics[record.channel_id], record.log_time / 1e9, json.loads(record.data)
                except Exception as error:  # whatever a parser makes of damaged bytes: McapError, ValueError, struct.error, zstd's own, ...
                    size = os.fstat(file.fileno()).st_size
                    self.note = (
                        f"{self.path} is cut off or damaged near byte {file.tell()} of {size} ({type(error).__name__}); "
                        f"{read} frames before it were read, what comes after it is lost."
                    )
                    return
                yield message

    def times_s(self) -> list[float]:
        """When each frame was received, without decoding the images."""
        return [t_s for _, t_s, _ in self.messages(only=CAMERA)]


def is_recording(path: Path) -> bool:
    """Whether the file's first bytes are those of a recording (its name does not matter)."""
    try:
        with open(path, "rb") as file:
            return file.read(len(MCAP0_MAGIC)) == MCAP0_MAGIC
    except OSError:
        return False


def read_recording(path: Path) -> Recording:
    """Open a recording for reading.

    Raises:
        UserError: there is no such file, or it is no recording.
    """
    path = Path(path)
    if not path.is_file():
        raise UserError(
            f"There is no recording {path}; check the name, or make one with: vector-tl find --record {path}"
        )
    if not is_recording(path):
        raise UserError(
            f"{path} is no recording: it does not begin as an MCAP file does; give one that `find --record` wrote."
        )
    recording = Recording(path)
    try:
        with open(path, "rb") as file:
            for record in StreamReader(file, record_size_limit=_RECORD_LIMIT_BYTES).records:
                if type(record).__name__ == "Metadata" and record.name == "vector_tl":
                    recording.about = {name: json.loads(value) for name, value in record.metadata.items()}
                    break
    except (McapError, ValueError, OSError) as error:
        recording.note = f"{path} has no readable header ({type(error).__name__})."
    return recording


def _stamp(t_s: float) -> dict:
    time_ns = max(0, round(t_s * 1e9))
    return {"sec": time_ns // 10**9, "nsec": time_ns % 10**9}


def _calibration(intrinsics: Intrinsics) -> dict:
    (fx, fy), (cx, cy), (width, height) = intrinsics.focal_xy_px, intrinsics.center_xy_px, intrinsics.size_wh
    return {
        "frame_id": "camera", "width": width, "height": height, "distortion_model": "", "D": [],
        "K": [fx, 0, cx, 0, fy, cy, 0, 0, 1], "R": [1, 0, 0, 0, 1, 0, 0, 0, 1], "P": [fx, 0, cx, 0, 0, fy, cy, 0, 0, 0, 1, 0],
    }  # fmt: skip


def _plain(boxes_xyxy: np.ndarray) -> list[list[float]]:
    return [[round(float(side), 2) for side in box] for box in boxes_xyxy]


def _outlines(boxes: list[list[float]], stamp: dict, color: dict) -> list[dict]:
    """Foxglove's PointsAnnotation for each box."""
    corners = [[(x1, y1), (x2, y1), (x2, y2), (x1, y2)] for x1, y1, x2, y2 in boxes]
    return [
        {
            "timestamp": stamp,
            "type": _LINE_LOOP,
            "thickness": 2,
            "outline_color": color,
            "points": [{"x": x, "y": y} for x, y in four],
        }
        for four in corners
    ]

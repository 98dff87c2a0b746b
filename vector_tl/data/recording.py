"""Recordings: one MCAP file (https://mcap.dev) per run, with Foxglove's schemas, so that other tools open it.

Frames are stored byte for byte as received. A chunk is closed with every frame and every line of the log, so
a killed run loses only what followed the last of them. `read_recording` reads such a file, or a damaged one,
up to where it ends, and says in `note` what is lost.

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
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, NamedTuple, Self

import numpy as np
from mcap.exceptions import McapError
from mcap.records import Channel, McapRecord, Message, Metadata
from mcap.stream_reader import StreamReader
from mcap.writer import Writer
from zstandard import ZstdError

from vector_tl.data.magic import is_recording
from vector_tl.data.message_forms import MESSAGES
from vector_tl.data.schemas import CALIBRATION, CAMERA, DETECTIONS, EVENTS, SCHEMAS, STATE, TRUTH, WHEELS
from vector_tl.errors import UserError, cannot_write
from vector_tl.files import refuse_existing
from vector_tl.forms import parse_json
from vector_tl.plain import counted
from vector_tl.robot.base import Frame, Intrinsics, RobotState

ABOUT, RESULT = "vector_tl", "vector_tl_result"  # names of the metadata before and after the messages
MAX_LATE = 600  # frames between one and its ground truth, which a thread asks for: 40 s at 15 a second, 20 MB
_CHUNK_BYTES = 4096  # smaller than any camera frame: each frame closes a chunk
_RECORD_LIMIT_BYTES = 64 * 2**20  # a damaged length field must not ask for gigabytes
# What the readers of MCAP, of its chunks (zstd, LZ4) and of a message's JSON raise for damaged bytes.
_DAMAGE = (McapError, UserError, ZstdError, EOFError, RuntimeError, ValueError, struct.error, OverflowError)
_REMEDY = "the rest is lost: copy it again, if it is whole elsewhere"
_LINE_LOOP = 2  # Foxglove's type of an outline
_GREEN, _WHITE = {"r": 0.2, "g": 1.0, "b": 0.4, "a": 1.0}, {"r": 1.0, "g": 1.0, "b": 1.0, "a": 1.0}

Json = dict[str, Any]


class RecordingWriter:
    """Writes one recording; every method takes times in seconds on the link's clock.

    Args:
        path: the file to make.
        about: JSON-able facts about the run (settings, model, ...), stored as metadata; versions are added.
        intrinsics: the camera's, stored as metadata and on the calibration topic.
        overwrite: replace `path` when it exists.

    Raises:
        UserError: `path` exists, or it cannot be written (also by the methods).
    """

    def __init__(
        self,
        path: Path,
        about: Json | None = None,
        intrinsics: Intrinsics | None = None,
        overwrite: bool = False,
    ):
        self.path = Path(path)
        refuse_existing(self.path, overwrite)
        with self._writing():
            self.path.parent.mkdir(parents=True, exist_ok=True)
            if overwrite:
                self.path.unlink(missing_ok=True)
            # closed by close(); "x": never over a file that appeared meanwhile
            self._file = open(self.path, "xb")  # noqa: SIM115
        self._uncalibrated = intrinsics  # until the first frame
        self._writer = Writer(self._file, chunk_size=_CHUNK_BYTES)
        self._writer.start(profile="", library="vector_tl")
        facts = dict(about or {}) | {
            "intrinsics": asdict(intrinsics) if intrinsics else None,
            "python": platform.python_version(),
            "format": 1,
        }
        self._writer.add_metadata(
            ABOUT, {name: json.dumps(value, default=str) for name, value in facts.items()}
        )
        self._channels = {}
        for topic, (name, schema) in SCHEMAS.items():
            text = json.dumps({"title": name} | schema).encode()
            number = self._writer.register_schema(name, "jsonschema", text)
            self._channels[topic] = self._writer.register_channel(topic, "json", number)
        self._file.flush()

    def frame(self, frame: Frame) -> None:
        """Store a camera frame, its JPEG as received."""
        if self._uncalibrated is not None:
            self._add(CALIBRATION, frame.received_s, _calibration(self._uncalibrated))
            self._uncalibrated = None
        image = {
            "frame_id": "camera",
            "format": "jpeg",
            "image_id": frame.image_id,
            "robot_time_ms": frame.robot_time_ms,
            "data": base64.b64encode(frame.jpeg).decode("ascii"),
        }
        self._add(CAMERA, frame.received_s, image, sequence=frame.image_id)

    def detections(self, frame: Frame, boxes_xyxy: np.ndarray, scores: np.ndarray) -> None:
        """Store what a detector found in `frame`: boxes (N, 4) in pixels and scores (N,)."""
        boxes, stamp = _rounded(boxes_xyxy), _stamp(frame.received_s)
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
        message = {"points": _outlines(boxes, stamp, _GREEN), "texts": texts}
        self._add(DETECTIONS, frame.received_s, message | {"image_id": frame.image_id, "boxes": found})

    def truth(
        self,
        frame: Frame,
        boxes_xyxy: np.ndarray,
        distance_mm: float | None = None,
        bearing_deg: float | None = None,
    ) -> None:
        """Store a simulator's ground truth of `frame`: boxes (N, 4), and where the nearest Vector stood.

        It may come later than other frames; `about` must say `"truth": True`.
        """
        boxes = _rounded(boxes_xyxy)
        message = {
            "points": _outlines(boxes, _stamp(frame.received_s), _WHITE),
            "image_id": frame.image_id,
            "boxes": [{"xyxy": box} for box in boxes],
            "distance_mm": distance_mm,
            "bearing_deg": bearing_deg,
        }
        self._add(TRUTH, frame.received_s, message)

    def state(self, state: RobotState) -> None:
        """Store the robot's report of itself."""
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
        """Store a wheel command.

        Args:
            t_s: when it was given.
            left_mmps: speed of the left tread.
            right_mmps: speed of the right tread.
            sent: False when a guard or a dry run held it back.
            why: the behaviour's state.
            target: where it took the other Vector to be, distance in mm and bearing in degrees.
        """
        distance_mm, bearing_deg = (round(float(value), 2) for value in target) if target else (None, None)
        command = {
            "left_mmps": float(left_mmps),
            "right_mmps": float(right_mmps),
            "sent": bool(sent),
            "why": why,
            "target_distance_mm": distance_mm,
            "target_bearing_deg": bearing_deg,
        }
        self._add(WHEELS, t_s, command)

    def event(self, t_s: float, message: str) -> None:
        """Store a line of the run's log."""
        self._add(EVENTS, t_s, {"level": 2, "message": message, "name": "vector_tl", "file": "", "line": 0})

    def result(self, result: Json) -> None:
        """Store the run's result, as metadata at the end."""
        with self._writing():
            self._writer.add_metadata(RESULT, {name: json.dumps(value) for name, value in result.items()})

    def close(self) -> None:
        """Finish the file (index and footer); safe to call twice."""
        if self._file.closed:
            return
        with self._writing():
            self._writer.finish()  # type: ignore[no-untyped-call]
            self._file.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        self.close()

    def _add(self, topic: str, t_s: float, message: Json, sequence: int = 0) -> None:
        time_ns = max(0, round(t_s * 1e9))
        if topic in (CAMERA, CALIBRATION, EVENTS):
            message = {"timestamp": _stamp(t_s)} | message
        data = json.dumps(message).encode()
        if topic == EVENTS:  # closes the chunk: what was written before a pause is safe if nothing follows it
            data = data.ljust(_CHUNK_BYTES)
        with self._writing():
            self._writer.add_message(self._channels[topic], time_ns, data, time_ns, sequence)
            self._file.flush()  # to the operating system: a killed process loses nothing that was written

    @contextmanager
    def _writing(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise cannot_write(f"the recording {self.path}", error) from error


class Place(NamedTuple):
    """Where in a recording's file a frame lies: see `read_jpeg`."""

    byte: int  # where its chunk begins
    channel: int
    time_ns: int


@dataclass(frozen=True)
class RecordedFrame:
    """One frame of a recording with what belongs to it.

    Attributes:
        index: counted from 0.
        t_s: when it was received, on the link's clock of the run.
        image_id: the robot's number of the image.
        robot_time_ms: the robot's own time stamp.
        jpeg: the image's bytes as received.
        boxes_xyxy: (N, 4) float32, what a detector found; None when no detector ran on the frame.
        scores: (N,) float32; None when no detector ran on the frame.
        state: the robot's report of itself.
        wheels: left_mmps, right_mmps, sent, why, target_distance_mm, target_bearing_deg.
        truth_xyxy: (M, 4) float32, the ground truth; None where it is not known.
        truth_mm_deg: true distance and bearing of the nearest Vector.
        events: lines of the run's log.
        place: where it lies in the file.
    """

    index: int
    t_s: float
    image_id: int
    robot_time_ms: int
    jpeg: bytes
    boxes_xyxy: np.ndarray | None = None
    scores: np.ndarray | None = None
    state: RobotState | None = None
    wheels: Json | None = None
    truth_xyxy: np.ndarray | None = None
    truth_mm_deg: tuple[float | None, float | None] = (None, None)
    events: tuple[str, ...] = ()
    place: Place | None = None


@dataclass
class Recording:
    """A recording on disk; iterate it for its frames, as often as needed.

    Attributes:
        path: the file.
        about: facts about the run, as given to the writer.
        result: what the run returned, known after a pass; empty when the run did not end by itself.
        note: why the last pass ended early, if it did.
    """

    path: Path
    about: Json = field(default_factory=dict)
    result: Json = field(default_factory=dict)
    note: str | None = None

    def __iter__(self) -> Iterator[RecordedFrame]:
        """Every frame in order, with the detections, the state, the command and the events that follow it."""
        return _with_truths(self._parts(), MAX_LATE if self.about.get("truth") else 0)

    def _parts(self) -> "Iterator[RecordedFrame | Json]":
        """Frames without their ground truth, and between them what was written of that."""
        frame, index = None, 0
        for place, topic, t_s, message in self._messages():
            if topic == CAMERA:
                if frame is not None:
                    yield frame
                image_id, robot_time_ms = message["image_id"], message["robot_time_ms"]
                frame = RecordedFrame(index, t_s, image_id, robot_time_ms, message["data"], place=place)
                index += 1
            elif topic == TRUTH:
                yield message
            elif frame is not None:
                frame = _with(frame, topic, message)
        if frame is not None:
            yield frame

    def messages(self, only: str | None = None) -> Iterator[tuple[str, float, Json]]:
        """Every message in order: topic, time in seconds, content; with `only`, those of one topic.

        The content is that of `message_forms.py`, an image's `data` are bytes.
        """
        return ((topic, t_s, message) for _, topic, t_s, message in self._messages(only))

    def _messages(self, only: str | None = None) -> Iterator[tuple[Place, str, float, Json]]:
        """The same, and where each lies."""
        self.note = None
        topics: dict[int, str] = {}
        frames = number = begin = end = 0  # the record that is being read lies from byte `begin` to `end`
        with open(self.path, "rb") as file:
            records = _records(file)
            while True:
                try:
                    if (record := next(records, None)) is None:
                        return
                    if (at := file.tell()) != end:  # else it is of the same chunk
                        begin, end = end, at
                    if isinstance(record, Channel):
                        topics[record.id] = record.topic
                    elif isinstance(record, Metadata) and record.name in (ABOUT, RESULT):
                        setattr(self, "about" if record.name == ABOUT else "result", _facts(record))
                    if not isinstance(record, Message):
                        continue
                    number += 1
                    if (topic := topics.get(record.channel_id)) is None:
                        raise ValueError(f"message {number} is of no channel")
                    if only not in (None, topic):
                        frames += topic == CAMERA
                        continue
                    content = _content(topic, record.data, number)
                    place = Place(begin, record.channel_id, record.log_time)
                    frames += topic == CAMERA
                except _DAMAGE as error:
                    size = os.fstat(file.fileno()).st_size
                    reason = str(error).rstrip(".") or type(error).__name__
                    self.note = (
                        f"{self.path} is cut off or damaged near byte {file.tell()} of {size} ({reason}); "
                        f"{counted(frames, 'frame')} read before it, {_REMEDY}."
                    )
                    return
                yield place, topic, record.log_time / 1e9, content

    def times_s(self) -> list[float]:
        """When each frame was received, without decoding the images."""
        return [t_s for _, t_s, _ in self.messages(only=CAMERA)]


def read_recording(path: Path) -> Recording:
    """Open a recording for reading.

    Raises:
        UserError: there is no such file, or it is not a recording.
    """
    path = Path(path)
    if not path.is_file():
        raise UserError(
            f"There is no recording {path}; check the name, or make one with: vector-tl find --record {path}"
        )
    if not is_recording(path):
        raise UserError(
            f"{path} is not a recording: it does not begin as an MCAP file does; name one that "
            "`vector-tl find --record` wrote."
        )
    recording = Recording(path)
    try:
        with open(path, "rb") as file:
            metadata = (r for r in _records(file) if isinstance(r, Metadata) and r.name == ABOUT)
            for record in metadata:
                recording.about = _facts(record)
                break
    except (*_DAMAGE, OSError) as error:
        recording.note = f"{path} has no readable header ({error or type(error).__name__}); {_REMEDY}."
    return recording


def read_jpeg(path: Path, place: Place) -> bytes:
    """The image of one frame, as received; nothing else of the file is read.

    Raises:
        UserError: the file is no longer what it was when `place` was taken.
    """
    try:
        with open(path, "rb") as file:
            file.seek(place.byte)
            for record in _records(file, from_start=False):
                if isinstance(record, Message) and (record.channel_id, record.log_time) == place[1:]:
                    return bytes(_content(CAMERA, record.data, 0)["data"])
    except (*_DAMAGE, OSError):
        pass
    raise UserError(f"{path} was changed while it was read; start again.")


def _records(file: Any, from_start: bool = True) -> Iterator[McapRecord]:
    limit = _RECORD_LIMIT_BYTES
    return iter(StreamReader(file, not from_start, validate_crcs=True, record_size_limit=limit).records)


def _with_truths(parts: "Iterator[RecordedFrame | Json]", late: int) -> Iterator[RecordedFrame]:
    """Frames with the ground truth that belongs to them, though it may follow up to `late` frames later.

    So much is read ahead, and no more: of hours of frames only these are in memory.
    """
    waiting: dict[int, RecordedFrame] = {}  # by index
    waits: dict[int, int] = {}  # image id -> index
    early: dict[int, Json] = {}  # by image id; written before the frame's last message
    for part in parts:
        if isinstance(part, RecordedFrame):
            truth = early.pop(part.image_id, None)
            waiting[part.index] = part if truth is None else _with_truth(part, truth)
            waits[part.image_id] = part.index
        elif (index := waits.get(part["image_id"])) is not None:
            waiting[index] = _with_truth(waiting[index], part)
        else:
            early[part["image_id"]] = part
        if len(early) > late:
            del early[next(iter(early))]
        while waiting:
            first = next(iter(waiting.values()))
            if first.truth_xyxy is None and len(waiting) <= late:
                break
            yield waiting.pop(first.index)
            if waits.get(first.image_id) == first.index:
                del waits[first.image_id]
    yield from waiting.values()


def _with_truth(frame: RecordedFrame, truth: Json) -> RecordedFrame:
    place = truth.get("distance_mm"), truth.get("bearing_deg")
    return replace(frame, truth_xyxy=_boxes(truth), truth_mm_deg=place)


def _facts(record: Metadata) -> Json:
    return {
        name: parse_json(value, Any, f"its metadata, key {name!r},", "delete it")
        for name, value in record.metadata.items()
    }


def _content(topic: str, data: bytes, number: int) -> Any:
    """What a message says.

    Raises:
        UserError: it is not of its topic's form.
        ValueError: its image is no base64.
    """
    where = f"its message {number}, of {topic},"
    content = parse_json(data, MESSAGES.get(topic, Any), where, "leave it out")
    if topic == CAMERA:
        content["data"] = base64.b64decode(content["data"], validate=True)
    return content


def _with(frame: RecordedFrame, topic: str, message: Json) -> RecordedFrame:
    """The frame with a message that followed it."""
    if topic == DETECTIONS and message["image_id"] == frame.image_id:
        scores = np.array([box["score"] for box in message["boxes"]], np.float32)
        return replace(frame, boxes_xyxy=_boxes(message), scores=scores)
    if topic == STATE:  # perhaps of another version, with other fields
        known = {name: message[name] for name in RobotState.__annotations__ if name in message}
        return replace(frame, state=RobotState(**known))
    if topic == WHEELS:
        return replace(frame, wheels=message)
    if topic == EVENTS:
        return replace(frame, events=(*frame.events, message["message"]))
    return frame


def _boxes(message: Json) -> np.ndarray:
    return np.array([box["xyxy"] for box in message["boxes"]], np.float32).reshape(-1, 4)


def _stamp(t_s: float) -> Json:
    time_ns = max(0, round(t_s * 1e9))
    return {"sec": time_ns // 10**9, "nsec": time_ns % 10**9}


def _calibration(intrinsics: Intrinsics) -> Json:
    (fx, fy), (cx, cy), (width, height) = intrinsics.focal_xy_px, intrinsics.center_xy_px, intrinsics.size_wh
    return {
        "frame_id": "camera", "width": width, "height": height, "distortion_model": "", "D": [],
        "K": [fx, 0, cx, 0, fy, cy, 0, 0, 1],
        "R": [1, 0, 0, 0, 1, 0, 0, 0, 1],
        "P": [fx, 0, cx, 0, 0, fy, cy, 0, 0, 0, 1, 0],
    }  # fmt: skip


def _rounded(boxes_xyxy: np.ndarray) -> list[list[float]]:
    return [[round(float(side), 2) for side in box] for box in boxes_xyxy]


def _outlines(boxes: list[list[float]], stamp: Json, color: Json) -> list[Json]:
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

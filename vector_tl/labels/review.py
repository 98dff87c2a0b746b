"""The work behind the review page: what an image's label is now, a decision on it, and the way back.

A decision names the version of the image's state that the person saw; if the state has changed since, nothing is done (`Conflict`).
Images put aside move to `bin/`, which has the same form as the dataset, and can come back.
"""

import glob
import hashlib
import json
import logging
import os
import threading
from contextlib import suppress
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path
from statistics import mean, median

import cv2
import numpy as np

from vector_tl.data import dataset
from vector_tl.data.boxes import to_pixels
from vector_tl.data.images import encode_jpeg, is_image_file, read_image
from vector_tl.data.yolo import format_label, parse_label
from vector_tl.errors import UserError
from vector_tl.files import write_atomic
from vector_tl.labels.journal import DecisionJournal
from vector_tl.labels.suggest import carried_suggestions
from vector_tl.labels.suggestions import (
    Suggestion,
    drop_carried,
    mark,
    put_suggestion,
    read_suggestions,
    suggestions_path,
)

ACTIONS = ("save", "keep", "bin", "restore")
CARRY_FRAMES = 10  # how far a box is carried at the press of a key
MAX_BOXES = 100
MAX_FILE_BYTES = 64 << 20
log = logging.getLogger(__name__)


class Conflict(UserError):
    """The image is no longer as the person saw it; nothing was done."""

    status = 409


class NotThere(UserError):
    """There is no such image."""

    status = 404


@dataclass(frozen=True)
class State:
    """An image's label as it is on disk, to the letter (None: not labelled), and whether the image is in the bin."""

    label: str | None
    binned: bool

    @property
    def version(self) -> str:
        """Differs whenever the state does."""
        return hashlib.sha256(json.dumps([self.label, self.binned]).encode()).hexdigest()[:16]


@dataclass(frozen=True)
class Effort:
    """What a decision took: seconds in which the person was at work on it, and what they did."""

    active_s: float = 0.0
    keys: int = 0
    clicks: int = 0
    drags: int = 0


class Desk:
    """The images of a dataset on a person's desk. Safe to use from several threads."""

    def __init__(self, folder: Path):
        """Take up work where it was left; a decision that a crash cut off is carried out now.

        Raises:
            UserError: no images there, or another review is at work on them.
        """
        self.folder, self.bin = Path(folder), Path(folder) / "bin"
        dataset.list_images(self.folder)
        self._lock = threading.RLock()
        self.journal = DecisionJournal(self.folder / "review" / "journal.jsonl")
        self._first_of_this_run = max(self.journal.decisions, default=0) + 1
        if (cut_off := self.journal.cut_off()) is not None:
            self._recover(cut_off)

    def _recover(self, entry: dict) -> None:
        key = tuple(entry["image"])
        before, after = State(**entry["before"]), State(**entry["after"])
        with suppress(NotThere):
            if self.state(*key) in (before, after):  # else somebody has changed it by hand since
                self._carry_out(key, before, after, entry)
        for path in (
            dataset.label_path(self.folder, *key),
            dataset.label_path(self.bin, *key),
            suggestions_path(self.folder, *key),
        ):
            for half_written in path.parent.glob(
                f".{glob.escape(path.name)}.*.part"
            ):  # see files.write_atomic
                half_written.unlink(missing_ok=True)
        self.journal.done(entry["n"])
        log.info("The decision on %s/%s that was cut off is carried out.", *key)

    def state(self, session: str, name: str) -> State:
        """How an image stands on disk now.

        Raises:
            NotThere: it is neither in the dataset nor in the bin.
        """
        binned = _find(self.folder, session, name) is None
        if binned and _find(self.bin, session, name) is None:
            raise NotThere(f"There is no image {session}/{name} any more.")
        try:
            label = (
                dataset.label_path(self.bin if binned else self.folder, session, name)
                .read_bytes()
                .decode("utf-8", "surrogateescape")
            )
        except (FileNotFoundError, NotADirectoryError):
            label = None
        return State(label, binned)

    def image_path(self, session: str, name: str) -> Path:
        """Where an image lies now.

        Raises:
            NotThere: nowhere.
        """
        found = _find(self.folder, session, name) or _find(self.bin, session, name)
        if found is None:
            raise NotThere(f"There is no image {session}/{name} any more.")
        return found

    def item(self, session: str, name: str) -> dict:
        """All that the page needs to show an image: its state, boxes in pixels, and suggestions."""
        with self._lock:
            state = self.state(session, name)
            problem, size_wh, boxes = None, None, []
            try:
                size_wh = self.size_wh(session, name)
                if state.label is not None:
                    boxes_norm = parse_label(_raw(state.label), Path(name + ".txt"))
                    boxes = to_pixels(boxes_norm, size_wh).round(3).tolist()
            except UserError as error:
                problem = str(error)
            suggestions = [
                {key: getattr(s, key) for key in ("id", "source", "by", "decided", "doubt")}
                | {"boxes": _scored(s, weak=False), "weak": _scored(s, weak=True)}
                for s in self._suggestions(session, name)
            ]
        return {
            "session": session, "name": name, "size_wh": size_wh, "labelled": state.label is not None, "binned": state.binned,
            "version": state.version, "boxes": boxes, "suggestions": suggestions, "problem": problem,
        }  # fmt: skip

    def decide(
        self,
        session: str,
        name: str,
        version: str,
        action: str,
        boxes_xyxy: np.ndarray | None,
        tab: str,
        effort: Effort,
    ) -> dict:
        """Carry out a decision; it is on disk when this returns.

        Args:
            version: of the state the person saw.
            action: save (the boxes given, none: no Vector), keep (the label as it is), bin, restore.
            boxes_xyxy: (N, 4) in pixels, for save.
            tab: the page it came from; undo goes by it.

        Raises:
            Conflict: the state has changed since.
            UserError: it cannot be done.
        """
        with self._lock:
            before = self.state(session, name)
            if before.version != version:
                raise Conflict(
                    f"{name} was changed elsewhere in the meantime; it is shown as it is now. Decide again."
                )
            if action in ("save", "keep") and before.binned:
                raise UserError(f"{name} is in the bin; bring it back before labelling it.")
            after = before
            if action == "save":
                after = State(format_label(boxes_xyxy, self.size_wh(session, name)), False)
                if after.label.count("\n") != len(boxes_xyxy):
                    raise UserError(
                        f"A box of {name} lies outside the image or is too small to be one; correct it."
                    )
            elif action in ("bin", "restore"):
                after = State(before.label, action == "bin")
            elif before.label is None:
                raise UserError(f"{name} has no label to keep yet.")
            waiting = [s.id for s in self._suggestions(session, name) if not s.decided]
            entry = {
                "action": action,
                "ids": waiting if action in ("save", "keep") else [],
                "tab": tab,
                "suggested": bool(waiting),
            } | asdict(effort)
            number = self._write((session, name), before, after, entry)
            return {"decision": number, "version": after.version}

    def undo(self, tab: str) -> dict:
        """Take back the last decision of this tab, or else the last one from before this server's start.

        Raises:
            Conflict: the image was changed after that decision.
            UserError: there is nothing to take back.
        """
        with self._lock:
            undone = self.journal.undone()
            for number, entry in reversed(self.journal.decisions.items()):
                if (
                    "undoes" not in entry
                    and number not in undone
                    and (entry["tab"] == tab or number < self._first_of_this_run)
                ):
                    break
            else:
                raise UserError("There is nothing to undo.")
            key, before, after = tuple(entry["image"]), State(**entry["before"]), State(**entry["after"])
            if self.state(*key) != after:
                raise Conflict(f"{key[1]} was changed after this decision; it is shown as it is now.")
            self._write(
                key, after, before, {"action": "undo", "undoes": number, "ids": entry["ids"], "tab": tab}
            )
            for path in suggestions_path(self.folder, *key).parent.glob("*.json"):
                with suppress(UserError):
                    drop_carried(self.folder, key[0], path.stem, key[1])
            return {"session": key[0], "name": key[1], "undone": entry["action"]}

    def carry(self, session: str, name: str, count: int = CARRY_FRAMES) -> dict:
        """Carry the boxes of a labelled image to the next frames of its session, up to the next labelled one, as suggestions."""
        boxes_norm = dataset.read_labels(dataset.label_path(self.folder, session, name))
        if boxes_norm is None or not len(boxes_norm):
            raise UserError(f"{name} has no box to carry on.")
        images = {key: path for key, path in dataset.list_images(self.folder).items() if key[0] == session}
        following: dict[tuple[str, str], Path] = {}
        for key in [key for key in images if key[1] > name][:count]:
            if dataset.label_path(self.folder, *key).exists():
                break
            following[key] = images[key]
        carried = []
        for key, new, size_wh in carried_suggestions(name, images[session, name], boxes_norm, following):
            if put_suggestion(self.folder, *key, new, size_wh):
                carried.append({"session": session, "name": key[1], "confidence": round(1 - new.doubt, 3)})
        return {"carried": carried, "frames": len(following)}

    def pace(self) -> dict:
        """Seconds and actions per image, over all decisions that were not undone and came from the page."""
        with self._lock:
            undone = self.journal.undone()
            made = [
                e
                for n, e in self.journal.decisions.items()
                if e["action"] in ("save", "keep", "bin") and n not in undone
            ]
        seconds = [e["active_s"] for e in made if e["active_s"] > 0]
        with_, without = (
            [e["keys"] + e["clicks"] + e["drags"] for e in made if e["suggested"] is flag]
            for flag in (True, False)
        )
        return {
            "decisions": len(made),
            "seconds_median": round(median(seconds), 2) if seconds else None,
            "actions_suggested": round(mean(with_), 2) if with_ else None,
            "actions_unsuggested": round(mean(without), 2) if without else None,
        }

    def size_wh(self, session: str, name: str) -> tuple[int, int]:
        """Width and height of an image.

        Raises:
            UserError: it is not readable.
        """
        path = self.image_path(session, name)
        if path.stat().st_size > MAX_FILE_BYTES:
            raise UserError(f"{path} is larger than {MAX_FILE_BYTES >> 20} MiB; make it smaller.")
        return _size_wh(path, path.stat().st_mtime_ns)

    def scaled(self, session: str, name: str, width_px: int) -> tuple[bytes, str]:
        """An encoded image no wider than `width_px` and its media type; one that is small enough already as it is on disk."""
        path = self.image_path(session, name)
        if self.size_wh(session, name)[0] <= width_px and (kind := _media_type(data := path.read_bytes())):
            return data, kind
        image = read_image(path)
        height, width = image.shape[:2]
        if width > width_px:
            image = cv2.resize(
                image, (width_px, max(round(height * width_px / width), 1)), interpolation=cv2.INTER_AREA
            )
        return encode_jpeg(image, 92), "image/jpeg"

    def close(self) -> None:
        """Let another review begin."""
        self.journal.close()

    def _suggestions(self, session: str, name: str) -> list[Suggestion]:
        try:
            return read_suggestions(self.folder, session, name)[0]
        except UserError as error:
            log.warning("%s", error)
            return []

    def _write(self, key: tuple[str, str], before: State, after: State, entry: dict) -> int:
        if before.binned != after.binned:
            _refuse_taken(self.bin if after.binned else self.folder, *key)
        when = datetime.now(UTC).isoformat(timespec="milliseconds")
        number = self.journal.add(
            {"time": when, "image": list(key), "before": asdict(before), "after": asdict(after)} | entry
        )
        try:
            self._carry_out(key, before, after, entry)
        except (UserError, OSError) as error:
            with suppress(UserError, OSError):
                self._carry_out(key, after, before, entry | {"action": "undo"})
            self.journal.cancel(number)
            raise UserError(
                f"The decision on {key[1]} could not be saved and nothing was changed: {error}"
            ) from error
        self.journal.done(number)
        return number

    def _carry_out(self, key: tuple[str, str], before: State, after: State, entry: dict) -> None:
        """Make the disk say `after`; doing it twice, or again after half of it, comes to the same."""
        there, other = (self.bin, self.folder) if after.binned else (self.folder, self.bin)
        label = dataset.label_path(there, *key)
        if after.label is None:
            label.unlink(missing_ok=True)
        elif not label.exists() or label.read_bytes() != _raw(after.label):
            write_atomic(label, _raw(after.label))
        if before.binned != after.binned:
            if (image := _find(other, *key)) is not None:
                target = there / "images" / key[0] / image.name
                target.parent.mkdir(parents=True, exist_ok=True)
                os.replace(image, target)
            dataset.label_path(other, *key).unlink(missing_ok=True)
        mark(self.folder, *key, entry["ids"], decided=entry["action"] != "undo")


def _scored(suggestion: Suggestion, weak: bool) -> list[dict]:
    return [
        {"xyxy": box[:4], "score": box[4]}
        for box in suggestion.boxes
        if (box[4] < suggestion.threshold) is weak
    ]


def _raw(label: str) -> bytes:
    return label.encode("utf-8", "surrogateescape")


@lru_cache(4096)
def _size_wh(path: Path, _mtime_ns: int) -> tuple[int, int]:
    height, width = read_image(path).shape[:2]
    return width, height


def _find(root: Path, session: str, name: str) -> Path | None:
    folder = dataset.image_path(root, session, name).parent
    with suppress(OSError):
        for entry in os.scandir(folder):
            if Path(entry.name).stem == name and is_image_file(Path(entry.path)):
                return Path(entry.path)
    return None


def _refuse_taken(root: Path, session: str, name: str) -> None:
    if _find(root, session, name) is not None or dataset.label_path(root, session, name).exists():
        raise UserError(f"{root} has another image or label {session}/{name}; move that one away first.")


def _media_type(data: bytes) -> str | None:
    """What browsers show as it is."""
    kinds = {
        b"\xff\xd8\xff": "image/jpeg",
        b"\x89PNG\r\n\x1a\n": "image/png",
        b"GIF8": "image/gif",
        b"BM": "image/bmp",
    }
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return "image/webp"
    return next((kind for magic, kind in kinds.items() if data.startswith(magic)), None)

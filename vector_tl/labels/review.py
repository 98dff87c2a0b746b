"""The work behind the review page: what an image's label is now, a decision on it, and undoing it.

A decision names the version of the image's state that the person saw; if the state has changed since, nothing
is done (`Conflict`). Deleted images move to `bin/`, which has the same form as the dataset, and can come
back.
"""

import hashlib
import json
import logging
import os
import threading
from contextlib import suppress
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from statistics import mean, median
from typing import Any

import numpy as np

from vector_tl.data import dataset
from vector_tl.data.boxes import as_boxes, to_pixels
from vector_tl.data.yolo import format_label, parse_label
from vector_tl.errors import UserError
from vector_tl.files import sweep, write_atomic
from vector_tl.labels.journal import Decision, DecisionJournal
from vector_tl.labels.review_images import find_image, for_browser, refuse_taken, size_of
from vector_tl.labels.suggest import carried_suggestions
from vector_tl.labels.suggestions import (
    Suggestion,
    drop_all_carried,
    mark,
    put_suggestion,
    read_suggestions,
    suggestions_path,
)

ACTIONS = ("save", "keep", "bin", "restore")
CARRY_FRAMES = 10  # how far a box is carried at the press of a key
MAX_BOXES = 100
log = logging.getLogger(__name__)


class Conflict(UserError):
    """The image is no longer as the person saw it; nothing was done."""

    status = 409


class NotThere(UserError):
    """There is no such image."""

    status = 404


@dataclass(frozen=True)
class State:
    """An image's label exactly as on disk (None: not labelled), and whether the image is in the bin."""

    label: str | None
    binned: bool

    @classmethod
    def of(cls, entry: dict[str, Any]) -> "State":
        """The state in a line of the journal."""
        return cls(entry["label"], entry["binned"])

    @property
    def version(self) -> str:
        """Differs whenever the state does."""
        return hashlib.sha256(json.dumps([self.label, self.binned]).encode()).hexdigest()[:16]


@dataclass(frozen=True)
class Effort:
    """What a decision took: seconds in which the person worked on it, key presses, clicks and drags."""

    active_s: float = 0.0
    keys: int = 0
    clicks: int = 0
    drags: int = 0


class Desk:
    """The images of a dataset under review. Safe to use from several threads."""

    def __init__(self, folder: Path):
        """Continue where the last review ended; a decision that a crash interrupted is carried out now.

        Raises:
            UserError: no images there, or another review has them open.
        """
        self.folder, self.bin = Path(folder), Path(folder) / "bin"
        dataset.list_images(self.folder)
        self._lock = threading.RLock()
        self.journal = DecisionJournal(self.folder / "review" / "journal.jsonl")
        self._first_of_this_run = max(self.journal.decisions, default=0) + 1
        if (cut_off := self.journal.cut_off()) is not None:
            self._recover(cut_off)

    def _recover(self, entry: Decision) -> None:
        key = _key(entry)
        before, after = State.of(entry["before"]), State.of(entry["after"])
        with suppress(NotThere):
            if self.state(*key) in (before, after):  # else it was changed by hand since
                self._carry_out(key, before, after, entry)
        for path in (
            dataset.label_path(self.folder, *key),
            dataset.label_path(self.bin, *key),
            suggestions_path(self.folder, *key),
        ):
            sweep(path)
        self.journal.done(entry["n"])
        log.info("The interrupted decision on %s/%s is carried out.", *key)

    def state(self, session: str, name: str) -> State:
        """How an image stands on disk now.

        Raises:
            NotThere: it is neither in the dataset nor in the bin.
        """
        binned = self.image_path(session, name).is_relative_to(self.bin)
        path = dataset.label_path(self.bin if binned else self.folder, session, name)
        try:
            return State(path.read_bytes().decode("utf-8", "surrogateescape"), binned)
        except (FileNotFoundError, NotADirectoryError):
            return State(None, binned)

    def image_path(self, session: str, name: str) -> Path:
        """Where an image lies now.

        Raises:
            NotThere: it is neither in the dataset nor in the bin.
        """
        found = find_image(self.folder, session, name) or find_image(self.bin, session, name)
        if found is None:
            raise NotThere(f"There is no image {session}/{name} any more.")
        return found

    def item(self, session: str, name: str) -> dict[str, Any]:
        """What the page needs to show an image: its state, boxes in pixels, and suggestions."""
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
            "session": session,
            "name": name,
            "size_wh": size_wh,
            "labelled": state.label is not None and problem is None,  # what cannot be read labels nothing
            "binned": state.binned,
            "version": state.version,
            "boxes": boxes,
            "suggestions": suggestions,
            "problem": problem,
        }

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
            session: the image's session.
            name: the image's name.
            version: of the state the person saw.
            action: save (the boxes given; none: no Vector), keep (the label as it is), bin, restore.
            boxes_xyxy: (N, 4) in pixels, for save.
            tab: the browser tab it came from; undo is by tab.
            effort: what the decision took.

        Raises:
            Conflict: the state has changed since.
            UserError: it cannot be done; a label that cannot be read cannot be kept, either.
        """
        with self._lock:
            before = self.state(session, name)
            if before.version != version:
                raise Conflict(
                    f"{name} was changed elsewhere in the meantime; it is shown as it is now. Decide again."
                )
            if action in ("save", "keep") and before.binned:
                raise UserError(f"{name} is in the bin; bring it back before labelling it.")
            if action == "keep":
                if before.label is None:
                    raise UserError(f"{name} has no label to keep yet.")
                parse_label(_raw(before.label), Path(name + ".txt"))  # a broken one is no label
            after = State(before.label, {"bin": True, "restore": False}.get(action, before.binned))
            if action == "save":
                boxes = as_boxes([] if boxes_xyxy is None else boxes_xyxy)
                label = format_label(boxes, self.size_wh(session, name))
                if label.count("\n") != len(boxes):
                    raise UserError(
                        f"A box of {name} lies outside the image or is too small to be one; correct it."
                    )
                after = State(label, False)
            waiting = [s.id for s in self._suggestions(session, name) if not s.decided]
            ids = waiting if action in ("save", "keep") else []
            entry = {"action": action, "ids": ids, "tab": tab, "suggested": bool(waiting)} | asdict(effort)
            number = self._write((session, name), before, after, entry)
            return {"decision": number, "version": after.version}

    def undo(self, tab: str) -> dict[str, str]:
        """Undo the last decision of this tab, or else the last one from before this server's start.

        Raises:
            Conflict: the image was changed after that decision.
            UserError: there is nothing to undo.
        """
        with self._lock:
            undone = self.journal.undone()
            mine = (
                (number, entry)
                for number, entry in reversed(self.journal.decisions.items())
                if "undoes" not in entry and number not in undone
                if entry["tab"] == tab or number < self._first_of_this_run
            )
            number, entry = next(mine, (0, None))
            if entry is None:
                raise UserError("There is nothing to undo.")
            key, before, after = _key(entry), State.of(entry["before"]), State.of(entry["after"])
            if self.state(*key) != after:
                raise Conflict(f"{key[1]} was changed after this decision; it is shown as it is now.")
            undoing = {"action": "undo", "undoes": number, "ids": entry["ids"], "tab": tab}
            self._write(key, after, before, undoing)
            drop_all_carried(self.folder, *key)
            return {"session": key[0], "name": key[1], "undone": entry["action"]}

    def carry(self, session: str, name: str, count: int = CARRY_FRAMES) -> dict[str, Any]:
        """Copy the boxes of a labelled image to the next `count` frames of its session, as suggestions.

        Stops before the next labelled image, and where the Vector is lost.

        Returns:
            {"carried": [{"session", "name", "confidence"}], "frames": looked through}

        Raises:
            UserError: the image has no box.
        """
        boxes_norm = dataset.read_labels(dataset.label_path(self.folder, session, name))
        if boxes_norm is None or not len(boxes_norm):
            raise UserError(f"{name} has no box to copy.")
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

    def pace(self) -> dict[str, Any]:
        """Seconds and actions per image, over all decisions of the page that were not undone."""
        with self._lock:
            undone, decisions = self.journal.undone(), self.journal.decisions.items()
            made = [
                entry
                for number, entry in decisions
                if entry["action"] in ("save", "keep", "bin") and number not in undone
            ]
        seconds = [entry["active_s"] for entry in made if entry["active_s"] > 0]
        actions: dict[bool, list[int]] = {True: [], False: []}
        for entry in made:
            actions[entry["suggested"]].append(entry["keys"] + entry["clicks"] + entry["drags"])
        return {
            "decisions": len(made),
            "seconds_median": round(median(seconds), 2) if seconds else None,
            "actions_suggested": round(mean(actions[True]), 2) if actions[True] else None,
            "actions_unsuggested": round(mean(actions[False]), 2) if actions[False] else None,
        }

    def size_wh(self, session: str, name: str) -> tuple[int, int]:
        """Width and height of an image.

        Raises:
            UserError: it is not readable.
        """
        return size_of(self.image_path(session, name))

    def scaled(self, session: str, name: str, width_px: int) -> tuple[bytes, str]:
        """An encoded image no wider than `width_px` and its media type; a small one as it is on disk.

        Raises:
            UserError: it is not readable.
        """
        return for_browser(self.image_path(session, name), width_px)

    def close(self) -> None:
        """Close the journal, so that another review may begin."""
        self.journal.close()

    def _suggestions(self, session: str, name: str) -> list[Suggestion]:
        try:
            return read_suggestions(self.folder, session, name)[0]
        except UserError as error:
            log.warning("%s", error)
            return []

    def _write(self, key: tuple[str, str], before: State, after: State, entry: Decision) -> int:
        if before.binned != after.binned:
            refuse_taken(self.bin if after.binned else self.folder, *key)
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

    def _carry_out(self, key: tuple[str, str], before: State, after: State, entry: Decision) -> None:
        """Bring the files to the state `after`; doing it again, or after half of it, has the same result."""
        there, other = (self.bin, self.folder) if after.binned else (self.folder, self.bin)
        label = dataset.label_path(there, *key)
        if after.label is None:
            label.unlink(missing_ok=True)
        elif not label.exists() or label.read_bytes() != _raw(after.label):
            write_atomic(label, _raw(after.label))
        if before.binned != after.binned:
            if (image := find_image(other, *key)) is not None:
                target = there / "images" / key[0] / image.name
                target.parent.mkdir(parents=True, exist_ok=True)
                os.replace(image, target)
            dataset.label_path(other, *key).unlink(missing_ok=True)
        mark(self.folder, *key, entry["ids"], decided=entry["action"] != "undo")


def _scored(suggestion: Suggestion, weak: bool) -> list[dict[str, Any]]:
    return [
        {"xyxy": box[:4], "score": box[4]}
        for box in suggestion.boxes
        if (box[4] < suggestion.threshold) is weak
    ]


def _raw(label: str) -> bytes:
    return label.encode("utf-8", "surrogateescape")


def _key(entry: Decision) -> tuple[str, str]:
    session, name = entry["image"]
    return session, name

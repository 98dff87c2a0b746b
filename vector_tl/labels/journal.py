"""The review's journal: a line of JSON for every decision, on disk before anything is changed.

So no decision is lost, and none is carried out twice.

A decision's line says how the image was before and is after it; a second line, `{"done": n}`, follows once
the change is made (`{"cancelled": n}` if it cannot be). Lines are only ever added. The last decision without
its second line was cut off by a crash, and is carried out at the next start.
"""

import errno
import json
import logging
import os
from contextlib import ExitStack
from pathlib import Path
from typing import Annotated, Any, Literal, NotRequired, TypedDict

from msgspec import Meta

from vector_tl.data.session_forms import Name
from vector_tl.errors import UserError, cannot_write, writing_remedy
from vector_tl.files import claimed
from vector_tl.forms import Count, Finite, check_form

Decision = dict[str, Any]
log = logging.getLogger(__name__)


class _State(TypedDict):
    label: Annotated[str, Meta(pattern=r"^[^\ud800-\udc7f\udd00-\udfff]*$")] | None
    binned: bool


class _Entry(TypedDict):
    n: Count
    image: tuple[Name, Name]
    before: _State
    after: _State
    ids: list[str]
    tab: str


class _Made(_Entry):
    action: Literal["save", "keep", "bin", "restore"]
    suggested: bool
    active_s: Finite
    keys: Count
    clicks: Count
    drags: Count


class _Undoing(_Entry):
    action: Literal["undo"]
    undoes: Count


class _Mark(TypedDict):
    done: NotRequired[Count]
    cancelled: NotRequired[Count]


class DecisionJournal:
    """Decisions in the order they were made; one process at a time may hold a journal open.

    Attributes:
        decisions: all of them, by their number `n`, oldest first.
    """

    def __init__(self, path: Path):
        """Open or begin a journal.

        Raises:
            UserError: another review has this data open, or the file cannot be written.
        """
        self.path = path
        self.decisions: dict[int, Decision] = {}
        self._done: set[int] = set()
        self._last = 0
        with ExitStack() as stack:
            if not stack.enter_context(claimed(path.with_suffix(".lock"))):
                raise UserError(
                    f"Another vector-tl label review is at work on {path.parents[1]}; use its page, "
                    "or end it first."
                )
            try:
                self._file = stack.enter_context(path.open("a+b"))
                self._read()
            except OSError as error:
                raise cannot_write(f"the review's journal {path}", error) from error
            self._held = stack.pop_all()

    def _read(self) -> None:
        self._file.seek(0)
        content = self._file.read()
        for number, line in enumerate(content.splitlines(), 1):
            try:
                entry = json.loads(line)
            except (ValueError, RecursionError):
                log.warning(
                    "%s: line %d is no decision (cut off by a crash) and counts for nothing",
                    self.path,
                    number,
                )
                continue
            self._take(entry, f"{self.path}, line {number},")
        if content and not content.endswith(b"\n"):
            self._write(b"\n")

    def _take(self, entry: Any, where: str) -> None:
        """Take a line's value in.

        Raises:
            UserError: it is no such line.
        """
        remedy = "correct or delete that line"
        if isinstance(entry, dict) and "n" in entry:
            if "picture" in entry:  # old name, of version 0.1
                entry["image"] = entry.pop("picture")  # old name
            check_form(entry, _Undoing if "undoes" in entry else _Made, where, remedy)
            self.decisions[entry["n"]] = entry
            self._last = max(self._last, entry["n"])
            return
        check_form(entry, _Mark, where, remedy)
        if "done" in entry:
            self._done.add(entry["done"])
        if "cancelled" in entry:
            self.decisions.pop(entry["cancelled"], None)

    def add(self, decision: Decision) -> int:
        """Write a decision, which is on disk when this returns, and give its number."""
        number = self._last + 1
        entry = {"n": number} | decision
        self._write(json.dumps(entry, allow_nan=False).encode() + b"\n")
        self._last = number
        self.decisions[number] = entry
        return number

    def done(self, number: int) -> None:
        """Note that a decision was carried out."""
        self._write(b'{"done": %d}\n' % number, sync=False)  # without this line it is only checked again
        self._done.add(number)

    def cancel(self, number: int) -> None:
        """Note that a decision could not be carried out and counts for nothing."""
        self.decisions.pop(number, None)
        self._write(b'{"cancelled": %d}\n' % number)

    def cut_off(self) -> Decision | None:
        """The last decision, if it was written down but perhaps not carried out."""
        return self.decisions.get(self._last) if self._last not in self._done else None

    def undone(self) -> set[int]:
        """Numbers of the decisions that were undone since."""
        return {entry["undoes"] for entry in self.decisions.values() if "undoes" in entry}

    def _write(self, data: bytes, sync: bool = True) -> None:
        handle = self._file.fileno()
        end = os.fstat(handle).st_size
        try:
            written = os.write(handle, data)  # opened for appending: always at the end
            if written < len(data):
                os.ftruncate(handle, end)  # half a line would be no decision
                raise OSError(errno.ENOSPC, "the disk is full")
            if sync:
                os.fsync(handle)
        except OSError as error:
            raise UserError(
                f"Cannot write the review's journal {self.path} ({error.strerror}); nothing was changed: "
                f"{writing_remedy(error, 'copy the dataset to another place')}."
            ) from error

    def close(self) -> None:
        """Close the file, so that another review may open it."""
        self._held.close()

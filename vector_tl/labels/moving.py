"""How an import moves into the dataset and out again, so that being killed in between does no harm.

A file `move.json` in the import's folder says what is to happen before any of it does. Whoever comes next
finishes it; without that file the folder is thrown away.
"""

import hashlib
import json
import logging
import os
import shlex
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from vector_tl.data import dataset
from vector_tl.data.dataset import Split
from vector_tl.data.session_forms import Name
from vector_tl.errors import UserError, cannot_write
from vector_tl.files import read_json, write_json
from vector_tl.labels.archive import remove

log = logging.getLogger(__name__)
PREFIX = ".import-"
ORDER = "move.json"


@dataclass
class _Order:
    do: Literal["import", "undo"]
    sessions: dict[Name, Split | None] | list[Name]  # of an import, of an undo
    result: dict[str, Any]
    asked: dict[str, Any] = field(default_factory=dict)
    made_splits: bool = False

    def __post_init__(self) -> None:
        if isinstance(self.sessions, dict) != (self.do == "import"):
            raise ValueError("the sessions of an import have splits, and those of an undo have none")


def _parts(session: str) -> tuple[str, str, str]:
    """Provenance and labels first: a crash never leaves images without their labels."""
    return f"sessions/{session}.json", f"labels/{session}", f"images/{session}"


def labels_digest(folder: Path, session: str) -> str:
    """SHA-256 over a session's labels and the names of its images."""
    total = hashlib.sha256()
    for path in sorted((folder / "labels" / session).glob("*.txt")):
        total.update(f"{path.name}\0".encode("utf-8", "surrogateescape") + path.read_bytes() + b"\0")
    for path in sorted((folder / "images" / session).glob("[!.]*")):
        total.update(f"{path.name}\0".encode("utf-8", "surrogateescape"))
    return total.hexdigest()


def move_in(
    work: Path, data: Path, splits: dict[str, str | None], asked: dict[str, Any], result: dict[str, Any]
) -> None:
    """Move the sessions in `work`/new into the dataset, all or none.

    Raises:
        UserError: a session of that name exists, or the disk does not take it; nothing is moved then.
    """
    for session in splits:
        if any((data / part).exists() for part in _parts(session)):
            undo = f", or take it out with vector-tl label import --undo --data {shlex.quote(str(data))}"
            undo *= session in last_import(data)
            raise UserError(
                f"{data} has a session {session!r} already, which is kept; choose another --session{undo}."
            )
    before = dataset.read_splits(data)  # a broken one is better known now
    os.sync()  # once for all files, before the first of them counts
    order: dict[str, Any] = {"do": "import", "sessions": splits, "asked": asked, "result": result}
    order["made_splits"] = not (data / "splits.json").exists()
    write_json(work / ORDER, order)
    try:
        _carry_out(work, data, order)
    except (OSError, UserError) as error:
        for session in splits:
            for part in reversed(_parts(session)):
                if (data / part).exists():
                    (data / part).rename(work / "new" / part)
        _remove_empty(data)
        if dataset.read_splits(data) != before:
            with dataset.changing_splits(data) as now:
                for session in splits:
                    now.pop(session, None)
                now |= {session: before[session] for session in splits if session in before}
        (work / ORDER).unlink(missing_ok=True)
        if isinstance(error, UserError):
            raise
        raise cannot_write(data, error) from error


def _carry_out(work: Path, data: Path, order: dict[str, Any]) -> None:
    """Do what an order says, or what is left of it."""
    here, there = (work / "new", data) if order["do"] == "import" else (data, work / "old")
    for session in order["sessions"]:
        parts = _parts(session)
        for part in parts if order["do"] == "import" else reversed(parts):
            if (here / part).exists():
                (there / part).parent.mkdir(parents=True, exist_ok=True)
                (here / part).rename(there / part)
    splits = dataset.read_splits(data)
    if order["do"] == "import":
        own = {session: split for session, split in order["sessions"].items() if split}
        if splits or own:
            with dataset.changing_splits(data) as splits:
                splits |= own
            dataset.extend_splits(data, [session for session in order["sessions"] if session not in own])
        return
    if not splits.keys().isdisjoint(order["sessions"]):
        with dataset.changing_splits(data) as splits:
            for session in order["sessions"]:
                splits.pop(session, None)
    if not splits and order.get("made_splits"):
        (data / "splits.json").unlink(missing_ok=True)
        yaml = data / "data.yaml"
        if yaml.exists() and yaml.read_text(encoding="utf-8", errors="replace").startswith(
            dataset.YAML_HEADER
        ):
            yaml.unlink()
    _remove_empty(data)


def _remove_empty(data: Path) -> None:
    for name in ("images", "labels", "sessions"):
        folder = data / name
        if folder.is_dir() and not any(folder.iterdir()):
            folder.rmdir()


def recover(data: Path, asked: dict[str, Any] | None = None) -> dict[str, Any] | None:
    """Finish what was killed, and throw away what it had not begun to move.

    Args:
        data: the dataset's folder.
        asked: the import that is asked for now.

    Returns:
        The result of a finished import, if it is the one that is asked for.
    """
    finished = None
    for work in sorted(data.glob(f"{PREFIX}*")):
        if not work.is_dir():
            continue
        remedy = f"correct it, or move the folder {work} away: what was not moved yet is in it"
        order = read_json(work / ORDER, remedy=remedy, form=_Order)
        if order is not None:
            _carry_out(work, data, order)
            log.warning(
                "an earlier %s was interrupted and is now finished: %s",
                order["do"],
                ", ".join(order["sessions"]),
            )
            if asked is not None and order.get("asked") == asked:
                finished = order["result"]
        remove(work)
    return finished


def last_import(data: Path) -> dict[str, dict[str, Any]]:
    """What is noted of the sessions of the last import; empty where there was none.

    Raises:
        UserError: what is noted of a session cannot be read.
    """
    imports: dict[str, dict[str, Any]] = {}
    for path in sorted((data / "sessions").glob("[!.]*.json")):
        about = dataset.read_session(data, path.stem)
        if about.get("labels_digest") and about.get("imported"):
            imports[path.stem] = about
    last = max(map(_when, imports.values()), default=None)
    return {session: about for session, about in imports.items() if _when(about) == last}


def undo(data: Path) -> dict[str, Any]:
    """Take the sessions of the last import out again.

    Returns:
        {"undone": [sessions], "images"}

    Raises:
        UserError: there was none, or something was changed since.
    """
    sessions = last_import(data)
    if not sessions:
        raise UserError(f"{data} has no import that could be undone.")
    for session, about in sessions.items():
        if labels_digest(data, session) != about["labels_digest"]:
            raise UserError(
                f"Labels or images of the session {session} were changed since it was imported; it is kept. "
                f"Delete images/{session}, labels/{session} and sessions/{session}.json yourself if you want."
            )
    images = sum(len(list((data / "images" / session).glob("[!.]*"))) for session in sessions)
    import tempfile

    work = Path(tempfile.mkdtemp(prefix=PREFIX, dir=data))
    splits = dataset.read_splits(data)
    result = {"undone": list(sessions), "images": images}
    only = set(splits) <= set(sessions)
    order = {"do": "undo", "sessions": list(sessions), "made_splits": only, "result": result}
    write_json(work / ORDER, order)
    try:
        _carry_out(work, data, order)
    except OSError as error:
        raise cannot_write(data, error) from error
    remove(work)
    return result


def _when(about: dict[str, Any]) -> tuple[str, str]:
    return str(about.get("imported")), json.dumps([about.get("source"), about.get("import_id")])

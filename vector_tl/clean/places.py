"""Where the program writes outside datasets and models, and what lies there."""

import os
import stat
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from vector_tl.clean.in_use import OpenPlaces
from vector_tl.clean.settings import CleanSettings
from vector_tl.nets.downloads import (
    TORCHVISION,
    WRONG,
    cache_folder,
    compiled_folder,
    measured_file,
    torchvision_folder,
    user_cache,
)
from vector_tl.parts import SUFFIX, leftovers
from vector_tl.system import user_id

WORK = "vector-tl-"  # folders for temporary files begin so, in the system's folder for those
MODELS = (".safetensors", ".pt", ".pth", ".ckpt", ".onnx", ".tflite")
POLL = "poll.sqlite"
UNTOUCHED_S = 3600.0  # after which temporary files that nobody has open are left ones
BLOCK_BYTES = 512  # of st_blocks
KINDS = {
    ".mcap": "recording",
    ".mp4": "film",
    ".gif": "film",
    ".html": "page",
    ".csv": "table",
    ".json": "figures",
}
SHARED = {  # caches of libraries, below the user's own; the variable that moves one
    "compiled shaders of Mesa": ("mesa_shader_cache", "MESA_SHADER_CACHE_DIR"),
    "Matplotlib's list of fonts": ("matplotlib", "MPLCONFIGDIR"),
}


@dataclass(frozen=True)
class Entry:
    """One file or folder that the program made, which is removed as a whole or not at all."""

    group: str  # of `settings.GROUPS`
    path: Path
    what: str
    bytes: int  # on the disk
    changed_s: float  # when anything in it changed last
    kept: str | None  # why it is not removed, whoever asks


def survey(settings: CleanSettings) -> list[Entry]:
    """All there is, group by group."""
    opened, places = OpenPlaces(), (_leftovers(settings), _downloads(), _caches(), _runs(settings.runs))
    found = [_entry(*place, opened) for group in places for place in group]
    return [entry for entry in found if entry.group != "leftovers" or _is_left(entry)]


Place = tuple[str, Path, str]  # group, path, what it is


def _leftovers(settings: CleanSettings) -> Iterator[Place]:
    for top in (settings.runs, settings.data, settings.models):
        for folder, folders, _ in os.walk(top):
            found = list(leftovers(Path(folder)))
            folders[:] = sorted(set(folders) - {path.name for path in found})
            yield from (("leftovers", path, "half-written by a killed run") for path in found)
    for path in sorted(Path(tempfile.gettempdir()).glob(f"{WORK}*")):
        own = path.is_dir() and not path.is_symlink() and path.stat().st_uid == user_id()
        if own and path.name != f"{WORK}{user_id()}":  # that one holds the locks of robots
            yield "leftovers", path, "temporary files of a killed run"


def _downloads() -> Iterator[Place]:
    for folder, pattern in ((cache_folder(), "*"), (torchvision_folder(), f"{TORCHVISION}*")):
        for path in sorted(set(folder.glob(pattern)) - {compiled_folder(), measured_file()}):
            wrong = path.name.endswith(WRONG)
            yield "downloads", path, "not what was released, set aside" if wrong else "COCO weights"


def _caches() -> Iterator[Place]:
    for what, (name, variable) in SHARED.items():
        path = Path(os.environ.get(variable) or user_cache() / name)
        if path.is_dir():
            yield "caches", path, what
    if compiled_folder().is_dir():
        yield "caches", compiled_folder(), "models compiled for this processor"
    if measured_file().is_file():
        yield "caches", measured_file(), "how fast this processor trains"


def _runs(folder: Path) -> Iterator[Place]:
    for path in sorted(folder.glob("[!.]*")):
        yield "runs", path, KINDS.get(path.suffix.lower(), "folder" if path.is_dir() else "file")


def _entry(group: str, path: Path, what: str, opened: OpenPlaces) -> Entry:
    """Size and age of a file or folder, and why it is kept if it is."""
    total, changed_s, kept = 0, 0.0, "a program has it open" if opened.hold(path) else None
    for held in _all_in(path):
        try:
            about = held.lstat()
        except OSError:
            continue
        total += about.st_blocks * BLOCK_BYTES
        changed_s = max(changed_s, about.st_mtime)
        kept = kept or (_worth(held, about.st_mode) if group == "runs" else None)
    return Entry(group, path, what, total, changed_s, kept)


def _is_left(entry: Entry) -> bool:
    """Whether it is a leftover; whoever makes temporary files may have none of them open just now."""
    untouched_s = time.time() - entry.changed_s
    return entry.kept is None and (entry.path.suffix == SUFFIX or untouched_s > UNTOUCHED_S)


def _all_in(path: Path) -> Iterator[Path]:
    """A file, or a folder and all below it; links are not followed."""
    yield path
    if path.is_dir() and not path.is_symlink():
        for folder, folders, files in os.walk(path):
            yield from (Path(folder) / name for name in folders + files)


def _worth(path: Path, mode: int) -> str | None:
    """Why something that a run made is not removed."""
    if path.suffix.lower() in MODELS and not stat.S_ISDIR(mode):
        return f"it holds a model, {path.name}"
    if path.name == POLL:
        return "it holds the votes of a poll"
    if stat.S_ISDIR(mode) and ((path / "images").is_dir() or (path / "labels").is_dir()):
        return "it holds a dataset"
    if os.path.ismount(path):
        return "another disk is mounted there"
    return None

"""The project's own datasets and exports, which are recognised by what lies in them, never by names alone.

An export holds `vector_tl.json`, with its sessions and their splits. Its files are named `session__name`;
where a session's or image's name holds what could be taken for the joint, it is written as =XX.
"""

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any
from xml.sax.saxutils import unescape

from vector_tl.data.dataset import SPLITS, YAML_HEADER

MARKER = "vector_tl.json"
JOINT = "__"
OLD_YAML = re.compile(r"path: \.\n((train|val|test): images/\2\n)+nc: 1\nnames: \[vector\]\n")
OLD_OBJECT = (
    r"  <object>\n    <name>vector</name>\n    <pose>Unspecified</pose>\n    <truncated>0</truncated>\n"
    r"    <difficult>0</difficult>\n    <bndbox>\n"
    r"      <xmin>[\d.]+</xmin>\n      <ymin>[\d.]+</ymin>\n      <xmax>[\d.]+</xmax>\n"
    r"      <ymax>[\d.]+</ymax>\n    </bndbox>\n  </object>\n"
)
OLD_XML = re.compile(
    r"<annotation>\n  <folder>(train|val|test)</folder>\n  <filename>([^<\n]+)</filename>\n  <size>\n"
    r"    <width>\d+</width>\n    <height>\d+</height>\n    <depth>3</depth>\n  </size>\n"
    rf"({OLD_OBJECT})*</annotation>\s*"
)
OLD_CATEGORIES = [{"id": 0, "name": "vector", "supercategory": "none"}]


def joined(session: str, name: str) -> str:
    """The stem of an exported image's file."""
    return _escaped(session) + JOINT + _escaped(name)


def parted(stem: str) -> tuple[str, str] | None:
    """Session and name of an exported image; None for a name that `joined` never gives."""
    parts = stem.split(JOINT)
    if len(parts) != 2 or not all(parts):
        return None
    session, name = (re.sub(r"=([0-9A-F]{2})", lambda found: chr(int(found[1], 16)), p) for p in parts)
    return (session, name) if joined(session, name) == stem else None


def _escaped(name: str) -> str:
    name = name.replace("=", "=3D")
    name = re.sub(r"(?<=_)_", "=5F", name)
    name = re.sub(r"^_|_$", "=5F", name)
    return name


def marker_text(form: str, version: str, splits: dict[str, str]) -> str:
    """The content of an export's `vector_tl.json`."""
    about = {"vector_tl": version, "format": form, "sessions": splits}
    return json.dumps(about, indent=1, ensure_ascii=False, sort_keys=True) + "\n"


@dataclass(frozen=True)
class OwnFolder:
    """A folder that this program wrote: its kind (export, old export, dataset), and session -> split."""

    folder: PurePosixPath
    kind: str
    splits: dict[str, str | None] = field(default_factory=dict)

    def session_of(self, image: PurePosixPath) -> tuple[str, str] | None:
        """Session and name of an image in the folder; None for one that is not the program's."""
        stem = image.stem
        if self.kind == "dataset":
            parts = image.relative_to(self.folder).parts
            return (parts[1], stem) if len(parts) == 3 and parts[0] == "images" else None
        if self.kind == "export":
            own = parted(stem)
            return own if own and own[0] in self.splits else None
        session, joint, name = stem.rpartition(JOINT)  # rather two sessions than two in one
        return (session, name) if joint and session and name else None


def own_folders(root: Path, files: Iterable[PurePosixPath]) -> list[OwnFolder]:
    """The folders of a source that this program wrote, deepest first."""
    files = list(files)
    found = [own for file in files if (own := _of_marker(root, file))]
    exports = {own.folder for own in found}
    names = {str(file) for file in files}
    for file in files:
        if file.parent in exports or any(parent in exports for parent in file.parents):
            continue
        own = _of_dataset(root, file, names) or _of_old_export(root, file)
        if own and not any(other.folder == own.folder for other in found):
            found.append(own)
    tables: dict[PurePosixPath, list[PurePosixPath]] = {}
    for file in files:
        if file.suffix.lower() == ".xml":
            tables.setdefault(file.parent, []).append(file)
    taken = {own.folder for own in found}
    for folder, xmls in tables.items():
        inside = folder in taken or any(parent in exports for parent in folder.parents)
        if not inside and all(_is_old_xml(root, file) for file in xmls):
            found.append(OwnFolder(folder, "old export"))
    return sorted(found, key=lambda own: -len(own.folder.parts))


def _read_json(path: Path) -> Any:
    try:
        return json.loads(path.read_text(encoding="utf-8-sig"))
    except (OSError, ValueError, RecursionError):
        return None


def _splits(value: Any) -> dict[str, str | None] | None:
    ok = isinstance(value, dict) and all(isinstance(v, str) and v in SPLITS for v in value.values())
    return dict(value) if ok else None


def _of_marker(root: Path, file: PurePosixPath) -> OwnFolder | None:
    if file.name != MARKER:
        return None
    about = _read_json(root / file)
    splits = _splits(about.get("sessions")) if isinstance(about, dict) and "vector_tl" in about else None
    return OwnFolder(file.parent, "export", splits) if splits is not None else None


def _of_dataset(root: Path, file: PurePosixPath, names: set[str]) -> OwnFolder | None:
    """A dataset's folder: splits.json that names its sessions, or our data.yaml, or sessions/."""
    if file.name not in ("splits.json", "data.yaml") and file.parent.name != "sessions":
        return None
    folder = file.parent.parent if file.parent.name == "sessions" else file.parent
    images = root / folder / "images"
    if not images.is_dir():
        return None
    if file.name == "data.yaml":
        text = (root / file).read_text(encoding="utf-8", errors="replace")
        if not text.startswith(YAML_HEADER):
            return None
    elif file.name != "splits.json":
        about = _read_json(root / file)
        if not (isinstance(about, dict) and file.suffix == ".json" and (images / file.stem).is_dir()):
            return None
    splits = _splits(_read_json(root / folder / "splits.json")) or {}
    if file.name == "splits.json" and not any((images / session).is_dir() for session in splits):
        return None
    return OwnFolder(folder, "dataset", splits)


def _of_old_export(root: Path, file: PurePosixPath) -> OwnFolder | None:
    """An export of version 0.1, which had no marker: its data.yaml or its COCO tables are of one form."""
    if file.name == "data.yaml":
        text = (root / file).read_text(encoding="utf-8", errors="replace")
        return OwnFolder(file.parent, "old export") if OLD_YAML.fullmatch(text) else None
    if file.name == "_annotations.coco.json":
        table = _read_json(root / file)
        own = isinstance(table, dict) and set(table) == {"images", "annotations", "categories"}
        if not own or table["categories"] != OLD_CATEGORIES or not isinstance(table["images"], list):
            return None
        names = [str(i.get("file_name")) for i in table["images"] if isinstance(i, dict)]
        return OwnFolder(file.parent, "old export") if all(JOINT in name for name in names) else None
    return None


def _is_old_xml(root: Path, file: PurePosixPath) -> bool:
    """Whether version 0.1 wrote this VOC file: its whole text is of one form."""
    if file.suffix != ".xml" or JOINT not in file.stem:
        return False
    try:
        form = OLD_XML.fullmatch((root / file).read_text(encoding="utf-8", errors="replace"))
    except OSError:
        return False
    if form is None:
        return False
    return form[1] == file.parent.name and unescape(form[2]).startswith(f"{file.stem}.")

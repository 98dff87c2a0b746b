"""YOLO: a text file for each image, `class cx cy w h` or a polygon a line; names of classes lie elsewhere.

Names stand in data.yaml (Ultralytics, Roboflow), classes.txt (LabelImg, Label Studio), obj.names and obj.data
(CVAT, Darknet) or notes.json (Label Studio).
"""

import re
from collections import Counter
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import Any

import yaml

from vector_tl.data.boxes import from_cxcywh
from vector_tl.errors import UserError
from vector_tl.labels.sources.records import BadEntry, ImageLabel, LabelBox, number, seem_corners

FORM = "yolo"
SPLIT_KEYS = {"train": "train", "val": "val", "valid": "val", "validation": "val", "test": "test"}
NAMES_KEYS = ("names", "class_names", "classes", "label_names")  # of data.yaml; the first is the usual one
KEYS = (*NAMES_KEYS, "path", "nc", "kpt_shape")  # beside the splits
EDGE = 0.01  # how far out of a box its keypoints may lie, in shares of the image
MARGIN = 0.5  # how far over the image's edge, in shares of it, a line may lie and still be one of shares


class UnclearNames(UserError):
    """A file of names does not say certainly which number has which name."""


@dataclass
class NameTable:
    """Names of classes, from one file; None as a key's text never occurs: keys are the numbers in labels."""

    file: PurePosixPath
    names: dict[int, str] = field(default_factory=dict)
    splits: dict[str, list[str]] = field(default_factory=dict)  # split -> folders, or files that list images
    base: str = ""  # the folder that `splits` count from
    names_file: str = ""  # where the names stand, if in another file
    keypoints: bool = False
    count: int = 0  # of classes, where the file says it


def read_names_text(path: PurePosixPath, text: str) -> NameTable:
    """A file with a name a line; the first is class 0.

    Raises:
        UnclearNames: a line is a comment, or all names stand in one line, so that numbers are uncertain.
    """
    lines = [line.strip() for line in text.splitlines()]
    for number_there, line in enumerate(lines, 1):
        if line.startswith(("#", "//", ";")):
            raise UnclearNames(
                f"{path}, line {number_there}: {line[:60]!r} seems to be a comment, and each line is a "
                "class's name; delete it."
            )
    if sum(map(bool, lines)) == 1 and re.search(r"[,;\t]", text.strip()):
        raise UnclearNames(
            f"{path} holds several names in one line; write one a line, the first for class 0."
        )
    while lines and not lines[-1]:
        lines.pop()
    return NameTable(path, {index: name for index, name in enumerate(lines) if name})


def read_yaml(path: PurePosixPath, text: str) -> NameTable | None:
    """data.yaml in each of its forms; None for YAML of another kind.

    Raises:
        UserError: it is not YAML, names a key twice, or its names are of no form that says a class's number.
    """
    try:
        table = _plain(yaml.compose(text, Loader=yaml.BaseLoader))
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise UserError(
            f"{path} is not readable YAML ({type(error).__name__}, {_yaml_place(error, text)}); correct it."
        ) from error
    except UserError as error:
        raise UserError(f"{path} is not readable YAML: {error}; correct it.") from None
    if not isinstance(table, dict):
        if isinstance(table, list) and path.name.lower() in ("data.yaml", "data.yml", "dataset.yaml"):
            raise UserError(
                f"{path} is YAML without keys at its top level; write the classes as names: [vector]."
            )
        return None
    splits: dict[str, list[str]] = {}
    for key, split in SPLIT_KEYS.items():
        values = table.get(key)
        values = [values] if isinstance(values, str) else values if isinstance(values, list) else []
        if found := [value for value in values if isinstance(value, str) and value]:
            splits.setdefault(split, []).extend(found)
    key = next((key for key in NAMES_KEYS if table.get(key) and (key == "names" or _is_flat(table[key]))), "")
    if not key:
        known = splits or "nc" in table
        return (
            NameTable(path, {}, splits, str(table.get("path") or ""), count=_count(table)) if known else None
        )
    names: Any = table[key]
    names_file = ""
    if isinstance(names, str) and names.strip():
        if re.search(r"\.(names|txt)$", names.strip()):
            names, names_file = {}, names.strip()
        else:
            names = [name.strip() for name in names.split(",")]
    base = table.get("path")
    return NameTable(
        path,
        _yaml_names(path, names),
        splits,
        base if isinstance(base, str) else "",
        names_file,
        "kpt_shape" in table,
        _count(table),
    )


def _count(table: dict[str, Any]) -> int:
    words = [str(table.get(key) or "").strip() for key in ("nc", "classes")]
    return next((int(word) for word in words if word.isdecimal()), 0)


def _plain(node: Any, depth: int = 4) -> Any:
    """A YAML node with all values as text: neither 'no' nor '0' becomes anything else.

    Only the keys that are needed are looked at, and not deep, so that knots of references do no harm.
    """
    if isinstance(node, yaml.ScalarNode):
        return node.value
    if depth and isinstance(node, yaml.SequenceNode):
        return [_plain(item, depth - 1) for item in node.value]
    if depth and isinstance(node, yaml.MappingNode):
        pairs = [(key.value, value) for key, value in node.value if isinstance(key, yaml.ScalarNode)]
        if depth == 4:
            pairs = [(key, value) for key, value in pairs if key in (*SPLIT_KEYS, *KEYS)]
        for key, count in Counter(key for key, _ in pairs).items():
            if count > 1:
                raise UserError(f"the key {key} stands there {count} times")
        return {key: _plain(value, depth - 1) for key, value in pairs}
    return None


def _is_flat(names: Any) -> bool:
    """Whether a value lists texts, or gives numbers texts."""
    if isinstance(names, dict):
        return all(str(key).strip().isdecimal() for key in names) and _is_flat(list(names.values()))
    return isinstance(names, list) and all(isinstance(name, str) for name in names)


def _yaml_place(error: Exception, text: str) -> str:
    """Where YAML is broken: its reader says it in two ways, and not at all where it nests too deeply."""
    if mark := getattr(error, "problem_mark", None):
        return f"line {mark.line + 1}"
    position = getattr(error, "position", None)
    return "at its top level" if position is None else f"line {text.count(chr(10), 0, position) + 1}"


def _yaml_names(path: PurePosixPath, names: Any) -> dict[int, str]:
    return {number: name for number, name in _numbered_names(path, names).items() if name}


def _numbered_names(path: PurePosixPath, names: Any) -> dict[int, str]:
    if isinstance(names, list) and names and all(isinstance(name, dict) and len(name) == 1 for name in names):
        names = {key: value for name in names for key, value in name.items()}
    if isinstance(names, list):
        return {index: str(name).strip() for index, name in enumerate(names)}
    if isinstance(names, dict):
        found = {}
        for key, name in names.items():
            if not str(key).strip().isdecimal():
                raise UserError(f"{path}: names has the key {key!r}; it must be a class's number, such as 0.")
            found[int(key)] = str(name).strip()
        return found
    if not names:
        return {}
    raise UserError(f"{path}: the key names must be a list, or numbers with names; write names: [vector].")


def read_notes(path: PurePosixPath, categories: Any) -> NameTable:
    """The categories of Label Studio's notes.json.

    Raises:
        UserError: one of them has no number and name, or they name one number twice.
    """
    names: dict[int, str] = {}
    for entry in categories if isinstance(categories, list) else [None]:
        about: dict[str, Any] = entry if isinstance(entry, dict) else {}
        key, name = str(about.get("id")), about.get("name")
        if not key.isdecimal() or not isinstance(name, str) or int(key) in names:
            raise UserError(f"{path}: a category is {str(entry)[:60]!r}; each needs its own id and a name.")
        names[int(key)] = name.strip()
    return NameTable(path, names)


def read_data_file(path: PurePosixPath, text: str) -> NameTable | None:
    """Darknet's obj.data: where the names and the lists of images are; None for another file."""
    pairs = dict(
        (key.strip(), value.strip())
        for key, equals, value in (line.partition("=") for line in text.splitlines())
        if equals
    )
    if "names" not in pairs and "train" not in pairs:
        return None
    splits = {split: [pairs[key]] for key, split in SPLIT_KEYS.items() if key in pairs}
    return NameTable(path, {}, splits, "", pairs.get("names", ""), count=_count(pairs))


def looks_like_labels(text: str) -> bool:
    """Whether every line of a text begins with a number and has at least four more words."""
    lines = [line.split() for line in text.splitlines() if line.strip()]
    return bool(lines) and all(len(words) >= 5 and _is_number(words[0]) for words in lines)


def looks_like_keras(text: str) -> bool:
    """Whether every line is an image's name with any number of 'x,y,x,y,class', and some line has one."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    ends = [re.search(r"\.\w+((?: +-?\d+(?:,-?\d+){4})*)$", line) for line in lines]
    return all(ends) and any(end and end[1] for end in ends)


def _is_number(word: str) -> bool:
    return bool(re.fullmatch(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?", word))


def read_label(
    path: PurePosixPath, text: str, names: dict[int, str], names_file: PurePosixPath | None, keypoints: bool
) -> ImageLabel:
    """A label file's boxes; polygons become the boxes around them. One bad line costs the image."""
    label = ImageLabel(path, str(path), FORM, unnamed=not names)
    for index, line in enumerate(text.splitlines(), 1):
        if not line.strip():
            continue
        shown = f"{path}, line {index}: {line.strip()[:60]!r}"
        try:
            box = _read_line(line, names, keypoints)
        except BadEntry as error:
            label.error = f"{shown}: {error}; correct the line."
            break
        label.boxes.append(box)
        if names and (key := class_number(line)) not in names:
            label.nameless.setdefault(str(key), f"{shown}: there is no class {key} in {names_file}")
    return label


def blame_corners(labels: list[ImageLabel]) -> None:
    """Boxes that would reach out of their images, while all of them could be corners, have two meanings."""
    corners = [box.corners for label in labels for box in label.boxes]
    rows = [((x1 + x2) / 2, (y1 + y2) / 2, x2 - x1, y2 - y1) for x1, y1, x2, y2 in corners]
    if seem_corners(rows, corners, [(1.0, 1.0)] * len(corners)):
        for label in labels:
            if label.boxes:
                label.error = label.error or (
                    f"{label.file}: the lines seem to hold corners x1 y1 x2 y2, since as centres and sizes "
                    "they reach out of the images; write class cx cy w h."
                )


def blame_poses(labels: list[ImageLabel], texts: dict[PurePosixPath, str]) -> None:
    """Long lines that all could be a box with points in it, instead of a polygon, have two meanings."""
    long = {
        label.file: [words for line in texts[label.file].splitlines() if len(words := line.split()) > 5]
        for label in labels
        if not label.error
    }
    lines = [words[1:] for found in long.values() for words in found]
    if not lines or not all(_may_be_pose([float(word) for word in words]) for words in lines):
        return
    for label in labels:
        if long.get(label.file):
            label.error = (
                f"{label.file}: the lines may be polygons, or boxes with keypoints; write kpt_shape into "
                "data.yaml if they are keypoints, or boxes as class cx cy w h."
            )


def _may_be_pose(values: list[float]) -> bool:
    """Whether the first four numbers may be a box, and the rest points in it, with or without visibility."""
    x1, y1, x2, y2 = from_cxcywh(values[:4])[0].tolist()

    def inside(step: int) -> bool:
        points = [values[at : at + step] for at in range(4, len(values), step)]
        return len(points[-1]) == step and all(
            (x == y == 0 or (x1 - EDGE <= x <= x2 + EDGE and y1 - EDGE <= y <= y2 + EDGE))
            and all(seen in (0, 1, 2) for seen in rest)
            for x, y, *rest in points
        )

    return min(x1, y1) >= -EDGE and max(x2, y2) <= 1 + EDGE and (inside(2) or inside(3))


def class_number(line: str) -> int | None:
    """The number of a line's class; None where it has none."""
    word = next(iter(line.split()), "")
    value = float(word) if _is_number(word) else -1.0
    return int(value) if value >= 0 and value.is_integer() else None


def _read_line(line: str, names: dict[int, str], keypoints: bool) -> LabelBox:
    words = line.split()
    index = number(words[0], "the class") if _is_number(words[0]) else None
    if index is None:
        raise BadEntry(f"{words[0]!r} is not a class's number; a line is 'class cx cy w h'")
    if index != int(index) or index < 0:
        raise BadEntry(f"the class {words[0]} is not a whole number from 0 on")
    values = [number(word, "a value") for word in words[1:]]
    name = names.get(int(index), str(int(index)))
    if keypoints and len(values) > 4:
        values = values[:4]
    if len(values) == 5:
        raise BadEntry("6 values are neither a box nor a polygon; is the last one a score of a model?")
    if len(values) != 4 and (len(values) < 6 or len(values) % 2):
        raise BadEntry(f"{len(words)} values are neither a box nor a polygon")
    if not all(-MARGIN <= value <= 1 + MARGIN for value in values):
        raise BadEntry("the values are not shares of the image, 0 to 1")
    if len(values) == 4:
        if min(values[2:]) <= 0:
            raise BadEntry("the box has no width or height")
        x1, y1, x2, y2 = from_cxcywh(values)[0].tolist()
        return LabelBox(name, (x1, y1, x2, y2), normalised=True)
    xs, ys = values[::2], values[1::2]
    return LabelBox(name, (min(xs), min(ys), max(xs), max(ys)), normalised=True)

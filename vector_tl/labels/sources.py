"""Labelled datasets of others, read one image at a time: YOLO (also Roboflow's), COCO and Pascal VOC."""

import json
import math
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import yaml

from vector_tl.data.boxes import as_boxes, clip_boxes, from_cxcywh, from_xywh, sides, to_pixels
from vector_tl.data.images import image_size, is_image_file
from vector_tl.errors import UserError

SPLIT_NAMES = {
    "train": "train",
    "training": "train",
    "val": "val",
    "valid": "val",
    "validation": "val",
    "test": "test",
}
EDGE_PX = 1.0  # how far rounding may carry a box over the image's edge
EDGE_SHARE = 0.01  # the same of YOLO's values in 0..1
COCO_START_CHARS = 2_000_000  # so much of a JSON file is searched for COCO's keys


@dataclass(frozen=True)
class SourceImage:
    """An image of a source, with its label, or `why` it is left out.

    Attributes:
        path: the image, or the file that names it.
        data: the encoded image.
        size_wh: its width and height.
        boxes_xyxy: (N, 4) in its pixels; None when it is not labelled.
        split: the source's own split.
        why: a sentence, for an image that is left out.
    """

    path: Path
    data: bytes = b""
    size_wh: tuple[int, int] = (0, 0)
    boxes_xyxy: np.ndarray | None = None
    split: str | None = None
    why: str | None = None


@dataclass
class Classes:
    """Which of a source's classes mean a Vector, and how many boxes of other classes were ignored."""

    wanted: tuple[str, ...]
    ignored: Counter[str] = field(default_factory=Counter)

    def choose(self, names: list[str], source: Path) -> set[str]:
        """Those of `names` that mean a Vector.

        Raises:
            UserError: none does, or one that was asked for is not there.
        """
        if self.wanted:
            if missing := [name for name in self.wanted if name not in names]:
                listed = ", ".join(names) or "none"
                raise UserError(f"{source} has no class {missing[0]!r}; it has {listed}.")
            return set(self.wanted)
        if len(names) == 1:
            return set(names)
        chosen = {name for name in names if "vector" in name.lower()}
        if not chosen and names:
            listed = ", ".join(names[:12])
            raise UserError(f"{source} has the classes {listed}; say with --classes which mean a Vector.")
        return chosen


def read_source(folder: Path, classes: Classes) -> tuple[str, Iterator[SourceImage]]:
    """The form of the dataset in a folder (yolo, coco, voc or images), and its images.

    Raises:
        UserError: labels of a form that cannot be read, or no class that could mean a Vector.
    """
    files = sorted(path for path in folder.rglob("*") if path.is_file() and not _is_hidden(path, folder))
    images = [path for path in files if is_image_file(path)]
    if not images:
        raise UserError(f"{folder} holds no images.")
    if coco := [path for path in files if path.suffix.lower() == ".json" and _is_coco(path)]:
        return "coco", _read_coco(coco, images, folder, classes)
    if xml := [path for path in files if path.suffix.lower() == ".xml"]:
        return "voc", _read_voc(xml, images, folder, classes)
    texts = {path for path in files if path.suffix.lower() == ".txt"}
    labels = {image: label for image in images if (label := _yolo_label(image, folder)) in texts}
    yamls = [path for path in files if path.suffix.lower() in (".yaml", ".yml")]
    if labels or yamls:
        return "yolo", _read_yolo(labels, yamls, images, folder, classes)
    return "images", (_load(path, folder, None) for path in images)


def _is_hidden(path: Path, folder: Path) -> bool:
    return any(part.startswith((".", "__MACOSX")) for part in path.relative_to(folder).parts)


def _load(
    path: Path,
    folder: Path,
    boxes: np.ndarray | None,
    labelled_wh: tuple[int, int] = (0, 0),
    norm: bool = False,
) -> SourceImage:
    """The image with its boxes, or why it is left out.

    Args:
        path: of the image.
        folder: of the source.
        boxes: (N, 4) in pixels, or with `norm` in 0..1 of the image; None when it is not labelled.
        labelled_wh: the size that the label is for, where it says one.
        norm: see `boxes`.
    """
    where = path.relative_to(folder)
    try:
        data = path.read_bytes()
        size_wh = image_size(data, str(where))
        if all(labelled_wh) and labelled_wh != size_wh:
            raise UserError(
                f"{where} is {size_wh[0]} x {size_wh[1]}, but its label is for an image of "
                f"{labelled_wh[0]} x {labelled_wh[1]}."
            )
        if boxes is not None:
            boxes = check_boxes(to_pixels(boxes, size_wh) if norm else boxes, size_wh, str(where))
        return SourceImage(path, data, size_wh, boxes, find_split(path, folder))
    except OSError as error:
        return SourceImage(path, why=f"{where} cannot be read: {error.strerror}.")
    except UserError as error:
        return SourceImage(path, why=str(error))


def check_boxes(boxes_xyxy: np.ndarray, size_wh: tuple[int, int], where: str) -> np.ndarray:
    """Boxes (N, 4) clipped to the image, without exact doubles.

    Raises:
        UserError: a number that is not finite, or a box without area or outside the image.
    """
    boxes = as_boxes(boxes_xyxy)
    if not np.isfinite(boxes).all():
        raise UserError(f"{where} has a box with a value that is not a number.")
    if (sides(boxes) <= 0).any():
        raise UserError(f"{where} has a box without width or height.")
    clipped = clip_boxes(boxes, size_wh)
    if (np.abs(clipped - boxes) > EDGE_PX).any() or (sides(clipped) <= 0).any():
        raise UserError(f"{where} has a box outside the image.")
    return as_boxes(list(dict.fromkeys(map(tuple, clipped.tolist()))))


def find_split(path: Path, folder: Path) -> str | None:
    """The source's own split, by the names of the folders in which an image lies."""
    names = (part.lower() for part in path.relative_to(folder).parts[:-1])
    return next((SPLIT_NAMES[name] for name in names if name in SPLIT_NAMES), None)


def _by(images: Iterable[Path], key: str) -> dict[str, list[Path]]:
    """Images by `name` or `stem`."""
    grouped: dict[str, list[Path]] = defaultdict(list)
    for image in images:
        grouped[getattr(image, key)].append(image)
    return grouped


# -- YOLO
# -----------------------------------------------------------------------------------------------------


def _yolo_label(image: Path, folder: Path) -> Path:
    """labels/ instead of the last images/ in the path, else beside the image."""
    parts = list(image.relative_to(folder).parts)
    if "images" in parts[:-1]:
        parts[len(parts) - 2 - parts[-2::-1].index("images")] = "labels"
    return folder.joinpath(*parts).with_suffix(".txt")


def _read_yolo(
    labels: dict[Path, Path], yamls: list[Path], images: list[Path], folder: Path, classes: Classes
) -> Iterator[SourceImage]:
    names = _yolo_names(yamls)
    chosen = classes.choose(list(names.values()), folder) if names else set(classes.wanted)

    def items() -> Iterator[SourceImage]:
        for image in images:
            if image not in labels:
                yield _load(image, folder, None)
                continue
            try:
                boxes_norm = _yolo_boxes(labels[image], folder, names, chosen, classes)
            except UserError as error:
                yield SourceImage(image, why=str(error))
                continue
            yield _load(image, folder, boxes_norm, norm=True)

    return items()


def _yolo_names(yamls: list[Path]) -> dict[int, str]:
    """The names of the classes by their number, from the first YAML file that has some."""
    for path in yamls:
        try:
            names = (yaml.safe_load(path.read_text(encoding="utf-8-sig")) or {}).get("names")
        except (OSError, UnicodeDecodeError, yaml.YAMLError, AttributeError, RecursionError) as error:
            raise UserError(
                f"{path.name} is not readable YAML ({type(error).__name__}); correct it."
            ) from error
        if isinstance(names, list):
            names = dict(enumerate(names))
        if isinstance(names, dict) and all(isinstance(key, int) for key in names):
            return {key: str(name) for key, name in names.items()}
    return {}


def _yolo_boxes(
    path: Path, folder: Path, names: dict[int, str], chosen: set[str], classes: Classes
) -> np.ndarray:
    """Corners (N, 4) in 0..1 of a label file's boxes; of a polygon, the box around it."""
    boxes = []
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"{path.relative_to(folder)} is not a text file.") from error
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        where = f"{path.relative_to(folder)}, line {number}"
        index, values = _yolo_values(line, where)
        if index < 0 or (names and index not in names):
            raise UserError(f"{where}: there is no class {index}.")
        name = names.get(index, str(index))
        if chosen and name not in chosen:
            classes.ignored[name] += 1
        elif len(values) == 4:
            boxes.append(from_cxcywh(values)[0])
        else:
            xs, ys = values[::2], values[1::2]
            boxes.append(np.array([min(xs), min(ys), max(xs), max(ys)]))
    return as_boxes(boxes)


def _yolo_values(line: str, where: str) -> tuple[int, list[float]]:
    """A line's class, and its box (4 values in 0..1) or polygon (6 or more)."""
    words, shown = line.split(), repr(line.strip()[:60])
    try:
        index, values = int(words[0]), [float(word) for word in words[1:]]
    except ValueError as error:
        raise UserError(f"{where}: {shown} is not 'class cx cy w h'.") from error
    if len(values) != 4 and (len(values) < 6 or len(values) % 2):
        raise UserError(f"{where}: {len(words)} values are neither a box nor a polygon.")
    if not all(math.isfinite(value) and -EDGE_SHARE <= value <= 1 + EDGE_SHARE for value in values):
        raise UserError(f"{where}: {shown} is not in shares of the image, 0 to 1.")
    return index, values


# -- COCO
# -----------------------------------------------------------------------------------------------------


def _is_coco(path: Path) -> bool:
    try:
        with path.open(encoding="utf-8-sig") as file:
            start = file.read(COCO_START_CHARS)
    except (OSError, UnicodeDecodeError):
        return False
    return '"annotations"' in start or '"images"' in start


def _read_coco(
    files: list[Path], images: list[Path], folder: Path, classes: Classes
) -> Iterator[SourceImage]:
    by_name = _by(images, "name")
    tables = [(path, *_coco_table(path, folder, classes)) for path in files]

    def items() -> Iterator[SourceImage]:
        listed = set()
        for path, entries, boxes in tables:
            where = path.relative_to(folder)
            for entry in entries:
                name = Path(str(entry.get("file_name", "")).replace("\\", "/"))
                same = by_name.get(name.name, [])
                near = [image for image in same if image.is_relative_to(path.parent)] or same
                fits = [image for image in near if image.as_posix().endswith(name.as_posix())] or near
                if not fits:
                    why = f"{where} names {str(name)!r}, which is not there."
                    yield SourceImage(path.parent / name.name, why=why)
                    continue
                listed.add(fits[0])
                try:
                    own = from_xywh([[x, y, w, h] for x, y, w, h in boxes.get(entry["id"], [])])
                    size_wh = (int(entry.get("width") or 0), int(entry.get("height") or 0))
                except (TypeError, ValueError, KeyError):
                    why = f"{where} has a box of {name.name} that is not four numbers."
                    yield SourceImage(fits[0], why=why)
                    continue
                yield _load(fits[0], folder, own, size_wh)
        for image in images:
            if image not in listed:
                yield _load(image, folder, None)

    return items()


def _coco_table(
    path: Path, folder: Path, classes: Classes
) -> tuple[list[dict[str, Any]], dict[Any, list[Any]]]:
    """The images that a COCO file lists, and the boxes of each by its id."""
    where = path.relative_to(folder)
    try:
        table = json.loads(path.read_text(encoding="utf-8-sig"))
        names = {category["id"]: str(category["name"]) for category in table.get("categories", [])}
        images, annotations = table["images"], table.get("annotations", [])
        used = {names[a["category_id"]] for a in annotations} if names else set()
        chosen = classes.choose(sorted(used or names.values()), where) if names else None
        boxes: dict[Any, list[Any]] = {image["id"]: [] for image in images}
        for annotation in annotations:
            image_id, name = annotation["image_id"], str(names.get(annotation["category_id"]))
            if image_id not in boxes:
                raise UserError(f"{where} has a box for the image {image_id!r}, which it does not list.")
            if chosen is not None and name not in chosen:
                classes.ignored[name] += 1
            else:
                boxes[image_id].append(annotation["bbox"])
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        what = f"{type(error).__name__}: {str(error)[:80]}"
        raise UserError(f"{where} is not in COCO's form ({what}); correct it.") from error
    return images, boxes


# -- Pascal VOC
# -----------------------------------------------------------------------------------------------


def _read_voc(files: list[Path], images: list[Path], folder: Path, classes: Classes) -> Iterator[SourceImage]:
    trees: dict[Path, ElementTree.Element | UserError] = {}
    for path in files:
        try:
            trees[path] = _voc_tree(path, folder)
        except UserError as error:
            trees[path] = error
    readable = [tree for tree in trees.values() if not isinstance(tree, UserError)]
    names = sorted({_voc_name(obj) for tree in readable for obj in tree.iter("object")})
    chosen = classes.choose(names, folder)

    def items() -> Iterator[SourceImage]:
        by_stem = _by(images, "stem")
        listed = set()
        for path, tree in trees.items():
            same = by_stem.get(path.stem, [])
            fits = [image for image in same if image.parent == path.parent] or same
            if not fits:
                yield SourceImage(path, why=f"{path.relative_to(folder)} has no image.")
                continue
            listed.add(fits[0])
            if isinstance(tree, UserError):
                yield SourceImage(fits[0], why=str(tree))
                continue
            try:
                boxes, size_wh = _voc_boxes(tree, chosen, classes)
            except (TypeError, ValueError):
                why = f"{path.relative_to(folder)} has a box that is not four numbers."
                yield SourceImage(fits[0], why=why)
                continue
            yield _load(fits[0], folder, boxes, size_wh)
        for image in images:
            if image not in listed:
                yield _load(image, folder, None)

    return items()


def _voc_tree(path: Path, folder: Path) -> ElementTree.Element:
    where = path.relative_to(folder)
    try:
        text = path.read_bytes()
        # entities can grow without bound
        if re.search(rb"<!(DOCTYPE|ENTITY)", text, re.IGNORECASE) or text[:2] in (b"\xff\xfe", b"\xfe\xff"):
            raise UserError(
                f"{where} defines entities or is not UTF-8, which no label needs; it is not read."
            )
        tree = ElementTree.fromstring(text)
    except (OSError, ElementTree.ParseError, ValueError) as error:
        raise UserError(f"{where} is not readable XML ({error}).") from error
    if tree.tag != "annotation":
        raise UserError(f"{where} is not a Pascal VOC label: it begins with <{tree.tag}>.")
    return tree


def _voc_name(obj: ElementTree.Element) -> str:
    return obj.findtext("name", "").strip()


def _voc_boxes(
    tree: ElementTree.Element, chosen: set[str], classes: Classes
) -> tuple[np.ndarray, tuple[int, int]]:
    """Boxes (N, 4) in pixels and the image's size; corners count from 1, the last pixel is inside."""
    boxes = []
    for obj in tree.iter("object"):
        if (name := _voc_name(obj)) not in chosen:
            classes.ignored[name] += 1
            continue
        corners = (obj.findtext(f"bndbox/{key}", "nan") for key in ("xmin", "ymin", "xmax", "ymax"))
        x1, y1, x2, y2 = map(float, corners)
        boxes.append([x1 - 1, y1 - 1, x2, y2])
    width, height = (int(float(tree.findtext(f"size/{side}", "0"))) for side in ("width", "height"))
    return as_boxes(boxes), (width, height)
